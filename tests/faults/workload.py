"""What the daemon writes, a minute at a time, and what must be in the store afterwards.

The writing is the daemon's own: its ``Tally`` commits to the real store, holds what could not be written
and tries again. The expectation is made without the store's code, from the numbers alone: each commit has a
minute of two pipelines, and an event that says which commit it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from edged.amounts import MISSED
from edged.clock import Reading
from edged.config.shape import Keep
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.reactor import Timer
from edged.store import Store
from edged.tally import Tally

KEY: Final = bytes(range(7, 39))
NOON: Final = 1_772_366_400  # 2026-03-01 12:00 UTC
HOUR, DAY = 3600, 86400
KEEP: Final = Keep(minute=6.0 * HOUR, hour=30.0 * HOUR)
KEPT: Final = {"minute": KEEP.minute + 60, "hour": KEEP.hour + HOUR, "day": math.inf}
SERIES: Final = {
    name: tuple(Series(name, measure, label, "", "count") for measure in measures for label in labels)
    for name, measures, labels in (
        ("door", ("occupancy", "visits"), ("person", "dog", "cat", "bicycle")),
        ("yard", ("occupancy", "crossings", "dwell"), ("person", "car")),
    )
}
#: How a bin is named in the store.
NAMED: Final = {MISSED: " missed", 0: ""}
#: Seconds observed in a commit's minute, and in what comes later to some of them.
FIRST: Final = {"door": 60.0, "yard": 25.0}
LATER: Final = 30.0
WAITING: Final = 3  # buckets of a boot that never knows the time

#: (pipeline, measure, label) of a row, and its numbers: ms, sum, min, max, sumsq.
Name = tuple[str, str, str]
Numbers = tuple[float, ...]
Rows = dict[tuple[int, Name], Numbers]


class LostError(AssertionError):
    """What was committed is not there."""


class FalseError(AssertionError):
    """What is there was never committed."""


def start(number: int) -> int:
    """The minute of a commit: five in a row, then a gap of 25, so that 240 commits are a day."""
    return NOON + 60 * (number + 25 * (number // 5))


def reading(number: int) -> Reading:
    """The clocks at a commit."""
    return Reading(start(number) + 62.0, 0.0, 0.0, True, "boot-b")


def buckets(number: int) -> list[Bucket]:
    """What a commit has to write."""
    some = [
        Bucket(
            name,
            start(number),
            60,
            _entries(name, number),
            Coverage(300.0, 300, FIRST[name]),
            amounts=_amounts(name, number),
        )
        for name in SERIES
    ]
    if number % 7 == 5:  # a restart within a minute: what is there already is added to
        again = _entries("yard", number - 1, LATER)
        seen, happened = Coverage(50.0, 50, LATER), _amounts("yard", number - 1)
        some.append(Bucket("yard", start(number - 1), 60, again, seen, amounts=happened))
    if number == 0:
        some += [
            Bucket("door", 60 * one, 60, _entries("door", one), Coverage(), "boot-x", _amounts("door", one))
            for one in range(WAITING)
        ]
    return some


def value(pipeline: str, place: int, number: int) -> int:
    """What a series counted in a commit's minute, all of it."""
    return (len(pipeline) * 7 + place * 31 + number * 13) % 97


def _entries(pipeline: str, number: int, seconds: float = 0.0) -> tuple[Entry, ...]:
    values = (value(pipeline, place, number) for place in _held(pipeline))
    span = seconds or FIRST[pipeline]
    return tuple(Entry(span, span * one, one - 1.0, one + 1.0, span * one * one) for one in values)


def _held(pipeline: str) -> list[int]:
    """The places of its series that have values; with all others something happens."""
    return [place for place, one in enumerate(SERIES[pipeline]) if one.measure == "occupancy"]


def happened(pipeline: str, place: int, number: int) -> dict[int, int]:
    """How often by bin: mostly not at all."""
    often = value(pipeline, place, number) % 5
    if SERIES[pipeline][place].measure == "dwell":
        return {1 + often * 40: 1 + often} if often else {}
    return {one: count for one, count in ((0, often), (MISSED, often // 2)) if count}


def _amounts(pipeline: str, number: int) -> tuple[Amount, ...]:
    return tuple(
        Amount(place, count, bin)
        for place, one in enumerate(SERIES[pipeline])
        if one.measure != "occupancy"
        for bin, count in happened(pipeline, place, number).items()
    )


def text(number: int) -> str:
    """The event of a commit. Some are longer than a page."""
    return f"commit {number}" + (" and so on" * 300 if number % 10 == 3 else "")


# --- the daemon's side


class _Reactor:
    """Time is data here: nothing happens by itself."""

    def after(self, _: float, what: Callable[[], None]) -> Timer:
        return Timer(math.inf, what)


class _Clock:
    def __init__(self) -> None:
        self.number = 0

    def read(self) -> Reading:
        return reading(self.number)


class Writer:
    """The daemon, as far as it writes."""

    def __init__(self, store: Store) -> None:
        self._store, self._clock = store, _Clock()
        self._tally = Tally(_Reactor(), lambda *_, **__: None, KEEP, 60.0)  # type: ignore[arg-type]
        self._tally.open(store, self._clock, ())  # type: ignore[arg-type]
        self._tally._series = SERIES

    @classmethod
    def opened(cls, path: Path) -> Writer:
        """Open the store as the daemon does."""
        return cls(Store.open(path, KEY, keep=KEEP))

    @property
    def store(self) -> Store:
        """The open store."""
        return self._store

    def commit(self, number: int) -> bool:
        """Commit number ``number``, and whatever could not be committed before; whether it is done now.

        Raises ``DamagedError``, which ends the daemon.
        """
        self._clock.number = number
        self._tally.look_at_clock()
        self._store.event("commit", text(number), reading=reading(number))
        self._tally._commit(buckets(number))
        return not self._tally.behind

    def close(self) -> None:
        """A stop."""
        self._store.close()


# --- what must be there


@cache
def minutes(number: int) -> Rows:
    """What one commit adds."""
    rows: Rows = {}
    for name in SERIES:
        _count(rows, name, number, FIRST[name], 300)
    if number % 7 == 5:
        _count(rows, "yard", number - 1, LATER, 50)
    return rows


def _count(rows: Rows, name: str, number: int, seconds: float, frames: int) -> None:
    ms, at = int(seconds * 1000), start(number)
    for place in _held(name):
        one, what = SERIES[name][place], value(name, place, number)
        numbers = (ms, what * ms, (what - 1) * 1000, (what + 1) * 1000, what * what * ms)
        _add(rows, (at, (name, one.measure, one.label)), numbers)
    for place in set(range(len(SERIES[name]))) - set(_held(name)):
        one = SERIES[name][place]
        for bin, count in happened(name, place, number).items():
            measure = one.measure + NAMED.get(bin, f" {bin}")
            _add(rows, (at, (name, measure, one.label)), (0, count, 0, 0, 0))
    seen = (("expected", frames * 1000), ("analysed", frames * 1000), ("observed", ms), ("counting", ms))
    for label, amount in seen:
        _add(rows, (at, (name, "coverage", label)), (0, amount, 0, 0, 0))


@cache
def expected(number: int, lost: range = range(0)) -> dict[str, Rows]:
    """Every row of each table after commit ``number``, if none were dropped by age. Of the ``lost`` ones,
    which a torn log's end took with it, nothing is there, nor in what was summed up since.
    """
    tables: dict[str, Rows] = {"minute": {}, "hour": {}, "day": {}}
    for one in set(range(number + 1)) - set(lost):
        for key, numbers in minutes(one).items():
            _add(tables["minute"], key, numbers)
    newest = start(number) if number >= 0 else 0
    waiting: Rows = {}
    for one in range(WAITING if number >= 0 else 0):
        _count(waiting, "door", one, 60.0, 0)
    tables["pending"] = {
        (60 * ((at - NOON) // 60), name): numbers
        for (at, name), numbers in waiting.items()
        if name[1] != "coverage"
    }
    for table, width in (("hour", HOUR), ("day", DAY)):
        for (at, name), numbers in tables["minute"].items():
            if (begin := at // width * width) + width <= newest // width * width:
                _add(tables[table], (begin, name), numbers)
    return tables


def _add(rows: Rows, key: tuple[int, Name], more: Numbers) -> None:
    if key not in rows:
        rows[key] = more
        return
    ms, total, low, high, squares = rows[key]
    rows[key] = (ms + more[0], total + more[1], min(low, more[2]), max(high, more[3]), squares + more[4])


def content(ask: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, Any]:
    """All that is in a store; ``ask`` runs a query."""
    series = {one[0]: tuple(one[1:]) for one in ask("SELECT id, pipeline, measure, label FROM series")}
    found: dict[str, Any] = {
        "event": [one[0] for one in ask("SELECT text FROM event ORDER BY id")],
    }
    waiting = ask("SELECT start, series, ms, sum, min, max, sumsq FROM pending")
    found["pending"] = {(at, series.get(number)): tuple(rest) for at, number, *rest in waiting}
    for table in ("second", "minute", "hour", "day"):
        rows = ask(f"SELECT key, ms, sum, min, max, sumsq FROM {table}")
        found[table] = {(key >> 16, series.get(key & 65535)): tuple(rest) for key, *rest in rows}
    return found


def newest(found: dict[str, Any]) -> int:
    """The number of the last commit in it; -1 when there is none."""
    return max((int(one.split(maxsplit=2)[1]) for one in found["event"]), default=-1)


def judge(found: dict[str, Any], least: int, most: int) -> int:
    """The store holds exactly what some number of commits wrote, of which ``least`` must be there and
    ``most`` can be. That number's last; raises ``LostError`` or ``FalseError``.
    """
    number = newest(found)
    if number < least:
        raise LostError(f"commit {least} was synced, and the last one there is {number}")
    if number > most:
        raise FalseError(f"commit {number} is there, and only {most} were ever begun")
    for what, wanted in _wanted(number):
        _compare(what, found[what], wanted, number)
    return number


def _wanted(number: int) -> Iterator[tuple[str, Any]]:
    yield from expected(number).items()
    yield "event", [text(one) for one in range(number + 1)]
    yield "second", {}


def _compare(what: str, found: Any, wanted: Any, number: int) -> None:
    if what == "event":
        if found != wanted:
            raise LostError(f"events: {len(found)} of {len(wanted)}")
        return
    if wrong := [key for key, numbers in found.items() if wanted.get(key) != numbers]:
        raise FalseError(f"{what}: {len(wrong)} rows are not what was committed, the first {wrong[0]}")
    horizon = start(number) + 60 - KEPT[what] if what in KEPT else 0
    if gone := [key for key in wanted if key not in found and key[0] >= horizon]:
        raise LostError(f"{what}: {len(gone)} rows are not there, the first {gone[0]}")


def look(path: Path) -> dict[str, Any]:
    """What is in a store, by a writer's opening; each page of it is verified."""
    with Store.open(path, KEY, keep=KEEP) as store:
        assert (said := store.verify()) == [], f"after recovery: {said}"
        return content(store._database.rows)
