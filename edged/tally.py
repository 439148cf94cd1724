"""What the daemon counts: ticks become buckets, buckets wait, commits put them into the store.

A bucket belongs to the series under which it was counted. When a reload gives a pipeline other series, what
was counted until then is set aside with the old ones; if the store cannot be written at that time, it waits
with them.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Literal, NamedTuple, Protocol

from edged import rounding, wall
from edged.aggregate import Aggregator, next_commit
from edged.clock import Clock, Reading
from edged.config.shape import File, Keep, Source, Synthetic, recorded
from edged.errors import DamagedError, StoreError
from edged.nouns import Bucket, Coverage, Series
from edged.reactor import Reactor, Timer
from edged.store import Store
from edged.supervise import Keeper
from edged.today import NO_DAY, Today
from edged.units import irregular
from edged.view import View

#: Buckets that wait for a store that cannot be written (a full card): half a day of 7 pipelines' minutes.
MOST_UNWRITTEN: Final = 5000
#: Buckets of a recording that are held at most: an hour of seconds comes in moments, and is not to wait for
#: the clock.
MOST_OPEN: Final = 1000
ROUNDING: Final = 1e-4  # seconds by which a tick's numbers need not add up

AllSeries = Mapping[str, tuple[Series, ...]]
#: The models' names by rung, of each pipeline.
Ladders = Mapping[str, tuple[str, ...]]


class Note(Protocol):
    """Says and keeps that one of ``edged.events`` has happened."""

    def __call__(self, event: str, text: str, pipeline: str = "", **fields: object) -> None:
        """``fields`` are those that its kind names."""


class Batch(NamedTuple):
    """Buckets, and what their entries and rungs are, by pipeline."""

    series: AllSeries
    ladders: Ladders
    buckets: list[Bucket]


class Tally:
    """Counts for all pipelines and commits every so often."""

    def __init__(self, reactor: Reactor, note: Note, keep: Keep, commit_every: float) -> None:
        self._reactor, self._note = reactor, note
        self._began = time.monotonic()
        self._aggregator = Aggregator(_width(keep))
        self._commit_every = commit_every
        self._series: AllSeries = {}
        self._ladders: Ladders = {}
        self._sources: dict[str, Source] = {}
        self._since: dict[str, float] = {}
        self._recordings: dict[str, Reading] = {}
        self._unwritten: list[Batch] = []
        #: Of each pipeline, since it came.
        self.covered: dict[str, Coverage] = {}
        #: How often things happened today; of a recording, since it came.
        self.today = Today()
        self._views: dict[str, View] = {}
        #: Frames and lines that were dropped, of each pipeline since it came.
        self.dropped: dict[str, int] = {}
        self._zone: datetime.tzinfo = datetime.UTC
        self.frames = 0
        self.behind, self.written = False, 0.0
        self._stopped: dict[str, float] = {}
        self._timer = Timer(math.inf, self._commit_and_plan)
        self._keepers: Iterable[Keeper]
        self._store: Store
        self._clock: Clock
        self._clock_good = self._day_begun = False
        self.reading: Reading

    # --- whom it counts for

    def came(self, keeper: Keeper) -> None:
        """Count for this one from now on."""
        name, source = keeper.name, keeper.pipeline.source
        if self._sources.get(name, source) != source and _another_clock(self._sources[name], source):
            self._forget_time(name)
        if self._series.get(name) != keeper.series:
            self._series = {**self._series, name: keeper.series}
        if self._ladders.get(name) != _ladder(keeper):
            self._ladders = {**self._ladders, name: _ladder(keeper)}
        if not keeper.recorded:
            self._since.setdefault(name, time.monotonic())
        self._sources[name] = source
        self.covered.setdefault(name, Coverage())

    def left(self, keeper: Keeper, successor: Keeper | None) -> None:
        """This one has told its last tick. What it counted is set aside if it was of other series, or by
        another ladder, than what comes next.
        """
        if successor is None or (successor.series, _ladder(successor)) != (keeper.series, _ladder(keeper)):
            self._set_aside(self._aggregator.taken(keeper.name))
        if successor is None:
            name = keeper.name
            self._forget_time(name)
            self._sources.pop(name, None)
            self.covered.pop(name, None)
            self._views.pop(name, None)
            self.dropped.pop(name, None)
            self.today.forget(name)
            self._series = {one: its for one, its in self._series.items() if one != name}
            self._ladders = {one: its for one, its in self._ladders.items() if one != name}

    def _forget_time(self, name: str) -> None:
        self._set_aside(self._aggregator.taken(name))
        self._aggregator.forget(name)
        self._since.pop(name, None)
        self._recordings.pop(name, None)

    # --- ticks

    def count(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Count a tick, and the time before it that nobody saw. Raises ``WallError``."""
        name = keeper.name
        reading = self._reading_for(keeper)
        since = self._since.get(name, tick.start)
        gap, seen = max(0.0, tick.start - since), _coverage(keeper, tick)
        if gap:
            self._aggregator.blind(name, since, tick.start, reading)
        self._aggregator.add(name, tick, seen, reading)
        self._since[name] = max(since, tick.end)
        self.covered[name] = self.covered[name].merged(seen).merged(Coverage(blind=gap))
        self.frames += tick.analysed
        self.dropped[name] = self.dropped.get(name, 0) + tick.dropped
        self.today.count(self._day(keeper), keeper.series, tick.amounts)
        self._see(name, tick)
        if keeper.recorded and len(self._aggregator) > MOST_OPEN:
            self._commit(self._aggregator.due(self.reading))

    def _day(self, keeper: Keeper) -> str:
        """The date, if it is known; a recording has none that is today's."""
        if keeper.recorded or not self.reading.good:
            return NO_DAY
        return datetime.datetime.fromtimestamp(self.reading.now, self._zone).date().isoformat()

    def _see(self, name: str, tick: wall.Tick) -> None:
        """Tell when nothing of it can be counted any more, and when it can again."""
        view = self._views.setdefault(name, View())
        if news := view.heard(tick.sight, tick.start, tick.end):
            self._note(news.event, news.text, name, reason=news.reason)

    def sight(self, name: str) -> str:
        """Why nothing of a pipeline is counted, "" if it is."""
        return self._views[name].lost if name in self._views else ""

    def _reading_for(self, keeper: Keeper) -> Reading:
        """How a pipeline's stamps become times: a recording has a beginning of its own."""
        self.reading = self._clock.read()
        if not keeper.recorded:
            return self.reading
        if keeper.name not in self._recordings:
            self._recordings[keeper.name] = self.reading.recording(_beginning(keeper, self.reading))
        return self._recordings[keeper.name]

    def _count_blind(self) -> None:
        """A pipeline without a worker is blind, and its buckets must say so while it is."""
        now = time.monotonic()
        for keeper in self._keepers:
            if not keeper.recorded and keeper.blind:
                self._blind(keeper.name, now)

    def _blind(self, name: str, until: float) -> None:
        since = self._since.get(name, until)
        if until > since:
            self._aggregator.blind(name, since, until, self.reading)
            self.covered[name] = self.covered[name].merged(Coverage(blind=until - since))
            self._since[name] = until

    # --- commits

    def open(
        self, store: Store, clock: Clock, keepers: Iterable[Keeper], zone: datetime.tzinfo = datetime.UTC
    ) -> None:
        """Commit to ``store`` from now on; ``keepers`` are asked who is blind. Days are the ``zone``'s."""
        self._store, self._clock, self._keepers, self._zone = store, clock, keepers, zone
        self.reading = clock.read()
        self._clock_good = self.reading.good
        self._begin_day()
        self._plan()

    def _begin_day(self) -> None:
        """What was counted today before this start, once it is known which day it is: before what waits for
        its date is told by the store, too.
        """
        if self._day_begun or not self.reading.good:
            return
        self._day_begun, now = True, self.reading.now
        at = datetime.datetime.fromtimestamp(now, self._zone)
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        counts = dict[Series, int]()
        with suppress(StoreError):  # a damaged page is for the next commit to find, not for a nicety
            rows = self._store.report(midnight, now, 86400.0)
            counts = {row.series: row.events for row in rows if row.counts and row.start >= midnight}
        self.today.begin(at.date().isoformat(), counts)

    @property
    def due(self) -> float:
        """When (``CLOCK_MONOTONIC``) the next commit is to be tried."""
        return self._timer.at

    @property
    def pending(self) -> int:
        """Buckets that are not in the store yet."""
        return len(self._aggregator) + self._waiting

    @property
    def _waiting(self) -> int:
        return sum(len(batch.buckets) for batch in self._unwritten)

    def keep(self, keep: Keep) -> None:
        """Keep buckets for other lengths of time from now on. Raises ``StoreError``: then nothing is
        otherwise.
        """
        self._store.keep(keep)
        self._set_aside(self._aggregator.resize(_width(keep)))

    def commit_every(self, seconds: float) -> None:
        """From now on."""
        self._commit_every = seconds
        self._plan()

    def look_at_clock(self) -> Reading:
        """What the clocks say now."""
        self.reading = self._clock.read()
        return self.reading

    def _plan(self) -> None:
        """The next commit, by a clock that may have been set since the last."""
        self._timer.cancel()
        at = next_commit(self.look_at_clock(), self._commit_every)
        self._timer = self._reactor.after(at - time.monotonic(), self._commit_and_plan)

    def _commit_and_plan(self) -> None:
        self.look_at_clock()
        self._tell_clock()
        self._begin_day()
        self._count_blind()
        self._commit(self._aggregator.due(self.reading))
        self._plan()

    def stop(self) -> None:
        """The end has begun. Of whoever tells nothing any more, the time until now was blind.

        Until the grain before now: whoever tells their last at once tells no later one.
        """
        now = rounding.earlier(time.monotonic())
        self._stopped = {one.name: now for one in self._keepers if not one.recorded and one.state != "ended"}

    def close(self) -> None:
        """Commit everything."""
        self.look_at_clock()
        for name, until in self._stopped.items():
            self._blind(name, until)
        self._note("stopped", "everything is committed")
        self._commit(self._aggregator.flush())

    def _set_aside(self, buckets: list[Bucket]) -> None:
        """With the series of now."""
        if not buckets:
            return
        last = self._unwritten[-1] if self._unwritten else None
        if last and last.series is self._series and last.ladders is self._ladders:
            last.buckets.extend(buckets)
        else:
            self._unwritten.append(Batch(self._series, self._ladders, buckets))

    def _commit(self, buckets: list[Bucket]) -> None:
        """Write what there is. A store that cannot be written now gets it later; one that is damaged ends
        the daemon.
        """
        self._set_aside(buckets)
        try:
            try:
                self._write()
            except DamagedError:
                self._write()  # to SQLite one read that fails is damage, and the next may not fail
        except DamagedError:
            raise
        except StoreError as error:
            self._fall_behind(error)
        else:
            self._catch_up()

    def _write(self) -> None:
        """One transaction for each set of series, which is one but for the commit after a reload."""
        while len(self._unwritten) > 1:
            self._store.write(
                self._unwritten[0].buckets,
                self._unwritten[0].series,
                self.reading,
                self._unwritten[0].ladders,
            )
            del self._unwritten[0]
        last = self._unwritten[0] if self._unwritten else Batch(self._series, self._ladders, [])
        # Events too, and what is due without a bucket.
        self._store.write(last.buckets, last.series, self.reading, last.ladders)
        self._unwritten.clear()

    def _fall_behind(self, error: StoreError) -> None:
        """Say it once; keep what fits."""
        if not self.behind:
            again = "it is tried again at the next commit"
            self._note("store-behind", f"{error.message}; {again}", reason=error.message)
        self.behind = True
        if (lost := self._waiting - MOST_UNWRITTEN) > 0:
            self._lose(lost)
            self._note("buckets-lost", f"{lost} of the oldest: the store cannot be written", lost=lost)

    def _lose(self, lost: int) -> None:
        while lost > 0:
            oldest = self._unwritten[0].buckets
            gone = min(lost, len(oldest))
            del oldest[:gone]
            lost -= gone
            if not oldest:
                del self._unwritten[0]

    def _catch_up(self) -> None:
        if self.behind:
            self._note("store-caught-up", "all that was held in memory is in the store")
        self.behind, self.written = False, time.monotonic()

    def _tell_clock(self) -> None:
        if self._clock_good != self.reading.good:
            self._clock_good = self.reading.good
            because = self.reading.because
            self._note("clock-right" if self._clock_good else "clock-lost", because, reason=because)


def _ladder(keeper: Keeper) -> tuple[str, ...]:
    return keeper.pipeline.model, *keeper.pipeline.ladder


def _width(keep: Keep) -> Literal[1, 60]:
    return 1 if keep.second else 60


def expected_rate(keeper: Keeper) -> float:
    """Frames per second that the owner may expect: what was asked for, but no more than the source has; 0:
    as many as it goes.
    """
    rates = [one for one in (keeper.pipeline.rate, keeper.ready.fps if keeper.ready else 0.0) if one]
    return min(rates) if rates else 0.0


def _coverage(keeper: Keeper, tick: wall.Tick) -> Coverage:
    """The daemon's account of a tick. Its seconds are observed, paused or blind: what a worker leaves out is
    paused only as far as it was told to pause, however late it heard of it.
    """
    span = tick.end - tick.start
    rate = expected_rate(keeper)
    throttled, paused = _budgeted(keeper, tick)
    untold = max(0.0, span - tick.observed - tick.blind)
    paused = min(paused, untold)
    unexcused = untold - paused if untold - paused > ROUNDING else 0.0
    return Coverage(
        expected=rate * span if rate and not irregular(keeper.pipeline.source) else float(tick.analysed),
        analysed=tick.analysed,
        observed=tick.observed,
        throttled=throttled,
        paused=paused,
        blind=tick.blind + unexcused,
        rungs=(0.0,) * tick.rung + (tick.observed,) if tick.rung else (),
    )


def _budgeted(keeper: Keeper, tick: wall.Tick) -> tuple[float, float]:
    """Seconds of a tick for which less was allowed than was asked, and for which nothing was. While a
    recording pauses its time stands still.
    """
    span = tick.end - tick.start
    allowed = (
        [(span, keeper.directed)] if keeper.recorded else keeper.directions.between(tick.start, tick.end)
    )
    throttled = paused = 0.0
    for seconds, directive in allowed:
        if directive.paused:
            paused += 0.0 if keeper.recorded else seconds
        elif directive.rung or _slower(directive.rate, expected_rate(keeper)):
            throttled += seconds
    return throttled, paused


def _slower(allowed: float, asked: float) -> bool:
    """Whether frames per second are fewer, by more than a rounded rate is off; 0 of either is all of them."""
    return allowed > 0.0 and (not asked or allowed < asked * (1.0 - 1e-3))


def _another_clock(old: Source, new: Source) -> bool:
    """Whether stamps of the new source cannot be compared with those of the old one: each recording counts
    from 0, and all that is live by the machine's clock.
    """
    return recorded(old) or recorded(new)


def _beginning(keeper: Keeper, reading: Reading) -> float:
    """Epoch seconds of a recording's first frame: as its owner says, else this moment, on a whole second.

    This moment is by whatever clock there is, right or not: it was not recorded now in any case, and an owner
    to whom its time matters says ``start``.
    """
    source = keeper.pipeline.source
    if isinstance(source, File | Synthetic) and source.start:
        return datetime.datetime.fromisoformat(source.start).timestamp()
    return math.floor(reading.now)
