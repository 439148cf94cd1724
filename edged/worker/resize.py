"""Bilinear resizing by the runtime: a model of one operator, made to measure.

The model's bytes are those of ``edged/models/resize.tflite`` (written by ``edged/models/resize.py``) with
five numbers in them exchanged, so that no flatbuffer library is needed here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.worker.runtime import interpreter

#: Read at once: a locked worker opens no file.
TEMPLATE: Final = (Path(__file__).parents[1] / "models" / "resize.tflite").read_bytes()
#: What stands in the template for input height, width, channels, output height, width: each a number found
#: nowhere else in it.
PLACES: Final = (0x51A7E001, 0x51A7E002, 0x51A7E003, 0x51A7E004, 0x51A7E005)


def model(source: tuple[int, int, int], target: tuple[int, int]) -> bytes:
    """The model that resizes uint8 [1, *source] (height, width, channels) to ``target`` (height, width)."""
    data = TEMPLATE
    for place, number in zip(PLACES, (*source, *target), strict=True):
        data = data.replace(struct.pack("<i", place), struct.pack("<i", number))
    return data


class Resizer:
    """From one size to another. Each result is an array of its own."""

    def __init__(
        self, source: tuple[int, int, int], target: tuple[int, int], kind: interpreter.Kind | None = None
    ) -> None:
        self._engine = interpreter.engine(kind or interpreter.at_hand(), model(source, target))
        self._engine.allocate_tensors()
        self._input = self._engine.get_input_details()[0]["index"]
        self._output = self._engine.get_output_details()[0]["index"]

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [height, width, channels] of the source's size -> the target's."""
        self._engine.set_tensor(self._input, picture[None])
        self._engine.invoke()
        made: NDArray[np.uint8] = self._engine.get_tensor(self._output)[0]
        return made
