"""What holds through time, added up: the sums of a tick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edged import rounding
from edged.errors import RefusedError
from edged.nouns import Entry


class Left:
    """Tells amounts coarsely, one after another, and keeps what rounding leaves for the next."""

    def __init__(self, coarse: Callable[[float], float]) -> None:
        self._coarse = coarse
        self._left = 0.0

    def told(self, exact: float) -> float:
        """The amount to tell; together they are what the exact ones are."""
        wanted = self._left + exact
        amount = self._coarse(max(0.0, wanted))
        self._left = wanted - amount
        return amount


class Sums:
    """Adds up the values of all series over time: each frame's values hold until the next frame's, at most
    for ``hold`` seconds. ``units`` are the series'.

    Time that no frame speaks for is *blind*. Because every value weighs the time that it stood for, the
    frame rate may change at any moment without biasing a mean.

    Nothing finer than ``edged.rounding`` allows goes up. Times are counted in whole 64ths of a second. What
    rounding takes from a sum stays here and is added to the next, so that it never adds up.
    """

    def __init__(self, units: tuple[str, ...], start: float, hold: float) -> None:
        self._units = units
        self._largest = np.array([rounding.largest(unit) for unit in units])
        self.hold = hold
        self.until = self._started = rounding.earlier(start)
        self._seen: float | None = None
        self._values, self._given = np.zeros(len(units)), b""
        self._left, self._left_squares = np.zeros(len(units)), np.zeros(len(units))
        self._clear()

    def _clear(self) -> None:
        count = len(self._units)
        self.observed, self._weighed, self._paused = 0.0, 0.0, False
        self._sum, self._sumsq = np.zeros(count), np.zeros(count)
        self._min, self._max = np.full(count, np.inf), np.full(count, -np.inf)

    def add(self, time: float, values: NDArray[np.float64]) -> None:
        """From ``time`` on (seconds) these values hold. A time that has been told of already counts from
        now. Raises ``RefusedError`` for what is no number.
        """
        given = values.tobytes()
        if given != self._given and not np.isfinite(values).all():
            raise RefusedError(
                "the model gave a number that is none (NaN or infinite)",
                "it is broken, or was given what it is not made for: `edged models show` tells what it takes",
            )
        self.advance(time)
        self._seen = max(rounding.earlier(time), self.until)
        if given != self._given:
            self._weigh()
            self._given = given
            np.clip(values, -self._largest, self._largest, out=self._values)

    def advance(self, time: float, paused: bool = False) -> None:
        """Count the values that hold up to ``time``. While paused, time that no frame speaks for is not
        blind.
        """
        time = rounding.earlier(time)
        span = time - self.until
        if span <= 0.0:
            return
        left = 0.0 if self._seen is None else self._seen + self.hold - self.until
        observed = min(span, max(0.0, rounding.earlier(left)))
        self.observed += observed
        self._paused = self._paused or paused
        self.until = time

    def forget(self) -> None:
        """What was seen last holds no longer: from ``until`` on nothing is observed before the next frame."""
        self._seen = None

    @property
    def started(self) -> float:
        """Since when there are sums that were not taken."""
        return self._started

    def _weigh(self) -> None:
        """Add up the values that have held since this was done last. Most frames show what the one before
        did, so it is not done for each.
        """
        seconds, self._weighed = self.observed - self._weighed, self.observed
        if not seconds:
            return
        weighted = self._values * seconds
        self._sum += weighted
        self._sumsq += weighted * self._values
        np.minimum(self._min, self._values, out=self._min)
        np.maximum(self._max, self._values, out=self._max)

    def taken(self) -> tuple[float, float, float, float, tuple[Entry, ...]]:
        """(start, end, observed seconds, blind seconds, entries) since the last call, and begin anew.

        Where there was a pause nothing is called blind: the daemon knows when it asked for one.
        """
        self._weigh()
        entries = self._entries() if self.observed else (Entry(),) * len(self._units)
        blind = 0.0 if self._paused else self.until - self._started - self.observed
        result = (self._started, self.until, self.observed, blind, entries)
        self._started = self.until
        self._clear()
        return result

    def _entries(self) -> tuple[Entry, ...]:
        wanted, squares = self._sum + self._left, self._sumsq + self._left_squares
        numbers = zip(
            wanted.tolist(),
            self._min.tolist(),
            self._max.tolist(),
            squares.tolist(),
            self._units,
            strict=True,
        )
        told = tuple(
            rounding.rounded(Entry(self.observed, total, low, high, squared), unit, self.observed)
            for total, low, high, squared, unit in numbers
        )
        self._left = wanted - np.array([one.sum for one in told])
        self._left_squares = squares - np.array([one.sumsq for one in told])
        return told
