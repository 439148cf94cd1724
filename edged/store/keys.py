"""The store's key: 256 random bits in a file that only its owner can read.

It is 64 hexadecimal digits and a newline, so that it can be written down. It is never logged, printed or
passed as an argument, and no message here holds a part of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from edged.errors import KeyRefusedError

BYTES: Final = 32
MODE: Final = 0o400
HINT_INIT: Final = "edged keys init makes one"
HINT_LOST: Final = "put the right key file back; without it nobody can read the store"


def create(path: Path) -> None:
    """Make a new key file (mode 0400, its folder 0700 if new); on the disk when this returns.

    Raises ``KeyRefusedError`` when anything is there already: a key that is overwritten is a store that is
    lost.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyRefusedError(f"{path.parent} cannot be made: {error.strerror}", _HINT_FOLDER) from None
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    except FileExistsError:
        raise KeyRefusedError(
            f"{path} is there already and is not overwritten",
            "a store needs the key that it was made with; move that file away only if you are sure",
        ) from None
    except OSError as error:
        raise KeyRefusedError(f"{path} cannot be made: {error.strerror}", _HINT_FOLDER) from None
    try:
        _fill(made, path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise KeyRefusedError(f"{path} cannot be written: {error.strerror}", _HINT_FOLDER) from None


_HINT_FOLDER = "choose a folder that this user may write, or [store] key_file"


def _fill(made: int, path: Path) -> None:
    """Write the key and have it on the disk, its name in the folder too."""
    with os.fdopen(made, "wb", buffering=0) as file:
        os.fchmod(made, MODE)  # whatever the umask was
        file.write(os.urandom(BYTES).hex().encode() + b"\n")
        os.fsync(made)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> bytes:
    """The 32 bytes of the key. Raises ``KeyRefusedError`` when the file is absent, malformed, or not this
    user's alone.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyRefusedError(f"there is no key file {path}", HINT_INIT) from None
    except OSError as error:
        raise KeyRefusedError(f"the key file {path} cannot be read: {error.strerror}", _hint(error)) from None
    try:
        # Asked of the open file, not of its name: what is checked is what is read.
        _check(path, os.fstat(opened))
        text = os.read(opened, 2 * BYTES + 2)
    finally:
        os.close(opened)
    try:
        key = bytes.fromhex(text.decode("ascii").removesuffix("\n"))
    except ValueError:
        key = b""
    if len(key) != BYTES or len(text) not in (2 * BYTES, 2 * BYTES + 1):
        raise KeyRefusedError(
            f"{path} holds no key: {len(text)} bytes, not {2 * BYTES} hexadecimal digits", HINT_LOST
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
