"""The encrypted store: aggregates in, aggregates out. docs/store.md has its tables, docs/adr/0007 the
reasons.

    key = keys.load(Path("key"))
    with Store.open(Path("edged.db"), key, keep=config.store.keep, zone=zone(config.clock.timezone)) as store:
        store.event("began", "edged 0.1.0", reading=reading)
        store.write(aggregator.due(reading), series, reading)       # one transaction, one commit; all or
        nothing

The daemon holds the file alone (a second daemon is refused); any number of ``read_only`` openings may look at
the same time. A reader sees whole commits only and never keeps the daemon waiting.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Self

from edged.clock import Reading
from edged.clock import zone as named_zone
from edged.config.shape import Keep
from edged.errors import ConfigError
from edged.nouns import Bucket, Series
from edged.rounding import earlier
from edged.store.answers import Covered, Event, Facts, Filter, Ran, Row, Undated
from edged.store.calendar import Calendar
from edged.store.catalogue import Catalogue
from edged.store.database import Database
from edged.store.ledger import Ledger, Noted
from edged.store.memory import Memory
from edged.store.queries import Queries
from edged.store.secret import Key

__all__ = ["Covered", "Event", "Facts", "Filter", "Ran", "Row", "Store", "Undated"]


class Store:
    """An open store. Every method may raise ``StoreError`` (and says by its class what to do about it)."""

    def __init__(self, database: Database, keep: Keep, zone: datetime.tzinfo) -> None:
        calendar = Calendar(zone)
        catalogue = Catalogue(database)
        self._database = database
        self._catalogue, self._calendar = catalogue, calendar
        self._ledger = Ledger(database, catalogue, keep, calendar)
        self._queries = Queries(database, catalogue, calendar)
        self._events: list[Noted] = []

    @classmethod
    def open(
        cls,
        path: Path,
        key: Key,
        *,
        keep: Keep | None = None,
        zone: datetime.tzinfo = datetime.UTC,
        read_only: bool = False,
    ) -> Self:
        """Open, or make, the store at ``path`` with the 32-byte ``key``; ``zone`` says whose days and hours
        are made. A reader gets those that are made, whatever its own ``zone``: where only days are left, no
        other zone's can be had.

        Raises ``NotEncryptedError``, ``WrongKeyError``, ``DamagedError``, ``NewerSchemaError``, and
        ``StoreError`` when the file is absent (``read_only``), another's, or in use by another daemon.
        """
        database = Database(path, key, read_only)
        store = cls(database, keep or Keep(), _zone_of(database, zone) if read_only else zone)
        if not read_only:
            try:
                store._take_over(str(zone))
            except BaseException:
                database.close()
                raise
        return store

    def _take_over(self, zone: str) -> None:
        self._ledger.load()
        with self._database.transaction():
            self._ledger.settle(zone)

    def keep(self, keep: Keep) -> None:
        """Keep buckets for other lengths of time from now on. When it raises, nothing is otherwise."""
        ledger = Ledger(self._database, self._catalogue, keep, self._calendar)
        ledger.load()
        with self._database.transaction():
            ledger.settle(str(self._calendar.zone))
        self._ledger = ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the daemon does

    def write(
        self,
        buckets: Iterable[Bucket],
        series: Mapping[str, tuple[Series, ...]],
        reading: Reading,
        ladders: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        """Commit ``buckets`` and all events so far, date what waited, roll up, drop what is too old: all or
        nothing.

        ``series`` gives, per pipeline, what the entries of its buckets are; ``ladders`` the models' names of
        the rungs of their coverage. A bucket that is there already is added to. When it raises, nothing was
        written and the same buckets may be handed in again.
        """
        try:
            with self._database.transaction():
                self._ledger.commit(buckets, series, self._events, reading, ladders)
        except BaseException:
            self._ledger.forget()
            raise
        self._events.clear()

    def event(self, kind: str, text: str, *, pipeline: str = "", reading: Reading) -> None:
        """Note something that happened at ``reading``; it is written with the next ``write``.

        To a 64th of a second: a worker that was taken over chooses when some of it happens.
        """
        if reading.good:
            self._events.append(Noted(earlier(reading.now), "", kind, pipeline, text))
        else:
            moment = earlier(reading.moment(reading.monotonic))
            self._events.append(Noted(moment, reading.boot, kind, pipeline, text))

    def known_clock(self, boot: str) -> tuple[str, float] | None:
        """The (boot id, offset) for ``Clock(known=…)`` if the time was right earlier in this boot."""
        known = self._ledger.known_clock()
        return known if known and known[0] == boot else None

    def size(self) -> int:
        """Bytes on the disk."""
        return self._database.size()

    def close(self) -> None:
        """Close the file. What was not written is lost, so write first. Closing twice is fine."""
        self._database.close()

    # --- what readers ask

    def report(self, start: float, end: float, step: float, only: Filter | None = None) -> Iterator[Row]:
        """What was counted from ``start`` to ``end``, in slots of ``step`` seconds, ordered by time and
        series.

        Slots are aligned to the zone's hours, days and (Monday's) weeks, so ``start`` and ``end`` are widened
        to whole slots; they are wider where finer buckets were dropped by age. ``step`` infinity is one slot.
        A slot in which a series was never observed has no row; ``coverage`` tells why.
        """
        return chain.from_iterable(self.report_pieces(start, end, step, only))

    def report_pieces(
        self, start: float, end: float, step: float, only: Filter | None = None
    ) -> Iterator[list[Row]]:
        """As ``report``, some rows at a time, perhaps none: whoever must not wait for long waits for one."""
        return self._queries.report(start, end, step, only or Filter())

    def coverage(
        self, start: float, end: float, step: float = math.inf, pipelines: tuple[str, ...] = ()
    ) -> Iterator[Covered]:
        """How the pipelines (all if none is named) were observed, in ``report``'s slots; blind ones too."""
        return chain.from_iterable(self.coverage_pieces(start, end, step, pipelines))

    def coverage_pieces(
        self, start: float, end: float, step: float = math.inf, pipelines: tuple[str, ...] = ()
    ) -> Iterator[list[Covered]]:
        """As ``coverage``, some at a time, perhaps none."""
        return self._queries.coverage(start, end, step, pipelines)

    def latest(self, only: Filter | None = None) -> list[Row]:
        """The newest bucket of every series; the last hour or day of one that has been silent for long."""
        return self._database.consistently(lambda: self._queries.latest(only or Filter()))

    def series(self, only: Filter | None = None) -> list[Series]:
        """All series ever stored, in order."""
        return self._database.consistently(lambda: self._queries.series(only or Filter()))

    def span(self) -> tuple[int, int] | None:
        """Oldest and newest start of a bucket, epoch seconds; None while there is none."""
        spans = self._database.consistently(self._queries.spans).values()
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def events(self, start: float = 0.0, end: float = math.inf, most: int = 100) -> list[Event]:
        """The newest events, newest first; those whose time is not known yet come where they were written."""
        return self._database.consistently(lambda: self._queries.events(start, end, most))

    def undated_pieces(self) -> Iterator[int]:
        """How many buckets wait for their time, some at a time: the sum is meant."""
        return self._queries.undated()

    def facts(self) -> Facts:
        """What the store is and holds. Counts every row: slow for a large store."""
        return self._database.consistently(self._queries.facts)

    def verify(self) -> list[str]:
        """Read the whole file; a sentence for each page or tree that is damaged, none when it is whole."""
        return self._database.consistently(self._database.verify)


def _zone_of(database: Database, otherwise: datetime.tzinfo) -> datetime.tzinfo:
    """The zone whose days the file holds; ``otherwise`` when it has none or its name says nothing here."""
    memory = Memory(database)
    database.consistently(memory.load)
    if not memory.zone or memory.zone == str(otherwise):
        return otherwise
    try:
        return named_zone(memory.zone)
    except ConfigError:
        return otherwise
