"""What happens, from the worker's sums through the wall and the store to a report: each event once, in every
resolution, whatever comes between.
"""

from __future__ import annotations

import datetime
import math
import random
import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged import report, wall
from edged.aggregate import Aggregator
from edged.amounts import DOUBTFUL, MISSED, bin_of, quantile
from edged.cli import plots, slots
from edged.cli.export import csv_lines
from edged.clock import Reading
from edged.config.shape import Keep
from edged.inspector import Inspector, check_amounts
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.store import Store, schema
from edged.worker.measure.amounts import Amounts
from edged.worker.measure.meter import Happening

KEY = bytes(range(32))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
EVER = Keep(minute=math.inf, hour=math.inf)
#: 2026-03-28 23:00 in Berlin: an hour before a midnight, four before the clocks go forward.
LATE_EVENING = int(datetime.datetime(2026, 3, 28, 23, tzinfo=BERLIN).timestamp())
#: What is counted before the time is known lies across two minutes once it is.
OFFSET = 1000.37
SERIES = (
    Series("gate", "crossings", "person", "gate:in", "crossings"),
    Series("gate", "occupancy", "person", "", "count"),
    Series("gate", "crossings", "person", "gate:out", "crossings"),
    Series("gate", "dwell", "person", "hall", "s"),
)
IN, OUT, DWELL = 0, 2, 3
#: Of each: series, and the bin of its number.
Event = tuple[int, int]


class Chain:
    """A worker, the wall, and what the daemon does with a tick, without processes: time is data."""

    def __init__(self, path: Path, start: float, good: bool = True) -> None:
        self._path, self._good = path, good
        self._store, self._aggregator = self._opened(), Aggregator(60)
        self.now = self._start = start
        self._begin()

    def _opened(self) -> Store:
        return Store.open(self._path, KEY, keep=EVER, zone=BERLIN)

    def _begin(self) -> None:
        """A new worker."""
        self._amounts, self._number = Amounts(), 0
        self._arrival = self.now
        self._inspector = Inspector(SERIES, False, self.now, rate=5.0)
        ours, theirs = wall.pair()
        theirs.setblocking(False)
        self._ours, self._theirs = wall.Channel(ours, wall.Up), wall.Channel(theirs, wall.Down)
        self._inspector.inspect(wall.Ready(5.0, 300, 300, "litert", "cpu"), self.now)

    def tick(self, seconds: float, happened: Iterable[Event] = (), parts: Iterable[Event] = ()) -> None:
        """So long, in which this happened."""
        self._amounts.add([Happening(series, bin) for series, bin in happened])
        self._amounts.add([Happening(series, bin, 5) for series, bin in parts])
        self._send(seconds)

    def _send(self, seconds: float) -> None:
        start, self.now, self._number = self.now, self.now + seconds, self._number + 1
        entry = Entry(seconds, seconds, 1.0, 1.0, seconds) if seconds else Entry()
        told = self._amounts.taken() if seconds else ()
        seen = math.ceil(seconds)
        tick = wall.Tick(
            self._number, start, self.now, seen, 0, seconds, 0.0, 0.0, 0.0, (entry,), amounts=told
        )
        self._theirs.send(tick)
        self._arrival = max(self._arrival + 1.0, self.now)  # no faster than the wall lets pass
        heard = self._inspector.inspect(self._ours.receive(), self._arrival)
        assert heard == tick
        self._aggregator.add("gate", heard, Coverage(5 * seconds, seen, seconds), self.reading())

    def reading(self) -> Reading:
        """The clocks now."""
        return Reading(self.now, 0.0, OFFSET, self._good, "this boot")

    def commit(self) -> None:
        """What is due."""
        self._store.write(self._aggregator.due(self.reading()), {"gate": SERIES}, self.reading())

    def another_worker(self) -> None:
        """It is told to stop, and tells what it still has."""
        while self._amounts.waiting:
            self._send(1 / 64)
        self._ours.close()
        self._theirs.close()
        self._begin()

    def another_daemon(self) -> None:
        """It stops, worker and all, and begins again on what it stored."""
        self.another_worker()
        self._store.write(self._aggregator.flush(), {"gate": SERIES}, self.reading())
        self._store.close()
        self._store, self._aggregator = self._opened(), Aggregator(60)

    def learn_the_time(self) -> None:
        """From now on the clock is right."""
        self._good = True

    def end(self) -> Store:
        """Everything is committed."""
        self.another_daemon()
        return self._store


def true_counts(events: Iterable[Event]) -> dict[int, Counter[int]]:
    found: dict[int, Counter[int]] = {}
    for series, bin in events:
        found.setdefault(series, Counter())[bin] += 1
    return found


def stored(store: Store, step: float) -> dict[int, Counter[int]]:
    found: dict[int, Counter[int]] = {}
    for row in store.report(0.0, 4e9, step):
        if row.counts:
            found.setdefault(SERIES.index(row.series), Counter()).update(row.counts)
    return found


STEPS = (60.0, 3600.0, 86400.0, math.inf)
EVENTS = st.one_of(
    st.tuples(st.sampled_from([IN, OUT]), st.just(0)),
    st.tuples(st.just(DWELL), st.floats(0.0, 1e6).map(bin_of)),
)
DEEDS = st.one_of(
    st.sampled_from(["commit", "commit", "another_worker", "another_daemon", "learn_the_time"]),
    st.tuples(
        st.sampled_from([0, 1, 16, 47, 64, 64, 64, 200]),  # 64ths of a second
        st.lists(EVENTS, max_size=12),
    ),
    st.integers(1, 30),  # minutes in which nothing happens
)


@given(st.lists(DEEDS, max_size=40), st.booleans(), st.integers(0, 3600 * 64))
@settings(max_examples=60, deadline=None)
def test_each_event_is_counted_once_in_every_resolution(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[Any], good: bool, offset: int
) -> None:
    chain = Chain(tmp_path_factory.mktemp("counted") / "edged.db", LATE_EVENING - 1000 + offset / 64, good)
    happened: list[Event] = []
    for deed in deeds:
        match deed:
            case str():
                getattr(chain, deed)()
            case int():
                for _ in range(4):
                    chain.tick(deed * 15.0)
            case (span, events):
                chain.tick(span / 64, events)
                happened += events
    chain.learn_the_time()
    chain.tick(1.0)
    with chain.end() as store:
        for step in STEPS:
            assert stored(store, step) == true_counts(happened)


def test_a_day_of_crossings_is_the_true_number_exactly(tmp_path: Path) -> None:
    """Committed each minute, with restarts of either side in the middle of it, the first minutes undated."""
    chance, happened = random.Random(25), list[Event]()
    chain = Chain(tmp_path / "edged.db", LATE_EVENING - 1000 + 1 / 64, good=False)
    for number in range(86_400 // 4):  # of four seconds: a tick a second would say no more
        busy = number // 600 % 3
        events = [
            (chance.choice((IN, IN, OUT)), 0)
            if chance.random() < 0.7
            else (DWELL, bin_of(chance.random() * 90))
            for _ in range(chance.choice((0, 0, 0, 1, 1, 3, 20)) if busy else 0)
        ]
        chain.tick(chance.choice((4.0, 4.0, 3.984375, 4.015625)), events)
        happened += events
        if number == 40:
            chain.learn_the_time()
        if number % 15 == 0:
            chain.commit()
        if chance.random() < 0.001:
            chain.another_worker()
        if chance.random() < 0.0005:
            chain.another_daemon()
    true = true_counts(happened)
    with chain.end() as store:
        for step in STEPS:
            assert stored(store, step) == true
        answer = report.answer(store, report.Question(everything=True), BERLIN, chain.now + OFFSET)
    counted = [one for one in answer["series"] if one["measure"] != "occupancy"]
    told = {one["zone"]: sum(row["count"] for row in one["rows"]) for one in counted}
    assert told == {SERIES[place].zone: sum(counts.values()) for place, counts in true.items()}
    assert sum(told.values()) > 50_000


# --- what a tick may tell


def test_what_is_too_much_for_one_tick_comes_with_the_next() -> None:
    waiting = Amounts()
    waiting.add(
        [Happening(IN, 0, 20), Happening(DWELL, 9, 3), Happening(DWELL, 4), Happening(OUT, MISSED, 7)]
    )
    told = [waiting.taken() for _ in range(4)]
    assert told[0] == (Amount(IN, 8), Amount(OUT, 4, MISSED), Amount(DWELL, 2, 9))
    assert told[1] == (Amount(IN, 8), Amount(OUT, 2, MISSED), Amount(DWELL, 1, 4), Amount(DWELL, 1, 9))
    assert told[2] == (Amount(IN, 4), Amount(OUT, 1, MISSED))
    assert told[3] == () and not waiting.waiting


def test_nobody_waits_for_ever() -> None:
    """More amounts than a tick holds, and always new ones: each is told in its turn."""
    waiting, told = Amounts(), Counter[int]()
    for _ in range(10):
        waiting.add([Happening(series) for series in range(200)])
        for one in waiting.taken():
            told[one.series] += one.count
    assert min(told[series] for series in range(200)) >= 4


def test_estimates_take_turns_and_all_of_them_is_told() -> None:
    waiting, told = Amounts(), Counter[tuple[int, int]]()
    wanted = {(series, bin): 5 + 3 * series for series in range(3) for bin in (MISSED, DOUBTFUL)}
    waiting.add([Happening(series, bin, times) for (series, bin), times in wanted.items()])
    for _ in range(10):
        some = waiting.taken()
        assert len(some) <= 2
        told.update({(one.series, one.bin): one.count for one in some})
    assert told == wanted


def test_less_than_an_event_is_worth_no_tick_of_its_own() -> None:
    waiting = Amounts()
    waiting.add([Happening(1, MISSED, 15)])
    assert not waiting.waiting
    waiting.add([Happening(1, MISSED)])
    assert waiting.waiting


@given(st.lists(st.tuples(EVENTS, st.integers(1, 30)), max_size=40))
def test_all_that_a_worker_tells_passes(events: list[tuple[Event, int]]) -> None:
    waiting = Amounts()
    waiting.add([Happening(series, bin, times) for (series, bin), times in events])
    number = 0
    while waiting.waiting:
        told = waiting.taken()
        check_amounts(told, SERIES)
        number += sum(one.count for one in told)
    assert number == sum(times for _, times in events)


# --- what a report tells of it


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Three minutes: something, nothing, blind. Then a minute of other series."""
    with Store.open(tmp_path / "edged.db", KEY, keep=EVER, zone=BERLIN) as opened:
        seen, entry = Coverage(300.0, 300, 60.0), (Entry(60.0, 60.0, 0.0, 2.0, 90.0),)
        happened = (
            Amount(IN, 7),
            Amount(IN, 8, MISSED),
            Amount(IN, 16, DOUBTFUL),
            Amount(1, 96, MISSED),
            Amount(1, 48, DOUBTFUL),
            Amount(DWELL, 3, bin_of(10.0)),
            Amount(DWELL, 1, bin_of(40.0)),
        )
        buckets = [
            Bucket("gate", LATE_EVENING, 60, entry, seen, amounts=happened),
            Bucket("gate", LATE_EVENING + 60, 60, entry, seen),
            Bucket("gate", LATE_EVENING + 120, 60, (), Coverage(300.0, blind=60.0)),
        ]
        reading = Reading(LATE_EVENING + 300.0, 0.0, 0.0, True, "this boot")
        opened.write(buckets, {"gate": SERIES}, reading)
        later = Bucket("gate", LATE_EVENING + 180, 60, entry, seen, amounts=(Amount(0, 2),))
        others = (Series("gate", "crossings", "bicycle", "gate:in", "crossings"), SERIES[1])
        opened.write([later], {"gate": others}, reading)
        yield opened


def rows_of(store: Store, **question: Any) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    asked = report.Question(start=LATE_EVENING, to=LATE_EVENING + 240, every=60.0, **question)
    answer = report.answer(store, asked, BERLIN, LATE_EVENING + 300.0)
    return {(one["measure"], one["label"], one["zone"]): one["rows"] for one in answer["series"]}


def test_nothing_is_zero_and_not_looked_is_no_row(store: Store) -> None:
    rows = rows_of(store)["crossings", "person", "gate:in"]
    assert [(row["start"][14:16], row["count"]) for row in rows] == [("00", 7), ("01", 0)]
    assert [row["per_hour"] for row in rows] == [420.0, 0.0]
    assert [row["seconds"] for row in rows] == [60.0, 60.0]


def test_what_was_not_asked_for_then_was_not_counted_as_nothing(store: Store) -> None:
    (row,) = rows_of(store)["crossings", "bicycle", "gate:in"]
    assert (row["start"][14:16], row["count"]) == ("03", 2)
    assert [row["count"] for row in rows_of(store)["crossings", "person", "gate:out"]] == [0, 0]


def test_the_interval_has_what_was_missed_and_what_is_doubtful(store: Store) -> None:
    first, nothing = rows_of(store)["crossings", "person", "gate:in"]
    assert (first["missed"], first["doubtful"]) == (0.5, 1.0)
    assert (first["low"], first["high"]) == (4, 9)
    assert (nothing["low"], nothing["high"]) == (0, 0)


def test_a_mean_has_an_interval_too(store: Store) -> None:
    first, second, third = rows_of(store)["occupancy", "person", ""]
    assert (first["missed"], first["doubtful"]) == (6.0, 3.0)
    square = 1.96**2 / 300
    spread = math.sqrt(square * 0.5 + square**2 / 4) + square / 2
    wanted = 1.0 - spread - 1.25 * 0.05, 1.0 + spread + 1.25 * 0.1
    assert (first["low"], first["high"]) == pytest.approx(wanted, rel=1e-5)
    assert (second["low"], second["high"]) == pytest.approx((1.0 - spread, 1.0 + spread), rel=1e-5)
    assert third["mean"] == 1.0


@given(st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=30), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_share_of_all_lies_up_to_its_quantile_and_not_below(numbers: list[float], share: float) -> None:
    bins = Counter(map(bin_of, numbers))
    told = bin_of(quantile(bins, share))
    assert sum(bins[one] for one in bins if one <= told) >= share * len(numbers) - 1e-9
    assert sum(bins[one] for one in bins if one < told) < share * len(numbers)


def test_a_duration_has_a_distribution(store: Store) -> None:
    first, nothing = rows_of(store)["dwell", "person", "hall"]
    assert (first["n"], first["count"], nothing["n"]) == (4, 4, 0)
    assert first["mean"] == pytest.approx(17.5, rel=0.044)
    assert (first["p10"], first["p50"], first["p90"]) == pytest.approx((10.0, 10.0, 40.0), rel=0.044)
    assert first["bins"] == {str(bin_of(10.0)): 3, str(bin_of(40.0)): 1}
    assert (nothing["mean"], nothing["p50"]) == (None, None)


def test_a_line_means_both_its_ways(store: Store) -> None:
    named = {zone for _, _, zone in rows_of(store, zones=("gate",))}
    assert named == {"gate:in", "gate:out"}
    assert {zone for _, _, zone in rows_of(store, zones=("gate:out",))} == {"gate:out"}
    assert rows_of(store, zones=("gat",)) == {}
    assert {measure for measure, *_ in rows_of(store, measures=("dwell",))} == {"dwell"}


def test_bins_are_no_series_to_who_asks(store: Store) -> None:
    assert [one.measure for one in store.series()] == ["crossings"] * 3 + ["dwell", "occupancy"]
    assert store.facts().series == 5


def test_nothing_is_written_of_what_did_not_happen(store: Store) -> None:
    """A minute without an event: its valued series, its coverage, and that it was looked."""
    rows = store._database.rows(
        "SELECT measure, label FROM minute JOIN series ON id = key & 65535 WHERE key >> 16 = ? ORDER BY id",
        (LATE_EVENING + 60,),
    )
    assert sorted(rows) == [
        ("coverage", "analysed"),
        ("coverage", "counting"),
        ("coverage", "expected"),
        ("coverage", "observed"),
        ("occupancy", "person"),
    ]


def test_plots_tables_and_csv_tell_it(store: Store) -> None:
    asked = report.Question(start=LATE_EVENING, to=LATE_EVENING + 240, every=60.0)
    answer = report.answer(store, asked, BERLIN, LATE_EVENING + 300.0)
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(plots.lines(answer, 80)))
    assert "crossings person gate:in  7 in all (4 to 9)  210 an hour" in text
    assert "dwell person in hall  4 in all  120 an hour  mean 17.37 s  half up to 9.93 s" in text
    assert re.search(r"occupancy person  mean 1.00 \(0.9\d to 1.\d+\)", text)
    table = list(csv_lines(answer))
    names = table[0].split(",")
    row = dict(
        zip(names, next(one for one in table if "gate:in" in one and "person" in one).split(","), strict=True)
    )
    assert (row["count"], row["low"], row["high"], row["mean"], row["p50"]) == ("7", "4", "9", "", "")
    (dwell,) = (one for one in answer["series"] if one["measure"] == "dwell")
    assert slots.heads(dwell) == ["count", "95 %", "half up to"]
    cells = [slots.cells_of(one, dwell) for one in dwell["rows"]]
    assert cells == [["4", "4 to 4", "9.93 s"], ["0", "0 to 0", ""]]
    assert slots.cells_of(None, dwell) == ["-", "", ""]


@given(st.lists(st.integers(0, 100_000), max_size=40))
def test_numbers_of_a_set_are_told_in_short(numbers: list[int]) -> None:
    assert schema.told_numbers(schema.numbers_told(numbers)) == sorted(set(numbers))


def test_numbers_in_a_row_are_told_by_their_ends() -> None:
    assert schema.numbers_told([3, 4, 5, 9]) == "3-5 9"


def test_where_names_were_lost_new_ones_get_numbers_that_nobody_had(tmp_path: Path) -> None:
    """A salvaged store may lack a series: its number is not given to another."""
    reading = Reading(LATE_EVENING + 300.0, 0.0, 0.0, True, "this boot")
    entry = (Entry(60.0, 60.0, 0.0, 2.0, 90.0),)
    happened = Bucket("gate", LATE_EVENING, 60, entry, Coverage(300.0, 300, 60.0), amounts=(Amount(IN, 1),))
    with Store.open(tmp_path / "edged.db", KEY, keep=EVER, zone=BERLIN) as opened:
        opened.write([happened], {"gate": SERIES}, reading)
        with opened._database.transaction():
            opened._database.write("DELETE FROM series WHERE label = 'person' AND zone = 'gate:out'")
    with Store.open(tmp_path / "edged.db", KEY, keep=EVER, zone=BERLIN) as opened:
        opened.write([happened], {"gate": (*SERIES, Series("gate", "visits", "dog", "", "visits"))}, reading)
        named = {
            one.series.zone or one.series.measure: one.events
            for one in opened.report(0.0, 4e9, 60.0)
            if one.counts is not None
        }
        assert named == {"gate:in": 2, "gate:out": 0, "hall": 0, "visits": 0}


def test_a_reader_sees_names_that_came_after_it_opened(tmp_path: Path) -> None:
    reading = Reading(LATE_EVENING + 300.0, 0.0, 0.0, True, "this boot")
    with Store.open(tmp_path / "edged.db", KEY, keep=EVER, zone=BERLIN) as opened:
        opened.write([], {}, reading)
        with Store.open(tmp_path / "edged.db", KEY, zone=BERLIN, read_only=True) as reader:
            assert list(reader.report(0.0, 4e9, 60.0)) == []
            seen = Coverage(300.0, 300, 60.0)
            for number, zone in enumerate(("hall", "yard"), 1):
                series = (Series("gate", "visits", "", zone, "visits"),)
                one = Bucket("gate", LATE_EVENING, 60, (), seen, amounts=(Amount(0, number),))
                opened.write([one], {"gate": series}, reading)
                found = {row.series.zone: row.events for row in reader.report(0.0, 4e9, 60.0)}
                assert found == {"hall": 1, "yard": 2} if number == 2 else {"hall": 1}
