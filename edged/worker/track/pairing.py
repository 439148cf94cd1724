"""How likely it is that a box is a track's: the log of the likelihood that it is, over that of it being
something new or nothing.

The residual's density is a Student t with few degrees of freedom, not a normal one: people stop and turn,
and a box that is cut by who stands in front leaps. So a far pair is unlikely, not impossible, and is taken
where nothing else explains the box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.worker.track import motion
from edged.worker.track.motion import Floats

#: How often a thing turns, stops or starts between two frames, and how often its box is cut or doubled.
TURNS, CUTS = 0.05, 0.1
#: How far off a cut box's sides are: shares of its size.
CUT = 0.4
#: New things and false boxes in a frame, over all places (1) and sizes (1/4) that there are.
CLUTTER = 0.4
#: A score says that much, in nats for 1, and nothing at the middle of 0..1.
TRUST = 3.0
#: A box that shares so much of the smaller of both with a better one is its shadow: detectors put several
#: boxes
#: around one thing. That it shows a second thing is so much less likely, in nats.
WITHIN, SHADOW = 0.5, 7.0
#: Taken for another kind: this much less likely, in nats.
OTHER_KIND = 4.0
#: A detector's box that is no farther from the picture's edge ends there.
BORDER = 0.006


def touching(boxes: Floats) -> NDArray[np.bool_]:
    """[m, 4]: which sides of boxes (top, left, bottom, right) end at the picture's edge."""
    found = np.empty(boxes.shape, np.bool_)
    np.less_equal(boxes[:, :2], BORDER, out=found[:, :2])
    np.greater_equal(boxes[:, 2:], 1.0 - BORDER, out=found[:, 2:])
    return found


def residuals(edges: Floats, boxes: Floats, cut: NDArray[np.bool_]) -> Floats:
    """[n, m, 4]: how far each box [m, 4] is from each track's predicted ``edges`` [n, 4]: the middle in x and
    y, width and height.

    Of a box that is ``cut`` by the picture's edge only the other side is known, and that it reaches as far
    as the edge at least: its middle is judged by the free side alone.
    """
    off = boxes[None] - edges[:, None]
    low, high = off[..., 1::-1], off[..., 3:1:-1]
    if not cut.any():
        return np.concatenate(((low + high) * 0.5, high - low), axis=2)
    cut_low, cut_high = cut[:, 1::-1], cut[:, 3:1:-1]
    reach_low, reach_high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    low_known, high_known = np.where(cut_low, high, low), np.where(cut_high, low, high)
    middle = np.where(cut_low & cut_high, 0.0, (low_known + high_known) * 0.5)
    size = np.where(
        cut_low | cut_high,
        np.where(cut_high, reach_high, 0.0) - np.where(cut_low, reach_low, 0.0),
        high - low,
    )
    return np.concatenate((middle, size), axis=2)


class Boxes(NamedTuple):
    """One frame's boxes [m, 4]: what they are taken for, with which score; which of them are *shadows*:
    within a better one of their kind; which are *weak*: shadows, or not good enough to begin a track.
    """

    boxes: Floats
    kinds: Sequence[str]
    scores: Floats
    shadow: NDArray[np.bool_]
    weak: NDArray[np.bool_]


def looked_at(boxes: Floats, kinds: Sequence[str], scores: Floats, least: float) -> Boxes:
    """The boxes of a frame, compared with each other."""
    better: NDArray[np.bool_] = scores[None] > scores[:, None]
    if better.any():
        if len(set(kinds)) > 1:
            names = np.array(kinds)
            better = better & (names[:, None] == names[None])
        span = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        span -= np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        np.maximum(span, 0.0, out=span)
        size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        within = span[..., 0] * span[..., 1] >= WITHIN * np.minimum(size[:, None], size[None])
        shadow = np.logical_or.reduce(better & within, axis=1)
    else:
        shadow = np.zeros(len(scores), np.bool_)
    return Boxes(boxes, kinds, scores, shadow, shadow | (scores < least))


def gains(
    residual: Floats, state: Floats, spread: Floats, same_kind: NDArray[np.bool_], found: Boxes
) -> tuple[Floats, NDArray[np.bool_]]:
    """[n, m]: what each pair is worth, in nats; above 0 it is more likely than not. And [n, m]: whether the
    thing is more likely to have turned than to have gone on. A weak box only shows things that go on.
    """
    squares = residual * residual
    places, sizes = squares[..., :2], squares[..., 2:]
    went_on = _density(places, spread[:, :2], math.log(1.0 - TURNS))
    turned = _density(places, spread[:, :2] + motion.turned(state), math.log(TURNS))
    whole = _density(sizes, spread[:, 2:], math.log(1.0 - CUTS))
    cut = _density(sizes, spread[:, 2:] + (CUT * state[:, motion.SIZE]) ** 2, math.log(CUTS))
    turned[:, found.weak] = cut[:, found.weak] = -np.inf
    worth: Floats = np.maximum(went_on, turned) + np.maximum(whole, cut)
    worth += TRUST * (found.scores - 0.5) - SHADOW * found.shadow - math.log(CLUTTER)
    return np.where(same_kind, worth, worth - OTHER_KIND), turned > went_on


def _density(squares: Floats, variance: Floats, weight: float) -> Floats:
    """The log of the normal density in two dimensions: squares [n, m, 2], variances [n, 2]."""
    inverse = -0.5 / variance
    off = squares[..., 0] * inverse[:, :1] + squares[..., 1] * inverse[:, 1:]
    peak = weight - math.log(2.0 * math.pi) - 0.5 * np.log(variance[:, 0] * variance[:, 1])
    made: Floats = off + peak[:, None]
    return made
