"""What a locked worker tries before it says that it is ready, and must not be able to do.

The calls are made as they are, without Python's or the C library's help. The kernel asks the daemon about
each, so it sees for itself that they were caught (``wall.WITNESSED``; of the others an outer sandbox may
take some before that), and answers that they may not be.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from edged import syscalls
from edged.errors import RefusedError
from edged.wall import WITNESSED
from edged.worker.sandbox.process import libc

AT_FDCWD: Final = -100
AF_UNIX, SOCK_STREAM = 1, 1
PROT_READ_EXEC: Final = 0x5
SIGCHLD: Final = 17
PAGE, PRIVATE_ANONYMOUS = 4096, 0x22
TRACEME: Final = 0

#: Arguments under which each would do something that shows if it were allowed, and harms nobody.
_TRIED: Final[dict[str, tuple[int | bytes | None, ...]]] = {
    "openat": (AT_FDCWD, b"/", 0, 0),
    "socket": (AF_UNIX, SOCK_STREAM, 0),
    "execve": (b"/proc/self/nothing", None, None),
    "clone": (SIGCHLD, None, None, None, None),
    "kill": (0, 0),
    "ptrace": (TRACEME, 0, 0, 0),
    "memfd_create": (b"proof", 0),
    "unshare": (0,),
    "mmap": (None, PAGE, PROT_READ_EXEC, PRIVATE_ANONYMOUS, -1, 0),
}


def prove() -> None:
    """Try everything. Raises ``RefusedError`` when one succeeds."""
    numbers = syscalls.numbers()
    for name, arguments in _TRIED.items():
        result = libc.syscall(numbers[name], *map(_argument, arguments))
        if name == "clone" and result == 0:
            os._exit(1)  # a child that must not be
        if result != -1 or (name in WITNESSED and ctypes.get_errno() != errno.EPERM):
            raise broken(name)


def _argument(value: int | bytes | None) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def broken(name: str) -> RefusedError:
    """What to say when a call was let through."""
    return RefusedError(
        f"the worker's sandbox does not hold: `{name}` was let through",
        "please report it with the kernel's version (uname -r)",
    )
