"""What classes and plain values mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.meter import NOTHING, Happenings, Momentary, indices, least_score, measure_of
from edged.worker.observation import Classes, Observation


class ListMeter(Momentary):
    """Presence of a class (its score, or any class's, is high enough) and level of a value."""

    def __init__(
        self, pipeline: Pipeline, series: tuple[Series, ...], labels: tuple[str, ...], min_score: float
    ) -> None:
        self._series = [
            (
                index,
                one.measure == "presence",
                np.array(sorted(indices(labels, one.label)), np.intp) if one.label else None,
                least_score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from ``Classes`` or ``Values``."""
        numbers = observation.scores if isinstance(observation, Classes) else observation[0]
        for index, presence, chosen, least in self._series:
            value = float(numbers.max() if chosen is None else numbers[chosen].max())
            values[index] = float(value >= least) if presence else value
        return NOTHING
