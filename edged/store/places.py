"""Where a key may lie, for the commands that make, rotate and bring back one: a file, or a sealed
credential.

Both keep the same promises (tests/contracts/test_places.py): nothing is ever overwritten but by
``promote``, what was made is on the disk when it is said, and a cut leaves either what was or what is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edged.errors import KeyRefusedError
from edged.store import files, keys, sealed, secret
from edged.store.keys import KEY, NEXT, Keyring
from edged.store.secret import Key

if TYPE_CHECKING:
    from edged.config.shape import Config


class Place(Protocol):
    """A place for a key and, during a rotation, the next one."""

    kind: str
    where: Path

    def exists(self, name: str = KEY) -> bool:
        """Whether there is a key (or a next one), readable or not."""

    def ring(self) -> Keyring:
        """Both. Raises ``KeyRefusedError``."""

    def make(self, key: Key | None = None) -> str:
        """Put a key there, by default a fresh one; what protects it, in words. Raises ``KeyRefusedError``."""

    def make_next(self) -> None:
        """Put a fresh next key there."""

    def promote(self) -> None:
        """The next key takes the key's place; without a next one nothing happens. The old one is gone
        afterwards.
        """

    def protected_by(self) -> str:
        """What protects it, in words."""


class FilePlace:
    """A key file, and ``<key file>.next``."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self.where = path

    def exists(self, name: str = KEY) -> bool:
        """See ``Place``."""
        return keys.there(self.where if name == KEY else keys.next_of(self.where))

    def ring(self) -> Keyring:
        """See ``Place``."""
        return keys.from_file(self.where)

    def make(self, key: Key | None = None) -> str:
        """See ``Place``."""
        keys.create(self.where, key, self._owner())
        return self.protected_by()

    def _owner(self) -> tuple[int, int] | None:
        """In a folder of somebody else's root makes theirs: the daemon's user must be able to read it."""
        if os.geteuid() != 0 or not self.where.parent.is_dir():
            return None
        folder = self.where.parent.stat()
        return folder.st_uid, folder.st_gid

    def make_next(self) -> None:
        """See ``Place``."""
        found = self.where.stat()
        keys.create(
            keys.next_of(self.where), owner=(found.st_uid, found.st_gid) if os.geteuid() == 0 else None
        )

    def promote(self) -> None:
        """See ``Place``."""
        if self.exists(NEXT):
            keys.next_of(self.where).rename(self.where)
        files.sync_folder(self.where.parent)

    def protected_by(self) -> str:
        """See ``Place``."""
        return "the file's mode: only its owner and root can read it"


class SealedPlace:
    """A credential that systemd seals to this machine, and unseals for the service."""

    kind = "sealed"

    def __init__(self) -> None:
        self.where = sealed.FOLDER / KEY

    def exists(self, name: str = KEY) -> bool:
        """See ``Place``."""
        return sealed.exists(name)

    def ring(self) -> Keyring:
        """See ``Place``."""
        return sealed.ring()

    def make(self, key: Key | None = None) -> str:
        """See ``Place``."""
        return self._make(KEY, key)

    def make_next(self) -> None:
        """See ``Place``."""
        self._make(NEXT, None)

    def _make(self, name: str, key: Key | None) -> str:
        own = secret.fresh() if key is None else bytearray(key)
        try:
            return sealed.make(name, own)
        finally:
            secret.wipe(own)

    def promote(self) -> None:
        """See ``Place``."""
        if self.exists(NEXT):
            sealed.promote()

    def protected_by(self) -> str:
        """See ``Place``."""
        return sealed.sealed_by() or "systemd's seal, of a kind that edged does not know"


def in_force(config: Config) -> Place:
    """Where this config's key is. Raises ``KeyRefusedError``: nowhere, or in two places."""
    file = FilePlace(Path(config.store.key_file))
    seal = SealedPlace() if os.geteuid() == 0 and _by_default(config) else None
    if seal is None or not seal.exists():
        if not file.exists():
            raise keys.absent(file.where)
        return file
    if file.exists():
        raise KeyRefusedError(
            f"there are two keys: {file.where} and the sealed {seal.where}",
            "see by `edged keys restore --check FILE` which one opens the store, and move the other one away",
        )
    return seal


def wanted(config: Config, service: bool, credential: bool) -> Place:
    """Where a new key is to go: for the installed service a sealed credential, if it may be one."""
    if credential and not _by_default(config):
        raise KeyRefusedError(
            f"the config names a key file, {config.store.key_file}", "take key_file out of [store] first"
        )
    if credential or (service and _by_default(config) and sealed.possible()):
        return SealedPlace()
    return FilePlace(Path(config.store.key_file))


def found(config: Config, place: Place) -> list[Place]:
    """Where there is a key already, ``place`` first."""
    others: list[Place] = [FilePlace(Path(config.store.key_file))]
    if os.geteuid() == 0 and _by_default(config):
        others.append(SealedPlace())
    return [one for one in (place, *(one for one in others if one.kind != place.kind)) if one.exists()]


def refusal(path: Path) -> KeyRefusedError:
    """For who would put a second key beside the one that is there."""
    return KeyRefusedError(
        f"{path} is there already, and a store has one key",
        "a store needs the key that it was made with; move that file away only if you are sure",
    )


def _by_default(config: Config) -> bool:
    return Path(config.store.key_file) == Path(config.daemon.state_dir) / KEY
