"""Numbers as rows of block characters. Pure: values in, lines of text out.

``None`` is what was not observed: it stays blank (a gap is not a zero).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
Values = Sequence[float | None]


def spark(values: Values, low: float, high: float) -> str:
    """One character a value; what was observed is never blank."""
    return "".join(" " if one is None else EIGHTHS[max(1, _eighths(one, low, high, 1))] for one in values)


def columns(values: Values, low: float, high: float, height: int) -> list[str]:
    """``height`` lines, the top one first; one column a value. A value at ``low`` is a line at the bottom."""
    levels = [None if one is None else max(1, _eighths(one, low, high, height)) for one in values]
    return [
        "".join(" " if level is None else EIGHTHS[min(max(level - 8 * row, 0), 8)] for level in levels)
        for row in reversed(range(height))
    ]


def scale(values: Values, unit: str) -> tuple[float, float]:
    """The axis for values of a unit: a share is seen against its all, a count from zero, a level between its
    extremes.
    """
    known = [one for one in values if one is not None]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if unit == "share":
        return 0.0, 1.0
    if unit in ("count", "fraction", "/h") or (low >= 0 and low < high / 2):
        return 0.0, nice(high) or 1.0
    if low == high:
        return low - 1.0, high + 1.0
    return low, high


def nice(value: float) -> float:
    """The next round number that is not below: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    if value <= 0:
        return 0.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(
        (one * power for one in (1, 1.5, 2, 3, 4, 5, 6, 8) if one * power >= value * (1 - 1e-9)), 10 * power
    )


def resampled(values: Values, width: int) -> list[float | None]:
    """At most ``width`` values: means of neighbours, gaps left out of them."""
    if len(values) <= width:
        return list(values)
    groups = [values[at * len(values) // width : (at + 1) * len(values) // width] for at in range(width)]
    return [_mean(group) for group in groups]


def _mean(values: Values) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def _eighths(value: float, low: float, high: float, height: int) -> int:
    share = (value - low) / (high - low) if high > low else 0.0
    return round(min(max(share, 0.0), 1.0) * 8 * height)
