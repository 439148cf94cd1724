"""Numbers as people read them, where the command line's own words must not be imported."""

from __future__ import annotations

from edged.numerals import short


def size(count: float) -> str:
    """``12 kB``, ``3.4 MB``: powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{short(count, 3)} TB"


def span(seconds: float) -> str:
    """``12 s``, ``5 min``, ``3 h``, ``12 days``, ``2.5 years``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} h"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.3g} years"


def several(count: int, noun: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
