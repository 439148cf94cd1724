"""When a pipeline whose workers fail again and again is set aside, and for how long. Pure: moments
(``CLOCK_MONOTONIC``) are passed in.

Starting anew a minute after each crash mends a crash by chance and nothing else, and costs the other
pipelines their share of a small board for years. Who has got hold of a worker through a hostile video gets a
fresh process for each guess meanwhile: at one a minute that is half a million a year, at four a day it is
hopeless.

Only what no sound worker does counts: it crashed, went silent, broke a rule, failed without a word. A camera
that is unplugged is none of that; it is tried again once a minute, because it may be plugged in again.
"""

from __future__ import annotations

import signal
from collections import deque
from typing import Final, NamedTuple

from edged.errors import UnavailableError
from edged.wall import Trouble

MOST: Final = 6  # points within the window; the backoff between such failures has come to 16 s by then
WINDOW: Final = 600.0  # seconds
PLAIN: Final = 1  # points: a crash, a silence, a fault
GRAVE: Final = 3  # points: a rule broken; that no accident does, so the second time is enough
FIRST, LONGEST = 600.0, 6 * 3600.0  # seconds set aside; doubled each time


class Sentence(NamedTuple):
    """``seconds`` aside, for so many ``failures`` within ``span`` seconds."""

    seconds: float
    failures: int
    span: float


class Quarantine:
    """One pipeline's record. After its time it is on probation for as long as the window: the next failure
    then sends it back, for twice as long; without one all is forgotten.
    """

    def __init__(self) -> None:
        self._offences: deque[tuple[float, int]] = deque()
        self._times = 0
        self._free_at = 0.0

    def judge(self, now: float, points: int) -> Sentence | None:
        """A worker has failed. None: it is tried again as ever."""
        if not points:
            return None
        if self._times and now >= self._free_at + WINDOW:
            self._times = 0
        self._offences.append((now, points))
        while self._offences[0][0] < now - WINDOW:
            self._offences.popleft()
        if not self._times and sum(weight for _, weight in self._offences) < MOST:
            return None
        return self._sentenced(now)

    def _sentenced(self, now: float) -> Sentence:
        seconds = min(LONGEST, FIRST * 2**self._times)
        made = Sentence(seconds, len(self._offences), now - self._offences[0][0])
        self._times += 1
        self._free_at = now + seconds
        self._offences.clear()
        return made


def points(trouble: Trouble | None, status: int, broke_rule: bool) -> int:
    """What a worker's end counts. One that says itself that something is not there now is sound, also when it
    had to be killed because its driver would not let it go.
    """
    if broke_rule:
        return GRAVE
    sound = trouble is not None and status in (UnavailableError.exit_code, -signal.SIGKILL)
    return 0 if sound else PLAIN


def said(sentence: Sentence, why: str) -> str:
    """For the owner: why, for how long, and the next step."""
    times = f"{sentence.failures} failures in {span(sentence.span)}" if sentence.failures > 1 else "again"
    aside = span(sentence.seconds)
    return f"{why}; {times}, so it is set aside for {aside} (`sudo edged reload` tries it at once)"


def span(seconds: float) -> str:
    """``31 s``, ``10 min``, ``6 h``."""
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"
