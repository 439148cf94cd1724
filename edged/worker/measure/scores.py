"""What classes and plain values mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.memory import Memory
from edged.worker.measure.meter import Happening, Happenings, indices, least_score, measure_of
from edged.worker.observation import Classes, Observation


class ListMeter:
    """Presence of a class (its score, or any class's, is high enough), its events, and level of a value."""

    def __init__(
        self,
        pipeline: Pipeline,
        series: tuple[Series, ...],
        labels: tuple[str, ...],
        min_score: float,
        memory: Memory,
    ) -> None:
        self._memory = memory
        self._series = [
            (
                index,
                one.measure,
                np.array(sorted(indices(labels, one.label)), np.intp) if one.label else None,
                least_score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from ``Classes`` or ``Values``."""
        numbers = observation.scores if isinstance(observation, Classes) else observation[0]
        happened: list[Happening] = []
        for index, kind, chosen, least in self._series:
            value = float(numbers.max() if chosen is None else numbers[chosen].max())
            if kind == "events":
                happened += self._memory.bouts.look(index, value, least, at)
            else:
                values[index] = float(value >= least) if kind == "presence" else value
        return happened

    def interrupt(self, at: float) -> Happenings:
        """What goes on is over."""
        return self._memory.bouts.interrupt()
