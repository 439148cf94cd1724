"""The scripted scene behind the simulated detector, through the tracker alone and through the measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain as together
from statistics import fmean, median
from typing import Final, NamedTuple

from benchmarks.accuracy import chain
from benchmarks.accuracy.detector import PROFILES, Detector
from benchmarks.accuracy.follow import Followed, Frame, Tracker, followed, frame
from benchmarks.accuracy.marks import Marks, dwelt, judged
from benchmarks.accuracy.pace import moments
from benchmarks.accuracy.street import KINDS, ZONES, Event, Street, lines
from edged.config import shape
from edged.worker import track

#: Seeds that tracker and measures were tuned on, and seeds that nobody looked at while tuning.
TUNED: Final = (1, 2, 3, 4)
APART: Final = (1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008)
#: Seconds of each scene: counts of so long are compared.
LENGTH: Final = 300.0
#: Seconds in a zone that make a visit (the measures' default).
LEAST_STAY: Final = 1.0
#: What is asked of the real measures. A detector takes cars for lorries at times: who asks for both has them
#: followed through that, and what it was taken for most of the time decides.
LABELS: Final = (*KINDS, "truck")
ASKED: Final = (
    shape.Measure(kind="crossings", labels=LABELS),
    shape.Measure(kind="visits", labels=("person",), zones=tuple(ZONES)),
    shape.Measure(kind="dwell", labels=("person",), zones=tuple(ZONES)),
)


class Scene(NamedTuple):
    """What is to be filmed, and by whom."""

    density: str
    pace: str
    detector: str
    seed: int
    seconds: float


class Result(NamedTuple):
    """``missed`` is the share of things in view to which the detector gave no box with a score of 0.5;
    ``plain`` are crossings by the tracker alone, ``crossings`` and ``visits`` (to the zone, by people) by the
    real measures, with how many of them they think were missed or none; ``dwells`` how many seconds each
    dwell is off.
    """

    missed: float
    follow: Followed
    plain: Marks
    crossings: Marks
    visits: Marks
    dwells: tuple[float, ...]
    thought_missed: float
    thought_doubtful: float


class Row(NamedTuple):
    """Several seeds' results together."""

    density: str
    pace: str
    missed: float
    mota: float
    idf1: float
    switches: int
    plain: Marks
    crossings: Marks
    visits: Marks
    dwell: float
    thought_missed: float
    thought_doubtful: float

    def __str__(self) -> str:
        return (
            f"{self.density:8} {self.pace:6} not found {self.missed:.1%}  MOTA {self.mota:.3f}"
            f"  IDF1 {self.idf1:.3f}  switches {self.switches:4}  plainly {self.plain.error:.1%}\n"
            f"    crossings {self.crossings} (it thinks {self.thought_missed:.0f} missed,"
            f" {self.thought_doubtful:.0f} doubtful)\n"
            f"    visits {self.visits}; dwells {self.dwell:.2f} s off (median)"
        )


def frames(street: Street, pace: str, detector: Detector) -> Iterator[Frame]:
    """What is there and what is seen of it."""
    for time in moments(pace, street.seconds):
        things = street.things(time)
        yield frame(things, detector(time, things))


def filmed(scene: Scene, make: Callable[[], Tracker] = track.Tracker) -> Result:
    """One scene, through a tracker of its own (any) and through the real measures with theirs."""
    street = Street(scene.density, scene.seed, scene.seconds)
    film = list(frames(street, scene.pace, Detector(PROFILES[scene.detector], scene.seed)))
    follow = followed(film, make)
    true = street.crossings()
    config = chain.pipeline(ASKED, lines(), dict(ZONES))
    found = chain.counted(config, [one.seen for one in film], LABELS)
    dwells = [(one.time, long) for one, long in zip(found.of("dwell"), found.numbers, strict=True)]
    return Result(
        missed(film),
        follow,
        judged(true, follow.crossings),
        judged(true, found.of("crossings")),
        judged(came(street), found.of("visits")),
        tuple(together.from_iterable(dwelt(street.stays(zone), dwells) for zone in ZONES)),
        found.thought(found.missed, "crossings"),
        found.thought(found.doubtful, "crossings"),
    )


def row(results: Sequence[Result], density: str, pace: str) -> Row:
    """All of them together."""
    offs = [one for result in results for one in result.dwells]
    return Row(
        density,
        pace,
        fmean(one.missed for one in results),
        fmean(one.follow.mota for one in results),
        fmean(one.follow.idf1 for one in results),
        sum(one.follow.switches for one in results),
        added(one.plain for one in results),
        added(one.crossings for one in results),
        added(one.visits for one in results),
        median(offs) if offs else 0.0,
        sum(one.thought_missed for one in results),
        sum(one.thought_doubtful for one in results),
    )


def rows(
    densities: Sequence[str],
    paces: Sequence[str],
    seeds: Sequence[int],
    detector: str = "usual",
    seconds: float = LENGTH,
) -> Iterator[Row]:
    """Each density at each pace, all seeds together; on all cores."""
    kinds = [(density, pace) for density in densities for pace in paces]
    scenes = [Scene(density, pace, detector, seed, seconds) for density, pace in kinds for seed in seeds]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(filmed, scenes)
        for density, pace in kinds:
            yield row([next(results) for _ in seeds], density, pace)


def added(marks: Iterable[Marks]) -> Marks:
    """All of them."""
    total = Marks()
    for one in marks:
        total = total.plus(one)
    return total


def came(street: Street) -> list[Event]:
    """People's visits to the zones that are long enough to count."""
    return [
        Event(stay.came + LEAST_STAY, zone, "person", 0)
        for zone in ZONES
        for stay in street.stays(zone)
        if stay.long >= LEAST_STAY
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
