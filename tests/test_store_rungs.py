"""Coverage by rung in the store: sparse, under the names of then, the same sums however it is rolled up; and
a store of schema 1 is brought up to date without losing a row.
"""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.clock import Reading
from edged.config.shape import Keep
from edged.errors import StoreError
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.store import Covered, Ran, Store, schema

KEY = bytes(range(32))
NOON = 1_772_366_400  # 2026-03-01 12:00 UTC
SERIES = {"door": (Series("door", "presence", "", "", "share"),)}
LADDER = {"door": ("lite2", "lite0", "activity")}
EVER = Keep(minute=math.inf, hour=math.inf)

#: Schema 1, as it was when the first stores were written. Never to be changed.
VERSION_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE series (id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, measure TEXT NOT NULL, "
    "label TEXT NOT NULL, zone TEXT NOT NULL, unit TEXT NOT NULL, scale INTEGER NOT NULL, "
    "UNIQUE (pipeline, measure, label, zone, unit)) STRICT",
    "CREATE TABLE second (key INTEGER PRIMARY KEY, ms INTEGER NOT NULL, sum REAL NOT NULL, "
    "min REAL NOT NULL, max REAL NOT NULL, sumsq REAL NOT NULL) STRICT",
    "CREATE TABLE minute (key INTEGER PRIMARY KEY, ms INTEGER NOT NULL, sum REAL NOT NULL, "
    "min REAL NOT NULL, max REAL NOT NULL, sumsq REAL NOT NULL) STRICT",
    "CREATE TABLE hour (key INTEGER PRIMARY KEY, ms INTEGER NOT NULL, sum REAL NOT NULL, "
    "min REAL NOT NULL, max REAL NOT NULL, sumsq REAL NOT NULL) STRICT",
    "CREATE TABLE day (key INTEGER PRIMARY KEY, ms INTEGER NOT NULL, sum REAL NOT NULL, "
    "min REAL NOT NULL, max REAL NOT NULL, sumsq REAL NOT NULL) STRICT",
    "CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, offset REAL, noted REAL) STRICT",
    "CREATE TABLE pending (boot INTEGER NOT NULL, start INTEGER NOT NULL, width INTEGER NOT NULL, "
    "series INTEGER NOT NULL, ms INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL, "
    "max REAL NOT NULL, sumsq REAL NOT NULL, PRIMARY KEY (boot, start, width, series)) "
    "STRICT, WITHOUT ROWID",
    "CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, boot INTEGER, kind TEXT NOT NULL, "
    "pipeline TEXT NOT NULL, text TEXT NOT NULL) STRICT",
)
TABLES = ("meta", "series", "second", "minute", "hour", "day", "boot", "pending", "event")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edged.db"


def reading(now: float, boot: str = "a", good: bool = True) -> Reading:
    return Reading(monotonic=now, asleep=0.0, offset=0.0, good=good, boot=boot)


def bucket(minute: int, coverage: Coverage, boot: str = "") -> Bucket:
    seen = coverage.observed
    entries = (Entry(seconds=seen, sum=seen, min=1.0, max=1.0, sumsq=seen),)
    return Bucket("door", NOON + 60 * minute, 60, entries, coverage, boot)


def made(*rungs: float, throttled: float = 0.0, paused: float = 0.0) -> Coverage:
    seen = sum(rungs)
    return Coverage(300.0, 100, seen, throttled, paused, 60.0 - seen - paused, rungs if rungs[1:] else ())


def write(store: Store, *buckets: Bucket, ladders: dict[str, tuple[str, ...]] = LADDER) -> None:
    store.write(buckets, SERIES, reading(max(one.start for one in buckets) + 62.0), ladders)


def whole(store: Store) -> Covered:
    (found,) = store.coverage(0, NOON + 1e6)
    return found


def rung_rows(store: Store, table: str) -> list[tuple[str, str, float]]:
    return store._database.rows(
        f"SELECT label, zone, sum FROM {table} JOIN series ON id = key & 65535 "
        "WHERE label LIKE 'rung%' ORDER BY key"
    )


# --- sparse, and under its name


def test_where_the_dearest_ran_alone_there_is_nothing(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(0, made(60.0)), bucket(1, made(60.0, 0.0, 0.0)))
        assert rung_rows(store, "minute") == []
        assert "rung" not in str(store._database.rows("SELECT label FROM series"))
        assert (whole(store).coverage.rungs, whole(store).ran) == ((), ())


def test_each_rung_is_told_under_its_models_name(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(0, made(60.0)), bucket(1, made(40.0, 15.0, throttled=15.0, paused=5.0)))
        found = whole(store)
    assert found.coverage == Coverage(600.0, 200, 115.0, 15.0, 5.0, 0.0, (100.0, 15.0))
    assert found.ran == (Ran(0, "lite2", 100.0), Ran(1, "lite0", 15.0))


def test_the_dearest_has_its_name_also_where_no_minute_was_shared(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(0, made(60.0)), bucket(1, made(0.0, 0.0, 60.0)))
        assert rung_rows(store, "minute") == [("rung 2", "activity", 60_000.0)]
        assert whole(store).ran == (Ran(0, "lite2", 60.0), Ran(2, "activity", 60.0))


def test_a_rung_of_before_keeps_its_name_when_the_ladder_changes(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(0, made(30.0, 30.0)))
        write(store, bucket(1, made(20.0, 40.0)), ladders={"door": ("lite4", "lite2")})
        write(store, bucket(70, made(60.0)), ladders={"door": ("lite4", "lite2")})
        first, hour = (
            next(store.coverage(NOON, NOON + 60, 60.0)),
            list(store.coverage(NOON, NOON + 1, 3600.0)),
        )
        assert first.ran == (Ran(0, "lite2", 30.0), Ran(1, "lite0", 30.0))
        by_model = (
            Ran(0, "lite2", 30.0),
            Ran(0, "lite4", 20.0),
            Ran(1, "lite0", 30.0),
            Ran(1, "lite2", 40.0),
        )
        assert hour[0].ran == by_model
        assert hour[0].coverage.rungs == (50.0, 70.0)
        # Of the minute that nothing tells by whom it was observed, nothing is made up.
        assert whole(store).ran == (Ran(0, "", 60.0), *by_model)


def test_rungs_nobody_named_are_told_by_their_places(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(0, made(30.0, 30.0)), ladders={})
        assert whole(store).ran == (Ran(0, "", 30.0), Ran(1, "", 30.0))


def test_they_wait_for_the_time_with_the_rest(path: Path) -> None:
    with Store.open(path, KEY) as store:
        waiting = bucket(0, made(30.0, 30.0), boot="a")
        store.write([waiting], SERIES, reading(NOON + 61, good=False), LADDER)
        assert list(store.coverage(0, NOON + 1e6)) == []
        store.write([], SERIES, reading(NOON + 62))
        assert whole(store).ran == (Ran(0, "lite2", 30.0), Ran(1, "lite0", 30.0))


# --- sums


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """A minute with whole milliseconds, as workers tell them, on a ladder of three."""
    cuts = sorted(draw(st.lists(st.integers(0, 60_000), min_size=4, max_size=4)))
    parts = [(b - a) / 1000 for a, b in itertools.pairwise([0, *cuts, 60_000])]
    one, two, three, paused, blind = parts
    rungs = (one, two, three) if two or three else ()
    seen = round(one + two + three, 3)
    return Coverage(300.0, draw(st.integers(0, 300)), seen, round(two + three, 3), paused, blind, rungs)


@settings(deadline=None, max_examples=60)
@given(st.lists(coverages(), min_size=2, max_size=6), st.randoms())
def test_merging_in_any_order_gives_the_same_sums(minutes: list[Coverage], order: random.Random) -> None:
    def folded(of: list[Coverage]) -> tuple[float, ...]:
        total = of[0]
        for one in of[1:]:
            total = total.merged(one)
        by_rung = (*total.by_rung, 0.0, 0.0)[:3]
        return (total.expected, total.analysed, total.observed, total.throttled, total.paused, *by_rung)

    mixed = order.sample(minutes, len(minutes))
    split = order.randrange(1, len(minutes))
    assert folded(mixed) == pytest.approx(folded(minutes))
    left, right = mixed[:split], mixed[split:]
    joined = [sum_of(left).merged(sum_of(right))]
    assert folded(joined) == pytest.approx(folded(minutes))


def sum_of(some: list[Coverage]) -> Coverage:
    total = Coverage()
    for one in some:
        total = total.merged(one)
    return total


@settings(deadline=None, max_examples=12)
@given(st.lists(coverages(), min_size=3, max_size=12), st.randoms())
def test_the_store_adds_up_to_the_same_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, minutes: list[Coverage], order: random.Random
) -> None:
    """Minutes of some hours of two days come late and mixed, so all three tables are made and added to."""
    places = [order.randrange(2 * 1440) for _ in minutes]
    buckets = [bucket(place, one) for place, one in zip(places, minutes, strict=True)]
    order.shuffle(buckets)
    with Store.open(tmp_path_factory.mktemp("sums") / "edged.db", KEY, keep=EVER) as store:
        for one in buckets:
            write(store, one)
        write(store, bucket(4 * 1440, Coverage(blind=60.0)))
        (found,) = store.coverage(0, NOON + 86400 * 10)
        by_day = list(store.coverage(0, NOON + 86400 * 10, 86400.0))
    total = sum_of(minutes)
    assert (*found.coverage.by_rung, 0.0, 0.0)[:3] == pytest.approx((*total.by_rung, 0.0, 0.0)[:3], abs=1e-6)
    for label in ("observed", "throttled", "paused"):
        assert getattr(found.coverage, label) == pytest.approx(getattr(total, label), abs=1e-6)
    assert sum(one.coverage.observed for one in by_day) == pytest.approx(total.observed, abs=1e-6)
    cheaper = sum(one.seconds for each in by_day for one in each.ran if one.rung)
    assert cheaper == pytest.approx(sum(total.rungs[1:]), abs=1e-6)


# --- from schemas 1 and 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_old_schema_is_brought_up_to_date_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", (VERSION_1, ())[:version])
        then.setattr(schema, "VERSION", version)
        with Store.open(path, KEY) as store:
            write(store, *(bucket(minute, made(50.0, throttled=10.0, paused=5.0)) for minute in range(150)))
            store.event("began", "long ago", reading=reading(NOON))
            store.write([bucket(0, made(60.0), boot="z")], SERIES, reading(NOON + 9100, "z", good=False))
            assert store.facts().schema == version
            before = {name: store._database.rows(f"SELECT * FROM {name}") for name in TABLES}
            told = list(store.report(0, NOON + 1e6, 3600.0)), list(store.coverage(0, NOON + 1e6, 3600.0))
    assert all(before[name] for name in ("series", "minute", "hour", "pending", "event"))
    with (
        pytest.raises(StoreError, match=f"written by an older edged: its schema is {version}"),
        Store.open(path, KEY, read_only=True) as reader,
    ):
        reader.span()
    with Store.open(path, KEY) as store:
        assert store.facts().schema == schema.VERSION == 3
        after = {name: store._database.rows(f"SELECT * FROM {name}") for name in TABLES}
        again = list(store.report(0, NOON + 1e6, 3600.0)), list(store.coverage(0, NOON + 1e6, 3600.0))
        assert (after, again) == (before, told)
        write(store, bucket(150, made(30.0, 30.0)))
        assert whole(store).ran == (Ran(0, "lite2", 150 * 50.0 + 30.0), Ran(1, "lite0", 30.0))
        counted = (*SERIES["door"], Series("door", "visits", "", "", "visits"))
        later = msgspec.structs.replace(bucket(151, made(60.0)), amounts=(Amount(1, 3),))
        store.write([later], {"door": counted}, reading(NOON + 9200), LADDER)
        visits = [row for row in store.report(0, NOON + 1e6, 60.0) if row.counts]
        assert [(row.start, row.events, row.seconds) for row in visits] == [(NOON + 151 * 60, 3, 60.0)]
    with Store.open(path, KEY, read_only=True) as reader:
        assert whole(reader).coverage.observed == 152 * 50.0 + 20.0
