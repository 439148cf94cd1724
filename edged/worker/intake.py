"""What a model takes: one picture, or a window of samples, or plain numbers. Values only."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Picture(NamedTuple):
    """A picture input: [1, height, width, channels], channels last; 3 are R, G, B and 1 is grey.

    A pixel p of 0..255 becomes ``(p - mean) / std`` per channel, and for an integer input then ``round(x /
    scale) + zero_point``, limited to the dtype's range. ``mean`` and ``std`` are one number or one per
    channel. For integer inputs they are empty unless the config names them: then p goes in as it is (uint8)
    or as p - 128 (int8), which is how such models are made.
    """

    height: int
    width: int
    channels: Literal[1, 3]
    dtype: Literal["uint8", "int8", "float32"]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    scale: float = 0.0
    zero_point: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's."""
        return 1, self.height, self.width, self.channels


class Window(NamedTuple):
    """An input that is no picture: samples of sound, of an accelerometer. ``rate`` in samples per second, 0
    if unknown.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    rate: float = 0.0


class Numbers(NamedTuple):
    """A sensor's own numbers, one for each channel: no model takes them."""

    channels: int
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's."""
        return 1, self.channels


Intake = Picture | Window | Numbers
