"""The governor's judgement: one look at the board in, one budget out. Pure; time is data, nothing is read
here.

A budget is a load, 0 to 1 of all cores at full clock, and it is the least that any concern allows: heat,
supply, energy, battery, others on the box, quiet hours. Any vitals give a budget: what cannot be is not
believed, and what is not believed counts as the worse (docs/governor.md has the table).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from edged.board.vitals import Vitals
from edged.governor import heat, observer, supply
from edged.governor.heat import Heat
from edged.governor.observer import Prior
from edged.governor.supply import Battery, Energy, Supply

RISE: Final = 0.02  # of full load a second: what was cut at once comes back within a minute
WAITING: Final = 0.25  # PSI: more than this share of time something waits for a CPU
OTHERS: Final = 0.10  # of all cores: less than that, and what waits is ourselves
OTHERS_LINGER: Final = 30.0  # seconds over which what others took is still kept free for them
YIELD: Final = 0.9  # of the load, each second that others wait
LEAST_YIELD: Final = 0.1  # of full load: what others cannot take from us
PATIENCE: Final = 0.01  # of full load a second, afterwards
DEFAULT_LIMIT: Final = 80.0  # °C, where no trip point is told: a Raspberry Pi's
LIMITS: Final = (45.0, 115.0)  # °C; a trip point outside of them is not believed
BELOW_LIMIT: Final = 2.0  # °C that the target lies under the limit
COOL: Final = 30.0  # °C under the target: headroom 0


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
    battery: Battery
    yielding: float = 1.0
    others: float = 0.0
    load: float = 1.0


class Budget(msgspec.Struct, frozen=True):
    """What is allowed from now on. ``concern`` names what binds: "", "heat", "blind", "supply", "energy",
    "battery", "others", "quiet".

    ``headroom`` is 1.0 at the target and 0 at 30 °C under it (Android's scale); ``seconds`` until the
    target if all went on as it did until this look. ``temperature`` is the believed one in °C, ``rising``
    °C a minute; None where there is no sensor or none that is believed, and then ``blind`` says why.
    """

    load: float
    concern: str = ""
    headroom: float = 0.0
    seconds: float = math.inf
    temperature: float | None = None
    rising: float = 0.0
    blind: str = ""


def begun(time: float) -> State:
    """Nothing is known yet: the first look decides."""
    return State(time, Heat(time), Supply(time), Battery(time))


def decided(
    state: State,
    vitals: Vitals,
    limits: Limits,
    day: float = 0.0,
    quiet: bool = False,
    own: float | None = None,
) -> tuple[State, Budget]:
    """What to remember, and the budget. ``day`` is the fraction of the local day that is over.

    ``own`` is the load that our own workers made since the last look; None: as much as they were allowed.
    """
    time = vitals.time if math.isfinite(vitals.time) else state.time
    if time < state.time:  # another clock: what is remembered is of no use
        state = begun(time)
    seconds, load = time - state.time, loaded(vitals, state.load)
    own = min(load, state.load if own is None or not 0.0 <= own <= 1.0 else own)
    others = max(load - own, state.others * math.exp(-seconds / OTHERS_LINGER))
    warm = state.heat
    if limits.thermal:
        warm = heat.judged(warm, time, vitals.temperature, load, limits.prior)
    power = supply.judged(state.supply, time, vitals.under_voltage is True, state.load, limits.floor)
    power = supply.metered(power, vitals.power, limits.idle + limits.dynamic * load, seconds, day)
    battery = supply.gauged(state.battery, time, vitals.charge, vitals.draining, limits.energy, limits.floor)
    yielding = _yielding(state, vitals.pressure, others, own, seconds)
    target = aimed(vitals, limits)
    concerns = {
        "heat": _heat(warm, target, others, limits),
        "supply": power.load if power.sagged is not None else 1.0,
        "energy": supply.rationed(limits.energy, power, limits.idle, limits.dynamic),
        "battery": battery.allowed,
        "others": yielding,
        "quiet": 0.0 if quiet else 1.0,
    }
    concern = min(concerns, key=lambda one: concerns[one])
    # What was cut at once comes back step by step, whatever had cut it.
    now = max(0.0, min(concerns[concern], state.load + RISE * seconds))
    told = "" if concerns[concern] >= 1.0 else "blind" if concern == "heat" and warm.blind else concern
    after = State(time, warm, power, battery, yielding, others, now)
    return after, _told(now, told, warm, target, load, limits.prior)


def aimed(vitals: Vitals, limits: Limits) -> float:
    """°C to stay under."""
    if limits.target is not None:
        return limits.target
    limit = vitals.limit
    believed = limit is not None and LIMITS[0] <= limit <= LIMITS[1]
    return (limit if believed and limit is not None else DEFAULT_LIMIT) - BELOW_LIMIT


def loaded(vitals: Vitals, allowed: float) -> float:
    """What the board is doing: what it tells, else what it was allowed to."""
    if vitals.busy is None or not 0.0 <= vitals.busy <= 1.0:
        return allowed
    clock = vitals.clock if vitals.clock is not None and 0.0 < vitals.clock <= 1.0 else 1.0
    return vitals.busy * clock


def _heat(warm: Heat, target: float, others: float, limits: Limits) -> float:
    """Others' load is heat as well; they get theirs first, and we what is left of the board's."""
    if not limits.thermal:
        return 1.0
    bearable = heat.allowed(warm, target, limits.floor, limits.prior)
    return bearable if warm.blind or bearable >= 1.0 else max(0.0, bearable - others)


def _yielding(state: State, pressure: float | None, others: float, own: float, seconds: float) -> float:
    """Additive up, multiplicative down, as networks share a line: only while others work and something
    waits.
    """
    if pressure is not None and WAITING < pressure <= 1.0 and others > OTHERS:
        return max(LEAST_YIELD, min(state.yielding, own) * math.pow(YIELD, seconds))
    return min(1.0, state.yielding + PATIENCE * seconds)


def _told(now: float, concern: str, warm: Heat, target: float, load: float, prior: Prior) -> Budget:
    belief = warm.belief
    if warm.blind:
        return Budget(now, concern, 1.0, 0.0, blind=warm.blind)
    if belief is None:
        return Budget(now, concern)
    hot = belief.temperature
    rising = (observer.forecast(belief, load, 10.0, prior) - hot) * 6.0
    headroom = max(0.0, 1.0 - (target - hot) / COOL)
    return Budget(now, concern, headroom, observer.seconds_to(belief, target, load, prior), hot, rising)
