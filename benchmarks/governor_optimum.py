"""The clairvoyant optimum: what could be had by one who knows the whole day's weather, on the same board.

Dynamic programming, backwards over the day in steps of ``STEP``, over the temperature of the slow mass. It
is a bound from above for all who keep under the target, because whatever a controller could do within a
step is allowed:

- the fast mass (3 to 20 s) is at its mean, and what must stay under the target is the step's mean;
- any mixture of rungs and rates within a step counts: the utility is the concave hull over the load;
- the fan is at the most that its hysteresis allows at that temperature;
- above a 3B+'s soft limit the clock is capped, as its firmware does it; about the limit any mixture of
  capped and full clock counts, at the watts of the capped one.

What it keeps is the target itself, as the governor means to; the half degree of grace is nobody's. What is
left is the error of the grids: `error` solves a day on finer ones.
"""

from __future__ import annotations

import itertools
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
LOADS = 31
TOO_HOT = -1e6  # a step over the target, per °C: never worth it where it can be avoided

Line = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """``utility`` is the day's mean; ``course`` is (time, °C of the slow mass, °C of the die, load, utility)
    once a step.
    """

    utility: float
    course: Line


def optimum(spec: Spec, sky: Sky, want: Want, target: float, *, fine: int = 1, step: float = STEP) -> Optimum:
    """The best day under ``target`` °C. ``fine``: how many times as fine temperatures and loads are."""
    board = Board(spec, want, target, _loads(spec, want, fine), step)
    times = np.arange(0.0, DAY, step)
    around = np.array([(one := sky(t)).air + one.sun for t in times]) + spec.rise
    coldest = around.min() + 0.4 * spec.slow[0] * spec.idle - 1.0
    grid = np.arange(coldest, max(target, around.max() + spec.slow[0] * spec.idle) + 2.0, GRID / fine)
    values = np.zeros((len(times) + 1, len(grid)))
    tables = board.tables(grid)
    for at in range(len(times) - 1, -1, -1):
        values[at] = board.choices(grid, around[at], tables, grid, values[at + 1])[0].max(axis=1)
    slow, course = around[0] + spec.slow[0] * spec.idle, np.zeros((len(times), 5))
    for at, time in enumerate(times):
        here = np.array([slow])
        total, after, hot, load, worth = board.choices(
            here, around[at], board.tables(here), grid, values[at + 1]
        )
        best = total[0].argmax()
        course[at] = time, slow, hot[0, best], load[0, best], worth[0, best]
        slow = after[0, best]
    return Optimum(float(course[:, 4].mean()), course)


def error(spec: Spec, sky: Sky, want: Want, target: float) -> float:
    """By how much it matters, relative, that temperatures and loads are coarse, or that the step is long:
    the larger of the two.
    """
    rough = optimum(spec, sky, want, target).utility
    finer = (
        optimum(spec, sky, want, target, fine=2).utility,
        optimum(spec, sky, want, target, step=STEP / 2).utility,
    )
    return max(abs(one - rough) / one for one in finer)


def _loads(spec: Spec, want: Want, fine: int) -> Line:
    """Evenly, and at each rung's largest rate, where the hull has its corners."""
    clocks = (1.0, spec.cap[1]) if spec.cap else (1.0,)
    corners = [
        min(want.rate, ladder.SATURATION * clock / one.latency) * one.cost / spec.cores
        for one, clock in itertools.product(want.rungs, clocks)
    ]
    evenly = np.linspace(0.0, 1.0, (LOADS - 1) * fine + 1)
    return np.unique(np.round(np.append(evenly, [one for one in corners if one < 1.0]), 4))


class Board:
    """What a board does and what it is worth, by °C of the slow mass and by load."""

    def __init__(self, spec: Spec, want: Want, target: float, loads: Line, step: float) -> None:
        self._spec, self._target, self._loads, self._step = spec, target, loads, step
        self._part = 1.0 - math.exp(-step / spec.slow[1])
        self._full = hull(spec, want, loads, 1.0)
        self._capped = hull(spec, want, loads, spec.cap[1] if spec.cap else 1.0)

    def tables(self, slow: Line) -> tuple[Line, Line, Line]:
        """Utility, where the slow mass drifts to over its surroundings, and °C of the fast mass."""
        spec, loads = self._spec, self._loads
        worth, core = np.tile(self._full, (len(slow), 1)), np.ones((len(slow), len(loads)))
        if spec.cap:
            hot = slow[:, None] + spec.fast[0] * spec.dynamic * loads >= spec.cap[0]
            mixed = hot[:, -1:] & ~hot[:, :1]
            worth = np.where(hot, self._capped, worth)
            for row in np.flatnonzero(mixed):
                worth[row] = _hulled(loads, worth[row])
            core = np.where(hot | mixed, (0.95 + 0.05 * spec.cap[1]) ** 2, core)
        dynamic = spec.dynamic * loads * core
        warmth = spec.fast[0] * dynamic
        fan = np.ones_like(core)
        for point, factor in spec.fan:
            fan = np.where(slow[:, None] + warmth >= point - HYSTERESIS, factor, fan)
        return worth, spec.slow[0] * fan * (spec.idle + dynamic), warmth

    def choices(
        self, slow: Line, around: float, tables: tuple[Line, Line, Line], grid: Line, value: Line
    ) -> tuple[Line, Line, Line, Line, Line]:
        """What each load is worth in all, the slow mass after it, the die, the load, and the utility now.

        The first load that is too much is mixed with the one below so that the step's mean is just at the
        target.
        """
        worth, drift, warmth = tables
        after = slow[:, None] + (around + drift - slow[:, None]) * self._part
        hot = 0.5 * (slow[:, None] + after) + warmth
        load = np.broadcast_to(self._loads, hot.shape)
        first, rows = (hot > self._target).argmax(axis=1), np.arange(len(slow))
        below = np.maximum(first - 1, 0)
        left, right = hot[rows, below], hot[rows, first]
        mixes = (first > 0) & (right > left)
        share = np.where(mixes, (self._target - left) / np.where(mixes, right - left, 1.0), 0.0)

        def mixed(table: Line) -> Line:
            one = table[rows, below] + share * (table[rows, first] - table[rows, below])
            return np.column_stack([table, one])

        after, die, load, worth = mixed(after), mixed(hot), mixed(load), mixed(worth)
        over = np.maximum(0.0, die - self._target - 1e-9)
        total = worth * self._step + TOO_HOT * over + np.interp(after, grid, value)
        return total, after, die, load, worth


def hull(spec: Spec, want: Want, loads: Line, clock: float) -> Line:
    """The largest utility of any mixture of rungs, by load, at ``clock``."""
    fine = np.linspace(0.0, clock, 2001)
    a, b = ladder.EXPONENTS[want.prefer]
    best = np.zeros(len(fine))
    for index, rung in enumerate(want.rungs):
        most = min(want.rate, ladder.SATURATION * clock / rung.latency)
        rate = np.minimum(most, fine * spec.cores / rung.cost)
        best = np.maximum(best, want.rungs[index].quality ** a * (rate / want.rate) ** b)
    return np.interp(loads, fine, _hulled(fine, best))


def _hulled(x: Line, y: Line) -> Line:
    """The least concave function that is nowhere less than ``y``."""
    corners = [0]
    for point in range(1, len(x)):
        while len(corners) > 1 and _below(x, y, corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return np.interp(x, x[corners], y[corners])


def _below(x: Line, y: Line, left: int, middle: int, right: int) -> bool:
    along = (x[middle] - x[left]) * (y[right] - y[left])
    return bool((y[middle] - y[left]) * (x[right] - x[left]) <= along)
