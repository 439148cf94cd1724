"""Two things in turns, a second each, both alive all the time: while one runs the other is stopped
(SIGSTOP).

A shared machine's speed changes by half within seconds. Neighbouring seconds are alike, so their ratio and
their difference say more than any two long runs, and the median over many pairs more than their mean.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple, Protocol

from benchmarks.bare import Sample

PAIRS = 16
TURN = 1.0  # seconds; the daemon takes a worker for stalled after 4
SETTLE = 0.25  # seconds after waking up that are not counted: caches are filled again, ticks told


class Contender(Protocol):
    """What can take turns."""

    pids: Sequence[int]

    def sample(self) -> Sample:
        """The next moment at which the number of frames is known exactly; may wait for it."""


class Turn(NamedTuple):
    """What one did in one turn."""

    fps: float
    cpu_ms: float


class Comparison(NamedTuple):
    """Medians over pairs: ``fps`` of the first over the second's, ``cpu_ms`` per frame beyond the second's,
    and the second's own.
    """

    fps_ratio: float
    cpu_ms_beyond: float
    cpu_ms_second: float


def compared(first: Contender, second: Contender) -> Comparison:
    """Let them run in turns, and compare neighbouring turns."""
    sides = [(one, tuple(one.pids)) for one in (first, second)]
    for _, pids in sides:
        _signal(pids, signal.SIGSTOP)
    pairs = []
    try:
        for number in range(PAIRS):
            order = sides if number % 2 else sides[::-1]
            turns = [_turn(*side) for side in order]
            pairs.append(tuple(turns if number % 2 else turns[::-1]))
    finally:
        for _, pids in sides:
            _signal(pids, signal.SIGCONT)
    return Comparison(
        median(one.fps / two.fps for one, two in pairs),
        median(one.cpu_ms - two.cpu_ms for one, two in pairs),
        median(two.cpu_ms for _, two in pairs),
    )


def _turn(one: Contender, pids: Sequence[int]) -> Turn:
    _signal(pids, signal.SIGCONT)
    time.sleep(SETTLE)
    first = last = one.sample()
    while last.at - first.at < TURN:
        last = one.sample()
    _signal(pids, signal.SIGSTOP)
    frames = last.frames - first.frames
    return Turn(frames / (last.at - first.at), (last.cpu - first.cpu) / frames * 1e3)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
