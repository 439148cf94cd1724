"""What people do, counted: one counter for each kind of measure. Each looks at one person at a time, who is
sure to be there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.amounts import MISSED, bin_of
from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.evidence import Throng, Way, zones_after, zones_before
from edged.worker.measure.geometry import Yard
from edged.worker.measure.ledger import HALF, Asked, Ledger, asked
from edged.worker.measure.person import Person, height
from edged.worker.track import Track

#: Seconds of a pause after which whoever is there is somebody new.
SAME: Final = 60.0
#: Seconds after the first look within which who appears was there before.
AT_ONCE: Final = 1.0
#: How long the way through a zone is, in its widest margins: from two, where it is at the picture's edge, to
#: four.
LENGTH: Final = 3.0
#: Nobody takes longer between the lines of a speed.
SLOWEST: Final = 600.0  # seconds
#: km/h and so on for one metre a second.
PER_METRE: Final = {"": 3.6, "km/h": 3.6, "m/s": 1.0, "mph": 3600.0 / 1609.344}


class Counter(Protocol):
    """``lines`` and ``zones`` are those that people are to be held against for it."""

    lines: frozenset[str]
    zones: frozenset[str]

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count what is new about a person."""


class Crossings:
    """Each crossing of a line, by its way. What tells the ways apart is the name after the line's."""

    zones: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._of: dict[tuple[str, int], list[Asked]] = {}
        for one in asked(pipeline, series, "crossings"):
            name, _, way = one.series.zone.rpartition(":")
            sign = 1 if pipeline.lines[name].forward == way else -1
            self._of.setdefault((name, sign), []).append(one)
        self.lines = frozenset(name for name, _ in self._of)

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count its crossings."""
        for name, one in person.crossed:
            for each in self._of.get((name, one.way), ()):
                if ledger.means(each, person.track):
                    ledger.count(each, person.track, on_the_line=one.doubtful)

    def missing(self, ways: Iterable[Way], track: Track, ledger: Ledger) -> None:
        """What a track that is over may have crossed unseen."""
        for line, way, share in ways:
            for each in self._of.get((line, way), ()):
                if ledger.means(each, track):
                    ledger.guess(each, MISSED, share)


class Speeds:
    """From the first line to the second: how fast. Both moments are between frames, so that a low rate makes
    it no coarser.
    """

    zones: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._asked = asked(pipeline, series, "speed")
        self.lines = frozenset(name for one in self._asked for name in one.measure.lines)

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count the speeds that its crossings make known."""
        for name, crossing in person.crossed:
            person.passed[name] = crossing.at
            for one in self._asked:
                if name in one.measure.lines:
                    self._count(one, person, ledger)

    def _count(self, one: Asked, person: Person, ledger: Ledger) -> None:
        first, second = (person.passed.get(name) for name in one.measure.lines)
        if first is None or second is None or not ledger.means(one, person.track):
            return
        if 0.0 < second - first <= SLOWEST and person.timed.get(one.index) != first:
            person.timed[one.index] = first
            speed = (one.measure.distance or 0.0) / (second - first) * PER_METRE[one.measure.unit]
            ledger.count(one, person.track, bin=bin_of(speed))


class Visits:
    """Each stay in a zone, once it is long enough.

    After a short pause as many as were there before it are taken to be the same ones: their stays were
    counted already.
    """

    lines: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._asked = asked(pipeline, series, "visits")
        self.zones = frozenset(one.series.zone for one in self._asked)
        self._first = self._stopped = -np.inf
        self._owed: dict[int, int] = {}
        self._throngs: dict[int, Throng] = {}

    def begin(self, at: float) -> None:
        """The first look, or the first one after nothing was known."""
        self._first = at
        if at - self._stopped > SAME:
            self._owed.clear()

    def stop(self, at: float, people: Iterable[Person]) -> None:
        """From ``at`` on nothing is known of these."""
        self._stopped = at
        self._owed = dict.fromkeys((one.index for one in self._asked), 0)
        for person in people:
            for one in self._asked:
                stay = person.stays[one.series.zone]
                self._owed[one.index] += stay.inside and _mark(one, stay.number) in person.counted

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count its visits that are certain by now."""
        for one in self._asked:
            for came, _, number in _long(person, (one.series.zone,), one.least):
                self._count(one, number, came, person, ledger)

    def _count(self, one: Asked, number: int, came: float, person: Person, ledger: Ledger) -> None:
        mark = _mark(one, number)
        if mark in person.counted or not ledger.means(one, person.track):
            return
        person.counted.add(mark)
        was_there = came <= self._first + AT_ONCE and not person.from_edge
        if was_there and self._owed.get(one.index, 0):
            self._owed[one.index] -= 1
            ledger.guess(one, MISSED, HALF)
        else:
            throng = self._throngs.setdefault(one.index, Throng())
            ledger.guess(one, MISSED, throng.merged(came, ledger.beat))
            ledger.count(one, person.track, HALF if was_there else 0.0)


def _long(person: Person, zones: Collection[str], least: float) -> list[tuple[float, str, int]]:
    """Its stays of ``least`` seconds and more in ``zones`` that go on, or have ended now: when it came,
    where, the stay's number; the earliest first.
    """
    stays = ((name, person.stays[name]) for name in zones)
    found = [(name, one.number, one.came, one.until) for name, one in stays if one.inside]
    found += [(one.zone, one.number, one.came, one.went) for one in person.stayed if one.zone in zones]
    return sorted((came, name, number) for name, number, came, went in found if went - came >= least)


def _mark(one: Asked, number: int) -> tuple[int, str, int]:
    return one.index, one.series.zone, number


class Dwells:
    """How long each stay was, once it is over. One that was cut off was longer: it is doubtful as a whole."""

    lines: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._asked = asked(pipeline, series, "dwell")
        self.zones = frozenset(one.series.zone for one in self._asked)

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count the stays that it has ended."""
        for stay in person.stayed:
            for one in self._asked:
                long = stay.went - stay.came
                if one.series.zone == stay.zone and long >= one.least and ledger.means(one, person.track):
                    ledger.count(one, person.track, 1.0 if stay.cut else 0.0, bin_of(long))


class Flows:
    """From the zone that somebody was in last to the next one."""

    lines: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._measures: list[tuple[int, float, list[Asked], list[str]]] = []
        every = asked(pipeline, series, "flow")
        for measure in {id(one.measure): one.measure for one in every}.values():
            mine = [one for one in every if one.measure is measure]
            zones = sorted({name for one in mine for name in one.series.zone.split(">")})
            self._measures.append((mine[0].index, mine[0].least, mine, zones))
        self.zones = frozenset(name for *_, zones in self._measures for name in zones)
        self.yards = {name: Yard(pipeline.zones[name]) for name in sorted(self.zones)}

    def look(self, person: Person, ledger: Ledger) -> None:
        """Count its passages that are certain by now."""
        for number, least, mine, zones in self._measures:
            for _, name, stay in _long(person, zones, least):
                mark = number, name, stay
                if mark in person.counted:
                    continue
                person.counted.add(mark)
                way = f"{person.zone_before.get(number, '')}>{name}"
                if number not in person.zone_before:
                    self._guess_before(mine, name, person, ledger)
                person.zone_before[number] = name
                length = min(1.0, *(LENGTH * self.yards[each].most_margin for each in zones))
                for one in mine:
                    if one.series.zone == way and ledger.means(one, person.track):
                        ledger.count(one, person.track, length=length)

    def _guess_before(self, mine: list[Asked], name: str, person: Person, ledger: Ledger) -> None:
        """Its first zone is ``name``, as far as was seen."""
        for zone, share in zones_before(person, self.yards, ledger.beat):
            if zone != name:
                self._guess(mine, f"{zone}>{name}", share, person, ledger)
                return

    def missing(self, person: Person, ledger: Ledger) -> None:
        """Where a person whose track is over may have gone unseen."""
        for number, _, mine, zones in self._measures:
            last = person.zone_before.get(number)
            for zone, share in zones_after(person, self.yards, ledger.beat) if last else ():
                if zone != last and zone in zones:
                    self._guess(mine, f"{last}>{zone}", share, person, ledger)
                    break

    @staticmethod
    def _guess(mine: list[Asked], way: str, share: float, person: Person, ledger: Ledger) -> None:
        for one in mine:
            if one.series.zone == way and ledger.means(one, person.track):
                ledger.guess(one, MISSED, share)


class Queues:
    """How many stand waiting in a zone now."""

    lines: frozenset[str] = frozenset()

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._asked = asked(pipeline, series, "queue")
        self.zones = frozenset(one.series.zone for one in self._asked)

    def look(self, person: Person, ledger: Ledger) -> None:
        """Whether it waits."""
        for one in self._asked:
            stay = person.stays[one.series.zone]
            far = person.standing.far(person.place, height(person.track))
            if not stay.inside or not ledger.means(one, person.track):
                person.waits.discard(one.index)
            elif stay.until - max(person.standing.since, stay.came) >= one.least:
                person.waits.add(one.index)
            elif far:
                person.waits.discard(one.index)

    def fill(self, people: Iterable[Person], values: NDArray[np.float64]) -> None:
        """The values of all queues; who is out of sight for a moment still waits."""
        waits = [index for one in people for index in one.waits]
        for one in self._asked:
            values[one.index] = waits.count(one.index)
