"""Cost follows the rate: CPU per frame at one frame a second, against what a frame costs at full speed."""

from __future__ import annotations

import time

from benchmarks import bare
from benchmarks.efficiency import beside_bare
from benchmarks.system import SSD, TWENTY, held, require, running

SECONDS = 30.0


def measure() -> dict[str, float]:
    """``idle_ratio``: CPU of all processes per second at 1 fps over (invoke + overhead) of a frame at full
    speed.

    ``idle.bare_ratio`` is for comparison: a bare process that invokes once a second has colder caches too.
    """
    require(SSD)
    full = beside_bare(SSD, (640, 480), TWENTY)
    with running(SSD, 1.0, held(640, 480, "real"), TWENTY) as system:
        time.sleep(3.0)
        first, last = system.watched(SECONDS)
    cpu = last.cpu - first.cpu
    slow = bare.run(SSD, SECONDS, 1.0)
    return {
        "idle_ratio": cpu / (last.frames - first.frames) * 1e3 / (full.cpu_ms_second + full.cpu_ms_beyond),
        "idle.bare_ratio": slow.cpu_ms / full.cpu_ms_second,
    }


if __name__ == "__main__":
    print(measure())
