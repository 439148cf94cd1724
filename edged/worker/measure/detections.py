"""What boxes mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.following import FOLLOWED, Following
from edged.worker.measure.geometry import held, inside
from edged.worker.measure.memory import Memory
from edged.worker.measure.meter import NOTHING, Happenings, indices, least_score, measure_of
from edged.worker.observation import Detections, Observation

#: What one frame tells by itself.
MOMENTARY = ("occupancy", "presence")


class DetectionMeter:
    """Counts boxes by label and zone, and has those followed that are to be told apart."""

    def __init__(
        self,
        pipeline: Pipeline,
        series: tuple[Series, ...],
        labels: tuple[str, ...],
        min_score: float,
        memory: Memory,
    ) -> None:
        self._zones, self._labels = dict(pipeline.zones), labels
        least = {index: least_score(measure_of(pipeline, one), min_score) for index, one in enumerate(series)}
        self._series = [
            (
                index,
                one.measure == "presence",
                indices(labels, one.label) if one.label else None,
                one.zone,
                least[index],
            )
            for index, one in enumerate(series)
            if one.measure in MOMENTARY
        ]
        self._lowest = min((score for *_, score in self._series), default=2.0)
        self._least = least
        followed = any(one.measure in FOLLOWED for one in series)
        self._following: Following | None = memory.following if followed else None

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from ``Detections``."""
        assert isinstance(observation, Detections)
        values[:] = 0.0
        if np.count_nonzero(observation.scores >= self._lowest):
            self._count(observation, values)
        if self._following is None:
            return NOTHING
        kinds = [self._name(one) for one in observation.classes.tolist()]
        return self._following.look(at, observation.boxes, kinds, observation.scores, self._least, values)

    def interrupt(self, at: float) -> Happenings:
        """Nobody is followed through what was not seen."""
        return NOTHING if self._following is None else self._following.interrupt(at)

    def _name(self, index: int) -> str:
        return self._labels[index] if 0 <= index < len(self._labels) else str(index)

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
        x, y = held(((left + right) / 2, bottom))
        return {name for name, polygon in self._zones.items() if inside(x, y, polygon)}
