"""The writing side: buckets are entered, dated, rolled up and at last dropped, each commit in one
transaction.

Three rules keep every second in every table exactly once:

- A *mark* per coarser table (in ``meta``) says how far it is made: whatever is in the finer table before the
  mark is in the coarser one. The mark moves on when a bucket beyond the next hour (day) comes.
- A bucket from before the mark is late: it is added to the finer table and to the coarser one at once. Sums
  only grow, so it does not matter how late, nor whether what it belongs to was dropped by age from the finer
  table.
- Nothing is dropped from a table that is not in the coarser one yet.

All of it follows from what is in the file: after a crash nothing needs mending.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from edged.clock import Reading
from edged.config.shape import Keep
from edged.nouns import Bucket, Series
from edged.series import counted, valued
from edged.store import schema
from edged.store.calendar import Calendar
from edged.store.catalogue import Catalogue
from edged.store.database import Database
from edged.store.memory import Memory
from edged.store.schema import SERIES_BITS, SERIES_MASK, Level, Packed, key_of

DROPPED_AT_ONCE: Final = 7200  # seconds' worth of buckets in one commit: twice what an hour brings
MOST_DROPPED: Final = 120  # buckets of each series, which bounds it for seconds
DATED_AT_ONCE: Final = 20_000  # rows; a commit must not hold the daemon up for long
CHUNK: Final = 1_000  # rows in memory
UNDATED_KEPT: Final = 90 * 86400.0  # seconds since a right clock first saw them
MOST_UNDATED: Final = 250_000  # rows, about 8 MB: a week of 20 series
EVENTS_KEPT: Final = 10_000
SAME: Final = 0.25  # seconds; three clocks cannot be read at one instant, and a leap second is a step

_ADD: Final = (
    "ON CONFLICT DO UPDATE SET ms = ms + excluded.ms, sum = sum + excluded.sum, "
    "min = min(min, excluded.min), max = max(max, excluded.max), sumsq = sumsq + excluded.sumsq"
)
_WAIT: Final = f"INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) {_ADD}"


class Noted(NamedTuple):
    """An event before it is written. ``at`` is epoch seconds; seconds of the ``boot`` if that is not ""."""

    at: float
    boot: str
    kind: str
    pipeline: str
    text: str


class Ledger:
    """The tables of buckets, for the one who writes them."""

    def __init__(self, database: Database, catalogue: Catalogue, keep: Keep, calendar: Calendar) -> None:
        self._database, self._catalogue, self._calendar = database, catalogue, calendar
        self._memory = Memory(database)
        self._keep = {level: float(getattr(keep, level.name)) for level in schema.LEVELS}
        self._chain = chain(self._keep)
        self._known: tuple[str, float] | None = None
        self._dropped_until = -1
        self._behind = False
        self._waiting = False
        self._stale = True

    def load(self) -> None:
        """Read what is remembered between commits."""
        self._catalogue.load()
        self._memory.load()
        self._known = self.known_clock()
        self._dropped_until = -1
        self._waiting = self._anything_waits()
        self._stale = False

    def forget(self) -> None:
        """A transaction failed: what is remembered may never have been written. It is read anew before the
        next.
        """
        self._stale = True

    def known_clock(self) -> tuple[str, float] | None:
        """The last (boot id, offset) at which the time was right."""
        sql = "SELECT name, offset FROM boot WHERE offset IS NOT NULL ORDER BY id DESC LIMIT 1"
        found = self._database.rows(sql)
        return (found[0][0], found[0][1]) if found else None

    def commit(
        self,
        buckets: Iterable[Bucket],
        series: Mapping[str, tuple[Series, ...]],
        events: Iterable[Noted],
        reading: Reading,
        ladders: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Enter ``buckets`` and ``events`` and do whatever else is due. Within a transaction."""
        if self._stale:
            self.load()
        for event in events:
            self._note(event)
        dated: dict[int, list[Packed]] = {}
        for bucket in buckets:
            rows = self._packed(bucket, series[bucket.pipeline], ladders.get(bucket.pipeline, ()))
            if bucket.boot:
                self._wait(bucket, rows)
            else:
                dated.setdefault(bucket.width, []).extend(rows)
        if reading.good:
            self._know(reading)
            self._date(reading)
        newest = [self._enter(width, rows, reading) for width, rows in dated.items()]
        if newest:
            self._roll_up(max(newest))
        if reading.good:
            self._drop(min(reading.now, self._newest()))

    def _newest(self) -> float:
        """The end of the newest bucket. Age counts back from it: a recording of long ago is not too old to be
        kept, and a box that was in a drawer for a year forgets nothing before it counts again.
        """
        finest = self._chain[0]
        key = self._database.value(f"SELECT max(key) FROM {finest.name}")
        return math.inf if key is None else float((key >> SERIES_BITS) + finest.width)

    # --- entering

    def _packed(self, bucket: Bucket, series: tuple[Series, ...], ladder: tuple[str, ...]) -> list[Packed]:
        held = [series[one] for one in valued(series)]
        if bucket.entries and len(bucket.entries) != len(held):
            raise ValueError(f"{len(bucket.entries)} entries for {len(held)} series of {bucket.pipeline}")
        rows = [
            schema.packed(bucket.start, self._catalogue.number(one), entry, schema.scale_of(one))
            for one, entry in zip(held, bucket.entries, strict=False)
            if entry.seconds > 0
        ]
        rows += self._counted(bucket, series)
        numbers = self._catalogue.coverage(bucket.pipeline)
        rows += schema.packed_coverage(bucket.start, numbers, bucket.coverage)
        if any(bucket.coverage.rungs[1:]):
            rungs = self._catalogue.rungs(bucket.pipeline, ladder, len(bucket.coverage.rungs))
            rows += schema.packed_rungs(bucket.start, rungs, bucket.coverage)
        return rows

    def _counted(self, bucket: Bucket, series: tuple[Series, ...]) -> list[Packed]:
        """What happened, and for how long that would have been counted."""
        rows = [
            Packed(bucket.start, self._catalogue.number(part), 0, one.count, 0, 0, 0)
            for one in bucket.amounts
            for part in (schema.part_of(series[one.series], one.bin),)
        ]
        together = tuple(filter(counted, series))
        if together and (seconds := round(bucket.coverage.observed * schema.COVERAGE_SCALE)):
            number = self._catalogue.counting(bucket.pipeline, together)
            rows.append(Packed(bucket.start, number, 0, seconds, 0, 0, 0))
        return rows

    def _enter(self, width: int, rows: list[Packed], reading: Reading) -> int:
        """Add rows to the table of their width and to each coarser one that is past them.

        Returns the newest start.
        """
        fits = [place for place, level in enumerate(self._chain) if level.width >= width]
        place = fits[0] if fits else len(self._chain) - 1
        newest = max((row.start for row in rows), default=0)
        if place and rows:
            self._make_room(self._chain[place - 1], self._chain[place], newest)
        while rows:
            level = self._chain[place]
            coarser = self._chain[place + 1] if place + 1 < len(self._chain) else None
            mark = self._memory.mark(coarser) if coarser else 0
            # What is past its age here and goes further up would only be dropped again.
            oldest = min(mark, self._oldest_kept(level, reading))
            self._add(level, [row for row in rows if row.start >= oldest], mark)
            if (skipped := max((row.start for row in rows if row.start < oldest), default=None)) is not None:
                self._incomplete_until(level, skipped + level.width)
            rows, place = [row for row in rows if row.start < mark], place + 1
        return newest

    def _make_room(self, finer: Level, level: Level, newest: int) -> None:
        """Buckets come that were begun before a finer resolution was wanted: their table is whole up to their
        end, or who asks would look for them in the finer one. Finer ones that come later go to both.
        """
        until = self._calendar.after(newest, level.width)
        if until > self._memory.mark(level):
            self._make(finer, level, until)

    def _oldest_kept(self, level: Level, reading: Reading) -> float:
        kept = self._keep[level]
        if not kept:
            return math.inf
        return reading.now - kept - level.width if reading.good else -math.inf

    def _add(self, level: Level, rows: list[Packed], mark: int) -> None:
        keyed = sorted((key_of(self._start(row.start, level, mark), row.series), *row[2:]) for row in rows)
        self._database.write_many(f"INSERT INTO {level.name} VALUES (?, ?, ?, ?, ?, ?) {_ADD}", keyed)

    def _note(self, event: Noted) -> None:
        boot = self._boot(event.boot) if event.boot else None
        self._database.write(
            "INSERT INTO event (at, boot, kind, pipeline, text) VALUES (?, ?, ?, ?, ?)",
            (event.at, boot, event.kind, event.pipeline, event.text),
        )
        self._waiting = self._waiting or boot is not None

    def _start(self, time: int, level: Level, mark: int) -> int:
        """Where the bucket for ``time`` begins: never across a mark, which another zone may have left."""
        start = self._calendar.floor(time, level.width)
        return mark if start < mark <= time else start

    # --- rolling up

    def _roll_up(self, newest: int) -> None:
        """Make the coarser tables as far as the finer ones are complete: up to what ``newest`` began."""
        until = newest
        for finer, coarser in pairwise(self._chain):
            until = self._calendar.floor(until, coarser.width)
            if until > self._memory.mark(coarser):
                self._make(finer, coarser, until)

    def _make(self, finer: Level, coarser: Level, until: int) -> None:
        """Make ``coarser`` out of ``finer`` from its mark up to ``until``, which is where one of its buckets
        begins.
        """
        mark = self._memory.mark(coarser)
        since = key_of(mark)
        while (first := self._first_key(finer, since, key_of(until))) is not None:
            start = self._start(first >> SERIES_BITS, coarser, mark)
            end = key_of(self._calendar.after(start, coarser.width))
            self._database.write(
                f"INSERT INTO {coarser.name} SELECT ? | (key & {SERIES_MASK}), "
                "sum(ms), sum(sum), min(min), max(max), sum(sumsq) "
                f"FROM {finer.name} WHERE key >= ? AND key < ? GROUP BY key & {SERIES_MASK} {_ADD}",
                (key_of(start), since, end),
            )
            since = end
        self._memory.set_mark(coarser, until)

    def _first_key(self, level: Level, since: int, until: int) -> int | None:
        sql = f"SELECT min(key) FROM {level.name} WHERE key >= ? AND key < ?"
        found = self._database.value(sql, (since, until))
        return None if found is None else int(found)

    def settle(self, zone: str) -> None:
        """Catch up with a changed config: another finest resolution, another zone. Within a transaction."""
        if not self._memory.finest and self._chain:
            self._memory.set_since(self._chain[0], 0)
        if (finest := self._memory.finest) != self._chain[0]:
            if finest and finest.width > self._chain[0].width:
                self._mark_what_is_there(finest)
            self._memory.set_finest(self._chain[0])
        for finer, coarser in pairwise(schema.LEVELS):
            if coarser == self._chain[0] or finer not in self._chain:
                newest = self._database.value(f"SELECT max(key) FROM {finer.name}")
                mark = self._memory.mark(coarser)
                if coarser in self._chain and newest is not None and newest >> SERIES_BITS >= mark:
                    self._make(finer, coarser, self._calendar.after(newest >> SERIES_BITS, coarser.width))
        if (before := self._memory.zone) != zone:
            self._memory.set_zone(zone)
            if before:
                self._remake_days()

    def _mark_what_is_there(self, level: Level) -> None:
        """Buckets were entered in ``level`` itself; from now on it is made of finer ones."""
        newest = self._database.value(f"SELECT max(key) FROM {level.name}")
        if newest is not None:
            until = self._calendar.after(newest >> SERIES_BITS, level.width)
            self._memory.set_mark(level, max(until, self._memory.mark(level)))

    def _remake_days(self) -> None:
        """Another zone has other days: make those again whose hours are all there."""
        if schema.DAY not in self._chain:
            return
        oldest_hour = self._database.value("SELECT min(key) FROM hour")
        if oldest_hour is None:
            return
        oldest = self._database.value("SELECT min(key) FROM day WHERE key >= ?", (oldest_hour,))
        if oldest is None:
            return
        first = oldest >> SERIES_BITS
        self._database.write("DELETE FROM day WHERE key >= ?", (key_of(first),))
        until = self._calendar.floor(self._memory.mark(schema.DAY), schema.DAY.width)
        self._memory.set_mark(schema.DAY, first)
        if until > first:
            self._make(schema.HOUR, schema.DAY, until)

    # --- what waits for the time

    def _boot(self, name: str) -> int:
        self._database.write("INSERT INTO boot (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
        return int(self._database.value("SELECT id FROM boot WHERE name = ?", (name,)))

    def _wait(self, bucket: Bucket, rows: list[Packed]) -> None:
        boot = self._boot(bucket.boot)
        waiting = [(boot, bucket.start, bucket.width, *row[1:]) for row in rows]
        self._database.write_many(_WAIT, waiting)
        self._waiting = self._waiting or bool(waiting)

    def _know(self, reading: Reading) -> None:
        """Remember when the time was right in this boot: a daemon that is started again without network asks
        for it.
        """
        name, offset = self._known or ("", 0.0)
        if name == reading.boot and abs(offset - reading.offset) < SAME:
            return
        boot = self._boot(reading.boot)
        self._database.write("UPDATE boot SET offset = ? WHERE id = ?", (reading.offset, boot))
        self._database.write("UPDATE boot SET noted = ? WHERE noted IS NULL", (reading.now,))
        self._database.write(
            "DELETE FROM boot WHERE id <> ? AND id NOT IN (SELECT boot FROM pending) "
            "AND id NOT IN (SELECT boot FROM event WHERE boot IS NOT NULL)",
            (boot,),
        )
        self._known = (reading.boot, reading.offset)

    def _date(self, reading: Reading) -> None:
        """Enter what waited for this boot's time, each bucket divided over the two that it lies across."""
        if not self._waiting:
            return
        boot = self._boot(reading.boot)
        self._database.write(
            "UPDATE event SET at = at + ?, boot = NULL WHERE boot = ?", (reading.offset, boot)
        )
        for _ in range(DATED_AT_ONCE // CHUNK):
            first = (
                "SELECT start, width, series, ms, sum, min, max, sumsq FROM pending WHERE boot = ? "
                "ORDER BY start, width, series LIMIT ?"
            )
            found = self._database.rows(first, (boot, CHUNK))
            for width in {row[1] for row in found}:
                rows = [Packed(start, *numbers) for start, its, *numbers in found if its == width]
                self._enter(width, self._divided(rows, width, reading.offset), reading)
            if found:
                self._database.write(
                    "DELETE FROM pending WHERE boot = ? AND (start, width, series) <= (?, ?, ?)",
                    (boot, *found[-1][:3]),
                )
            if len(found) < CHUNK:
                break
        self._waiting = self._anything_waits()

    def _anything_waits(self) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM pending) OR EXISTS (SELECT 1 FROM event WHERE boot IS NOT NULL)"
        return bool(self._database.value(sql))

    def _divided(self, rows: list[Packed], width: int, offset: float) -> list[Packed]:
        shift, part = divmod(offset, width)
        later = part / width
        divided = []
        for row in rows:
            start = row.start + int(shift) * width
            second = self._part(row, start + width, later)
            first = row._replace(
                start=start, ms=row.ms - second.ms, sum=row.sum - second.sum, sumsq=row.sumsq - second.sumsq
            )
            divided += [one for one in (first, second) if one.ms or one.sum]
        return divided

    def _part(self, row: Packed, start: int, share: float) -> Packed:
        whole = schema.whole(self._catalogue.by_number[row.series])
        total, squares = row.sum * share, row.sumsq * share
        if whole:
            total, squares = round(total), round(squares)
        return row._replace(start=start, ms=round(row.ms * share), sum=total, sumsq=squares)

    # --- dropping

    def _drop(self, now: float) -> None:
        """Once an hour, or while behind: drop what is past its age, the oldest first, a little at a time."""
        hour = int(now // 3600)
        if hour == self._dropped_until and not self._behind:
            return
        self._dropped_until, self._behind = hour, False
        for level in schema.LEVELS:
            self._drop_from(level, now)
        self._drop_undated(now)
        self._database.write("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", (EVENTS_KEPT,))

    def _drop_from(self, level: Level, now: float) -> None:
        kept = self._keep[level]
        if kept == math.inf:
            return
        oldest = self._database.value(f"SELECT min(key) FROM {level.name}")
        if oldest is None:
            return
        until = now - kept - level.width if kept else math.inf
        if level in self._chain[:-1]:
            coarser = self._chain[self._chain.index(level) + 1]
            until = min(until, self._memory.mark(coarser))
        most = (oldest >> SERIES_BITS) + min(DROPPED_AT_ONCE, MOST_DROPPED * level.width)
        self._behind = self._behind or until > most
        first = int(min(until, most))
        if self._database.write(f"DELETE FROM {level.name} WHERE key < ?", (key_of(first),)):
            self._incomplete_until(level, first)

    def _incomplete_until(self, level: Level, time: int) -> None:
        """Readers find everything from ``time`` on in this table; what is older may be in a coarser one."""
        if time > self._memory.since(level):
            self._memory.set_since(level, time)

    def _drop_undated(self, now: float) -> None:
        if not self._waiting:
            return
        old = "SELECT id FROM boot WHERE noted < ?"
        self._database.write(f"DELETE FROM pending WHERE boot IN ({old})", (now - UNDATED_KEPT,))
        excess = self._database.value("SELECT count(*) FROM pending") - MOST_UNDATED
        if excess > 0:
            first = "SELECT boot, start, width, series FROM pending ORDER BY boot, start LIMIT ?"
            self._database.write(
                f"DELETE FROM pending WHERE (boot, start, width, series) IN ({first})", (excess,)
            )


def chain(keep: Mapping[Level, float]) -> tuple[Level, ...]:
    """The tables that are filled, finest first: seconds only if kept, then all up to the coarsest kept.

    One in between that is not kept is made and dropped again: the coarser one is made of it.
    """
    first = 0 if keep[schema.SECOND] else 1
    last = max((place for place, level in enumerate(schema.LEVELS) if keep[level]), default=first)
    return schema.LEVELS[first : max(first, last) + 1]
