"""What a measure may be asked for: which keys go with which kind, and the lines that some need.

Rules of ``consistency``, kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from edged.config import shape
from edged.config.lines import Path
from edged.config.problem import Problem, dotted, likely, listed, shown

#: Which kinds take a key that only some take.
TAKE: Final[Mapping[str, tuple[str, ...]]] = {
    "lines": ("crossings", "speed"),
    "least_dwell": ("visits", "dwell", "flow", "queue"),
    "distance": ("speed",),
    "unit": ("level", "speed"),
}
#: Kinds that are about lines, not about zones.
LINES_ONLY: Final = ("crossings", "speed")
#: What speeds can be told in.
SPEEDS: Final = ("km/h", "m/s", "mph")
SHORTEST: Final = 0.01  # of the picture
#: A line whose points are all so near to one edge of the picture lies on it, and nobody is seen beyond.
EDGE: Final = 0.005
SEEN_BOTH_SIDES: Final = "one that has room on both sides: nobody is seen beyond the edge"


def on_the_edge(points: Sequence[shape.Point]) -> bool:
    """Whether a line can never be crossed."""
    ends = [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
    return any(most <= EDGE or least >= 1.0 - EDGE for least, most in ends)


def drawn(pipeline: shape.Pipeline, path: Path) -> Iterator[Problem]:
    """Lines that make no sense."""
    for name, line in pipeline.lines.items():
        place = (*path, "lines", name)
        for number, (a, b) in enumerate(pairwise(line.points), 1):
            if a == b:
                found = f"points {number} and {number + 1} are the same ({a[0]:g}, {a[1]:g})"
                yield Problem((*place, "points"), found, "points that differ from the one before")
        if 0.0 < sum(math.dist(a, b) for a, b in pairwise(line.points)) < SHORTEST:
            yield Problem(
                (*place, "points"), "a line that is hardly one", f"{SHORTEST} of the picture or more"
            )
        if on_the_edge(line.points):
            yield Problem((*place, "points"), "a line along the picture's edge", SEEN_BOTH_SIDES)
        if name in pipeline.zones:
            found = f"{shown(name)}, which is a zone's name, too"
            yield Problem(place, found, "another name: a report's --zone would mean both")
        if line.forward == line.backward:
            yield Problem((*place, "backward"), f"{shown(line.backward)}, as the other way", "two names")


def fitting(measure: shape.Measure, path: Path) -> Iterator[Problem]:
    """Keys that say nothing to this kind of measure, or that it needs."""
    for key, kinds in TAKE.items():
        value = getattr(measure, key)
        if value not in ((), None, "") and measure.kind not in kinds:
            yield Problem(
                (*path, key), f"{_said(value)} for {shown(measure.kind)}", f"only for {listed(kinds)}"
            )
    if measure.zones and measure.kind in LINES_ONLY:
        yield Problem((*path, "zones"), f"zones for {shown(measure.kind)}", "lines")
    if measure.kind == "speed":
        yield from _speed(measure, path)


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


def _speed(measure: shape.Measure, path: Path) -> Iterator[Problem]:
    if len(measure.lines) != 2:
        found = f"{len(measure.lines)} lines" if len(measure.lines) != 1 else "one line"
        yield Problem((*path, "lines"), found, "two: the first and the second to be crossed")
    if measure.distance is None:
        yield Problem((*path, "distance"), "nothing", "the metres from the first line to the second")
    if measure.unit not in ("", *SPEEDS):
        yield Problem((*path, "unit"), shown(measure.unit), listed(SPEEDS), likely(measure.unit, SPEEDS))


def drawings(
    pipeline: shape.Pipeline,
    path: Path,
    zones: tuple[str, ...],
    known: tuple[str, ...],
    paths: Mapping[int, Path],
) -> Iterator[Problem]:
    """Lines that are not there, or zones. ``zones`` and ``known``, the lines, are those of the document,
    valid or not.
    """
    for measure in pipeline.measures:
        place = paths.get(id(measure), path)
        if measure.kind == "crossings" and not known:
            hint = "draw one with: edged zones"
            yield Problem(
                (*place, "kind"), '"crossings", but no line', "lines of the pipeline to cross", hint
            )
        if measure.kind == "flow" and len(measure.zones or zones) < 2:
            yield Problem((*place, "zones"), "fewer than two", "two zones or more to go between")
        for at, name in enumerate(measure.lines):
            if name not in known:
                place = (*paths.get(id(measure), path), "lines", at)
                allowed = listed(known, f"none: [{dotted(path)}.lines] defines no line")
                yield Problem(place, f"{shown(name)}, which is not defined", allowed, likely(name, known))
