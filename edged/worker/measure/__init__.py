"""Observations -> the values of series, and what happened. One rule for each kind of measure and
observation; all of them pure. ``docs/measures.md`` defines each.

A detection is *in* a zone when the middle of its box's lower edge is: that is where a person or a car
touches the ground, and what the field's counters use. A cell of a grid is in a zone when the cell's centre
is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from edged.config.shape import Measure, Pipeline
from edged.errors import RefusedError
from edged.nouns import Series
from edged.worker.measure.area import AreaMeter
from edged.worker.measure.detections import DetectionMeter
from edged.worker.measure.grid import GridMeter
from edged.worker.measure.memory import Memory
from edged.worker.measure.meter import Happening, Happenings, Meter
from edged.worker.measure.scores import ListMeter
from edged.worker.measure.sums import Left, Sums
from edged.worker.observation import Areas, Classes, Detections, Grid, Values

__all__ = ["Happening", "Happenings", "Left", "Memory", "Meter", "Sums", "meter", "suited"]


def meter(
    pipeline: Pipeline,
    series: tuple[Series, ...],
    gives: type,
    labels: tuple[str, ...],
    min_score: float,
    memory: Memory | None = None,
) -> Meter:
    """The meter of a pipeline whose model ``gives`` observations of one type. What it is to remember of
    frames is in ``memory``, which meters of several models share. Raises ``RefusedError`` for what it cannot
    give.
    """
    suited(pipeline.measures, gives, labels)
    memory = memory or Memory(pipeline, series)
    if gives is Detections:
        return DetectionMeter(pipeline, series, labels, min_score, memory)
    if gives is Grid:
        return GridMeter(pipeline, series)
    if gives is Areas:
        return AreaMeter(pipeline, series, labels, min_score)
    return ListMeter(pipeline, series, labels, min_score, memory)


#: What may be asked of each kind of observation.
KINDS: Mapping[type, tuple[str, ...]] = {
    Detections: (
        "occupancy",
        "presence",
        "crossings",
        "visits",
        "dwell",
        "flow",
        "queue",
        "speed",
    ),
    Grid: ("presence", "activity"),
    Classes: ("presence", "events"),
    Values: ("level",),
    Areas: ("area",),
}
#: Labels that are named to who asked for one that is not there.
FEW = 8
_PLAIN = {
    Detections: "detections",
    Grid: "an activity grid",
    Classes: "classes",
    Values: "plain values",
    Areas: "areas",
}


class MisfitError(RefusedError):
    """What a measure asks for and its model does not give: where in the config, and what may stand there."""

    def __init__(self, number: int, key: str, found: str, allowed: str, message: str, hint: str) -> None:
        super().__init__(f"measure {number} {message}", hint)
        self.number, self.key, self.found, self.allowed = number, key, found, allowed


def suited(measures: Iterable[Measure], gives: type, labels: tuple[str, ...]) -> None:
    """Raise ``MisfitError`` for a measure that a model cannot give whose observations are of the type
    ``gives`` and which knows these ``labels``.
    """
    for number, one in enumerate(measures, 1):
        if one.kind not in KINDS[gives]:
            kinds, given = " or ".join(KINDS[gives]), _PLAIN[gives]
            said = f"asks for {one.kind}, but the model gives {given}"
            hint = f"with this model a measure can be {kinds}"
            raise MisfitError(number, "kind", f'"{one.kind}"', f"{kinds}: it gives {given}", said, hint)
        if one.zones and gives in (Classes, Values):
            said = "names a zone, but the model judges the whole picture"
            hint = "leave zones out, or take a detector"
            raise MisfitError(number, "zones", "a zone", "none: it judges the whole picture", said, hint)
        _check_labels(number, one, gives, labels)


def _check_labels(number: int, one: Measure, gives: type, labels: tuple[str, ...]) -> None:
    if one.labels and gives is Grid:
        said = "names labels, but the model recognises nothing and nobody"
        hint = "leave labels out, or take a detector: edged models list"
        raise MisfitError(number, "labels", "labels", "none: it recognises nothing and nobody", said, hint)
    for label in one.labels:
        if label not in labels:
            said, known = f'asks for "{label}", which the model does not know', _several(labels, label)
            raise MisfitError(number, "labels", f'"{label}"', known, said, f"it knows {known}")


def _several(labels: tuple[str, ...], wanted: str) -> str:
    """A few of the labels, those that hold the ``wanted`` one or are spelt nearly so first: a line of a label
    file is one label, whatever commas are in it.
    """
    near = [one for one in labels if wanted.lower() in one.lower()]
    near += difflib.get_close_matches(wanted, labels, FEW)
    first = list(dict.fromkeys((*near, *labels)))[:FEW]
    more = f" … ({len(labels)} in all: edged models show FILE --labels)" if len(labels) > len(first) else ""
    return ", ".join(f'"{one}"' for one in first) + more
