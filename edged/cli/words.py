"""Facts as people read them: values, ages, sizes, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edged.enquiry import printable
from edged.numerals import short

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


def value(number: float | None, unit: str) -> str:
    """A value with its unit; a share as per cent; a dash for what was not observed."""
    if number is None:
        return "-"
    if unit in ("share", "fraction"):
        return f"{number * 100:.1f} %"
    digits = _digits(abs(number), unit)
    text = f"{round(number, digits) + 0.0:.{digits}f}"  # no "-0.00"
    return text if unit in ("", "count") else f"{text} {unit}"


def _digits(number: float, unit: str) -> int:
    """Behind the point. A level may be 101.3 kPa or 0.0042 g; how often or how long something was is never
    known so exactly.
    """
    if unit in ("count", "s", "/h") or number >= 1000:
        return 2 if number < 100 else 0
    if number >= 100:
        return 1
    return 2 if number >= 0.1 or not number else 4


def between(low: float | None, high: float | None, unit: str) -> str:
    """``2 to 6``, ``49.1 to 50.2 %``; "" where nothing was observed."""
    if low is None or high is None:
        return ""
    least, most = (value(one, unit) if unit or one != int(one) else str(int(one)) for one in (low, high))
    tail = " %" if unit in ("share", "fraction") else f" {unit}" if unit not in ("", "count") else ""
    return f"{least.removesuffix(tail)} to {most}"


def series_name(one: Mapping[str, Any]) -> str:
    """``presence person in door``, ``crossings person gate:north``; without label and zone the measure.

    A label comes from a file of somebody's: nothing in it commands a terminal.
    """
    zone = one["zone"] and (one["zone"] if set(one["zone"]) & set(":>") else f"in {one['zone']}")
    return printable(" ".join(filter(None, (one["measure"], one["label"], zone))))


def models(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds that each cheaper model observed: by its name, or by its rung where that is not known."""
    found: dict[str, float] = {}
    for row in rows:
        for one in row.get("models", ()):
            if one["rung"] and one["observed_s"] > 0:
                name = one["model"] or f"rung {one['rung']}"
                found[name] = found.get(name, 0.0) + one["observed_s"]
    return found


def made(rows: Sequence[Mapping[str, Any]], least: float = 1.0) -> str:
    """What of some stretches was not as the owner asked: ``11 min on lite0, 4 min slower, 3 min paused``.

    ``least`` seconds of it, or it is not worth a word.
    """
    cheaper = models(rows)
    sums = {word: sum(row[f"{word}_s"] for row in rows) for word in ("throttled", "paused", "blind")}
    parts = [(seconds, f"on {name}") for name, seconds in cheaper.items()]
    parts += [(sums["throttled"] - sum(cheaper.values()), "slower")]  # than asked, with the dearest model
    parts += [(sums[word], word) for word in ("paused", "blind")]
    return ", ".join(f"{age(seconds)} {text}" for seconds, text in parts if seconds >= least)


def age(seconds: float | None) -> str:
    """``12 s``, ``5 min``, ``3 h 20 min``, ``12 d 4 h``: rounded to the last of its units."""
    if seconds is None:
        return "-"
    if (whole := _rounded(seconds, 1)) < _MINUTE:
        return f"{whole} s"
    if (whole := _rounded(seconds, _MINUTE)) < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    whole = _rounded(seconds, _HOUR)
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def _rounded(seconds: float, unit: int) -> int:
    """To whole units, in seconds; half of one is one."""
    return int(seconds / unit + 0.5) * unit


def size(count: float) -> str:
    """``12 kB``, ``3.4 MB``: powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{short(count, 3)} GB"
