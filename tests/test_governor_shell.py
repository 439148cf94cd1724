"""The governor's shell: what frames cost is learnt, the local day, what is asked for, what is told."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from edged.board.vitals import Vitals
from edged.config.shape import Config, Model, Pipeline, Synthetic, V4l2
from edged.governor import policy, profile, quiet, wants
from edged.governor.costs import CONVINCED, Book, Cost, Way, guess, learnt, measured
from edged.governor.governor import Governor
from edged.governor.narrator import Deed, Narrator, because, turned
from edged.governor.policy import Budget
from edged.supervise import Keeper
from edged.wall import Tick

ONE, FOUR, CHEAP = Way(0, 1), Way(0, 4), Way(1, 1)
BIG, SMALL = Model(file="/m/big.tflite", threads=4), Model(file="/m/small.tflite")


def tick(analysed: int = 5, infer: float = 0.1, cpu: float = 0.6, threads: int = 1) -> Tick:
    return Tick(1, 0.0, 1.0, analysed, 0, 1.0, 0.0, infer, 0.01, (), 0, threads, cpu)


# --- what a frame costs


def test_a_frame_costs_what_the_process_took_for_it() -> None:
    assert measured(tick(cpu=0.5), 1.0) == Cost(0.1, pytest.approx(0.11))


def test_a_camera_that_runs_on_is_no_frame_s_cost() -> None:
    """A tenth of the frames, and the decoder of all: without a bound each frame would cost ten times more,
    so that fewer still were allowed.
    """
    few = measured(tick(analysed=1, cpu=0.9), 1.0)
    assert few is not None and few.work == pytest.approx(0.11)


def test_costs_are_told_at_full_clock() -> None:
    slow, full = measured(tick(), 0.5), measured(tick(), 1.0)
    assert slow is not None and full is not None
    assert slow.latency == pytest.approx(full.latency / 2) and slow.work == pytest.approx(full.work / 2)


@pytest.mark.parametrize("empty", [tick(analysed=0), tick(infer=-0.01)])
def test_a_tick_without_frames_says_nothing(empty: Tick) -> None:
    assert measured(empty, 1.0) is None


def test_one_wild_tick_moves_little_and_many_are_believed() -> None:
    known: Cost | None = None
    for _ in range(60):
        known = learnt(known, Cost(0.1, 0.1))
    once = learnt(known, Cost(10.0, 10.0))
    assert once.work < 0.103
    for _ in range(CONVINCED + 1):
        once = learnt(once, Cost(1.0, 1.0))
    assert once.work == 1.0


def test_what_never_ran_is_guessed_from_what_did() -> None:
    book = Book({ONE: False, FOUR: False, CHEAP: False})
    assert book.cost(ONE) == guess(ONE)
    book.learn(ONE, Cost(1.0, 1.0))
    ratio = 1.0 / guess(ONE).work
    assert book.cost(FOUR).latency == pytest.approx(guess(FOUR).latency * ratio)
    assert book.cost(CHEAP).work == pytest.approx(guess(CHEAP).work * ratio)


def test_a_profile_comes_before_a_guess() -> None:
    book = Book({ONE: False, CHEAP: False}, {CHEAP: Cost(0.03, 0.03)})
    assert book.cost(CHEAP) == Cost(0.03, 0.03) and book.cost(ONE) == guess(ONE)


def test_what_tune_measured_reaches_the_ladder() -> None:
    """By a rung's name and file: of another file by that name nothing is known."""
    nobody: Any = None
    costs = (profile.Cost("big", "a.tflite", 2, 0.8, 0.4), profile.Cost("small", "old.tflite", 1, 0.1, 0.1))
    pipeline = Pipeline(source=Synthetic(), model="big", ladder=("small",))
    models = Model(file="a.tflite", threads=2), Model(file="b.tflite")
    keeper = Keeper(nobody, nobody, "street", pipeline, models, ())
    governor = Governor(nobody, [keeper], nobody, Config(pipelines={"street": pipeline}))
    assert governor._measured(keeper) == {}
    governor._profile = profile.Profile(edged="1", measured="", board="x", cores=4, costs=costs)
    assert governor._measured(keeper) == {Way(0, 2): Cost(0.8, 0.4)}


def test_plans_stand_still_while_a_cost_wavers() -> None:
    book = Book({ONE: False})
    book.learn(ONE, Cost(0.1, 0.1))
    used = book.cost(ONE)
    for at in range(100):
        book.learn(ONE, Cost(0.1 * (1.05 if at % 2 else 0.95), 0.1))
        assert book.cost(ONE) is used
    for _ in range(200):
        book.learn(ONE, Cost(0.15, 0.15))
    assert book.cost(ONE).work == pytest.approx(0.15, rel=0.07)


# --- the local day


@pytest.mark.parametrize(
    ("time", "spans", "within"),
    [
        ("21:59", ("22:00-06:00",), ""),
        ("22:00", ("22:00-06:00",), "22:00-06:00"),
        ("00:00", ("22:00-06:00",), "22:00-06:00"),
        ("05:59", ("22:00-06:00",), "22:00-06:00"),
        ("06:00", ("22:00-06:00",), ""),
        ("12:30", ("12:00-13:00", "22:00-06:00"), "12:00-13:00"),
        ("13:00", ("12:00-13:00",), ""),
        ("23:59", ("12:00-00:00",), "12:00-00:00"),
        ("12:00", (), ""),
    ],
)
def test_quiet_hours(time: str, spans: tuple[str, ...], within: str) -> None:
    now = datetime.datetime.fromisoformat(f"2026-07-01T{time}:00+02:00")
    assert quiet.within(now, spans) == within


def test_how_much_of_the_day_is_over() -> None:
    assert quiet.over(datetime.datetime(2026, 7, 1, 18, 0)) == 0.75


# --- what is asked for


def test_a_ladder_is_its_models_with_so_many_threads() -> None:
    pipeline = Pipeline(source=V4l2(), model="big", ladder=("small",))
    assert list(wants.ways(pipeline, (BIG, SMALL), cores=4)) == [
        *(Way(0, threads) for threads in (1, 2, 3, 4)),
        Way(1, 1),
    ]
    assert Way(0, 3) not in wants.ways(pipeline, (BIG, SMALL), cores=2)


def test_a_recording_keeps_its_model_and_its_threads() -> None:
    pipeline = Pipeline(source=Synthetic(pace="fast"), model="big", ladder=("small",), least_rate=3.0)
    ways = wants.ways(pipeline, (BIG, SMALL), cores=4)
    assert list(ways) == [Way(0, 4)]
    want = wants.want(pipeline, (BIG, SMALL), Book(ways), tuple(ways))
    assert want.rate == pytest.approx(wants.SATURATION / guess(FOUR).latency) and not want.least_rate


@pytest.mark.parametrize(("rate", "fps", "asked"), [(5.0, 30.0, 5.0), (5.0, 2.0, 2.0), (0.0, 2.0, 2.0)])
def test_no_more_is_asked_for_than_the_source_has(rate: float, fps: float, asked: float) -> None:
    pipeline = Pipeline(source=V4l2(), model="big", rate=rate, least_rate=4.0)
    want = wants.want(pipeline, (BIG,), Book({ONE: False}), (ONE,), fps)
    assert want.rate == asked and want.least_rate == min(4.0, asked)


def test_qualities_are_the_owner_s_only_where_all_are_named() -> None:
    named = [Model(file="/a", quality=33.0), Model(file="/b", quality=22.0)]
    assert wants.qualities(named) == [33.0, 22.0]
    assert wants.qualities([named[0], Model(file="/b")]) == [1.0, wants.STEP]


# --- what is told


class Told(list[tuple[str, str]]):
    def __call__(self, event: str, text: str, pipeline: str = "", **fields: Any) -> None:
        assert pipeline == "gate"
        self.append((event, text))


def deed(share: float, model: str = "big") -> Deed:
    return Deed(share, 10.0 * share, model)


def test_each_turn_is_told_once_with_its_reason() -> None:
    told = Told()
    narrator = Narrator("gate", "big", 10.0, told)
    hot = "71.8 °C and rising, 40 s to 78 °C"
    steps = [(1.0, "big"), (0.6, "big"), (0.6, "big"), (0.6, "small"), (0.0, "small"), (0.0, "small")]
    for now, (share, model) in enumerate([*steps, (0.5, "small"), (1.0, "small")]):
        narrator.hear(100.0 * now, deed(share, model), hot)
    assert told == [
        ("throttled", f"{hot}: 10 fps -> 6 fps"),
        ("rung-changed", f"{hot}: big -> small"),
        ("paused", hot),
        ("resumed", "5 fps"),
        ("eased", "5 fps -> 10 fps"),
    ]


def test_slower_than_was_thought_is_no_deed_of_the_governor() -> None:
    told = Told()
    narrator = Narrator("gate", "big", 10.0, told)
    narrator.hear(100.0, deed(0.3), "")
    assert told == []
    narrator.hear(200.0, deed(0.3), "warm")
    assert told == [("throttled", "warm: 10 fps -> 3 fps")]


def test_a_rate_that_glides_for_a_day_is_told_seldom() -> None:
    told = Told()
    narrator = Narrator("gate", "big", 10.0, told)
    for second in range(86_400):
        narrator.hear(float(second), deed(0.7 + 0.1 * math.sin(second / 20.0)), "warm")
    assert 0 < len(told) <= 4


@pytest.mark.parametrize(
    ("told", "now", "seconds", "word"),
    [
        (1.0, 0.79, 0.0, "throttled"),
        (1.0, 0.9, 1e9, ""),
        (0.5, 0.3, 1.0, ""),
        (0.5, 0.3, 20.0, "throttled"),
        (0.5, 0.65, 20.0, ""),
        (0.5, 0.65, 90.0, "eased"),
        (0.9, 1.0, 0.0, "eased"),
        (0.0, 0.0, 1e9, ""),
    ],
)
def test_what_is_news(told: float, now: float, seconds: float, word: str) -> None:
    assert turned(deed(told), deed(now), seconds) == word


@pytest.mark.parametrize(
    ("told", "now", "word"),
    [
        (Deed(0.9, 18.8, "big"), Deed(0.6, 18.8, "big"), ""),
        (Deed(0.6, 18.8, "big"), Deed(0.9, 18.8, "big"), ""),
        (Deed(0.9, 18.8, "big"), Deed(0.9, 9.0, "big"), "throttled"),
        (Deed(0.9, 9.0, "big"), Deed(0.9, 18.8, "big"), "eased"),
        (Deed(1.0, 30.0, "big"), Deed(0.9, 18.0, "big"), ""),
        (Deed(1.0, 10.0, "big"), Deed(0.7, 21.0, "big"), ""),
        (Deed(0.9, 18.8, "big", True), Deed(0.6, 18.8, "big", True), "throttled"),
    ],
)
def test_news_is_what_a_rate_becomes_not_what_share_it_is(told: Deed, now: Deed, word: str) -> None:
    """What a rung can do is learnt meanwhile: 18.8 -> 18.8 fps tells nobody anything."""
    assert turned(told, now, 90.0) == word


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(0.5, "heat", seconds=40.0, rising=3.0), "71.8 °C and rising, 40 s to 78 °C"),
        (Budget(0.5, "heat", rising=-3.0), "71.8 °C and falling, kept under 78 °C"),
        (
            Budget(0.5, "heat", seconds=0.0, temperature=79.3),
            "71.8 °C, far from the 79.3 °C that were expected",
        ),
        (Budget(0.1, "blind", blind="the sensor is frozen"), "the sensor is frozen, and blind means hot"),
        (Budget(0.1, "battery"), "the battery is at 31 %"),
        (Budget(1.0), ""),
    ],
)
def test_reasons_are_for_people(budget: Budget, said: str) -> None:
    vitals = Vitals(time=0.0, temperature=71.8, charge=0.31)
    assert because(policy.begun(0.0), vitals, budget, 78.0) == said
