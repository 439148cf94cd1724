"""The store's key: 256 random bits. Where it comes from, and who else must not be able to read it.

The first of these that is there is taken, and nothing is mixed:

1. the file that ``[store] key_file`` names; 2. the credential ``edged_key`` that systemd lent this service
(``$CREDENTIALS_DIRECTORY``); 3. the file ``key`` in the state directory; 4. for root alone: the sealed
credential that systemd would lend to the service (``sealed``).

During a rotation each of them has a second key, the next one: ``<key file>.next``, ``edged_next``. Until it
has become the key, the store may be under either, so whoever opens it tries both (``rotation``).

A key is 64 hexadecimal digits and a newline wherever it lies, so that it can be written down. It is never
logged, printed or passed as an argument, and no message here holds a part of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from edged.errors import KeyRefusedError
from edged.store import files, secret
from edged.store.secret import TEXT, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config.shape import Config

    Check = Callable[[Path, os.stat_result], None]

MODE: Final = 0o400
HINT_INIT: Final = "edged keys init makes one"
HINT_LOST: Final = "put the right key back (edged keys restore); without it nobody can read the store"
HINT_FOLDER: Final = "choose a folder that this user may write, or [store] key_file"
#: systemd's name for a file of ``LoadCredentialEncrypted=edged:/etc/edged/credentials``: the part before the
#: colon, "_", the file's own.
PREFIX: Final = "edged_"
KEY, NEXT = "key", "next"
SEALED: Final = Path("/etc/edged/credentials")


class Keyring:
    """The key and, while a rotation is under way, the next one; ``where`` they are from, for sentences.

    ``with`` it: both are overwritten at the end.
    """

    def __init__(self, where: str, key: bytearray, following: bytearray | None = None) -> None:
        self.where, self.key, self.next = where, key, following

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"Keyring({self.where!r}, {'two keys' if self.next else 'one key'})"

    def wipe(self) -> None:
        """Overwrite both."""
        secret.wipe(self.key)
        secret.wipe(self.next)

    def __getitem__(self, name: str) -> bytearray:
        """The one called ``KEY`` or ``NEXT``."""
        found = self.next if name == NEXT else self.key
        if found is None:
            raise KeyError(name)
        return found

    @property
    def rotating(self) -> bool:
        """Whether there are two: the store may be under either."""
        return self.next is not None and self.next != self.key


def ring(config: Config) -> Keyring:
    """The keys of this config's store. Raises ``KeyRefusedError``: there is none, or none that is ours
    alone.
    """
    path, default = Path(config.store.key_file), Path(config.daemon.state_dir) / KEY
    if path == default:
        if (folder := credentials_directory()) is not None:
            return _from_credentials(folder)
        if not there(path) and (found := _unsealed()) is not None:
            return found
    return from_file(path)


def exists(config: Config) -> bool:
    """Whether there is a key, readable or not: then another one must not be made."""
    return bool(credentials_directory() or there(Path(config.store.key_file)) or _is_sealed(config))


def there(path: Path) -> bool:
    """Whether anything is there; what may not be looked at counts as there, and is judged by who opens it."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def fingerprint(key: Key) -> str:
    """Eight digits to compare two copies of a key by.

    They tell nothing of use about it: 32 bits of a one-way digest of 256 random bits leave 2^224 keys to be
    tried, and there is nothing to be guessed that people chose. Two keys look alike once in four thousand
    million.
    """
    from hashlib import blake2b  # a megabyte (PSS), and the daemon makes none

    return blake2b(key, digest_size=4, person=b"edged key").hexdigest()


# --- credentials that systemd lends


def credentials_directory() -> Path | None:
    """Where systemd put this service's key; None for whoever is no service of ours."""
    named = os.environ.get("CREDENTIALS_DIRECTORY", "")
    folder = Path(named)
    return folder if named and folder.is_absolute() and there(folder / (PREFIX + KEY)) else None


def _from_credentials(folder: Path) -> Keyring:
    where = f"systemd's credential in {folder}"
    following = folder / (PREFIX + NEXT)
    key = _read(folder / (PREFIX + KEY), _check_credential)
    return Keyring(where, key, _read(following, _check_credential) if there(following) else None)


def forget_credentials() -> None:
    """What names them is of no more use: nothing that is started later needs to know."""
    os.environ.pop("CREDENTIALS_DIRECTORY", None)


def _check_credential(path: Path, found: os.stat_result) -> None:
    """systemd 252 gives a credential to the service's user, 257 keeps it root's and lets the user read it
    by an access list, which shows as the group's bits. Neither lets anybody else.
    """
    folder = path.parent.stat()
    owners = {0, os.geteuid()}
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners or folder.st_uid not in owners:
        raise KeyRefusedError(
            f"{path} is not what systemd puts there", "edged.service lends it; is that changed?"
        )
    if found.st_mode & 0o337 or folder.st_mode & 0o027:
        raise KeyRefusedError(
            f"others may read or change {path}: its mode is {found.st_mode & 0o777:04o}",
            "edged.service lends it; is that changed?",
        )


# --- what root may unseal


def _unsealed() -> Keyring | None:
    if os.geteuid() != 0:
        return None
    from edged.store import sealed

    return sealed.ring() if sealed.exists() else None


def absent(path: Path) -> KeyRefusedError:
    """There is no key file; where the service has a sealed key, it is root's."""
    if os.geteuid() != 0 and SEALED.is_dir():
        return KeyRefusedError(f"the key in {SEALED} is for root and the service alone", "use sudo")
    return KeyRefusedError(f"there is no key file {path}", HINT_INIT)


def _is_sealed(config: Config) -> bool:
    if os.geteuid() != 0 or Path(config.store.key_file) != Path(config.daemon.state_dir) / KEY:
        return False
    from edged.store import sealed

    return sealed.exists()


# --- files


def create(path: Path, key: Key | None = None, owner: tuple[int, int] | None = None) -> None:
    """Make a new key file (mode 0400, its folder 0700 if new) of ``key``, by default a fresh one; on the
    disk when this returns. ``owner`` (user and group) is for root, who makes one for somebody else.

    Raises ``KeyRefusedError`` when anything is there already: a key that is overwritten is a store that is
    lost.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyRefusedError(f"{path.parent} cannot be made: {error.strerror}", HINT_FOLDER) from None
    own = secret.fresh() if key is None else bytearray(key)
    text = secret.digits(own)
    secret.wipe(own)
    try:
        files.make(path, text, MODE, owner)
    except FileExistsError:
        raise KeyRefusedError(
            f"{path} is there already and is not overwritten",
            "a store needs the key that it was made with; move that file away only if you are sure",
        ) from None
    except OSError as error:
        raise KeyRefusedError(f"{path} cannot be made: {error.strerror}", HINT_FOLDER) from None
    finally:
        secret.wipe(text)


def next_of(path: Path) -> Path:
    """Where the next key lies while a rotation is under way."""
    return path.with_name(f"{path.name}.{NEXT}")


def from_file(path: Path) -> Keyring:
    """The key file's keys. Raises ``KeyRefusedError``."""
    following = next_of(path)
    key = load(path)
    return Keyring(f"the file {path}", key, load(following) if there(following) else None)


def load(path: Path) -> bytearray:
    """The 32 bytes of the key. Raises ``KeyRefusedError`` when the file is absent, malformed, or not this
    user's alone.
    """
    return _read(path, _check)


def _read(path: Path, check: Check) -> bytearray:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise absent(path) from None
    except OSError as error:
        raise KeyRefusedError(f"the key file {path} cannot be read: {error.strerror}", _hint(error)) from None
    try:
        # Asked of the open file, not of its name: what is checked is what is read.
        check(path, os.fstat(opened))
        text = secret.read(opened)
    finally:
        os.close(opened)
    return parsed(text, str(path))


def parsed(text: bytearray, where: str) -> bytearray:
    """The key that ``text`` is, which is overwritten. Raises ``KeyRefusedError`` when it is none."""
    key, length = secret.parsed(text), len(text)
    secret.wipe(text)
    if key is None:
        raise KeyRefusedError(
            f"{where} holds no key: {length} bytes, not {TEXT} hexadecimal digits", HINT_LOST
        )
    return key


def _hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run this as the user that owns it, or with sudo"
    return "name the file itself in [store] key_file, not a link to it"


def _check(path: Path, found: os.stat_result) -> None:
    """A key that somebody else can read is none; one that somebody else can change is theirs."""
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefusedError(f"{path} is no plain file", HINT_INIT)
    folder = path.parent.stat()
    # Root may read the daemon's key where it lies; nobody else may use a key that is not their own.
    owners = {os.geteuid()} | ({folder.st_uid} if os.geteuid() == 0 else set())
    if found.st_uid not in owners:
        raise KeyRefusedError(
            f"the key file {path} belongs to user {found.st_uid}, not to user {os.geteuid()}",
            f"run this as its owner, or: chown {os.geteuid()} {path}",
        )
    if found.st_mode & 0o777 != MODE:
        raise KeyRefusedError(
            f"the key file {path} has mode {found.st_mode & 0o777:04o}, not {MODE:04o}", f"chmod 0400 {path}"
        )
    if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise KeyRefusedError(
            f"others may write to {path.parent}, so they could exchange the key in it",
            f"chmod go-w {path.parent}",
        )
