"""The scripted scene: who is where at which time, a pure function of the seed and the time.

A pavement in front, a road behind it. Things enter over the left or right edge, cross, stop, turn back and
leave. Each visit is drawn from its own number alone, so any moment of any day can be asked for at once, and
the true numbers of any interval are known. ``synthetic`` draws it; tests, the demo and benchmarks ask it for
the truth::

    scene = Scene(shape.Synthetic(seed=7))
    scene.truth(12.5)                          # what is in view: kind, box, moving
    scene.occupancy("person", 0, 60).mean      # true mean number of persons in the first minute
    scene.entries("car", 0, 60, zone)          # how many came into a polygon

Times are seconds of the scene: ``Frame.time`` of pace "fast", seconds since the first read of pace "real". A
thing counts as in view while at least ``IN_VIEW`` of its box is inside the picture, and as in a zone while
the middle of its box's lower edge is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from edged.config import shape

PERSON: Final = "person"
CAR: Final = "car"
KINDS: Final = (PERSON, CAR)
IN_VIEW: Final = 0.5  # of a thing's box; a detector sees little of what is seen less
LONGEST: Final = 60.0  # seconds that no visit exceeds, so that those of a moment are found without a search

Box = tuple[float, float, float, float]  # top, left, bottom, right in fractions of the picture
Polygon = Sequence[tuple[float, float]]  # corners (x, y) in fractions


class Thing(NamedTuple):
    """One thing at one moment. ``body`` is its whole box, ``box`` the part inside the picture.

    ``stride`` is how far it has gone, in body heights (a gait's phase); ``number`` is its visit's.
    """

    kind: str
    number: int
    body: Box
    box: Box
    moving: bool
    stride: float


class Occupancy(NamedTuple):
    """How many there were through an interval; ``share`` is the part of the time with at least one."""

    mean: float
    min: int
    max: int
    share: float


class Stop(NamedTuple):
    """A corner of a path: at ``time`` seconds after entering, at ``x`` (the middle of the body)."""

    time: float
    x: float


class Visit(NamedTuple):
    """One thing's way through the picture: straight between its stops, at ``feet`` (from the top)."""

    kind: str
    number: int
    enters: float
    path: tuple[Stop, ...]
    feet: float
    height: float
    width: float

    @property
    def leaves(self) -> float:
        """When it is gone."""
        return self.enters + self.path[-1].time

    def at(self, time: float) -> Thing | None:
        """The thing at ``time``, None when it has not come or is gone."""
        age = time - self.enters
        if not 0.0 <= age < self.path[-1].time:
            return None
        index = next(i for i in range(1, len(self.path)) if age < self.path[i].time)
        a, b = self.path[index - 1], self.path[index]
        x = a.x + (b.x - a.x) * (age - a.time) / (b.time - a.time)
        moving = a.x != b.x
        if not moving and self.kind == PERSON:
            x += sway(age - a.time, b.time - a.time)
        body = (self.feet - self.height, x - self.width / 2, self.feet, x + self.width / 2)
        gone = abs(x - self.path[0].x) / self.height
        return Thing(self.kind, self.number, body, clipped(body), moving, gone)


def sway(age: float, length: float) -> float:
    """Nobody stands still: a slow shift of weight, fading in and out so that the path has no jumps."""
    fade = min(1.0, age, length - age)
    return fade * (0.012 * math.sin(2.1 * age) + 0.004 * math.sin(5.3 * age))


def clipped(body: Box) -> Box:
    """The part inside the picture."""
    top, left, bottom, right = (min(1.0, max(0.0, edge)) for edge in body)
    return top, left, bottom, right


def inside(polygon: Polygon, x: float, y: float) -> bool:
    """Whether a point is inside, by the even-odd rule. Not the rule of ``worker.measure``, which is judged by
    this scene's truth: one mistake in both would be none.
    """
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            odd = not odd
    return odd


def in_view(thing: Thing | None, zone: Polygon | None = None) -> bool:
    """Whether a thing counts as in the picture, or in the zone."""
    if thing is None or area(thing.box) < IN_VIEW * area(thing.body):
        return False
    _, left, bottom, right = thing.box
    return zone is None or inside(zone, (left + right) / 2, bottom)


def area(box: Box) -> float:
    """Of a box, in fractions of the picture's."""
    return (box[2] - box[0]) * (box[3] - box[1])


class Scene:
    """The script of one seed.

    ``people`` and ``cars`` are entries per minute; nothing enters before ``empty`` seconds.
    """

    def __init__(self, config: shape.Synthetic) -> None:
        self._seed = config.seed
        self._empty = config.empty
        self._per_minute = {PERSON: config.people, CAR: config.cars}
        self._visits: dict[tuple[str, int], Visit] = {}

    def truth(self, time: float) -> list[Thing]:
        """Everything of which at least a bit is in the picture, farthest first (the order to draw in)."""
        things = [visit.at(time) for visit in self.visits(time, time)]
        shown = [thing for thing in things if thing is not None and area(thing.box) > 0.0]
        return sorted(shown, key=lambda thing: (thing.body[2], thing.number))

    def count(self, kind: str, time: float, zone: Polygon | None = None) -> int:
        """How many of ``kind`` ("" for any) are in view, or in ``zone``, at ``time``."""
        return sum(in_view(thing, zone) for thing in self.truth(time) if kind in ("", thing.kind))

    def stays(
        self, kind: str, start: float, end: float, zone: Polygon | None = None
    ) -> list[tuple[float, float]]:
        """(from, to) of every stay in view, or in ``zone``, that touches the interval; exact to a
        millisecond.
        """
        found = [
            stay
            for visit in self.visits(start, end)
            if kind in ("", visit.kind)
            for stay in stays_of(visit, zone)
            if stay[0] < end and stay[1] > start
        ]
        return sorted(found)

    def occupancy(self, kind: str, start: float, end: float, zone: Polygon | None = None) -> Occupancy:
        """The true occupancy over ``[start, end)`` of ``kind`` ("" for any), in view or in ``zone``."""
        steps = [(start, 0), (end, 0)]
        for come, gone in self.stays(kind, start, end, zone):
            steps += [(max(come, start), 1), (min(gone, end), -1)]
        steps.sort()
        present, integral, share, counts, before = 0, 0.0, 0.0, [], start
        for time, change in steps:
            if time > before:
                counts.append(present)
                integral += present * (time - before)
                share += (time - before) * (present > 0)
            present, before = present + change, time
        length = end - start
        return Occupancy(integral / length, min(counts), max(counts), share / length)

    def entries(self, kind: str, start: float, end: float, zone: Polygon | None = None) -> int:
        """How many times one of ``kind`` ("" for any) came into view, or into ``zone``, within ``[start,
        end)``.
        """
        return sum(start <= come < end for come, _ in self.stays(kind, start, end, zone))

    def crossings(self, kind: str, start: float, end: float, x: float = 0.5) -> tuple[int, int]:
        """How many crossed the upright line at ``x`` to the right and to the left within ``[start, end)``."""
        right = left = 0
        for visit in self.visits(start, end):
            if kind in ("", visit.kind):
                for a, b in pairwise(visit.path):
                    if min(a.x, b.x) < x < max(a.x, b.x):
                        time = visit.enters + a.time + (b.time - a.time) * (x - a.x) / (b.x - a.x)
                        right += (b.x > a.x) and start <= time < end
                        left += (b.x < a.x) and start <= time < end
        return right, left

    def visits(self, start: float, end: float) -> Iterator[Visit]:
        """All visits of which a part lies in the interval."""
        for kind, per_minute in self._per_minute.items():
            if per_minute:
                period = 60.0 / per_minute
                first = max(0, math.floor((start - LONGEST - self._empty) / period) - 1)
                for number in range(first, math.floor((end - self._empty) / period) + 1):
                    visit = self._visit(kind, number, period)
                    if visit.enters <= end and visit.leaves > start:
                        yield visit

    def _visit(self, kind: str, number: int, period: float) -> Visit:
        visit = self._visits.get((kind, number))
        if visit is None:
            if len(self._visits) > 512:
                self._visits.clear()
            dice = random.Random(f"{self._seed} {kind} {number}")
            wait = dice.random() * 0.7 if number else (0.0 if kind == PERSON else 0.3)
            visit = walk(kind, number, self._empty + (number + wait) * period, dice)
            self._visits[kind, number] = visit
        return visit


def walk(kind: str, number: int, enters: float, dice: random.Random) -> Visit:
    """One visit: across, across with a rest, or in and back again.

    People pass in front of the road, on one of three lanes.
    """
    if kind == PERSON:
        feet = dice.choice((0.74, 0.84, 0.94))
        height = 0.52 * feet - 0.06 + 0.04 * dice.random()  # nearer is larger
        width, speed, rests = 0.30 * height, dice.uniform(0.11, 0.17), (6.0, 18.0)
    else:
        feet, height, width = 0.53, dice.uniform(0.15, 0.19), dice.uniform(0.26, 0.34)
        speed, rests = dice.uniform(0.22, 0.36), (4.0, 12.0)
    near, far = -width / 2, 1.0 + width / 2
    if dice.random() < 0.5:
        near, far = far, near
    plan, middle = dice.random(), dice.uniform(0.2, 0.8)
    corners = [near, far] if plan < 0.4 else [near, middle, far] if plan < 0.8 else [near, middle, near]
    return Visit(kind, number, enters, timed(corners, speed, dice.uniform(*rests)), feet, height, width)


def timed(corners: list[float], speed: float, rest: float) -> tuple[Stop, ...]:
    """The path over these corners at ``speed`` (pictures a second), with a rest of so many seconds at the
    inner one.
    """
    path = [Stop(0.0, corners[0])]
    for index, x in enumerate(corners[1:], 1):
        path.append(Stop(path[-1].time + abs(x - path[-1].x) / speed, x))
        if index < len(corners) - 1:
            path.append(Stop(path[-1].time + rest, x))
    return tuple(path)


def stays_of(visit: Visit, zone: Polygon | None) -> list[tuple[float, float]]:
    """When one visit is in view, or in the zone: sampled at 20 Hz, the edges narrowed to a millisecond."""
    times = [visit.enters + 0.05 * i for i in range(math.ceil((visit.leaves - visit.enters) / 0.05) + 1)]
    seen, stays, come = False, [], 0.0
    for before, time in pairwise(times):
        if in_view(visit.at(time), zone) != seen:
            edge = narrowed(visit, zone, before, time, seen)
            seen = not seen
            if seen:
                come = edge
            else:
                stays.append((come, edge))
    return stays


def narrowed(visit: Visit, zone: Polygon | None, before: float, after: float, seen: bool) -> float:
    """The moment between two at which being in view changes, by bisection."""
    while after - before > 0.001:
        middle = (before + after) / 2
        if in_view(visit.at(middle), zone) == seen:
            before = middle
        else:
            after = middle
    return after
