"""What is remembered of one track: where it was, which lines it is about to cross, in which zones it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from edged.worker.measure.geometry import Point, Rope, Yard, held
from edged.worker.measure.passing import Crossing, Passing
from edged.worker.measure.staying import Stay
from edged.worker.measure.waiting import Standing
from edged.worker.track import Track

#: Clear of a line, or in or out of a zone, is who is farther from it than so much of its own size (the square
#: root of its box's area): a detector's boxes tremble by a few hundredths of theirs.
MARGIN: Final = 0.15
#: A box with a low score, or within a better one, has to be so many times as far beyond a line: it may be
#: another's double.
WIDER: Final = 2.0
#: A box that is so near to the picture's edge comes in over it, or leaves.
EDGE: Final = 0.05
#: A box at the upper edge that ends higher than that comes in over it.
ABOVE: Final = 0.3
#: Who moves by less of its size in a second stands.
SLOW: Final = 0.2
#: Who stood for so long and is lost is waited for, but not for longer than that.
STOOD, MOST_WAIT = 3.0, 60.0  # seconds
#: Who stood for so long is not so much of its size away when it is found again.
SETTLED, LEAP = 20.0, 1.3  # seconds; sizes
#: Who has gone so much of its size nearer to the picture's edge leaves.
OUTWARD: Final = 0.1
#: In so much of its size is the same place.
SAME_PLACE: Final = 0.5
#: Who walked is expected that long where its way leads to,
WALKED: Final = 2.5  # seconds
#: to within so much of its size and so much more for each second, along the picture, and up or down; of a
#: size
#: no more than so many times the other.
ASIDE, DRIFT, LEVEL, LIKE = 0.4, 0.5, 0.35, 1.6


class Stayed(NamedTuple):
    """A stay that is over: in ``zone`` from ``came`` to ``went``, the track's so-manieth there. ``cut``: it
    was longer than that.
    """

    zone: str
    number: int
    came: float
    went: float
    cut: bool


class Step(NamedTuple):
    """Where it was, and when; ``good``: a box that counts has shown it."""

    place: Point
    at: float
    good: bool


class Person:
    """One track, whatever its kind. What it did waits in ``crossed`` and ``stayed`` until it is sure that
    there is somebody.
    """

    __slots__ = (
        "at", "before", "counted", "crossed", "from_edge", "passed", "passings", "place", "size", "standing",
        "stayed", "stays", "steps", "timed", "track", "waits", "zone_before",
    )  # fmt: skip

    def __init__(self, track: Track, ropes: Mapping[str, Rope], yards: Mapping[str, Yard]) -> None:
        self.track = track
        self.at, self.place = track.last, held(track.foot)
        #: The best score that it had as another track, before it was lost and found again.
        self.before = 0.0
        #: Its way until it was sure.
        self.steps = [Step(self.place, self.at, track.good)]
        self.from_edge = at_edge(track)
        self.passings = {name: Passing(self.at) for name in ropes}
        self.stays = {name: Stay() for name in yards}
        self.standing = Standing(self.at, self.place)
        self.crossed: list[tuple[str, Crossing]] = []
        self.stayed: list[Stayed] = []
        self.size = size_of(track)  # when it was last seen
        #: The counters' own notes: stays that were counted, queues, lines passed when and where
        #: a speed was measured from, a flow's last zone.
        self.counted: set[tuple[int, str, int]] = set()
        self.waits: set[int] = set()
        self.passed: dict[str, float] = {}
        self.timed: dict[int, float] = {}
        self.zone_before: dict[int, str] = {}
        for name, passing in self.passings.items():
            margin = margin_of(track)
            passing.moved(ropes[name], self.place, self.at, self.place, self.at, margin, margin)
        self._stay(yards)

    def moved(self, track: Track, ropes: Mapping[str, Rope], yards: Mapping[str, Yard]) -> None:
        """It is where ``track`` says now, if it was seen there."""
        sure = self.track.sure
        self.known_by(track)
        if track.seen and track.last > self.at:
            step = Step(held(track.foot), track.last, track.good)
            self._step(step, ropes, yards)
            if not sure:
                self.steps.append(step)

    def goes_on(self, as_whom: Person, ropes: Mapping[str, Rope], yards: Mapping[str, Yard]) -> None:
        """It was lost, and is ``as_whom`` now: the way since then is its own."""
        self.before = max(self.before, self.track.peak)
        self.known_by(as_whom.track)
        for step in as_whom.steps:
            self._step(step, ropes, yards)

    def known_by(self, track: Track) -> None:
        """This is its track now. Who was sure to be there still is, and had the scores that it had."""
        self.track = track
        if self.before:
            self.track = track._replace(sure=True, peak=max(track.peak, self.before))

    def _step(self, step: Step, ropes: Mapping[str, Rope], yards: Mapping[str, Yard]) -> None:
        start, began, margin = self.place, self.at, margin_of(self.track)
        self.size = size_of(self.track)
        self.place, self.at = place, at = step.place, step.at
        wide = margin if step.good else WIDER * margin
        for name, passing in self.passings.items():
            found = passing.moved(ropes[name], start, began, place, at, margin, wide)
            if found:
                self.crossed.append((name, found))
        self._stay(yards)
        self.standing.moved(place, at, height(self.track))

    def _stay(self, yards: Mapping[str, Yard]) -> None:
        for name, stay in self.stays.items():
            went = stay.moved(yards[name], self.place, self.at, margin_of(self.track))
            if went is not None:
                self.stayed.append(Stayed(name, stay.number, stay.came, went, not self._saw(stay)))

    def _saw(self, stay: Stay) -> bool:
        """Whether it was seen to come."""
        return stay.whole or self.from_edge

    @property
    def waited_for(self) -> float:
        """Seconds for which somebody who was lost is expected to be seen again: where it stood, and for as
        long as it had stood; who walked, where its way leads to. 0 for who is at the picture's edge.
        """
        stood = self.at - self.standing.since
        if at_edge(self.track):
            return 0.0
        return WALKED if stood < STOOD else min(stood, MOST_WAIT)

    def leaps(self, track: Track) -> bool:
        """Whether the track says that who stood here is far away at once: then it is on somebody else."""
        far = math.dist(self.place, held(track.foot)) > LEAP * size_of(track)
        return track.seen and far and self.waited_for >= SETTLED

    def ended(self, interrupted: bool) -> None:
        """It is not followed any more. Who was lost in the middle of the picture may still be there."""
        stood = math.hypot(*self.track.velocity) < SLOW * size_of(self.track)
        for name, passing in self.passings.items():
            self.crossed += [(name, found) for found in passing.ended(stood)]
        lost = interrupted or not at_edge(self.track)
        for name, stay in self.stays.items():
            if stay.inside:
                cut = lost or not self._saw(stay)
                self.stayed.append(Stayed(name, stay.number, stay.came, stay.until, cut))


def height(track: Track) -> float:
    """Of its box, in fractions of the picture."""
    return track.box[2] - track.box[0]


def margin_of(track: Track) -> float:
    """How far from a line it has to be for that to be more than a tremble."""
    return MARGIN * size_of(track)


def size_of(track: Track) -> float:
    """The square root of its box's area."""
    top, left, bottom, right = track.box
    return math.sqrt(max(0.0, (bottom - top) * (right - left)))


def off_the_way(lost: Person, new: Person) -> float:
    """How far from where it went a track begins in the middle of the picture, as a share of what is believed:
    infinite where it cannot be the one that was ``lost``. Meanwhile it went at a speed between the one that
    it had and the one that it has now.
    """
    place, began, _ = new.steps[0]
    gap = began - lost.at
    if not 0.0 < gap <= WALKED or lost.track.kind != new.track.kind:
        return math.inf
    size = size_of(new.track)
    if comes_in(new) or at_edge(lost.track) or max(size, lost.size) > LIKE * min(size, lost.size):
        return math.inf
    slow, fast = sorted((lost.track.velocity[0], new.track.velocity[0]))
    way = place[0] - lost.place[0]
    x = max(gap * slow - way, 0.0, way - gap * fast)
    y = abs(place[1] - lost.place[1] - gap * lost.track.velocity[1])
    off = x / (size * (ASIDE + DRIFT * gap))
    return off if off <= 1.0 and y <= LEVEL * size else math.inf


def goes_on_as(lost: Person, new: Person) -> bool:
    """Whether a track that begins in the middle of the picture begins where one of its kind was lost, since
    when there is none: then they are one.
    """
    place, began, _ = new.steps[0]
    near = math.dist(lost.place, place) <= SAME_PLACE * size_of(new.track)
    return near and lost.at < began and lost.track.kind == new.track.kind and not new.from_edge


def comes_in(new: Person) -> bool:
    """Whether it was first seen at the picture's edge, and not on its way out over it."""
    if not new.from_edge:
        return False
    _, left, _, right = new.track.box
    gone = new.steps[-1].place[0] - new.steps[0].place[0]
    return (gone if right > 1.0 - left else -gone) < OUTWARD * size_of(new.track)


def at_edge(track: Track) -> bool:
    """Whether its box is at an edge of the picture over which it can come and go. Who is near the camera
    reaches the upper edge wherever they stand.
    """
    top, left, bottom, right = track.box
    above = top <= EDGE and bottom <= ABOVE
    return above or min(left, 1.0 - bottom, 1.0 - right) <= EDGE
