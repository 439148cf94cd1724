"""A real video with a real detector at 5 frames a second, decoding included: CPU per analysed frame and
memory of all processes.
"""

from __future__ import annotations

import time
from statistics import median

from benchmarks import bare
from benchmarks.system import SHARED, SSD, require, running

CLIP = SHARED / "media/one-by-one-person-detection.mp4"
ROUNDS = 7
SECONDS = 8.0
MEASURES = 'measures = [{ kind = "occupancy", labels = ["person"] }]'


def measure() -> dict[str, float]:
    """``clip.cpu_ratio``: CPU of all processes per analysed frame over a bare ``invoke()``;
    ``clip.pss_mb``: their PSS in MB.
    """
    require(SSD, CLIP)
    source = f'kind = "file"\npath = "{CLIP}"\nloop = true'
    ratios, sizes, speeds = [], [], []
    before = bare.run(SSD, 3.0).cpu_ms
    for _ in range(ROUNDS):
        with running(SSD, 5.0, source, MEASURES) as system:
            time.sleep(2.0)
            first, last = system.watched(SECONDS)
            sizes.append(sum(system.pss()))
        after = bare.run(SSD, 3.0).cpu_ms
        frames = last.frames - first.frames
        ratios.append((last.cpu - first.cpu) / frames * 1e3 / ((before + after) / 2))
        speeds.append(frames / (last.at - first.at))
        before = after
    return {"clip.cpu_ratio": median(ratios), "clip.pss_mb": median(sizes), "clip.fps": median(speeds)}


if __name__ == "__main__":
    print(measure())
