"""Resource limits: nothing is written to a file, nothing is dumped, and what memory, descriptors and threads
there are is bounded. Soft and hard alike, so that no unprivileged process can raise them again.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

#: Threads that may come in addition: a rung's pool beside that of the one before.
THREADS: Final = 64


def bound(growth: int, descriptors: int) -> None:
    """Set all limits. ``growth`` is the memory in bytes that may still be taken, beyond what is held now."""
    _set(resource.RLIMIT_FSIZE, 0)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, descriptors)
    _set(resource.RLIMIT_MSGQUEUE, 0)
    _set(resource.RLIMIT_MEMLOCK, 0)
    _set(resource.RLIMIT_DATA, data_held() + growth)


def data_held() -> int:
    """Bytes of private, writable memory, as the kernel counts them against RLIMIT_DATA."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[5]
    return int(pages) * resource.getpagesize()


def _set(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (least, least))
