"""What following costs: ``tracker.ms`` of processor time a frame with ten things in view, and
``tracker.mb`` that a process with it is larger (PSS) than the same one without.

The ten are a scene's hardest common case: they walk and stand among each other, half of them before others,
so that boxes overlap; one in ten boxes is missing, one in ten scores is low.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

THINGS, FRAMES, ROUNDS = 10, 300, 9
RATE = 5.0
Frame = tuple[NDArray[np.float32], list[str], NDArray[np.float32]]


def measure() -> dict[str, float]:
    """Milliseconds, of the quietest round (others use the processor and its caches too), and MB (10^6
    bytes).
    """
    return {"tracker.ms": min(spent() for _ in range(ROUNDS)), "tracker.mb": grown()}


def spent() -> float:
    """The median of one frame's milliseconds."""
    from edged.worker.track import Tracker

    tracker, took = Tracker(), []
    for number, frame in enumerate(film()):
        began = time.thread_time()
        tracker.update(number / RATE, *frame)
        took.append(time.thread_time() - began)
    return 1e3 * median(took)


def film(seed: int = 1) -> list[Frame]:
    """Boxes, kinds and scores of all frames."""
    dice = np.random.default_rng(seed)
    height = dice.uniform(0.2, 0.4, THINGS)
    foot = 0.5 + height
    at, speed = dice.random(THINGS), dice.choice([-0.1, 0.0, 0.1], THINGS)
    kinds = ["person", "car"] * (THINGS // 2)
    frames = []
    for number in range(FRAMES):
        x = (at + speed * number / RATE) % 1.0
        sides = np.stack((foot - height, x - 0.15 * height, foot, x + 0.15 * height), axis=1)
        sides += dice.normal(0.0, 0.01, (THINGS, 4)) * height[:, None]
        scores = np.where(dice.random(THINGS) < 0.1, 0.3, dice.uniform(0.5, 0.9, THINGS))
        shown = np.flatnonzero(dice.random(THINGS) >= 0.1)
        boxes = np.clip(sides, 0.0, 1.0).astype(np.float32)
        frames.append((boxes[shown], [kinds[one] for one in shown], scores[shown].astype(np.float32)))
    return frames


#: Prints the PSS in bytes of a process after it made the film, with the tracker or without.
PROGRAM = """
import sys
from benchmarks.tracker import film, pss
import edged.worker.observation, edged.config.shape
frames = film()
if sys.argv[1] == "with":
    from edged.worker.track import Tracker
    tracker = Tracker()
    for number, frame in enumerate(frames):
        tracker.update(number / 5.0, *frame)
print(pss())
"""


def grown() -> float:
    """The median of MB that tracking adds to a process."""
    return median(_pss("with") - _pss("without") for _ in range(3)) / 1e6


def _pss(which: str) -> int:
    return int(subprocess.check_output([sys.executable, "-c", PROGRAM, which], text=True))


def pss() -> int:
    """This process's own, in bytes."""
    with Path("/proc/self/smaps_rollup").open() as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    print(measure())
