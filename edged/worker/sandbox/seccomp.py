"""The filter's way into the kernel: on all threads at once, and with a listener, through which the kernel
asks the daemon about every call that no rule allows. The call waits meanwhile; when nobody listens any
more it fails.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from edged import syscalls
from edged.worker.sandbox import bpf, calls
from edged.worker.sandbox.process import libc

# linux/seccomp.h
SET_MODE_FILTER: Final = 1
TSYNC, NEW_LISTENER, TSYNC_ESRCH = 1 << 0, 1 << 3, 1 << 4
NOT_HERE: Final = (errno.ENOSYS, errno.EINVAL)


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def enforce(purposes: frozenset[str]) -> int | None:
    """Put the filter on. The listener's descriptor, -1 when another listens already (then a forbidden call
    ends the process at once), None when this kernel or architecture has no filters. Raises ``OSError``.
    """
    machine = os.uname().machine
    numbers = syscalls.numbers(machine)
    if not numbers:
        return None
    rules = calls.rules(purposes, os.getpid())
    try:
        return _set(
            bpf.program(rules, numbers, syscalls.AUDIT[machine], bpf.NOTIFY),
            TSYNC | TSYNC_ESRCH | NEW_LISTENER,
        )
    except OSError as error:
        if error.errno in NOT_HERE:
            return None
        if error.errno != errno.EBUSY:
            raise
    _set(bpf.program(rules, numbers, syscalls.AUDIT[machine], bpf.KILL), TSYNC | TSYNC_ESRCH)
    return -1


def _set(program: list[bpf.Instruction], flags: int) -> int:
    """seccomp(2). Raises ``OSError``."""
    number = syscalls.numbers()["seccomp"]
    packed = bpf.packed(program)
    wish = _Program(len(program), packed)
    result: int = libc.syscall(number, SET_MODE_FILTER, flags, ctypes.byref(wish))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
