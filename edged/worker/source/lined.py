"""Sources that say a line for each sample: what they have in common beside ``lines``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from edged.config.shape import Feed, Serial
from edged.errors import UnavailableError
from edged.worker.source import Frame, WantWindow
from edged.worker.source.cadence import Cadence
from edged.worker.source.lines import Lines
from edged.worker.source.samples import Gathering, agreed
from edged.worker.source.streamed import StreamedSource

#: Without a window for so long, and after so many gaps: then its rate is another than it is said to be.
HOPELESS: Final = 30.0  # seconds
MOST_GAPS: Final = 10


class LinedSource(StreamedSource):
    """One sample a line. Bad lines are counted as dropped, and never told. Where it is known how often
    lines come, those that are missing count as dropped, too, and no window goes over them. ``what``
    names it, ``opened`` makes its descriptor.
    """

    def __init__(
        self,
        config: Serial | Feed,
        want: WantWindow,
        opened: Callable[[], int],
        what: str,
        silent: float = math.inf,
    ) -> None:
        own = agreed(want, config.sample_rate, what)
        super().__init__(Gathering(want, list(config.channels)), own, opened(), silent)
        self._lines = Lines(config.channels, config.timeout)
        self._cadence = Cadence(own, want.length, config.timeout) if own and want.length else None
        self._what, self._expected = what, own
        self._missing = self._gaps = self._said = 0  # the latter two since the last window
        self._windowed = time.monotonic()

    @property
    def malformed(self) -> bool:
        """See ``Lined``."""
        return self._lines.malformed

    @property
    def dropped(self) -> int:
        """See ``Source``."""
        return self._lines.bad + self._missing + super().dropped

    def read(self, timeout: float) -> Frame | None:
        """See ``Source``."""
        frame = super().read(timeout)
        if frame is not None:
            self._gaps, self._said, self._windowed = 0, 0, time.monotonic()
        return frame

    def _heed(self, line: bytes, now: float) -> None:
        """A line that came ``now``. Raises ``UnavailableError`` when too few come for a window to be made."""
        sample = self._lines.sample(line, now)
        if self._lines.empty:
            return
        self._said += 1
        if self._cadence is not None:
            self._count(self._cadence, now)
        if sample is None:
            self._gathering.lost(1)
        else:
            self._gathering.add(sample, now)

    def _count(self, cadence: Cadence, now: float) -> None:
        missing = cadence.came(now)
        self._gathering.doubtful = cadence.doubtful
        if not missing:
            return
        self._gathering.lost(missing)
        if math.isinf(missing):
            return
        self._missing += int(missing)
        self._gaps += 1
        if (waited := now - self._windowed) > HOPELESS and self._gaps >= MOST_GAPS:
            raise UnavailableError(
                f"{self._what} gave {self._said / waited:.3g} samples a second for {waited:.0f} s, and "
                f"{self._expected:g} are expected: no window is whole",
                "set sample_rate to what it gives, or mend what loses them",
            )

    def _forget(self) -> None:
        """The stream was interrupted: nothing that was told holds."""
        self._lines.forget()
        self._gathering.forget()
        if self._cadence is not None:
            self._cadence.forget()
