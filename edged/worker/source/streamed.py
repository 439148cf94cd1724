"""Channels that are told as they come: a descriptor becomes readable, and what it says is taken at once.

Beside ``polled``, whose channels are read when their turn comes.
"""

from __future__ import annotations

import math
import os
import select
import time

from edged.errors import UnavailableError
from edged.worker.source import Frame
from edged.worker.source.samples import GatheredSource, Gathering


class StreamedSource(GatheredSource):
    """Samples of one ``descriptor``, which does not block and belongs to the source from here on. A kind says
    what it makes of what can be read (``_take``). One that may be silent for ``timeout`` seconds only also
    keeps ``_heard`` and has words for a longer ``_silence``; infinite: it is waited for.
    """

    def __init__(
        self, gathering: Gathering, sample_rate: float, descriptor: int, timeout: float = math.inf
    ) -> None:
        super().__init__(gathering, sample_rate)
        self._descriptor, self._timeout = descriptor, timeout
        self._heard = time.monotonic()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def read(self, timeout: float) -> Frame | None:
        """See ``Source``. Ends in time also when it can be read without end and makes no frame."""
        deadline = time.monotonic() + timeout
        while (wait := self._gathering.wait(now := time.monotonic())) != 0.0:
            until = deadline if wait is None else min(deadline, now + wait)
            if self._poll.poll(max(0.0, until - now) * 1e3):
                self._take()
            if time.monotonic() >= deadline:
                break
        now = time.monotonic()
        if self._gathering.wait(now) == 0.0:
            return self._gathering.taken(now)
        if now - self._heard >= self._timeout:
            raise self._silence(now - self._heard)
        return None

    def close(self) -> None:
        """Give the descriptor back. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self) -> None:
        """Take in what is there. Raises ``UnavailableError`` when the device has gone."""
        raise NotImplementedError

    def _silence(self, seconds: float) -> UnavailableError:
        """That nothing was said for so many ``seconds``, and what to look at."""
        raise NotImplementedError
