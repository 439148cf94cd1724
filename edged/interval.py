"""How far a number may be from what was really there: 95 % intervals. Pure; docs/reports.md has the formulas.

Three things are unsure, and all are on the careful side: what was there and was missed, what was counted and
was nothing (both as the tracker and the scores let the worker estimate), and what the rate of looking leaves
open.
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


def unseen(frames: float, seconds: float) -> float:
    """How many brief events may have been there for one that was seen, unseen between two looks: 1/p - 1,
    with p the chance that a look falls into ``BRIEF`` seconds.
    """
    if seconds <= 0.0:
        return 0.0
    return max(0.0, seconds / (max(frames, 1.0) * BRIEF) - 1.0)


def of_count(count: int, missed: float, doubtful: float, frames: float, seconds: float) -> tuple[int, int]:
    """Least and most of what really happened in the ``seconds`` observed by ``frames``, where ``count`` was
    counted.

    At the ends of the time an event may belong to either side: of ``count`` in ``frames`` looks, so many in
    the time of one. What was missed is told from what was seen, of each 1/p - 1 (Horvitz and Thompson, 1952):
    that estimate has 1/p times the variance of a Poisson's.
    """
    edge = count / max(frames, 1.0)
    low = count - most(min(doubtful + edge, float(count)))
    wider = math.sqrt(1.0 + missed / count) - 1.0 if count else 0.0
    more = most(missed + edge + unseen(frames, seconds)) + DEVIATIONS * math.sqrt(missed) * wider
    return max(0, low), count + round(more)


def of_mean(
    mean: float, stddev: float, missed: float, doubtful: float, frames: float, seconds: float
) -> tuple[float, float]:
    """Least and most of the true mean. ``missed`` and ``doubtful`` are in value-seconds; the looks are taken
    as if each were drawn by itself, and those at an even pace are better than that.
    """
    spread = DEVIATIONS * stddev / math.sqrt(max(frames, 1.0))
    return mean - spread - doubtful / seconds, mean + spread + missed / seconds


def possible(mean: float, unit: str) -> float:
    """What is nearest to it of what a mean of this unit can be: a level anything."""
    if unit in ("share", "fraction"):
        return min(1.0, max(0.0, mean))
    return max(0.0, mean) if unit == "count" else mean
