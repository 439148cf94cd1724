"""Which frames of a stream are due at a wanted rate. Pure: times come in, no clock is asked."""

from __future__ import annotations

import math


class Due:
    """Picks frames by their times onto the grid that a rate makes, counted from the first frame picked.

    ``rate`` in frames per second (0: every frame is due), ``period`` the stream's own seconds per frame (0 if
    unknown). A frame counts for a point of the grid when it is not more than ``slack`` early: devices jitter,
    and 1001/30000 s is no round number. Without the grid (each frame at least 1 / rate after the one before)
    10 fps could not give 4.
    """

    def __init__(self, rate: float, period: float = 0.0) -> None:
        self._period = period
        self._origin: float | None = None
        self._point = 0  # of the grid; the frame picked last stands for it
        self._rate = rate

    @property
    def rate(self) -> float:
        """Frames per second wanted, 0 for all. A change counts from the frame picked last."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if rate != self._rate:
            if self._origin is not None and self._rate:
                self._origin += self._point / self._rate
            self._point, self._rate = 0, rate

    @property
    def slack(self) -> float:
        """Seconds a frame may be early: less than half of a frame of the stream, and of the rate."""
        quarter = 0.25 / self._rate
        return min(quarter, 0.4 * self._period) if self._period else quarter

    def pick(self, time: float) -> int:
        """How many points of the grid have come since the last frame picked: 0 when the frame at ``time`` is
        not due.

        More than 1 means that frames were missed in between.
        """
        if self._origin is None:
            self._origin = time
            return 1
        if not self._rate:
            self._origin = time
            return 1
        point = math.floor((time - self._origin + self.slack) * self._rate)
        passed = point - self._point
        if passed < 1:
            return 0
        self._point = point
        return passed

    def next(self) -> float | None:
        """The time of the next point of the grid, None before the first frame and when every frame is due."""
        if self._origin is None or not self._rate:
            return None
        return self._origin + (self._point + 1) / self._rate

    def forget(self) -> None:
        """Begin anew with the next frame: the stream was interrupted or starts over."""
        self._origin, self._point = None, 0

    def between(self, before: float, after: float) -> bool:
        """Whether a frame at ``after`` would be due that follows one at ``before``: a forecast that changes
        nothing.
        """
        if self._origin is None or not self._rate:
            return True
        early = self._origin - self.slack
        return math.floor((after - early) * self._rate) > math.floor((before - early) * self._rate)
