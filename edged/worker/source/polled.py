"""Channels that are read when their turn comes: one attribute of the kernel's each, held open.

A sensor may take its time (a thermometer on a 1-wire bus: three quarters of a second), so a sample is read
channel by channel, and a ``read`` that has taken too long goes on at the next call.
"""

from __future__ import annotations

import errno
import math
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, WantWindow
from edged.worker.source.samples import STALL, GatheredSource, Gathering, agreed

LONGEST: Final = 4096  # bytes: sysfs gives a page at most
#: Samples a second where neither model nor config nor device name a rate.
USUAL: Final = 1.0
#: The device is gone; anything else is a reading that failed.
GONE: Final = frozenset((errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESRCH, errno.ESTALE))


class NoNumberError(ValueError):
    """What an attribute says instead of a number, by its kind: never its bytes."""


def number(content: bytes) -> float:
    """The one number that an attribute says. Raises ``NoNumberError`` for anything else."""
    words = content.split()
    if not words:
        raise NoNumberError("is empty")
    try:
        found = float(words[0])
    except ValueError:
        raise NoNumberError("says a text that is no number") from None
    if not math.isfinite(found):
        raise NoNumberError("says a number that is not finite")
    return found


class Probe:
    """One channel: its attribute, held open, and what makes of what it says a number in our unit. ``parse``
    raises ``NoNumberError`` for what is none; ``why`` is then in words what was wrong with it last.

    Raises ``UnavailableError``, ``RefusedError``.
    """

    def __init__(
        self,
        name: str,
        file: Path,
        scale: float = 1.0,
        offset: float = 0.0,
        parse: Callable[[bytes], float] = number,
    ) -> None:
        self.name, self.file, self.why = name, file, ""
        self._scale, self._offset, self._parse = scale, offset, parse
        try:
            self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            if stat.S_ISDIR(os.fstat(self._descriptor).st_mode):
                self.close()
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
        except OSError as error:
            raise trouble(name, file, error) from None

    def read(self) -> float | None:
        """value = said x scale + offset; None when there is none this time. Raises ``UnavailableError``."""
        try:
            said = self._parse(os.pread(self._descriptor, LONGEST, 0))
        except OSError as error:
            if error.errno in GONE:
                raise trouble(self.name, self.file, error) from None
            self.why = f"cannot be read: {os.strerror(error.errno or errno.EIO)}"
            return None
        except NoNumberError as error:
            self.why = str(error)
            return None
        return said * self._scale + self._offset

    def close(self) -> None:
        """Give it back. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def opened(each: Iterable[tuple[Any, ...]]) -> list[Probe]:
    """All probes, each by its arguments, or none at all. Raises ``UnavailableError``, ``RefusedError``."""
    made: list[Probe] = []
    try:
        for one in each:
            made.append(Probe(*one))
    except BaseException:
        for probe in made:
            probe.close()
        raise
    return made


def trouble(name: str, file: Path, error: OSError) -> UnavailableError | RefusedError:
    """What an error of the kernel means."""
    if error.errno == errno.EISDIR:
        return RefusedError(f"{name}: {file} is a folder", "name a file that holds a number")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnavailableError(
            f"{name}: {file} may not be read", "the user edged must be able to: see docs/sensors.md"
        )
    if error.errno in GONE:
        return UnavailableError(f"{name}: {file} is not there", "is the sensor plugged in?")
    return UnavailableError(f"{name}: {file} cannot be read: {error.strerror}", "is the sensor plugged in?")


class PolledSource(GatheredSource):
    """Samples of several probes, ``sample_rate`` a second; a sample that lacks one of them counts as dropped.

    ``what`` names the sensor in errors. ``timeout``: so many seconds without a whole sample and it is lost.
    """

    def __init__(
        self, probes: Sequence[Probe], want: WantWindow, sample_rate: float, timeout: float, what: str
    ) -> None:
        self._probes, self._what, self._timeout = list(probes), what, timeout
        try:
            per_second = agreed(want, sample_rate, what) or USUAL
            super().__init__(Gathering(want, [one.name for one in probes]), per_second)
        except BaseException:
            self.close()
            raise
        self._period = 1.0 / per_second
        self._sample: list[float] = []
        self._missed = 0
        self._next = self._whole = time.monotonic()
        self._asked = self._next

    @property
    def dropped(self) -> int:
        """See ``Source``; samples that were due and not read count too."""
        return self._missed + super().dropped

    def read(self, timeout: float) -> Frame | None:
        """See ``Source``."""
        deadline = time.monotonic() + timeout
        while (wait := self._gathering.wait(now := time.monotonic())) != 0.0:
            until = min(self._next, deadline, math.inf if wait is None else now + wait)
            if until > now:
                time.sleep(until - now)
            if (now := time.monotonic()) >= self._next:
                self._go_on(now, deadline)
            if time.monotonic() >= deadline:
                break
        now = time.monotonic()
        return self._gathering.taken(now) if self._gathering.wait(now) == 0.0 else None

    def close(self) -> None:
        """Give the files back. May be called twice."""
        for one in self._probes:
            one.close()

    def _go_on(self, now: float, deadline: float) -> None:
        """Read the channels that the sample still lacks, as far as the time allows."""
        if not self._sample:
            self._asked = now
        for probe in self._probes[len(self._sample) :]:
            value = probe.read()
            if value is None:
                self._failed(probe)
                return
            self._sample.append(value)
            if time.monotonic() >= deadline and len(self._sample) < len(self._probes):
                return
        self._gathering.add(np.array([self._sample], np.float32), self._asked)
        self._whole = time.monotonic()
        self._advance()

    def _failed(self, probe: Probe) -> None:
        self._missed += 1
        self._gathering.lost(1)
        self._advance()
        silent = time.monotonic() - self._whole
        if silent >= self._timeout:
            raise UnavailableError(
                f"{self._what}: {probe.name} gave no number for {silent:.0f} s: {probe.file} {probe.why}",
                "is the sensor wired well, and is it this file? `cat` of it shows what it says",
            )

    def _advance(self) -> None:
        """To the next point of the grid; those that have gone by unread are missed."""
        self._sample = []
        passed = int((time.monotonic() - self._next) / self._period)
        self._missed += passed
        if passed * self._period > STALL:
            self._gathering.lost(passed)
        self._next += (passed + 1) * self._period
