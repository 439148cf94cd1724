"""What a frame costs on each rung, learnt while it works. Values in, values out; time is data.

A rung that has never run is guessed from the nearest that has, and where none has from the profile of
`edged tune` or from a plain guess: a detector of 0.2 s a frame on one core, each cheaper model half of the
one above it, and with t threads t^0.78 times as fast (SSDLite MobileNet v2 on a Pi 4: 168 ms with one, 57
with four). Seconds are at full clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from edged.wall import Tick

GUESS: Final = 0.2  # seconds a frame of a ladder's first model, one thread, on a Pi 4
BUILTIN: Final = 0.005  # of builtin:activity
CHEAPER: Final = 0.5  # of the cost, with each place down the ladder
SPEEDUP: Final = 0.78  # with t threads t to the power of this times as fast
MEMORY: Final = 60.0  # ticks that a mean goes back
LEAP: Final = 2.0  # one tick counts for no more than this times what is known, either way
CONVINCED: Final = 5  # ticks in a row beyond that: then it is so, and is learnt quickly
SETTLED: Final = 0.06  # relative change below which plans stay as they are


class Cost(msgspec.Struct, frozen=True):
    """``work`` is core-seconds a frame, ``latency`` seconds a frame, after so many ``ticks``."""

    work: float
    latency: float
    ticks: float = 0.0
    leaps: int = 0


class Way(msgspec.Struct, frozen=True, order=True):
    """A model of the ladder, by its place, with so many threads."""

    place: int
    threads: int


def guess(way: Way, builtin: bool = False) -> Cost:
    """Without any knowledge."""
    alone = BUILTIN if builtin else GUESS * CHEAPER**way.place
    latency = alone / way.threads**SPEEDUP
    return Cost(latency * way.threads, latency)


def measured(tick: Tick, clock: float) -> Cost | None:
    """What a tick says; None when it says nothing. ``clock`` is a fraction of the full one.

    A process takes CPU time for frames that nobody analyses, too (a camera's decoder runs on). That is no
    frame's cost, so work is at most what preparing and inferring lasted.
    """
    latency = (tick.infer + tick.prepare) * clock
    if not tick.analysed or latency <= 0.0:
        return None
    most = (tick.infer * tick.threads + tick.prepare) * clock
    work = tick.cpu * clock / tick.analysed
    return Cost(min(work, most) if work > 0.0 else most, latency)


def learnt(known: Cost | None, now: Cost) -> Cost:
    """The mean after one more tick."""
    if known is None or not known.ticks:
        return msgspec.structs.replace(now, ticks=1.0)
    leap = not known.work / LEAP <= now.work <= known.work * LEAP
    leaps = known.leaps + 1 if leap else 0
    if leaps > CONVINCED:
        return msgspec.structs.replace(now, ticks=1.0)
    ticks = min(MEMORY, known.ticks + 1.0)
    return Cost(
        known.work + (_bounded(now.work, known.work) - known.work) / ticks,
        known.latency + (_bounded(now.latency, known.latency) - known.latency) / ticks,
        ticks,
        leaps,
    )


def _bounded(value: float, around: float) -> float:
    return min(around * LEAP, max(around / LEAP, value))


class Book:
    """What is known of one pipeline's ways. ``profile`` is what `edged tune` measured of them."""

    def __init__(self, ways: Mapping[Way, bool], profile: Mapping[Way, Cost] | None = None) -> None:
        self._prior = {way: guess(way, builtin) for way, builtin in ways.items()} | dict(profile or {})
        self._known: dict[Way, Cost] = {}
        self._used: dict[Way, Cost] = {}

    def learn(self, way: Way, cost: Cost) -> None:
        """One tick more."""
        if way in self._prior:
            self._known[way] = learnt(self._known.get(way), cost)

    def cost(self, way: Way) -> Cost:
        """What to plan with: it stays the same until the mean has moved by more than ``SETTLED``."""
        now, used = self._mean(way), self._used.get(way)
        if used is None or _moved(now, used):
            used = self._used[way] = now
        return used

    def _mean(self, way: Way) -> Cost:
        if way in self._known:
            return self._known[way]
        prior = self._prior[way]
        if not self._known:
            return prior
        near = min(self._known, key=lambda one: (abs(one.place - way.place), abs(one.threads - way.threads)))
        known, its = self._known[near], self._prior[near]
        return Cost(prior.work * known.work / its.work, prior.latency * known.latency / its.latency)


def _moved(now: Cost, used: Cost) -> bool:
    return (
        abs(now.work - used.work) > SETTLED * used.work
        or abs(now.latency - used.latency) > SETTLED * used.latency
    )
