"""The onewire source: thermometers on a 1-wire bus, as the kernel's w1_therm shows them.

A reading takes the sensor up to 750 ms (12 bits), and the bus is busy for as long.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edged import units
from edged.config import shape
from edged.worker.source import WantWindow, device
from edged.worker.source.polled import LONGEST, NoNumberError, PolledSource, number, opened

#: DS18S20, DS1822, DS18B20, DS1825, DS28EA00 (drivers/w1/slaves/w1_therm.c).
FAMILIES: Final = ("10", "22", "28", "3b", "42")
#: Milli-degrees that they can measure (data sheets).
COLDEST, HOTTEST = -55_000.0, 125_000.0
#: What a DS18B20 says before it has measured at all: it had no power for it (data sheet, power-on reset).
RESET: Final = 85_000.0
#: Milli-degrees that no thermometer moves between two readings.
LEAP: Final = 10_000.0
#: What comes over a bus that is held down: their check sum is right, and no thermometer says them (data
#: sheet: its registers' sixth byte is never 0).
NOTHING: Final = [b"00"] * 9


class OneWireSource(PolledSource):
    """In °C."""

    def __init__(self, config: shape.OneWire, want: WantWindow, sys: Path | None = None) -> None:
        self._thermometers: list[Thermometer] = []
        folder = (sys or device.SYS) / "bus/w1/devices"
        try:
            probes = opened(self._each(folder, channels(config, sys)))
        except BaseException:
            self._let_go()
            raise
        super().__init__(probes, want, config.sample_rate, config.timeout, "the 1-wire bus")

    def _each(self, folder: Path, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        for name in names:
            self._thermometers.append(Thermometer(folder / name))
            file = folder / name / "temperature"
            yield name, file, 1.0 / units.ONEWIRE[1], 0.0, self._thermometers[-1]

    def close(self) -> None:
        """Give the files back. May be called twice."""
        super().close()
        self._let_go()

    def _let_go(self) -> None:
        for one in self._thermometers:
            one.close()


class Thermometer:
    """Milli-degrees of one of them. 85 °C out of nowhere are none, and 0 °C only if it has said them itself:
    for that it measures once more, and ``w1_slave`` in its ``folder`` has what came over the bus.
    """

    def __init__(self, folder: Path) -> None:
        self._last = math.nan
        self._bytes = -1
        file = folder / "w1_slave"
        if file.exists():
            self._bytes = os.open(file, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """May be called twice."""
        if self._bytes >= 0:
            os.close(self._bytes)
            self._bytes = -1

    def __call__(self, content: bytes) -> float:
        """Raises ``NoNumberError``; ``OSError`` where it cannot be asked again."""
        found = number(content)
        if not COLDEST <= found <= HOTTEST:
            raise NoNumberError("says what no thermometer can measure: is the bus wired well?")
        if not abs(found - self._last) < LEAP:
            if found == RESET:
                raise NoNumberError("says 85 °C out of nowhere: the sensor had no power to measure")
            if not found and self._bytes >= 0:
                found = _said(os.pread(self._bytes, LONGEST, 0))
        self._last = found
        return found


def _said(report: bytes) -> float:
    """What a thermometer itself said: its nine bytes, how their check sum is, and the number that they are.
    Raises ``NoNumberError``.
    """
    bus, _, again = report.partition(b"\n")
    if bus.split()[:9] == NOTHING or not bus.endswith(b"YES"):
        raise NoNumberError("says 0 °C out of nowhere, and its bytes on the bus do not: is it wired well?")
    return number(again.rpartition(b"t=")[2])


def channels(config: shape.OneWire, sys: Path | None = None) -> tuple[str, ...]:
    """Those that are named, else all that are on the bus now. Raises ``RefusedError``."""
    if config.channels:
        return config.channels
    folder = (sys or device.SYS) / "bus/w1/devices"
    there = sorted(one.name for one in folder.glob("??-*") if one.name[:2] in FAMILIES)
    return device.selected((), iter(there), "the 1-wire bus")
