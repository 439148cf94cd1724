"""What the worker's sandbox costs: the very same worker with and without, in turns, in the same run.

The one without is started by an entry of this file's own, which leaves the lock out; no daemon takes such a
worker. ``python -m benchmarks.sandbox unlocked|locked FD`` is that entry.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.bare import Sample, cpu_s, pss_mb
from benchmarks.system import SSD, TINY, require
from benchmarks.turns import Comparison, compared
from edged import wall
from edged.config.shape import Measure, Model, Pipeline, Synthetic
from edged.errors import WallError
from edged.process import Process
from edged.reactor import Reactor
from edged.series import series_of
from edged.warden import Warden

FRAMES = Synthetic(width=640, height=480, fps=240.0, pace="fast", held=8)
STARTS = 7
PATIENCE = 60.0


class Worker:
    """A worker at work as fast as it goes, and us as its daemon."""

    def __init__(self, model: str, kind: str) -> None:
        pipeline = Pipeline(source=FRAMES, rate=0.0, measures=(Measure(kind="presence"),))
        models = (Model(file=model, min_score=0.0),)
        task = wall.Assignment(wall.PROTOCOL, "p", pipeline, models, series_of("p", pipeline), examine=False)
        self._reactor = Reactor()
        self._process = Process(task, (sys.executable, "-m", "benchmarks.sandbox", kind))
        self._warden = Warden(self._reactor, lambda attempt: sys.exit(f"it tried {attempt.name}"))
        self._reactor.on_readable(self._process.channel, self._hear)
        self.pids = (self._process.pid,)
        self.ready: wall.Ready | None = None
        self._frames, self._last = 0, Sample(0.0, 0, 0.0)
        self._until(lambda: self.ready is not None)

    def sample(self) -> Sample:
        """The moment of the next tick."""
        before = self._last
        self._until(lambda: self._last is not before)
        return self._last

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._warden.close()
        self._process.reap()
        self._reactor.close()

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError("the worker does not go on")
            self._reactor.turn(1.0)

    def _hear(self) -> None:
        match self._process.channel.receive(lending=self.ready is None):
            case wall.Watched():
                self._warden.take(self._process.channel)
            case wall.Ready() as ready:
                self.ready = ready
            case wall.Tick() as tick:
                self._frames += tick.analysed
                self._last = Sample(time.monotonic(), self._frames, cpu_s(self._process.pid))
            case other:
                raise WallError(f"the worker said {other}")


@contextmanager
def working(model: str, kind: str) -> Iterator[Worker]:
    """A worker, ended at the end."""
    worker = Worker(model, kind)
    try:
        yield worker
    finally:
        worker.close()


def beside(model: str) -> tuple[Comparison, float]:
    """Locked over unlocked, and MB more of memory."""
    with working(model, "locked") as locked, working(model, "unlocked") as unlocked:
        found = compared(locked, unlocked)
        return found, pss_mb(locked.pids[0]) - pss_mb(unlocked.pids[0])


def start_ms(model: str) -> float:
    """Milliseconds that narrowing, locking and proving took of a start, with the daemon's answers."""
    with working(model, "locked") as worker:
        assert worker.ready is not None
        return float(worker.ready.cpu_because)


def measure() -> dict[str, float]:
    """``sandbox.cost``: the share of the throughput that it takes of a model of half a millisecond, the
    worst case; of a detector's CPU beside it. ``start_ms``: what it adds to a worker's start. ``mb``: PSS.
    """
    require(SSD, TINY)
    tiny, more = beside(str(TINY))
    ssd, _ = beside(str(SSD))
    return {
        "sandbox.cost": 1.0 - tiny.fps_ratio,
        "sandbox.cost.ssd": ssd.cpu_ms_beyond / ssd.cpu_ms_second,
        "sandbox.start_ms": median(start_ms(str(TINY)) for _ in range(STARTS)),
        "sandbox.mb": more,
    }


def entry(kind: str, descriptor: str) -> int:
    """A worker that is locked or not, and says in ``cpu_because`` what that took."""
    began = time.perf_counter()
    from edged.worker import sandbox

    took = time.perf_counter() - began
    from edged.worker import loop

    def timed(call: Callable[..., Any], instead: tuple[Any, ...]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            nonlocal took
            began = time.perf_counter()
            try:
                return call(*arguments) if kind == "locked" else instead
            finally:
                took += time.perf_counter() - began

        return run

    def ready(self: Any, locked: Any) -> wall.Ready:
        return wall.Ready(0.0, 1, 1, "", "cpu", f"{took * 1e3:.3f}", locked.lacking)

    loop.narrow, loop.lock = timed(loop.narrow, ()), timed(loop.lock, sandbox.Locked())
    loop.Looker._ready = ready  # type: ignore[method-assign]
    return loop.main(descriptor)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os._exit(entry(*sys.argv[1:]))
    print(measure())
