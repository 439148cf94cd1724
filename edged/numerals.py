"""Measured numbers as people read them: so many digits that count, and never an exponent. Pure."""

from __future__ import annotations

from typing import Final

SMALLEST: Final = 6  # places behind the point; what is less is nothing to whoever reads it


def short(number: float, digits: int) -> str:
    """``0.46``, ``8.2``, ``168`` of 168.2 and two digits; digits in front of the point are all told."""
    text = f"{number:.{digits}g}"
    if "e" not in text:
        return text
    places = SMALLEST if abs(number) < 1.0 else 0
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text
