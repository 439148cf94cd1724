"""The feed source: numbers that any local program writes to a socket (docs/sensors.md).

The daemon made the socket, shut its writing side and handed it over: nothing goes out by it. Each datagram is
one line or several.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from edged.config import shape
from edged.errors import UnavailableError
from edged.wall import FEED
from edged.worker.source import Frame, WantWindow
from edged.worker.source.lined import LinedSource

LARGEST: Final = 4096  # bytes of a datagram
MOST_LINES: Final = 64  # of a datagram
BURST, BREATHER = 100, 0.001  # datagrams of one read that come at once; seconds between those after it
#: Nobody was reading for so long: what waits is of an unknown time.
STALE: Final = 2.5  # seconds
MOST_STALE: Final = 10_000  # datagrams that are thrown away at once: somebody may write faster than we do


class FeedSource(LinedSource):
    """One sample a line, of a socket."""

    def __init__(self, config: shape.Feed, want: WantWindow, descriptor: int = FEED) -> None:
        try:
            there = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:
            there = False
        if not there:
            raise UnavailableError("nothing is fed here", "a feed is read while the daemon runs")
        os.set_blocking(descriptor, False)
        super().__init__(config, want, lambda: descriptor, "the feed")
        self._lost, self._looked = 0, -STALE
        self._taken = 0  # datagrams of the read at hand

    @property
    def dropped(self) -> int:
        """See ``Source``."""
        return self._lost + super().dropped

    def read(self, timeout: float) -> Frame | None:
        """See ``Source``. A feed that is silent is no device that is lost: it is waited for."""
        if time.monotonic() - self._looked >= STALE:
            self._throw_away()
        self._taken = 0
        frame = super().read(timeout)
        self._looked = time.monotonic()
        return frame

    def _take(self) -> None:
        if self._taken >= BURST:  # who writes without end is made to wait, instead of keeping a core busy
            time.sleep(BREATHER)
        self._taken += 1
        said = self._datagram()
        if said is None:
            return
        lines = said.split(b"\n", MOST_LINES)
        if len(said) > LARGEST or len(lines) > MOST_LINES:
            self._lines.spoil()
            return
        now = time.monotonic()
        for line in lines:
            self._heed(line, now)

    def _datagram(self) -> bytes | None:
        """The next one, None when there is none; one byte more than is allowed shows that it was cut off."""
        try:
            return os.read(self._descriptor, LARGEST + 1)
        except BlockingIOError:
            return None

    def _throw_away(self) -> None:
        for _ in range(MOST_STALE):
            if self._datagram() is None:
                break
            self._lost += 1
        self._forget()
