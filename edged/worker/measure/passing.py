"""One track against one line: when it has crossed, and which way."""

from __future__ import annotations

from typing import Final, NamedTuple

from edged.worker.measure.geometry import Point, Rope

#: Nobody crosses a line, gets clear of it, and crosses it back in less: that was a box on a wrong thing.
UNDONE: Final = 0.7  # seconds
#: Who is on the line for so long when it is found stood there, and may have been counted before.
LINGERS: Final = 1.0  # seconds


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
    all but one of them cancel. A box that may be another's double has to be clear by a wider margin for that:
    a way back cancels what it did. What is undone within ``UNDONE`` was no crossing either.

    Whoever walks around the line's end has not crossed it; whoever turns back beyond it crosses twice.
    """

    __slots__ = ("_began", "_beside", "_clear", "_first", "_held", "_last", "_net")

    def __init__(self, at: float) -> None:
        self._began = at
        self._net = 0
        self._beside = False  # whether it is clear of the line now, by the narrow margin
        self._clear = False  # whether it has been clear of the line yet
        self._first = self._last = 0.0
        self._held: Crossing | None = None

    def moved(
        self, rope: Rope, start: Point, began: float, end: Point, at: float, margin: float, wide: float
    ) -> Crossing | None:
        """From ``start`` at time ``began`` to ``end`` at ``at``: a crossing that is certain by now. To be
        beside the line it has to be clear of it by the ``margin``, to have crossed it by the ``wide`` one.
        """
        for way, share in rope.crossed(start, end):
            moment = began + share * (at - began)
            if not self._net:
                self._first = moment
            self._net += way
            self._last = moment
        told = None
        if self._held is not None and at - self._held.at > UNDONE and not self._net:
            told, self._held = self._held, None
        far = rope.distance(end)
        self._beside = far > margin
        if self._beside and (far > wide or not self._net):
            told = self._settled(not self._clear) or told
            self._clear = True
        return told

    def ended(self, stood: bool) -> list[Crossing]:
        """The track is over. One that was never clear of the line has not crossed it, nor has one that
        ``stood`` there: it will be found again.
        """
        told = self._settled(True) if self._clear and (self._beside or not stood) else None
        left = [one for one in (told, self._held) if one is not None]
        self._held = None
        return left

    def _settled(self, doubtful: bool) -> Crossing | None:
        """Take in that it is clear of the line; the crossing before, which this one has not undone."""
        net, self._net = self._net, 0
        if not net or (not self._clear and self._first - self._began > LINGERS):
            return None
        # Who dithers on the line crosses it in the middle of that.
        new = Crossing(1 if net > 0 else -1, (self._first + self._last) / 2, doubtful)
        before, self._held = self._held, new
        if before is not None and before.way != new.way and new.at - before.at < UNDONE:
            before = self._held = None
        return before
