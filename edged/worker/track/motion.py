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
GROWTH = 0.04
#: What a detector's boxes are off by: shares of the box, and of the picture.
JITTER, GRAIN = (0.04, 0.03), 0.003
_JITTER = np.array(JITTER)
#: A thing that came in over the picture's edge may be so much larger than what was seen of it.
CUT = 0.5  # shares of its size
#: The velocity that a thing may have taken on since it was last seen: stops, starts and turns are sudden.
TURN = 1.0  # paces
LEAST = 0.002  # of the picture: no box is smaller

#: Columns of the state: middle, size, velocity; variances; 2 of each: x and y.
MIDDLE, SIZE, SPEEDS = slice(0, 2), slice(2, 4), slice(4, 6)
POSITION_VAR, SIZE_VAR, SPEED_VAR, COVARIANCE = slice(6, 8), slice(8, 10), slice(10, 12), slice(12, 14)
UNSEEN, PACE = 14, 15  # seconds, sizes a second
WIDTH, HEIGHT = slice(2, 3), slice(3, 4)
COLUMNS = 16


def begun(middles: Floats, sizes: Floats, cut: NDArray[np.bool_], paces: Sequence[float]) -> Floats:
    """States [m, COLUMNS] of boxes seen for the first time; ``cut`` [m, 2] by the picture's edge, x and y."""
    state = np.zeros((len(middles), COLUMNS))
    state[:, MIDDLE], state[:, SIZE] = middles, sizes
    noise = _noise(sizes)
    state[:, POSITION_VAR] = noise
    state[:, SIZE_VAR] = np.where(cut, (CUT * sizes.max(axis=1, keepdims=True)) ** 2, 4.0 * noise)
    state[:, PACE] = paces
    state[:, SPEED_VAR] = paced(state) ** 2
    return state


def paced(state: Floats) -> Floats:
    """[n, 1]: what is a usual speed for them, in pictures a second."""
    made: Floats = np.maximum(state[:, WIDTH], state[:, HEIGHT]) * state[:, PACE, None]
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


def turned(state: Floats) -> Floats:
    """[n, 1]: by what a turn since it was last seen adds to the variance of a middle."""
    made: Floats = (TURN * paced(state) * state[:, UNSEEN, None]) ** 2
    return made


def doubt(state: Floats, turns: NDArray[np.bool_]) -> None:
    """Those that did a turn [k] may be anywhere that they can have come to since, at any usual speed; in
    place.
    """
    seconds = np.maximum(state[:, UNSEEN, None], 1e-3)
    more = np.where(turns[:, None], turned(state), 0.0)
    state[:, POSITION_VAR] += more
    state[:, COVARIANCE] += more / seconds
    state[:, SPEED_VAR] += more / seconds**2


def correct(state: Floats, moved: Floats, grown: Floats, hidden: NDArray[np.bool_], vague: Floats) -> None:
    """Take in that their boxes were off by ``moved`` and by ``grown`` in size [k, 2], in place. Where one
    side was ``hidden`` [k, 2] the other one has moved, and nothing is known of the size. Their variances are
    ``vague`` [k] times the usual.
    """
    noise = placed(state) * vague[:, None]
    place_var, size_var, both = state[:, POSITION_VAR], state[:, SIZE_VAR], state[:, COVARIANCE]
    variance = place_var + noise + np.where(hidden, 0.25 * size_var + noise, 0.0)
    gain = np.where(hidden, 0.0, size_var / (size_var + 4.0 * noise))
    state[:, SIZE] += gain * grown
    np.maximum(state[:, SIZE], LEAST, out=state[:, SIZE])
    size_var *= 1.0 - gain
    gain, speed_gain = place_var / variance, both / variance
    state[:, MIDDLE] += gain * moved
    state[:, SPEEDS] += speed_gain * moved
    state[:, SPEED_VAR] -= speed_gain * both
    both *= 1.0 - gain
    place_var *= 1.0 - gain
    state[:, UNSEEN] = 0.0


def reach(state: Floats, low_cut: NDArray[np.bool_], high_cut: NDArray[np.bool_]) -> None:
    """Things whose boxes end at the picture's edge [k, 2] reach that far at least, in place. What comes in
    shows more of itself in each frame: its size is as unknown as before.
    """
    half = 0.5 * state[:, SIZE]
    low, high = state[:, MIDDLE] - half, state[:, MIDDLE] + half
    short = (low_cut & (low > 0.0)) | (high_cut & (high < 1.0))
    if not short.any():
        return
    low = np.where(low_cut, np.minimum(low, 0.0), low)
    high = np.where(high_cut, np.maximum(high, 1.0), high)
    state[:, MIDDLE], state[:, SIZE] = (low + high) * 0.5, high - low
    most = (CUT * state[:, SIZE].max(axis=1, keepdims=True)) ** 2
    state[:, SIZE_VAR] = np.where(short, np.maximum(state[:, SIZE_VAR], most), state[:, SIZE_VAR])


def edges(state: Floats) -> Floats:
    """[n, 4]: top, left, bottom, right, also where that is out of the picture."""
    half, made = 0.5 * state[:, SIZE], np.empty((len(state), 4))
    np.subtract(state[:, MIDDLE], half, out=made[:, 1::-1])
    np.add(state[:, MIDDLE], half, out=made[:, 3:1:-1])
    return made


def placed(state: Floats) -> Floats:
    """[n, 2]: the variance of a box's middle about the true one. A side's is twice that, a size's four times:
    both sides err by themselves.
    """
    return _noise(state[:, SIZE])


def _noise(sizes: Floats) -> Floats:
    """The variance of a box's middle, of boxes of these ``sizes`` [n, 2]."""
    made: Floats = (_JITTER * sizes + GRAIN) ** 2
    return made
