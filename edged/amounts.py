"""How a number that belongs to an event is told: by its logarithmic bin. Values only.

A bin is an eighth of an octave wide, so that a number is told to within 4.4 % whatever its size, and counts
per bin of two stretches of time are those of both together by adding them up. This is the sketch of C.
Masson, J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
PVLDB 12 (2019), with a fixed range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from edged.nouns import Series
from edged.series import COUNTED, DISTRIBUTED

SMALLEST: Final = 0.125  # s or km/h; what is less is in the first bin
STEPS: Final = 8  # bins an octave
BINS: Final = 168  # up to 2^18 times that, three days; what is more is in the last
#: Bins of no number: how many 16ths of an event are thought to have been missed, and to have been none.
MISSED: Final = 254
DOUBTFUL: Final = 255
PARTS: Final = 16

#: What is estimated: what happens, and how many there are.
ESTIMATED: Final = COUNTED | {"occupancy", "presence", "queue"}

#: What a tick may tell at most; the worker tells the rest with the next ones.
MOST_EVENTS: Final = 8  # of one series, that have no number
#: That have one, of all series: each can be any of ``BINS`` of any series, so they say much more. Two a
#: second are 7,200 an hour, as many as a road of three lanes carries at most; the rest is told in turn.
MOST_NUMBERS: Final = 2
MOST_ESTIMATES: Final = 2  # of all series: they are told in turn
MOST_PARTS: Final = 1 << 14  # 16ths in one of them: sixteen things, all of them overlooked for a minute
MOST_TOLD: Final = 128  # amounts of all series


def numbered(bin: int) -> bool:
    """Whether its counts are of events that have a number."""
    return 1 <= bin <= BINS


def estimate(bin: int) -> bool:
    """Whether its counts are 16ths of what is thought to be missing, or too many."""
    return bin in (MISSED, DOUBTFUL)


def fits(series: Series, bin: int) -> bool:
    """Whether amounts of this series can have this bin: an event its number's, or none."""
    if estimate(bin):
        return series.measure in ESTIMATED
    return numbered(bin) if series.measure in DISTRIBUTED else series.measure in COUNTED and bin == 0


def coarse(sixteenths: int) -> int:
    """The largest power of two that is not above it, nor above ``MOST_PARTS``: an estimate is told no finer,
    and what is left is told later.
    """
    return 1 << (min(sixteenths, MOST_PARTS).bit_length() - 1) if sixteenths > 0 else 0


def bin_of(number: float) -> int:
    """The bin of a number: 1 to ``BINS``."""
    if not number > SMALLEST:
        return 1
    return min(BINS, 1 + math.ceil(math.log2(number / SMALLEST) * STEPS - 1e-9))


def middle(bin: int) -> float:
    """The number that a bin stands for: no number of the bin is farther from it than 4.4 %."""
    if bin <= 1:
        return SMALLEST
    low: float = SMALLEST * 2.0 ** ((bin - 2) / STEPS)
    high: float = low * 2.0 ** (1 / STEPS)
    return 2.0 * low * high / (low + high)


def quantile(counts: Mapping[int, int], share: float) -> float:
    """The least number up to which at least that ``share`` of all events lies (the nearest rank: of two
    events the ninth tenth is the larger one, not the smaller); NaN of none.
    """
    total = sum(counts.values())
    if not total:
        return math.nan
    rank, seen = share * total - 1e-9, 0
    for bin in sorted(counts):
        seen += counts[bin]
        if seen >= rank:
            return middle(bin)
    return middle(max(counts))


def mean(counts: Mapping[int, int]) -> float:
    """The mean of all numbers, to within 4.4 %; NaN of none."""
    total = sum(counts.values())
    return sum(middle(bin) * count for bin, count in counts.items()) / total if total else math.nan
