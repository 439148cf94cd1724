"""The constants of ``edged.worker.measure.evidence``, fitted anew: what was said, against what was so.

A crossing that truly happened and was not counted is *explained* by a way that somebody may have gone unseen
over that line about then; a crossing that was counted and never happened is *false*. Likelihoods are
maximised: over a grid for the ways, by Newton's method for the chance of being false (logistic regression).
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import product
from typing import Final, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.certainty import film, pipeline, said
from benchmarks.accuracy.marks import NEAR
from benchmarks.accuracy.scenes import Scene
from benchmarks.accuracy.street import BACKWARD, FORWARD, Street
from edged.worker.measure import counters, evidence, following
from edged.worker.measure.geometry import Rope
from edged.worker.measure.ledger import Ledger
from edged.worker.measure.person import Person

#: A cell of events: line and direction, kind.
Cell = tuple[str, str]
#: Confused with a car: the street knows no others.
SAME: Final = {"truck": "car"}
SHARES: Final = tuple(step / 20 for step in range(1, 20))
SCALES: Final = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
FARS: Final = (0.0, 0.01, 0.02, 0.04, 0.08)


class Maybe(NamedTuple):
    """A way over a line that may have been gone: ``after`` so many seconds of nothing seen."""

    born: bool
    cell: Cell
    time: float
    after: float
    beat: float
    sure: bool


class Made(NamedTuple):
    """A crossing that was counted, and what ``none`` goes by; ``passed`` is a share of the picture."""

    cell: Cell
    time: float
    about: tuple[float, ...]
    passed: float


class Judged(NamedTuple):
    """One scene: ``maybes`` and whether each explains something; ``mades`` and whether each is false; how
    many of a kind were missed and nothing explains it.
    """

    maybes: list[tuple[Maybe, bool]]
    mades: list[tuple[Made, bool]]
    traceless: dict[str, int]


@contextmanager
def noted() -> Iterator[tuple[list[Maybe], list[Made]]]:
    """What the measures go by meanwhile."""
    maybes: list[Maybe] = []
    mades: list[Made] = []
    ways, look = following.unseen_ways, counters.Crossings.look

    def seen_ways(person: Person, ropes: Mapping[str, Rope], beat: float) -> Iterator[evidence.Way]:
        maybes.extend(_maybes(person, ropes, beat))
        yield from ways(person, ropes, beat)

    def seen_look(self: counters.Crossings, person: Person, ledger: Ledger) -> None:
        mades.extend(_mades(person, ledger.beat))
        look(self, person, ledger)

    with (
        patch.object(following, "unseen_ways", seen_ways),
        patch.object(counters.Crossings, "look", seen_look),
    ):
        yield maybes, mades


def _cell(line: str, way: int, kind: str) -> Cell:
    return f"{line}:{FORWARD if way > 0 else BACKWARD}", SAME.get(kind, kind)


def _maybes(person: Person, ropes: Mapping[str, Rope], beat: float) -> Iterator[Maybe]:
    track, began = person.track, person.steps[0][1]
    if track.peak < 0.5:
        return
    for line, way, after in evidence.crossed(evidence.before(person), ropes):
        yield Maybe(True, _cell(line, -way, track.kind), began - after, after, beat, track.sure)
    for line, way, after in evidence.crossed((person.place, track.velocity), ropes):
        yield Maybe(False, _cell(line, way, track.kind), person.at + after, after, beat, track.sure)


def _mades(person: Person, beat: float) -> Iterator[Made]:
    track = person.track
    passed = math.hypot(*track.velocity) * beat * track.chances / max(1, track.hits)
    for line, one in person.crossed:
        about = (1.0, *evidence.signs(track, one.doubtful))
        yield Made(_cell(line, one.way, track.kind), one.at, about, min(1.0, passed))


def judged(scene: Scene) -> Judged:
    """One scene."""
    street = Street(scene.density, scene.seed, scene.seconds)
    with noted() as (maybes, mades):
        said(pipeline(), film(scene), scene.seconds)
    true = [((one.place, one.kind), one.time) for one in street.crossings()]
    missed, false = _apart(true, [(one.cell, one.time) for one in mades])
    left = {index: true[index] for index in missed}
    explained = []
    for one in sorted(maybes, key=lambda one: one.after):
        found = [at for at, (cell, time) in left.items() if cell == one.cell and abs(time - one.time) < NEAR]
        explained.append((one, bool(found)))
        if found:
            del left[found[0]]
    traceless: dict[str, int] = defaultdict(int)
    for (_, kind), _ in left.values():
        traceless[kind] += 1
    return Judged(explained, [(one, at in false) for at, one in enumerate(mades)], dict(traceless))


def _apart(
    true: Sequence[tuple[Cell, float]], made: Sequence[tuple[Cell, float]]
) -> tuple[set[int], set[int]]:
    """The indices of those that the other side does not have within ``NEAR``; nearest first."""
    pairs = sorted(
        (abs(then - time), at, other)
        for at, (cell, then) in enumerate(true)
        for other, (same, time) in enumerate(made)
        if cell == same and abs(then - time) <= NEAR
    )
    missed, false = set(range(len(true))), set(range(len(made)))
    for _, at, other in pairs:
        if at in missed and other in false:
            missed.discard(at)
            false.discard(other)
    return missed, false


def fitted(scenes: Sequence[Scene]) -> Iterator[str]:
    """The constants, as the module has them, and how many events they come from."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        all_of = list(pool.map(judged, scenes))
    maybes = [one for each in all_of for one in each.maybes if one[0].sure]
    born = [(one.after / (one.beat + evidence.REACTION), hit) for one, hit in maybes if one.born]
    lost = [(one.after / max(one.beat, 1e-3), hit) for one, hit in maybes if not one.born]
    yield f"BORN, BORN_FRAMES = {_falling(born, (0.0,))[:2]}  # {_told(born)}"
    yield f"LOST, LOST_FRAMES, LOST_FAR = {_falling(lost, FARS)}  # {_told(lost)}"
    mades = [one for each in all_of for one in each.mades]
    logit = _logistic(np.array([one.about for one, _ in mades]), np.array([hit for _, hit in mades]))
    names = "SURE, ON_THE_LINE, NOT_FOUND, SHORT, SLOWLY"
    yield f"{names} = {np.round(logit, 1).tolist()}  # {sum(hit for _, hit in mades)} of {len(mades)}"
    at_best, passed = _traceless(all_of)
    yield f"TRACELESS, PASSED = {at_best:.3f}, {passed:.1f}"


def _told(found: Sequence[tuple[float, bool]]) -> str:
    return f"{sum(hit for _, hit in found)} of {len(found)}"


def _falling(found: Sequence[tuple[float, bool]], fars: Iterable[float]) -> tuple[float, float, float]:
    """The likeliest (share, scale, far) of share x exp(-after / scale) + far."""
    after, hit = np.array([one for one, _ in found]), np.array([one for _, one in found])

    def likelihood(share: float, scale: float, far: float) -> float:
        chance = np.clip(share * np.exp(-after / scale) + far, 1e-4, 0.999)
        return float(np.log(np.where(hit, chance, 1.0 - chance)).sum())

    return max(product(SHARES, SCALES, fars), key=lambda one: likelihood(*one))


def _logistic(about: NDArray[np.float64], hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Coefficients of a logistic regression; a little ridge keeps those of what hardly occurs small."""
    weights, ridge = np.zeros(about.shape[1]), 0.1 * np.eye(about.shape[1])
    for _ in range(30):
        chance = 1.0 / (1.0 + np.exp(-about @ weights))
        slope = about.T @ (hit - chance) - ridge @ weights
        curve = about.T @ (about * (chance * (1.0 - chance))[:, None]) + ridge
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def _traceless(all_of: Sequence[Judged]) -> tuple[float, float]:
    """(at best, of the square of what is passed in a frame), by least squares over scenes and kinds."""
    rows, wanted = [], []
    for one in all_of:
        for kind in ("person", "car"):
            passed = [made.passed for made, _ in one.mades if made.cell[1] == kind]
            if passed:
                weight = 1.0 / math.sqrt(len(passed))
                rows.append((weight * len(passed), weight * sum(each**2 for each in passed)))
                wanted.append(weight * one.traceless.get(kind, 0))
    found = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return max(0.0, float(found[0])), max(0.0, float(found[1]))
