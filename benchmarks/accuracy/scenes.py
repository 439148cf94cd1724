"""The scripted scene behind the simulated detector, through tracker and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from benchmarks.accuracy.detector import PROFILES, Detector
from benchmarks.accuracy.follow import Frame, Tracker, followed, frame
from benchmarks.accuracy.marks import Marks, judged
from benchmarks.accuracy.pace import moments
from benchmarks.accuracy.street import Street
from edged.worker import track

#: Seeds that tracker and measures were tuned on, and seeds that nobody looked at while tuning.
TUNED: Final = (1, 2, 3)
APART: Final = (1001, 1002, 1003, 1004)


class Tracked(NamedTuple):
    """The tracker alone: ``marks`` are by the plain rule of ``follow``, ``missed`` is the share of things in
    view that the detector gave no box with a score of 0.5.
    """

    density: str
    pace: str
    missed: float
    mota: float
    idf1: float
    switches: int
    marks: Marks

    def __str__(self) -> str:
        return (
            f"{self.density:8} {self.pace:6} missed {self.missed:.1%}  MOTA {self.mota:.3f}"
            f"  IDF1 {self.idf1:.3f}  switches {self.switches:4}  {self.marks}"
        )


def frames(street: Street, pace: str, detector: Detector) -> Iterator[Frame]:
    """What is there and what is seen of it."""
    for time in moments(pace, street.seconds):
        things = street.things(time)
        yield frame(things, detector(time, things))


def tracked(
    density: str,
    pace: str,
    profile: str,
    seeds: Sequence[int],
    seconds: float,
    make: Callable[[], Tracker] = track.Tracker,
) -> Tracked:
    """One kind of scene, all ``seeds`` together, with any tracker."""
    marks, results, misses = Marks(), [], []
    for seed in seeds:
        street = Street(density, seed, seconds)
        film = list(frames(street, pace, Detector(PROFILES[profile], seed)))
        one = followed(film, make)
        marks = marks.plus(judged(street.crossings(), one.crossings))
        results.append(one)
        misses.append(missed(film))
    return Tracked(
        density,
        pace,
        fmean(misses),
        fmean(one.mota for one in results),
        fmean(one.idf1 for one in results),
        sum(one.switches for one in results),
        marks,
    )


def missed(film: Sequence[Frame], least: float = 0.5) -> float:
    """The share of things in view without a box of their own of that score, over all frames."""
    things = sum(len(one.truth) for one in film)
    found = sum(
        1
        for one in film
        for of, score in zip(one.seen.of, one.seen.scores.tolist(), strict=True)
        if score >= least and of in one.of
    )
    return 1.0 - found / max(1, things)
