"""Who goes with whom ends, whatever it is asked: what a hostile model gives becomes gains."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.worker.track import Tracker
from edged.worker.track.assignment import assigned, cheapest

ANY = st.sampled_from([np.nan, np.inf, -np.inf, 3.4e38, 1e308, -1e308, 5e-324, 0.0, 1.0]) | st.floats()


@pytest.fixture(autouse=True)
def ending() -> Iterator[None]:
    """What hangs fails."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it does not end"))
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 5))
def test_each_row_has_a_column_of_its_own_whatever_it_costs(
    data: st.DataObject, rows: int, columns: int
) -> None:
    row = st.lists(ANY, min_size=columns, max_size=columns)
    costs = data.draw(st.lists(row, min_size=rows, max_size=rows))
    if rows > columns:
        with pytest.raises(ValueError, match="cannot have a column each"):
            cheapest(costs)
        return
    chosen = cheapest(costs)
    assert len(set(chosen)) == rows and set(chosen) <= set(range(columns))
    pairs = assigned(np.array(costs))
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


@pytest.mark.parametrize("bad", [np.inf, np.nan, -np.inf, 3.4e38, 1e308])
def test_none_that_is_no_number_keeps_it_going(bad: float) -> None:
    for gain in ([[bad, bad], [bad, bad]], [[bad, 1.0], [1.0, bad]], [[bad, 1.0], [bad, 1.0]]):
        assert len(assigned(np.array(gain))) <= 2
        assert sorted(cheapest([[min(0.0, -one) for one in row] for row in gain])) == [0, 1]


def test_what_is_infinitely_dear_is_not_taken_where_there_is_another() -> None:
    for first, second in product((np.inf, np.nan), (np.inf, np.nan)):
        assert cheapest([[first, 1.0], [1.0, second]]) == [1, 0]


@pytest.mark.parametrize("score", [1e3, 1e17, 3.4e38, np.inf, np.nan])
def test_a_score_that_is_none_keeps_no_tracker_going(score: float) -> None:
    boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.12, 0.12, 0.42, 0.42], [0.5, 0.5, 0.9, 0.9]], np.float32)
    tracker = Tracker()
    for step in range(4):
        tracker.update(step * 0.2, boxes + np.float32(step * 1e-3), ["person"] * 3, np.full(3, score))
