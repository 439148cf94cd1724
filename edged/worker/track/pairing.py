"""How likely it is that a box is a track's: the log of the likelihood that it is, over that of it being
something new or nothing.

A pair is judged under several suppositions, and the likeliest holds: the thing went on as before, or it
turned, stopped or started; its box is whole, or one of its sides is hidden. So what stops at once or passes
behind another is still followed, and yet a box that is merely near is not taken for it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.worker.track import motion
from edged.worker.track.motion import Floats

#: How often a thing turns, stops or starts between two frames; how often one side of a box ends where another
#: thing begins to hide it.
TURNS, CUTS = 0.05, 0.05
#: The same where another thing stands there: nearer, so its box ends no higher. The slack is a share of
#: the box.
COVERED, BESIDE, SLACK = 0.6, 0.3, 0.1
#: New things and false boxes in a frame, over all places (1) and sizes (1/4) that there are.
CLUTTER = 0.4
#: A score says that much, in nats for 1, and nothing at the middle of 0..1.
TRUST = 3.0
#: A box that shares so much of the smaller of both with a better one is its shadow: detectors put several
#: boxes around one thing. That it shows a second thing is so much less likely, in nats.
WITHIN, SHADOW = 0.5, 5.0
#: Taken for another kind: this much less likely, in nats.
OTHER_KIND = 4.0
NEVER = 1e9
#: A detector's box that is no farther from the picture's edge ends there.
BORDER = 0.006


_LN_2PI = math.log(2.0 * math.pi)
_COST_TURNS = -2.0 * np.log([[[1.0 - TURNS]], [[TURNS]]])
_SUPPOSED = np.array([[[0.0]], [[1.0]]])  # whether it has turned
_COST_HIDDEN, _COST_WHOLE = -2.0 * np.log([CUTS, COVERED]), -2.0 * np.log([1.0 - CUTS, 1.0 - COVERED])


def touching(boxes: Floats) -> NDArray[np.bool_]:
    """[m, 4]: which sides of boxes (top, left, bottom, right) end at the picture's edge."""
    found = np.empty(boxes.shape, np.bool_)
    np.less_equal(boxes[:, :2], BORDER, out=found[:, :2])
    np.greater_equal(boxes[:, 2:], 1.0 - BORDER, out=found[:, 2:])
    return found


class Boxes(NamedTuple):
    """One frame's boxes [m, 4]: what they are taken for, with which score; which of them are *shadows*:
    within a better one of their kind; which are *weak*: shadows, or with too low a score to be sure of; which
    of their sides (top, left, bottom, right) may end ``behind`` another, and which are ``cut`` by the
    picture's edge.
    """

    boxes: Floats
    kinds: NDArray[np.intp]
    scores: Floats
    shadow: NDArray[np.bool_]
    weak: NDArray[np.bool_]
    behind: NDArray[np.bool_]
    cut: NDArray[np.bool_]


def looked_at(boxes: Floats, kinds: NDArray[np.intp], scores: Floats, least: float) -> Boxes:
    """The boxes of a frame, compared with each other."""
    low, cut = scores < least, touching(boxes)
    if len(scores) < 2:
        none = np.zeros(boxes.shape, np.bool_)
        return Boxes(boxes, kinds, scores, none[:, 0], low, none, cut)
    better = (scores > scores[:, None]) & (kinds == kinds[:, None])
    lows, highs = boxes[:, :2], boxes[:, 2:]
    span = np.minimum(highs[:, None], highs) - np.maximum(lows[:, None], lows)
    sides = highs - lows
    size = sides[:, 0] * sides[:, 1]
    common = np.maximum(span[..., 0], 0.0) * np.maximum(span[..., 1], 0.0)
    shadow = np.logical_or.reduce(better & (common >= WITHIN * np.minimum(size[:, None], size)), axis=1)
    behind = _behind(boxes, span, sides, shadow)
    return Boxes(boxes, kinds, scores, shadow, shadow | low, behind, cut)


def _behind(boxes: Floats, span: Floats, sides: Floats, shadow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[m, 4]: whether a box's side (top, left, bottom, right) may be where another, nearer thing begins to
    hide it: it lies in that thing's box, and both share a good part of the other direction.
    """
    found = np.zeros(boxes.shape, np.bool_)
    lows, highs, slack = boxes[:, :2], boxes[:, 2:], SLACK * sides
    nearer = (boxes[:, 2] >= (boxes[:, 2] - slack[:, 0])[:, None]) & ~shadow
    nearer.flat[:: len(boxes) + 1] = False
    hides = nearer[..., None] & (span >= BESIDE * sides[:, None])[..., ::-1]
    if hides.any():
        for side, at in ((found[:, :2], lows), (found[:, 2:], highs)):
            reached = (lows <= (at + slack)[:, None]) & (highs >= (at - slack)[:, None])
            np.logical_or.reduce(hides & reached, axis=1, out=side)
    return found


class Pairing(NamedTuple):
    """All pairs of n tracks and m boxes: what each is worth, in nats [n, m]: above 0 it is more likely than
    not.

    If it is one: whether the thing has ``turned`` [n, m]; and in x and y, [n, m, 2]: how far it has ``moved``
    from where it was predicted, how much it has ``grown``, and whether one side is ``hidden``.
    """

    worth: Floats
    turned: NDArray[np.bool_]
    moved: Floats
    grown: Floats
    hidden: NDArray[np.bool_]


def paired(state: Floats, kinds: NDArray[np.intp], found: Boxes) -> Pairing:
    """Judge all pairs. A box that is hidden in part ends too early on one side: then the other side tells
    where it is. A weak box only shows things that go on.
    """
    off = found.boxes - motion.edges(state)[:, None]
    low, high = off[..., 1::-1], off[..., 3:1:-1]
    middle, grown = _of_cut(low, high, found.cut)
    noise = motion.placed(state)
    own = state[:, motion.POSITION_VAR] + noise
    growth_var = (state[:, motion.SIZE_VAR] + 4.0 * noise)[:, None]
    edge = (0.25 * state[:, motion.SIZE_VAR] + noise)[:, None]
    # Twice the negative logs of densities, all without ln(2 pi). The first axis: it went on, it has turned.
    var = (own + _SUPPOSED * motion.turned(state))[:, :, None]
    low_hidden, high_hidden = found.behind[:, 1::-1], found.behind[:, 3:1:-1]
    cost_low, cost_high = _COST_HIDDEN[low_hidden.view(np.int8)], _COST_HIDDEN[high_hidden.view(np.int8)]
    size = grown * grown / growth_var
    size += np.log(growth_var) + _COST_WHOLE[(low_hidden | high_hidden).view(np.int8)]
    whole = middle * middle / var + np.log(var) + size
    var += edge
    inverse = 1.0 / var
    low_cut, high_cut = high * high * inverse + cost_low, low * low * inverse + cost_high
    part = np.minimum(low_cut, high_cut) + np.log(var)
    part += (2.0 * np.log(state[:, motion.SIZE]) - _LN_2PI)[:, None]
    cut = (part < whole) & (grown < 0.0)
    far = np.where(cut, part, whole)
    went_on, turned = far[..., 0] + far[..., 1] + _COST_TURNS
    turned += NEVER * found.weak
    turns = turned < went_on
    worth = -0.5 * np.minimum(turned, went_on)
    worth += TRUST * (found.scores - 0.5) - SHADOW * found.shadow - (2.0 * _LN_2PI + math.log(CLUTTER))
    worth -= OTHER_KIND * (kinds[:, None] != found.kinds)
    hidden = np.where(turns[..., None], cut[1], cut[0])
    moved = np.where(hidden, np.where(low_cut[0] < high_cut[0], high, low), middle)
    return Pairing(worth, turns, moved, grown, hidden)


def _of_cut(low: Floats, high: Floats, cut: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """By how much boxes' middles and sizes are off [n, m, 2], of which sides are off by ``low`` and ``high``.

    Of a box that is ``cut`` [m, 4] by the picture's edge only the other side is known, and that it reaches as
    far as the edge at least: its middle is judged by the free side alone.
    """
    middle, grown = (low + high) * 0.5, high - low
    if not cut.any():
        return middle, grown
    cut_low, cut_high = cut[:, 1::-1], cut[:, 3:1:-1]
    middle += (0.5 * cut_low - 0.5 * cut_high) * grown  # the high side's alone, the low side's alone
    middle *= ~(cut_low & cut_high)
    reach = np.maximum(high, 0.0) * cut_high - np.minimum(low, 0.0) * cut_low
    return middle, np.where(cut_low | cut_high, reach, grown)
