"""The reading side: sums over slots, made by SQLite from as few rows as there can be.

A slot is cut at the edges of the coarsest buckets that lie inside of it: whole days come from ``day``, the
rest from ``hour``, and what is not rolled up yet (after a table's mark) from the finest. So the answer is the
same whatever is made already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final

from edged.amounts import estimate
from edged.nouns import Coverage, Series
from edged.series import counted
from edged.store import schema
from edged.store.answers import Covered, Event, Facts, Filter, Ran, Row, Undated
from edged.store.calendar import Calendar
from edged.store.catalogue import Catalogue
from edged.store.database import Database
from edged.store.memory import Memory
from edged.store.schema import SERIES_BITS, SERIES_MASK, Level, key_of

#: Of a bucket's nominal length: a zone's shortest hour is half of one, its shortest day 23 hours.
SHORTEST: Final = 0.5
AT_ONCE: Final = 64  # slots in memory, all read from one and the same commit
#: Rows that these are about made of: who asks stops the daemon's loop no longer than reading them takes.
ROWS_AT_ONCE: Final = 8000
RARE: Final = 0.1  # rows of a bin in a bucket, about
#: Of a slot that does not begin where an hour does: the rows at its two ends.
MOST_FINE: Final = 120
#: Seconds at the end of each table in which a series' newest bucket is looked for; a day is always found.
RECENT: Final = {schema.SECOND: 120, schema.MINUTE: 7200, schema.HOUR: 2 * 86400, schema.DAY: schema.LAST}
Slot = tuple[int, int]
#: series, ms, sum, min, max, sumsq
Sums = tuple[int, int, float, float, float, float]
Spans = dict[Level, tuple[int, int]]
#: slot, first key, end of keys
Piece = tuple[int, int, int]
Observed = tuple[Coverage, tuple[Ran, ...]]
_NONE: Final[Observed] = (Coverage(), ())
LEAST: Final = 0.01  # seconds; a bucket that was divided over two leaves a few milliseconds


class Queries:
    """Questions about an open store. Times are epoch seconds."""

    def __init__(self, database: Database, catalogue: Catalogue, calendar: Calendar) -> None:
        self._database, self._catalogue, self._calendar = database, catalogue, calendar
        self._memory = Memory(database)

    def report(self, start: float, end: float, step: float, only: Filter) -> Iterator[list[Row]]:
        """See ``Store.report_pieces``."""
        for piece in self._slots(start, end, step, only):
            yield [row for slot, sums in piece for row in self._rows(slot, sums, only)]

    def coverage(
        self, start: float, end: float, step: float, pipelines: tuple[str, ...]
    ) -> Iterator[list[Covered]]:
        """See ``Store.coverage_pieces``."""
        only = Filter(pipelines=pipelines, measures=("coverage",))
        for piece in self._slots(start, end, step, only):
            yield [
                Covered(first, last, pipeline, *observed)
                for (first, last), sums in piece
                for pipeline, observed in sorted(self._coverages(sums).items())
            ]

    def _rows(self, slot: Slot, sums: list[Sums], only: Filter) -> Iterator[Row]:
        coverage = self._coverages(sums)
        amounts = self._amounts(sums)
        for one in sums:
            series = self._catalogue.by_number[one[0]]
            if one[1]:
                row = _row(*slot, series, one, coverage.get(series.pipeline, _NONE)[0])
                yield row._replace(parts=amounts[series]) if series in amounts else row
        seconds = self._counting(sums, only)
        for series in sorted({*seconds, *filter(counted, amounts)}):
            how = coverage.get(series.pipeline, _NONE)[0]
            yield _counted(*slot, series, seconds.get(series, 0.0), amounts.get(series, {}), how)

    def _amounts(self, sums: list[Sums]) -> dict[Series, dict[int, int]]:
        """What happened to each series, and what is thought to be missing or too many, by bin."""
        found: dict[Series, dict[int, int]] = {}
        for number, ms, amount, *_ in sums:
            if not ms and number in self._catalogue.parts:
                series, bin = self._catalogue.parts[number]
                found.setdefault(series, {})[bin] = round(amount)
        return found

    def _counting(self, sums: list[Sums], only: Filter) -> dict[Series, float]:
        """For how many seconds each series that is asked for would have been counted."""
        found: dict[Series, float] = {}
        for number, _, amount, *_ in sums:
            for series in self._catalogue.sets.get(number, ()):
                if only.takes(series):
                    found[series] = found.get(series, 0.0) + amount / schema.COVERAGE_SCALE
        return found

    def _coverages(self, sums: list[Sums]) -> dict[str, Observed]:
        """How each pipeline was observed, and by which models."""
        amounts: dict[str, dict[str, float]] = {}
        ran: dict[str, list[Ran]] = {}
        for number, ms, amount, *_ in sums:
            if ms or number in self._catalogue.parts or number in self._catalogue.sets:
                continue
            series, seconds = self._catalogue.by_number[number], amount / schema.COVERAGE_SCALE
            if series.label.startswith(schema.RUNG):
                rung = int(series.label.removeprefix(schema.RUNG))
                ran.setdefault(series.pipeline, []).append(Ran(rung, series.zone, seconds))
            else:
                amounts.setdefault(series.pipeline, {})[series.label] = seconds
        return {
            pipeline: _observed(labels, self._whole(pipeline, labels, ran.get(pipeline, [])))
            for pipeline, labels in amounts.items()
        }

    def _whole(self, pipeline: str, labels: dict[str, float], ran: list[Ran]) -> list[Ran]:
        """With what no rung's row tells of, which was the dearest one's: where all of a bucket was, it has no
        such rows.
        """
        rest = labels.get("observed", 0.0) - sum(one.seconds for one in ran)
        if not ran or rest < LEAST:
            return sorted(ran)
        named = {one.model for one in ran if one.rung == 0} or {self._catalogue.dearest(pipeline)}
        model = named.pop() if len(named) == 1 else ""
        seconds = {one[:2]: one.seconds for one in ran}
        seconds[0, model] = round(seconds.get((0, model), 0.0) + rest, 3)
        return sorted(Ran(*which, each) for which, each in seconds.items())

    # --- slots

    def _slots(
        self, start: float, end_asked: float, step: float, only: Filter
    ) -> Iterator[list[tuple[Slot, list[Sums]]]]:
        """Every slot that holds something, with its sums by series. Those that are told together are of one
        commit, and may be none: what is asked for can be rare.
        """
        reach, at, end = self._database.consistently(lambda: self._range(start, end_asked, step))
        while at < end:
            batch = self._at_once(at, end, step, reach)
            found = self._database.consistently(lambda batch=batch: self._batch(batch, only))  # type: ignore[misc]
            yield found
            at = batch[-1][1]
            if not found:
                # A gap may be years long (a recording of back then beside today's camera): go on where there
                # is something.
                at = max(at, self._database.consistently(lambda at=at: self._next(at, step, reach)))  # type: ignore[misc]

    def _at_once(self, at: int, end: float, step: float, reach: dict[Level, int]) -> list[Slot]:
        """The slots that are read together: some, and as many as their rows allow."""
        self._catalogue.follow()
        slots, rows, each = list[Slot](), 0.0, self._rows_each()
        for first, last in islice(self._cut(at, end, step, reach), AT_ONCE):
            rows_of_each = min((last - first) / _finest_at(last, reach).width, MOST_FINE)
            rows += rows_of_each * each
            if slots and rows > ROWS_AT_ONCE:
                break
            slots.append((first, last))
        return slots

    def _rows_each(self) -> float:
        """About how many rows a bucket has: of the bins of a series few at a time."""
        rare = sum(bool(bin) for _, bin in self._catalogue.parts.values())
        return len(self._catalogue.by_number) - rare + RARE * rare

    def _range(self, start: float, end: float, step: float) -> tuple[dict[Level, int], int, float]:
        """From when on each table is whole, and the asked range as far as there is data, widened to where
        slots begin.
        """
        spans = self.spans()
        if not spans:
            return {}, 0, 0
        self._memory.load()
        finest = self._memory.finest or schema.MINUTE
        reach = {
            level: since if (since := self._memory.since(level)) >= 0 else oldest
            for level, (oldest, _) in spans.items()
            if level.width >= finest.width
        }
        oldest = min(first for first, _ in spans.values())
        if step == math.inf:
            oldest = spans[_finest_at(oldest, reach)][0]
        at = max(math.floor(start), oldest)
        end = min(end, max(self._calendar.after(last, level.width) for level, (_, last) in spans.items()))
        return reach, self._calendar.floor(at, _width(at, step, reach)) if at < end else at, end

    def _cut(self, at: int, end: float, step: float, reach: dict[Level, int]) -> Iterator[Slot]:
        """The slots from ``at`` to ``end``; wider than ``step`` where only coarse buckets are left."""
        if step == math.inf:
            yield at, self._calendar.ceil(end, _finest_at(end, reach).width)
            return
        while at < end:
            stop = self._calendar.after(at, _width(at, step, reach))
            yield at, stop
            at = stop

    def _next(self, time: int, step: float, reach: dict[Level, int]) -> int:
        """Where the slot begins that holds the next bucket from ``time`` on."""
        keys = [
            self._database.value(f"SELECT min(key) FROM {level.name} WHERE key >= ?", (key_of(time),))
            for level in reach
        ]
        start = min((key >> SERIES_BITS for key in keys if key is not None), default=schema.LAST)
        return self._calendar.floor(start, _width(start, step, reach)) if start < schema.LAST else start

    def _batch(self, slots: list[Slot], only: Filter) -> list[tuple[Slot, list[Sums]]]:
        """The sums of some slots that follow each other. Runs within one commit."""
        chosen = self._chosen(only)
        self._memory.load()
        pieces: dict[Level, list[Piece]] = {}
        for start, end in slots:
            for level, first, last in self._pieces(len(schema.LEVELS) - 1, start, end):
                pieces.setdefault(level, []).append((start, key_of(first), key_of(last)))
        ends = dict(slots)
        rows = self._single(slots, pieces, chosen) or self._sums(pieces, chosen)
        return [
            ((start, ends[start]), [row[1:] for row in its])
            for start, its in groupby(rows, key=itemgetter(0))
        ]

    def _pieces(
        self, place: int, start: int, end: int, sharp: tuple[bool, bool] = (False, False)
    ) -> Iterator[tuple[Level, int, int]]:
        """From which table each part of a slot is taken: (table, from, to), all buckets that begin there.

        ``sharp`` says of either end that buckets of this table begin there. Where the zone was
        changed they need not begin where its calendar says, so elsewhere the rows themselves are asked.
        """
        level = schema.LEVELS[place]
        if start >= end:
            return
        if place == 0 or level == self._memory.finest:
            yield level, start, end
            return
        mark = self._memory.mark(level)
        if mark <= start or (end - start < level.width * SHORTEST and not all(sharp)):
            yield from self._pieces(place - 1, start, end, sharp)
            return
        first = start if sharp[0] or self._begins(start, level) else self._edge("min", level, start, end, end)
        if mark < end:
            last, finer = end, max(first, mark)
        else:
            last = (
                end if sharp[1] or self._begins(end, level) else self._edge("max", level, first, end, first)
            )
            finer = last
        yield from self._pieces(place - 1, start, first, (sharp[0], first < end or sharp[1]))
        if first < last:
            yield level, first, last
        yield from self._pieces(place - 1, finer, end, (True, sharp[1]))

    def _begins(self, time: int, level: Level) -> bool:
        return self._calendar.floor(time, level.width) == time

    def _edge(self, which: str, level: Level, start: int, end: int, otherwise: int) -> int:
        """Where the first ("min") or last ("max") bucket that begins within the range does so."""
        sql = f"SELECT {which}(key) FROM {level.name} WHERE key >= ? AND key < ?"
        found = self._database.value(sql, (key_of(start), key_of(end)))
        return otherwise if found is None else int(found) >> SERIES_BITS

    def _single(
        self, slots: list[Slot], pieces: dict[Level, list[Piece]], chosen: str
    ) -> list[tuple[Any, ...]]:
        """The rows as they are, when each slot is a bucket: a month by hours in half the time. Else none."""
        level = next(iter(pieces))
        if len(pieces) > 1 or any(self._calendar.after(start, level.width) != end for start, end in slots):
            return []
        rows = self._database.rows(
            f"SELECT key >> {SERIES_BITS}, key & {SERIES_MASK}, ms, sum, min, max, sumsq FROM {level.name} "
            f"WHERE key >= ? AND key < ?{chosen} ORDER BY key",
            (key_of(slots[0][0]), key_of(slots[-1][1])),
        )
        # Hours that were made in another zone may begin within a slot.
        starts = {start for start, _ in slots}
        return rows if all(row[0] in starts for row in rows) else []

    def _sums(self, pieces: dict[Level, list[Piece]], chosen: str) -> list[tuple[Any, ...]]:
        """Add the pieces up, per slot and series: rows of (slot, *Sums), in order."""
        parts = " UNION ALL ".join(
            f"SELECT slot, key & {SERIES_MASK} AS series, ms, sum, min, max, sumsq FROM "
            "(SELECT value ->> 0 AS slot, value ->> 1 AS first, value ->> 2 AS last FROM json_each(?)) "
            f"CROSS JOIN {level.name} WHERE key >= first AND key < last{chosen}"
            for level in pieces
        )
        return self._database.rows(
            "SELECT slot, series, sum(ms), sum(sum), min(min), max(max), sum(sumsq) "
            f"FROM ({parts}) GROUP BY slot, series ORDER BY slot, series",
            [_json(its) for its in pieces.values()],
        )

    def _chosen(self, only: Filter) -> str:
        """The series that are meant, and the coverage of their pipelines, as a condition; the catalogue is
        read anew.
        """
        self._catalogue.follow()
        if only == Filter():
            return ""
        parts = self._catalogue.parts
        meant = {
            number: one
            for number, one in self._catalogue.by_number.items()
            if only.takes(parts[number][0] if number in parts else one)
        }
        pipelines = {one.pipeline for one in meant.values()}
        numbers = [
            number
            for number, one in self._catalogue.by_number.items()
            if number in meant or (one.measure == "coverage" and one.pipeline in pipelines)
        ]
        return f" AND key & {SERIES_MASK} IN ({', '.join(map(str, numbers))})"

    # --- facts

    def spans(self) -> Spans:
        """(oldest, newest) start per table that holds anything."""
        found: Spans = {}
        for level in schema.LEVELS:
            # Two queries: SQLite finds an end of the tree at once when asked for one of them alone.
            oldest = self._database.value(f"SELECT min(key) FROM {level.name}")
            newest = self._database.value(f"SELECT max(key) FROM {level.name}")
            if oldest is not None:
                found[level] = (oldest >> SERIES_BITS, newest >> SERIES_BITS)
        return found

    def series(self, only: Filter) -> list[Series]:
        """See ``Store.series``."""
        self._catalogue.follow()
        return sorted(one for one in self._catalogue.named.values() if only.takes(one))

    def latest(self, only: Filter) -> list[Row]:
        """See ``Store.latest``."""
        chosen = self._chosen(only)
        rows = []
        for (level, start), numbers in self._newest(chosen).items():
            end = self._calendar.after(start, level.width)
            found = self._sums({level: [(start, key_of(start), key_of(end))]}, chosen)
            sums: list[Sums] = [row[1:] for row in found]
            coverage = self._coverages(sums)
            for one in sums:
                if one[0] in numbers:
                    series = self._catalogue.by_number[one[0]]
                    rows.append(_row(start, end, series, one, coverage.get(series.pipeline, _NONE)[0]))
        return sorted(rows, key=lambda row: row.series)

    def _newest(self, chosen: str) -> dict[tuple[Level, int], set[int]]:
        """The newest bucket of each series: (table, start) -> series. Only the end of each table is read."""
        placed: dict[int, tuple[Level, int]] = {}
        for level, (_, newest) in self.spans().items():
            since = newest - RECENT[level]
            rows = self._database.rows(
                f"SELECT key & {SERIES_MASK}, max(key) FROM {level.name} "
                f"WHERE key >= ? AND ms > 0{chosen} GROUP BY 1",
                (key_of(max(0, since)),),
            )
            for number, key in rows:
                placed.setdefault(number, (level, key >> SERIES_BITS))
        places: dict[tuple[Level, int], set[int]] = {}
        for number, place in placed.items():
            places.setdefault(place, set()).add(number)
        return places

    def events(self, start: float, end: float, most: int) -> list[Event]:
        """See ``Store.events``."""
        found = self._database.rows(
            "SELECT CASE WHEN boot IS NULL THEN at END, kind, pipeline, text FROM event "
            "WHERE boot IS NOT NULL OR at >= ? AND at < ? ORDER BY id DESC LIMIT ?",
            (start, end, most),
        )
        return [Event(*row) for row in found]

    def undated(self) -> Iterator[int]:
        """See ``Store.undated_pieces``."""
        sql = (
            "SELECT count(DISTINCT start), max(start) FROM "
            "(SELECT start FROM pending WHERE boot = ? AND start > ? ORDER BY start LIMIT ?)"
        )
        for (boot,) in self._asked("SELECT id FROM boot"):
            last = -1
            while (found := self._asked(sql, (boot, last, ROWS_AT_ONCE))[0])[0]:
                number, last = found
                yield number

    def _asked(self, sql: str, values: tuple[int, ...] = ()) -> list[tuple[Any, ...]]:
        return self._database.consistently(lambda: self._database.rows(sql, values))

    def facts(self) -> Facts:
        """See ``Store.facts``."""
        value, spans = self._database.value, self.spans()
        undated = self._database.rows(
            "SELECT name, min(start), max(start + width), count(DISTINCT start) "
            "FROM pending JOIN boot ON boot.id = pending.boot GROUP BY boot.id"
        )
        return Facts(
            path=str(self._database.path),
            size=self._database.size(),
            schema=value("PRAGMA user_version"),
            cipher=self._database.cipher(),
            rows={level.name: value(f"SELECT count(*) FROM {level.name}") for level in schema.LEVELS},
            spans={level.name: spans.get(level) for level in schema.LEVELS},
            series=value(
                "SELECT count(*) FROM series WHERE measure <> 'coverage' AND instr(measure, ' ') = 0"
            ),
            events=value("SELECT count(*) FROM event"),
            undated=tuple(Undated(*row) for row in undated),
        )


def _finest_at(time: float, reach: dict[Level, int]) -> Level:
    """The finest table that is whole from ``time`` on; the one that reaches furthest back when none does."""
    whole = [level for level, since in reach.items() if since <= time]
    return min(whole, key=lambda one: one.width) if whole else min(reach, key=lambda one: reach[one])


def _json(pieces: list[Piece]) -> str:
    """Numbers only, so that it is JSON as it stands."""
    return "[" + ",".join(f"[{slot},{first},{last}]" for slot, first, last in pieces) + "]"


def _width(time: float, step: float, reach: dict[Level, int]) -> int:
    """How wide the slot at ``time`` is: the smallest whole number of what there is that is no shorter than
    ``step``.
    """
    level = _finest_at(time, reach)
    return level.width if step == math.inf else max(1, math.ceil(step / level.width)) * level.width


def _observed(labels: dict[str, float], ran: list[Ran]) -> Observed:
    times = {label: labels.get(label, 0.0) for label in schema.COVERAGE if label != "analysed"}
    rungs = [0.0] * (max((one.rung for one in ran), default=-1) + 1)
    for one in ran:
        rungs[one.rung] += one.seconds
    return Coverage(analysed=round(labels.get("analysed", 0.0)), rungs=tuple(rungs), **times), tuple(ran)


def _row(start: int, end: int, series: Series, sums: Sums, coverage: Coverage) -> Row:
    """Mean and standard deviation weigh each value by the time that it held. Both are no more than the
    extremes allow (of the deviation: R. Bhatia and C. Davis, "A better bound on the variance", 2000).
    """
    _, ms, total, low, high, squares = sums
    scale = schema.scale_of(series)
    seconds = ms / 1000
    low, high = low / scale, high / scale
    mean = min(high, max(low, total / scale / seconds))
    variance = max(0.0, min(squares / scale / seconds - mean * mean, (high - mean) * (mean - low)))
    return Row(start, end, series, seconds, mean, low, high, math.sqrt(variance), coverage)


def _counted(
    start: int, end: int, series: Series, seconds: float, amounts: dict[int, int], coverage: Coverage
) -> Row:
    """What happened, in the seconds in which it would have been counted."""
    counts = {bin: count for bin, count in amounts.items() if not estimate(bin)}
    parts = {bin: count for bin, count in amounts.items() if estimate(bin)}
    none = (math.nan,) * 4
    return Row(start, end, series, seconds, *none, coverage, counts, parts)
