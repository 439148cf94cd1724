"""The shipped examples that look: each on a scene whose numbers are known, seen by a poor detector."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from followed import Watched, every
from followed import detections as boxes

from edged.amounts import middle, quantile
from edged.config.loading import load
from edged.config.shape import Pipeline, Synthetic
from edged.config.shipped import folder
from edged.worker.observation import Detections
from edged.worker.source.scene import Polygon, Scene, in_view, stays_of

#: Seconds of each run.
LONG = 600.0


def pipeline(file: str) -> Pipeline:
    (one,) = load(folder() / file).pipelines.values()
    return one


class Poor:
    """A detector that misses, trembles and has doubts, and finds some things that are none."""

    def __init__(self, seed: int, names: dict[str, str]) -> None:
        self._dice, self._names = random.Random(seed), names
        self.labels = tuple(names.values())

    def __call__(self, scene: Scene, at: float) -> Detections:
        """What it makes of the scene."""
        found = [
            (self.labels.index(self._names[thing.kind]), self._shaken(thing.box), self._score())
            for thing in scene.truth(at)
            if in_view(thing) and self._dice.random() > 0.1
        ]
        if self._dice.random() < 0.02:
            found.append((0, self._shaken((0.2, 0.4, 0.7, 0.6)), 0.55))
        return Detections(
            np.array([box for _, box, _ in found], np.float32).reshape(-1, 4),
            np.array([kind for kind, _, _ in found], np.int64),
            np.array([score for *_, score in found], np.float32),
        )

    def _score(self) -> float:
        return min(0.99, max(0.2, self._dice.gauss(0.75, 0.12)))

    def _shaken(self, box: tuple[float, ...]) -> list[float]:
        size = box[2] - box[0]
        return [min(1.0, max(0.0, edge + self._dice.gauss(0.0, 0.02 * size))) for edge in box]


def watched(config: Pipeline, labels: tuple[str, ...]) -> Watched:
    return Watched(*config.measures, lines=config.lines, zones=config.zones, labels=labels)


def crossed(scene: Scene, kind: str, x: float) -> tuple[int, int]:
    """How many truly crossed the upright line to the right and to the left; who turns back on it has not."""
    ways = [
        (b.x > a.x)
        for visit in scene.visits(0.0, LONG)
        for a, b in pairwise(visit.path)
        if visit.kind == kind and min(a.x, b.x) < x < max(a.x, b.x)
        if min(abs(one.x - x) for one in visit.path) > 0.035 or visit.path[0].x != visit.path[-1].x
        if visit.enters + a.time + (b.time - a.time) * (x - a.x) / (b.x - a.x) < LONG - 1.0
    ]
    return ways.count(True), ways.count(False)


def stays(scene: Scene, zone: Polygon) -> Iterator[float]:
    """How long people were in a zone; who sways out of it and in again was there all the time."""
    for visit in scene.visits(0.0, LONG):
        found = [one for one in stays_of(visit, zone) if one[0] < LONG]
        while found:
            come, gone = found.pop(0)
            while found and found[0][0] - gone < 1.5:
                gone = found.pop(0)[1]
            yield min(gone, LONG) - come


def dwells(watched: Watched) -> list[float]:
    """All that were told, in order."""
    told = watched.bins("dwell").items()
    return sorted(middle(one) for one, count in told if one <= 168 for _ in range(count))


def test_footfall() -> None:
    config = pipeline("footfall.toml")
    scene, poor = Scene(Synthetic(seed=8, people=6, cars=0, empty=0.0)), Poor(1, {"person": "person"})
    shop = watched(config, poor.labels)
    queues = []
    for at in every(1.0 / config.rate, 0.0, LONG):
        shop.look(poor(scene, at), at)
        queues.append(shop.values[[one.measure for one in shop.series].index("queue")])
    shop.stop(LONG)
    came, left = crossed(scene, "person", 0.5)
    assert shop.told["crossings/person/door:in"] == came
    assert shop.told["crossings/person/door:out"] == left
    counter = config.zones["counter"]
    truth = sorted(long for long in stays(scene, counter) if long >= 3.0)
    assert shop.told["visits/person/counter"] == pytest.approx(len(truth), abs=1)
    assert len(dwells(shop)) == pytest.approx(len(truth), abs=2)
    assert all(min(abs(told - long) / long for long in truth) < 0.15 for told in dwells(shop))
    assert 0.0 < np.mean(queues) < np.mean([scene.count("person", at, counter) for at in every(1.0, 0, LONG)])


def test_bicycles() -> None:
    config = pipeline("bicycles.toml")
    names = {"car": "bicycle", "person": "person"}
    scene, poor = Scene(Synthetic(seed=9, people=3, cars=6, empty=0.0)), Poor(2, names)
    path = watched(config, (*poor.labels, "car"))
    for at in every(1.0 / config.rate, 0.0, LONG):
        path.look(poor(scene, at), at)
    path.stop(LONG)
    for kind, label in names.items():
        north, south = crossed(scene, kind, 0.3)
        assert path.told[f"crossings/{label}/south:northbound"] == pytest.approx(north, abs=2)
        assert path.told[f"crossings/{label}/south:southbound"] == pytest.approx(south, abs=2)
    truth = sorted(speeds(scene, config, LONG))
    told = {one: count for one, count in path.bins("speed").items() if one <= 168}
    assert sum(told.values()) == pytest.approx(len(truth), abs=2)
    for share in (0.1, 0.5, 0.9):
        assert quantile(told, share) == pytest.approx(float(np.quantile(truth, share)), rel=0.1)


def speeds(scene: Scene, config: Pipeline, end: float) -> Iterator[float]:
    """Of bicycles between the lines, rests included."""
    distance = next(one.distance for one in config.measures if one.kind == "speed") or 0.0
    for visit in scene.visits(0.0, end):
        if visit.kind == "car":
            passed = sorted(
                (a.time + (b.time - a.time) * (x - a.x) / (b.x - a.x), x)
                for a, b in pairwise(visit.path)
                for x in (0.3, 0.7)
                if min(a.x, b.x) < x < max(a.x, b.x)
            )
            for (before, x1), (after, x2) in pairwise(passed):
                if x1 != x2 and visit.enters + after < end:
                    yield 3.6 * distance / (after - before)


#: Cars of the yard: the bay that each is in, from and to, and its way there.
PARKED = (("bay-1", 0.35, 20.0, 500.0), ("bay-2", 0.6, 60.0, 240.0), ("bay-2", 0.6, 300.0, 900.0))


def test_parking() -> None:
    config = pipeline("parking.toml")
    dice = random.Random(3)
    yard = watched(config, ("car", "person"))
    presence = {"bay-1": 0.0, "bay-2": 0.0, "bay-3": 0.0}
    for at in every(1.0 / config.rate, 0.0, 1000.0):
        seen = [
            (label, score, x + dice.gauss(0.0, 0.003), y, h)
            for _, x0, come, gone in PARKED
            for label, score, x, y, h in car(x0, come, gone, at)
            if dice.random() < 0.9
        ]
        yard.look(boxes(seen, ("car", "person")), at)
        for one, value in zip(yard.series, yard.values, strict=True):
            if one.measure == "presence":
                presence[one.zone] += value / 1000.0
    assert yard.told["crossings/car/gate:in"] == 3
    assert yard.told["crossings/car/gate:out"] == 3
    assert yard.told["visits/car/bay-1"] == 1
    assert yard.told["visits/car/bay-2"] == 2
    assert "visits/car/bay-3" not in yard.told
    assert presence["bay-1"] == pytest.approx(0.48 * 0.9, abs=0.04)  # a tenth of the looks is missed
    assert presence["bay-3"] == 0.0
    assert dwells(yard) == pytest.approx([180.0, 480.0, 600.0], rel=0.08)


def car(x0: float, come: float, gone: float, at: float) -> Iterator[tuple[str, float, float, float, float]]:
    """It drives in along the lane over the left edge at 0.04 a second, turns into its bay, and out again."""
    before, after = max(0.0, come - at), max(0.0, at - gone)
    away = max(before, after)
    x, y = x0 - 0.04 * max(0.0, away - 4.0), 0.65 + 0.06 * min(4.0, away)
    if x > 0.0:
        yield "car", 0.8, x, y, 0.2
