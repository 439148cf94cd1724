"""What one track says of events that nobody saw, and of whether one that was counted was one.

The constants are fitted to the scripted street of ``benchmarks.accuracy.certainty``, seeds 1 to 8, at 5, 2
and 1 frames a second and while the rate swings::

    python -m benchmarks.accuracy.certainty --fit --seeds 1 2 3 4 5 6 7 8 --pace 5fps 2fps 1fps swing

prints them anew, all but ``MERGED``: that is from its table of sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from edged.worker.measure.geometry import LAST, Point, Rope, Yard
from edged.worker.measure.person import Person, size_of
from edged.worker.track import Track

#: The chance that a line was crossed unseen on the straight way that leads from the picture's edge to where a
#: track begins: this, and as many times the time of a frame (and ``REACTION``) until it falls to 1/e.
BORN, BORN_FRAMES, REACTION = 0.75, 3.0, 0.2  # a share; frames; seconds
#: The same on the way from where one is lost; and what is left of it however far the line is.
LOST, LOST_FRAMES, LOST_FAR = 0.7, 1.5, 0.04
#: Who goes no faster goes nowhere: pictures a second.
STILL: Final = 0.02
#: Nobody is on the way unseen for longer.
LONGEST: Final = 20.0  # seconds
#: A way is held against zones at so many places.
STEPS: Final = 8
#: For one that was counted so many were missed without leaving a trace: at best; and so many times the square
#: of what share of the picture it passes between two looks that find it.
TRACELESS, PASSED = 0.006, 1.6
#: Who comes within so many frames of somebody else's going is taken for that one.
MERGED: Final = 0.8
#: Seconds over which it is averaged how many come.
LATELY: Final = 60.0
#: The logit of the chance that what was counted was none: at best; and what it gains by a way that began or
#: ended on the line, by each look that did not find the thing (as a share), by what its score is short of
#: ``CLEAR``, and by slowness: it goes by less than ``SLOW`` of its size in a second.
SURE, ON_THE_LINE, NOT_FOUND, SHORT, SLOWLY = -4.3, 1.7, 6.9, 10.5, 1.2
CLEAR, SLOW = 0.55, 0.2


class Way(NamedTuple):
    """A line that somebody may have crossed unseen: ``way`` as of ``Crossing``, ``share`` the chance."""

    line: str
    way: int
    share: float


def unseen_ways(person: Person, ropes: Mapping[str, Rope], beat: float) -> Iterator[Way]:
    """The lines that a person whose track is over may have crossed before it was found and after it was lost,
    ``beat`` seconds being between frames. Whoever goes comes from an edge of the picture, and goes to one.
    """
    for name, way, seconds in crossed(before(person), ropes):
        yield Way(name, -way, _born(seconds, beat))
    for name, way, seconds in crossed((person.place, person.track.velocity), ropes):
        yield Way(name, way, _lost(seconds, beat))


def zones_before(person: Person, yards: Mapping[str, Yard], beat: float) -> Iterator[tuple[str, float]]:
    """The zones that a person may have been in before it was found, the last first: name and chance."""
    for name, seconds in _entered(before(person), yards):
        yield name, _born(seconds, beat)


def zones_after(person: Person, yards: Mapping[str, Yard], beat: float) -> Iterator[tuple[str, float]]:
    """The zones that a person may have come to after it was lost, the first first: name and chance."""
    for name, seconds in _entered((person.place, person.track.velocity), yards):
        yield name, _lost(seconds, beat)


def _born(seconds: float, beat: float) -> float:
    return BORN * math.exp(-seconds / (BORN_FRAMES * (beat + REACTION)))


def _lost(seconds: float, beat: float) -> float:
    return LOST * math.exp(-seconds / (LOST_FRAMES * max(beat, 1e-3))) + LOST_FAR


#: Where something starts, and how fast it goes.
Course = tuple[Point, Point]


def before(person: Person) -> Course:
    """Back from where it was found first."""
    (first, began), (last, until) = person.steps[0][:2], person.steps[-1][:2]
    speed = person.track.velocity
    if until > began:
        speed = (last[0] - first[0]) / (until - began), (last[1] - first[1]) / (until - began)
    return first, (-speed[0], -speed[1])


def _lasts(course: Course) -> float:
    """Seconds until it is at the picture's edge; 0 of what stands."""
    start, speed = course
    if math.hypot(*speed) < STILL:
        return 0.0
    return min(LONGEST, *(_until_edge(at, one) for at, one in zip(start, speed, strict=True)))


def _along(course: Course, seconds: float) -> Point:
    (x, y), (right, down) = course
    return x + seconds * right, y + seconds * down


def crossed(course: Course, ropes: Mapping[str, Rope]) -> Iterator[tuple[str, int, float]]:
    """The lines that are on the way to the picture's edge: name, way and after how long."""
    if seconds := _lasts(course):
        end = _along(course, seconds)
        for name, rope in ropes.items():
            for way, share in rope.crossed(course[0], end):
                yield name, way, share * seconds


def _entered(course: Course, yards: Mapping[str, Yard]) -> list[tuple[str, float]]:
    """The zones on the way, those that it starts in left out: name and after how long, by that."""
    if not (seconds := _lasts(course)):
        return []
    looks = [(step / STEPS * seconds, _along(course, step / STEPS * seconds)) for step in range(STEPS + 1)]
    found = []
    for name, yard in yards.items():
        first = next((after for after, place in looks if yard.depth(place) > 0.0), 0.0)
        if first:
            found.append((name, first))
    return sorted(found, key=lambda one: one[1])


def _until_edge(at: float, speed: float) -> float:
    if speed == 0.0:
        return math.inf
    return max(0.0, (LAST - at if speed > 0.0 else -at) / speed)


def traceless(track: Track, chance: float, beat: float, length: float = 1.0) -> float:
    """How many like it went unnoticed for one that was counted, where a look comes each ``beat`` seconds and
    finds with ``chance`` what is there: who passes much of the picture from one to the next, or of where it
    has to be found, of that ``length``, may never have been.
    """
    passed = math.hypot(*track.velocity) * beat / max(chance, 0.2) / length
    return TRACELESS + PASSED * min(passed, 1.0) ** 2


class Throng:
    """How many came lately, so how many of them were taken for somebody else."""

    def __init__(self) -> None:
        self._came: float = 0.0
        self._at: float | None = None

    def merged(self, at: float, beat: float) -> float:
        """One more has come at ``at``: how many of its kind were not told apart from others meanwhile."""
        elapsed = 0.0 if self._at is None else max(0.0, at - self._at)
        self._came = self._came * math.exp(-elapsed / LATELY) + 1.0
        self._at = at
        return MERGED * beat * (self._came - 1.0) / LATELY


def none(track: Track, on_the_line: bool) -> float:
    """The probability that what a track did was nothing: a box on a wrong thing, a double, a tremble."""
    weights = ON_THE_LINE, NOT_FOUND, SHORT, SLOWLY
    logit = SURE + sum(one * sign for one, sign in zip(weights, signs(track, on_the_line), strict=True))
    return 1.0 / (1.0 + math.exp(-logit))


def signs(track: Track, on_the_line: bool) -> tuple[float, float, float, float]:
    """What speaks against an event: its way, looks that did not find the thing, a low score, slowness."""
    slow = math.hypot(*track.velocity) < SLOW * size_of(track)
    unseen = 1.0 - track.hits / max(1, track.chances)
    return float(on_the_line), unseen, max(0.0, CLEAR - track.score), float(slow)
