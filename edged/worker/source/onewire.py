"""The onewire source: thermometers on a 1-wire bus, as the kernel's w1_therm shows them.

A reading takes the sensor up to 750 ms (12 bits), and the bus is busy for as long.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from edged import units
from edged.config import shape
from edged.worker.source import WantWindow, device
from edged.worker.source.polled import NoNumberError, PolledSource, number, opened

#: DS18S20, DS1822, DS18B20, DS1825, DS28EA00 (drivers/w1/slaves/w1_therm.c).
FAMILIES: Final = ("10", "22", "28", "3b", "42")
#: What a DS18B20 says before it has measured at all: it had no power for it (data sheet, power-on reset).
RESET: Final = 85_000.0
#: Milli-degrees that no thermometer moves between two readings.
LEAP: Final = 10_000.0


class OneWireSource(PolledSource):
    """In °C."""

    def __init__(self, config: shape.OneWire, want: WantWindow, sys: Path | None = None) -> None:
        folder = (sys or device.SYS) / "bus/w1/devices"
        probes = opened(
            (name, folder / name / "temperature", 1.0 / units.ONEWIRE[1], 0.0, Thermometer())
            for name in channels(config, sys)
        )
        super().__init__(probes, want, config.sample_rate, config.timeout, "the 1-wire bus")


class Thermometer:
    """Milli-degrees; 85 °C out of nowhere is none."""

    def __init__(self) -> None:
        self._last = math.nan

    def __call__(self, content: bytes) -> float:
        """Raises ``NoNumberError``."""
        found = number(content)
        if found == RESET and not abs(found - self._last) < LEAP:
            raise NoNumberError("says 85 °C out of nowhere: the sensor had no power to measure")
        self._last = found
        return found


def channels(config: shape.OneWire, sys: Path | None = None) -> tuple[str, ...]:
    """Those that are named, else all that are on the bus now. Raises ``RefusedError``."""
    if config.channels:
        return config.channels
    folder = (sys or device.SYS) / "bus/w1/devices"
    there = sorted(one.name for one in folder.glob("??-*") if one.name[:2] in FAMILIES)
    return device.selected((), iter(there), "the 1-wire bus")
