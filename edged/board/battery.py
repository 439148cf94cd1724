"""Batteries and what charges them: ``/sys/class/power_supply`` (microvolts, microamperes, microwatts).

A HAT with a gauge is one (max17040, bq27xxx, sbs-battery), a laptop's battery too. A mouse's is not ours
(``scope`` is Device). Drivers differ in what they know: some tell a capacity in percent, some a charge or
an energy beside a full one, some a status, some only which way the current flows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from edged.board.attribute import text
from edged.board.host import Host
from edged.board.shelf import Shelf, number

MOST_WATTS: Final = 500.0
#: What a status says of draining. "Not charging" is fed and full enough; "Unknown" says nothing.
STATUS: Final = {"Discharging": True, "Charging": False, "Full": False, "Not charging": False}
ALWAYS: Final = ("status", "present", "capacity", "power_now", "current_now", "voltage_now")
BY_HAND: Final = ("energy_now", "energy_full", "charge_now", "charge_full")
MOST_PERCENT: Final = 110  # gauges tell 101 and 102 of a full cell


class Store(NamedTuple):
    """What all batteries together are: ``charge`` 0..1, ``watts`` that they give now; None: not known."""

    charge: float | None = None
    draining: bool | None = None
    watts: float | None = None
    plugged: bool | None = None


class Batteries:
    """Every supply that the kernel knows of."""

    def __init__(self, host: Host, shelf: Shelf) -> None:
        folders = sorted((host.sys / "class/power_supply").glob("*/type"))
        ours = [one.parent for one in folders if text(one.with_name("scope")) != "Device"]
        kinds = {folder: text(folder / "type") for folder in ours}
        self._batteries = [_Battery(one, shelf) for one, kind in kinds.items() if kind in ("Battery", "UPS")]
        self._mains = [
            online
            for folder, kind in kinds.items()
            if kind not in ("Battery", "UPS") and (online := shelf.open(folder / "online"))
        ]

    def read(self) -> Store:
        """All of them now."""
        online = [said for one in self._mains if (said := one.number()) is not None]
        plugged = any(one > 0 for one in online) if online else None
        if not self._batteries:
            return Store(plugged=plugged)
        found = [one.read() for one in self._batteries]
        charges = [one.charge for one in found if one.charge is not None]
        return Store(
            sum(charges) / len(charges) if charges else None,
            _draining([one.draining for one in found], plugged),
            _sum([one.watts for one in found if one.draining]),
            plugged,
        )


class _Battery:
    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._has = {name: shelf.open(folder / name) for name in ALWAYS}
        # Where the kernel answers in percent, a second way would be more trips on a slow bus.
        if self._number("capacity") is None:
            self._has |= {name: shelf.open(folder / name) for name in BY_HAND}

    def read(self) -> Store:
        if self._number("present") == 0:
            return Store()
        status = self._has["status"]
        amperes = self._number("current_now")
        draining = STATUS.get(status.text()) if status else None
        if draining is None and amperes is not None and amperes < 0:
            draining = True  # the sign is a convention that is kept where it is negative at all
        return Store(self._charge(), draining, self._watts(amperes))

    def _charge(self) -> float | None:
        percent = self._number("capacity")
        if percent is not None:
            return min(1.0, percent / 100.0) if 0 <= percent <= MOST_PERCENT else None
        for what in ("energy", "charge"):
            now, full = self._number(f"{what}_now"), self._number(f"{what}_full")
            if now is not None and full is not None and full > 0 and 0 <= now <= 1.2 * full:
                return min(1.0, now / full)
        return None

    def _watts(self, microamperes: int | None) -> float | None:
        watts = self._number("power_now")
        microvolts = self._number("voltage_now")
        if watts is not None:
            found = abs(watts) / 1e6
        elif microamperes is not None and microvolts is not None:
            found = abs(microamperes) * abs(microvolts) / 1e12
        else:
            return None
        return found if found <= MOST_WATTS else None

    def _number(self, name: str) -> int | None:
        return number(self._has.get(name))


def _draining(found: list[bool | None], plugged: bool | None) -> bool | None:
    """One that drains is enough; where none says, what is not plugged in drains."""
    if True in found:
        return True
    if False in found:
        return False
    return None if plugged is None else not plugged


def _sum(found: list[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return sum(known) if known else None
