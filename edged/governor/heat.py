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
RISE: Final = 0.02  # of full load a second: what was cut at once comes back within a minute
PLAUSIBLE: Final = (-40.0, 125.0)  # °C; what these chips' sensors can say
LEAP: Final = 25.0  # °C between two readings: no board does that
FROZEN: Final = 1800.0  # seconds of one and the same reading: it is asked by going to the floor
FROZEN_MOVED: Final = 3.0  # °C that a change of load must have made while the reading stood still
LOST: Final = 5.0  # seconds without a reading
LONG: Final = 60.0  # seconds between two looks (a suspended board): begin anew


class Heat(msgspec.Struct, frozen=True):
    """What is remembered from one second to the next. ``blind`` says why nothing is believed, "" when all
    is well.
    """

    time: float
    belief: Belief | None = None
    load: float = 0.0
    reading: float = math.nan
    since: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    heard: float = -math.inf
    blind: str = ""


def judged(heat: Heat, time: float, measured: float | None, load: float, prior: Prior) -> Heat:
    """The memory after one more reading (None: the sensor failed) at ``time``, ``load`` having been kept
    since the last.
    """
    seconds = time - heat.time
    belief = heat.belief
    if belief is not None and 0.0 < seconds <= LONG:
        belief = observer.after(belief, load, seconds, prior)
    elif seconds > LONG:
        belief = None
    if (why := _absurd(heat, measured)) or measured is None:
        why = why if time - heat.heard > LOST or why != "gone" else heat.blind
        return msgspec.structs.replace(heat, time=time, belief=belief, blind=_words(why))
    belief = observer.begin(measured, prior) if belief is None else belief
    heat = _watched(heat, time, measured, load, prior)
    if heat.blind:
        return msgspec.structs.replace(heat, time=time, belief=belief, heard=time)
    return msgspec.structs.replace(heat, time=time, belief=observer.corrected(belief, measured), heard=time)


def allowed(heat: Heat, target: float, floor: float, prior: Prior) -> float:
    """The load (0..1) from now on: down at once, up by ``RISE`` a second of what it was."""
    if heat.blind or heat.belief is None:
        return floor
    ceiling = target - max(LEAST_MARGIN, SURE * heat.belief.doubt)
    return min(1.0, max(0.0, observer.bearable(heat.belief, ceiling, HORIZONS, prior)))


def _absurd(heat: Heat, measured: float | None) -> str:
    if measured is None:
        return "gone"
    if not math.isfinite(measured) or not PLAUSIBLE[0] <= measured <= PLAUSIBLE[1]:
        return "absurd"
    return "leap" if abs(measured - heat.reading) > LEAP and heat.blind == "" else ""


def _words(why: str) -> str:
    return {
        "gone": "the temperature cannot be read",
        "absurd": "the temperature sensor says what cannot be",
        "leap": "the temperature sensor leapt",
    }.get(why, why)


def _watched(heat: Heat, time: float, measured: float, load: float, prior: Prior) -> Heat:
    """Whether the reading moves when the die must: a change of load shows within seconds."""
    if measured != heat.reading:
        return msgspec.structs.replace(heat, reading=measured, since=time, low=load, high=load, blind="")
    low, high, still = min(heat.low, load), max(heat.high, load), time - heat.since
    must_move = (high - low) * prior.fast_gain > FROZEN_MOVED and still > 4.0 * prior.fast
    blind = "the temperature sensor is frozen" if must_move or still > FROZEN else heat.blind
    return msgspec.structs.replace(heat, low=low, high=high, blind=blind)
