"""A real video with a real detector at 5 frames a second, decoding included: CPU per analysed frame and
memory of all processes.
"""

from __future__ import annotations

import time
from statistics import median

from benchmarks import bare
from benchmarks.system import SHARED, SSD, require, running

CLIP = SHARED / "media/one-by-one-person-detection.mp4"
ROUNDS = 3
SECONDS = 20.0
MEASURES = 'measures = [{ kind = "occupancy", labels = ["person"] }]'


def measure() -> dict[str, float]:
    """``clip.cpu_ratio``: CPU of all processes per analysed frame over a bare ``invoke()``;
    ``clip.pss_mb``: their PSS in MB.
    """
    require(SSD, CLIP)
    source = f'kind = "file"\npath = "{CLIP}"\nloop = true'
    ratios, sizes, speeds = [], [], []
    for _ in range(ROUNDS):
        alone = bare.run(SSD, 6.0)
        with running(SSD, 5.0, source, MEASURES) as system:
            time.sleep(2.0)
            first = system.sample()
            time.sleep(SECONDS)
            last = system.sample()
            sizes.append(sum(system.pss()))
        frames = last.frames - first.frames
        cpu = last.worker_cpu + last.daemon_cpu - first.worker_cpu - first.daemon_cpu
        ratios.append(cpu / frames * 1e3 / alone.cpu_ms)
        speeds.append(frames / (last.at - first.at))
    return {"clip.cpu_ratio": median(ratios), "clip.pss_mb": median(sizes), "clip.fps": median(speeds)}


if __name__ == "__main__":
    print(measure())
