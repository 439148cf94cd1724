"""How a line of numbers is written, as small boards print it and scripts feed it. Pure.

A line is numbers in the order of the channels ("21.5 48"), or each with its channel's name ("humidity=48",
"temp:21.5"), in any order and not necessarily all of them. Between them stand spaces, tabs, commas or
semicolons; what follows a ``#`` is a remark. Everything else is no line of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 1024  # bytes of a line
LARGEST: Final = 1e9  # of a number: series hold no larger ones
_GAPS: Final = re.compile(rb"[\s,;]+")
#: float() would also take "nan", "1_000" and what other alphabets call digits.
_NUMBER: Final = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\Z")


class NotationError(ValueError):
    """Why a line is none, in fixed words: never what was in it."""


def numbers(line: bytes, places: Mapping[bytes, int]) -> dict[int, float]:
    """What a line says, by the ``places`` of the channels that it tells of; nothing of an empty one. Raises
    ``NotationError``.
    """
    text = line.partition(b"#")[0].strip(b" \t\r\n\0,;")
    if not text:
        return {}
    if len(line) > LONGEST:
        raise NotationError(f"it is longer than {LONGEST} bytes")
    words = _GAPS.split(text)
    named = [re.split(rb"[=:]", one) for one in words]
    if all(len(one) == 1 for one in named):
        if len(words) != len(places):
            raise NotationError(f"without names it takes one number for each of {len(places)} channels")
        return {place: _number(one) for place, one in enumerate(words)}
    if not all(len(one) == 2 for one in named):
        raise NotationError("it is neither numbers alone nor each with a name")
    found: dict[int, float] = {}
    for name, one in named:
        place = places.get(name, -1)
        if place < 0 or place in found:
            raise NotationError("a name in it is no channel, or stands there twice")
        found[place] = _number(one)
    return found


def _number(word: bytes) -> float:
    value = float(word) if _NUMBER.match(word) else LARGEST * 2.0
    if abs(value) > LARGEST:
        raise NotationError(f"a word in it is no number of at most {LARGEST:g}")
    return value
