"""Lines of numbers (``notation``), one after the other, made samples. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Channel
from edged.notation import NotationError, numbers


class Lines:
    """Reads lines for ``channels`` and keeps the last number of each."""

    def __init__(self, channels: Mapping[str, Channel], timeout: float) -> None:
        self._places = {name.encode(): place for place, name in enumerate(channels)}
        self._scale = np.array([one.scale for one in channels.values()])
        self._offset = np.array([one.offset for one in channels.values()])
        self._last = np.full(len(channels), np.nan)
        self._times = np.full(len(channels), -math.inf)
        self._timeout = timeout
        #: Lines that were none; and whether any came since the last sample that made none.
        self.bad, self.malformed = 0, False
        self.empty = (
            False  #: whether the last line held nothing, as those between a carriage return and a feed
        )

    def sample(self, line: bytes, time: float) -> NDArray[np.float32] | None:
        """float32 [1, channels] once each channel was told of within the last ``timeout`` seconds. None for
        a line that is empty, or bad, or leaves a channel unknown.
        """
        self.empty = False
        try:
            told = numbers(line, self._places)
        except NotationError:
            self.spoil()
            return None
        if not told:
            self.empty = True
            return None
        for place, value in told.items():
            self._last[place], self._times[place] = value, time
        self.malformed = time - float(self._times.min()) > self._timeout
        return None if self.malformed else np.array([self._last * self._scale + self._offset], np.float32)

    def spoil(self) -> None:
        """What came was no line."""
        self.bad += 1
        self.malformed = True

    def forget(self) -> None:
        """What was told holds no longer."""
        self._times[:] = -math.inf
