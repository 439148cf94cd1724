"""How often it happened today: what the store had when the daemon began, and what came since. Pure: the day
is passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from edged.amounts import estimate
from edged.nouns import Amount, Series

NO_DAY: Final = ""


class Today:
    """Counts events of the counted series until ``day`` changes. "" is a day of which nothing is known yet: a
    clock that is not right.
    """

    def __init__(self) -> None:
        self._day = NO_DAY
        self._counts: Counter[Series] = Counter()

    def begin(self, day: str, counts: Mapping[Series, int]) -> None:
        """So many there were of this day before."""
        self._day = day
        self._counts.update(counts)

    def count(self, day: str, series: tuple[Series, ...], amounts: Iterable[Amount]) -> None:
        """These happened on that day. What was counted before the day was known is of the first that is."""
        if day != self._day:
            if NO_DAY not in (self._day, day):
                self._counts.clear()
            self._day = day or self._day
        for one in amounts:
            if not estimate(one.bin):
                self._counts[series[one.series]] += one.count

    def of(self, series: Series) -> int:
        """How often it happened."""
        return self._counts[series]

    def forget(self, pipeline: str) -> None:
        """A pipeline has gone, or begins anew as another."""
        for one in [one for one in self._counts if one.pipeline == pipeline]:
            del self._counts[one]
