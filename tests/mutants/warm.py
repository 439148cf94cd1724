"""Workers for thousands of trials: forked from a process that has everything imported, instead of exec'd.

From its first line on (``edged.worker.loop.main`` on descriptor 3, an empty environment, a session of its
own, nothing on 0, 1 and 2, no other descriptor) it is the worker's own code, kept by the daemon's own keeper.
Only the interpreter's start and the imports are saved, a second each.
"""

from __future__ import annotations

import os
import resource
import signal
from importlib import import_module

from edged import process

#: What a worker imports in the course of its life.
IMPORTED = (
    "edged.worker.loop",
    "edged.worker.ladder",
    "edged.worker.climb",
    "edged.worker.examine",
    "edged.worker.stopwatch",
    "edged.worker.runtime",
    "edged.worker.sandbox",
    "edged.worker.source.file",
    "edged.worker.source.jpeg",
    "edged.worker.source.movie",
    "edged.worker.source.synthetic",
    "ai_edge_litert.interpreter",
)
#: Address space of a trial: a model that asks for the whole machine is to be told no, and so is a video.
MEMORY = 4 << 30  # bytes
DEADLY = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM)


def prepare() -> None:
    """Import all of it; from now on every keeper of this process gets its workers this way."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in IMPORTED:
        import_module(name)
    process._spawned = forked


def forked(end: int, command: tuple[str, ...], lent: int) -> int:
    """As ``process._spawned``."""
    assert lent < 0, "no trial has a feed"
    del command
    pid = os.fork()
    if pid == 0:
        become(end, lambda: int(import_module("edged.worker.loop").main(str(process.WALL_DESCRIPTOR))))
    return pid


def become(end: int, work: object) -> None:
    """Turn this forked process into one that could have been exec'd, ``work``, and end with its status."""
    status = 70
    try:
        os.setsid()
        os.dup2(end, process.WALL_DESCRIPTOR)
        null = os.open("/dev/null", os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.closerange(process.WALL_DESCRIPTOR + 1, 4096)
        signal.set_wakeup_fd(-1)
        for one in DEADLY:
            signal.signal(one, signal.SIG_DFL)
        os.environ.clear()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = work() or 0  # type: ignore[operator]
    finally:
        os._exit(status)
