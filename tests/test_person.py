"""One person: who goes on as whom, by place alone, and when a line is crossed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from edged.worker.measure.geometry import Rope
from edged.worker.measure.passing import Passing
from edged.worker.measure.person import Person, goes_on_as, off_the_way
from edged.worker.track import Track


def track(number: int, x: float, began: float, last: float, **others: object) -> Track:
    """One that is sure and seen, with its foot at x, 0.8."""
    box = (0.5, x - 0.05, 0.8, x + 0.05)
    plain = Track(number, "person", box, (0.0, 0.0), True, began, last, 9, 9, 0.9, 0.9, True, True)
    return plain._replace(**others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ({"x": 0.55}, True),
        ({"x": 0.62}, False),
        ({"x": 0.55, "kind": "car"}, False),
        ({"x": 0.55, "began": 3.0, "last": 3.0}, False),  # it was seen beside the other one
        ({"x": 0.06}, False),
    ],
)
def test_a_track_goes_on_where_one_of_its_kind_was_lost(new: dict[str, Any], same: bool) -> None:
    lost = Person(track(1, 0.5, 0.0, 5.0), {}, {})
    other = {"number": 2, "began": 5.5, "last": 5.5} | new
    assert goes_on_as(lost, Person(track(**other), {}, {})) == same


def test_who_comes_in_over_an_edge_is_somebody_new() -> None:
    lost = Person(track(1, 0.06, 0.0, 5.0), {}, {})
    assert not goes_on_as(lost, Person(track(2, 0.06, 5.5, 5.5), {}, {}))


@pytest.mark.parametrize(("last", "same"), [(0.96, True), (0.9, False)])
def test_who_is_found_again_at_the_edge_is_who_leaves_over_it(last: float, same: bool) -> None:
    """A track that begins there and goes on outward did not come in; one that goes inward did."""
    lost = Person(track(1, 0.7, 0.0, 5.0, velocity=(0.15, 0.0)), {}, {})
    new = Person(track(2, 0.93, 6.5, 6.5, sure=False), {}, {})
    new.moved(track(2, last, 6.5, 6.8, velocity=(0.1, 0.0)), {}, {})
    assert math.isfinite(off_the_way(lost, new)) == same


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ({"x": 0.7}, True),
        ({"x": 0.77}, True),
        ({"x": 0.9}, False),  # too far
        ({"x": 0.4}, False),  # the other way
        ({"x": 0.4, "velocity": (0.0, 0.0)}, True),  # it stopped
        ({"x": 0.88, "velocity": (0.3, 0.0)}, True),  # it goes faster now
        ({"x": 0.7, "kind": "car"}, False),
        ({"x": 0.7, "box": (0.2, 0.6, 0.8, 0.8)}, False),  # much larger
        ({"x": 0.7, "box": (0.35, 0.65, 0.65, 0.75)}, False),  # higher up
        ({"x": 0.7, "began": 4.9, "last": 4.9}, False),  # it was seen beside the other one
        ({"x": 0.95, "began": 8.0, "last": 8.0}, False),  # too late
    ],
)
def test_who_walked_is_found_again_where_its_way_leads_to(new: dict[str, Any], same: bool) -> None:
    lost = Person(track(1, 0.4, 0.0, 5.0, velocity=(0.15, 0.0)), {}, {})
    other = {"number": 2, "began": 7.0, "last": 7.0, "velocity": (0.15, 0.0)} | new
    assert math.isfinite(off_the_way(lost, Person(track(**other), {}, {}))) == same


def test_the_way_of_who_was_lost_goes_on_over_a_line() -> None:
    """Lost before the line and found behind it, by another track, is one crossing."""
    ropes = {"gate": Rope(((0.5, 1.0), (0.5, 0.0)))}
    lost = Person(track(1, 0.4, 0.0, 0.0), ropes, {})
    new = Person(track(2, 0.47, 1.0, 1.0, sure=False), ropes, {})
    for at, x in ((1.5, 0.53), (2.0, 0.6), (4.0, 0.7)):
        new.moved(track(2, x, 1.0, at, sure=False), ropes, {})
    lost.goes_on(new, ropes, {})
    assert [(name, one.way, one.doubtful) for name, one in lost.crossed] == [("gate", 1, False)]


def passed(*steps: tuple[float, float], weak: float = 99.0, stood: bool = False) -> list[int]:
    """Ways told of a foot that is at x at these times (time, x), by a line at 0.5; the end included. From
    ``weak`` on by boxes that may be doubles.
    """
    rope, passing = Rope(((0.5, 1.0), (0.5, 0.0))), Passing(steps[0][0])
    told = [passing.moved(rope, (steps[0][1], 0.8), steps[0][0], (steps[0][1], 0.8), steps[0][0], 0.02, 0.02)]
    for (before, x1), (at, x2) in itertools.pairwise(steps):
        wide = 0.04 if at >= weak else 0.02
        told.append(passing.moved(rope, (x1, 0.8), before, (x2, 0.8), at, 0.02, wide))
    return [one.way for one in (*told, *passing.ended(stood)) if one is not None]


def test_what_is_undone_at_once_was_no_crossing() -> None:
    assert passed((0.0, 0.4), (0.2, 0.6), (0.6, 0.4), (3.0, 0.4)) == []
    assert passed((0.0, 0.4), (0.2, 0.6), (1.6, 0.6), (1.8, 0.4), (5.0, 0.4)) == [1, -1]
    assert passed((0.0, 0.4), (0.2, 0.6)) == [1]


def test_a_box_that_may_be_a_double_has_to_be_farther_beyond_the_line() -> None:
    there_and_back = (0.0, 0.47), (0.2, 0.53), (2.0, 0.53), (2.2, 0.47), (5.0, 0.47)
    assert passed(*there_and_back) == [1, -1]
    assert passed(*there_and_back, weak=0.1) == []
    assert passed((0.0, 0.47), (0.2, 0.55), (2.0, 0.53), (2.2, 0.45), (5.0, 0.47), weak=0.1) == [1, -1]
    # Who comes no farther is told when it is over, or when a box that counts shows it there.
    assert passed((0.0, 0.47), (0.2, 0.53), weak=0.1, stood=True) == [1]
    assert passed((0.0, 0.47), (0.2, 0.51), weak=0.1, stood=True) == []


def test_who_lingers_on_the_line_when_found_was_there_before() -> None:
    assert passed((0.0, 0.49), (0.3, 0.6), (2.0, 0.7)) == [1]
    assert passed((0.0, 0.49), (1.5, 0.49), (2.0, 0.6), (4.0, 0.7)) == []
