"""The process's own attributes: no new privileges, and nobody's to look into."""

from __future__ import annotations

import ctypes
import os
from typing import Final

# linux/prctl.h
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38

libc: Final = ctypes.CDLL(None, use_errno=True)


def give_up_privileges() -> None:
    """Nothing that is exec'd gains a privilege, and nobody but root may read this process's memory or have it
    dumped. Raises ``OSError``.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)


def prctl(option: int, value: int) -> int:
    """prctl(2). Raises ``OSError``."""
    zero = ctypes.c_ulong(0)
    result: int = libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
