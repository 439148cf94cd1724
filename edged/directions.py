"""What one worker is to do, and how far it has come: the last word, what came before it, and which rungs of
the ladder cannot be had. Values only; the time (``CLOCK_MONOTONIC``) is passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from edged.config.shape import Model
from edged.wall import Directive, Trouble

MOST: Final = 1000  # directives that are remembered of one tick; nobody directs as often

#: A rung, and the number of threads that work on it.
Way = tuple[int, int]


class Lack(NamedTuple):
    """Why a rung cannot be had, and until when it is not asked for again."""

    why: str
    until: float


class Directions:
    """``wanted`` is the last word, ``said`` what the worker was told of it; ``told`` is the way that it was
    told, and ``at`` the one that it last said to be on.
    """

    def __init__(self, models: tuple[Model, ...], rate: float) -> None:
        self._most = tuple(one.threads for one in models)
        self._rate = rate
        self.wanted = self.said = Directive(rate)
        self.told = self.at = self._meant(self.wanted)
        self._lacking: dict[int, Lack] = {}
        #: Since when each was wanted, as far back as the next tick can reach.
        self._history: deque[tuple[float, Directive]] = deque([(-math.inf, self.wanted)], MOST)

    def want(self, directive: Directive, now: float) -> None:
        """This is wanted from now on."""
        if directive != self.wanted:
            self.wanted = directive
            self._history.append((now, directive))

    def begin(self, now: float) -> Way:
        """The way on which a new worker begins; it has been told nothing else yet."""
        self.told = self.at = self._reachable(now)
        self.said = Directive(self._rate, False, False, *self.at)
        return self.at

    def message(self, now: float) -> Directive | None:
        """What is wanted as far as it can be had, as a message; None when the worker was told that."""
        self.told = self._reachable(now)
        message = Directive(self.wanted.rate, self.wanted.paused, False, *self.told)
        if message == self.said:
            return None
        self.said = message
        return message

    @property
    def under_way(self) -> bool:
        """Whether the worker was told another way than it is on."""
        return self.told != self.at

    def arrived(self, rung: int, threads: int) -> None:
        """It is on this way now."""
        self.at = (rung, threads)
        self._lacking.pop(rung, None)

    def lack(self, rung: int, why: str, until: float) -> bool:
        """This rung cannot be had until then. Whether that is news."""
        before = self._lacking.get(rung)
        self._lacking[rung] = Lack(why, until)
        if self.told[0] == rung:
            self.told = self.at
            self.said = Directive(self.said.rate, self.said.paused, False, *self.at)
        return before is None or before.why != why

    def lacking(self, now: float) -> frozenset[int]:
        """The rungs that cannot be had now."""
        return frozenset(rung for rung, lack in self._lacking.items() if now < lack.until)

    def to_blame(self, ready: bool, trouble: Trouble | None) -> int | None:
        """The rung that a worker's end is put down to: the one on its way to which a worker that was
        ``ready`` died without a word, or a cheaper one on which a worker could not begin.

        What a worker says itself on its way is of its source, or that memory holds no two models: the next
        one opens the rung alone.
        """
        if ready:
            return self.told[0] if self.under_way and trouble is None else None
        on_cheaper = self.at[0] > 0 and (trouble is None or trouble.final)
        return self.at[0] if on_cheaper else None

    def fall_back(self) -> None:
        """The next worker begins on the dearest rung."""
        self.at = self._meant(Directive(self._rate))

    def between(self, start: float, end: float) -> Iterator[tuple[float, Directive]]:
        """What was wanted from ``start`` to ``end``: the seconds of each directive. What was over before
        ``start`` is forgotten.
        """
        while len(self._history) > 1 and self._history[1][0] <= start:
            self._history.popleft()
        ends = [since for since, _ in self._history][1:]
        for (since, directive), until in zip(self._history, [*ends, math.inf], strict=True):
            seconds = min(end, until) - max(start, since)
            if seconds > 0.0:
                yield seconds, directive

    def _meant(self, directive: Directive) -> Way:
        most = self._most[directive.rung]
        return directive.rung, min(directive.threads or most, most)

    def _reachable(self, now: float) -> Way:
        """The way that is wanted; where that rung cannot be had, the one that there is."""
        return self.at if self.wanted.rung in self.lacking(now) else self._meant(self.wanted)
