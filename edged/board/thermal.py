"""How warm the board is: the kernel's thermal zones.

A zone is a folder of ``/sys/class/thermal`` with a ``type``, a ``temp`` in milli-degrees Celsius and trip
points. Boards have several: of the processor, of the battery, of the wireless card, of a chip that reads
100 °C for ever. Only what tells of the processor counts, and of those the hottest; where none is named
so, the hottest of those that are not known to be something else.

A sensor that cannot be read, or reads what no board survives, is no reading: it must never pass for cold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from edged.board.attribute import number, text
from edged.board.host import Host

SYS: Final = Path("/sys")
#: What an industrial-grade part bears; a reading beyond is a broken sensor's.
COLDEST, HOTTEST = -40.0, 150.0
#: Zones of the processor, as drivers and device trees call them: cpu-thermal (Raspberry Pi, Allwinner, NXP),
#: soc-thermal, bigcore0-thermal, littlecore-thermal, center-thermal (Rockchip), cpuss0 (Qualcomm),
#: x86_pkg_temp and TCPU (Intel), mtktscpu (MediaTek), imx_thermal_zone.
PROCESSOR: Final = re.compile(r"cpu|soc|core|x86_pkg|center|imx_thermal", re.IGNORECASE)
#: Zones of something else, which may be hotter or colder without a word on the processor. PMIC-Die of some
#: boards is a constant 100 °C.
ELSEWHERE: Final = re.compile(
    r"batt|charg|wifi|wlan|modem|nvme|phy|skin|pmic|fan|int340|pch|usb|ambient|board", re.IGNORECASE
)
#: Where a Raspberry Pi's firmware begins to slow down, which its trip points do not tell (config.txt,
#: temp_limit).
PI_LIMIT: Final = 80.0
PI3_SOFT_LIMIT: Final = 60.0  # the 3B+ lowers its frequency here first (temp_soft_limit)


class Trip(NamedTuple):
    """A temperature at which the kernel acts: "active" (fan), "passive" (slower), "hot", "critical" (off)."""

    kind: str
    celsius: float


class Zone(NamedTuple):
    """One thermal zone. ``celsius`` is None when it cannot be read or is no possible temperature."""

    name: str  #: thermal_zone0
    kind: str  #: cpu-thermal
    celsius: float | None
    trips: tuple[Trip, ...] = ()


def temperature(sys: Path = SYS) -> float | None:
    """Degrees Celsius of the processor's hottest zone, None when nothing tells."""
    zone = hottest(zones(sys, with_trips=False))
    return zone.celsius if zone else None


def hottest(found: Iterable[Zone]) -> Zone | None:
    """The zone that stands for the board: the hottest readable one of the processor, else of what may be
    it.
    """
    return max(candidates(found), key=lambda one: one.celsius or 0.0, default=None)


def candidates(found: Iterable[Zone]) -> list[Zone]:
    """The readable zones of the processor; where none is named so, those of what may be it."""
    readable = [one for one in found if one.celsius is not None]
    named = [one for one in readable if PROCESSOR.search(one.kind)]
    return named or [one for one in readable if not ELSEWHERE.search(one.kind)]


def zones(sys: Path = SYS, *, with_trips: bool = True) -> Iterator[Zone]:
    """Every thermal zone, in the kernel's order."""
    folders = (sys / "class/thermal").glob("thermal_zone*")
    for folder in sorted(folders, key=lambda one: int(re.sub(r"\D", "", one.name) or 0)):
        trips = tuple(_trips(folder)) if with_trips else ()
        yield Zone(folder.name, _kind(sys, folder), _celsius(folder / "temp"), trips)


def _kind(sys: Path, folder: Path) -> str:
    """The type. A battery's gauge makes a zone too, which is called as the battery is."""
    kind = text(folder / "type")
    gauges = {one.name for one in (sys / "class/power_supply").glob("*")}
    return f"{kind} (battery)" if kind in gauges else kind


def limit_of(host: Host, found: list[Zone]) -> tuple[float | None, str]:
    """Where the board acts against heat first, and how. A Rock's hottest zone has no trip points, its
    others have.
    """
    passive, grave = lowest_trip(found, "passive"), lowest_trip(found, "hot", "critical")
    limits = [(PI_LIMIT, "the firmware slows it down")] if host.pi() else []
    if "3 Model B Plus" in host.model() or "3 Model A Plus" in host.model():
        limits.append((PI3_SOFT_LIMIT, "the firmware lowers its frequency"))
    limits += [(passive, "the kernel slows it down")] if passive is not None else []
    limits += [(grave, "the kernel switches it off")] if grave is not None else []
    return min(limits, default=(None, ""))


def lowest_trip(found: Iterable[Zone], *kinds: str) -> float | None:
    """The lowest trip point of these kinds."""
    return min((trip.celsius for zone in found for trip in zone.trips if trip.kind in kinds), default=None)


def _trips(folder: Path) -> Iterator[Trip]:
    for file in sorted(folder.glob("trip_point_*_temp"), key=lambda one: int(one.name.split("_")[2])):
        celsius = _celsius(file)
        if celsius is not None:
            yield Trip(text(file.with_name(file.name.replace("_temp", "_type"))), celsius)


def _celsius(file: Path) -> float | None:
    return celsius_of(number(file))


def celsius_of(milli: int | None) -> float | None:
    """Of milli-degrees. Exactly 0 is what dead sensors and unset trip points read: no temperature."""
    celsius = milli / 1000.0 if milli else None
    return celsius if celsius is not None and COLDEST <= celsius <= HOTTEST else None
