"""What a decoder makes of a model's outputs for one frame. Lives in the worker and dies there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Detections(NamedTuple):
    """Things found. ``boxes`` float32 [N, 4] as (top, left, bottom, right) in fractions of the picture,
    ``classes`` int64 [N] (indices into the labels), ``scores`` float32 [N] in 0..1, best first.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


class Classes(NamedTuple):
    """Scores of all classes: float32 [K] in 0..1, indexed like the labels."""

    scores: NDArray[np.float32]


class Values(NamedTuple):
    """Plain numbers: float32 [K], indexed like the labels."""

    values: NDArray[np.float32]


class Grid(NamedTuple):
    """``movement`` and ``presence`` per cell, float32 [GH, GW] in 0..1; 0.5 and above is yes."""

    movement: NDArray[np.float32]
    presence: NDArray[np.float32]


class Areas(NamedTuple):
    """What covers what: ``classes`` int64 [GH, GW] (indices into the labels) and ``scores`` float32 [GH, GW]
    in 0..1 of cells of equal size. ``background`` is the class that is nothing, -1 if there is none.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.float32]
    background: int = -1


Observation = Detections | Classes | Values | Grid | Areas
