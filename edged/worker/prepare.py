"""Pictures -> input tensors: resized, made grey or coloured, scaled as the model wants.

Resizing is bilinear with pixel centres at half, as OpenCV's ``INTER_LINEAR`` does it: published scores are
made with that. It is done by the runtime itself, as a model of one operator, so that the worker needs no
picture library (``docs/adr/0002``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.intake import Picture
from edged.worker.resize import Resizer

#: ITU-R BT.601 luma in 1/256, the weights of the grey that cameras and JPEG call Y.
_LUMA = np.array([77, 150, 29], np.uint16)


class Preparation:
    """Turns pictures into tensors for one input. For one thread, which may be another than the network's.

    What a call returns is an array of its own: nothing is written to it again.
    """

    def __init__(self, picture: Picture) -> None:
        self._shape, self._size = picture.shape, (picture.height, picture.width)
        self._channels = picture.channels
        self._finish = _finish(picture)
        self._resizers: dict[tuple[int, ...], Resizer] = {}

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """uint8 [H, W, 3 or 1] (R, G, B or grey) -> the input [1, height, width, channels] in its dtype."""
        if picture.ndim != 3 or picture.shape[2] not in (1, 3) or picture.dtype != np.uint8:
            raise RefusedError(
                f"a picture came as {picture.dtype} {list(picture.shape)}", "it must be uint8 [H, W, 1 or 3]"
            )
        small = self._sized(picture)
        return self._finish(self._coloured(small)).reshape(self._shape)

    def _sized(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture in the model's size, as an array of its own."""
        if picture.shape[:2] == self._size:
            return picture.copy()
        resize = self._resizers.get(picture.shape)
        if resize is None:
            # A source changes its size seldom; those left behind are not kept.
            self._resizers.clear()
            resize = self._resizers[picture.shape] = Resizer(picture.shape, self._size)
        return resize(picture)

    def _coloured(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if picture.shape[2] == self._channels:
            return picture
        return _tripled(picture) if self._channels == 3 else _grey(picture)


def _tripled(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    made = np.empty((*picture.shape[:2], 3), np.uint8)
    # Three strided writes take 0.07 ms at 300x300; np.repeat 0.17, one broadcast 0.31.
    for channel in range(3):
        made[..., channel] = picture[..., 0]
    return made


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # 16 bits hold it: 255 * 256 + 128 < 2^16. A matrix product would take three times as long. The dtype is
    # said because NumPy 1 would take a small factor for a byte, and the product with it.
    luma: NDArray[np.uint16] = np.multiply(picture[..., 0], _LUMA[0], dtype=np.uint16)
    luma += np.multiply(picture[..., 1], _LUMA[1], dtype=np.uint16)
    luma += np.multiply(picture[..., 2], _LUMA[2], dtype=np.uint16)
    luma += np.uint16(128)
    luma >>= np.uint16(8)
    return luma.astype(np.uint8)[..., None]


Finish = Callable[[NDArray[np.uint8]], NDArray[np.generic]]


def _finish(picture: Picture) -> Finish:
    """Pixels -> values of the input's dtype, exactly as ``Picture`` says. May change its argument."""
    if picture.dtype == "float32":
        return _to_float(picture)
    if picture.mean:
        return _by_table(picture)
    return _as_it_is if picture.dtype == "uint8" else _less_128


def _as_it_is(pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
    return pixels


def _less_128(pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
    # p - 128 in two's complement is p with its highest bit turned over.
    return np.bitwise_xor(pixels, np.uint8(128), out=pixels).view(np.int8)


def _to_float(picture: Picture) -> Finish:
    mean, std = np.array(picture.mean, np.float32), np.array(picture.std, np.float32)

    def finish(pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        values = np.subtract(pixels, mean, dtype=np.float32)
        return np.divide(values, std, out=values)

    return finish


def _by_table(picture: Picture) -> Finish:
    """A table of 256 entries for each channel: each value is worked out once, in double precision."""
    limits = np.iinfo(picture.dtype)
    pixels = np.arange(256.0)[:, None]
    values = (pixels - np.array(picture.mean)) / np.array(picture.std) / (picture.scale or 1.0)
    whole = np.clip(np.rint(values) + picture.zero_point, limits.min, limits.max).astype(picture.dtype)
    if whole.shape[1] == 1:
        table = whole[:, 0]
        return lambda given: np.take(table, given)
    channels = np.arange(picture.channels)
    return lambda given: whole[given, channels]
