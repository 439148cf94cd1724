"""The scripted scene behind the simulated detector, through tracker and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from benchmarks.accuracy import chain
from benchmarks.accuracy.detector import PROFILES, Detector
from benchmarks.accuracy.follow import Frame, Tracker, followed, frame
from benchmarks.accuracy.marks import Marks, judged
from benchmarks.accuracy.pace import moments
from benchmarks.accuracy.street import KINDS, ZONES, Event, Street, lines
from edged.config import shape
from edged.worker import track

#: Seeds that tracker and measures were tuned on, and seeds that nobody looked at while tuning.
TUNED: Final = (1, 2, 3)
APART: Final = (1001, 1002, 1003, 1004)
#: Seconds in a zone that make a visit (the measures' default).
LEAST_STAY: Final = 1.0


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


#: What is asked of the real measures.
LABELS: Final = ("person", "car", "truck")
ASKED: Final = (
    shape.Measure(kind="crossings", labels=KINDS),
    shape.Measure(kind="visits", labels=("person",), zones=tuple(ZONES)),
    shape.Measure(kind="dwell", labels=("person",), zones=tuple(ZONES)),
)


class Measured(NamedTuple):
    """The real measures: ``crossings``; ``visits`` to the zone by people."""

    density: str
    pace: str
    missed: float
    crossings: Marks
    visits: Marks

    def __str__(self) -> str:
        return (
            f"{self.density:8} {self.pace:6} not found {self.missed:.1%}  crossings {self.crossings}"
            f"  visits {self.visits}"
        )


def measured(density: str, pace: str, profile: str, seeds: Sequence[int], seconds: float) -> Measured:
    """One kind of scene, all ``seeds`` together, through tracker and measures as the worker has them."""
    config = chain.pipeline(ASKED, lines(), dict(ZONES))
    crossings, visits, misses = Marks(), Marks(), []
    for seed in seeds:
        street = Street(density, seed, seconds)
        film = list(frames(street, pace, Detector(PROFILES[profile], seed)))
        found = chain.counted(config, [one.seen for one in film], LABELS).events
        crossings = crossings.plus(judged(street.crossings(), found.get("crossings", [])))
        visits = visits.plus(judged(came(street), found.get("visits", [])))
        misses.append(missed(film))
    return Measured(density, pace, fmean(misses), crossings, visits)


def came(street: Street) -> list[Event]:
    """People's visits to the zones that are long enough to count."""
    return [
        Event(began + LEAST_STAY, zone, kind, 0)
        for zone in ZONES
        for began, ended, kind in street.stays(zone)
        if kind == "person" and ended - began >= LEAST_STAY
    ]


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
