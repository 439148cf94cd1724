"""How far a number may be from what was really there: 95 % intervals. Pure; docs/reports.md has the formulas.

Three things are unsure, and all are on the careful side: what was there and was missed, what was counted and
was nothing (both as the worker estimates from its tracks), and what the rate of looking leaves open.
"""

from __future__ import annotations

import math
from typing import Final

#: Of the normal distribution: so many deviations to either side hold 95 %.
DEVIATIONS: Final = 1.96
TAIL: Final = 0.025
#: Seconds that the shortest event lasts which anybody asks for: walking through a picture takes longer. Who
#: looks more rarely than that may have had no chance to see one.
BRIEF: Final = 2.0
#: So many looks it takes until something is counted.
LOOKS: Final = 2.0
#: The worker's estimates of what it missed and made up are off by so much of themselves, on one camera or
#: another: ``benchmarks.accuracy.certainty``.
SLACK: Final = 0.25
EXACT: Final = 200.0  # of a Poisson distribution with a larger mean the normal one is near enough


def most(mean: float) -> int:
    """The number that a Poisson distribution of this mean exceeds with a chance of 2.5 %."""
    if mean > EXACT:
        return math.ceil(mean + DEVIATIONS * math.sqrt(mean))
    number, chance = 0, math.exp(-mean)
    below = chance
    while below < 1.0 - TAIL:
        number += 1
        chance *= mean / number
        below += chance
    return number


def unseen(count: int, frames: float, seconds: float) -> float:
    """How many brief events may have been there and were not seen, beside the ``count`` that were: each seen
    with the chance p that two looks fall into ``BRIEF`` seconds, 1/p - 1 were not, and as many for the one
    that may have been missed before any was seen.
    """
    if seconds <= 0.0:
        return 0.0
    return max(0.0, LOOKS * seconds / (max(frames, 1.0) * BRIEF) - 1.0) * (count + 1)


def of_count(count: int, missed: float, doubtful: float, frames: float, seconds: float) -> tuple[int, int]:
    """Least and most of what really happened in the ``seconds`` observed by ``frames``, where ``count`` was
    counted.

    At the ends of the time an event may belong to either side: of ``count`` in ``frames`` looks, so many in
    the time of one. Events are missed, and made up, one by one; and what is thought of how many is off by
    ``SLACK`` itself, which no length of time evens out. For what the rate leaves open the estimate of 1/p - 1
    (Horvitz and Thompson, 1952) has 1/p times the variance of a Poisson's.
    """
    edge = count / max(frames, 1.0)
    low = count - most(min(doubtful + edge, float(count))) - SLACK * doubtful
    open = unseen(count, frames, seconds)
    wider = math.sqrt(1.0 + open / (count + 1)) - 1.0
    more = most(missed + edge + open) + SLACK * missed + DEVIATIONS * math.sqrt(open) * wider
    return max(0, round(low)), count + round(more)


def of_mean(
    mean: float,
    stddev: float,
    missed: float,
    doubtful: float,
    frames: float,
    seconds: float,
    unit: str = "count",
) -> tuple[float, float]:
    """Least and most of the true mean, NaN where fewer than two looks tell of it. ``missed`` and ``doubtful``
    are in value-seconds; the looks are taken as if each were drawn by itself, and those at an even pace are
    better than that.
    """
    if frames < 2.0 or seconds <= 0.0:
        return math.nan, math.nan
    below, above = _shared(mean, frames) if unit == "share" else _spread(stddev, frames, unit)
    more = 1.0 + SLACK
    return mean - below - more * doubtful / seconds, mean + above + more * missed / seconds


def _shared(share: float, frames: float) -> tuple[float, float]:
    """How far below and above a share of looks the true one may lie: E. B. Wilson, "Probable inference, the
    law of succession, and statistical inference", JASA 22 (1927). Also where all of them were alike.
    """
    square = DEVIATIONS**2 / frames
    share = min(1.0, max(0.0, share))
    half = math.sqrt(square * (share * (1.0 - share) + square / 4.0))
    low, high = ((share + square / 2.0 + side) / (1.0 + square) for side in (-half, half))
    return max(0.0, share - low), max(0.0, high - share)


def _spread(stddev: float, frames: float, unit: str) -> tuple[float, float]:
    """The same of other means. Where n looks showed the same number of things, one more or fewer may have
    been there between them for about 4/n of the time: Wilson's limit of a share. Of a level nobody knows by
    how much it can change.
    """
    square = DEVIATIONS**2 / frames
    least = square if unit in ("count", "fraction") else 0.0
    spread = math.sqrt(square * stddev * stddev + (least / 2.0) ** 2) + least / 2.0
    return spread, spread


def possible(mean: float, unit: str) -> float:
    """What is nearest to it of what a mean of this unit can be: a level anything. NaN stays NaN."""
    if math.isnan(mean):
        return mean
    if unit in ("share", "fraction"):
        return min(1.0, max(0.0, mean))
    return max(0.0, mean) if unit == "count" else mean
