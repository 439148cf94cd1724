"""Ticks become buckets. Pure: stamps and clock readings are passed in, so a year of days is one fast test.

    aggregator = Aggregator(width)                        # 1 when seconds are kept, else 60
    aggregator.add(pipeline, tick, coverage, reading)
    aggregator.blind(pipeline, start, end, reading)       # no worker ran
    store.write(aggregator.due(reading), series, reading) # once per commit
    store.write(aggregator.flush(), series, reading)      # at the end
    aggregator.taken(pipeline)                            # when its series change

What is counted, and where:

- A bucket may be handed out unfinished and be continued by another of the same start: the store adds them up.
  So a commit, a restart and a late tick are the same thing, and none of them loses or repeats a second.
- Every second of a pipeline is counted once. What a tick tells of a time that is counted already (a
  duplicate, an overlap) is left out, in proportion; a gap may be filled out of order. What is more than
  ``HORIZON`` older than the newest is left out.
- A tick over the edge of a bucket is divided in proportion to time; both parts have its extremes. What
  happened is divided into whole events, which add up.
- The label of a second is decided by the clock reading of its tick and never changed. While that reading is
  not good, buckets are counted from boot and wait (``Bucket.boot``); the store dates them when the same boot
  knows the time.
- Seconds are ``CLOCK_BOOTTIME``: a suspend is a gap. A clock that is set back makes labels that exist
  already, and these buckets then hold more seconds than they are wide: both were observed.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from edged.clock import Reading
from edged.errors import WallError
from edged.nouns import Amount, Bucket, Coverage, Entry
from edged.wall import Tick

HORIZON: Final = 300.0  # seconds that a tick may be late: far beyond what a worker's packets wait in a socket
LONGEST: Final = 3600.0  # seconds in one tick; a worker that is silent for so long was replaced long ago
SETTLING: Final = 2.0  # seconds; a bucket that began less ago waits for the next commit
LATE: Final = 1.5  # seconds after the full minute at which a commit finds the minute's last tick
SLIVER: Final = 0.002  # seconds; two readings of three clocks differ by as much
CRUMB: Final = 1e-4  # seconds; less is not worth a bucket of its own
LAST_LABEL: Final = 253_402_300_800  # the year 10000, where calendars end


def next_commit(reading: Reading, every: float) -> float:
    """The stamp of the next commit: just after a full ``every`` of the day, so that whole minutes are written
    once.
    """
    now = reading.now if reading.good else reading.moment(reading.monotonic)
    wait = every - (now - LATE) % every
    # A timer that fires a moment early must not set the next one to that moment.
    return reading.monotonic + (wait if wait > min(1.0, every / 2) else wait + every)


class Aggregator:
    """Adds up ticks of any number of pipelines into buckets of ``width`` seconds. ``len()`` is how many it
    holds.
    """

    def __init__(self, width: Literal[1, 60] = 60) -> None:
        self._width = width
        self._counted: dict[str, _Counted] = {}
        self._open: dict[tuple[str, int, str], _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, pipeline: str, tick: Tick, coverage: Coverage, reading: Reading) -> None:
        """Count a tick. ``coverage`` is the daemon's account of the tick's whole stretch.

        Raises ``WallError`` when the tick's times cannot be: such a worker is to be killed.
        """
        self._check(tick, reading)
        start, end = reading.moment(tick.start), reading.moment(tick.end)
        for piece in self._uncounted(pipeline, start, end, reading.live):
            self._spread(pipeline, (start, end), piece, tick, coverage, reading)

    def blind(self, pipeline: str, start: float, end: float, reading: Reading) -> None:
        """Nobody looked from ``start`` to ``end`` (stamps of the same clock as the ticks')."""
        start, end = reading.moment(start), reading.moment(end)
        for a, b in self._uncounted(pipeline, start, end, reading.live):
            self._spread(pipeline, (a, b), (a, b), None, Coverage(blind=b - a), reading)

    def due(self, reading: Reading) -> list[Bucket]:
        """What a commit writes, oldest first, forgotten here: all but the buckets that have only just begun.

        Those wait, so that a commit just after the full minute writes each minute once. Nothing waits for
        longer than ``SETTLING`` and a commit.
        """
        now = reading.moment(reading.monotonic)
        settled = [
            key
            for key, one in self._open.items()
            if (now if (counted := self._counted[key[0]]).live else counted.newest) - one.began >= SETTLING
            or counted.newest >= one.end
        ]
        return self._handed_out(settled)

    def flush(self) -> list[Bucket]:
        """All buckets, finished or not, oldest first; forgotten here."""
        return self._handed_out(list(self._open))

    def taken(self, pipeline: str) -> list[Bucket]:
        """As ``flush``, of one pipeline: what comes next is of other series. What was counted stays
        counted.
        """
        return self._handed_out([key for key in self._open if key[0] == pipeline])

    def forget(self, pipeline: str) -> None:
        """What comes next under this name is of another clock: none of its seconds are counted yet."""
        self._counted.pop(pipeline, None)

    def resize(self, width: Literal[1, 60]) -> list[Bucket]:
        """From now on buckets are ``width`` seconds wide; those of another width are handed out."""
        buckets = self.flush() if width != self._width else []
        self._width = width
        return buckets

    def _handed_out(self, keys: list[tuple[str, int, str]]) -> list[Bucket]:
        keys.sort(key=lambda key: (key[2], key[1], key[0]))
        return [self._open.pop(key).bucket(key, self._width) for key in keys]

    def _check(self, tick: Tick, reading: Reading) -> None:
        span = tick.end - tick.start
        if not 0.0 <= span <= LONGEST:
            raise WallError(f"it sent a tick of less than no time, or of more than {LONGEST:g} s")
        label = reading.epoch(tick.end) if reading.good else reading.moment(tick.end)
        if not 0.0 <= label < LAST_LABEL:
            raise WallError("it sent a tick of a time that no calendar has")

    def _uncounted(self, pipeline: str, start: float, end: float, live: bool) -> list[tuple[float, float]]:
        counted = self._counted.get(pipeline)
        if counted is None:
            counted = self._counted[pipeline] = _Counted(live)
        return counted.claim(start, end)

    def _spread(
        self,
        pipeline: str,
        whole: tuple[float, float],
        piece: tuple[float, float],
        tick: Tick | None,
        coverage: Coverage,
        reading: Reading,
    ) -> None:
        """Add the ``piece`` of what was observed over the ``whole`` to the buckets that it touches, in
        proportion. ``tick`` is what was told of it, if anything was.
        """
        offset, boot = (reading.offset, "") if reading.good else (0.0, reading.boot)
        (start, end), (at, stop) = whole, piece
        span = end - start
        while at < stop:
            slot = math.floor((at + offset + CRUMB) / self._width) * self._width
            until = slot + self._width - offset
            cut = stop if until > stop - CRUMB else until
            low, high = (at - start) / span, (cut - start) / span
            bucket = self._open.get((pipeline, slot, boot))
            if bucket is None:
                bucket = self._open[pipeline, slot, boot] = _Open(at, until)
            bucket.add(_part(coverage, low, high), until)
            if tick is not None:
                bucket.count(_share(tick.entries, high - low), tick.amounts, low, high)
            at = cut


class _Counted:
    """Which seconds of a pipeline are counted: nearly always one unbroken span."""

    __slots__ = ("live", "newest", "spans")

    def __init__(self, live: bool) -> None:
        self.live = live
        self.newest = -math.inf
        self.spans: list[tuple[float, float]] = []

    def claim(self, start: float, end: float) -> list[tuple[float, float]]:
        """The parts of ``[start, end)`` that were not counted yet; now they are."""
        start = max(start, self.newest - HORIZON)
        free = [(a, b) for a, b in self._gaps(start, end) if b > a]
        if free:
            self.newest = max(self.newest, end)
            self._join([*self.spans, *free])
        return free

    def _gaps(self, start: float, end: float) -> list[tuple[float, float]]:
        gaps = []
        for a, b in self.spans:
            if b - start <= SLIVER:
                continue
            if end - a <= SLIVER:
                break
            if a - start > SLIVER:
                gaps.append((start, a))
            start = max(start, b)
        if end - start > (SLIVER if gaps or self.spans else 0.0) or not self.spans:
            gaps.append((start, end))
        return gaps

    def _join(self, spans: list[tuple[float, float]]) -> None:
        """Keep ``spans`` in order, neighbours as one, without what is beyond the horizon."""
        joined: list[tuple[float, float]] = []
        for a, b in sorted(spans):
            if b < self.newest - HORIZON:
                continue
            if joined and a - joined[-1][1] <= SLIVER:
                joined[-1] = (joined[-1][0], max(joined[-1][1], b))
            else:
                joined.append((a, b))
        self.spans = joined


class _Open:
    """A bucket that is being filled. ``began`` and ``end`` are seconds that never jump, not labels."""

    __slots__ = ("amounts", "began", "coverage", "end", "entries")

    def __init__(self, began: float, end: float) -> None:
        self.began, self.end = began, end
        self.entries: tuple[Entry, ...] = ()
        self.amounts: dict[tuple[int, int], int] = {}
        self.coverage = Coverage()

    def add(self, coverage: Coverage, end: float) -> None:
        """How some more of it was observed."""
        self.coverage = self.coverage.merged(coverage)
        self.end = max(self.end, end)

    def count(self, entries: tuple[Entry, ...], amounts: tuple[Amount, ...], low: float, high: float) -> None:
        """What was told of that: its entries, and of the amounts of a whole tick those from ``low`` to
        ``high`` (fractions of its time). Events stay whole and add up.
        """
        if not self.entries:
            self.entries = entries
        elif entries:
            self.entries = tuple(map(Entry.merged, self.entries, entries))
        for one in amounts:
            if count := round(one.count * high) - round(one.count * low):
                place = (one.series, one.bin)
                self.amounts[place] = self.amounts.get(place, 0) + count

    def bucket(self, key: tuple[str, int, str], width: int) -> Bucket:
        """As it is handed out."""
        pipeline, start, boot = key
        amounts = tuple(Amount(series, count, bin) for (series, bin), count in sorted(self.amounts.items()))
        return Bucket(pipeline, start, width, self.entries, self.coverage, boot, amounts)


def _share(entries: tuple[Entry, ...], part: float) -> tuple[Entry, ...]:
    """The entries of a ``part`` of their time. Nobody knows when the extremes were: each part has them."""
    if part >= 1.0:
        return entries
    return tuple(
        Entry(one.seconds * part, one.sum * part, one.min, one.max, one.sumsq * part) for one in entries
    )


def _part(coverage: Coverage, low: float, high: float) -> Coverage:
    """The coverage from ``low`` to ``high`` (fractions of its time); frames stay whole and add up."""
    part = high - low
    return Coverage(
        expected=coverage.expected * part,
        analysed=round(coverage.analysed * high) - round(coverage.analysed * low),
        observed=coverage.observed * part,
        throttled=coverage.throttled * part,
        paused=coverage.paused * part,
        blind=coverage.blind * part,
        rungs=tuple(one * part for one in coverage.rungs),
    )
