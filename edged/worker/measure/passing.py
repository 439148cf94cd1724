"""One track against one line: when it has crossed, and which way."""

from __future__ import annotations

from typing import NamedTuple

from edged.worker.measure.geometry import Point, Rope


class Crossing(NamedTuple):
    """``way`` is 1 from the line's left to its right, -1 back. ``at``: the moment, between two frames.

    ``doubtful``: the way began or ended within the line's margin.
    """

    way: int
    at: float
    doubtful: bool = False


class Passing:
    """Adds up how often a way went over the line and back. Only once the thing is clear of the line again,
    by a margin, is it known whether it has crossed: a box that trembles on the line crosses many times, and
    all but one of them cancel.

    Whoever walks around the line's end has not crossed it; whoever turns back beyond it crosses twice.
    """

    __slots__ = ("_clear", "_first", "_last", "_net")

    def __init__(self) -> None:
        self._net = 0
        self._clear = False  # whether it has been clear of the line yet
        self._first = self._last = 0.0

    def moved(
        self, rope: Rope, start: Point, began: float, end: Point, at: float, margin: float
    ) -> Crossing | None:
        """From ``start`` at time ``began`` to ``end`` at ``at``."""
        for way, share in rope.crossed(start, end):
            moment = began + share * (at - began)
            if not self._net:
                self._first = moment
            self._net += way
            self._last = moment
        if rope.distance(end) <= margin:
            return None
        found = self._told(not self._clear)
        self._clear = True
        return found

    def ended(self) -> Crossing | None:
        """The track is over. One that was never clear of the line has not crossed it."""
        return self._told(True) if self._clear else None

    def _told(self, doubtful: bool) -> Crossing | None:
        net, self._net = self._net, 0
        if not net:
            return None
        # Who dithers on the line crosses it in the middle of that.
        return Crossing(1 if net > 0 else -1, (self._first + self._last) / 2, doubtful)
