"""Events of classes: how often one began."""

from __future__ import annotations

from typing import Final

from edged.amounts import DOUBTFUL, MISSED
from edged.worker.measure.chance import Detectability, Parts, doubt, missed
from edged.worker.measure.meter import Happening

#: A bout goes on while the score is no less than so much of the one that began it,
RELEASE: Final = 0.8
#: and through gaps that are shorter than this.
GAP: Final = 1.0  # seconds
#: 16ths that are told at once: half an event.
LUMP: Final = 8


class Bout:
    """One class: whether it is there, and what its scores were meanwhile."""

    __slots__ = ("chances", "going", "hits", "last", "peak")

    def __init__(self) -> None:
        self.going = False
        self.last = self.peak = 0.0
        self.hits = self.chances = 0

    def begin(self, at: float, score: float) -> None:
        """It is there from now on."""
        self.going, self.last, self.peak = True, at, score
        self.hits = self.chances = 1


class Bouts:
    """All series that count events, by index. Outlives a switch to another model."""

    def __init__(self) -> None:
        self._bouts: dict[int, Bout] = {}
        self._detectability, self._parts = Detectability(), Parts()

    def look(self, series: int, score: float, least: float, at: float) -> list[Happening]:
        """The class has this score now. An event is told when it begins, what it is worth when it ends."""
        bout = self._bouts.setdefault(series, Bout())
        told: list[Happening] = []
        if bout.going:
            told = self._goes_on(series, bout, score, least, at)
        if not bout.going and score >= least:
            bout.begin(at, score)
            told.append(Happening(series))
        return told

    def _goes_on(self, series: int, bout: Bout, score: float, least: float, at: float) -> list[Happening]:
        if score >= RELEASE * least:
            bout.last, bout.peak = at, max(bout.peak, score)
            bout.hits += score >= least
            bout.chances += 1
        elif at - bout.last >= GAP:
            return self._over(series, bout)
        else:
            bout.chances += 1
        return []

    def interrupt(self) -> list[Happening]:
        """Nothing is known from now on: what goes on is over."""
        return [one for series, bout in self._bouts.items() if bout.going for one in self._over(series, bout)]

    def _over(self, series: int, bout: Bout) -> list[Happening]:
        bout.going = False
        chance = self._detectability.of(bout.hits, bout.chances)
        self._detectability.add(bout.hits, bout.chances)
        return [
            *self._parts.add(series, MISSED, missed(chance, bout.chances, 1), LUMP),
            *self._parts.add(series, DOUBTFUL, doubt(bout.peak, bout.hits), LUMP),
        ]
