"""How long an inference takes, for those who ask before a pipeline runs."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edged.worker.runtime import Network


def inference(network: Network, runs: int) -> float:
    """Seconds, the median of ``runs``, on an input of zeros. Raises what ``infer`` raises."""
    given = np.zeros(network.intake.shape, network.intake.dtype)
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        network.infer(given, 0.0)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
