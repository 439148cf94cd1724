"""Which series a pipeline has. The daemon makes the list from the config alone: a worker can add no name to
it.
"""

from __future__ import annotations

from edged.config.shape import Measure, Pipeline
from edged.nouns import Series

#: A level has the unit that its owner gives it.
UNITS = {"occupancy": "count", "presence": "share", "activity": "fraction"}


def series_of(name: str, pipeline: Pipeline) -> tuple[Series, ...]:
    """The series of one pipeline, in the order of its config: label by label, zone by zone."""
    return tuple(
        Series(name, one.kind, label, zone, _unit(one))
        for one in pipeline.measures
        for label in one.labels or ("",)
        for zone in one.zones or ("",)
    )


def _unit(one: Measure) -> str:
    return UNITS.get(one.kind, one.unit)
