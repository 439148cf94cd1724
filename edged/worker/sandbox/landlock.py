"""Landlock, twice. ``narrow`` before anything foreign is opened: this process and all threads that it will
have may read what programs read and the files of their task, and open devices; nothing is written, made
or exec'd, and no other process can be looked into. ``enforce`` at the lock: every right that this kernel
can take away is taken, and no rule gives one back.

From ABI 6 (Linux 6.12) on no abstract socket and no process outside can be reached either. By the system
calls themselves: no C library wraps them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from edged.worker.sandbox.process import libc

#: landlock_create_ruleset(2) and its kin: the same numbers on all architectures.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION: Final = 1
PATH_BENEATH: Final = 1
# linux/landlock.h: LANDLOCK_ACCESS_FS_*
WRITE_FILE, READ_FILE, READ_DIR, IOCTL_DEVICE = 1 << 1, 1 << 2, 1 << 3, 1 << 15
#: How many file system rights each ABI knows (refer, truncate, ioctl on devices came later).
RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
RIGHTS_LATEST: Final = 16  # ABI 5 and later
NET: Final = 0b11  # TCP bind and connect, ABI 4 and later
SCOPES: Final = 0b11  # abstract sockets and signals, ABI 6 and later


def abi() -> int:
    """The kernel's version of Landlock, 0 when it has none or it is off."""
    found: int = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    return max(0, found)


def rights(version: int) -> int:
    """All file system rights of an ABI."""
    return (1 << RIGHTS.get(version, RIGHTS_LATEST)) - 1


def ruleset(version: int) -> bytes:
    """struct landlock_ruleset_attr for an ABI: everything that it knows."""
    if version < 4:
        return struct.pack("=Q", rights(version))
    if version < 6:
        return struct.pack("=QQ", rights(version), NET)
    return struct.pack("=QQQ", rights(version), NET, SCOPES)


def enforce(readable: Iterable[str] = (), devices: Iterable[str] = ()) -> bool:
    """Restrict this thread and those that it starts to reading ``readable`` and using ``devices``, with all
    that is beneath them; whether the kernel could. Raises ``OSError``.
    """
    version = abi()
    if not version:
        return False
    wish = ruleset(version)
    descriptor = _called(libc.syscall(CREATE_RULESET, wish, ctypes.c_size_t(len(wish)), 0))
    try:
        for path in readable:
            _allow(descriptor, path, READ_FILE | READ_DIR)
        for path in devices:
            _allow(descriptor, path, (READ_FILE | READ_DIR | WRITE_FILE | IOCTL_DEVICE) & rights(version))
        _called(libc.syscall(RESTRICT_SELF, descriptor, 0))
    finally:
        os.close(descriptor)
    return True


def bearable(readable: Sequence[str], devices: Sequence[str]) -> bool:
    """Whether under these rules everything in ``readable`` can still be opened that could be before: tried by
    a thread of its own, which alone is bound. On some file systems (9p without a cache) a path is another
    file each time, and the rules allow nothing.
    """
    before = [one for one in readable if _opens(one)]
    found = []

    def attempt() -> None:
        with suppress(OSError):
            enforce(readable, devices)
            found.append(all(map(_opens, before)))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found == [True]


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def holds() -> bool:
    """Whether no path can be opened, as tried."""
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
    except OSError as error:
        return error.errno == errno.EACCES
    return False


def _allow(ruleset: int, path: str, allowed: int) -> None:
    """A path that is not there needs no rule."""
    with suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112 - a directory's right on a file is an error
                allowed &= ~READ_DIR
            rule = struct.pack("=Qi", allowed, place)
            _called(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
        finally:
            os.close(place)


def _called(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
