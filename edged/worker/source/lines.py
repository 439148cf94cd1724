"""Lines of numbers, as small boards print them and scripts feed them. Pure.

A line is numbers in the order of the channels ("21.5 48"), or each with its channel's name ("humidity=48",
"temp:21.5"), in any order and not necessarily all of them. Between them stand spaces, tabs, commas or
semicolons; what follows a ``#`` is a remark. Everything else is no line of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Channel

LONGEST: Final = 1024  # bytes of a line
LARGEST: Final = 1e9  # of a number: series hold no larger ones
_GAPS: Final = re.compile(rb"[\s,;]+")
#: float() would also take "nan", "1_000" and what other alphabets call digits.
_NUMBER: Final = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\Z")


class Lines:
    """Reads lines for ``channels`` and keeps the last number of each."""

    def __init__(self, channels: Mapping[str, Channel], timeout: float) -> None:
        self._places = {name.encode(): place for place, name in enumerate(channels)}
        self._scale = np.array([one.scale for one in channels.values()])
        self._offset = np.array([one.offset for one in channels.values()])
        self._last = np.full(len(channels), np.nan)
        self._times = np.full(len(channels), -math.inf)
        self._timeout = timeout
        #: Lines that were none; and whether any came since the last sample.
        self.bad, self.malformed = 0, False

    def sample(self, line: bytes, time: float) -> NDArray[np.float32] | None:
        """float32 [1, channels] once each channel was told of within the last ``timeout`` seconds. None for
        a line that is empty, or bad, or leaves a channel unknown.
        """
        text = line.partition(b"#")[0].strip(b" \t\r\n\0,;")
        if not text:
            return None
        told = self._told(text) if len(line) <= LONGEST else None
        if told is None:
            self.spoil()
            return None
        self.malformed = True
        for place, value in told.items():
            self._last[place], self._times[place] = value, time
        if time - self._times.min() > self._timeout:
            return None
        self.malformed = False
        return np.array([self._last * self._scale + self._offset], np.float32)

    def spoil(self) -> None:
        """What came was no line."""
        self.bad += 1
        self.malformed = True

    def forget(self) -> None:
        """What was told holds no longer."""
        self._times[:] = -math.inf

    def _told(self, text: bytes) -> dict[int, float] | None:
        words = _GAPS.split(text)
        named = [re.split(rb"[=:]", one) for one in words]
        if all(len(one) == 1 for one in named):
            pairs = [(place, one) for place, one in enumerate(words)]
            if len(pairs) != len(self._places):
                return None
        elif all(len(one) == 2 for one in named):
            pairs = [(self._places.get(name, -1), one) for name, one in named]
        else:
            return None
        found = {place: value for place, one in pairs if (value := _number(one)) is not None}
        return found if len(found) == len(pairs) and -1 not in found else None


def _number(word: bytes) -> float | None:
    if not _NUMBER.match(word):
        return None
    value = float(word)
    return value if abs(value) <= LARGEST else None
