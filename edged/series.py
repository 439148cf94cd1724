"""Which series a pipeline has. The daemon makes the list from the config alone: a worker can add no name to
it.

A series is *valued* (a number that holds through time: an occupancy, a level) or *counted* (something that
happens: a crossing, a visit). Entries of a tick follow the valued ones, amounts name the counted ones.
"""

from __future__ import annotations

from itertools import permutations
from typing import Final

from edged.config.shape import Measure, Pipeline
from edged.nouns import Series
from edged.units import channels_of, unit_of

#: A level has the unit that its owner gives it, or its sensor.
UNITS: Final = {
    "occupancy": "count",
    "presence": "share",
    "activity": "fraction",
    "area": "fraction",
    "queue": "count",
    "crossings": "crossings",
    "visits": "visits",
    "flow": "passages",
    "events": "events",
    "dwell": "s",
    "speed": "km/h",
}
#: What happens, and is counted.
COUNTED: Final = frozenset(("crossings", "visits", "flow", "events", "dwell", "speed"))
#: Of these, what is kept of each event is a number: how it is distributed.
DISTRIBUTED: Final = frozenset(("dwell", "speed"))


def counted(series: Series) -> bool:
    """Whether it is about what happens, not about a value that holds."""
    return series.measure in COUNTED


def valued(series: tuple[Series, ...]) -> tuple[int, ...]:
    """The indices of the series that have values, in order."""
    return tuple(index for index, one in enumerate(series) if not counted(one))


def series_of(name: str, pipeline: Pipeline) -> tuple[Series, ...]:
    """The series of one pipeline, in the order of its config: label by label, place by place."""
    return tuple(
        Series(name, one.kind, label, place, _unit(pipeline, one, label))
        for one in pipeline.measures
        for label in one.labels or ("",)
        for place in places(pipeline, one)
    )


def places(pipeline: Pipeline, one: Measure) -> tuple[str, ...]:
    """Zones; of a line each direction ("gate:in"), of a flow each way ("door>till"), of a speed the lines."""
    if one.kind == "crossings":
        names = one.lines or tuple(pipeline.lines)
        known = [(name, pipeline.lines[name]) for name in names if name in pipeline.lines]
        return tuple(f"{name}:{way}" for name, line in known for way in (line.forward, line.backward))
    if one.kind == "flow":
        return tuple(f"{a}>{b}" for a, b in permutations(one.zones or tuple(pipeline.zones), 2))
    if one.kind == "speed":
        return (">".join(one.lines),)
    return one.zones or ("",)


def _unit(pipeline: Pipeline, one: Measure, label: str) -> str:
    if one.kind == "speed":
        return one.unit or UNITS["speed"]
    if one.kind == "level" and not one.unit and pipeline.model == "none":
        return unit_of(pipeline.source, label or _only(pipeline))
    return UNITS.get(one.kind, one.unit)


def _only(pipeline: Pipeline) -> str:
    """The one channel of a sensor that has no other."""
    channels = channels_of(pipeline.source)
    return channels[0] if len(channels) == 1 else ""
