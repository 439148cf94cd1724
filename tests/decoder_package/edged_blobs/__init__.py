"""Heat maps -> their peaks, for edged: ``decoder = "blobs"`` of a model whose one output is
[1, rows, columns, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.decode import Decoder, Output, Raw, real
from edged.worker.observation import Detections


def decoder(outputs: Sequence[Output], labels: tuple[str, ...], model: Model) -> Decoder:
    """What the entry point leads to."""
    if len(outputs) != 1 or len(outputs[0].shape) != 4 or outputs[0].shape[3] != 1:
        raise RefusedError(
            f"{model.file}: it gives no heat map", "blobs takes one output [1, rows, columns, 1]"
        )
    return Blobs(outputs[0])


class Blobs:
    """A cell that is warmer than the eight around it is a blob: as sure as it is warm, as large as it is."""

    gives: type = Detections
    labels = ("blob",)

    def __init__(self, output: Output) -> None:
        self.tensors = (output.number,)
        self._real, self._shape = real(output), output.shape[1:3]

    def __call__(self, *raw: Raw) -> Detections:
        heat = self._real(raw[0]).reshape(self._shape)
        rows, columns = np.nonzero(_peaks(heat))
        scores = np.clip(heat[rows, columns], 0.0, 1.0)
        best = np.argsort(-scores, kind="stable")
        rows, columns, scores = rows[best], columns[best], scores[best]
        high, wide = self._shape
        edges = (rows / high, columns / wide, (rows + 1) / high, (columns + 1) / wide)
        boxes = np.stack(edges, axis=1).astype(np.float32).reshape(-1, 4)
        return Detections(boxes, np.zeros(len(scores), np.int64), scores.astype(np.float32))


def _peaks(heat: Raw) -> Raw:
    high, wide = heat.shape
    around = np.pad(heat, 1, constant_values=-np.inf)
    beside = [
        around[1 + down : 1 + down + high, 1 + across : 1 + across + wide]
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
        if down or across
    ]
    return np.all([heat > one for one in beside], axis=0)
