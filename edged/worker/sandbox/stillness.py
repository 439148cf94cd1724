"""What must have happened before the lock, because it opens files: Python's imports and tracebacks, glibc's
first look at the system.
"""

from __future__ import annotations

import codecs
import sys
import threading
from typing import Final

from edged.worker.sandbox.process import libc
from edged.worker.shelf import shelf

M_ARENA_MAX: Final = -8  # malloc.h
ENCODINGS: Final = ("ascii", "latin-1", "utf-8", "utf-8-sig", "idna")


def share_one_heap() -> None:
    """All threads take memory from one heap; to be called before there is a second. For heaps of their own
    glibc looks at the machine late: at how the kernel overcommits when the first of them shrinks, at the
    number of processors before the ninth (malloc/arena.c), and each holds back what it has free.
    """
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_ARENA_MAX, 1)


def settle() -> None:
    """From now on nothing is imported: what was forgotten fails as an ``ImportError``. No traceback is
    printed: it would read the source, and nobody reads it here.
    """
    for name in ENCODINGS:
        codecs.lookup(name)
    share_one_heap()
    shelf.closed = True
    sys.meta_path.clear()
    sys.path_hooks.clear()
    sys.excepthook = _silent
    threading.excepthook = _silent
    sys.unraisablehook = _silent


def _silent(*_: object) -> None:
    pass
