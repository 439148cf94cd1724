"""The clairvoyant optimum: what could be had by one who knows the whole day's weather, on the same board.

Dynamic programming, backwards over the day in steps of ``STEP``, over the temperature of the slow mass. It
is a bound from above for all who keep under the target, because whatever a controller could do within a
step is allowed:

- the fast mass (3 to 20 s) is at its mean, and what must stay under the target is the step's mean;
- any mixture of rungs and rates within a step counts: the utility is the concave hull over the load;
- the fan is at the most that its hysteresis allows at that temperature;
- below a 3B+'s soft limit the clock is full, from there on it is capped, as its firmware does it.

What is left is the error of the grids: `error` solves a day on grids twice as fine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.board.simulated import Sky, Spec
from edged.board.simulated.specs import HYSTERESIS
from edged.governor import ladder
from edged.governor.ladder import Want

DAY = 86_400
STEP = 60  # seconds
GRID = 0.1  # °C
LOADS = 41
TOO_HOT = -1e6  # a step over the target, per °C: never worth it where it can be avoided

Line = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """``utility`` is the day's mean; ``course`` is (time, °C, load, utility) once a step."""

    utility: float
    course: Line


def optimum(spec: Spec, sky: Sky, want: Want, target: float, *, fine: int = 1) -> Optimum:
    """The best day under ``target`` °C. ``fine``: how many times as fine the grids are."""
    step, loads = STEP / fine, np.linspace(0.0, 1.0, (LOADS - 1) * fine + 1)
    times = np.arange(0.0, DAY, step)
    around = np.array([(one := sky(t)).air + one.sun for t in times]) + spec.rise
    coldest = around.min() + 0.4 * spec.slow[0] * spec.idle - 1.0
    grid = np.arange(coldest, max(target, around.max() + spec.slow[0] * spec.idle) + 2.0, GRID / fine)
    worth, drift, warmth = _board(spec, want, grid, loads)
    part = 1.0 - math.exp(-step / spec.slow[1])
    value, choice = np.zeros(len(grid)), np.zeros((len(times), len(grid)), np.int16)
    for at in range(len(times) - 1, -1, -1):
        after = grid[:, None] + (around[at] + drift - grid[:, None]) * part
        over = np.maximum(0.0, 0.5 * (grid[:, None] + after) + warmth - target)
        total = worth * step + TOO_HOT * over + np.interp(after, grid, value)
        choice[at] = total.argmax(axis=1)
        value = total.max(axis=1)
    start = around[0] + spec.slow[0] * spec.idle
    course = _rolled(start, around, part, (grid, loads, worth, drift, warmth, choice))
    return Optimum(float(course[:, 3].mean()), np.column_stack([times, course[:, 1:]]))


def error(spec: Spec, sky: Sky, want: Want, target: float) -> float:
    """By how much the grids matter, relative."""
    rough, fine = (optimum(spec, sky, want, target, fine=one).utility for one in (1, 2))
    return abs(fine - rough) / fine


def _board(spec: Spec, want: Want, grid: Line, loads: Line) -> tuple[Line, Line, Line]:
    """By temperature and load: utility, where the slow mass drifts to over its surroundings, fast mass."""
    shape = (len(grid), len(loads))
    worth = np.broadcast_to(hull(spec, want, loads, 1.0), shape)
    core = np.ones(shape)
    if spec.cap:
        hot = grid[:, None] + spec.fast[0] * spec.dynamic * loads >= spec.cap[0]
        worth = np.where(hot, hull(spec, want, loads, spec.cap[1]), worth)
        core = np.where(hot, (0.95 + 0.05 * spec.cap[1]) ** 2, core)
    dynamic = spec.dynamic * loads * core
    warmth = spec.fast[0] * dynamic
    fan = np.ones(shape)
    for point, factor in spec.fan:
        fan = np.where(grid[:, None] + warmth >= point - HYSTERESIS, factor, fan)
    return worth, spec.slow[0] * fan * (spec.idle + dynamic), warmth


def hull(spec: Spec, want: Want, loads: Line, clock: float) -> Line:
    """The largest utility of any mixture of rungs, by load, at ``clock``."""
    fine = np.linspace(0.0, clock, 2001)
    a, b = ladder.EXPONENTS[want.prefer]
    best = np.zeros(len(fine))
    for index, rung in enumerate(want.rungs):
        most = min(want.rate, ladder.SATURATION * clock / rung.latency)
        rate = np.minimum(most, fine * spec.cores / rung.cost)
        best = np.maximum(best, want.rungs[index].quality ** a * (rate / want.rate) ** b)
    corners = [0]
    for point in range(1, len(fine)):
        while len(corners) > 1 and _below(fine, best, corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return np.interp(loads, fine[corners], best[corners])


def _below(x: Line, y: Line, left: int, middle: int, right: int) -> bool:
    along = (x[middle] - x[left]) * (y[right] - y[left])
    return bool((y[middle] - y[left]) * (x[right] - x[left]) <= along)


def _rolled(
    slow: float, around: Line, part: float, tables: tuple[Line, Line, Line, Line, Line, npt.NDArray[np.int16]]
) -> Line:
    """The day forwards: (°C of the slow mass, °C of the die, load, utility) by step."""
    grid, loads, worth, drift, warmth, choice = tables
    course = np.zeros((len(around), 4))
    for at, air in enumerate(around):
        near = int(np.clip(np.rint((slow - grid[0]) / (grid[1] - grid[0])), 0, len(grid) - 1))
        load = choice[at, near]
        course[at] = slow, slow + warmth[near, load], loads[load], worth[near, load]
        slow += (air + drift[near, load] - slow) * part
    return course
