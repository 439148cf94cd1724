"""Another sample rate, by libsoxr. The only importer of ``soxr``.

Its quality HQ keeps 0.91 of the band below half of the lower rate within 0.01 dB, and what would fold back
into it is 120 dB down (docs/sound.md has what was measured, ``tests/test_sound.py`` measures it).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

QUALITY: Final = "HQ"
SILENCE: Final = 1.0  # seconds: the filter holds less than a tenth of one


class Resampler:
    """One channel from one rate to another, in samples a second; equal ones cost nothing."""

    def __init__(self, given: float, wanted: float) -> None:
        self.given, self.rate = given, wanted
        self._stream, self._drained = None, False
        if given != wanted:
            import soxr

            self._stream = soxr.ResampleStream(given, wanted, 1, dtype="float32", quality=QUALITY)

    def __call__(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """float32 [n] -> float32 [about n * wanted / given]; ``last`` gives what the filter still holds."""
        if self._stream is None:
            return samples
        self._drained = last
        made: NDArray[np.float32] = self._stream.resample_chunk(samples, last=last)
        return made

    @property
    def behind(self) -> float:
        """Seconds that what came out last is older than what went in last."""
        return 0.0 if self._stream is None else max(0.0, self._stream.delay() / self.rate)

    def wipe(self) -> None:
        """Drive out by silence what the filter holds, for the end: so it is written over. What libsoxr let go
        of before, and the arrays that it gave, are not ours to write in.
        """
        if self._stream is not None and not self._drained:
            self._stream.resample_chunk(np.zeros(int(self.given * SILENCE), np.float32))

    def clear(self) -> None:
        """The stream was interrupted: what the filter holds is forgotten."""
        if self._stream is not None:
            self._stream.clear()
            self._drained = False
