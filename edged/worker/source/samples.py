"""Samples -> frames: windows for a model, or, without a model, the mean of what came since the last frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.source import Frame, WantWindow
from edged.worker.source.hops import hop

#: Two rates that differ by less are the same: devices round.
ALIKE = 0.05
#: Seconds without a sample that a busy machine may need now and then, and that are no gap yet.
STALL: Final = 0.1


class Gathering:
    """Collects samples of ``channels`` until a frame is due. Pure: times come in.

    With a ``length`` a frame is a window of so many samples; the next one begins half a window later, or as
    much later as ``rate`` asks for. Without, it is the mean of all samples since the one before, float32 [1,
    channels], at most ``rate`` times a second. ``dropped`` counts windows that nobody fetched in time.
    """

    def __init__(self, want: WantWindow, channels: Sequence[str]) -> None:
        if want.channels and want.channels != len(channels):
            raise RefusedError(
                f"the model takes {want.channels} numbers a sample, and the source has {len(channels)}: "
                + ", ".join(channels),
                "name as many channels of the source, in the model's order",
            )
        self.rate = want.rate
        self.dropped = 0
        self.doubtful = False  #: whether samples may be missing before those that came last: no window yet
        self._length, self._hop = want.length, hop(want.length)
        self._ring = np.zeros((want.length, len(channels)), np.float32)
        self._sum = np.zeros(len(channels))
        self._fresh = self._held = 0  # samples since the last frame, and in the ring
        self._needed = 0  # samples there were when the frame came due
        self._lacking = 0.0  # samples that were lost since the last one that came
        self._newest = 0.0
        self._due: float | None = None

    def add(self, samples: NDArray[np.float32], time: float) -> None:
        """More of them, [samples, channels], the oldest first; ``time`` is the last one's."""
        count = len(samples)
        if not count:
            return
        self._lacking = 0.0
        self._fresh, self._newest = self._fresh + count, time
        if not self._length:
            self._sum += samples.sum(axis=0, dtype=np.float64)
        elif count >= self._length:
            self._ring[:] = samples[-self._length :]
        else:
            self._ring[:-count] = self._ring[count:]
            self._ring[-count:] = samples
        self._held = min(self._length, self._held + count)
        if not self._needed and self.wait(time) == 0.0:
            self._needed = self._fresh

    def wait(self, now: float) -> float | None:
        """Seconds until a frame is due that is there, 0 when one is; None when samples are missing for it."""
        if not self._ready:
            return None
        return 0.0 if self._due is None or not self.rate else max(0.0, self._due - now - 0.25 / self.rate)

    @property
    def _ready(self) -> bool:
        if not self._length:
            return bool(self._fresh)
        return self._held == self._length and self._fresh >= self._hop and not self.doubtful

    def taken(self, now: float) -> Frame:
        """The frame that is due."""
        period = 1.0 / self.rate if self.rate else 0.0
        due = now if self._due is None else self._due
        self._due = due + period if now - due < period else now + period
        if self._length:
            self.dropped += self._fresh // self._needed - 1 if self._needed else 0
            data = self._ring.copy()
        else:
            data = (self._sum[None] / self._fresh).astype(np.float32)
            self._sum[:] = 0.0
        self._fresh = self._needed = 0
        return Frame(data, self._newest)

    def lost(self, count: float) -> None:
        """So many samples did not come here. No window goes over a gap that is wider than two rates may
        differ: a model would see a leap that was none.
        """
        self._lacking += count
        if self._length and self._lacking > tolerable(self._length):
            self._fresh = self._held = self._needed = 0

    def forget(self) -> None:
        """The stream was interrupted: no window goes over the gap."""
        self._fresh = self._held = self._needed = 0
        self.doubtful = False
        self._sum[:] = 0.0

    def fps(self, sample_rate: float) -> float:
        """Frames a second at most, of so many samples a second; 0: unknown."""
        return sample_rate / self._hop if self._length else sample_rate


class GatheredSource:
    """A live source whose frames a ``Gathering`` makes, of ``sample_rate`` samples a second (0: unknown)."""

    recorded = False

    def __init__(self, gathering: Gathering, sample_rate: float) -> None:
        self._gathering = gathering
        self.fps = gathering.fps(sample_rate)

    @property
    def rate(self) -> float:
        """See ``Source``."""
        return self._gathering.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._gathering.rate = rate

    @property
    def dropped(self) -> int:
        """See ``Source``."""
        return self._gathering.dropped


def tolerable(length: int) -> float:
    """Samples in a row that may be missing in a window of ``length``: no more than by which two rates may
    differ.
    """
    return max(1.0, ALIKE * length)


def agreed(want: WantWindow, own: float, what: str) -> float:
    """Samples per second, of what the model wants and the source has (0: either is silent). Raises
    ``RefusedError`` where they contradict each other: a window would last another time than the model learnt.
    """
    wanted = want.sample_rate
    if wanted and own and abs(own - wanted) > ALIKE * wanted:
        raise RefusedError(
            f"the model takes {wanted:g} samples a second, and {what} gives {own:g}",
            "set sample_rate of the source to the model's, or take another model",
        )
    return own or wanted
