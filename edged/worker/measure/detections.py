"""What boxes mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.geometry import inside
from edged.worker.measure.meter import NOTHING, Happenings, Momentary, indices, least_score, measure_of
from edged.worker.observation import Detections, Observation


class DetectionMeter(Momentary):
    """Counts boxes by label and zone."""

    def __init__(
        self, pipeline: Pipeline, series: tuple[Series, ...], labels: tuple[str, ...], min_score: float
    ) -> None:
        self._zones = dict(pipeline.zones)
        self._series = [
            (
                index,
                one.measure == "presence",
                indices(labels, one.label) if one.label else None,
                one.zone,
                least_score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]
        self._lowest = min((score for *_, score in self._series), default=0.0)

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from ``Detections``."""
        assert isinstance(observation, Detections)
        values[:] = 0.0
        kept = int(np.count_nonzero(observation.scores >= self._lowest))
        if kept:
            self._count(observation, values)
        return NOTHING

    def _count(self, found: Detections, values: NDArray[np.float64]) -> None:
        things = [
            (kind, score, self._zones_of(box))
            for kind, score, box in zip(
                found.classes.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True
            )
            if score >= self._lowest
        ]
        for index, presence, kinds, zone, least in self._series:
            count = sum(
                score >= least and (kinds is None or kind in kinds) and (not zone or zone in zones)
                for kind, score, zones in things
            )
            values[index] = min(count, 1) if presence else count

    def _zones_of(self, box: list[float]) -> set[str]:
        _, left, bottom, right = box
        # A box that is cut off by the picture's edge still stands on the ground that is in view.
        x, y = min(max((left + right) / 2, 0.0), 1.0), min(max(bottom, 0.0), 1.0)
        return {
            name
            for name, polygon in self._zones.items()
            if inside(min(x, 1 - 1e-9), min(y, 1 - 1e-9), polygon)
        }
