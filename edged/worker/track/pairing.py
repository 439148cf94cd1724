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
CLUTTER = 0.2
#: A score says that much, in nats for 1, and nothing at the middle of 0..1.
TRUST = 3.0
#: A box that shares so much of the smaller of both with a better one is its shadow: detectors put several
#: boxes around one thing. That it shows a second thing is so much less likely, in nats.
WITHIN, SHADOW = 0.5, 5.0
#: Taken for another kind: this much less likely, in nats.
OTHER_KIND = 4.0
#: A box with a score below that is so much vaguer, for the square of what it is short of.
CLEAR, VAGUE = 0.5, 150.0
NEVER = 1e9
#: A detector's box that is no farther from the picture's edge ends there.
BORDER = 0.006


_LN_2PI = math.log(2.0 * math.pi)
_COST_TURNS = -2.0 * np.log([[[1.0 - TURNS]], [[TURNS]]])
#: Of a whole box, and of one of which the low side, the high side, or both are cut: how much each side
#: tells of
#: the middle; how much of how far the thing reaches, and from where on.
_OF_CUT = np.array(
    [
        [0.5, 0.0, 1.0, 0.0],
        [0.5, 1.0, 0.0, 0.0],
        [1.0, 0.0, 1.0, 1.0],
        [-math.inf, 0.0, 0.0, 0.0],
        [1.0, 1.0, 0.0, 1.0],
        [math.inf, 0.0, 0.0, 0.0],
    ]
)
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
    # Axes first: y and x, boxes, boxes.
    edges = np.ascontiguousarray(boxes.T)
    lows, highs = edges[:2], edges[2:]
    sides = highs - lows
    span = np.minimum(highs[:, :, None], highs[:, None]) - np.maximum(lows[:, :, None], lows[:, None])
    size = sides[0] * sides[1]
    common = np.maximum(span, 0.0)
    within = common[0] * common[1] >= WITHIN * np.minimum(size[:, None], size)
    within &= scores > scores[:, None]
    within &= kinds == kinds[:, None]
    shadow = np.logical_or.reduce(within, axis=1)
    behind = _behind(edges, span, sides, shadow)
    return Boxes(boxes, kinds, scores, shadow, shadow | low, behind, cut)


def _behind(edges: Floats, span: Floats, sides: Floats, shadow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[m, 4]: whether a box's side (top, left, bottom, right) may be where another, nearer thing begins to
    hide it: it lies in that thing's box, and both share a good part of the other direction. ``edges`` are
    [4, m], what they have in common ``span`` [2, m, m].
    """
    slack = SLACK * sides
    nearer = edges[2] >= (edges[2] - slack[0])[:, None]
    nearer &= ~shadow
    nearer.flat[:: len(shadow) + 1] = False
    hides = (span >= BESIDE * sides[:, :, None])[::-1] & nearer
    if not hides.any():
        return np.zeros((len(shadow), 4), np.bool_)
    both = edges.reshape(2, 2, 1, -1)  # low and high sides, y and x
    at = edges.reshape(2, 2, -1, 1)
    reached = both[0] <= at + slack[:, :, None]
    reached &= both[1] >= at - slack[:, :, None]
    reached &= hides
    found: NDArray[np.bool_] = np.logical_or.reduce(reached, axis=3).reshape(4, -1).T
    return found


class Pairing(NamedTuple):
    """All pairs of n tracks and m boxes: what each is ``worth``, in nats [n, m]: above 0 it is more likely
    than not; and what ``chosen`` makes its answer of. Axes before n and m: suppositions (it went on, it has
    turned), then x and y.
    """

    worth: Floats
    turned: NDArray[np.bool_]  # [n, m]
    cut: NDArray[np.bool_]  # [2, 2, n, m]: one side is hidden
    high_moved: NDArray[np.bool_]  # [2, n, m]: if so, the low one
    low: Floats
    high: Floats
    middle: Floats
    grown: Floats  # [2, n, m] each: how far a box is off from where it was predicted

    def chosen(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> tuple[NDArray[np.bool_], Floats, Floats, NDArray[np.bool_]]:
        """Of k pairs: whether the thing has turned [k]; and in x and y, [k, 2]: how far it has moved from
        where it was predicted, how much it has grown, and whether one side is hidden.
        """
        turned = self.turned[rows, columns]
        hidden = self.cut[turned.view(np.int8), :, rows, columns]
        moved = self.middle[:, rows, columns].T
        if hidden.any():
            side = np.where(self.high_moved, self.high, self.low)[:, rows, columns].T
            moved = np.where(hidden, side, moved)
        return turned, moved, self.grown[:, rows, columns].T, hidden


def paired(state: Floats, edges: Floats, kinds: NDArray[np.intp], found: Boxes) -> Pairing:
    """Judge all pairs; ``edges`` are the tracks' (``motion.edges``). A box that is hidden in part ends too
    early on one side: then the other side tells where it is. A weak box only shows things that go on.
    """
    # Axes first: x and y, tracks, boxes.
    off = found.boxes.T[:, None] - edges.T[:, :, None]
    low, high = off[1::-1], off[3:1:-1]
    middle, grown = _of_cut(low, high, found.cut.T)
    unclear, sizes = vague(found.scores), state[:, motion.SIZE].T[:, :, None]
    noise = motion.placed(state).T[:, :, None] * unclear
    size_var = state[:, motion.SIZE_VAR].T[:, :, None]
    # Twice the negative logs of densities, all without ln(2 pi).
    turn = motion.turned(state)
    var = np.empty((2, *middle.shape))
    np.add(state[:, motion.POSITION_VAR].T[:, :, None], noise, out=var[0])
    np.add(var[0], turn, out=var[1])
    growth_var = size_var + 4.0 * noise
    behind = found.behind.view(np.int8).T
    cost_low, cost_high = _COST_HIDDEN[behind[1::-1]][:, None], _COST_HIDDEN[behind[3:1:-1]][:, None]
    size = grown * grown
    size /= growth_var
    size += _COST_WHOLE[behind[1::-1] | behind[3:1:-1]][:, None]
    whole = middle * middle / var
    whole += np.log(var * growth_var)
    whole += size
    noise += 0.25 * size_var
    var += noise
    side_low, side_high = high * high / var, low * low / var
    side_low += cost_low
    side_high += cost_high
    high_moved = side_low[0] < side_high[0]
    part = np.minimum(side_low, side_high)
    part += np.log(var)
    part += 2.0 * np.log(sizes) - _LN_2PI
    cut = part < whole
    cut &= grown < 0.0
    np.copyto(whole, part, where=cut)
    far = whole[:, 0] + whole[:, 1]
    far += _COST_TURNS
    far[1] += NEVER * found.weak
    turned = far[1] < far[0]
    worth = -0.5 * np.minimum(far[1], far[0])
    worth += TRUST * (found.scores - 0.5) - SHADOW * found.shadow - (2.0 * _LN_2PI + math.log(CLUTTER))
    worth -= OTHER_KIND * (kinds[:, None] != found.kinds)
    return Pairing(worth, turned, cut, high_moved, low, high, middle, grown)


def vague(scores: Floats) -> Floats:
    """By what the variance of boxes with these scores [m] is larger: one with a low score is often another
    one's double, or around half a thing.
    """
    made: Floats = 1.0 + VAGUE * np.maximum(0.0, CLEAR - scores) ** 2
    return made


def _of_cut(low: Floats, high: Floats, cut: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """By how much boxes' middles and sizes are off [2, n, m], of which sides are off by ``low`` and ``high``.

    Of a box that is ``cut`` [4, m] by the picture's edge only the other side is known, and that it reaches as
    far as the edge at least: its middle is judged by the free side alone.
    """
    which = cut.view(np.int8)
    of_low, of_high, ends, least, begins, most = _OF_CUT[:, which[1::-1, None] + 2 * which[3:1:-1, None]]
    middle = of_low * low
    middle += of_high * high
    grown = np.maximum(high, least)
    grown *= ends
    begun = np.minimum(low, most)
    begun *= begins
    grown -= begun
    return middle, grown
