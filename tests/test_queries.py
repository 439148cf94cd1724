"""What the store answers, against sums made by hand and by brute force."""

from __future__ import annotations

import datetime
import itertools
import math
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edged.clock import Reading
from edged.config.shape import Keep
from edged.nouns import Bucket, Coverage, Entry, Series
from edged.store import Filter, Row, Store, schema

KEY = bytes(range(32))
BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = int(datetime.datetime(2026, 3, 27, 12, 7, tzinfo=BERLIN).timestamp())
DAYS = 3.5  # over the night of the 29th, which has 23 hours
SERIES = {
    "door": (
        Series("door", "occupancy", "person", "", "count"),
        Series("door", "presence", "dog", "mat", "share"),
    ),
    "yard": (Series("yard", "level", "", "", "dB"),),
}
HOUR, DAY = 3600, 86400


def buckets() -> Iterator[Bucket]:
    """Three and a half days of minutes; one of seven is missing, and the yard is blind every third hour."""
    chance = random.Random(5)
    for start in range(BEGIN, BEGIN + int(DAYS * DAY), 60):
        if chance.random() < 1 / 7:
            continue
        people, dog = chance.randrange(5), chance.randrange(2)
        entries = (
            Entry(60.0, people * 60.0, 0.0, people, people**2 * 60.0),
            Entry(30.0, dog * 30.0, dog, dog, dog * 30.0),
        )
        yield Bucket("door", start, 60, entries, Coverage(300.0, 290, 60.0))
        if (start // HOUR) % 3:
            loud = chance.uniform(-60, 0)
            yield Bucket(
                "yard",
                start,
                60,
                (Entry(60.0, loud * 60, loud, loud, loud**2 * 60),),
                Coverage(60.0, 60, 60.0),
            )
        else:
            yield Bucket("yard", start, 60, (), Coverage(blind=60.0))


ALL = list(buckets())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("store") / "edged.db"
    with Store.open(path, KEY, zone=BERLIN) as writer:
        for first in range(0, len(ALL), 500):
            some = ALL[first : first + 500]
            writer.write(some, SERIES, Reading(some[-1].start + 62.0, 0.0, 0.0, True, "boot"))
    with Store.open(path, KEY, zone=BERLIN, read_only=True) as reader:
        yield reader


def expected(series: Series, start: float, end: float) -> tuple[float, ...]:
    """(seconds, mean, min, max, stddev) by brute force."""
    place = SERIES[series.pipeline].index(series)
    entries = [
        one.entries[place]
        for one in ALL
        if one.pipeline == series.pipeline and one.entries and start <= one.start < end
    ]
    total = sum(one.seconds for one in entries)
    mean = sum(one.sum for one in entries) / total
    variance = sum(one.sumsq for one in entries) / total - mean**2
    low, high = min(one.min for one in entries), max(one.max for one in entries)
    return total, mean, low, high, math.sqrt(max(0.0, variance))


def covered(pipeline: str, start: float, end: float) -> Coverage:
    total = Coverage()
    for one in ALL:
        if one.pipeline == pipeline and start <= one.start < end:
            total = total.merged(one.coverage)
    return total


def check(rows: list[Row]) -> None:
    for row in rows:
        assert tuple(row[3:8]) == pytest.approx(expected(row.series, row.start, row.end), rel=1e-5, abs=1e-4)
        assert row.coverage == covered(row.series.pipeline, row.start, row.end)


@pytest.mark.parametrize("step", [60, 300, 900, 1800, HOUR, 5400, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, math.inf])
def test_slots_hold_what_brute_force_finds(store: Store, step: float) -> None:
    start, end = (BEGIN, BEGIN + 2 * HOUR) if step < HOUR else (0, 2e9)
    rows = list(store.report(start, end, step))
    assert rows == sorted(rows, key=lambda row: row.start)
    check(rows)
    whole = [one.seconds for one in rows if one.series.measure == "occupancy"]
    if step >= HOUR:
        assert sum(whole) == sum(60 for one in ALL if one.pipeline == "door")
        slots = sorted({(row.start, row.end) for row in rows})
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(slots))


@example(42840, 43141, math.inf)
@given(
    st.integers(-HOUR, 4 * DAY),
    st.integers(1, 3 * DAY),
    st.sampled_from([60, 420, HOUR, 7200, DAY, math.inf]),
)
@settings(max_examples=60, deadline=None)
def test_any_range_is_widened_to_whole_slots_and_right(
    store: Store, first: int, length: int, step: float
) -> None:
    start, end = BEGIN + first, BEGIN + first + min(length, int(min(step, HOUR) * 40))
    rows = list(store.report(start, end, step))
    check(rows)
    asked = [one for one in ALL if start <= one.start < end and one.entries]
    told = {(row.series.pipeline, row.start, row.end) for row in rows}
    assert all(any(name == one.pipeline and a <= one.start < b for name, a, b in told) for one in asked)
    if step < math.inf:
        assert all(a < end and b > start for _, a, b in told)


def test_days_are_the_zones(store: Store) -> None:
    days = sorted({(row.start, row.end) for row in store.report(0, 2e9, DAY)})
    assert [(b - a) / HOUR for a, b in days] == [24, 24, 23, 24, 24][: len(days)]
    assert all(datetime.datetime.fromtimestamp(a, BERLIN).hour == 0 for a, _ in days)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_a_reader_elsewhere_gets_the_days_that_were_made(store: Store, zone: str) -> None:
    """Cutting Berlin's days at New York's midnights would count hours twice here and lose them there."""
    with Store.open(Path(store.facts().path), KEY, zone=ZoneInfo(zone), read_only=True) as elsewhere:
        for step in (900, HOUR, DAY, 7 * DAY, math.inf):
            assert list(elsewhere.report(0, 2e9, step)) == list(store.report(0, 2e9, step))


def test_filters(store: Store) -> None:
    def asked(**only: tuple[str, ...]) -> set[str]:
        rows = store.report(0, 2e9, math.inf, Filter(**only))
        return {row.series.measure for row in rows}

    assert asked() == {"occupancy", "presence", "level"}
    assert asked(pipelines=("door",)) == {"occupancy", "presence"}
    assert asked(measures=("presence", "level")) == {"presence", "level"}
    assert asked(labels=("person",)) == {"occupancy"}
    assert asked(labels=("",)) == {"level"}
    assert asked(zones=("mat",)) == {"presence"}
    assert asked(zones=("mat",), pipelines=("yard",)) == set()
    check(list(store.report(0, 2e9, HOUR, Filter(measures=("presence",)))))
    assert [one.measure for one in store.series(Filter(pipelines=("door",)))] == ["occupancy", "presence"]
    assert store.series() == sorted(one for some in SERIES.values() for one in some)


def test_a_blind_hour_has_coverage_and_no_number(store: Store) -> None:
    hour = (BEGIN // HOUR + 4) // 3 * 3 * HOUR
    assert [row.series.pipeline for row in store.report(hour, hour + HOUR, HOUR)] == ["door", "door"]
    told = {one.pipeline: one.coverage for one in store.coverage(hour, hour + HOUR, HOUR)}
    assert told == {name: covered(name, hour, hour + HOUR) for name in ("door", "yard")}
    assert told["yard"].blind > 2400
    assert [one.pipeline for one in store.coverage(0, 2e9, pipelines=("yard",))] == ["yard"]


def test_latest_and_span(store: Store) -> None:
    assert store.span() is not None
    oldest, newest = store.span() or (0, 0)
    assert oldest <= ALL[0].start
    assert newest == ALL[-1].start
    latest = store.latest()
    check(latest)
    for row in latest:
        assert row.start == max(
            one.start for one in ALL if one.pipeline == row.series.pipeline and one.entries
        )
        assert row.end - row.start == 60
    assert [row.series.measure for row in store.latest(Filter(zones=("mat",)))] == ["presence"]


def test_the_latest_of_a_series_that_fell_silent_is_its_last_hour_or_day(tmp_path: Path) -> None:
    begin = 1_772_323_200  # 2026-03-01 00:00 UTC
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        for hour in range(100):
            told = ["yard"] * (hour < 3) + ["door"] * (hour < 80) + ["gate"] * (hour < 99) + ["hall"]
            series = {name: (Series(name, "level", "", "", ""),) for name in told}
            start = begin + hour * HOUR
            entry = Entry(60.0, 60.0, 1.0, 1.0, 60.0)
            some = [Bucket(name, start, 60, (entry,), Coverage(observed=60.0)) for name in told]
            store.write(some, series, Reading(start + 62.0, 0.0, 0.0, True, "boot"))
        latest = {
            row.series.pipeline: ((row.start - begin) / HOUR, row.end - row.start) for row in store.latest()
        }
    assert latest == {"yard": (0, DAY), "door": (79, HOUR), "gate": (98, 60), "hall": (99, 60)}


def test_facts(store: Store) -> None:
    facts = store.facts()
    assert facts.rows["minute"] == len(ALL) * 4 - sum(not one.entries for one in ALL) * 3 + sum(
        one.pipeline == "door" for one in ALL
    )
    assert facts.spans["minute"] == (ALL[0].start, ALL[-1].start)
    assert facts.spans["second"] is None
    assert (facts.series, facts.events, facts.undated) == (3, 0, ())
    assert facts.cipher.startswith("4.")
    assert facts.size == store.size() > 100_000
    assert store.verify() == []


def test_the_standard_deviation_is_that_of_the_values_by_time(tmp_path: Path) -> None:
    chance = random.Random(6)
    values = [chance.gauss(0.02, 0.004) for _ in range(60)]
    series = {"a": (Series("a", "activity", "", "", "fraction"),)}
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        for place, value in enumerate(values):
            entry = Entry(1.0, value, value, value, value * value)
            bucket = Bucket("a", 60_000_000, 60, (entry,), Coverage(observed=1.0))
            store.write([bucket], series, Reading(6e7 + place, 0.0, 0.0, True, "boot"))
        (row,) = store.report(0, 2e9, 60)
    assert row.mean == pytest.approx(statistics.fmean(values), abs=2e-6)
    assert row.stddev == pytest.approx(statistics.pstdev(values), rel=0.01)
    assert (row.min, row.max) == pytest.approx((min(values), max(values)), abs=1e-6)


@pytest.mark.parametrize("unit", ["hPa", "share", "count"])
def test_what_never_changed_is_told_as_that_however_short_it_was(tmp_path: Path, unit: str) -> None:
    value = 1013.0 if unit == "hPa" else 1.0
    series = {"a": (Series("a", "level", "", "", unit),)}
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        for place, seconds in enumerate((0.234375, 1.0, 0.421875, 0.0001)):
            entry = Entry(seconds, value * seconds, value, value, value * value * seconds)
            bucket = Bucket("a", 60_000_000 + 60 * place, 60, (entry,), Coverage(observed=seconds))
            store.write([bucket], series, Reading(6e7 + 60 * place, 0.0, 0.0, True, "boot"))
        rows = list(store.report(0, 2e9, 60)) + list(store.report(0, 2e9, HOUR))
    assert len(rows) == 5
    assert [tuple(one[4:8]) for one in rows] == [(value, value, value, 0.0)] * 5


def test_sums_belong_to_the_milliseconds_that_are_stored(tmp_path: Path) -> None:
    entry = Entry(0.4214, 0.4214 * 1000.0, 990.0, 1010.0, 0.4214 * 1000_100.0)
    row = schema.packed(0, 1, entry, 1)
    assert row.ms == 421
    assert row.sum / 0.421 == pytest.approx(1000.0, rel=1e-12)
    assert row.sumsq / 0.421 - 1e6 == pytest.approx(100.0, abs=1e-3)


def test_an_empty_store_has_no_answers(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        assert (
            list(store.report(0, 2e9, HOUR))
            == list(store.coverage(0, 2e9))
            == store.latest()
            == store.series()
            == []
        )
        assert store.span() is None
        assert store.facts().rows == {"second": 0, "minute": 0, "hour": 0, "day": 0}


def test_times_at_which_only_coarse_buckets_are_left_come_in_wider_slots(tmp_path: Path) -> None:
    keep = Keep(minute=DAY, hour=3 * DAY)
    series = {"yard": SERIES["yard"]}
    begin = 1_772_323_200  # 2026-03-01 00:00 UTC
    with Store.open(tmp_path / "s" / "e.db", KEY, keep=keep) as store:
        for start in range(begin, begin + 10 * DAY, 600):
            bucket = Bucket("yard", start, 60, (Entry(60.0, 60.0, 1.0, 1.0, 60.0),), Coverage(observed=60.0))
            store.write([bucket], series, Reading(start + 62.0, 0.0, 0.0, True, "boot"))
        rows = list(store.report(begin, begin + 10 * DAY, 600))
        widths = [row.end - row.start for row in rows]
        assert widths == sorted(widths, reverse=True)
        assert set(widths) == {600, HOUR, DAY}
        assert sum(row.seconds for row in rows) == 10 * 144 * 60.0
        assert all(a.end == b.start for a, b in itertools.pairwise(rows))
        (row,) = store.report(begin + 5 * HOUR, begin + 10 * DAY, math.inf)
        assert (row.start, row.seconds) == (begin, 10 * 144 * 60.0)


def test_the_answer_is_the_same_whatever_is_rolled_up(tmp_path: Path) -> None:
    """One bucket more makes an hour and a day; nothing that was told before may change by it."""
    series = {"yard": SERIES["yard"]}
    begin = 1_772_323_200
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        for start in range(begin, begin + 26 * HOUR, 300):
            bucket = Bucket("yard", start, 60, (Entry(60.0, 60.0, 1.0, 1.0, 60.0),), Coverage(observed=60.0))
            store.write([bucket], series, Reading(start + 62.0, 0.0, 0.0, True, "boot"))
            (row,) = store.report(0, 2e9, math.inf)
            assert row.seconds == ((start - begin) // 300 + 1) * 60.0


def test_an_old_gap_costs_nothing(tmp_path: Path) -> None:
    """A recording from ten years ago beside today's: a report by seconds must not walk through the years
    between.
    """
    series = {"yard": SERIES["yard"]}
    with Store.open(tmp_path / "s" / "e.db", KEY) as store:
        for start in (1_450_000_020, 1_772_323_200):
            bucket = Bucket("yard", start, 60, (Entry(60.0, 60.0, 1.0, 1.0, 60.0),), Coverage(observed=60.0))
            store.write([bucket], series, Reading(1_772_323_262.0, 0.0, 0.0, True, "boot"))
        assert [row.seconds for row in store.report(0, 2e9, 60)] == [60.0, 60.0]
