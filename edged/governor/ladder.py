"""Rungs, and which one a budget is best spent on. Pure.

A pipeline's ladder is what may do its job: models, dearest first, each at one or more numbers of threads.
Cores x seconds per frame are what a frame costs; a budget is a number of cores. What the owner prefers is a
number:

    utility = quality^a x (rate / asked)^b

with (a, b) = (2, 0.5) for "accuracy" and (0.5, 1) for "rate", so 1 is the dearest rung at the rate that was
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

Prefer = Literal["accuracy", "rate"]

EXPONENTS: Final[Mapping[str, tuple[float, float]]] = {"accuracy": (2.0, 0.5), "rate": (0.5, 1.0)}
#: Of a rung's own largest rate: the rest is for what a frame needs besides the model.
SATURATION: Final = 0.95


class Rung(msgspec.Struct, frozen=True):
    """One way to do the job. ``cost`` is core-seconds a frame at full clock, ``latency`` seconds a frame,
    ``quality`` 0..1 relative to the dearest.
    """

    model: str
    threads: int
    cost: float
    latency: float
    quality: float


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner asked of one pipeline. ``rungs`` are those that may be used, in any order; ``rate`` >
    0.
    """

    rungs: tuple[Rung, ...]
    rate: float
    least_rate: float = 0.0
    prefer: Prefer = "accuracy"
    weight: float = 1.0


def ceiling(want: Want, rung: int) -> float:
    """Frames per second that the rung can reach, at most what is asked for."""
    return min(want.rate, SATURATION / want.rungs[rung].latency)


def affordable(want: Want, rung: int, cores: float) -> float:
    """Frames per second of a rung with so many cores; 0 where that is below the least rate."""
    rate = min(ceiling(want, rung), cores / want.rungs[rung].cost)
    return rate if rate >= least(want) and rate > 0.0 else 0.0


def least(want: Want) -> float:
    """The owner's least rate, or what the fastest rung reaches if none reaches that."""
    if want.least_rate <= 0.0:
        return 0.0
    return min(want.least_rate, max(ceiling(want, rung) for rung in range(len(want.rungs))))


def utility(want: Want, rung: int, rate: float) -> float:
    """0 (paused) to 1 (the dearest rung at the rate that was asked for)."""
    a, b = EXPONENTS[want.prefer]
    return float(want.rungs[rung].quality ** a * (rate / want.rate) ** b)


def best(want: Want, cores: float) -> tuple[int, float]:
    """The rung of the largest utility with so many cores, and that utility; the cheaper of equals."""
    found, most = cheapest(want), 0.0
    for rung in range(len(want.rungs)):
        worth = utility(want, rung, affordable(want, rung, cores))
        if worth > most + 1e-9 or (worth > most - 1e-9 and want.rungs[rung].cost < want.rungs[found].cost):
            found, most = rung, worth
    return found, most


def cheapest(want: Want) -> int:
    """The rung of the least cost a frame."""
    return min(range(len(want.rungs)), key=lambda one: want.rungs[one].cost)


def appetite(want: Want) -> float:
    """The cores that the best there is would take."""
    rung = best(want, float("inf"))[0]
    return ceiling(want, rung) * want.rungs[rung].cost


def most(want: Want) -> float:
    """The cores that the dearest way to use it would take."""
    return max(ceiling(want, rung) * one.cost for rung, one in enumerate(want.rungs))


def floor(want: Want) -> float:
    """The cores that the least rate takes at the least; without one, a tenth of the rate."""
    if want.least_rate <= 0.0:
        rung = cheapest(want)
        return min(0.1 * want.rate, ceiling(want, rung)) * want.rungs[rung].cost
    rate = least(want)
    reaching = (one.cost for i, one in enumerate(want.rungs) if ceiling(want, i) >= rate)
    return rate * min(reaching)


def shared(wants: Mapping[str, Want], cores: float) -> dict[str, float]:
    """Each pipeline's cores: by weight, and what one cannot use goes to the others (max-min fairness)."""
    share = dict.fromkeys(wants, 0.0)
    hungry, left = {name: appetite(one) for name, one in wants.items()}, cores
    while hungry and left > 1e-9:
        unit = left / sum(wants[name].weight for name in hungry)
        full = {name: need for name, need in hungry.items() if need <= unit * wants[name].weight}
        for name, need in (full or {name: unit * wants[name].weight for name in hungry}).items():
            share[name] = need
            left -= need
            del hungry[name]
    return share


def variants(models: Sequence[tuple[str, float, Mapping[int, float]]]) -> tuple[Rung, ...]:
    """All rungs of models given as (name, quality, {threads: seconds a frame})."""
    top = max(quality for _, quality, _ in models)
    return tuple(
        Rung(name, threads, threads * seconds, seconds, quality / top)
        for name, quality, times in models
        for threads, seconds in times.items()
    )
