"""Observations -> the values of series, and what happened. One rule for each kind of measure and
observation; all of them pure. ``docs/measures.md`` defines each.

A detection is *in* a zone when the middle of its box's lower edge is: that is where a person or a car
touches the ground, and what the field's counters use. A cell of a grid is in a zone when the cell's centre
is.
"""

from __future__ import annotations

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


def suited(measures: Iterable[Measure], gives: type, labels: tuple[str, ...]) -> None:
    """Raise ``RefusedError`` for a measure that a model cannot give whose observations are of the type
    ``gives`` and which knows these ``labels``.
    """
    for number, one in enumerate(measures, 1):
        if one.kind not in KINDS[gives]:
            raise RefusedError(
                f"measure {number} asks for {one.kind}, but the model gives {_PLAIN[gives]}",
                f"with this model a measure can be {' or '.join(KINDS[gives])}",
            )
        if one.zones and gives in (Classes, Values):
            raise RefusedError(
                f"measure {number} names a zone, but the model judges the whole picture",
                "leave zones out, or take a detector",
            )
        _check_labels(number, one, gives, labels)


def _check_labels(number: int, one: Measure, gives: type, labels: tuple[str, ...]) -> None:
    if one.labels and gives is Grid:
        raise RefusedError(
            f"measure {number} names labels, but the model recognises nothing and nobody",
            "leave labels out, or take a detector: edged models list",
        )
    for label in one.labels:
        if label not in labels:
            raise RefusedError(
                f'measure {number} asks for "{label}", which the model does not know',
                f"it knows {_several(labels, label)}",
            )


def _several(labels: tuple[str, ...], wanted: str) -> str:
    """A few of the labels, those that hold the ``wanted`` one first: a line of a label file is one label,
    whatever commas are in it.
    """
    near = [one for one in labels if wanted.lower() in one.lower()]
    first = list(dict.fromkeys((*near, *labels)))[:FEW]
    more = f" … ({len(labels)} in all: edged models show FILE --labels)" if len(labels) > len(first) else ""
    return ", ".join(f'"{one}"' for one in first) + more
