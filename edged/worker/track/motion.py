"""How tracks move: a Kalman filter for each, all of them at once, in seconds.

The middle of a box has a position and a velocity that changes at random (white noise acceleration:
Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 6.2),
its width and height change at random. All axes are independent. Every scale is the thing's own size: who is
near is larger in the picture and faster by the same factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: How velocities change: pace per square root of a second. The *pace* is what things of a kind are known to
#: move at, in sizes a second.
SWERVE = 0.6
#: How a width or height changes by itself: shares of it per square root of a second.
GROWTH = 0.12
#: What a detector's boxes are off by: shares of the box, and of the picture.
JITTER, GRAIN = 0.06, 0.004
#: A thing that came in over the picture's edge may be so much larger than what was seen of it.
CUT = 0.5  # shares of its size
#: The velocity that a thing may have taken on since it was last seen: stops, starts and turns are sudden.
TURN = 1.0  # paces
LEAST = 0.002  # of the picture: no box is smaller

#: Columns of the state: middle, size, velocity; variances; 2 of each: x and y.
MIDDLE, SIZE, SPEEDS = slice(0, 2), slice(2, 4), slice(4, 6)
POSITION_VAR, SIZE_VAR, SPEED_VAR, COVARIANCE = slice(6, 8), slice(8, 10), slice(10, 12), slice(12, 14)
UNSEEN, PACE = 14, 15  # seconds, sizes a second
COLUMNS = 16


def begun(middles: Floats, sizes: Floats, cut: NDArray[np.bool_], paces: Sequence[float]) -> Floats:
    """States [m, COLUMNS] of boxes seen for the first time; ``cut`` [m, 2] by the picture's edge, x and y."""
    state = np.zeros((len(middles), COLUMNS))
    state[:, MIDDLE], state[:, SIZE] = middles, sizes
    noise = _noise(sizes)
    state[:, POSITION_VAR] = noise
    state[:, SIZE_VAR] = np.where(cut, (CUT * sizes.max(axis=1, keepdims=True)) ** 2, 2.0 * noise)
    state[:, PACE] = paces
    state[:, SPEED_VAR] = paced(state) ** 2
    return state


def paced(state: Floats) -> Floats:
    """[n, 1]: what is a usual speed for them, in pictures a second."""
    made: Floats = state[:, SIZE].mean(axis=1, keepdims=True) * state[:, PACE, None]
    return made


def advance(state: Floats, seconds: float) -> None:
    """Move all of them on by so much time, in place."""
    if not len(state) or seconds <= 0.0:
        return
    usual = paced(state) ** 2
    drift = SWERVE**2 * seconds * usual
    variance, both = state[:, SPEED_VAR], state[:, COVARIANCE]
    state[:, MIDDLE] += state[:, SPEEDS] * seconds
    state[:, POSITION_VAR] += seconds * (2.0 * both + seconds * (variance + drift / 3.0))
    both += seconds * (variance + drift / 2.0)
    variance += drift
    # A velocity is never less certain than before anything was known of it.
    excess = np.minimum(1.0, usual / variance)
    variance *= excess
    both *= np.sqrt(excess)
    state[:, SIZE_VAR] += (GROWTH * state[:, SIZE]) ** 2 * seconds
    state[:, UNSEEN] += seconds


def spread(state: Floats) -> Floats:
    """[n, 4]: variances of the residuals: of the middle in x and y, of width and height."""
    noise = _noise(state[:, SIZE])
    made = np.empty((len(state), 4))
    made[:, :2] = state[:, POSITION_VAR] + noise
    made[:, 2:] = state[:, SIZE_VAR] + 2.0 * noise
    return made


def turned(state: Floats) -> Floats:
    """[n, 1]: by what a turn since it was last seen adds to the variance of a middle."""
    made: Floats = (TURN * paced(state) * state[:, UNSEEN, None]) ** 2
    return made


def correct(state: Floats, residual: Floats, spread: Floats, turns: NDArray[np.bool_]) -> Floats:
    """What these states [k, COLUMNS] are after residuals [k, 4] of spreads [k, 4]. Of those that did a turn
    [k] the velocity is learnt anew.
    """
    state, here, grown = state.copy(), residual[:, :2], residual[:, 2:]
    variance = spread[:, :2].copy()
    if turns.any():
        seconds = np.maximum(state[:, UNSEEN, None], 1e-3)
        doubt = np.where(turns[:, None], turned(state), 0.0)
        state[:, POSITION_VAR] += doubt
        state[:, COVARIANCE] += doubt / seconds
        state[:, SPEED_VAR] += doubt / seconds**2
        variance += doubt
    gain, speed_gain = state[:, POSITION_VAR] / variance, state[:, COVARIANCE] / variance
    state[:, MIDDLE] += gain * here
    state[:, SPEEDS] += speed_gain * here
    state[:, SPEED_VAR] -= speed_gain * state[:, COVARIANCE]
    state[:, COVARIANCE] *= 1.0 - gain
    state[:, POSITION_VAR] *= 1.0 - gain
    size_gain = state[:, SIZE_VAR] / spread[:, 2:]
    state[:, SIZE] = np.maximum(state[:, SIZE] + size_gain * grown, LEAST)
    state[:, SIZE_VAR] *= 1.0 - size_gain
    state[:, UNSEEN] = 0.0
    return state


def edges(state: Floats) -> Floats:
    """[n, 4]: top, left, bottom, right, also where that is out of the picture."""
    half = 0.5 * state[:, SIZE]
    low, high = state[:, MIDDLE] - half, state[:, MIDDLE] + half
    return np.concatenate((low[:, ::-1], high[:, ::-1]), axis=1)


def _noise(sizes: Floats) -> Floats:
    """The variance of a box's middle, of boxes of these ``sizes`` [n, 2]."""
    made: Floats = (JITTER * sizes + GRAIN) ** 2
    return made
