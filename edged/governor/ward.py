"""One pipeline in the governor's care: what its ways cost, which one it is on, what its worker is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from edged import wall
from edged.governor import ladder, steering, wants
from edged.governor.costs import Book, Cost, Way, measured
from edged.governor.ladder import Want
from edged.governor.narrator import FULL, Deed, Narrator, Note
from edged.governor.steering import Course
from edged.supervise import Keeper

#: Ticks after which its own way's cost is known well enough to choose among all of them.
ACQUAINTED: Final = 5
#: A rate that differs by less from what the worker was told is the same.
SAME: Final = 0.02


class Ward:
    """``keeper``'s pipeline, from its start to its end; a worker that is replaced goes on where it was."""

    def __init__(self, keeper: Keeper, note: Note, cores: int, profile: Mapping[Way, Cost]) -> None:
        self.keeper = keeper
        self._ways = wants.ways(keeper.pipeline, keeper.models, cores)
        self._own = max(way for way in self._ways if way.place == 0)
        self._plan: tuple[Way, ...] = (self._own,)
        self._book = Book(self._ways, profile)
        self._names = (keeper.pipeline.model, *keeper.pipeline.ladder)
        self._narrator = Narrator(keeper.name, self._names[0], keeper.pipeline.rate, note)
        self._ticks, self._credit = 0, 0.0
        #: A worker begins held where there may be quiet hours: nobody knew yet whether these are.
        self._held = keeper.directed.paused
        self._course: Course | None = None
        self._lacking: frozenset[int] = frozenset()
        self.reason = ""
        self.cpu = self.work = 0.0
        self.want = self._wanted()

    def _wanted(self) -> Want:
        fps = self.keeper.ready.fps if self.keeper.ready else 0.0
        return wants.want(self.keeper.pipeline, self.keeper.models, self._book, self._plan, fps)

    @property
    def at_work(self) -> bool:
        """Whether its worker can be told anything."""
        return self.keeper.state == "running" and not self.keeper.directed.stop

    def learn(self, tick: wall.Tick, clock: float) -> None:
        """What a tick says of its way's cost, and what was taken of the cores: ``cpu`` in all, ``work`` of
        it for frames.
        """
        way = Way(tick.rung, tick.threads)
        self.cpu += tick.cpu
        if (cost := measured(tick, clock)) is None or way not in self._ways:
            return
        self._book.learn(way, cost)
        self.work += self._book.cost(way).work * tick.analysed / clock
        self._ticks += 1
        if self._ticks == ACQUAINTED:
            self._widen()

    def _widen(self) -> None:
        """Its own way's cost is known: all others can be judged by it, but for models that cannot be had."""
        plan = tuple(way for way in sorted(self._ways) if way.place not in self._lacking) or (self._own,)
        if plan != self._plan:
            self._plan, self._course = plan, None

    def consider(self) -> Want:
        """What is asked for, by what is known now."""
        if (lacking := self.keeper.lacking) != self._lacking:
            self._lacking = lacking
            if self._ticks >= ACQUAINTED:
                self._widen()
        self.want = self._wanted()
        return self.want

    def steer(self, cores: float, time: float, reason: str) -> None:
        """Go on with so many cores. ``reason`` is why there are no more, "" when nothing binds."""
        before = self._course
        course = steering.steered(before, self.want, cores, time) if before else None
        self._course = course or steering.begun(self.want, cores, time)
        share = self.share
        dearest = self._way.place == 0
        slower = "" if dearest else "a dearer model would be too slow"
        self.reason = "" if dearest and share >= FULL else reason or self.reason or slower
        self._direct(self._directive())
        model = self._names[self._way.place]
        self._narrator.hear(time, Deed(share, self._rate, model, self.keeper.recorded), self.reason)

    def hold(self, quiet: bool) -> None:
        """While its worker is not at work yet: whether it is to look at nothing when it is."""
        directed = self.keeper.directed
        if not self.at_work and directed.paused != quiet and (quiet or self._held):
            self.keeper.direct(msgspec.structs.replace(directed, paused=quiet))
        self._held = quiet and (self._held or not self.at_work)

    def release(self) -> None:
        """Nobody governs: as its owner asked."""
        self._course, self.reason = None, ""
        if self.at_work or self.keeper.directed.paused:
            self._direct(wall.Directive(self.keeper.pipeline.rate))

    @property
    def _way(self) -> Way:
        return self._plan[self._course.rung] if self._course else self._own

    @property
    def share(self) -> float:
        """What it may do of what its rung can, 0 to 1."""
        if self._course is None or not self.at_work:
            return 1.0
        part = self._course.rate / ladder.ceiling(self.want, self._course.rung)
        return 1.0 if part >= FULL else part

    @property
    def paused(self) -> bool:
        """Whether it may do nothing at all."""
        return self.share <= 0.0

    @property
    def _rate(self) -> float:
        """Frames per second; of a full share what its owner asked for, or what it can."""
        most = ladder.ceiling(self.want, self._course.rung) if self._course else self.want.rate
        return self.share * most

    def _directive(self) -> wall.Directive:
        asked, way, share = self.keeper.pipeline.rate, self._way, self.share
        threads = 0 if way == self._own else way.threads
        if self.keeper.recorded:
            return wall.Directive(asked, paused=not self._turn(share))
        rate = asked if share >= FULL or share <= 0.0 else round(self._rate, 3)
        return wall.Directive(rate, paused=share <= 0.0, rung=way.place, threads=threads)

    def _turn(self, share: float) -> bool:
        """Whether a recording works until the next look: as often as its share says, evenly spread."""
        self._credit += share
        works = self._credit >= FULL
        self._credit -= 1.0 if works else 0.0
        return works

    def _direct(self, wanted: wall.Directive) -> None:
        """Tell the worker, if it is news."""
        now = self.keeper.directed
        still = (now.paused, now.rung, now.threads) == (wanted.paused, wanted.rung, wanted.threads)
        if not still or abs(wanted.rate - now.rate) > SAME * now.rate:
            self.keeper.direct(wanted)

    @property
    def facts(self) -> dict[str, Any]:
        """For `edged status`."""
        return {
            "rung": self._way.place,
            "of": len(self._names),
            "model": self._names[self._way.place],
            "threads": self._way.threads,
            "rate": round(self._rate, 3),
            "share": round(self.share, 4),
            "recorded": self.keeper.recorded,
            "because": self.reason,
        }
