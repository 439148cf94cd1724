"""The hwmon source: chips of the kernel's hardware monitoring (temperatures, voltages, fans).

Documentation/hwmon/sysfs-interface.rst: each channel is a file TYPEn_input in the kernel's unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edged import units
from edged.config import shape
from edged.worker.source import WantWindow, device
from edged.worker.source.polled import PolledSource, opened

CHANNEL = re.compile(r"([a-z]+[0-9]+)_(input|average)\Z")


class HwmonSource(PolledSource):
    """In our units: °C, V, A, W."""

    def __init__(self, config: shape.Hwmon, want: WantWindow, sys: Path | None = None) -> None:
        folder = _folder(config, sys)
        probes = opened((name, _file(folder, name), 1.0 / _scale(name)) for name in channels(config, sys))
        super().__init__(probes, want, config.sample_rate, config.timeout, f"hwmon {config.device}")


def channels(config: shape.Hwmon, sys: Path | None = None) -> tuple[str, ...]:
    """Those that are named, else all that the chip has. Raises ``UnavailableError``, ``RefusedError``."""
    there = _there(_folder(config, sys))
    return device.selected(config.channels, there, f"hwmon {config.device}")


def _folder(config: shape.Hwmon, sys: Path | None) -> Path:
    return device.chosen(config.device, (sys or device.SYS) / "class/hwmon", "hwmon*")


def _there(folder: Path) -> Iterator[str]:
    """Power meters have an average where others have an input."""
    found = (CHANNEL.match(one.name) for one in folder.iterdir())
    return iter(sorted({one[1] for one in found if one}))


def _file(folder: Path, name: str) -> Path:
    average = folder / f"{name}_average"
    return (
        average if average.exists() and not (folder / f"{name}_input").exists() else folder / f"{name}_input"
    )


def _scale(name: str) -> float:
    return units.HWMON.get(units.family(name), units.NONE)[1]
