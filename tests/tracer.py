"""Stops a process at every system call that changes a file: to kill it there, or to look at the disk.

The kernel's own tracer (ptrace) by ctypes, so that nothing needs to be installed. The traced work runs in a
forked child; each stop is *before* the call, so being killed at the first one is having done nothing.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

TRACEME, CONT_SYSCALL, SETOPTIONS, SYSCALL_INFO = 0, 24, 0x4200, 0x420E
SYSGOOD, EXITKILL = 1, 0x100000
ENTRY: Final = 1

#: Calls that change what is on a disk, or make it last.
CALLS: Final = {
    "x86_64": {
        1: "write",
        18: "pwrite64",
        20: "writev",
        74: "fsync",
        75: "fdatasync",
        76: "truncate",
        77: "ftruncate",
        82: "rename",
        83: "mkdir",
        86: "link",
        87: "unlink",
        91: "fchmod",
        93: "fchown",
        257: "openat",
        260: "fchownat",
        263: "unlinkat",
        264: "renameat",
        265: "linkat",
        285: "fallocate",
        316: "renameat2",
    },
    "aarch64": {
        34: "mkdirat",
        35: "unlinkat",
        37: "linkat",
        38: "renameat",
        45: "truncate",
        46: "ftruncate",
        47: "fallocate",
        52: "fchmod",
        54: "fchownat",
        55: "fchown",
        56: "openat",
        64: "write",
        66: "writev",
        68: "pwrite64",
        82: "fsync",
        83: "fdatasync",
        276: "renameat2",
    },
}
CREATE: Final = os.O_CREAT


class _Info(ctypes.Structure):
    """struct ptrace_syscall_info, as far as the entry of a call goes."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, address: int = 0, data: object = None) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x})")


def usable() -> bool:
    """Whether a child may be traced here (a container may forbid it, an emulator cannot)."""
    if platform.machine() not in CALLS:
        return False
    try:
        return traced(lambda: Path("/proc/none/none").mkdir(), lambda number, name: True) == 1
    except OSError:
        return False


def traced(work: Callable[[], None], stop: Callable[[int, str], bool]) -> int:
    """Do ``work`` in a child. ``stop(number, name)`` is asked before each changing call, counted from 1, and
    ends the child there (SIGKILL) if it says so. The number of calls.
    """
    child = os.fork()
    if child == 0:
        _work(work)
    os.waitpid(child, 0)
    _ptrace(SETOPTIONS, child, 0, SYSGOOD | EXITKILL)
    calls, number, passed = CALLS[platform.machine()], 0, 0
    while True:
        _ptrace(CONT_SYSCALL, child, 0, passed)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the traced work failed; its traceback is above"
            return number
        assert os.WIFSTOPPED(status), f"the traced work ended with {status}"
        passed = os.WSTOPSIG(status)
        if passed != signal.SIGTRAP | 0x80:
            continue
        passed = 0
        info = _Info()
        _ptrace(SYSCALL_INFO, child, ctypes.sizeof(info), ctypes.addressof(info))
        name = calls.get(info.number) if info.op == ENTRY else None
        if name is None or (name == "openat" and not info.arguments[2] & CREATE):
            continue
        number += 1
        if stop(number, name):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return number


def _work(work: Callable[[], None]) -> None:
    code = 1
    try:
        _ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
