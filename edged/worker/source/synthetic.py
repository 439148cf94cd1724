"""The synthetic source: the scripted scene of ``scene``, drawn with NumPy alone.

A product: the demo, the tests and a house without a camera run on it, and it is used only when the config
names it.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import EndOfSource
from edged.worker.source import Frame, Want
from edged.worker.source.canvas import Canvas
from edged.worker.source.scene import Scene

HELD_APART: Final = 1.0  # seconds of the scene between two held frames


class SyntheticSource:
    """Frames of the scripted scene, uint8 [height, width, channels], at the config's size or else the
    model's.

    Pace "real": the scene starts at the first ``read`` and goes on whether read or not. Pace "fast": frame
    after frame, 1 / rate apart.
    """

    def __init__(self, config: shape.Synthetic, want: Want) -> None:
        self.fps = config.fps
        self.recorded = config.pace == "fast"
        self.rate = want.rate
        self.dropped = 0
        self._duration = config.duration
        self._last: float | None = None  # time of the last frame, in seconds of the scene
        self._steps, self._since, self._per_second = 0, 0.0, 0.0  # frames since the rate was last changed
        self._began: float | None = None  # CLOCK_MONOTONIC of the scene's 0
        self._number = 0
        self._scene = Scene(config)
        canvas = Canvas(config, config.width or want.width, config.height or want.height, want.channels)
        self._held = [
            canvas.drawn(self._scene.truth(config.empty + i * HELD_APART), i).copy()
            for i in range(config.held)
        ]
        self._canvas = None if config.held else canvas  # a load test is to hold its frames and nothing else

    def read(self, timeout: float) -> Frame | None:
        """The next frame due; see ``Source``."""
        moment = self._following() if self.recorded else self._awaited(timeout)
        if moment is None:
            return None
        if moment >= self._duration:
            raise EndOfSource(f"the synthetic scene is over after {self._duration:g} s")
        self._last = moment
        self._number += 1
        return Frame(self._picture(moment), moment if self._began is None else self._began + moment)

    def close(self) -> None:
        """Nothing is held that would have to be given back."""

    def _after(self, frames: int) -> float:
        """The time of the frame that comes so many after the last. Counted, not added up: 0.2 s added ten
        times is less than 2 s.
        """
        assert self._last is not None
        rate = min(self.rate, self.fps) or self.fps
        if rate != self._per_second:
            self._steps, self._since, self._per_second = 0, self._last, rate
        return self._since + (self._steps + frames) / rate

    def _following(self) -> float:
        return self._passed(1) if self._last is not None else 0.0

    def _passed(self, frames: int) -> float:
        moment = self._after(frames)
        self._steps += frames
        return moment

    def _awaited(self, timeout: float) -> float | None:
        """The newest moment due, after sleeping for it; counts those that went by unread. None when it is
        later than ``timeout``.
        """
        now = time.monotonic()
        if self._began is None or self._last is None:
            self._began = now
            return 0.0
        due = self._began + self._after(1)
        if due > now + timeout:
            time.sleep(timeout)
            return None
        if due > now:
            time.sleep(due - now)
            now = due
        missed = int((now - due) * self._per_second)
        self.dropped += missed
        return self._passed(1 + missed)

    def _picture(self, moment: float) -> NDArray[np.uint8]:
        if self._canvas is None:
            return self._held[self._number % len(self._held)]
        return self._canvas.drawn(self._scene.truth(moment), self._number)
