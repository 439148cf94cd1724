"""One track in one zone: since when, and until when."""

from __future__ import annotations

from edged.worker.measure.geometry import Point, Yard

#: Whoever is on the other side of the boundary for so long is there, however near to it.
IN, OUT = 1.0, 5.0  # seconds


class Stay:
    """Whether the thing is in the zone. It comes and goes only by a margin, or by staying for a while on that
    side, and did so at the moment at which it passed the boundary: a box that trembles there neither comes
    nor goes.

    ``came`` is when it came in; ``whole``: that it was seen to come. A track that begins inside is in from
    then on. It is still ``inside`` while it is not sure that it has gone; how long it was there by then is
    up to ``until``.
    """

    __slots__ = ("_depth", "_passed", "_time", "came", "inside", "number", "whole")

    def __init__(self) -> None:
        self.inside = self.whole = False
        self.came = 0.0
        #: Counts the stays of this track here.
        self.number = 0
        self._depth: float | None = None
        self._time = self._passed = 0.0

    def moved(self, yard: Yard, to: Point, at: float, margin: float) -> float | None:
        """It is at ``to`` now. The moment at which it went, if that is known now."""
        depth, before = yard.depth(to), self._depth
        if before is not None and (depth > 0.0) != (before > 0.0):
            self._passed = self._time + (at - self._time) * abs(before) / (abs(before) + abs(depth))
        self._depth, self._time = depth, at
        margin = min(margin, yard.most_margin)
        if not self.inside:
            if before is None:
                self._passed = at
            if depth > 0.0 and (depth > margin or before is None or at - self._passed >= IN):
                self._enter(self._passed, before is not None)
            return None
        if depth >= -margin and (depth > 0.0 or at - self._passed < OUT):
            return None
        self.inside = False
        return self._passed

    @property
    def until(self) -> float:
        """While it is inside: up to when it was, so far. Just beyond the boundary: when it passed that."""
        return self._time if self._depth is None or self._depth > 0.0 else self._passed

    def _enter(self, at: float, whole: bool) -> None:
        self.inside, self.whole, self.came = True, whole, at
        self.number += 1
