"""What a budget is spent on: the best rung, shares by weight, switches that are worth it."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.board.simulated import SPECS, SimulatedBoard
from edged.board.simulated.weather import steady
from edged.governor import ladder, policy, steering
from edged.governor.ladder import Rung, Want

#: Names, quality, seconds a frame by threads: a Pi 4's.
MODELS = (
    ("dear", 32.7, {1: 0.858, 4: 0.331}),
    ("fair", 25.7, {1: 0.344, 4: 0.122}),
    ("cheap", 22.4, {1: 0.168, 4: 0.057}),
)


def want(**more) -> Want:
    return Want(**{"rungs": ladder.variants(MODELS), "rate": 5.0, "prefer": "accuracy"} | more)


budgets_of_cores = st.just(0.0) | st.floats(1e-6, 8.0)

wants = st.builds(
    lambda rungs, rate, least, prefer: Want(rungs=tuple(rungs), rate=rate, least_rate=least, prefer=prefer),
    st.lists(
        st.builds(
            lambda threads, latency, quality: Rung("a", threads, threads * latency, latency, quality),
            st.integers(1, 4),
            st.floats(0.001, 5.0),
            st.floats(0.1, 1.0),
        ),
        min_size=1,
        max_size=6,
    ),
    st.floats(0.1, 60.0),
    st.just(0.0) | st.floats(0.01, 10.0),
    st.sampled_from(["accuracy", "rate"]),
)


def test_variants_are_models_at_each_number_of_threads() -> None:
    rungs = ladder.variants(MODELS)
    assert len(rungs) == 6
    assert rungs[1] == Rung("dear", 4, 4 * 0.331, 0.331, 1.0)
    assert rungs[-1].quality == pytest.approx(22.4 / 32.7)


@settings(deadline=None)
@given(wants, budgets_of_cores)
def test_the_best_is_affordable_and_none_is_better(one: Want, cores: float) -> None:
    rung, worth = ladder.best(one, cores)
    rate = ladder.affordable(one, rung, cores)
    assert rate * one.rungs[rung].cost <= cores * (1.0 + 1e-9)
    assert rate <= one.rate
    assert 0.0 <= worth <= 1.0 + 1e-9
    for other in range(len(one.rungs)):
        assert ladder.utility(one, other, ladder.affordable(one, other, cores)) <= worth + 1e-6


@settings(deadline=None)
@given(wants, budgets_of_cores, st.floats(0.0, 2.0))
def test_more_cores_are_never_worth_less(one: Want, cores: float, more: float) -> None:
    assert ladder.best(one, cores + more)[1] >= ladder.best(one, cores)[1] - 1e-6


@settings(deadline=None)
@given(wants)
def test_the_floor_affords_what_is_least(one: Want) -> None:
    _, worth = ladder.best(one, ladder.floor(one) * 1.000001)
    assert worth > 0.0


def test_preferences_differ() -> None:
    few = 1.5
    accurate = ladder.best(want(), few)[0]
    quick = ladder.best(want(prefer="rate"), few)[0]
    rungs = want().rungs
    assert rungs[accurate].quality > rungs[quick].quality
    assert rungs[accurate].cost > rungs[quick].cost


def test_least_rate_rules_out_what_cannot_reach_it() -> None:
    """Two frames a second, with a core: the dear one reaches 1.2, so it is not for choice."""
    one = want(least_rate=2.0)
    assert one.rungs[ladder.best(one, 1.0)[0]].model != "dear"
    assert ladder.affordable(one, 0, 1.0) == 0.0
    assert ladder.best(one, 0.1)[1] == 0.0  # nothing reaches it: paused


def test_a_least_rate_that_nothing_reaches_is_what_the_fastest_reaches() -> None:
    one = want(least_rate=100.0, rate=100.0)
    assert ladder.least(one) == pytest.approx(ladder.SATURATION / 0.057)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(wants, st.floats(0.1, 5.0)), min_size=1),
    st.floats(0, 8),
)
def test_shares_are_fair_and_none_is_wasted(given_wants, cores: float) -> None:
    many = {name: msgspec.structs.replace(one, weight=weight) for name, (one, weight) in given_wants.items()}
    share = ladder.shared(many, cores)
    needs = {name: ladder.appetite(one) for name, one in many.items()}
    assert sum(share.values()) == pytest.approx(min(cores, sum(needs.values())), abs=1e-6)
    for name, other in itertools.permutations(many, 2):
        hungry = share[name] < needs[name] - 1e-6
        assert not hungry or share[name] / many[name].weight >= share[other] / many[other].weight - 1e-6


def test_weights_and_leftovers() -> None:
    many = {"a": want(weight=2.0), "b": want(weight=1.0), "small": want(rungs=want().rungs[-2:-1], rate=1.0)}
    share = ladder.shared(many, 2.0)
    assert share["small"] == pytest.approx(0.168)
    assert share["a"] == pytest.approx(2.0 * share["b"])


def steered(one: Want, budgets) -> list[steering.Course]:
    course, courses = None, []
    for second, cores in enumerate(budgets):
        time = float(second)
        course = (
            steering.begun(one, cores, time) if course is None else steering.steered(course, one, cores, time)
        )
        courses.append(course)
    return courses


def switches(courses: list[steering.Course]) -> list[float]:
    return [after.time for before, after in itertools.pairwise(courses) if before.rung != after.rung]


def busiest_hour(times: list[float]) -> int:
    return max((sum(first <= one < first + 3600.0 for one in times) for first in times), default=0)


@settings(deadline=None, max_examples=40)
@given(wants, st.lists(budgets_of_cores, min_size=1, max_size=200))
def test_a_course_never_costs_more_than_it_may(one: Want, budgets: list[float]) -> None:
    for cores, course in zip(budgets, steered(one, budgets), strict=True):
        assert course.rate * one.rungs[course.rung].cost <= cores * (1.0 + 1e-6)
        assert course.paused or course.rate >= ladder.least(one) * (1.0 - 1e-9)
        assert course.rate <= one.rate


@pytest.mark.parametrize("period", [20, 120, 700, 1900, 3700])
def test_a_budget_that_swings_does_not_make_it_flap(period: int) -> None:
    budgets = [2.5 if second // period % 2 else 0.4 for second in range(5 * 3600)]
    assert busiest_hour(switches(steered(want(), budgets))) <= 4


def test_rates_fall_at_once_and_rise_in_steps() -> None:
    courses = steered(want(), [2.0] * 10 + [1.0] * 10 + [2.0] * 60)
    assert courses[10].rate < 0.6 * courses[9].rate
    raised = [after.time for before, after in itertools.pairwise(courses) if after.rate > before.rate]
    assert all(after - before >= steering.UP_AFTER for before, after in itertools.pairwise(raised))
    assert courses[-1].rate > courses[11].rate


def test_paused_is_the_last_rung_and_is_left_with_some_room() -> None:
    one = want(least_rate=1.0)
    floor = ladder.floor(one)
    courses = steered(one, [2.0] * 60 + [0.9 * floor] * 300 + [1.1 * floor] * 120 + [2.0 * floor] * 120)
    assert not courses[59].paused
    assert one.rungs[courses[60].rung].cost * courses[60].rate <= 0.9 * floor
    assert courses[359].paused
    assert courses[479].paused  # a little more is not enough to come back
    assert courses[-1].rate >= 1.0


def test_a_cost_that_was_wrong_is_mended() -> None:
    """The dear model turns out to be ten times as dear: a cheaper one, within minutes, and once."""
    one = want(prefer="rate")
    slow = tuple(
        msgspec.structs.replace(rung, cost=rung.cost * 10, latency=rung.latency * 10)
        if rung.model == "cheap"
        else rung
        for rung in one.rungs
    )
    courses = steered(one, [2.0] * 1900)
    course, before = courses[-1], courses[-1].rung
    assert one.rungs[before].model == "cheap"
    mended, changes = msgspec.structs.replace(one, rungs=slow), 0
    for second in range(1900, 5000):
        after = steering.steered(course, mended, 2.0, float(second))
        changes, course = changes + (after.rung != course.rung), after
    assert mended.rungs[course.rung].model == "fair"
    assert changes <= 2


@pytest.mark.parametrize("prefer", ["accuracy", "rate"])
def test_no_limit_at_all_is_a_budget_like_others(prefer) -> None:
    one = want(prefer=prefer)
    courses = steered(one, [math.inf] * 10 + [0.5] * 120 + [math.inf] * 3000)
    best = ladder.best(one, math.inf)[0]
    assert courses[5].rung == courses[-1].rung == best
    assert courses[5].rate == courses[-1].rate == ladder.ceiling(one, best)
    assert courses[129].rate * one.rungs[courses[129].rung].cost <= 0.5


def test_a_shorter_ladder_is_another_ladder() -> None:
    course = steered(want(prefer="rate"), [2.0] * 10)[-1]
    short = want(rungs=want().rungs[:1])
    assert steering.steered(course, short, 2.0, 10.0).rung == 0


@pytest.mark.parametrize("prefer", ["accuracy", "rate"])
@pytest.mark.parametrize("air", [10.0, 22.0, 32.0, 40.0, 45.0])
@pytest.mark.parametrize("name", ["pi3b+", "pi4-bare", "pi5-bare", "zero2w"])
def test_four_switches_an_hour_in_steady_weather_at_most(name: str, air: float, prefer) -> None:
    spec = SPECS[name]
    times = {n: (one, quality) for n, quality, one in MODELS}
    models = [(n, q, {t: s / spec.speed for t, s in one.items()}) for n, (one, q) in times.items()]
    one = Want(rungs=ladder.variants(models), rate=5.0, prefer=prefer)
    board = SimulatedBoard(spec, steady(air), noise=1.0, delay=2)
    limits = policy.Limits(floor=ladder.floor(one) / 4)
    state, course, changes = policy.begun(0.0), None, []
    for second in range(2400):
        state, budget = policy.decided(state, board.vitals(), limits)
        cores, time = 4 * budget.load, float(second)
        after = (
            steering.begun(one, cores, time) if course is None else steering.steered(course, one, cores, time)
        )
        if course is not None and after.rung != course.rung:
            changes.append(time)
        course = after
        board.advance(course.rate * one.rungs[course.rung].cost / 4)
        assert board.temperature <= 78.5
    assert len(changes) <= 3
    assert math.isfinite(course.sustained)
