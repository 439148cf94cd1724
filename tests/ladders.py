"""Ladders for tests: classifiers of one kind in several sizes, written on the spot.

Each looks at a colour picture and tells "dark" from "bright" by the mean of its pixels, so that every rung
says the same of the same picture and the right answer is known.
"""

from __future__ import annotations

from pathlib import Path

import drafts
import numpy as np

from edged.config.shape import Model

LABELS = ("dark", "bright")


def judging(size: int, labels: int = 2) -> bytes:
    """uint8 [1, size, size, 3] -> [1, labels] scores 0..1 in uint8: the first is 1 - mean, the rest the mean
    of the picture's pixels.
    """
    draft = drafts.Draft()
    given = draft.tensor("picture", [1, size, size, 3], "uint8", 1 / 255)
    real = draft.tensor("real", [1, size, size, 3])
    draft.operator("DEQUANTIZE", [given], [real], "DequantizeOptions")
    axes = draft.tensor("axes", [3], "int32", data=[1, 2, 3])
    mean = draft.tensor("mean", [1])
    draft.operator("MEAN", [real, axes], [mean], "ReducerOptions", keepDims=False)
    row = draft.tensor("row", [1, 1])
    draft.reshape(mean, row, [1, 1])
    weights = draft.tensor("weights", [labels, 1], data=np.array([[-1.0], *[[1.0]] * (labels - 1)]))
    bias = draft.tensor("bias", [labels], data=np.array([1.0, *[0.0] * (labels - 1)]))
    scores = draft.tensor("scores", [1, labels])
    draft.operator("FULLY_CONNECTED", [row, weights, bias], [scores], "FullyConnectedOptions")
    return draft.packed([given], [scores])


def ladder(folder: Path, *sizes: int, labels: tuple[str, ...] = LABELS) -> tuple[Model, ...]:
    """Models of these sizes, dearest first, in ``folder``."""
    made = []
    for size in sizes:
        path = folder / f"judge{size}.tflite"
        path.write_bytes(judging(size, len(labels)))
        made.append(Model(file=str(path), labels=labels, decoder="classifier", threads=2))
    return tuple(made)
