"""How much load the power allows: a weak supply, an energy budget, a battery. Pure.

Under-voltage cuts to the floor at once: the next thing that it does is to damage the card. What the supply
could not bear is remembered, and the load comes back slowly and stays under it.
"""

from __future__ import annotations

from typing import Final

import msgspec

HOLD: Final = 60.0  # seconds at the floor after the last sign of a weak supply
RECOVERY: Final = 1.0 / 600.0  # of full load a second, afterwards
SHY: Final = 0.85  # of the load at which the supply sagged
FORGIVING: Final = 0.05 / 600.0  # of full load a second by which that memory fades


class Supply(msgspec.Struct, frozen=True):
    """What is remembered of the supply. ``proven`` is the load that it is trusted with, ``sagged`` when it
    last gave way.
    """

    time: float
    load: float = 1.0
    proven: float = 1.0
    sagged: float | None = None
    spent: float = 0.0  # watt-hours since the day began


def judged(supply: Supply, time: float, weak: bool, load: float, floor: float) -> Supply:
    """The memory after one more second at ``load``."""
    seconds = max(0.0, time - supply.time)
    if weak:
        proven = min(supply.proven, max(floor, SHY * max(load, supply.load if supply.load < 1.0 else load)))
        proven = proven if supply.sagged is None or time - supply.sagged > HOLD else supply.proven
        return msgspec.structs.replace(supply, time=time, load=floor, proven=proven, sagged=time)
    if supply.sagged is None:
        return msgspec.structs.replace(supply, time=time)
    proven = min(1.0, supply.proven + FORGIVING * seconds)
    if time - supply.sagged < HOLD:
        return msgspec.structs.replace(supply, time=time, proven=proven)
    now = min(proven, supply.load + RECOVERY * seconds)
    done = now >= 1.0
    return msgspec.structs.replace(
        supply, time=time, load=now, proven=proven, sagged=None if done else supply.sagged
    )


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner allows. ``watt_hours`` per day (0: any), ``reserve`` and ``comfort`` charges of a
    battery.
    """

    watt_hours: float = 0.0
    reserve: float = 0.2
    comfort: float = 0.5


def rationed(energy: Energy, spent: float, day: float, idle: float, dynamic: float) -> float:
    """The load that spreads what is left of the day's watt-hours evenly over what is left of the day.

    ``spent`` watt-hours since it began, ``day`` the fraction of it that is over, ``idle`` and ``dynamic``
    the watts at rest and what full load adds.
    """
    if not energy.watt_hours:
        return 1.0
    hours = max(0.05, 24.0 * (1.0 - day))
    return min(1.0, max(0.0, ((energy.watt_hours - spent) / hours - idle) / dynamic))


def drained(energy: Energy, charge: float | None, draining: bool | None) -> float:
    """The load that a battery allows: all above comfort or while it is being charged, none at the reserve."""
    if charge is None or (draining is False and charge > energy.reserve):
        return 1.0
    return min(1.0, max(0.0, (charge - energy.reserve) / (energy.comfort - energy.reserve)))
