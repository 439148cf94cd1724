"""What time it is, and whether that can be believed. The shell around the clocks: it asks, nothing is decided elsewhere.

Durations are ``CLOCK_MONOTONIC``, as the worker stamps them. ``CLOCK_BOOTTIME`` counts on through a suspend, so
``CLOCK_REALTIME - CLOCK_BOOTTIME`` changes only when somebody sets the time: a step is seen at once, a suspend is none, and
slewing (which bends all three alike) does not show.

A Raspberry Pi boots with a clock that is wrong. It is believed once the kernel says so (``adjtimex`` without ``STA_UNSYNC``) or
systemd-timesyncd left its mark, and from then on for the rest of the boot, network or not, until it is stepped while nobody
vouches for it: a free-running crystal is wrong by seconds a day, a clock that was never set by years.
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Final, Literal

import msgspec

STA_UNSYNC: Final = 0x0040  # include/uapi/linux/timex.h
TIME_ERROR: Final = 5  # the same: what adjtimex returns while nobody keeps the clock
TIMESYNCD_MARK: Final = Path("/run/systemd/timesync/synchronized")
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
STEP: Final = 1.0  # seconds; a leap second is no reason to disbelieve a clock


class Reading(msgspec.Struct, frozen=True):
    """How the stamps of one source become epoch seconds, and whether they may.

    ``asleep`` and ``offset`` are added to a stamp: the first gives seconds that never jump (of the boot, or of the recording's
    own clock), the second epoch seconds (UTC). ``good`` is false while the time is not known to be right. ``monotonic`` is when
    this was read. ``boot`` identifies the boot. ``live`` is false for a recording.
    """

    monotonic: float
    asleep: float
    offset: float
    good: bool
    boot: str
    because: str = ""
    live: bool = True

    def moment(self, stamp: float) -> float:
        """The stamp in seconds of the boot (``CLOCK_BOOTTIME``)."""
        return stamp + self.asleep

    def epoch(self, stamp: float) -> float:
        """The stamp in epoch seconds; only ``good`` readings give right ones."""
        return stamp + self.asleep + self.offset

    @property
    def now(self) -> float:
        """Epoch seconds when this was read."""
        return self.epoch(self.monotonic)

    def recording(self, start: float | None = None) -> Reading:
        """The reading for a recording whose own clock starts at 0. ``start`` (epoch seconds) is what its owner says; None is now.

        When the owner says nothing and the time is not known yet, neither is the recording's.
        """
        if start is not None:
            return Reading(0.0, start, 0.0, True, self.boot, "the owner says when it was recorded", live=False)
        if self.good:
            return Reading(0.0, self.now, 0.0, True, self.boot, self.because, live=False)
        return Reading(0.0, self.moment(self.monotonic), 0.0, False, self.boot, self.because, live=False)


class Clock:
    """The machine's clocks. ``known`` is an earlier daemon's (boot id, offset) of when the time was right."""

    def __init__(self, trust: Literal["synchronised", "always"], known: tuple[str, float] | None = None) -> None:
        raise NotImplementedError

    def read(self) -> Reading:
        """What the clocks say now."""
        raise NotImplementedError
