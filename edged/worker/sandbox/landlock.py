"""Landlock: every right that this kernel can take away is taken, and no rule gives one back. No path can be
opened, no TCP port bound or reached; from Linux 6.12 on no abstract socket outside and no process
outside can be reached either. By the system calls themselves: no C library wraps them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

from edged.worker.sandbox.process import libc

#: landlock_create_ruleset(2), landlock_restrict_self(2): the same number on all architectures.
CREATE_RULESET, RESTRICT_SELF = 444, 446
CREATE_RULESET_VERSION: Final = 1
#: linux/landlock.h: how many file system rights each ABI knows (refer, truncate, ioctl on devices came
#: later).
RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
RIGHTS_LATEST: Final = 16  # ABI 5 and later
NET: Final = 0b11  # TCP bind and connect, ABI 4 and later
SCOPES: Final = 0b11  # abstract sockets and signals, ABI 6 and later


def abi() -> int:
    """The kernel's version of Landlock, 0 when it has none or it is off."""
    found: int = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    return max(0, found)


def ruleset(version: int) -> bytes:
    """struct landlock_ruleset_attr for an ABI: everything that it knows."""
    rights = (1 << RIGHTS.get(version, RIGHTS_LATEST)) - 1
    if version < 4:
        return struct.pack("=Q", rights)
    if version < 6:
        return struct.pack("=QQ", rights, NET)
    return struct.pack("=QQQ", rights, NET, SCOPES)


def enforce() -> bool:
    """Restrict this thread and those that it starts; whether the kernel could. Raises ``OSError``."""
    version = abi()
    if not version:
        return False
    wish = ruleset(version)
    descriptor = _called(libc.syscall(CREATE_RULESET, wish, ctypes.c_size_t(len(wish)), 0))
    try:
        _called(libc.syscall(RESTRICT_SELF, descriptor, 0))
    finally:
        os.close(descriptor)
    return True


def holds() -> bool:
    """Whether no path can be opened, as tried."""
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
    except OSError as error:
        return error.errno == errno.EACCES
    return False


def _called(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
