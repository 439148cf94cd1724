"""Whether a microphone hears at all. What is heard then is not "nothing", it is not known.

Only digital silence counts: every sample exactly zero. Whatever turns air into numbers adds noise of its own,
in the quietest night too, so a run of zeros is made by no living microphone but by a mute switch, a driver,
or a wire that ends nowhere. And samples that are no numbers are no sound at all.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edged.wall import Sight

#: Seconds of zeros before they count: a recording may have been cut together.
PATIENCE: Final = 5.0


class Silence:
    """Judges the windows of one source of sound."""

    def __init__(self) -> None:
        self._since = math.nan

    def __call__(self, samples: NDArray[Any], time: float) -> Sight:
        """Why this window (float32 [samples, channels]) of ``time`` (seconds) is not to be counted, "" if it
        is.
        """
        loudest = float(np.abs(samples).max(initial=0.0))
        if not math.isfinite(loudest):
            return "silent"
        if loudest:
            self._since = math.nan
            return ""
        if math.isnan(self._since):
            self._since = time
        return "silent" if time - self._since >= PATIENCE else ""

    def wipe(self) -> None:
        """Nothing is learnt of what was heard."""
