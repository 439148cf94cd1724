"""Windows of samples -> input tensors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.intake import Numbers, Window


def layout(window: Window | Numbers) -> tuple[int, int]:
    """(samples, channels) of an input: [1, 15600] is 15600 of 1, [1, 128, 6] is 128 of 6, [15600] too."""
    if isinstance(window, Numbers):
        return window.shape[0], window.channels
    sizes = [one for one in window.shape if one != 1] or [1]
    if len(sizes) == 1:
        return sizes[0], 1
    return math.prod(sizes[:-1]), sizes[-1]


class WindowPreparation:
    """Turns windows, float32 [samples, channels], into tensors for one input: in its dtype, quantised where
    it is: round(x / scale) + zero_point.

    What a call returns is an array of its own: nothing is written to it again.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._size = layout(window)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.generic]:
        """float32 [samples, channels] -> the input."""
        if samples.shape != self._size:
            raise RefusedError(
                f"a window came as {list(samples.shape)}", f"the model takes {list(self._size)}"
            )
        return self._typed(samples).reshape(self._window.shape)

    def _typed(self, samples: NDArray[np.float32]) -> NDArray[np.generic]:
        one = self._window
        if one.dtype == "float32":
            return samples.copy()
        limits = np.iinfo(one.dtype)
        with np.errstate(invalid="ignore"):  # what is no number is judged by ``silence``
            whole = np.rint(samples / np.float32(one.scale or 1.0)) + one.zero_point
            made: NDArray[np.generic] = np.clip(whole, limits.min, limits.max).astype(one.dtype)
        return made
