"""What must have happened before the lock, because it opens files: Python's imports and tracebacks, glibc's
first look at the system.
"""

from __future__ import annotations

import codecs
import ctypes
import sys
import threading
from typing import Final

from edged.worker.sandbox.process import libc
from edged.worker.shelf import shelf

#: A block that glibc takes from a thread's heap, and so many that such a heap shrinks when they are given
#: back.
BLOCK, BLOCKS = 64 << 10, 40
M_ARENA_MAX, ARENAS = -8, 8  # malloc.h; as many as glibc makes without a look at the machine
ENCODINGS: Final = ("ascii", "latin-1", "utf-8", "utf-8-sig", "idna")


def settle() -> None:
    """From now on nothing is imported: what was forgotten fails as an ``ImportError``. No traceback is
    printed: it would read the source, and nobody reads it here.
    """
    for name in ENCODINGS:
        codecs.lookup(name)
    if hasattr(libc, "mallopt"):
        # Before it makes a ninth heap for threads glibc counts the processors, in a file (malloc/arena.c).
        libc.mallopt(M_ARENA_MAX, ARENAS)
    thread = threading.Thread(target=_shrink)
    thread.start()
    thread.join()
    shelf.closed = True
    sys.meta_path.clear()
    sys.path_hooks.clear()
    sys.excepthook = _silent
    threading.excepthook = _silent
    sys.unraisablehook = _silent


def _shrink() -> None:
    """The first time that a thread's heap shrinks glibc reads how the kernel overcommits (malloc/arena.c)."""
    libc.malloc.restype = ctypes.c_void_p
    blocks = [ctypes.c_void_p(libc.malloc(ctypes.c_size_t(BLOCK))) for _ in range(BLOCKS)]
    for block in reversed(blocks):
        libc.free(block)


def _silent(*_: object) -> None:
    pass
