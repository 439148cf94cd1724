"""What is filmed: the scripted scene of ``edged.worker.source.scene`` at several densities, its lines and
zones, and what truly happens there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from edged.config import shape
from edged.worker.source.scene import Scene, Thing, Visit, area, in_view

#: People and cars a minute. Of "crowded" no more than eight are in view at once.
DENSITIES: Final = {"sparse": (3.0, 1.5), "busy": (8.0, 5.0), "crowded": (13.0, 10.0)}
#: Upright lines, by where they stand: names and shares of the picture's width.
LINES: Final = {"west": 0.3, "middle": 0.5, "east": 0.7}
#: Directions: of an upright line from its foot to its head the left side is the picture's.
FORWARD, BACKWARD = "eastward", "westward"
#: Who turns back no farther beyond a line than so much of its own size (the root of its box's area) may have
#: crossed it or not: docs/measures.md draws the limit in the middle of that, and no box is that exact. They
#: are left out of the film.
NARROW: Final = 0.3
ZONES: Final = {"pavement": ((0.25, 0.6), (0.75, 0.6), (0.75, 1.0), (0.25, 1.0))}
KINDS: Final = ("person", "car")
#: Where lines and sides of zones are.
MARKS: Final = (*LINES.values(), *(x for zone in ZONES.values() for x, _ in zone))


class Event(NamedTuple):
    """Something that truly happens: ``place`` is "line:direction"."""

    time: float
    place: str
    kind: str
    number: int


class Stay(NamedTuple):
    """From when to when somebody is in a zone."""

    came: float
    went: float

    @property
    def long(self) -> float:
        """Seconds."""
        return self.went - self.came


class Street:
    """One density and seed, for so many ``seconds``."""

    def __init__(self, density: str, seed: int, seconds: float) -> None:
        self.density, self.seed, self.seconds = density, seed, seconds
        people, cars = DENSITIES[density]
        self._scene = Scene(shape.Synthetic(seed=seed, people=people, cars=cars, empty=2.0))

    def things(self, time: float) -> list[Thing]:
        """What is in the picture, farthest first."""
        there = (visit.at(time) for visit in self._scene.visits(time, time) if not undecided(visit))
        shown = [one for one in there if one is not None and area(one.box) > 0.0]
        return sorted(shown, key=lambda one: (one.body[2], one.number))

    def visits(self) -> list[Visit]:
        """All of them, in order."""
        shown = (one for one in self._scene.visits(0.0, self.seconds) if not undecided(one))
        return sorted(shown, key=lambda one: one.enters)

    def most_at_once(self) -> int:
        """The largest number in view at once, looked at twice a second."""
        times = range(int(2 * self.seconds))
        return max(sum(in_view(one) for one in self.things(time / 2)) for time in times)

    def crossings(self) -> list[Event]:
        """Every time the middle of a body passes a line."""
        found = [
            Event(time, f"{name}:{FORWARD if east else BACKWARD}", visit.kind, visit.number)
            for visit in self.visits()
            for name, x in LINES.items()
            for time, east in passages(visit, x)
            if time < self.seconds
        ]
        return sorted(found)

    def stays(self, zone: str) -> list[Stay]:
        """Every stay of people in a zone, by when they pass its west and its east side, up to the end."""
        west, east = min(x for x, _ in ZONES[zone]), max(x for x, _ in ZONES[zone])
        found = []
        for visit in self.visits():
            if visit.kind == "person":
                turns = sorted((*passages(visit, west), *passages(visit, east)))
                times = [min(time, self.seconds) for time, _ in turns]
                found += [Stay(times[at], times[at + 1]) for at in range(0, len(times) - 1, 2)]
        return sorted(one for one in found if one.came < self.seconds)


def undecided(visit: Visit) -> bool:
    """Whether it turns back just beyond a line, or just beyond a side of a zone."""
    first, turn, last = (visit.path[place].x for place in (0, 1, -1))
    narrow = NARROW * math.sqrt(visit.height * visit.width)
    return first == last and any(0.0 <= (turn - x) * (1 if first < x else -1) < narrow for x in MARKS)


def passages(visit: Visit, x: float) -> Iterator[tuple[float, bool]]:
    """(time, whether to the right) of each passage of the upright line at ``x``."""
    for a, b in pairwise(visit.path):
        if min(a.x, b.x) < x < max(a.x, b.x):
            yield visit.enters + a.time + (b.time - a.time) * (x - a.x) / (b.x - a.x), b.x > a.x


def lines() -> dict[str, shape.Line]:
    """The lines as the config has them."""
    return {
        name: shape.Line(points=((x, 1.0), (x, 0.0)), forward=FORWARD, backward=BACKWARD)
        for name, x in LINES.items()
    }
