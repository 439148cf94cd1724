"""Where hours, days and weeks begin in a time zone. Pure: times are epoch seconds, the zone is passed in.

A day begins at the first instant of its date, so it has 23, 24 or 25 hours, and a date that a zone skipped
has none. Hours are the zone's own (half past in India). Slots up to a quarter of an hour need no zone: every
offset in use is a multiple of it.
"""

from __future__ import annotations

import bisect
import datetime
from functools import lru_cache
from typing import Final

DAY: Final = 86400
ANY_ZONE: Final = 900  # seconds; a divisor of this begins where UTC's does, in every zone
EPOCH: Final = datetime.date(1970, 1, 1).toordinal()


class Calendar:
    """The slots of one zone: each time belongs to exactly one slot of every ``step`` (seconds)."""

    def __init__(self, zone: datetime.tzinfo) -> None:
        self.zone = zone
        # A report walks through days in order; two days' worth of edges is all that it needs at once.
        self._edges = lru_cache(4)(self._edges_of_day)
        self._midnight = lru_cache(16)(self._instant)

    def floor(self, time: float, step: int) -> int:
        """Where the slot that holds ``time`` begins."""
        if ANY_ZONE % step == 0:
            return int(time // step * step)
        if step % DAY == 0:
            return max(start for start in self._day_starts(time, step // DAY) if start <= time)
        edges = self._edges(self._day(time), step)
        return edges[bisect.bisect_right(edges, time) - 1]

    def after(self, time: float, step: int) -> int:
        """Where the next slot begins: later than ``time``."""
        if ANY_ZONE % step == 0:
            return int(time // step * step) + step
        if step % DAY == 0:
            return min(start for start in self._day_starts(time, step // DAY) if start > time)
        edges = self._edges(self._day(time), step)
        return edges[bisect.bisect_right(edges, time)]

    def ceil(self, time: float, step: int) -> int:
        """``time`` if a slot begins there, else where the next one begins."""
        start = self.floor(time, step)
        return start if start == time else self.after(time, step)

    def _date(self, time: float) -> int:
        return datetime.datetime.fromtimestamp(time, self.zone).toordinal()

    def _day(self, time: float) -> int:
        """The ordinal of the day that holds ``time``: one zone's clocks went back over midnight, so the date
        may not be it.
        """
        date = self._date(time)
        return max(one for one in (date - 1, date, date + 1) if self._midnight(one, 0) <= time)

    def _day_starts(self, time: float, days: int) -> list[int]:
        """Starts of the spans of ``days`` days around ``time``. Weeks begin on Monday: day 1 of the calendar
        was one.
        """
        first = (self._date(time) - 1) // days * days + 1
        return [self._midnight(first + turn * days, 0) for turn in (-1, 0, 1, 2)]

    def _instant(self, ordinal: int, second: int, fold: int = 0) -> int:
        """When the wall clock of a day shows ``second`` seconds. In a gap: when the gap was."""
        naive = datetime.datetime.fromordinal(ordinal) + datetime.timedelta(seconds=second)
        if self.zone is datetime.UTC:
            return (ordinal - EPOCH) * DAY + second
        return int(naive.replace(tzinfo=self.zone, fold=fold).timestamp())

    def _edges_of_day(self, ordinal: int, step: int) -> list[int]:
        """Where the slots of one day begin, and where the next day does. A wall time that came twice began
        twice.
        """
        start, end = self._instant(ordinal, 0), self._instant(ordinal + 1, 0)
        edges = {start, end}
        for second in range(0, DAY, step):
            once, again = self._instant(ordinal, second), self._instant(ordinal, second, 1)
            edges |= {time for time in (once, max(once, again)) if start <= time < end}
        return sorted(edges)
