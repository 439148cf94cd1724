"""The encrypted store: aggregates in, aggregates out. See docs/store.md for its tables and docs/adr/0007 for the reasons.

    key = keys.load(Path("key"))
    with Store.open(Path("edged.db"), key, keep=config.store.keep, zone=clock.zone(config.clock.timezone)) as store:
        store.event("started", "edged 0.1.0", reading=reading)
        store.write(aggregator.flush(), series, reading)       # one transaction, one commit; all or nothing

The daemon holds the file alone (a second daemon is refused); any number of ``read_only`` openings may look at the same time.
A reader sees whole commits only and never keeps the daemon waiting.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from edged.clock import Reading
from edged.config.shape import Keep
from edged.nouns import Bucket, Coverage, Series


class Filter(msgspec.Struct, frozen=True):
    """Which series are meant; an empty tuple is any. ``labels=("",)`` is "any label as one", ``zones=("",)`` the whole picture."""

    pipelines: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


class Row(NamedTuple):
    """One series over ``[start, end)``, epoch seconds. ``seconds`` were observed; over them go mean, min, max and stddev.

    ``coverage`` is its pipeline's over the same stretch.
    """

    start: int
    end: int
    series: Series
    seconds: float
    mean: float
    min: float
    max: float
    stddev: float
    coverage: Coverage


class Event(NamedTuple):
    """Something that happened. ``at`` is epoch seconds, or None while its time is not known."""

    at: float | None
    kind: str
    pipeline: str
    text: str


class Undated(NamedTuple):
    """Buckets of a boot whose time was never known: seconds of that boot from ``first`` to ``last``."""

    boot: str
    first: int
    last: int
    buckets: int


class Facts(NamedTuple):
    """What the store is. ``rows`` and ``spans`` (oldest, newest start) are per resolution; sizes in bytes."""

    path: str
    size: int
    schema: int
    cipher: str
    rows: dict[str, int]
    spans: dict[str, tuple[int, int] | None]
    series: int
    events: int
    undated: tuple[Undated, ...]


class Store:
    """An open store. Every method may raise ``StoreError`` (and says by its class what to do about it)."""

    @classmethod
    def open(
        cls,
        path: Path,
        key: bytes,
        *,
        keep: Keep | None = None,
        zone: datetime.tzinfo = datetime.UTC,
        read_only: bool = False,
    ) -> Self:
        """Open, or make, the store at ``path`` with the 32-byte ``key``; ``zone`` says whose days and hours are meant.

        Raises ``NotEncryptedError``, ``WrongKeyError``, ``DamagedError``, ``NewerSchemaError``, and ``StoreError`` when the file
        is absent (``read_only``), another's, or in use by another daemon.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the daemon does

    def write(
        self, buckets: Iterable[Bucket], series: Mapping[str, tuple[Series, ...]], reading: Reading
    ) -> None:
        """Commit ``buckets`` and all events so far, date what waited for the time, roll up, drop what is too old: all or nothing.

        ``series`` gives, per pipeline, what the entries of its buckets are. A bucket that is there already is added to.
        When it raises, nothing was written and the same buckets may be handed in again.
        """
        raise NotImplementedError

    def event(self, kind: str, text: str, *, pipeline: str = "", reading: Reading) -> None:
        """Note something that happened at ``reading``; it is written with the next ``write``."""
        raise NotImplementedError

    def known_clock(self, boot: str) -> tuple[str, float] | None:
        """The (boot id, offset) for ``Clock(known=…)`` when the time was right earlier in this boot."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file. What was not written is lost, so write first. Closing twice is fine."""
        raise NotImplementedError

    # --- what readers ask

    def report(self, start: float, end: float, step: float, only: Filter | None = None) -> Iterator[Row]:
        """What was counted from ``start`` to ``end``, in slots of ``step`` seconds, ordered by time and series.

        Slots are aligned to the zone's hours, days and weeks (so ``start`` and ``end`` are widened to whole slots), and
        wider where the finer buckets were dropped by age. ``step`` infinity is one slot. Slots without data are left out.
        """
        raise NotImplementedError

    def latest(self, only: Filter | None = None) -> list[Row]:
        """The newest bucket of every series."""
        raise NotImplementedError

    def series(self, only: Filter | None = None) -> list[Series]:
        """All series ever stored, in order."""
        raise NotImplementedError

    def span(self) -> tuple[int, int] | None:
        """(oldest, newest) time there is data of, epoch seconds; None while there is none."""
        raise NotImplementedError

    def events(self, start: float = 0.0, end: float = float("inf"), most: int = 100) -> list[Event]:
        """The newest events, newest first; those without a time come where they were written."""
        raise NotImplementedError

    def facts(self) -> Facts:
        """What the store is and holds."""
        raise NotImplementedError
