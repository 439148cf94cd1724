"""What the commands about the store's file share: which file, that nobody writes it, progress."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.deputy import as_owner
from edged.errors import StoreError

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.store.keys import Keyring

#: Bytes that SQLite locks: whoever writes has them all (SQLite's os.h, PENDING_BYTE).
FIRST: Final = 0x40000000 + 2
MANY: Final = 510
PATIENCE: Final = 1.0  # seconds before a word of progress

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


def meant(config: Config, file: Path | None) -> Path:
    """The file that is meant: by default the config's store. Raises ``StoreError`` when it is not there."""
    path = file or Path(config.store.file)
    if not path.exists():
        raise StoreError(f"there is no store {path}", "is it this config's [store] file?")
    if not path.is_file():
        raise StoreError(f"{path} is no file", "name the store's file")
    return path


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody writes the file meanwhile: a daemon that starts is refused. Raises ``StoreError`` when one has
    it.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", "sudo, or its owner") from None
    try:
        # A lock of the open file's (fcntl(2), OFD): it lasts whatever other descriptors are closed.
        wanted = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, FIRST, MANY, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
    except OSError:
        os.close(file)
        raise StoreError(
            f"{path} is in use: the daemon writes it",
            "sudo systemctl stop edged (or end `edged run`), then run this again; "
            "`sudo edged doctor store` looks at a store in use",
        ) from None
    try:
        yield
    finally:
        os.close(file)


def fitting(path: Path, ring: Keyring) -> bytearray:
    """The key that pages of the file were written with. Raises ``WrongKeyError`` when none of ours is."""
    from edged.errors import WrongKeyError
    from edged.store import diagnosis
    from edged.store.database import PAGE
    from edged.store.keys import KEY, NEXT

    for name in (KEY, NEXT) if ring.next is not None else (KEY,):
        if diagnosis.salt(path, ring[name], PAGE) or diagnosis.first_page_verifies(path, ring[name], PAGE):
            return ring[name]
    raise WrongKeyError(
        f"the key fits no page of {path}",
        "it is under another key (of before a rotation?), or its first 16 bytes are destroyed: without them "
        "no page can be verified",
    )


class Progress:
    """A line on a terminal for what takes longer than a second."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = False

    def __call__(self, what: str, done: int, of: int) -> None:
        """``done`` of ``of``."""
        if sys.stderr.isatty() and time.monotonic() - self._began > PATIENCE:
            self._shown = True
            sys.stderr.write(f"\r\x1b[K  {what}: {done * 100 // max(1, of):3d} %")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def worked(
    config: Config, path: Path, what: str, work: Callable[[bytearray, Progress], dict[str, Any]]
) -> dict[str, Any]:
    """What ``work`` finds with the key that fits the file: done as the file's owner, while nobody writes it.
    ``what`` it is, for the error of a bug. Raises ``StoreError``.
    """
    from edged.store import keys

    owner = path.stat()

    def alone() -> dict[str, Any]:
        with held(path), Progress() as progress:
            return work(fitting(path, ring), progress)

    with keys.ring(config) as ring:
        found = as_owner(owner.st_uid, owner.st_gid, alone, what)
    assert isinstance(found, dict)
    return found
