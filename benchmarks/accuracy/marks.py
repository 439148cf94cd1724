"""How far what was counted is from what was so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from benchmarks.accuracy.street import Event, Stay

#: What was counted is what happened when no more than this lies between them.
NEAR: Final = 5.0  # seconds


#: A place with its direction, and a kind.
Cell = tuple[str, str]


class Marks(NamedTuple):
    """Numbers of events, added up over runs. ``cells`` are counted - true of all runs together, of each place
    with its direction and kind, where they differ; ``off`` is the sum of |counted - true| over these cells
    and runs. So what is counted too often in one does not make good for another.
    """

    true: int = 0
    counted: int = 0
    off: int = 0
    missed: int = 0
    false: int = 0
    cells: tuple[tuple[Cell, int], ...] = ()

    def plus(self, other: Marks) -> Marks:
        """Both together."""
        numbers = (a + b for a, b in zip(self[:-1], other[:-1], strict=True))
        both = Counter(dict(self.cells))
        both.update(dict(other.cells))
        return Marks(*numbers, cells=_differing(both))

    def __str__(self) -> str:
        return (
            f"{self.counted} of {self.true}, {self.missed} missed, {self.false} false:"
            f" error {self.error:.1%}, of single runs {self.error_of_runs:.1%}"
        )

    @property
    def error(self) -> float:
        """Of the counts of all runs together, by place, direction and kind, as a share."""
        off = sum(abs(difference) for _, difference in self.cells)
        return off / self.true if self.true else float(self.counted > 0)

    @property
    def error_of_runs(self) -> float:
        """The same, each run's by itself."""
        return self.off / self.true if self.true else float(self.counted > 0)


def judged(true: Sequence[Event], counted: Sequence[Event]) -> Marks:
    """One run's. ``missed`` and ``false`` are by time: which of them are the same."""
    cells, found = (Counter((one.place, one.kind) for one in events) for events in (true, counted))
    off = sum(abs(cells[cell] - found[cell]) for cell in cells | found)
    same = sum(
        paired(*([one.time for one in events if (one.place, one.kind) == cell] for events in (true, counted)))
        for cell in cells
    )
    found.subtract(cells)
    return Marks(len(true), len(counted), off, len(true) - same, len(counted) - same, _differing(found))


def _differing(differences: Counter[Cell]) -> tuple[tuple[Cell, int], ...]:
    return tuple(sorted((cell, one) for cell, one in differences.items() if one))


def paired(true: Iterable[float], counted: Iterable[float]) -> int:
    """How many pairs no farther apart than ``NEAR`` there are at most, each time in one pair only."""
    left, pairs = sorted(counted), 0
    for time in sorted(true):
        near = next((one for one in left if one >= time - NEAR), None)
        if near is not None and near <= time + NEAR:
            left.remove(near)
            pairs += 1
    return pairs


def dwelt(true: Sequence[Stay], told: Sequence[tuple[float, float]]) -> list[float]:
    """How many seconds each dwell that was ``told`` (when, seconds) is off from the stay that ended about
    then; infinite for those of which none did.
    """
    left, off = list(true), []
    for time, long in sorted(told):
        near = [one for one in left if abs(one.went - time) <= NEAR]
        best = min(near, key=lambda one: abs(one.long - long), default=None)
        if best is None:
            off.append(math.inf)
        else:
            left.remove(best)
            off.append(abs(best.long - long))
    return off
