"""Cuts a stream of samples into windows that overlap. Pure: samples come in, no clock is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A window begins this share of a window after the one before it: what lies on the edge of one is in the
#: middle of the next.
HOP: Final = 0.5


def hop(length: int) -> int:
    """Samples from the beginning of a window of ``length`` to that of the next one."""
    return max(1, round(HOP * length))


class Hops:
    """Windows of ``length`` samples, ``hop(length)`` apart.

    Nothing but what the next windows need is kept, in one block of memory that is written over and over.
    """

    def __init__(self, length: int) -> None:
        self.length, self.hop = length, hop(length)
        self._kept: NDArray[np.float32] = np.zeros(2 * length, np.float32)
        self._filled = 0  # of ``_kept``
        self.ended = 0  # samples that came until the end of the window given last

    def add(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take in float32 [n]; each window that is full by them: float32 [length, 1], valid until the next
        step. It must be gone through to its end.
        """
        while samples.size:
            taken = samples[: self._kept.size - self._filled]
            self._kept[self._filled : self._filled + taken.size] = taken
            self._filled += taken.size
            samples = samples[taken.size :]
            yield from self._full()

    def _full(self) -> Iterator[NDArray[np.float32]]:
        while self._filled >= self.length:
            self.ended += self.hop if self.ended else self.length
            yield self._kept[: self.length, None]
            left = self._filled - self.hop
            self._kept[:left] = self._kept[self.hop : self._filled]
            self._filled = left

    @property
    def lacking(self) -> int:
        """Samples that the next window still waits for."""
        return self.length - self._filled

    def padded(self) -> NDArray[np.float32] | None:
        """At the end of all: the window that what is left begins, filled up with silence. None when that is
        less than half of it, and it is not the first.
        """
        if not self._filled or (self.ended and 2 * self._filled < self.length):
            return None
        self._kept[self._filled :] = 0.0
        self._filled = 0
        return self._kept[: self.length, None]

    def clear(self) -> None:
        """Begin anew: the stream was interrupted. What was kept is overwritten."""
        self._kept[:] = 0.0
        self._filled = self.ended = 0
