"""Resource limits: nothing is written to a file, nothing is dumped, and what memory, descriptors and threads
there are is bounded. Soft and hard alike, so that no unprivileged process can raise them again.
"""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path
from typing import Final

from edged.worker.sandbox.process import libc

#: Threads of this user that may come in addition, those of later workers included. The kernel holds no root
#: to it.
THREADS: Final = 512


def forbid_cores() -> None:
    """Nothing is dumped."""
    _set(resource.RLIMIT_CORE, 0)


def bound(growth: int, descriptors: int) -> None:
    """Set all limits. ``growth`` is the memory in bytes that may still be taken, beyond what is held now."""
    forbid_cores()
    _set(resource.RLIMIT_FSIZE, 0)  # not earlier: libcamera makes memory files while it opens
    _set(resource.RLIMIT_NOFILE, descriptors)
    _set(resource.RLIMIT_MSGQUEUE, 0)
    _set(resource.RLIMIT_MEMLOCK, 0)
    _set(resource.RLIMIT_DATA, data_held() + growth)
    _set(resource.RLIMIT_NPROC, threads_here() + THREADS)


def data_held() -> int:
    """Bytes of private, writable memory, as the kernel counts them against RLIMIT_DATA."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[5]
    return int(pages) * resource.getpagesize()


def threads_here() -> int:
    """Threads of the whole machine: the user's own, which the kernel holds against RLIMIT_NPROC, are no
    more. Who they are cannot be seen from inside the service. sysinfo(2): ``procs`` stands behind ten
    words.
    """
    told = (ctypes.c_ushort * 64)()
    libc.sysinfo(ctypes.byref(told))
    return int(told[10 * ctypes.sizeof(ctypes.c_long) // ctypes.sizeof(ctypes.c_ushort)])


def _set(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (least, least))
