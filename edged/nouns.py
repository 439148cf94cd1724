"""The nouns that both sides of the wall share. Values only: no I/O, no clock, no NumPy.

A *series* is one number through time. A worker adds up what it saw of each series into *entries* and sends
them up as one *tick* a second; the daemon adds ticks up into *buckets*.

All times are float seconds. ``Tick.start`` and ``Tick.end`` are the source's own clock: ``CLOCK_MONOTONIC``
for what is live, seconds of the recording for a recording that is read as fast as it goes.
"""

from __future__ import annotations

import math
from itertools import zip_longest

import msgspec


class Series(msgspec.Struct, frozen=True, order=True):
    """What one number is about. ``label`` and ``zone`` are "" for any label and for the whole picture."""

    pipeline: str
    measure: str
    label: str = ""
    zone: str = ""
    unit: str = ""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A series' sums over observed time, weighted by seconds so that a changing frame rate biases nothing.

    ``seconds`` is the time observed, ``sum`` the integral of the value over it (value x s), ``sumsq`` that of
    its square (value^2 x s). So mean = sum / seconds. With ``seconds`` 0 nothing was seen and the rest is 0.
    """

    seconds: float = 0.0
    sum: float = 0.0
    min: float = 0.0
    max: float = 0.0
    sumsq: float = 0.0

    def merged(self, other: Entry) -> Entry:
        """Both stretches as one."""
        if not self.seconds:
            return other
        if not other.seconds:
            return self
        return Entry(
            self.seconds + other.seconds,
            self.sum + other.sum,
            min(self.min, other.min),
            max(self.max, other.max),
            self.sumsq + other.sumsq,
        )

    @property
    def mean(self) -> float:
        """The time-weighted mean, NaN when nothing was observed."""
        return self.sum / self.seconds if self.seconds else math.nan


class Coverage(msgspec.Struct, frozen=True, array_like=True):
    """How a stretch of time was observed.

    ``expected`` and ``analysed`` count frames; ``observed`` (covered by frames), ``throttled`` (slower than
    the owner asked, or with a cheaper model), ``paused`` and ``blind`` (no frame came, or no worker ran)
    are seconds. ``rungs`` divides ``observed`` by the rung of the ladder that saw it, the dearest first; it
    is empty where that was all.
    """

    expected: float = 0.0
    analysed: int = 0
    observed: float = 0.0
    throttled: float = 0.0
    paused: float = 0.0
    blind: float = 0.0
    rungs: tuple[float, ...] = ()

    @property
    def by_rung(self) -> tuple[float, ...]:
        """``rungs``, also where that is empty."""
        return self.rungs or (self.observed,)

    def merged(self, other: Coverage) -> Coverage:
        """Both stretches as one."""
        return Coverage(
            self.expected + other.expected,
            self.analysed + other.analysed,
            self.observed + other.observed,
            self.throttled + other.throttled,
            self.paused + other.paused,
            self.blind + other.blind,
            _added(self.by_rung, other.by_rung) if self.rungs or other.rungs else (),
        )


def _added(mine: tuple[float, ...], its: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip_longest(mine, its, fillvalue=0.0))


class Amount(msgspec.Struct, frozen=True, array_like=True):
    """How often something happened to one series: ``series`` is its index in the pipeline's.

    ``bin`` tells events apart that are one series': 0 where there is nothing to tell, else the logarithmic
    bin of a duration or a speed, or ``MISSED`` and ``DOUBTFUL`` (see ``edged.amounts``), whose counts are
    16ths.
    """

    series: int
    count: int
    bin: int = 0


class Bucket(msgspec.Struct, frozen=True):
    """What is stored of one pipeline over ``[start, start + width)``: epoch seconds (UTC), whole numbers.

    ``entries`` follows the order of the pipeline's valued series, or is empty when nothing was observed;
    ``amounts`` are what happened. A bucket whose time is not known yet has the ``boot``'s id and counts
    ``start`` from there (``CLOCK_BOOTTIME``).
    """

    pipeline: str
    start: int
    width: int
    entries: tuple[Entry, ...]
    coverage: Coverage
    boot: str = ""
    amounts: tuple[Amount, ...] = ()
