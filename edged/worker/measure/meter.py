"""What every kind of meter is, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Measure, Pipeline
from edged.nouns import Series
from edged.series import places
from edged.worker.observation import Observation


class Happening(NamedTuple):
    """Something that happened to the series of this index; ``bin`` as in ``nouns.Amount``."""

    series: int
    bin: int = 0
    times: int = 1


Happenings = Sequence[Happening]
NOTHING: Happenings = ()


class Meter(Protocol):
    """Fills ``values``, float64 [number of series], in the order of the series, from one observation, made at
    ``at`` (seconds of the source's clock), and tells what happened since the one before. Slots of counted
    series are left alone.
    """

    def __call__(self, observation: Observation, values: NDArray[np.float64], at: float) -> Happenings:
        """What the observation means."""

    def interrupt(self, at: float) -> Happenings:
        """From the last observation on nothing is known until the next one (a pause, a covered lens, the
        end): what goes on is ended, and told as far as it was seen.
        """


class Momentary:
    """A meter that remembers nothing."""

    def interrupt(self, at: float) -> Happenings:
        """There is nothing to end."""
        return NOTHING


def measure_of(pipeline: Pipeline, series: Series) -> Measure:
    """The measure that a series comes from."""
    return next(
        one
        for one in pipeline.measures
        if one.kind == series.measure
        and (series.label in one.labels if series.label else not one.labels)
        and series.zone in places(pipeline, one)
    )


def indices(labels: tuple[str, ...], label: str) -> frozenset[int]:
    """Where a label stands; some label files have one name twice."""
    return frozenset(index for index, one in enumerate(labels) if one == label)


def least_score(one: Measure, of_model: float) -> float:
    """From which score on it counts."""
    return of_model if one.min_score is None else one.min_score
