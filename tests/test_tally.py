"""What is counted gets into the store under the series that it was counted as, whatever a reload changes
meanwhile and however long the store cannot be written.
"""

from __future__ import annotations

import datetime
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged import rounding
from edged import tally as tallying
from edged.clock import Clock, Reading
from edged.config.shape import File, Keep, Measure, Model, Pipeline, Source, Synthetic, V4l2
from edged.errors import StoreError
from edged.nouns import Amount, Coverage, Entry, Series
from edged.reactor import Reactor
from edged.series import series_of, valued
from edged.store import Store
from edged.supervise import Keeper
from edged.tally import Tally
from edged.today import Today
from edged.view import View
from edged.wall import Directive, Ready, Tick

FOREVER = Keep(second=0.0, minute=float("inf"), hour=float("inf"), day=float("inf"))
LIVE = V4l2()
#: What a pipeline may be asked for: one series, another one, several.
MEASURES = (
    (Measure(kind="occupancy", labels=("person",)),),
    (Measure(kind="occupancy", labels=("car",)),),
    (Measure(kind="occupancy", labels=("person", "dog")), Measure(kind="occupancy")),
    (Measure(kind="visits", labels=("person",)), Measure(kind="occupancy", labels=("person",))),
)


class Fickle(Store):
    """The real store, on a card that can be full."""

    full = False

    def write(
        self, buckets: Any, series: Mapping[str, tuple[Series, ...]], reading: Any, ladders: Any
    ) -> None:
        if self.full:
            raise StoreError("there is no room on the disk")
        super().write(buckets, series, reading, ladders)


@dataclass
class Books:
    """A tally, its store, and beside them what was told to it."""

    tally: Tally
    store: Fickle
    reactor: Reactor
    notes: list[str]
    told: dict[Series, list[float]] = field(default_factory=dict)
    keepers: dict[str, Keeper] = field(default_factory=dict)
    #: Stamps of pipelines whose seconds all come after each other.
    now: float = 0.0

    def keeper(self, name: str, measures: tuple[Measure, ...], source: Source = LIVE) -> Keeper:
        pipeline = Pipeline(source=source, measures=measures)
        heard: Any = None
        return Keeper(self.reactor, heard, name, pipeline, (Model(file="x"),), series_of(name, pipeline))

    def come(self, keeper: Keeper) -> None:
        """As the roster does it: the one before leaves when it has told its last, then this one starts."""
        before = self.keepers.get(keeper.name)
        self.keepers[keeper.name] = keeper
        if before is not None:
            self.tally.left(before, keeper)
        self.tally.came(keeper)

    def leave(self, name: str) -> None:
        self.tally.left(self.keepers.pop(name), None)

    def tick(self, name: str, value: int, start: float | None = None) -> None:
        """A second in which the first series was ``value``, the next ``value + 1`` ...; what is counted
        happened so often.
        """
        keeper = self.keepers[name]
        if start is None:
            start, self.now = self.now, self.now + 1.0
        values = [float(value + place) for place in range(len(keeper.series))]
        held = valued(keeper.series)
        entries = tuple(Entry(1.0, one, one, one, one * one) for one in (values[place] for place in held))
        told = tuple(
            Amount(place, int(one)) for place, one in enumerate(values) if place not in held and one > 0
        )
        tick = Tick(1, start, start + 1.0, 5, 0, 1.0, 0.0, 0.01, 0.0, entries, amounts=told)
        self.tally.count(keeper, tick)
        for series, one in zip(keeper.series, values, strict=True):
            self.told.setdefault(series, []).append(one)

    def kept(self) -> dict[Series, tuple[float, float]]:
        """Seconds and sum of each series in the store."""
        found: dict[Series, tuple[float, float]] = {}
        for row in self.store.report(0.0, 4e9, 3600.0):
            seconds, total = found.get(row.series, (0.0, 0.0))
            more = row.mean * row.seconds if row.counts is None else row.events
            found[row.series] = (seconds + row.seconds, total + more)
        return found

    def check(self) -> None:
        """Nothing is lost, nothing is another's."""
        kept = self.kept()
        assert set(kept) == set(self.told)
        for series, values in self.told.items():
            assert kept[series] == pytest.approx((len(values), sum(values)), abs=0.02), series


@contextmanager
def books(keep: Keep = FOREVER, zone: datetime.tzinfo = datetime.UTC) -> Iterator[Books]:
    with tempfile.TemporaryDirectory() as folder:
        reactor, notes = Reactor(), list[str]()
        tally = Tally(reactor, lambda event, *_, **__: notes.append(event), keep, 60.0)
        with Fickle.open(Path(folder) / "edged.db", bytes(32), keep=keep, zone=zone) as store:
            one = Books(tally, store, reactor, notes, now=time.monotonic() + 10.0)
            tally.open(store, Clock("always"), one.keepers.values())
            yield one
        reactor.close()


def test_a_bucket_that_began_under_other_series_stays_theirs() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 3)
        one.come(one.keeper("gate", MEASURES[2]))
        one.tick("gate", 7)
        one.tally.close()
        one.check()
        assert one.kept()[Series("gate", "occupancy", "person", "", "count")] == pytest.approx((2.0, 10.0))


def test_what_waits_for_a_full_card_keeps_its_series_through_reloads() -> None:
    with books() as one:
        one.store.full = True
        for value, measures in enumerate([*MEASURES, *MEASURES]):
            one.come(one.keeper("gate", measures))
            one.tick("gate", value)
            one.tally._commit_and_plan()
        assert one.notes.count("store-behind") == 1
        one.store.full = False
        one.tally._commit_and_plan()
        assert one.notes.count("store-caught-up") == 1
        one.tally.close()
        one.check()


def test_a_removed_pipeline_is_committed_and_one_that_comes_back_begins_anew() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 3)
        one.leave("gate")
        assert "gate" not in one.tally.covered
        one.now += 600.0
        one.come(one.keeper("gate", MEASURES[1]))
        one.tick("gate", 5)
        one.tally.close()
        one.check()
        (coverage,) = one.store.coverage(0.0, 4e9)
        assert coverage.coverage.observed == pytest.approx(2.0, abs=0.01)


def test_a_pipeline_that_is_changed_is_blind_until_its_next_worker_looks() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 3)
        one.now += 2.5
        one.come(one.keeper("gate", MEASURES[1]))
        one.tick("gate", 3)
        one.tally.close()
        (coverage,) = one.store.coverage(0.0, 4e9)
        assert coverage.coverage.blind == pytest.approx(10.0 + 2.5, abs=0.2)


@pytest.mark.parametrize("silent", [0.0, 0.1])
def test_who_tells_their_last_at_once_was_not_blind_at_the_end(silent: float) -> None:
    """Ticks end at whole 64ths of a second; whoever was silent before the end was blind all the same."""
    for _ in range(10):  # wherever in its 64th the end begins
        with books() as one:
            one.come(one.keeper("gate", MEASURES[0]))
            time.sleep(max(silent, 2 * rounding.GRAIN))
            one.tally.stop()
            at = rounding.earlier(time.monotonic()) - silent
            one.tick("gate", 3, at - 1.0)
            one.tally.close()
            blind = sum(row.coverage.blind for row in one.store.coverage(0.0, 4e9))
        assert blind == pytest.approx(silent, abs=2 * rounding.GRAIN if silent else 0.0)


LADDER = tuple(Model(file=name, threads=2) for name in "abc")


def directed(*directives: tuple[float, Directive], source: Source = LIVE, fps: float = 30.0) -> Keeper:
    """A keeper of a pipeline of 5 fps that was directed at these times; no worker is needed for that."""
    nobody: Any = None
    keeper = Keeper(nobody, nobody, "gate", Pipeline(source=source), LADDER, ())
    keeper.ready = Ready(fps, 96, 96, "litert", "cpu")
    for at, directive in directives:
        keeper.directions.want(directive, at)
    return keeper


def covered(
    keeper: Keeper, start: float = 100.0, end: float = 101.0, observed: float = 1.0, **health: Any
) -> Coverage:
    """What the daemon makes of one tick."""
    health = {"blind": 0.0, "rung": 0} | health
    tick = Tick(1, start, end, 5, 0, observed, health["blind"], 0.01, 0.0, (), health["rung"])
    return tallying._coverage(keeper, tick)


def test_what_another_ladder_saw_keeps_the_names_of_its_models() -> None:
    """A reload gives the pipeline another ladder and the same series: rung 1 is another model then."""
    with books() as one:
        for ladder in (("big", "small"), ("big", "tiny")):
            keeper = one.keeper("gate", MEASURES[0])
            pipeline = msgspec.structs.replace(keeper.pipeline, model=ladder[0], ladder=ladder[1:])
            heard: Any = None
            one.come(Keeper(one.reactor, heard, "gate", pipeline, LADDER[:2], keeper.series))
            for rung in (0, 1):
                tick = Tick(
                    1, one.now, one.now + 1.0, 5, 0, 1.0, 0.0, 0.01, 0.0, (Entry(1.0, 1, 1, 1, 1),), rung
                )
                one.now += 1.0
                one.tally.count(one.keepers["gate"], tick)
        one.tally.close()
        ran: dict[str, float] = {}
        for row in one.store.coverage(0.0, 4e9):
            for its in row.ran:
                ran[its.model] = ran.get(its.model, 0.0) + its.seconds
        assert {name: round(seconds, 1) for name, seconds in ran.items()} == {
            "big": 2.0,
            "small": 1.0,
            "tiny": 1.0,
        }


def test_what_a_pipeline_saw_is_summed_since_it_came() -> None:
    """For `edged status`: frames and seconds, the time before its first tick blind."""
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 3)
        one.now += 2.0
        one.tick("gate", 3)
        total = one.tally.covered["gate"]
        assert (total.analysed, total.observed) == (10, 2.0)
        assert total.blind == pytest.approx(10.0 + 2.0, abs=0.2)
        one.leave("gate")
        one.come(one.keeper("gate", MEASURES[0]))
        assert one.tally.covered["gate"] == Coverage()


def test_what_was_asked_for_is_neither_throttled_nor_paused() -> None:
    assert covered(directed()) == Coverage(5.0, 5, 1.0)
    assert covered(directed((99.0, Directive(5.0, threads=1)))) == Coverage(5.0, 5, 1.0)


@pytest.mark.parametrize("directive", [Directive(2.5), Directive(5.0, rung=1)])
def test_less_than_was_asked_for_is_throttled_from_its_moment_on(directive: Directive) -> None:
    found = covered(directed((100.25, directive)))
    assert (found.throttled, found.paused) == (pytest.approx(0.75), 0.0)


def test_several_directives_within_a_tick_each_count_for_their_time() -> None:
    keeper = directed(
        (100.1, Directive(2.0)), (100.3, Directive(5.0)), (100.6, Directive(5.0, paused=True)),
        (100.9, Directive(5.0, rung=2)),
    )  # fmt: skip
    found = covered(keeper, observed=0.5)
    assert found.throttled == pytest.approx(0.2 + 0.1)
    assert found.paused == pytest.approx(0.3)
    assert found.observed + found.paused + found.blind == pytest.approx(1.0)


def test_a_tick_forgets_what_was_over_before_it_and_no_more() -> None:
    keeper = directed((90.0, Directive(1.0)), (95.0, Directive(5.0)), (100.5, Directive(2.0)))
    assert covered(keeper).throttled == pytest.approx(0.5)
    assert covered(keeper, 101.0, 102.0).throttled == pytest.approx(1.0)


def test_a_rate_above_what_the_source_has_is_no_less() -> None:
    assert covered(directed((90.0, Directive(2.5)), fps=2.0)).throttled == 0.0
    assert covered(directed((90.0, Directive(4.9999)))).throttled == 0.0, "rounded"


def test_time_that_a_worker_leaves_out_is_paused_only_if_it_was_told_to() -> None:
    assert covered(directed(), observed=0.25).blind == pytest.approx(0.75)
    paused = directed((90.0, Directive(5.0, paused=True)))
    assert covered(paused, observed=0.25) == Coverage(5.0, 5, 0.25, 0.0, 0.75)
    assert covered(paused, observed=1.0).paused == 0.0, "it had not heard of it yet"
    assert covered(paused, observed=0.0, blind=1.0).paused == 0.0


def test_coverage_says_which_rung_saw() -> None:
    keeper = directed((90.0, Directive(5.0, rung=2)))
    assert covered(keeper, rung=2, observed=0.5, blind=0.5).rungs == (0.0, 0.0, 0.5)
    assert covered(keeper, rung=0).rungs == ()


def test_a_recording_that_pauses_stands_still() -> None:
    clip = Synthetic(pace="fast")
    keeper = directed((0.5, Directive(5.0, paused=True)), source=clip)
    assert covered(keeper, 0.0, 1.0) == Coverage(5.0, 5, 1.0)
    assert covered(directed((0.5, Directive(5.0, rung=1)), source=clip), 0.0, 1.0).throttled == 1.0


seconds = st.floats(0.0, 10.0, allow_nan=False)


@given(st.lists(st.tuples(seconds, st.booleans(), st.sampled_from((0.0, 1.0, 5.0)))), seconds, seconds)
def test_every_second_of_a_tick_is_accounted_for_once(
    told: list[tuple[float, bool, float]], observed: float, blind: float
) -> None:
    span = observed + blind + 1.0
    keeper = directed(*((100.0 + at, Directive(rate, paused=paused)) for at, paused, rate in sorted(told)))
    found = covered(keeper, 100.0, 100.0 + span, observed=observed, blind=blind)
    assert found.observed + found.paused + found.blind == pytest.approx(span, abs=1e-3)
    assert 0.0 <= found.throttled <= span + 1e-9


def test_another_recording_has_a_clock_of_its_own() -> None:
    clips = [File(path=f"/{name}.mp4", pace="fast", start="2020-01-01T00:00:00Z") for name in "ab"]
    with books() as one:
        one.come(one.keeper("clip", MEASURES[0], clips[0]))
        for second in range(500):
            one.tick("clip", 1, start=float(second))
        one.come(one.keeper("clip", MEASURES[1], clips[1]))
        for second in range(500):
            one.tick("clip", 2, start=float(second))
        one.tally.close()
        one.check()


def test_the_same_recording_that_is_begun_anew_is_not_counted_twice() -> None:
    scene = Synthetic(pace="fast", start="2020-01-01T00:00:00Z")
    with books() as one:
        one.come(one.keeper("clip", MEASURES[0], scene))
        for second in range(100):
            one.tick("clip", 1, start=float(second))
        one.come(one.keeper("clip", MEASURES[0], scene))
        one.told.clear()
        for second in range(150):
            one.tick("clip", 1, start=float(second))
        one.tally.close()
        one.check()


def test_a_recording_that_becomes_a_camera_counts_on_with_the_machines_clock() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0], Synthetic(pace="fast", start="2020-01-01T00:00:00Z")))
        one.tick("gate", 1, start=0.0)
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 2)
        one.tally.close()
        one.check()


def test_too_much_is_dropped_from_the_oldest_batch_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "MOST_UNWRITTEN", 3)
    with books() as one:
        one.store.full = True
        for value in range(6):
            one.come(one.keeper("gate", MEASURES[value % 2]))
            one.tick("gate", value)
            one.now += 60.0
        one.tally._commit_and_plan()
        assert one.tally.pending == 4 and "buckets-lost" in one.notes, "three that wait, one that is filled"
        one.store.full = False
        one.tally.close()
        seconds, totals = zip(*one.kept().values(), strict=True)
        newest = int(sum(seconds) + 0.5)
        assert 1 < newest < 6 and sum(totals) == pytest.approx(sum(range(6)[-newest:]), abs=0.01)


def test_a_keep_that_the_store_cannot_take_now_leaves_everything_as_it_was() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.tick("gate", 3)
        one.store._database.transaction = _refusing  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            one.tally.keep(Keep(second=86400.0))
        del one.store._database.transaction
        one.tick("gate", 4)
        one.tally.close()
        one.check()


@contextmanager
def _refusing() -> Iterator[None]:
    raise StoreError("there is no room on the disk")
    yield


NAMES = ("gate", "yard")
name, value = st.sampled_from(NAMES), st.integers(0, 50)
measures = st.sampled_from(MEASURES)
second = st.sampled_from((0.0, 86400.0))


def step(word: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(word), *arguments)


STEPS = st.lists(
    st.one_of(
        step("tick", name, value),
        step("tick", name, value),
        step("tick", name, value),
        step("change", name, measures),
        step("remove", name),
        step("commit"),
        step("full", st.booleans()),
        step("keep", second),
        step("pass", st.integers(1, 200)),
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_nothing_counted_is_lost_or_anothers_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    with books() as one:
        deeds: dict[str, Callable[..., object]] = {
            "tick": lambda name, value: name in one.keepers and one.tick(name, value),
            "change": lambda name, measures: one.come(one.keeper(name, measures)),
            "remove": lambda name: name in one.keepers and one.leave(name),
            "commit": one.tally._commit_and_plan,
            "full": lambda full: setattr(one.store, "full", full),
            "keep": lambda seconds: one.tally.keep(
                Keep(second=seconds and float("inf"), minute=FOREVER.minute, hour=FOREVER.hour)
            ),
            "pass": lambda seconds: setattr(one, "now", one.now + seconds),
        }
        for word, *arguments in itertools.chain([("change", "gate", MEASURES[0])], steps):
            with suppress(StoreError):
                deeds[word](*arguments)
        one.store.full = False
        one.tally.close()
        one.check()


def test_what_was_begun_in_minutes_is_told_although_seconds_are_wanted_since() -> None:
    """The first minute of an hour, of which nothing was written yet."""
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        one.now = (time.time() // 3600 + 1) * 3600 + time.monotonic() - time.time() + 1.0
        for value in (3, 4):
            one.tick("gate", value)
        one.tally.keep(Keep(second=float("inf"), minute=FOREVER.minute, hour=FOREVER.hour))
        one.tally._commit_and_plan()
        one.check()
        for _ in range(70):
            one.tick("gate", 1)
        one.tally.close()
        one.check()


# --- today


GATE = (Series("gate", "visits", "person", "", "visits"), Series("gate", "dwell", "", "hall", "s"))


def test_today_is_what_was_stored_and_what_came_since() -> None:
    today = Today()
    today.begin("2026-03-01", {GATE[0]: 5})
    today.count("2026-03-01", GATE, (Amount(0, 2), Amount(0, 64, 254), Amount(1, 1, 9), Amount(1, 2, 10)))
    assert (today.of(GATE[0]), today.of(GATE[1])) == (7, 3)
    today.count("2026-03-02", GATE, (Amount(0, 1),))
    assert (today.of(GATE[0]), today.of(GATE[1])) == (1, 0)
    today.forget("gate")
    assert today.of(GATE[0]) == 0


def test_what_came_before_the_day_was_known_is_of_the_first_that_is() -> None:
    today = Today()
    today.count("", GATE, (Amount(0, 2),))
    today.count("2026-03-01", GATE, (Amount(0, 1),))
    today.count("", GATE, (Amount(0, 1),))
    assert today.of(GATE[0]) == 4


def test_a_daemon_that_begins_again_knows_what_was_counted_today() -> None:
    now = datetime.datetime.now(datetime.UTC)
    noon = datetime.timezone(datetime.timedelta(hours=12 - now.hour))  # somewhere it is
    with books(zone=noon) as one:
        one.now -= 60.0  # a minute that is still to come is in no report
        one.come(one.keeper("gate", MEASURES[3]))
        visits = one.keepers["gate"].series[0]
        for value in (3, 4):
            one.tick("gate", value)
        assert one.tally.today.of(visits) == 7
        one.tally.close()
        again = Tally(one.reactor, lambda *_, **__: None, FOREVER, 60.0)
        again.open(one.store, Clock("always"), (), noon)
        assert again.today.of(visits) == 7
        yesterday = Tally(one.reactor, lambda *_, **__: None, FOREVER, 60.0)
        yesterday.open(one.store, AWeekLater(), (), noon)  # type: ignore[arg-type]
        assert yesterday.today.of(visits) == 0


def test_one_that_learns_the_time_later_knows_it_then() -> None:
    """A board without a battery-backed clock begins after a power cut without knowing that there was a today:
    what it counts until then is not counted twice, nor what it commits undated.
    """
    now = datetime.datetime.now(datetime.UTC)
    noon = datetime.timezone(datetime.timedelta(hours=12 - now.hour))
    vouched: list[bool] = [False]
    clock = Clock("synchronised", vouches=lambda: vouched[0], mark=lambda: 0)
    with books(zone=noon) as one:
        one.now -= 60.0  # a minute that is still to come is in no report
        one.come(one.keeper("gate", MEASURES[3]))
        visits = one.keepers["gate"].series[0]
        one.tick("gate", 3)
        one.tally.close()
        again = one.tally = Tally(one.reactor, lambda *_, **__: None, FOREVER, 60.0)
        again.open(one.store, clock, one.keepers.values(), noon)
        one.tally.came(one.keepers["gate"])
        one.tick("gate", 4)
        again._commit(again._aggregator.flush())
        assert again.today.of(visits) == 4
        vouched[0] = True
        one.tick("gate", 5)
        for _ in range(2):
            again._commit_and_plan()
            assert again.today.of(visits) == 12


class AWeekLater(Clock):
    """As it will be in a week."""

    def __init__(self) -> None:
        super().__init__("always")

    def read(self) -> Reading:
        now = super().read()
        return msgspec.structs.replace(now, offset=now.offset + 7 * 86400.0)


# --- who sees nothing


def lost_and_back(*sights: str) -> list[str]:
    """The news of so many ticks of five seconds."""
    view, news = View(), list[str]()
    for number, sight in enumerate(sights):
        heard = view.heard(sight, 5.0 * number, 5.0 * number + 5.0)
        news += [f"{number} {heard.event} {heard.reason}"] if heard else []
    return news


def test_a_camera_that_sees_nothing_is_told_once_and_that_it_sees_again() -> None:
    assert lost_and_back("", *["dark"] * 5, *[""] * 5) == ["2 view-lost dark", "7 view-back dark"]


def test_who_walks_past_the_lens_is_no_news() -> None:
    assert lost_and_back("", "covered", "", "covered", "", "") == []
    assert lost_and_back("dark", "dark", "", "dark", "dark", "dark") == ["1 view-lost dark"]


def test_another_reason_is_news() -> None:
    told = lost_and_back("dark", "dark", "moved", "moved", "", "")
    assert told == ["1 view-lost dark", "3 view-lost moved", "5 view-back moved"]


def test_a_recording_that_begins_again_is_heard_again() -> None:
    view = View()
    assert view.heard("dark", 100.0, 101.0) is None
    assert view.heard("dark", 0.0, 5.0) is None
    assert view.heard("dark", 5.0, 10.0) is not None


def test_the_tally_tells_of_a_view_and_counts_the_time_as_blind() -> None:
    with books() as one:
        one.come(one.keeper("gate", MEASURES[0]))
        for number in range(12):
            at = one.now + number
            dark = Tick(number, at, at + 1.0, 0, 0, 0.0, 1.0, 0.0, 0.0, (Entry(),), sight="dark")
            one.tally.count(one.keepers["gate"], dark)
        assert one.notes.count("view-lost") == 1
        assert one.tally.sight("gate") == "dark"
        assert one.tally.covered["gate"].blind >= 12.0
