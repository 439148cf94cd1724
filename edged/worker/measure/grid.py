"""What cells mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.geometry import Masks
from edged.worker.measure.meter import NOTHING, Happenings, Momentary, least_score, measure_of
from edged.worker.observation import Grid, Observation


class GridMeter(Momentary):
    """Presence (is any cell of the zone occupied) and activity (the share of its cells that move)."""

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._masks = Masks(pipeline.zones)
        self._series = [
            (index, one.measure == "presence", one.zone, least_score(measure_of(pipeline, one), 0.5))
            for index, one in enumerate(series)
        ]

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """Fill ``values`` from a ``Grid``."""
        assert isinstance(observation, Grid)
        for index, presence, zone, least in self._series:
            cells = observation.presence if presence else observation.movement
            chosen = cells[self._masks.of(zone, cells.shape)] if zone else cells
            hits = np.count_nonzero(chosen >= least)
            values[index] = float(hits > 0) if presence else hits / chosen.size
        return NOTHING
