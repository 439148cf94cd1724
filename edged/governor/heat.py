"""How much load the heat allows: a pure function of what the sensor says and what was believed before.

Each second the observer is asked for the largest load whose forecast stays under the ceiling over the next
``HORIZONS``. The ceiling is the target less what the observer is unsure of. So a cold board may run flat
out until it nears its target, and then glides along it: no bouncing off the firmware's limit, and no tuning
for a fan, a box or the sun.

A sensor that fails, freezes or says what cannot be is *blind*, and blind means hot: the load is the floor
until it speaks again.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from edged.governor import observer
from edged.governor.observer import Belief, Prior

HORIZONS: Final = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)  # seconds
SURE: Final = 2.0  # standard deviations under the target
LEAST_MARGIN: Final = 0.1  # °C
PLAUSIBLE: Final = (-40.0, 125.0)  # °C; what these chips' sensors can say
LEAP: Final = 25.0  # °C between two readings: no board does that
SETTLED: Final = 10.0  # seconds without another leap until the sensor is believed again
FROZEN: Final = 1800.0  # seconds of one and the same reading: it is asked by going to the floor
FROZEN_WARM: Final = 1.5  # °C that its load must warm the die by, or going to the floor would ask nothing
FROZEN_MOVED: Final = 3.0  # °C that the die must have moved by, by its load, while the reading stood still
LOST: Final = 5.0  # seconds without a reading
LONG: Final = 60.0  # seconds between two looks (a suspended board): begin anew

GONE: Final = "the temperature cannot be read"
ABSURD: Final = "the temperature sensor says what cannot be"
LEAPT: Final = "the temperature sensor leaps"
STUCK: Final = "the temperature sensor is frozen"


class Heat(msgspec.Struct, frozen=True):
    """What is remembered from one second to the next. ``blind`` says why nothing is believed, "" when all
    is well.

    ``reading`` stands still ``since``; meanwhile the ``warmth`` of the die over its case, by its load
    alone, was between ``low`` and ``high``. ``heard`` and ``leapt`` are when it last said something
    plausible, and something that cannot follow what it said before.
    """

    time: float
    belief: Belief | None = None
    reading: float = math.nan
    since: float = 0.0
    warmth: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    heard: float = -math.inf
    leapt: float = -math.inf
    blind: str = ""


def judged(heat: Heat, time: float, measured: float | None, load: float, prior: Prior) -> Heat:
    """The memory after one more reading (None: the sensor failed) at ``time``, ``load`` having been kept
    since the last.
    """
    silent = time - heat.heard
    heat = _elapsed(heat, time, load, prior)
    if measured is None or not PLAUSIBLE[0] <= measured <= PLAUSIBLE[1]:
        why = GONE if measured is None else ABSURD
        return msgspec.structs.replace(heat, blind=why) if silent > LOST else heat
    if silent <= LONG and abs(measured - heat.reading) > LEAP:
        return _anew(heat, measured, leapt=time, blind=LEAPT)
    if time - heat.leapt <= SETTLED:
        return _anew(heat, measured, leapt=heat.leapt, blind=LEAPT)
    heat = _watched(heat, measured)
    belief = observer.begin(measured, prior) if heat.belief is None else heat.belief
    if not heat.blind:
        belief = observer.corrected(belief, measured)
    return msgspec.structs.replace(heat, belief=belief, heard=time)


def allowed(heat: Heat, target: float, floor: float, prior: Prior) -> float:
    """The load (0..1) of the whole board from now on, the floor while blind."""
    if heat.blind or heat.belief is None:
        return floor
    ceiling = target - max(LEAST_MARGIN, SURE * heat.belief.doubt)
    return min(1.0, max(0.0, observer.bearable(heat.belief, ceiling, HORIZONS, prior)))


def _elapsed(heat: Heat, time: float, load: float, prior: Prior) -> Heat:
    """Time goes on, by the model alone."""
    seconds, belief = time - heat.time, heat.belief
    if seconds > LONG:
        return Heat(time, blind=heat.blind)
    if belief is not None and seconds > 0.0:
        belief = observer.after(belief, load, seconds, prior)
    part = 1.0 - math.exp(-max(0.0, seconds) / prior.fast)
    warmth = heat.warmth + (prior.fast_gain * load - heat.warmth) * part
    return msgspec.structs.replace(heat, time=time, belief=belief, warmth=warmth)


def _anew(heat: Heat, reading: float, *, leapt: float, blind: str) -> Heat:
    """Nothing of before is believed, neither is this."""
    time = heat.time
    return Heat(time, None, reading, time, heat.warmth, heat.warmth, heat.warmth, time, leapt, blind)


def _watched(heat: Heat, measured: float) -> Heat:
    """Whether the reading moves when the die must: a change of load shows within seconds."""
    warmth = heat.warmth
    if measured != heat.reading:
        return msgspec.structs.replace(
            heat, reading=measured, since=heat.time, low=warmth, high=warmth, blind=""
        )
    low, high = min(heat.low, warmth), max(heat.high, warmth)
    asked = heat.time - heat.since > FROZEN and warmth > FROZEN_WARM
    stuck = high - low > FROZEN_MOVED or asked
    # Neither a gap nor a leap is over because the sensor repeats itself; a frozen one repeats itself too.
    blind = STUCK if stuck else "" if heat.blind != STUCK else heat.blind
    return msgspec.structs.replace(heat, low=low, high=high, blind=blind)
