"""What meters remember from frame to frame. It belongs to the ladder: a switch to another model forgets
nothing.
"""

from __future__ import annotations

from functools import cached_property

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.bouts import Bouts
from edged.worker.measure.following import Following


class Memory:
    """Made for one pipeline; each part of it when the first meter asks for it."""

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._pipeline, self._series = pipeline, series

    @cached_property
    def following(self) -> Following:
        """Who is who."""
        return Following(self._pipeline, self._series)

    @cached_property
    def bouts(self) -> Bouts:
        """Which classes are there."""
        return Bouts()
