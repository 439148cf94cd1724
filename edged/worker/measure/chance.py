"""How sure an event is: what was probably missed for each one that was seen, and whether it was one at all.

Rules of thumb from what the tracker saw, not from any knowledge of the truth; ``docs/measures.md`` says what
they leave out.
"""

from __future__ import annotations

from typing import Final

from edged.amounts import PARTS
from edged.worker.measure.meter import Happening

#: Errors of neighbouring frames are alike: no more than so many count as independent.
INDEPENDENT: Final = 3
#: What is known of the detector before it has shown anything, and what weight that has, in frames.
PRIOR, PRIOR_WEIGHT = 0.8, 4.0
#: Frames after which the past counts half: light and crowds change.
MEMORY: Final = 2000.0


class Detectability:
    """The chance that a thing that is there is found in a frame: what all tracks have shown lately."""

    def __init__(self) -> None:
        self._hits, self._chances = PRIOR * PRIOR_WEIGHT, PRIOR_WEIGHT

    def add(self, hits: int, chances: int) -> None:
        """A track that is over: of so many ``chances`` so many were ``hits``."""
        fade = 0.5 ** (chances / MEMORY)
        self._hits = fade * self._hits + hits
        self._chances = fade * self._chances + chances

    def of(self, hits: int, chances: int) -> float:
        """For one track: its own record, and that of all as far as its own is short."""
        common = self._hits / self._chances
        return (hits + PRIOR_WEIGHT * common) / (chances + PRIOR_WEIGHT)


def missed(chance: float, chances: int, needed: int) -> float:
    """How many like it went unnoticed for one that was noticed: 1/pi - 1, where pi is the probability to be
    found in at least ``needed`` of ``chances`` frames, each with ``chance``.

    Horvitz and Thompson, "A generalization of sampling without replacement from a finite universe", JASA 47
    (1952): whoever was seen with probability pi stands for 1/pi.
    """
    lost = 1.0 - min(chance, 0.999)
    unnoticed = lost**chances
    if needed > 1:
        unnoticed += chances * (1.0 - lost) * lost ** max(0, chances - 1)
    unnoticed = min(unnoticed, 0.5)
    return unnoticed / (1.0 - unnoticed)


def doubt(score: float, hits: int) -> float:
    """The probability that it was none, if a score were the probability to be one and frames apart told
    independently.
    """
    return float((1.0 - min(1.0, max(0.0, score))) ** min(hits, INDEPENDENT))


class Parts:
    """Fractions of events, told in whole 16ths and in lumps; what is left is told with later ones."""

    def __init__(self) -> None:
        self._left: dict[tuple[int, int], float] = {}

    def add(self, series: int, bin: int, share: float, lump: int) -> list[Happening]:
        """``share`` of an event (of a value-second) more: what to tell now, ``lump`` 16ths or more."""
        key = series, bin
        left = self._left.get(key, 0.0) + share * PARTS
        whole = int(left) if left >= lump else 0
        self._left[key] = left - whole
        if not whole:
            return []
        return [Happening(series, bin, whole)]
