"""The governor's judgement: one look at the board in, one budget out. Pure; time is data, nothing is read
here.

A budget is a load, 0 to 1 of all cores at full clock, and it is the least that any concern allows: heat,
supply, energy, battery, others on the box, quiet hours.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from edged.board.vitals import Vitals
from edged.governor import heat, observer, supply
from edged.governor.heat import Heat
from edged.governor.observer import Prior
from edged.governor.supply import Energy, Supply

WAITING: Final = 0.25  # PSI: more than this share of time something waits for a CPU
OTHERS: Final = 0.10  # of all cores: less than that, and what waits is ourselves
YIELD: Final = 0.9  # of the load, each second that others wait
PATIENCE: Final = 0.01  # of full load a second, afterwards
DEFAULT_LIMIT: Final = 80.0  # °C, where no trip point is told: a Raspberry Pi's
BELOW_LIMIT: Final = 2.0  # °C that the target lies under the limit


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner allows and what is known of the board. ``target`` in °C, None: two below the board's
    limit.

    ``floor`` is the load that is safe on any supply and in any heat (the least rates of the cheapest
    rungs). ``idle`` and ``dynamic`` are watts, where there is no meter.
    """

    target: float | None = None
    floor: float = 0.05
    prior: Prior = Prior()
    energy: Energy = Energy()
    idle: float = 2.5
    dynamic: float = 4.0
    thermal: bool = True


class State(msgspec.Struct, frozen=True):
    """All that is remembered between two looks."""

    time: float
    heat: Heat
    supply: Supply
    yielding: float = 1.0
    load: float = 1.0


class Budget(msgspec.Struct, frozen=True):
    """What is allowed from now on. ``concern`` names what binds: "", "heat", "blind", "supply", "energy",
    "battery", "others", "quiet". ``headroom`` is 1.0 at the target (Android's scale: 0 is 30 °C under
    it); ``seconds`` until the target at full load.
    """

    load: float
    concern: str = ""
    headroom: float = 0.0
    seconds: float = math.inf


def begun(time: float) -> State:
    """Nothing is known yet: the first look decides."""
    return State(time, Heat(time), Supply(time))


def decided(
    state: State, vitals: Vitals, limits: Limits, day: float = 0.0, quiet: bool = False
) -> tuple[State, Budget]:
    """What to remember, and the budget. ``day`` is the fraction of the local day that is over."""
    time, load = vitals.time, _load(vitals, state.load)
    target = limits.target or (vitals.limit or DEFAULT_LIMIT) - BELOW_LIMIT
    warm = (
        heat.judged(state.heat, time, vitals.temperature, load, limits.prior)
        if limits.thermal
        else state.heat
    )
    power = supply.judged(state.supply, time, vitals.under_voltage is True, state.load, limits.floor)
    power = _metered(power, state, vitals, limits, load)
    yielding = _yielding(state, vitals, load)
    allowed = {
        "heat": heat.allowed(warm, target, limits.floor, limits.prior) if limits.thermal else 1.0,
        "supply": power.load if power.sagged is not None else 1.0,
        "energy": supply.rationed(limits.energy, power.spent, day, limits.idle, limits.dynamic),
        "battery": supply.drained(limits.energy, vitals.charge, vitals.draining),
        "others": yielding,
        "quiet": 0.0 if quiet else 1.0,
    }
    concern = min(allowed, key=lambda one: allowed[one])
    # What was cut at once comes back step by step, whatever had cut it.
    now = max(0.0, min(allowed[concern], state.load + heat.RISE * max(0.0, time - state.time)))
    told = "" if allowed[concern] >= 1.0 else "blind" if concern == "heat" and warm.blind else concern
    budget = Budget(now, told, *_outlook(warm, target, limits.prior))
    return State(time, warm, power, yielding, now), budget


def _load(vitals: Vitals, asked: float) -> float:
    """What the board is doing: what it tells, else what it was told to."""
    if vitals.busy is None or not 0.0 <= vitals.busy <= 1.0:
        return asked
    clock = vitals.clock if vitals.clock is not None and 0.0 < vitals.clock <= 1.0 else 1.0
    return vitals.busy * clock


def _metered(power: Supply, state: State, vitals: Vitals, limits: Limits, load: float) -> Supply:
    watts = vitals.power if vitals.power is not None else limits.idle + limits.dynamic * load
    hours = max(0.0, vitals.time - state.time) / 3600.0
    return msgspec.structs.replace(power, spent=power.spent + watts * hours)


def _yielding(state: State, vitals: Vitals, load: float) -> float:
    """Additive up, multiplicative down, as networks share a line: only while others work and something
    waits.
    """
    others = max(0.0, load - state.load)
    seconds = max(0.0, vitals.time - state.time)
    if vitals.pressure is not None and vitals.pressure > WAITING and others > OTHERS:
        return max(0.1, min(state.yielding, state.load) * YIELD**seconds)
    return min(1.0, state.yielding + PATIENCE * seconds)


def _outlook(warm: Heat, target: float, prior: Prior) -> tuple[float, float]:
    if warm.belief is None or warm.blind:
        return (1.0, 0.0) if warm.blind else (0.0, math.inf)
    headroom = max(0.0, 1.0 - (target - warm.belief.temperature) / 30.0)
    return headroom, observer.seconds_to(warm.belief, target, 1.0, prior)
