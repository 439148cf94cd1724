"""Power meters on the supply: INA2xx and their like, by hwmon or by IIO.

hwmon gives finished numbers (millivolts, milliamperes, microwatts); IIO gives ``raw`` to be multiplied by
``scale`` (millivolts, milliamperes, milliwatts). Which rail a meter sits on nobody tells: of several the
one that measures the most watts is the board's input, because no rail takes more than all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from edged.board.attribute import Attribute, text
from edged.board.host import Host
from edged.board.shelf import Shelf

CHIP: Final = re.compile(r"^(ina\d|ltc29|ltc42|pac19|max34|isl28|adm12)", re.IGNORECASE)
MOST_VOLTS, MOST_AMPERES = 60.0, 50.0  # more, no board of this kind bears
#: A rail that was once seen in between is the board's 5 V: a lithium cell is never above it, two never below.
FIVE: Final = (4.75, 5.5)
#: Where a Raspberry Pi calls it under-voltage.
UNDER: Final = 4.63
DEAD: Final = 3.0  # volts: no board runs here, so the meter must be wrong


class Reading(NamedTuple):
    """Of one meter, what it knows now."""

    volts: float | None
    watts: float | None


class _Quantity:
    """A number in a unit of its own; ``scale`` makes volts, amperes or watts of it."""

    __slots__ = ("_attribute", "_least", "_most", "_scale")

    def __init__(self, attribute: Attribute, scale: float, most: float, least: float = 0.0) -> None:
        self._attribute, self._scale, self._most, self._least = attribute, scale, most, least

    def read(self) -> float | None:
        read = self._attribute.number()
        value = None if read is None else read * self._scale
        return value if value is not None and self._least <= value <= self._most else None


class _Channel:
    """Volts, amperes and watts of one rail, each where there is one."""

    def __init__(self, volts: _Quantity | None, amperes: _Quantity | None, watts: _Quantity | None) -> None:
        self._volts, self._amperes, self._watts = volts, amperes, watts
        self._five = False

    def read(self) -> Reading:
        volts = self._volts.read() if self._volts else None
        watts = self._watts.read() if self._watts else None
        if watts is None and self._amperes and volts is not None:
            amperes = self._amperes.read()
            watts = None if amperes is None else volts * abs(amperes)
        return Reading(volts, watts)

    def supply(self, volts: float | None) -> float | None:
        """``volts`` where this is the board's 5 V rail, None where it is not known to be."""
        self._five = self._five or (volts is not None and FIVE[0] <= volts <= FIVE[1])
        return volts if self._five and volts is not None and volts >= DEAD else None


class Meters:
    """Every meter that the machine has."""

    def __init__(self, host: Host, shelf: Shelf) -> None:
        self._channels = [*_hwmon(host.sys, shelf), *_iio(host.sys, shelf)]

    def read(self) -> tuple[float | None, float | None]:
        """The supply's volts and the board's watts; each None where no meter tells."""
        read = [(one, one.read()) for one in self._channels]
        volts = [found for one, now in read if (found := one.supply(now.volts)) is not None]
        watts = [now.watts for _, now in read if now.watts is not None]
        return min(volts, default=None), max(watts, default=None)


def _hwmon(sys: Path, shelf: Shelf) -> Iterator[_Channel]:
    for name in sorted((sys / "class/hwmon").glob("hwmon*/name")):
        if not CHIP.search(text(name)):
            continue
        folder = name.parent
        for place in ("1", "2", "3"):  # in0 is the shunt's; an INA3221 has three rails
            volts = _quantity(shelf, folder / f"in{place}_input", 1e-3, MOST_VOLTS)
            amperes = _quantity(shelf, folder / f"curr{place}_input", 1e-3, MOST_AMPERES, -MOST_AMPERES)
            watts = _quantity(shelf, folder / f"power{place}_input", 1e-6, MOST_VOLTS * MOST_AMPERES)
            if watts or (volts and amperes):
                yield _Channel(volts, amperes, watts)


def _iio(sys: Path, shelf: Shelf) -> Iterator[_Channel]:
    for name in sorted((sys / "bus/iio/devices").glob("iio:device*/name")):
        if CHIP.search(text(name)):
            folder = name.parent
            yield _Channel(
                _scaled(shelf, folder, "in_voltage1", MOST_VOLTS),  # in_voltage0 is the shunt's
                _scaled(shelf, folder, "in_current3", MOST_AMPERES, -MOST_AMPERES),
                _scaled(shelf, folder, "in_power2", MOST_VOLTS * MOST_AMPERES),
            )


def _quantity(shelf: Shelf, file: Path, scale: float, most: float, least: float = 0.0) -> _Quantity | None:
    attribute = shelf.open(file)
    return _Quantity(attribute, scale, most, least) if attribute else None


def _scaled(shelf: Shelf, folder: Path, channel: str, most: float, least: float = 0.0) -> _Quantity | None:
    """IIO's raw, by its scale in thousandths of a volt, an ampere or a watt."""
    try:
        scale = float(text(folder / f"{channel}_scale")) / 1000.0
    except ValueError:
        return None
    sound = 0.0 < scale < 1e3
    return _quantity(shelf, folder / f"{channel}_raw", scale, most, least) if sound else None
