"""The filter's way into the kernel: on all threads at once, and with a listener, through which the kernel
asks the daemon about every call that no rule allows. The call waits meanwhile; when nobody listens any
more it fails.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import Final

from edged import syscalls
from edged.worker.sandbox import bpf, calls
from edged.worker.sandbox.process import libc

# linux/seccomp.h
SET_MODE_FILTER: Final = 1
TSYNC, NEW_LISTENER, TSYNC_ESRCH = 1 << 0, 1 << 3, 1 << 4
EVERYWHERE: Final = TSYNC | TSYNC_ESRCH
NOT_HERE: Final = (errno.ENOSYS, errno.EINVAL)


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def enforce(purposes: frozenset[str], ask: bool = True, answers: int = 1) -> int | None:
    """Put the filter on. The listener's descriptor; -1 when nobody is to be asked, or another listens already
    (then a forbidden call ends the process at once); None when this kernel or architecture has no filters.

    Raises ``OSError``.
    """
    machine = os.uname().machine
    numbers = syscalls.numbers(machine)
    if not numbers:
        return None
    rules, audit = calls.rules(purposes, os.getpid(), answers), syscalls.AUDIT[machine]
    if ask:
        with suppress(BlockingIOError):
            return _set(bpf.program(rules, numbers, audit, bpf.NOTIFY), EVERYWHERE | NEW_LISTENER)
    found = _set(bpf.program(rules, numbers, audit, bpf.KILL), EVERYWHERE)
    return None if found is None else -1


def refuse(purposes: frozenset[str], answers: int = 1) -> bool:
    """As ``enforce``, but what no rule allows is refused and nothing more, and the next filter may follow; so
    it can be tried where nobody listens. Whether there are filters. Raises ``OSError``.
    """
    machine = os.uname().machine
    numbers = syscalls.numbers(machine)
    rules = [*calls.rules(purposes, os.getpid(), answers), bpf.Rule("seccomp")]
    refusal = bpf.ERRNO | errno.EPERM
    return (
        bool(numbers) and _set(bpf.program(rules, numbers, syscalls.AUDIT[machine], refusal), EVERYWHERE) == 0
    )


def forbid(devices: bool = False) -> None:
    """Refuse what must not be done even before the lock; where there are no filters nothing. ``devices`` as
    in ``calls.before``. Raises ``OSError``.
    """
    machine = os.uname().machine
    if numbers := syscalls.numbers(machine):
        _set(bpf.program(calls.before(devices), numbers, syscalls.AUDIT[machine], bpf.ALLOW), EVERYWHERE)


def _set(program: list[bpf.Instruction], flags: int) -> int | None:
    """seccomp(2); None where there is no such thing. Raises ``OSError``, ``BlockingIOError`` when another
    listens.
    """
    number = syscalls.numbers()["seccomp"]
    packed = bpf.packed(program)
    wish = _Program(len(program), packed)
    result: int = libc.syscall(number, SET_MODE_FILTER, flags, ctypes.byref(wish))
    if result < 0:
        code = ctypes.get_errno()
        if code in NOT_HERE:
            return None
        if code == errno.EBUSY:
            raise BlockingIOError(code, os.strerror(code))
        raise OSError(code, os.strerror(code))
    return result
