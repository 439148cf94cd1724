"""What tracks mean: crossings, visits, dwell, flow, queues and speeds.

A ``Following`` belongs to the whole ladder, not to a rung: whoever was followed still is after a switch, and
so it knows labels by name. It holds places and moments of what is in view, and none of it leaves but as a
count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.counters import (
    Counter,
    Crossings,
    Dwells,
    Flows,
    Queues,
    Speeds,
    Visits,
)
from edged.worker.measure.evidence import unseen_ways
from edged.worker.measure.geometry import Rope, Yard
from edged.worker.measure.ledger import Ledger
from edged.worker.measure.meter import Happening
from edged.worker.measure.person import Person, goes_on_as, off_the_way
from edged.worker.measure.unseen import Unseen
from edged.worker.track import Track, Tracker

#: Measures for which it is followed who is who.
FOLLOWED: Final = frozenset(
    ("crossings", "visits", "dwell", "flow", "queue", "speed", "occupancy", "presence")
)
#: No frame stands for longer.
LONGEST: Final = 2.0  # seconds
#: Where nobody is counted, and tracks only tell what frames miss, they are looked at three times a second at
#: most: a detector's errors last for half a second (docs/accuracy.md), so that more looks tell nothing more.
#: Held against the scripted street, intervals of occupancy and presence are as wide as with every frame's,
#: within a tenth, and hold the truth as often.
APART: Final = 0.29  # seconds
WHOLE: Final = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


class Following:
    """Follows what a pipeline's series ask for, and counts what it does."""

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._visits, self._queues = Visits(pipeline, series), Queues(pipeline, series)
        self._crossings, self._flows = Crossings(pipeline, series), Flows(pipeline, series)
        counters: tuple[Counter, ...] = (
            self._crossings,
            Speeds(pipeline, series),
            self._visits,
            Dwells(pipeline, series),
            self._flows,
            self._queues,
        )
        self._counters = [one for one in counters if one.lines or one.zones]
        lines = frozenset[str]().union(*(one.lines for one in counters))
        zones = frozenset[str]().union(*(one.zones for one in counters))
        self._ropes = {name: Rope(pipeline.lines[name].points) for name in sorted(lines)}
        self._yards = {name: Yard(pipeline.zones[name] if name else WHOLE) for name in sorted(zones)}
        self._series = [index for index, one in enumerate(series) if one.measure in FOLLOWED]
        # Whether anything is there needs nobody followed: it does not say who is.
        told_apart = [index for index in self._series if series[index].measure != "presence"]
        labels = {series[index].label for index in told_apart or self._series}
        self._labels = frozenset() if "" in labels else frozenset(labels)
        self._unseen = Unseen(pipeline, series, self._labels)
        self._tracker, self._people, self._ledger = Tracker(), dict[int, Person](), Ledger()
        self._lost: list[Person] = []  # who is out of sight and expected again
        self._at: float | None = None

    def look(
        self,
        at: float,
        boxes: NDArray[np.float32],
        kinds: Sequence[str],
        scores: NDArray[np.float32],
        least: Mapping[int, float],
        values: NDArray[np.float64],
    ) -> list[Happening]:
        """What happened up to ``at``, by what a frame shows (see ``Tracker.update``); ``values`` of queues
        are filled in. ``least`` is the least score of each series.
        """
        if not self._counters and self._at is not None and 0.0 <= at - self._at < APART:
            return []
        self._since_then(at, least)
        if self._labels:
            chosen = [place for place, kind in enumerate(kinds) if kind in self._labels]
            boxes, scores, kinds = boxes[chosen], scores[chosen], [kinds[one] for one in chosen]
        lowest = min(least[index] for index in self._series)
        tracks = self._tracker.update(at, boxes, kinds, scores, lowest)
        for track in self._tracker.ended:
            self._end(track, interrupted=False)
        for track in tracks:
            self._follow(track)
        self._give_up(at)
        self._queues.fill(self._people.values(), values)
        self._unseen.look(self._people.values(), self._lost, values, self._ledger)
        return self._ledger.taken()

    def interrupt(self, at: float) -> list[Happening]:
        """Nothing is known from the last look on: whoever is there is told as far as was seen."""
        if self._at is None:
            return []
        self._visits.stop(at, [*self._people.values(), *self._lost])
        for track in self._tracker.drop():
            self._end(track, interrupted=True)
        for person in self._lost:
            self._finish(person, interrupted=True)
        self._people.clear()
        self._lost.clear()
        self._at = None
        return self._ledger.taken()

    def _since_then(self, at: float, least: Mapping[int, float]) -> None:
        """What the last look showed held until now."""
        self._ledger.least = least
        if self._at is None:
            self._visits.begin(at)
        elif at > self._at:
            self._unseen.add(min(at - self._at, LONGEST), self._ledger)
            self._ledger.beat = at - self._at
        self._at = at

    def _follow(self, track: Track) -> None:
        person = self._people.get(track.number)
        if person is not None and person.leaps(track):
            self._lost.append(self._people.pop(track.number))
            person = None
        # Low scores make nobody sure, but who was sure before may go on with them.
        new = track.seen and track.steady and not (person and person.track.sure)
        if person is None:
            person = self._people[track.number] = Person(track, self._ropes, self._yards)
        else:
            person.moved(track, self._ropes, self._yards)
        if new:
            person = self._people[track.number] = self._recognised(person)
        self._count(person)

    def _recognised(self, new: Person) -> Person:
        """By place alone: whoever was lost, or is just not found, where this track begins."""
        for lost in self._lost:
            if goes_on_as(lost, new):
                self._lost.remove(lost)
                lost.goes_on(new, self._ropes, self._yards)
                return lost
        for number, unseen in self._people.items():
            if unseen.track.sure and not unseen.track.seen and goes_on_as(unseen, new):
                del self._people[number]
                unseen.goes_on(new, self._ropes, self._yards)
                return unseen
        return self._on_its_way(new)

    def _on_its_way(self, new: Person) -> Person:
        """Whoever was lost while it walked, where its way leads to."""
        unseen = [one for one in self._people.values() if one.track.sure and not one.track.seen]
        best = min([*unseen, *self._lost], key=lambda one: off_the_way(one, new), default=new)
        if best is new or math.isinf(off_the_way(best, new)):
            return new
        if best in self._lost:
            self._lost.remove(best)
        else:
            del self._people[best.track.number]
        best.goes_on(new, self._ropes, self._yards)
        return best

    def _give_up(self, at: float) -> None:
        """Who was waited for has gone."""
        for person in [one for one in self._lost if at - one.at > one.waited_for]:
            self._lost.remove(person)
            self._finish(person, interrupted=False)

    def _end(self, track: Track, interrupted: bool) -> None:
        self._ledger.over(track)
        if (person := self._people.pop(track.number, None)) is not None:
            person.known_by(track)
            if person.track.sure and not interrupted and person.waited_for:
                self._lost.append(person)
            else:
                self._finish(person, interrupted)

    def _finish(self, person: Person, interrupted: bool) -> None:
        person.ended(interrupted)
        self._count(person)
        if self._crossings.lines:
            ways = unseen_ways(person, self._ropes, self._ledger.beat)
            self._crossings.missing(ways, person.track, self._ledger)
        if self._flows.zones:
            self._flows.missing(person, self._ledger)

    def _count(self, person: Person) -> None:
        """What it did, once it is sure that there is somebody."""
        if not person.track.sure:
            return
        for counter in self._counters:
            counter.look(person, self._ledger)
        person.crossed.clear()
        person.stayed.clear()
