"""What this board in this case does with heat, learnt from its own sensor while it works.

A Kalman filter over five numbers, all in °C: the ``base`` that the case goes to without work (air, sun,
what the board takes at rest), the ``case`` (board and housing), the ``die`` over its case, and what full
load adds to each of the two in the end. The load is known, so all of it is linear:

    temperature = case + die
    case' = (base + slow_gain x load - case) / slow
    die'  = (fast_gain x load - die) / fast

Two time constants are assumed (``Prior``; `edged tune` measures them). What they are wrong by, ``base``
takes up, which may drift: a fan that starts, the sun on the case, a lid that is closed need no name here.
The sensor's noise is learnt too, from how far it jumps about what was expected. Pure: a ``Belief`` in, a
``Belief`` out, time is data.

Source of the filter: R. E. Kalman, A New Approach to Linear Filtering and Prediction Problems, 1960; the
two masses are the usual fit of these boards' step responses (docs/governor.md).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

#: Variances per second by which each of the five may drift (°C^2/s), in order.
DRIFT: Final = (2e-2, 1e-4, 1e-3, 1e-3, 1e-4)
#: One standard deviation of what is believed of the five at first, °C.
DOUBT: Final = (15.0, 1.0, 1.0, 15.0, 4.0)
GAIN_RANGE: Final = ((3.0, 120.0), (0.5, 40.0))  # °C at full load, case and die
NOISE_RANGE: Final = (0.05**2, 3.0**2)  # °C^2
NOISE_MEMORY: Final = 0.01  # of each reading
TREND_MEMORY: Final = 0.1  # of each surprise
TREND_MOST: Final = 0.7  # three standard deviations of what white noise makes of it
OUTLIER: Final = 4.0  # standard deviations
UPHEAVAL: Final = 20.0**2  # °C^2


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """What is assumed of a board before it has shown anything: time constants in seconds, gains in °C."""

    slow: float = 300.0
    fast: float = 8.0
    slow_gain: float = 30.0
    fast_gain: float = 8.0


class Belief(msgspec.Struct, frozen=True):
    """The five numbers, their covariance (a symmetric 5 x 5, row by row), the sensor's variance, and how
    much the surprises of late had one sign (in their own standard deviations; white noise stays within
    +-1).
    """

    mean: tuple[float, float, float, float, float]
    spread: tuple[tuple[float, ...], ...]
    noise: float
    trend: float = 0.0

    @property
    def temperature(self) -> float:
        """°C now, without the sensor's noise."""
        return self.mean[1] + self.mean[2]

    @property
    def doubt(self) -> float:
        """One standard deviation of ``temperature``, °C."""
        p = self.spread
        return math.sqrt(max(0.0, p[1][1] + 2.0 * p[1][2] + p[2][2]))


def begin(temperature: float, prior: Prior) -> Belief:
    """All warmth is taken for the case's own."""
    spread = tuple(tuple(DOUBT[i] ** 2 if i == j else 0.0 for j in range(5)) for i in range(5))
    return Belief((temperature, temperature, 0.0, prior.slow_gain, prior.fast_gain), spread, 0.09)


def after(belief: Belief, load: float, seconds: float, prior: Prior) -> Belief:
    """The belief ``seconds`` later, at ``load`` (0..1) in between, before any look at the sensor."""
    base, case, die, slow_gain, fast_gain = belief.mean
    a, f = _share(seconds, prior.slow), _share(seconds, prior.fast)
    mean = (
        base,
        case + a * (base + slow_gain * load - case),
        die + f * (fast_gain * load - die),
        slow_gain,
        fast_gain,
    )
    # F P F' with F's two rows that are not the identity's written out: five times faster than loops.
    al, ac, fl, fc = a * load, 1.0 - a, f * load, 1.0 - f
    p0, p1, p2, p3, p4 = belief.spread
    r1 = [a * u + ac * v + al * w for u, v, w in zip(p0, p1, p3, strict=True)]
    r2 = [fc * v + fl * w for v, w in zip(p2, p4, strict=True)]
    rows = [
        [r[0], a * r[0] + ac * r[1] + al * r[3], fc * r[2] + fl * r[4], r[3], r[4]]
        for r in (p0, r1, r2, p3, p4)
    ]
    for i, drift in enumerate(DRIFT):
        rows[i][i] += drift * seconds
    return Belief(mean, tuple(map(tuple, rows)), belief.noise, belief.trend)


def corrected(belief: Belief, measured: float) -> Belief:
    """The belief after the sensor said ``measured`` °C."""
    p = belief.spread
    towards = [row[1] + row[2] for row in p]
    own = max(0.0, towards[1] + towards[2])
    low, high = NOISE_RANGE
    # A single reading that is far too cold is an outlier until others agree; one that is too hot is heeded.
    surprise = max(measured - belief.temperature, -OUTLIER * math.sqrt(own + max(low, belief.noise)))
    noise = belief.noise + NOISE_MEMORY * (min(high, max(low, surprise * surprise - own)) - belief.noise)
    total = own + max(low, noise)
    trend = belief.trend + TREND_MEMORY * (surprise / math.sqrt(total) - belief.trend)
    gain = [one / total for one in towards]
    mean = [x + k * surprise for x, k in zip(belief.mean, gain, strict=True)]
    for at, (least, most) in zip((3, 4), GAIN_RANGE, strict=True):
        mean[at] = min(most, max(least, mean[at]))
    spread = tuple(
        tuple(v - k * t for v, t in zip(row, towards, strict=True)) for row, k in zip(p, gain, strict=True)
    )
    if abs(trend) > TREND_MOST:
        # Something changed that no drift explains: the lid, the sun, a fan. Learn the base anew, quickly.
        spread = ((spread[0][0] + UPHEAVAL, *spread[0][1:]), *spread[1:])
        trend = 0.0
    return Belief((mean[0], mean[1], mean[2], mean[3], mean[4]), spread, noise, trend)


def forecast(belief: Belief, load: float, seconds: float, prior: Prior) -> float:
    """°C in ``seconds`` when ``load`` is kept up until then."""
    free, gain = _line(belief, seconds, prior)
    return free + gain * load


def bearable(belief: Belief, ceiling: float, horizons: tuple[float, ...], prior: Prior) -> float:
    """The largest load that keeps the forecast at or under ``ceiling`` °C at each of ``horizons``; not
    bounded to 0..1.
    """
    lines = (_line(belief, seconds, prior) for seconds in horizons)
    return min((ceiling - free) / gain for free, gain in lines)


def seconds_to(belief: Belief, ceiling: float, load: float, prior: Prior, most: float = 3600.0) -> float:
    """Seconds until ``ceiling`` °C is reached at ``load``; infinity when not within ``most``."""
    if belief.temperature >= ceiling:
        return 0.0
    low, step = 0.0, 1.0
    while step < most and forecast(belief, load, step, prior) < ceiling:
        low, step = step, step * 1.5
    if step >= most:
        return math.inf
    for _ in range(12):
        middle = 0.5 * (low + step)
        low, step = (middle, step) if forecast(belief, load, middle, prior) < ceiling else (low, middle)
    return step


def _line(belief: Belief, seconds: float, prior: Prior) -> tuple[float, float]:
    """The forecast as a line over the load: °C without any, and what full load adds."""
    base, case, die, slow_gain, fast_gain = belief.mean
    a, f = _share(seconds, prior.slow), _share(seconds, prior.fast)
    return case + a * (base - case) + die * (1.0 - f), slow_gain * a + fast_gain * f


def _share(seconds: float, constant: float) -> float:
    return 1.0 - math.exp(-seconds / constant)
