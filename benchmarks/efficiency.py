"""Frames per second and CPU per frame of the whole system, over a bare ``invoke()`` loop with the same
model, in turns.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from benchmarks import bare
from benchmarks.system import PRESENCE, SSD, TINY, TWENTY, held, require, running

SECONDS, ROUNDS = 6.0, 5


def measure() -> dict[str, float]:
    """``efficiency.*``: ratios, pair by pair. ``overhead_ms.*``: CPU of all processes per frame beyond
    ``invoke()``'s, medians.
    """
    require(SSD, TINY)
    figures: dict[str, float] = {}
    for name, model, size, pipeline in (
        ("ssd", SSD, (640, 480), TWENTY),
        ("tiny", TINY, (640, 480), PRESENCE),
        ("native", SSD, (300, 300), TWENTY),
    ):
        ratio, overhead, invoke = compared(model, size, pipeline)
        figures[f"efficiency.{name}"] = ratio
        figures[f"overhead_ms.{name}"] = overhead
        figures[f"invoke_ms.{name}"] = invoke
    return figures


def compared(model: Path, size: tuple[int, int], pipeline: str) -> tuple[float, float, float]:
    """(fps over bare fps, CPU ms per frame beyond bare, bare CPU ms per frame): medians over rounds of one
    after the other.
    """
    ratios, overheads, invokes = [], [], []
    for _ in range(ROUNDS):
        alone = bare.run(model, SECONDS)
        fps, cpu_ms = whole(model, size, pipeline)
        ratios.append(fps / alone.fps)
        overheads.append(cpu_ms - alone.cpu_ms)
        invokes.append(alone.cpu_ms)
    return median(ratios), median(overheads), median(invokes)


def whole(model: Path, size: tuple[int, int], pipeline: str) -> tuple[float, float]:
    """(frames per second, CPU ms per frame) of the whole system, as fast as it goes."""
    with running(model, 0.0, held(*size), pipeline) as system:
        time.sleep(1.0)
        first = system.sample()
        time.sleep(SECONDS)
        last = system.sample()
    frames = last.frames - first.frames
    cpu = last.worker_cpu + last.daemon_cpu - first.worker_cpu - first.daemon_cpu
    return frames / (last.at - first.at), cpu / frames * 1e3


if __name__ == "__main__":
    print(measure())
