"""Classes of pixels -> which class covers which part of the picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.worker.decode import Output, Raw, finite, real, whole
from edged.worker.observation import Areas

#: Cells a side at most: of a finer output every second, third ... pixel is taken. A share is then within
#: 1.1 % of the picture of that of all pixels (docs/models.md), and a frame costs no more whatever the model.
MOST: Final = 96
#: What makers call a class that is nothing.
BACKGROUNDS: Final = ("background", "__background__", "unlabeled", "unlabelled", "void", "nothing")


class Segmenter:
    """``[1, H, W, K]`` scores or logits of K classes, ``[1, H, W, 1]`` of one, or ``[1, H, W]`` numbers of
    classes.

    ``soft``: the numbers are scores already.
    """

    gives: type = Areas
    name = "segmentation"

    def __init__(self, output: Output, soft: bool, labels: tuple[str, ...] = ()) -> None:
        self.tensors: tuple[int, ...] = (output.number,)
        self._real, self._soft = real(output), soft
        self._shape, self._classes = layout(output)
        self._background = background(labels, self._classes)
        self._rows, self._columns = map(_taken, self._shape)

    def __call__(self, *raw: Raw) -> Areas:
        """One class and one score for each cell; 0 where the number of a class is none."""
        shape = (*self._shape, max(1, self._classes))
        # Before they are made real: of 257 x 257 pixels 52 x 52 are wanted.
        numbers = finite(self._real(np.ascontiguousarray(raw[0].reshape(shape)[self._rows, self._columns])))
        if not self._classes:
            classes = whole(numbers[..., 0])
            return Areas(np.maximum(classes, 0), (classes >= 0).astype(np.float32), self._background)
        with np.errstate(over="ignore"):  # further apart than float32 reaches: then it is 0 or 1
            return self._of_one(numbers[..., 0]) if self._classes == 1 else self._likeliest(numbers)

    def _of_one(self, numbers: NDArray[np.float32]) -> Areas:
        score = np.clip(numbers, 0.0, 1.0) if self._soft else 1.0 / (1.0 + np.exp(-numbers))
        return Areas(np.zeros(score.shape, np.int64), score.astype(np.float32), self._background)

    def _likeliest(self, numbers: NDArray[np.float32]) -> Areas:
        classes = numbers.argmax(axis=-1)
        best = np.take_along_axis(numbers, classes[..., None], -1)
        if self._soft:
            return Areas(classes, np.clip(best[..., 0], 0.0, 1.0), self._background)
        scores: NDArray[np.float32] = 1.0 / np.exp(numbers - best).sum(axis=-1)  # softmax at its largest
        return Areas(classes, scores.astype(np.float32), self._background)


def layout(output: Output) -> tuple[tuple[int, int], int]:
    """(rows, columns) and how many classes there are scores of; 0: the numbers are classes."""
    shape = output.shape[1:] if len(output.shape) > 2 and output.shape[0] == 1 else output.shape
    if len(shape) == 3:
        whole = shape[2] == 1 and output.dtype in ("int32", "int64")
        return (shape[0], shape[1]), 0 if whole else shape[2]
    return (shape[0], shape[1]), 0


def fits(output: Output) -> bool:
    """Whether it can be read as classes of pixels at all."""
    sides = output.shape[1:] if output.shape[:1] == (1,) else output.shape
    if len(sides) not in (2, 3) or min(sides[:2]) < 2:
        return False
    return len(sides) == 3 or output.dtype in ("int32", "int64", "uint8")


def background(labels: tuple[str, ...], classes: int) -> int:
    """The class that is nothing: the one called so; the first where nobody says it and there are several;
    -1: none.
    """
    for index, one in enumerate(labels):
        if one.strip().lower() in BACKGROUNDS:
            return index
    return -1 if labels or classes == 1 else 0


def _taken(size: int) -> slice:
    """Every so-manieth, so that ``MOST`` are left at most."""
    return slice(None, None, -(-size // MOST))
