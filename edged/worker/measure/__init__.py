"""Observations -> the values of series. One rule for each kind of measure and observation; all of them
pure.

A detection is *in* a zone when the middle of its box's lower edge is: that is where a person or a car
touches the ground, and what the field's counters use. A cell of a grid is in a zone when the cell's centre
is.
"""

from __future__ import annotations

from collections.abc import Mapping

from edged.config.shape import Measure, Pipeline
from edged.errors import RefusedError
from edged.nouns import Series
from edged.worker.measure.area import AreaMeter
from edged.worker.measure.detections import DetectionMeter
from edged.worker.measure.grid import GridMeter
from edged.worker.measure.meter import Happening, Happenings, Meter
from edged.worker.measure.scores import ListMeter
from edged.worker.measure.sums import Left, Sums
from edged.worker.observation import Areas, Classes, Detections, Grid, Values

__all__ = ["Happening", "Happenings", "Left", "Meter", "Sums", "meter"]


def meter(
    pipeline: Pipeline, series: tuple[Series, ...], gives: type, labels: tuple[str, ...], min_score: float
) -> Meter:
    """The meter of a pipeline whose model ``gives`` observations of one type. Raises ``RefusedError`` for
    what it cannot give.
    """
    _check_kinds(pipeline, gives, labels)
    if gives is Detections:
        return DetectionMeter(pipeline, series, labels, min_score)
    if gives is Grid:
        return GridMeter(pipeline, series)
    if gives is Areas:
        return AreaMeter(pipeline, series, labels, min_score)
    return ListMeter(pipeline, series, labels, min_score)


#: What may be asked of each kind of observation.
KINDS: Mapping[type, tuple[str, ...]] = {
    Detections: ("occupancy", "presence"),
    Grid: ("presence", "activity"),
    Classes: ("presence",),
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


def _check_kinds(pipeline: Pipeline, gives: type, labels: tuple[str, ...]) -> None:
    for number, one in enumerate(pipeline.measures, 1):
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
    more = f" … ({len(labels)} in all)" if len(labels) > len(first) else ""
    return ", ".join(f'"{one}"' for one in first) + more
