"""A real video with a real detector at 5 of its frames a second, decoding included: CPU per analysed frame,
memory of all processes.
"""

from __future__ import annotations

import time

from benchmarks import bare
from benchmarks.bare import Endless
from benchmarks.system import SHARED, SSD, require, running
from benchmarks.turns import compared

CLIP = SHARED / "media/one-by-one-person-detection.mp4"
SECONDS = 20.0
MEASURES = 'measures = [{ kind = "occupancy", labels = ["person"] }]'


def measure() -> dict[str, float]:
    """``clip.cpu_ratio``: CPU of all processes per analysed frame over a bare ``invoke()``, in turns, so
    read as fast as it goes.

    ``clip.pss_mb`` is their PSS in MB at the video's own pace. ``clip.paced_ratio`` is the CPU at that pace
    over that of a bare process that invokes five times a second: what waiting does to caches is in both.
    """
    require(SSD, CLIP)
    source = f'kind = "file"\npath = "{CLIP}"\nloop = true\n'
    alone = Endless(SSD)
    try:
        with running(SSD, 5.0, source + 'pace = "fast"', MEASURES) as system:
            hot = compared(system, alone)
    finally:
        alone.end()
    with running(SSD, 5.0, source, MEASURES) as system:
        time.sleep(2.0)
        first, last = system.watched(SECONDS)
        pss = sum(system.pss())
    frames = last.frames - first.frames
    paced = bare.run(SSD, SECONDS, 0.2)
    return {
        "clip.cpu_ratio": 1 + hot.cpu_ms_beyond / hot.cpu_ms_second,
        "clip.pss_mb": pss,
        "clip.paced_ratio": (last.cpu - first.cpu) / frames * 1e3 / paced.cpu_ms,
        "clip.paced_fps": frames / (last.at - first.at),
    }


if __name__ == "__main__":
    print(measure())
