"""Which frames are due: a pure question of times."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from edged.worker.source.rate import Due


def picked(due: Due, times: list[float]) -> list[float]:
    return [time for time in times if due.pick(time)]


@pytest.mark.parametrize(
    ("fps", "rate"), [(30, 5), (30, 7), (29.97, 10), (25, 12), (10, 4), (15, 15), (30, 30)]
)
@pytest.mark.parametrize("jitter", [0.0, 0.004])
def test_a_device_that_jitters_gives_the_rate_all_the_same(fps, rate, jitter):
    dice = random.Random(1)
    times = [100 + n / fps + dice.uniform(-jitter, jitter) for n in range(round(60 * fps))]
    assert len(picked(Due(rate, 1 / fps), times)) == pytest.approx(60 * rate, abs=2)


def test_every_frame_is_due_at_rate_0_and_at_a_rate_above_the_streams():
    times = [n / 10 for n in range(50)]
    assert picked(Due(0.0, 0.1), times) == times
    assert picked(Due(25.0, 0.1), times) == times


def test_it_tells_how_many_were_missed():
    due = Due(10.0, 0.1)
    assert [due.pick(time) for time in (5.0, 5.1, 5.5, 5.6)] == [1, 1, 4, 1]


def test_after_a_gap_there_is_no_burst():
    due = Due(10.0, 0.01)
    due.pick(0.0)
    assert due.pick(7.0) == 70
    assert due.pick(7.05) == 0


def test_a_change_of_the_rate_counts_from_the_frame_picked_last():
    due = Due(10.0, 0.1)
    picked(due, [0.0, 0.1, 0.2])
    due.rate = 2.0
    assert picked(due, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.2]) == [0.7, 1.2]
    due.rate = 0.0
    assert picked(due, [1.3, 1.4]) == [1.3, 1.4]
    due.rate = 5.0
    assert picked(due, [1.5, 1.6, 1.7, 1.8]) == [1.6, 1.8]


def test_the_forecast_agrees_with_what_is_picked():
    due = Due(4.0, 0.1)
    times = [n / 10 for n in range(40)]
    due.pick(0.0)
    for before, time in pairwise(times):
        assert due.between(before, time) == bool(due.pick(time))
