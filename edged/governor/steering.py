"""From a budget to what each pipeline does: its rung and its rate, without flapping. Pure.

The rate follows the budget at once downwards and in steps upwards. The rung follows what it would be worth:
the utility that is lost by staying is added up second by second, and only when it exceeds the price of a
switch is the rung changed. In steady weather little is lost and nothing switches; where a better rung is
plainly better, it is taken within the minute.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from edged.governor import ladder
from edged.governor.ladder import Want

STEP: Final = 1.04  # between two rates
UP_AFTER: Final = 5.0  # seconds at a rate before a faster one
SMOOTH: Final = 30.0  # seconds over which a budget is smoothed before a rung is chosen by it
PRICE: Final = 10.0  # seconds of full utility that a switch must be worth
DWELL_DOWN: Final = 60.0  # seconds on a rung before a cheaper one
DWELL_UP: Final = 1800.0  # before a dearer one: four switches an hour at most
RESUME: Final = 1.25  # of what the least takes: a paused pipeline goes on only with some room
RESUME_AFTER: Final = 30.0  # seconds


class Course(msgspec.Struct, frozen=True):
    """What a pipeline does: a ``rung`` of the want's, by index, at ``rate`` frames per second (0: paused)."""

    time: float
    rung: int
    rate: float
    sustained: float
    regret: float = 0.0
    switched: float = -math.inf
    changed: float = -math.inf

    @property
    def paused(self) -> bool:
        """Nothing is looked at."""
        return self.rate <= 0.0


def begun(want: Want, cores: float, time: float) -> Course:
    """At first: the best that the budget allows."""
    cores = min(cores, ladder.most(want))
    rung, _ = ladder.best(want, cores)
    return Course(
        time, rung, _stepped(want, rung, ladder.affordable(want, rung, cores)), cores, switched=time
    )


def steered(course: Course, want: Want, cores: float, time: float) -> Course:
    """The course from ``time`` on with ``cores`` to spend; infinity where nothing binds."""
    if course.rung >= len(want.rungs):  # the ladder is another one
        return begun(want, cores, time)
    seconds = max(0.0, time - course.time)
    part = 1.0 - math.exp(-seconds / SMOOTH)
    cores = min(cores, ladder.most(want))
    sustained = course.sustained + (cores - course.sustained) * part
    course = _rung(msgspec.structs.replace(course, time=time, sustained=sustained), want, seconds)
    return _rate(course, want, cores)


def _rung(course: Course, want: Want, seconds: float) -> Course:
    rung, most = ladder.best(want, course.sustained)
    now = ladder.utility(want, course.rung, ladder.affordable(want, course.rung, course.sustained))
    regret = max(0.0, course.regret + (most - now) * seconds) if rung != course.rung else 0.0
    starved = now <= 0.0 < most
    dwell = DWELL_UP if want.rungs[rung].cost > want.rungs[course.rung].cost else DWELL_DOWN
    if rung != course.rung and (starved or (regret > PRICE and course.time - course.switched > dwell)):
        return msgspec.structs.replace(course, rung=rung, regret=0.0, switched=course.time)
    return msgspec.structs.replace(course, regret=regret)


def _rate(course: Course, want: Want, cores: float) -> Course:
    wanted = _stepped(want, course.rung, ladder.affordable(want, course.rung, cores))
    still = course.time - course.changed
    if course.paused and wanted:
        held_back = cores < RESUME * ladder.floor(want) or still < RESUME_AFTER
        wanted = 0.0 if held_back else wanted
    elif wanted > course.rate and still < UP_AFTER:
        wanted = course.rate
    if wanted == course.rate:
        return course
    return msgspec.structs.replace(course, rate=wanted, changed=course.time)


def _stepped(want: Want, rung: int, rate: float) -> float:
    """The step at or below ``rate``; steps count down from the rung's largest."""
    most = ladder.ceiling(want, rung)
    if rate <= 0.0 or rate >= most:
        return max(0.0, min(rate, most))
    step = most * STEP ** -math.ceil((math.log(most) - math.log(rate)) / math.log(STEP) - 1e-9)
    return max(step, ladder.least(want))
