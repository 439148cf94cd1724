"""The board's temperatures, again and again: the processor's, the case's, a Coral's.

Thermal zones and hwmon chips are sorted by what they are when they are found. Those of the processor speak
for the board; without one named so, the zones of what may be it. A sensor beside it (an LM75 in the case)
never stands in for the processor: it is colder.

A sensor that has spoken and now fails makes the temperature unknown, even where another one speaks: the one
that fails may be the hotter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged.board.attribute import Attribute, text
from edged.board.host import Host
from edged.board.shelf import Shelf, largest
from edged.board.thermal import ELSEWHERE, PI_LIMIT, PROCESSOR, Zone, celsius_of, lowest_trip, zones

#: Processors' sensors by their drivers' names. Those that are thermal zones too are read there.
CHIP: Final = re.compile(r"^(coretemp|k8temp|k10temp|zenpower|cpu|soc|.*_cpu)", re.IGNORECASE)
#: Of such a chip's many, those that tell of all of it.
WHOLE: Final = re.compile(r"^(Package|Tctl|Tdie|Physical)")
#: Thermometers on a bus that are built to measure what surrounds them. Boards' own monitors (nct6775, it87)
#: have inputs that lead nowhere and read 127 °C; a 1-Wire sensor takes 750 ms.
AROUND: Final = re.compile(
    r"^(lm7|lm9|tmp|ds1[67]|adt7|mcp98|pct20|stts|sht|aht|hs300|g7|emc1)", re.IGNORECASE
)
LIMITS: Final = (40.0, 120.0)  # °C: what is outside is no limit of a board, but a trip point that is not set
BELOW_OFF: Final = 15.0  # °C under the trip point at which the kernel switches the board off


class Thermometer:
    """Every sensor of heat that the machine has."""

    def __init__(self, host: Host, shelf: Shelf) -> None:
        found = list(zones(host.sys))
        chips = list(_chips(host.sys))
        named = [one for one in found if PROCESSOR.search(one.kind)]
        other = [one for one in found if not ELSEWHERE.search(one.kind)]
        processor = [host.sys / "class/thermal" / one.name / "temp" for one in named]
        processor += [file for kind, file in chips if CHIP.search(kind)]
        if not processor:
            processor = [host.sys / "class/thermal" / one.name / "temp" for one in other]
        self._processor = [_Sensor(one) for file in processor if (one := shelf.open(file))]
        self._case = _opened(shelf, [file for kind, file in chips if AROUND.search(kind)])
        self._coral = _opened(shelf, sorted((host.sys / "class/apex").glob("apex_*/temp")))
        self._limit = _limit(host, named or other)

    @property
    def there(self) -> bool:
        """Whether anything tells of the processor's heat."""
        return bool(self._processor)

    def read(self, firmware_limit: float | None = None) -> dict[str, float | None]:
        """The fields of ``Vitals`` that it knows, in °C."""
        return {
            "temperature": _together([one.read() for one in self._processor]),
            "limit": self._limit if firmware_limit is None else firmware_limit,
            "case": largest([celsius_of(one.number()) for one in self._case]),
            "accelerator": largest([celsius_of(one.number()) for one in self._coral]),
        }


class _Sensor:
    """One of the processor's. ``read`` gives °C, None where it has never spoken, NaN where it has failed."""

    __slots__ = ("_attribute", "_spoke")

    def __init__(self, attribute: Attribute) -> None:
        self._attribute, self._spoke = attribute, False

    def read(self) -> float | None:
        celsius = celsius_of(self._attribute.number())
        self._spoke = self._spoke or celsius is not None
        return celsius if celsius is not None or not self._spoke else math.nan


def _together(found: list[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return None if any(map(math.isnan, known)) else max(known, default=None)


def _opened(shelf: Shelf, files: list[Path]) -> list[Attribute]:
    return [one for file in files if (one := shelf.open(file))]


def _chips(sys: Path) -> Iterator[tuple[str, Path]]:
    """hwmon's temperatures by their chip's name; not those that are a thermal zone or a battery too."""
    for name in sorted((sys / "class/hwmon").glob("hwmon*/name")):
        parts = name.resolve().parts
        if any(one.startswith("thermal_zone") for one in parts) or "power_supply" in parts:
            continue
        inputs = sorted(name.parent.glob("temp*_input"))
        labels = {file: text(file.with_name(file.name.replace("_input", "_label"))) for file in inputs}
        whole = [file for file in inputs if WHOLE.search(labels[file])]
        yield from ((text(name), file) for file in whole or inputs)


def _limit(host: Host, found: list[Zone]) -> float | None:
    """Where the firmware or the kernel begins to throttle. The soft limit of a 3B+ (60 °C) takes a seventh
    of the clock and is no such place: less would be done below it than above.
    """
    passive, grave = lowest_trip(found, "passive"), lowest_trip(found, "hot", "critical")
    told = [PI_LIMIT if host.pi() else None, passive, None if grave is None else grave - BELOW_OFF]
    return min((one for one in told if one is not None and LIMITS[0] <= one <= LIMITS[1]), default=None)
