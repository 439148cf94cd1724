"""What happened, added up: the amounts of a tick."""

from __future__ import annotations

from collections import Counter

from edged.nouns import Amount
from edged.worker.measure.meter import Happenings


class Amounts:
    """Counts what happened to which series, by bin."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int]] = Counter()

    def add(self, happened: Happenings) -> None:
        """Count these."""
        for one in happened:
            self._counts[one.series, one.bin] += one.times

    def taken(self) -> tuple[Amount, ...]:
        """Since the last call, in order of series and bin."""
        made = tuple(Amount(series, count, bin) for (series, bin), count in sorted(self._counts.items()))
        self._counts.clear()
        return made
