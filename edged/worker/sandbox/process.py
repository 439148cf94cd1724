"""The process's own attributes: no new privileges, nobody's to look into, nothing of its memory shown."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Final

# linux/prctl.h
PR_SET_DUMPABLE: Final = 4
PR_SET_MM, PR_SET_MM_MAP = 35, 14
PR_SET_NO_NEW_PRIVS: Final = 38

libc: Final = ctypes.CDLL(None, use_errno=True)


def give_up_privileges() -> None:
    """Nothing that is exec'd gains a privilege, and nobody but root may read this process's memory or have it
    dumped. Raises ``OSError``.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)


def hide_arguments() -> bool:
    """What everybody on the machine can read as a process's command line is memory of its own, and it could
    write there what it saw, as often as it likes: from now on there is none to be read. Whether the kernel
    could (CONFIG_CHECKPOINT_RESTORE).
    """
    try:
        # proc(5), stat: what follows the name is numbered from 3 on. An emulator tells fewer.
        told = (
            Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        code, code_end, stack, data, data_end, heap = (int(told[at - 3]) for at in (26, 27, 28, 45, 46, 47))
    except (OSError, IndexError):
        return False
    libc.sbrk.restype = ctypes.c_void_p
    end = libc.sbrk(0)
    # Arguments and environment begin and end where the stack begins; auxv and the program stay as they are.
    wish = struct.pack("=11QQIi", code, code_end, data, data_end, heap, end, *(stack,) * 5, 0, 0, -1)
    zero, size = ctypes.c_ulong(0), ctypes.c_ulong(len(wish))
    return bool(libc.prctl(PR_SET_MM, ctypes.c_ulong(PR_SET_MM_MAP), wish, size, zero) == 0)


def prctl(option: int, value: int) -> int:
    """prctl(2). Raises ``OSError``."""
    zero = ctypes.c_ulong(0)
    result: int = libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
