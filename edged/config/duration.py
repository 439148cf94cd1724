"""Durations as owners write them: ``"250ms"``, ``"60s"``, ``"5m"``, ``"2h"``, ``"90d"``, ``"5y"``,
``"forever"``.
"""

from __future__ import annotations

import math
import re
from typing import Final

#: Seconds per unit, the largest first. A year is the Julian one, 365.25 days.
UNITS: Final = {"y": 31_557_600.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|y)|forever)$"
SUCH_AS: Final = ("250ms", "60s", "5m", "2h", "90d", "5y", "forever")

_PARTS: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|y)")


def seconds(text: str) -> float:
    """``text`` in seconds, infinity for "forever". Raises ``ValueError`` for what is no duration."""
    if text == "forever":
        return math.inf
    parts = _PARTS.fullmatch(text)
    if not parts:
        raise ValueError(f"{text!r} is no duration: {words()}")
    return float(parts[1]) * UNITS[parts[2]]


def words(most: float = math.inf) -> str:
    """How a duration is written that is at most so many seconds."""
    *some, last = (f'"{one}"' for one in SUCH_AS if seconds(one) <= most)
    return f"seconds, or text such as {', '.join(some)} or {last}"


def text(value: float) -> str:
    """``value`` seconds in the largest unit that leaves a short number: the reverse of ``seconds``, to the
    microsecond.
    """
    if math.isinf(value):
        return "forever"
    for unit, size in UNITS.items():
        number = value / size
        if number >= 1 and number == round(number, 1):
            return _plain(number) + unit
    return _plain(value) + "s"


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
