"""Outputs -> observations. Pure: arrays in, an ``Observation`` out.

A decoder is chosen once, when the model is opened, and then called with the raw output arrays of one frame,
in the order of its ``tensors``. Integers are made real first: real = (q - zero_point) * scale.

What a model gives may be anything, whoever made it: a number that is none is refused, one that is too large
is cut, and nothing is believed to lie where an honest model's would.

``Output``, ``Decoder``, ``real``, ``finite``, ``whole`` and ``softmax`` are also what decoders of others
build on, with the observations of ``edged.worker.observation``: docs/decoders.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.observation import Classes, Detections, Grid, Observation, Values

Raw = NDArray[Any]
Real = Callable[[Raw], NDArray[np.float32]]


#: Classes beyond that are this one: no list of labels is so long.
MOST_CLASSES: Final = 2**24


class Output(NamedTuple):
    """One output as the interpreter and the file tell of it.

    ``name`` is the signature's, else the tensor's own; ``role`` the metadata's name for it. ``maker`` is the
    operator that it comes from, with casts and reshapes left out, and ``place`` its place among that
    operator's outputs.
    """

    number: int
    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    maker: str = ""
    place: int = 0

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))


class Decoder(Protocol):
    """``tensors`` are the indices of the outputs that a call takes, in order; ``gives`` the type that it
    returns. One whose classes are its own, not the model's, also has ``labels``, a tuple of their names.
    """

    tensors: tuple[int, ...]
    gives: type

    def __call__(self, *raw: Raw) -> Observation:
        """One frame's observation."""


def real(output: Output) -> Real:
    """What makes an output's numbers float32: exactly (q - zero_point) * scale where it is quantised."""
    if output.dtype == "float32":
        return _as_it_is
    if output.dtype in ("uint8", "int8") and output.scale:
        table = _table(output.dtype, output.scale, output.zero_point)
        return lambda raw: table.take(raw.view(np.uint8))
    scale, zero = np.float32(output.scale or 1.0), np.int64(output.zero_point)
    return lambda raw: ((raw.astype(np.int64) - zero) * scale).astype(np.float32)


# Decoding comes just after an inference, which leaves nothing of it in the processor's caches: what costs is
# how many different functions are called, and most of all those that NumPy wrote in Python (``clip``,
# ``all``, ``any``, ``min``). Calling the ufuncs beneath them takes two thirds of the time.


def finite(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same numbers. Raises ``RefusedError`` where one of them is none."""
    if not np.logical_and.reduce(np.isfinite(numbers), axis=None):
        raise RefusedError(
            "the model gave a number that is none (NaN or infinite)",
            "it is broken, or was given what it is not made for: `edged models show` tells what it takes",
        )
    return numbers


def whole(numbers: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest whole numbers from -1 (which no class has) to ``MOST_CLASSES``."""
    made: NDArray[np.int64] = np.rint(_within(numbers, -1.0, MOST_CLASSES)).astype(np.int64)
    return made


def _within(numbers: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    made: NDArray[np.float32] = np.minimum(np.maximum(numbers, low), high)
    return made


def _number(count: NDArray[np.float32], most: int) -> int:
    """How many things count, of so many at most."""
    told = float(count.reshape(-1)[0])
    if not math.isfinite(told):
        finite(count)
    return int(min(max(told, 0.0), most))


def _as_it_is(raw: Raw) -> NDArray[np.float32]:
    return raw


def _table(dtype: str, scale: float, zero_point: int) -> NDArray[np.float32]:
    """Real values of all 256 bytes, indexed by the byte read as unsigned."""
    values = np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64)
    made: NDArray[np.float32] = (
        (values - zero_point).astype(np.float64) * np.float64(np.float32(scale))
    ).astype(np.float32)
    return made


class Detector:
    """SSD-style: boxes [1, N, 4], classes [1, N], scores [1, N] and how many of the N count [1].

    ``order`` says at which of a box's four numbers top, left, bottom and right are.
    """

    gives: type = Detections
    name = "detector"

    def __init__(self, outputs: Sequence[Output], order: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        self.tensors = tuple(one.number for one in outputs)
        self._real = tuple(real(one) for one in outputs)
        self._order = None if order == (0, 1, 2, 3) else list(order)

    def __call__(self, *raw: Raw) -> Detections:
        """Those that count and are of a class, best first, boxes cut at the picture's edges and scores at 0
        and 1.
        """
        boxes, classes, scores, count = (one(each) for one, each in zip(self._real, raw, strict=True))
        number = _number(count, scores.size)
        # Only these: what stands behind them is what was in memory.
        scores = _within(finite(scores.reshape(-1)[:number]), 0.0, 1.0)
        boxes, indices = finite(boxes.reshape(-1, 4)[:number]), whole(finite(classes.reshape(-1)[:number]))
        if number and np.minimum.reduce(indices) < 0:
            kept = indices >= 0
            boxes, indices, scores = boxes[kept], indices[kept], scores[kept]
            number = scores.size
        if number > 1 and np.logical_or.reduce(scores[1:] > scores[:-1]):
            best = np.argsort(-scores, kind="stable")
            boxes, indices, scores = boxes[best], indices[best], scores[best]
        if self._order is not None:
            boxes = boxes[:, self._order]
        return Detections(_within(boxes, 0.0, 1.0), indices, scores)


class Classifier:
    """Scores of all classes. ``soft``: the numbers are scores already; otherwise they are logits and softmax
    makes them scores.
    """

    gives: type = Classes
    name = "classifier"

    def __init__(self, output: Output, soft: bool) -> None:
        self.tensors: tuple[int, ...] = (output.number,)
        self._real, self._soft = real(output), soft

    def __call__(self, *raw: Raw) -> Classes:
        """float32 [K] in 0..1."""
        scores = finite(self._real(raw[0]).reshape(-1))
        return Classes(_within(scores, 0.0, 1.0) if self._soft else softmax(scores))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(x) / sum(exp(x)), the largest taken off first so that nothing overflows."""
    with np.errstate(over="ignore"):  # further apart than float32 reaches: then it is 0
        powers = np.exp(logits - logits.max())
    made: NDArray[np.float32] = powers / powers.sum()
    return made


class Plain:
    """Plain values, all outputs named, one after another."""

    gives: type = Values
    name = "values"

    def __init__(self, outputs: Sequence[Output]) -> None:
        self.tensors = tuple(one.number for one in outputs)
        self._real = tuple(real(one) for one in outputs)

    def __call__(self, *raw: Raw) -> Values:
        """float32 [K]."""
        parts = [finite(one(each).reshape(-1)) for one, each in zip(self._real, raw, strict=True)]
        return Values(parts[0] if len(parts) == 1 else np.concatenate(parts))


class Activity:
    """The activity grid: ``movement`` and ``presence``, [1, GH, GW, 1] each."""

    gives: type = Grid
    name = "activity"

    def __init__(self, movement: Output, presence: Output) -> None:
        self.tensors: tuple[int, ...] = (movement.number, presence.number)
        self._real = (real(movement), real(presence))
        self._shape: Final = movement.shape[1:3]

    def __call__(self, *raw: Raw) -> Grid:
        """Two float32 [GH, GW]."""
        return Grid(*(self._cells(one(each)) for one, each in zip(self._real, raw, strict=True)))

    def _cells(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        cells: NDArray[np.float32] = _within(finite(numbers), 0.0, 1.0)
        return cells.reshape(self._shape)
