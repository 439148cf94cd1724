"""How coarse everything is that passes the wall: the worker rounds by these rules, the inspector refuses what
is not rounded. Values only.

A worker that was taken over can still tell lies that look like counts, and each bit in which one count may
differ from another could be a bit of a picture. So a message has as few bits as what it says honestly needs
(``edged.covert`` adds them up, docs/security.md tells them):

- Times are whole 64ths of a second. Frames come 30 times a second, rarely 60 times.
- Extremes are on the grid of their unit, the minimum rounded down and the maximum up, so that what was seen
  lies between them. Counts are exact up to 64.
- A sum lies on one of 17 places between its extremes, a sum of squares on one of 5 between the least and the
  most that the other numbers leave it. What rounding takes from one tick is given to the next
  (``worker.measure``), so a minute's mean is off by the rounding of one second, not of sixty.
- Where the extremes are equal, sum and squares follow from them: what does not change is told exactly.
"""

from __future__ import annotations

import math
from typing import Final

from edged.nouns import Entry

GRAIN: Final = 1.0 / 64.0  # seconds
PLACES: Final = 16  # steps between the least and the most that a sum can be
SQUARE_PLACES: Final = 4  # steps between the least and the most that a sum of squares can be
FRACTION_GRAIN: Final = 1.0 / 64.0
COUNT_DIGITS: Final = 6  # binary digits of a count's extremes
LEVEL_DIGITS: Final = 8  # binary digits of a level's extremes, that is two to three decimal ones
LEVEL_SMALLEST: Final = -24  # power of two; levels are whole multiples of it
DURATION_DIGITS: Final = 5  # binary digits of how long a frame takes; governing needs no more
CPU_DIGITS: Final = 4
RATE_DIGITS: Final = 12
DURATION_SMALLEST: Final = -20  # power of two of seconds: a microsecond

MOST_DROPPED: Final = 2**16  # frames in one tick

#: The largest value per unit: a share or an activity is a fraction, a picture holds no thousand things.
LARGEST_VALUE: Final = {"share": 1.0, "fraction": 1.0, "count": 1024.0}
LARGEST_LEVEL: Final = 2.0**30


def largest(unit: str) -> float:
    """The largest value that a series of this unit may have."""
    return LARGEST_VALUE.get(unit, LARGEST_LEVEL)


def earlier(time: float) -> float:
    """The last 64th of a second that is not after ``time``, but for what adding up fractions loses."""
    return math.floor(time / GRAIN + 1e-6) * GRAIN


def even(seconds: float) -> bool:
    """Whether it is a finite, whole number of 64ths."""
    return math.isfinite(seconds) and (seconds / GRAIN).is_integer()


def _step(value: float, unit: str) -> float:
    """The distance of two neighbours on the unit's grid, around ``value``."""
    if unit == "share":
        return 1.0
    if unit == "fraction":
        return FRACTION_GRAIN
    if unit == "count":
        return _binary(value, COUNT_DIGITS, 0)
    return _binary(value, LEVEL_DIGITS, LEVEL_SMALLEST)


def _binary(value: float, digits: int, smallest: int) -> float:
    return math.ldexp(1.0, max(math.frexp(value)[1] - digits, smallest))


def below(value: float, unit: str) -> float:
    """The largest number of the unit's grid that is not above ``value``."""
    step = _step(value, unit)
    return max(-largest(unit), math.floor(value / step) * step)


def above(value: float, unit: str) -> float:
    """The smallest number of the unit's grid that is not below ``value``."""
    step = _step(value, unit)
    return min(largest(unit), math.ceil(value / step) * step)


def placed(wanted: float, least: float, most: float, places: int) -> float:
    """What is nearest to ``wanted`` of ``places`` + 1 numbers at equal distances, from ``least`` to
    ``most``. Of a number that is one of them this is the number itself.
    """
    if not least < most:
        return most
    place = min(1.0, max(0.0, (wanted - least) / (most - least)))
    return min(most, least + (most - least) * (round(place * places) / places))


def squares(low: float, high: float, seconds: float, total: float, unit: str) -> tuple[float, float]:
    """The least and the most that a sum of squares can be, of values between ``low`` and ``high`` with the
    sum ``total``.

    The least is that of a value that never changed (Jensen), the most that of one that was always an extreme
    (Bhatia and Davis). Counts with neighbouring extremes have no third value.
    """
    most = (low + high) * total - low * high * seconds
    if high == low or (high - low == 1.0 and unit in ("share", "count")):
        return most, most
    return min(total * total / seconds, most), most


def rounded(exact: Entry, unit: str, seconds: float) -> Entry:
    """The entry as it may pass; ``seconds`` (whole 64ths) is the time observed."""
    low, high = below(exact.min, unit), above(exact.max, unit)
    total = placed(exact.sum, low * seconds, high * seconds, PLACES)
    squared = placed(exact.sumsq, *squares(low, high, seconds, total, unit), SQUARE_PLACES)
    return Entry(seconds, total, low, high, squared)


def duration(seconds: float, digits: int = DURATION_DIGITS) -> float:
    """How long something took: the nearest number of so many binary digits."""
    step = _binary(seconds, digits, DURATION_SMALLEST)
    return round(seconds / step) * step


def rate(fps: float) -> float:
    """Frames per second of a source: the nearest number of ``RATE_DIGITS``."""
    step = _binary(fps, RATE_DIGITS, DURATION_SMALLEST)
    return round(fps / step) * step


def coarse_drops(frames: float) -> int:
    """The largest power of two that is not above a whole number of ``frames``, nor above ``MOST_DROPPED``."""
    number = min(int(frames), MOST_DROPPED)
    return 1 << (number.bit_length() - 1) if number > 0 else 0


def coarse_work(seconds: float) -> float:
    """Seconds of one core."""
    return duration(seconds, CPU_DIGITS)


def is_minus_zero(number: float) -> bool:
    """It equals 0, and would be one more way to write it."""
    return number == 0.0 and math.copysign(1.0, number) < 0.0
