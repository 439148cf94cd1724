"""Whether of a stream that says how often it speaks something is missing. Pure: times of arrival come in.

A line that comes late is not lost: ports and scripts deliver in bursts, and a busy board reads late. So what
has come is counted against the stated rate. A sample's *lateness* is how much later it came than the one
that was earliest by that count; a burst makes it up by its end, and what is missing for good never does.
"""

from __future__ import annotations

import math
from typing import Final

from edged.worker.source.samples import ALIKE, STALL, tolerable

#: A stream that has to make up for a silence is half as fast again as it says to be, at least; for one that
#: is not for so many sample times, what is missing is missing.
SETTLED: Final = 3.0
HASTE: Final = 0.5


class Cadence:
    """Counts what comes of ``rate`` samples a second, for windows of ``length`` samples. A stream that is
    slower than it says by no more than ``ALIKE`` is never late. After ``timeout`` seconds of silence nothing
    is known of what was missed.
    """

    def __init__(self, rate: float, length: int, timeout: float) -> None:
        self._period = 1.0 / rate
        self._allowed = max(STALL, tolerable(length) * self._period)  # seconds late
        self._settling = max(STALL, SETTLED * self._period)
        # By so much lateness falls within that time while it is made up for.
        self._step = max(self._period, HASTE * self._settling)
        self._timeout = timeout
        # The least lateness since a doubt arose, and what that was before the last silence; where it last
        # fell far enough, and when that was (None: nothing is in doubt).
        self._least = self._before = self._mark = math.inf
        self._since: float | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew with the next sample."""
        self._count = 0
        self._last = -math.inf
        self._earliest = math.inf  # when sample 0 would have come, by the one that was earliest
        self._since = None

    @property
    def doubtful(self) -> bool:
        """Whether samples are late, and may yet come or not."""
        return self._since is not None

    def came(self, time: float) -> float:
        """A sample has come, good or bad: how many before it will never come, now that this is certain.
        Infinite after a silence so long that nobody knows.
        """
        if time - self._last > self._timeout:
            return self._began(time)
        if self.doubtful and time - self._last > self._settling and self._least <= self._before - self._step:
            # Some of it was made up for until whoever reads or speaks was held up again: the rest may come.
            self._before, self._mark, self._since = self._least, math.inf, time
        missing = self._missing(time)
        if not self.doubtful:
            self._earliest += ALIKE * (time - self._last)
        self._last = time
        zero = time - self._count * self._period
        self._count += 1
        self._earliest = min(zero, self._earliest)
        self._doubt(time, zero - self._earliest)
        return missing

    def _began(self, time: float) -> float:
        """The first one, or the first after a long silence."""
        first = math.isinf(self._last)
        self.forget()
        self._count, self._last, self._earliest = 1, time, time
        return 0.0 if first else math.inf

    def _missing(self, time: float) -> float:
        """What was in doubt for so long that it is none any more."""
        if self._since is None or time - self._since <= self._settling:
            return 0.0
        self._earliest += self._least
        self._since = None
        return float(math.ceil(self._least / self._period))

    def _doubt(self, time: float, late: float) -> None:
        if late <= self._allowed:
            self._since = None
            return
        if self._since is None:
            self._since, self._least, self._before, self._mark = time, late, late, late
        self._least = min(self._least, late)
        if late <= self._mark - self._step:
            self._since, self._mark = time, late
