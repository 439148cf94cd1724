"""What happened, added up: the amounts of a tick.

A tick tells so much and no more (``edged.amounts``), so that a worker that was taken over cannot say much by
it. What is too much waits for the next one: nothing is lost, and the longest waiting comes first.
"""

from __future__ import annotations

from collections import Counter

from edged import amounts
from edged.nouns import Amount
from edged.worker.measure.meter import Happenings

ESTIMATES, NUMBERS = -1, -2  #: where those of all series are counted


class Amounts:
    """Counts what happened to which series, by bin."""

    def __init__(self) -> None:
        #: By series and bin, in the order in which they came to wait.
        self._left: dict[tuple[int, int], int] = {}

    def add(self, happened: Happenings) -> None:
        """Count these."""
        for one in happened:
            if one.times > 0:
                place = (one.series, one.bin)
                self._left[place] = self._left.get(place, 0) + one.times

    @property
    def waiting(self) -> bool:
        """Whether there are events to tell; estimates of less than one event are worth no tick of their
        own.
        """
        return any(
            left >= amounts.PARTS or not amounts.estimate(bin) for (_, bin), left in self._left.items()
        )

    def taken(self) -> tuple[Amount, ...]:
        """What the next tick tells, in order of series and bin."""
        told: list[Amount] = []
        of_series: Counter[int] = Counter()
        for (series, bin), left in list(self._left.items()):
            if len(told) == amounts.MOST_TOLD:
                break
            of = _among(series, bin)
            if count := _some(bin, left, of_series[of]):
                of_series[of] += 1 if of == ESTIMATES else count
                told.append(Amount(series, count, bin))
                self._tell(series, bin, left - count)
        return tuple(sorted(told, key=lambda one: (one.series, one.bin)))

    def _tell(self, series: int, bin: int, rest: int) -> None:
        """What is left of it waits behind all others."""
        del self._left[series, bin]
        if rest:
            self._left[series, bin] = rest


def _among(series: int, bin: int) -> int:
    """With what it shares what a tick may tell."""
    if amounts.estimate(bin):
        return ESTIMATES
    return NUMBERS if bin else series


def _some(bin: int, left: int, told: int) -> int:
    """How many of ``left`` a tick may tell that has told so many events of the series, or estimates or
    numbers of any.
    """
    if amounts.estimate(bin):
        return amounts.coarse(left) if told < amounts.MOST_ESTIMATES else 0
    return min(left, (amounts.MOST_NUMBERS if bin else amounts.MOST_EVENTS) - told)
