"""What classes of pixels mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.geometry import Masks
from edged.worker.measure.meter import NOTHING, Happenings, Momentary, indices, least_score, measure_of
from edged.worker.observation import Areas, Observation


class AreaMeter(Momentary):
    """The share of the picture, or of a zone, that a class covers. Without a label: that anything covers but
    the background.

    A cell counts for its likeliest class, if that is likely enough; else for none.
    """

    def __init__(
        self, pipeline: Pipeline, series: tuple[Series, ...], labels: tuple[str, ...], min_score: float
    ) -> None:
        self._masks = Masks(pipeline.zones)
        self._series = [
            (
                index,
                sorted(indices(labels, one.label)) if one.label else None,
                one.zone,
                least_score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from ``Areas``."""
        assert isinstance(observation, Areas)
        classes, scores = observation.classes, observation.scores
        for index, kinds, zone, least in self._series:
            if kinds is None:
                covered = classes != observation.background
            elif len(kinds) == 1:
                covered = classes == kinds[0]
            else:
                covered = np.isin(classes, kinds)
            counts = covered & (scores >= least)
            chosen = counts[self._masks.of(zone, classes.shape)] if zone else counts
            values[index] = np.count_nonzero(chosen) / chosen.size
        return NOTHING
