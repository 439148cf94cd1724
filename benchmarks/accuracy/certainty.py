"""``python -m benchmarks.accuracy.certainty``: how often the interval of a report's row holds the truth.

The scripted street behind the simulated detector, through the real measures, with what they themselves think
they missed and counted wrongly: each series of each scene of five minutes is one *cell*. The truth of a mean
is of things at least half in the picture, of which no less is to be seen than the detector needs
(``detector.LEAST``): who is behind somebody else is nobody's to count.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from benchmarks.accuracy import chain
from benchmarks.accuracy.detector import LEAST, PROFILES, Detector, Seen, shown
from benchmarks.accuracy.pace import PACES, moments
from benchmarks.accuracy.scenes import APART, LABELS, LENGTH, Scene
from benchmarks.accuracy.street import DENSITIES, KINDS, ZONES, Street, lines, passages
from edged import interval
from edged.amounts import DOUBTFUL, MISSED, PARTS
from edged.config import shape
from edged.nouns import Series
from edged.series import series_of
from edged.worker.measure import Memory, meter
from edged.worker.measure.waiting import Standing
from edged.worker.observation import Detections
from edged.worker.source.scene import Thing, Visit, in_view, inside, stays_of

#: What the constants were fitted to.
FITTED: Final = (1, 2, 3, 4, 5, 6, 7, 8)
PAVEMENT: Final = tuple(ZONES)
#: For flow: left and right of the picture's middle.
HALVES: Final = {
    "left": ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0)),
    "right": ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)),
}
BOUNDS: Final = {"left": (-9.0, 0.4), "right": (0.6, 9.0)}
WAITS: Final = 3.0  # seconds of standing that are waiting
SHORTEST: Final = 1.0  # seconds of a visit
#: How often the truth of means is looked at, in a second.
LOOKS: Final = 5.0
ASKED: Final = (
    shape.Measure(kind="crossings", labels=LABELS),
    shape.Measure(kind="visits", labels=("person",), zones=PAVEMENT),
    shape.Measure(kind="visits", labels=KINDS),
    shape.Measure(kind="dwell", labels=("person",), zones=PAVEMENT),
    shape.Measure(kind="flow", labels=KINDS, zones=tuple(HALVES)),
    shape.Measure(kind="occupancy", labels=KINDS),
    shape.Measure(kind="occupancy", labels=("person",), zones=PAVEMENT),
    shape.Measure(kind="presence", labels=KINDS),
    shape.Measure(kind="presence", labels=("person",), zones=PAVEMENT),
    shape.Measure(kind="queue", labels=("person",), zones=PAVEMENT, least_dwell=WAITS),
)


class Cell(NamedTuple):
    """One series of one scene: what was so, what was told, and from where to where the interval goes."""

    scene: Scene
    series: Series
    true: float
    told: float
    low: float
    high: float
    missed: float
    doubtful: float

    @property
    def held(self) -> bool:
        """Whether the truth is inside."""
        return self.low - 1e-9 <= self.true <= self.high + 1e-9

    @property
    def width(self) -> float:
        """As a share of what was told."""
        return (self.high - self.low) / self.told if self.told else float("inf")


class Said(NamedTuple):
    """What was told of one series: ``value`` a count, or a mean with the deviation ``spread``."""

    value: float
    spread: float
    missed: float
    doubtful: float


def pipeline() -> shape.Pipeline:
    """All measures that have an interval of what boxes show."""
    return chain.pipeline(ASKED, lines(), {**ZONES, **HALVES})


def film(scene: Scene) -> list[Seen]:
    """What the detector makes of a scene."""
    street, detector = Street(*scene[0::3], scene.seconds), Detector(PROFILES[scene.detector], scene.seed)
    return [detector(time, street.things(time)) for time in moments(scene.pace, scene.seconds)]


def said(config: shape.Pipeline, frames: Sequence[Seen], seconds: float) -> dict[Series, Said]:
    """What the measures tell of all ``frames``."""
    series = series_of("p", config)
    look = meter(config, series, Detections, LABELS, chain.LEAST, Memory(config, series))
    values, sums, squares = (np.zeros(len(series)) for _ in range(3))
    events, parts = Counter[int](), Counter[tuple[int, int]]()
    times = [*(one.time for one in frames), seconds]
    for seen, (at, until) in zip(frames, pairwise(times), strict=True):
        found = Detections(seen.boxes, chain.classes(seen.kinds, LABELS), seen.scores)
        told = look(found, values, at)
        if until == seconds:
            told = [*told, *look.interrupt(until)]
        sums += values * (until - at)
        squares += values * values * (until - at)
        for one in told:
            if one.bin in (MISSED, DOUBTFUL):
                parts[one.series, one.bin] += one.times
            else:
                events[one.series] += one.times
    made = {}
    for index, one in enumerate(series):
        missed, doubtful = (parts[index, bin] / PARTS for bin in (MISSED, DOUBTFUL))
        mean = sums[index] / seconds
        spread = max(0.0, squares[index] / seconds - mean * mean) ** 0.5
        value = float(mean) if one.unit in ("count", "share") and _valued(one) else float(events[index])
        made[one] = Said(value, float(spread), missed, doubtful)
    return made


def _valued(series: Series) -> bool:
    return series.measure in ("occupancy", "presence", "queue")


def cells(scene: Scene) -> list[Cell]:
    """Those of one scene in which anything was, or was told."""
    street, frames = Street(scene.density, scene.seed, scene.seconds), film(scene)
    true, made = truth(street), []
    for series, one in said(pipeline(), frames, scene.seconds).items():
        key = series.measure, series.zone, series.label
        low, high = bounds(series, one, len(frames), scene.seconds)
        if true[key] or one.value:
            made.append(Cell(scene, series, true[key], one.value, low, high, *_estimates(series, one, scene)))
    return made


def _estimates(series: Series, one: Said, scene: Scene) -> tuple[float, float]:
    """In what the value is in."""
    over = scene.seconds if _valued(series) else 1.0
    return one.missed / over, one.doubtful / over


def bounds(series: Series, one: Said, frames: int, seconds: float) -> tuple[float, float]:
    """The interval, as a report makes it."""
    if not _valued(series):
        return interval.of_count(int(one.value), one.missed, one.doubtful, frames, seconds)
    ends = interval.of_mean(one.value, one.spread, one.missed, one.doubtful, frames, seconds, series.unit)
    low, high = (interval.possible(end, series.unit) for end in ends)
    return low, high


def truth(street: Street) -> Counter[tuple[str, str, str]]:
    """What was so, by measure, place and kind: numbers of events, and means."""
    true: Counter[tuple[str, str, str]] = Counter()
    for event in street.crossings():
        true["crossings", event.place, event.kind] += 1
    for zone in ZONES:
        stays = [one for one in street.stays(zone) if one.long >= SHORTEST]
        true["visits", zone, "person"] = sum(one.came + SHORTEST <= street.seconds for one in stays)
        true["dwell", zone, "person"] = len(stays)
    for visit in street.visits():
        for came, went in stays_of(visit, None):
            long = min(went, street.seconds) - came
            true["visits", "", visit.kind] += long >= SHORTEST
        for way in flows(visit, street.seconds):
            true["flow", way, visit.kind] += 1
    true.update(means(street))
    return true


def flows(visit: Visit, until: float) -> Iterator[str]:
    """From which half to which one a visit goes, before ``until``."""
    times = sorted(
        (time, name, east == (name == "right"))
        for name, x in (("left", 0.4), ("right", 0.6))
        for time, east in passages(visit, x)
    )
    first = visit.path[0].x
    was = "left" if first < 0.5 else "right"
    for time, name, comes in times:
        if comes and time < until and visit.enters + visit.path[0].time <= time:
            if name != was:
                yield f"{was}>{name}"
            was = name


def means(street: Street) -> dict[tuple[str, str, str], float]:
    """How many there were, whether there was anybody, and how many waited, on average."""
    sums: dict[tuple[str, str, str], float] = defaultdict(float)
    waiting: dict[int, Waiter] = {}
    times = np.arange(0.5, street.seconds * LOOKS) / LOOKS
    for time in times.tolist():
        things = street.things(time)
        seen = list(visible(things))
        for kind, zone in ((KINDS[0], ""), (KINDS[1], ""), (KINDS[0], PAVEMENT[0])):
            there = [one for one in seen if one.kind == kind and (not zone or _in(one, zone))]
            sums["occupancy", zone, kind] += len(there)
            sums["presence", zone, kind] += bool(there)
            # Who waits still does while somebody walks past in front.
            there = [one for one in things if one.kind == kind and in_view(one) and _in(one, PAVEMENT[0])]
            if zone:
                waiting = {one.number: waiting.get(one.number) or Waiter(time, foot_of(one)) for one in there}
                sums["queue", zone, kind] += sum(waiting[one.number].waits(one, time) for one in there)
    return {key: total / len(times) for key, total in sums.items()}


def visible(things: Sequence[Thing]) -> Iterator[Thing]:
    """Those of which enough is to be seen; the farthest come first."""
    for place, one in enumerate(things):
        share, seen, _ = shown(one, things[place + 1 :])
        if in_view(one) and share * seen >= LEAST:
            yield one


def _in(thing: Thing, zone: str) -> bool:
    _, left, bottom, right = thing.box
    return inside(ZONES[zone], (left + right) / 2, min(bottom, 0.999))


class Waiter:
    """Whether somebody waits, by the measure's own rule, of the true places."""

    def __init__(self, time: float, foot: tuple[float, float]) -> None:
        self._standing, self._came, self._waits = Standing(time, foot), time, False

    def waits(self, thing: Thing, time: float) -> bool:
        """``thing`` is in the zone at ``time``."""
        foot, height = foot_of(thing), thing.body[2] - thing.body[0]
        self._standing.moved(foot, time, height)
        if time - max(self._standing.since, self._came) >= WAITS:
            self._waits = True
        elif self._standing.far(foot, height):
            self._waits = False
        return self._waits


def foot_of(thing: Thing) -> tuple[float, float]:
    """Where it stands."""
    return (thing.body[1] + thing.body[3]) / 2, thing.body[2]


class Row(NamedTuple):
    """Cells together."""

    cells: int
    held: float
    width: float
    true: float
    told: float


def judged(found: Iterable[Cell]) -> Row:
    """How many hold the truth, and how wide they are, in the middle."""
    one = list(found)
    return Row(
        len(one),
        sum(cell.held for cell in one) / max(1, len(one)),
        median(cell.width for cell in one) if one else 0.0,
        sum(cell.true for cell in one),
        sum(cell.told for cell in one),
    )


def scenes_of(
    densities: Sequence[str], paces: Sequence[str], seeds: Sequence[int], detectors: Sequence[str]
) -> list[Scene]:
    """All of them, five minutes each."""
    return [
        Scene(density, pace, detector, seed, LENGTH)
        for detector in detectors
        for density in densities
        for pace in paces
        for seed in seeds
    ]


def measured(scenes: Sequence[Scene]) -> list[Cell]:
    """All cells of all scenes; on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return [cell for found in pool.map(cells, scenes) for cell in found]


MEASURES: Final = tuple(dict.fromkeys(one.kind for one in ASKED))
COUNTS: Final = ("crossings", "visits", "flow")
HEAD: Final = (
    "| scene | detector | pace | " + " | ".join(MEASURES) + " |\n|---|---|---|" + "--:|" * len(MEASURES)
)


def lines_of(found: Sequence[Cell]) -> Iterator[str]:
    """A Markdown table: in which share of the cells the truth lies, and their median width."""
    yield HEAD
    kinds = dict.fromkeys((one.scene.density, one.scene.detector, one.scene.pace) for one in found)
    for kind in kinds:
        mine = [one for one in found if (one.scene.density, one.scene.detector, one.scene.pace) == kind]
        rows = (judged(one for one in mine if one.series.measure == measure) for measure in MEASURES)
        made = (f"{row.held:.0%} ±{row.width / 2:.0%}" for row in rows)
        yield f"| {' | '.join(kind)} | {' | '.join(made)} |"


def sums_of(found: Sequence[Cell]) -> Iterator[str]:
    """A Markdown table: what was so beyond what was told, against what the worker thought."""
    yield "| pace | measure | true | told | true - told | missed | doubtful |\n|---|---|--:|--:|--:|--:|--:|"
    for pace, measure in dict.fromkeys((one.scene.pace, one.series.measure) for one in found):
        mine = [one for one in found if (one.scene.pace, one.series.measure) == (pace, measure)]
        true, told = sum(one.true for one in mine), sum(one.told for one in mine)
        missed, doubtful = sum(one.missed for one in mine), sum(one.doubtful for one in mine)
        numbers = (f"{one:.1f}" for one in (true, told, true - told, missed, doubtful))
        yield f"| {pace} | {measure} | {' | '.join(numbers)} |"


def figures(found: Sequence[Cell]) -> Iterator[tuple[str, float]]:
    """``interval.coverage_*``: the share of all cells of a pace that hold the truth; ``interval.width_*``:
    how wide they are in the middle, as a share of what was told. Of all measures together, and of each.
    """
    for pace in dict.fromkeys(one.scene.pace for one in found):
        mine = [one for one in found if one.scene.pace == pace and one.series.measure != "dwell"]
        for measure in ("", *dict.fromkeys(one.series.measure for one in mine)):
            row = judged(one for one in mine if measure in ("", one.series.measure))
            name = f"{pace}_{measure}" if measure else pace
            yield f"interval.coverage_{name}", row.held
            yield f"interval.width_{name}", row.width


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.certainty", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(APART), help=f"fitted to were {FITTED}")
    parser.add_argument("--pace", choices=PACES, nargs="+", default=list(PACES))
    parser.add_argument("--density", choices=list(DENSITIES), nargs="+", default=list(DENSITIES))
    parser.add_argument("--detector", choices=list(PROFILES), nargs="+", default=["usual"])
    parser.add_argument("--fit", action="store_true", help="print what the constants would be, from these")
    asked = parser.parse_args()
    scenes = scenes_of(asked.density, asked.pace, asked.seeds, asked.detector)
    if asked.fit:
        from benchmarks.accuracy.calibration import fitted

        for line in fitted(scenes):
            print(line, flush=True)
    found = measured(scenes)
    for line in (*lines_of(found), *(["", *sums_of(found)] if asked.fit else ())):
        print(line, flush=True)


if __name__ == "__main__":
    main()
