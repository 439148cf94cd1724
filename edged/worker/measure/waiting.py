"""Whether a thing stands, and since when: of its foot alone, measured in its own heights."""

from __future__ import annotations

import math
from typing import Final

from edged.worker.measure.geometry import Point

#: Who stays within so much of its own height stands: people sway and shuffle.
SWAY: Final = 0.5
#: Whoever waited still does while the queue moves up by so much at a time.
STEP: Final = 1.5
#: Seconds of standing that are a rest.
REST: Final = 1.0


class Standing:
    """``since`` is when it came to stand where it is now."""

    __slots__ = ("_anchor", "_rest", "since")

    def __init__(self, at: float, foot: Point) -> None:
        self.since = at
        self._anchor = self._rest = foot

    def moved(self, to: Point, at: float, height: float) -> None:
        """It is at ``to`` now."""
        if math.dist(to, self._anchor) > SWAY * height:
            self._anchor, self.since = to, at
        elif at - self.since >= REST:
            self._rest = self._anchor

    def far(self, to: Point, height: float) -> bool:
        """Whether it has gone farther from where it last rested than a queue moves at a time."""
        return math.dist(to, self._rest) > STEP * height
