"""How much load the power allows: a weak supply, an energy budget, a battery. Pure.

Under-voltage cuts to the floor at once: the next thing that it does is to damage the card. What the supply
could not bear is remembered, and the load comes back slowly and stays under it; each time that it gives way
again, the memory lasts twice as long.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

HOLD: Final = 60.0  # seconds at the floor after the last sign of a weak supply
RECOVERY: Final = 1.0 / 600.0  # of full load a second, afterwards; a battery's, too
SHY: Final = 0.85  # of the load at which the supply sagged
FORGIVING: Final = 0.05 / 600.0  # of full load a second by which that memory fades, halved by each relapse
RELAPSES: Final = 6  # that are counted
GAUGE_LOST: Final = 60.0  # seconds without a charge from a battery that had one
LEARNT: Final = 300.0  # seconds over which a meter corrects the model of the board's watts
MOST_WATTS: Final = 100.0  # what a meter on such a board can say


class Supply(msgspec.Struct, frozen=True):
    """What is remembered of the supply. ``proven`` is the load that it is trusted with, ``sagged`` when it
    last gave way, ``strikes`` how often. ``spent`` are watt-hours since the local day began; ``day`` is
    how much of it was over, ``bias`` the watts that a meter says more than the model of the board.
    """

    time: float
    load: float = 1.0
    proven: float = 1.0
    sagged: float | None = None
    strikes: int = 0
    spent: float = 0.0
    day: float = 0.0
    bias: float = 0.0


def judged(supply: Supply, time: float, weak: bool, load: float, floor: float) -> Supply:
    """The memory after one more look; ``load`` was allowed until now."""
    seconds = max(0.0, time - supply.time)
    if weak:
        return _sagged(supply, time, load, floor)
    if supply.sagged is None:
        return msgspec.structs.replace(supply, time=time)
    fading = FORGIVING * 0.5 ** max(0, supply.strikes - 1)
    proven = min(1.0, supply.proven + fading * seconds)
    if time - supply.sagged < HOLD:
        return msgspec.structs.replace(supply, time=time, load=floor, proven=proven)
    now = min(proven, supply.load + RECOVERY * seconds)
    if now >= 1.0:
        return Supply(time, spent=supply.spent, day=supply.day, bias=supply.bias)
    return msgspec.structs.replace(supply, time=time, load=now, proven=proven)


def _sagged(supply: Supply, time: float, load: float, floor: float) -> Supply:
    """One sag lasts until ``HOLD`` is over: what comes within it is no news."""
    known = supply.sagged is not None and time - supply.sagged < HOLD
    proven = supply.proven if known else min(supply.proven, max(floor, SHY * load))
    strikes = supply.strikes if known else min(RELAPSES, supply.strikes + 1)
    return msgspec.structs.replace(supply, time=time, load=floor, proven=proven, sagged=time, strikes=strikes)


def metered(supply: Supply, measured: float | None, expected: float, seconds: float, day: float) -> Supply:
    """The watt-hours after so many seconds more, by the meter or else as ``expected``; a new day begins
    with none. A clock that is set back by less than half a day does not make a new one.
    """
    day = day if 0.0 <= day <= 1.0 else supply.day
    spent = 0.0 if day < supply.day - 0.5 else supply.spent
    watts, bias = expected + supply.bias, supply.bias
    if measured is not None and 0.0 <= measured <= MOST_WATTS:
        watts = measured
        bias += (measured - expected - bias) * (1.0 - math.exp(-seconds / LEARNT))
    return msgspec.structs.replace(supply, spent=spent + watts * seconds / 3600.0, day=day, bias=bias)


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner allows. ``watt_hours`` per day (0: any), ``reserve`` and ``comfort`` charges of a
    battery.
    """

    watt_hours: float = 0.0
    reserve: float = 0.2
    comfort: float = 0.5


def rationed(energy: Energy, supply: Supply, idle: float, dynamic: float) -> float:
    """The load that spreads what is left of the day's watt-hours evenly over what is left of the day;
    ``idle`` and ``dynamic`` are the watts at rest and what full load adds.
    """
    if not energy.watt_hours > 0.0:
        return 1.0
    hours = max(0.05, 24.0 * (1.0 - supply.day))
    watts = (energy.watt_hours - supply.spent) / hours
    return min(1.0, max(0.0, (watts - idle - supply.bias) / max(0.1, dynamic)))


class Battery(msgspec.Struct, frozen=True):
    """What is remembered of a battery: the load that it ``allowed``, and when it was last ``heard``."""

    time: float
    allowed: float = 1.0
    heard: float | None = None


def gauged(
    battery: Battery, time: float, charge: float | None, draining: bool | None, energy: Energy, floor: float
) -> Battery:
    """The memory after one more look at the gauge: down at once, up slowly, so that no cloud shows.

    None and no battery so far: there is none. A gauge that was lost or says what cannot be: the floor.
    """
    seconds = max(0.0, time - battery.time)
    risen = min(1.0, battery.allowed + RECOVERY * seconds)
    if charge is not None and 0.0 <= charge <= 1.0:
        return Battery(time, min(risen, drained(energy, charge, draining)), time)
    if battery.heard is None:
        return Battery(time) if charge is None else Battery(time, floor)
    lost = time - battery.heard > GAUGE_LOST
    return Battery(time, min(risen, floor) if lost else battery.allowed, battery.heard)


def drained(energy: Energy, charge: float, draining: bool | None) -> float:
    """The load that a battery allows: all above comfort or while it is being charged, none at the reserve."""
    if draining is False and charge > energy.reserve:
        return 1.0
    return min(1.0, max(0.0, (charge - energy.reserve) / max(0.01, energy.comfort - energy.reserve)))
