"""How far a number may be off: the intervals hold the truth as often as they say, of what is played here."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import interval

HOUR = 3600.0
FRAMES = 5 * HOUR


def drawn(mean: float, chance: random.Random) -> int:
    """A Poisson variate (Knuth's way), also of a large mean."""
    number = 0
    while mean > 0.0:
        step = min(mean, 50.0)
        mean, left = mean - step, math.exp(-step)
        product = chance.random()
        while product > left:
            number, product = number + 1, product * chance.random()
    return number


@pytest.mark.parametrize(
    ("mean", "most"), [(0.0, 0), (0.02, 0), (0.03, 1), (1.0, 3), (10.0, 17), (100.0, 120)]
)
def test_quantiles_are_those_of_poissons_tables(mean: float, most: int) -> None:
    assert interval.most(mean) == most


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e3))
def test_more_is_never_less_sure(mean: float, more: float) -> None:
    assert interval.most(mean) <= interval.most(mean + more)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("hourly", "noticed", "false"),
    [(0.5, 0.9, 0.0), (12.0, 0.95, 0.02), (12.0, 0.6, 0.0), (300.0, 0.9, 0.05), (2000.0, 0.98, 0.01)],
)
def test_the_truth_is_within_as_often_as_is_said(
    hourly: float, noticed: float, false: float, seed: int
) -> None:
    """Each event is noticed or not; of those counted some are none; both are estimated as the worker does."""
    chance, within, hours = random.Random(seed), 0, 400
    for _ in range(hours):
        true = drawn(hourly, chance)
        seen = sum(chance.random() < noticed for _ in range(true))
        wrong = drawn(hourly * false, chance)
        missed, doubtful = (seen + wrong) * (1.0 / noticed - 1.0), float(wrong)
        low, high = interval.of_count(seen + wrong, missed, doubtful, FRAMES, HOUR)
        assert 0 <= low <= seen + wrong <= high
        within += low <= true <= high
    # Where hardly anything happens, what is missed leaves nothing to estimate it by.
    assert within / hours >= (0.93 if hourly >= 1.0 else 0.9)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("frames", [60, 300, 3600])
def test_a_mean_of_looks_is_as_sure_as_is_said(frames: int, seed: int) -> None:
    chance, within, times = random.Random(seed), 0, 400
    for _ in range(times):
        looks = [float(drawn(0.8, chance)) for _ in range(frames)]
        mean = sum(looks) / frames
        stddev = math.sqrt(max(0.0, sum(one * one for one in looks) / frames - mean * mean))
        low, high = interval.of_mean(mean, stddev, 0.0, 0.0, frames, HOUR)
        within += low <= 0.8 <= high
    assert within / times >= 0.91


@pytest.mark.parametrize("frames", [2, 8, 60, 3600])
def test_looks_that_were_all_alike_leave_something_open(frames: int) -> None:
    low, high = interval.of_mean(1.0, 0.0, 0.0, 0.0, frames, HOUR)
    assert low == pytest.approx(1.0 - 3.84 / frames, rel=1e-3)
    assert high == pytest.approx(1.0 + 3.84 / frames, rel=1e-3)
    low, high = interval.of_mean(1.0, 0.0, 0.0, 0.0, frames, HOUR, "share")
    assert (low, high) == (pytest.approx(frames / (frames + 3.84), rel=1e-3), pytest.approx(1.0))
    assert interval.of_mean(20.0, 0.0, 0.0, 0.0, frames, HOUR, "°C") == (20.0, 20.0)


@pytest.mark.parametrize("frames", [20, 100, 500])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_share_of_looks_is_as_sure_as_is_said(frames: int, share: float) -> None:
    chance, within, times = random.Random(3), 0, 400
    for _ in range(times):
        seen = sum(chance.random() < share for _ in range(frames)) / frames
        low, high = interval.of_mean(seen, 0.0, 0.0, 0.0, frames, HOUR, "share")
        within += low <= share <= high
    assert within / times >= 0.91


@pytest.mark.parametrize("frames", [0, 1])
@pytest.mark.parametrize("unit", ["count", "share", "°C"])
def test_one_look_says_nothing_of_a_mean(frames: int, unit: str) -> None:
    ends = interval.of_mean(1.0, 0.0, 0.0, 0.0, frames, HOUR, unit)
    assert all(math.isnan(interval.possible(end, unit)) for end in ends)


def test_estimates_are_not_sure_themselves() -> None:
    low, high = interval.of_mean(1.0, 0.0, 720.0, 360.0, 1e9, HOUR)
    assert (low, high) == (pytest.approx(1.0 - 0.125), pytest.approx(1.0 + 0.25))
    low, high = interval.of_count(10_000, 1_000.0, 0.0, FRAMES, HOUR)
    assert high - 10_000 > 1_000 + 250


def test_who_looks_once_a_minute_cannot_say_that_nobody_came() -> None:
    assert interval.of_count(0, 0.0, 0.0, FRAMES, HOUR) == (0, 0)
    assert interval.of_count(0, 0.0, 0.0, 3600, HOUR) == (0, 0)
    assert interval.of_count(0, 0.0, 0.0, 1800, HOUR) == (0, 4)
    low, high = interval.of_count(0, 0.0, 0.0, 60, HOUR)
    assert (low, high) == (0, 177)  # a rule of three: 3.7 of 1/60 are 222


def test_nothing_is_sure_of_no_time() -> None:
    assert interval.of_count(3, 0.0, 0.0, 0, 0.0) == (0, 3 + interval.most(3.0))


@pytest.mark.parametrize(
    ("mean", "unit", "possible"),
    [
        (-0.1, "count", 0.0),
        (1.2, "share", 1.0),
        (-0.1, "fraction", 0.0),
        (-5.0, "°C", -5.0),
        (7.0, "count", 7.0),
    ],
)
def test_a_mean_is_one_that_can_be(mean: float, unit: str, possible: float) -> None:
    assert interval.possible(mean, unit) == possible
