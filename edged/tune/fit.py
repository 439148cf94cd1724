"""How a board warms: the governor's two masses, fitted to what its sensor said at a known load. Pure.

The time constants are sought on a grid, everything else is linear in what was said: the case's rest
temperature and the two gains solve a least squares problem of three unknowns. A few minutes tell little of
a mass that takes seven, so what is usual of these boards (``USUAL``) weighs in as one more observation of
each number: the less was seen, the closer the answer stays to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from edged.governor.observer import GAIN_RANGE, Prior

USUAL: Final = Prior()
#: One standard deviation of what is usual: °C of the two gains, and of the constants' logarithms.
GAINS: Final = (15.0, 6.0)
CONSTANTS: Final = (0.5, 0.8)
NOISE: Final = 0.5  # °C that a reading is off: resolution, noise, and what two masses do not explain
LEAST_RISE: Final = 3.0  # °C between the coldest and the hottest reading
LEAST_STEP: Final = 0.2  # of full load
SLOW: Final = tuple(60.0 * 1.22**n for n in range(15))  # seconds, to 970
FAST: Final = tuple(1.5 * 1.33**n for n in range(12))  # seconds, to 35


class Sample(NamedTuple):
    """A second: ``time`` in s, °C, load (0..1 of all cores at full clock) since the last one, watts."""

    time: float
    temperature: float | None
    load: float
    watts: float | None = None


class Fit(NamedTuple):
    """``rest`` is where it goes without load, °C; ``error`` what the fit is off by on the mean (root mean
    square, °C).
    """

    prior: Prior
    rest: float
    error: float


class Watts(NamedTuple):
    """At rest, and what all cores add."""

    idle: float
    dynamic: float


def fitted(samples: Sequence[Sample]) -> Fit | None:
    """The masses that explain the samples best; None where too little changed to tell."""
    warm = [one for one in samples if one.temperature is not None]
    if len(warm) < 20 or not _telling(warm):
        return None
    _, slow, fast = min((_score(warm, slow, fast)[0], slow, fast) for slow in SLOW for fast in FAST)
    near = [1.22 ** (n / 4) for n in range(-3, 4)]
    _, slow, fast = min((_score(warm, slow * a, fast * b)[0], slow * a, fast * b) for a in near for b in near)
    _, (rest, slow_gain, fast_gain), error = _score(warm, slow, fast)
    (least_slow, most_slow), (least_fast, most_fast) = GAIN_RANGE
    prior = Prior(
        slow=round(slow, 1),
        fast=round(fast, 2),
        slow_gain=round(min(most_slow, max(least_slow, slow_gain)), 2),
        fast_gain=round(min(most_fast, max(least_fast, fast_gain)), 2),
    )
    return Fit(prior, round(rest, 1), round(error, 2))


def watts(samples: Sequence[Sample]) -> Watts | None:
    """A line through load and watts; None without a meter, or where the load hardly changed."""
    metered = [(one.load, one.watts) for one in samples if one.watts is not None]
    if len(metered) < 10:
        return None
    loads = [load for load, _ in metered]
    middle, mean = sum(loads) / len(loads), sum(power for _, power in metered) / len(metered)
    spread = sum((load - middle) ** 2 for load in loads)
    if max(loads) - min(loads) < LEAST_STEP:
        return None
    slope = sum((load - middle) * (power - mean) for load, power in metered) / spread
    return Watts(round(max(0.0, mean - slope * middle), 2), round(max(0.0, slope), 2))


def _telling(samples: Sequence[Sample]) -> bool:
    said = [one.temperature or 0.0 for one in samples]
    loads = [one.load for one in samples]
    return max(said) - min(said) >= LEAST_RISE and max(loads) - min(loads) >= LEAST_STEP


def _score(
    samples: Sequence[Sample], slow: float, fast: float
) -> tuple[float, tuple[float, float, float], float]:
    """How ill these constants fit (less is better), the rest temperature and both gains, the error in °C."""
    x = y = samples[0].load
    last, rows, said = samples[0].time, list[tuple[float, ...]](), list[float]()
    for one in samples:
        seconds, last = one.time - last, one.time
        x += (one.load - x) * (1.0 - math.exp(-seconds / slow))
        y += (one.load - y) * (1.0 - math.exp(-seconds / fast))
        rows.append((1.0, x, y))
        said.append(one.temperature or 0.0)
    answer = _solved(rows, said)
    off = sum((_dot(row, answer) - told) ** 2 for row, told in zip(rows, said, strict=True))
    usual = (USUAL.slow_gain, USUAL.fast_gain)
    strange = sum(((a - b) / s) ** 2 for a, b, s in zip(answer[1:], usual, GAINS, strict=True))
    strange += (math.log(slow / USUAL.slow) / CONSTANTS[0]) ** 2
    strange += (math.log(fast / USUAL.fast) / CONSTANTS[1]) ** 2
    return off / NOISE**2 + strange, answer, math.sqrt(off / len(rows))


def _solved(rows: Sequence[tuple[float, ...]], said: Sequence[float]) -> tuple[float, float, float]:
    """Least squares with what is usual of the gains, by Cramer's rule."""
    weights = (0.0, (NOISE / GAINS[0]) ** 2, (NOISE / GAINS[1]) ** 2)
    usual = (0.0, USUAL.slow_gain, USUAL.fast_gain)
    matrix = [
        [sum(row[i] * row[j] for row in rows) + (weights[i] if i == j else 0.0) for j in range(3)]
        for i in range(3)
    ]
    right = [
        sum(row[i] * told for row, told in zip(rows, said, strict=True)) + weights[i] * usual[i]
        for i in range(3)
    ]
    whole = _determinant(matrix)
    found = [
        _determinant([[right[i] if j == at else matrix[i][j] for j in range(3)] for i in range(3)]) / whole
        for at in range(3)
    ]
    return found[0], found[1], found[2]


def _determinant(m: Sequence[Sequence[float]]) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _dot(row: Sequence[float], answer: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(row, answer, strict=True))
