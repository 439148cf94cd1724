"""What time it is, and whether that can be believed.

Durations are ``CLOCK_MONOTONIC``, as the worker stamps them. ``CLOCK_BOOTTIME`` counts on through a suspend,
so ``CLOCK_REALTIME - CLOCK_BOOTTIME`` changes only when somebody sets the time: a step is seen at once, a
suspend is none, and slewing (which bends all three alike) does not show.

A Raspberry Pi boots with a clock that is wrong. It is believed once the kernel says so (``adjtimex`` without
``STA_UNSYNC``) or systemd-timesyncd left its mark, and from then on for the rest of the boot, network or not,
until it is stepped while nobody vouches for it: a free-running crystal is wrong by seconds a day, a clock
that was never set by years.
"""

from __future__ import annotations

import datetime
import os
import time
import zoneinfo
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from edged.errors import ConfigError

STA_UNSYNC: Final = 0x0040  # include/uapi/linux/timex.h
TIMESYNCD_MARK: Final = Path("/run/systemd/timesync/synchronized")
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
LOCAL_ZONE: Final = Path("/etc/localtime")
STEP: Final = 1.5  # seconds; a leap second is no reason to disbelieve a clock
STEADY: Final = 0.001  # seconds that reading three clocks may take before it is done again


class Reading(msgspec.Struct, frozen=True):
    """How the stamps of one source become epoch seconds, and whether they may.

    ``asleep`` and ``offset`` are added to a stamp: the first gives seconds that never jump (of the boot, or
    of the recording's own clock), the second epoch seconds (UTC). ``good`` is false while the time is not
    known to be right. ``monotonic`` is when this was read. ``boot`` identifies the boot. ``live`` is false
    for a recording.
    """

    monotonic: float
    asleep: float
    offset: float
    good: bool
    boot: str
    because: str = ""
    live: bool = True

    def moment(self, stamp: float) -> float:
        """The stamp in seconds of the boot (``CLOCK_BOOTTIME``), or of the recording's own clock."""
        return stamp + self.asleep

    def epoch(self, stamp: float) -> float:
        """The stamp in epoch seconds; only ``good`` readings give right ones."""
        return stamp + self.asleep + self.offset

    @property
    def now(self) -> float:
        """Epoch seconds when this was read."""
        return self.epoch(self.monotonic)

    def recording(self, start: float | None = None) -> Reading:
        """The reading for a recording whose own clock starts at 0.

        ``start`` (epoch seconds) is what its owner says; None means now. When the owner says nothing and the
        time is not known yet, neither is the recording's: it waits as everything else does.
        """
        if start is not None:
            return Reading(0.0, start, 0.0, True, self.boot, "the owner says when it was recorded", False)
        begun = self.now if self.good else self.moment(self.monotonic)
        return Reading(0.0, begun, 0.0, self.good, self.boot, self.because, False)


@cache
def _adjtimex() -> tuple[Callable[[], int], Any]:
    """The call and its buffer. ``struct timex`` begins: unsigned modes; long offset, freq, maxerror,
    esterror; int status.
    """
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("numbers", ctypes.c_long * 4),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_char * 256),
        )

    timex = Timex()
    call = ctypes.CDLL(None).adjtimex
    return lambda: call(ctypes.byref(timex)), timex


def kernel_vouches() -> bool | None:
    """Whether the kernel holds the clock for synchronised; None when it may not be asked (``ProtectClock=``
    of systemd).
    """
    call, timex = _adjtimex()
    return None if call() < 0 else not timex.status & STA_UNSYNC


def timesyncd_mark() -> int:
    """When systemd-timesyncd last touched its mark, in ns; 0 when it has not in this boot."""
    try:
        return TIMESYNCD_MARK.stat().st_mtime_ns
    except OSError:
        return 0


def boot_id() -> str:
    """The kernel's name for this boot."""
    return BOOT_ID.read_text("ascii").strip()


class Judge:
    """Whether to believe the clock. Pure: what was seen is passed in.

    ``known`` is the offset of this boot at which an earlier daemon knew the time, if it did.
    """

    def __init__(self, trust: Literal["synchronised", "always"], known: float | None = None) -> None:
        self._always = trust == "always"
        self._right = known
        self._stale_mark = 0
        self._doubt = "nobody has set it yet"

    def believes(self, offset: float, kernel: bool | None, mark: int) -> tuple[bool, str]:
        """The verdict and its reason. ``offset`` is CLOCK_REALTIME - CLOCK_BOOTTIME, ``mark`` timesyncd's (0:
        none).
        """
        if self._always:
            return True, 'the config trusts it ([clock] trust = "always")'
        if kernel:
            self._right = offset
            return True, "the kernel says that it is synchronised"
        self._notice_step(offset, mark)
        if mark and mark != self._stale_mark:
            self._right = offset
            return True, "systemd-timesyncd has set it in this boot"
        if self._right is not None:
            return True, "it was right earlier in this boot and nobody has set it since"
        return False, self._doubt if kernel is not None else f"{self._doubt}, and the kernel may not be asked"

    def _notice_step(self, offset: float, mark: int) -> None:
        """Somebody set a clock that was right, and nobody vouches: doubt it, and the mark of before."""
        if self._right is not None and abs(offset - self._right) > STEP:
            self._right, self._stale_mark = None, mark
            self._doubt = "somebody has set it and nobody says that it is right"


class Clock:
    """The machine's clocks. ``known`` is (boot id, offset) of when an earlier daemon knew the time.

    ``vouches`` and ``mark`` say who is asked; they are there for tests of a machine that is not at hand.
    """

    def __init__(
        self,
        trust: Literal["synchronised", "always"],
        known: tuple[str, float] | None = None,
        *,
        vouches: Callable[[], bool | None] = kernel_vouches,
        mark: Callable[[], int] = timesyncd_mark,
    ) -> None:
        self._boot = boot_id()
        self._judge = Judge(trust, known[1] if known and known[0] == self._boot else None)
        self._vouches, self._mark = vouches, mark

    def read(self) -> Reading:
        """What the clocks say now. Takes microseconds: read it for every tick."""
        monotonic, asleep, offset = _clocks()
        good, because = self._judge.believes(offset, self._vouches(), self._mark())
        return Reading(monotonic, asleep, offset, good, self._boot, because)


def _clocks() -> tuple[float, float, float]:
    """CLOCK_MONOTONIC, and what to add for CLOCK_BOOTTIME and then for CLOCK_REALTIME; read together, to the
    millisecond.
    """
    while True:
        monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        realtime = time.clock_gettime(time.CLOCK_REALTIME)
        if time.clock_gettime(time.CLOCK_MONOTONIC) - monotonic < STEADY:
            return monotonic, round(boottime - monotonic, 3), round(realtime - boottime, 3)


def zone(name: str) -> datetime.tzinfo:
    """The time zone called ``name``, or the system's for "". Raises ``ConfigError``."""
    try:
        return zoneinfo.ZoneInfo(name or _local_name())
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        if name:
            raise ConfigError(
                f'[clock] timezone: this system knows no time zone "{name}"',
                'name one such as "Europe/Berlin"; if it knows none at all: apt install tzdata',
            ) from None
    return _local_zone()


def _local_name() -> str:
    """The system's zone by name: TZ, or where /etc/localtime points to; "" when neither says."""
    if name := os.environ.get("TZ", "").lstrip(":"):
        return name
    _, found, name = str(LOCAL_ZONE.resolve()).partition("/zoneinfo/")
    return name if found else ""


def _local_zone() -> datetime.tzinfo:
    """The system's zone by its file's content, when it is a copy without a name; UTC when there is none."""
    try:
        with LOCAL_ZONE.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError):
        return datetime.UTC
