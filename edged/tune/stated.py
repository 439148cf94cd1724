"""A simulated board to measure on, faster than time, with costs that were measured elsewhere.

The costs are int8 detectors' on a Pi 4 with one and four threads, and their accuracies (COCO mAP):
NobuoTsukamoto's benchmarks. Between one and four threads latency falls as a power of their number, as it
does there. A board's own speed scales them.
"""

from __future__ import annotations

import math
from typing import Final

from edged.board import simulated
from edged.board.simulated import SimulatedBoard
from edged.board.vitals import Vitals
from edged.config.shape import Measure, Model, Pipeline, Synthetic
from edged.tune.bench import Candidate, Measured, Second, Seconds

#: Milliseconds a frame with one thread and with four, mAP.
LADDER: Final = {
    "efficientdet-lite2": (858.0, 331.0, 32.7),
    "efficientdet-lite1": (547.0, 212.0, 29.6),
    "mobiledet": (277.0, 95.0, 26.8),
    "efficientdet-lite0": (344.0, 122.0, 25.7),
    "ssdlite-mobilenet-v2": (168.0, 57.0, 22.4),
}


def candidates() -> tuple[Candidate, ...]:
    """The stated models as if a config had them."""
    pipeline = Pipeline(source=Synthetic(), measures=(Measure(kind="presence"),))
    return tuple(
        Candidate(name, Model(file=f"{name}.tflite"), quality, pipeline)
        for name, (_, _, quality) in LADDER.items()
    )


def latency(model: str, threads: int) -> float:
    """Seconds a frame on a Pi 4."""
    one, four, _ = LADDER[model]
    return one / 1000.0 * math.pow(threads, math.log(four / one) / math.log(4.0))


class There:
    """``Bench`` on a simulated board: a look a simulated second. Raises ``ConfigError`` for no such board."""

    def __init__(self, name: str) -> None:
        self.name = simulated.PREFIX + name.removeprefix(simulated.PREFIX)
        self._board: SimulatedBoard = simulated.opened(self.name)
        self.cores = self._board.spec.cores
        self.speed = math.inf

    def close(self) -> None:
        """There is nothing to give back."""

    def rest(self) -> Seconds:
        """See ``Bench``."""
        while True:
            yield self._second(0.0)

    def measure(self, one: Candidate, threads: int, seconds: float) -> Seconds:
        """See ``Bench``."""
        each = latency(one.name, threads) / self._board.spec.speed
        for _ in range(max(1, round(seconds))):
            yield self._second(threads / self.cores)
        return Measured(each * threads, each, max(1, round(seconds / each)))

    def burn(self, one: Candidate) -> Seconds:
        """See ``Bench``."""
        while True:
            yield self._second(1.0)

    def _second(self, demand: float) -> Second:
        done = self._board.advance(demand)
        vitals: Vitals = self._board.vitals()
        return Second(vitals, done)
