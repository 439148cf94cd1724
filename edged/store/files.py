"""Small files that are whole and on the disk, or not there at all, whenever the power fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

#: What a file system without unnamed files says (FAT, older overlays).
_UNABLE: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


def make(path: Path, content: bytes | bytearray, mode: int, owner: tuple[int, int] | None = None) -> None:
    """A new file with that content, on the disk when this returns, its name too.

    Raises ``FileExistsError`` when anything is there, ``OSError`` for what else is wrong.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            made = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            _make_in_place(path, content, mode, owner)
        else:
            try:
                _fill(made, content, mode, owner)
                # It gets its name only now, and never somebody else's. The descriptor makes Python call
                # linkat(2).
                os.link(f"/proc/self/fd/{made}", path, src_dir_fd=folder, follow_symlinks=True)
            finally:
                os.close(made)
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_in_place(path: Path, content: bytes | bytearray, mode: int, owner: tuple[int, int] | None) -> None:
    """Where a file has a name from its first instant on: a cut may leave an incomplete one."""
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        _fill(made, content, mode, owner)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(made)


def _fill(made: int, content: bytes | bytearray, mode: int, owner: tuple[int, int] | None) -> None:
    os.fchmod(made, mode)  # whatever the umask was
    if owner is not None:
        os.fchown(made, *owner)
    if os.write(made, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(made)


def replace(path: Path, content: bytes, mode: int, by_way_of: Path) -> None:
    """Exchange a file's content: at each instant it is the old or the new one. ``by_way_of`` is where the
    new one lies meanwhile; what a cut left there is removed.
    """
    by_way_of.unlink(missing_ok=True)
    make(by_way_of, content, mode)
    by_way_of.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A file's name is on the disk only once its folder is."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
