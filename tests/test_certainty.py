"""How sure a worker is: what one track says of what nobody saw; values against tracks; a small share of the
benchmark: intervals from the worker's own estimates hold the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from followed import Watched, every

from benchmarks.accuracy import calibration, certainty
from benchmarks.accuracy.scenes import APART, Scene
from benchmarks.requirement import REQUIREMENTS
from edged import interval
from edged.amounts import DOUBTFUL, MISSED, PARTS
from edged.config.shape import Line, Measure
from edged.worker.measure import evidence
from edged.worker.measure.geometry import Rope, Yard
from edged.worker.measure.person import Person
from edged.worker.track import Track

ROPES = {"gate": Rope(((0.5, 1.0), (0.5, 0.0)))}
YARDS = {
    "left": Yard(((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))),
    "right": Yard(((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0))),
}
GATE = {"gate": Line(points=((0.5, 1.0), (0.5, 0.0)))}


def track(
    x: float, at: float, speed: float = 0.0, hits: int = 9, chances: int = 9, score: float = 0.8
) -> Track:
    box = (0.5, x - 0.05, 0.8, x + 0.05)
    about = (1, "person", box, (speed, 0.0), True, 0.0, at, hits, chances, score, score)
    return Track(*about, *[True] * (len(Track._fields) - len(about)))


def person(first: float, last: float, speed: float) -> Person:
    """Somebody who was seen from ``first`` to ``last`` (x), going at ``speed`` pictures a second."""
    made = Person(track(first, 0.0, speed), ROPES, YARDS)
    at = abs(last - first) / abs(speed) if speed else 5.0
    made.moved(track(last, at, speed), ROPES, YARDS)
    made.steps.append((made.place, at, *made.steps[0][2:]))
    return made


def shares(made: Person, beat: float = 0.2) -> dict[int, float]:
    return {one.way: one.share for one in evidence.unseen_ways(made, ROPES, beat)}


# --- one track


def test_who_begins_beyond_a_line_and_leaves_it_has_crossed_it_perhaps() -> None:
    (way, near), *others = shares(person(0.52, 0.8, 0.2)).items()
    assert (way, others) == (1, [])
    assert near == pytest.approx(evidence.BORN, abs=0.1)
    assert shares(person(0.7, 0.8, 0.2))[1] < near / 2.0
    assert shares(person(0.7, 0.8, 0.2), beat=1.0)[1] > shares(person(0.7, 0.8, 0.2))[1]


def test_who_is_lost_before_a_line_has_crossed_it_perhaps() -> None:
    near, far = shares(person(0.9, 0.52, -0.2)), shares(person(0.9, 0.7, -0.2))
    assert set(near) == set(far) == {-1}
    assert near[-1] > far[-1] == pytest.approx(evidence.LOST_FAR, abs=0.1)


@pytest.mark.parametrize(("first", "last", "speed"), [(0.1, 0.9, 0.2), (0.9, 0.1, -0.2), (0.7, 0.7, 0.0)])
def test_who_was_seen_on_both_sides_or_stands_has_crossed_nothing_unseen(
    first: float, last: float, speed: float
) -> None:
    assert shares(person(first, last, speed)) == {}


def test_zones_on_the_way_are_told_in_order() -> None:
    (before,) = evidence.zones_before(person(0.5, 0.8, 0.2), YARDS, 0.2)
    (after,) = evidence.zones_after(person(0.2, 0.5, 0.2), YARDS, 0.2)
    assert (before[0], after[0]) == ("left", "right")
    assert 0.0 < after[1] < before[1] < 1.0


def test_who_is_fast_for_the_rate_is_missed_without_a_trace() -> None:
    slow, fast = (evidence.traceless(track(0.5, 1.0, speed), 1.0, 1.0) for speed in (0.05, 0.3))
    assert evidence.TRACELESS < slow < 0.02
    assert fast > 0.1
    assert evidence.traceless(track(0.5, 1.0, 0.3), 1.0, 0.1) < 0.02
    assert evidence.traceless(track(0.5, 1.0, 0.3), 0.5, 1.0) > 2.0 * fast
    assert evidence.traceless(track(0.5, 1.0, 0.3), 1.0, 1.0, length=0.5) > 2.0 * fast


def test_what_is_faint_flickers_or_dithers_may_be_nothing() -> None:
    clear = evidence.none(track(0.5, 1.0, 0.3), on_the_line=False)
    assert clear < 0.02
    for doubtful in (
        evidence.none(track(0.5, 1.0, 0.3), on_the_line=True),
        evidence.none(track(0.5, 1.0, 0.3, hits=5), on_the_line=False),
        evidence.none(track(0.5, 1.0, 0.3, score=0.4), on_the_line=False),
        evidence.none(track(0.5, 1.0, 0.0), on_the_line=False),
    ):
        assert 2.0 * clear < doubtful < 0.5


def test_a_throng_hides_more_of_those_who_come() -> None:
    alone, many = evidence.Throng(), evidence.Throng()
    assert alone.merged(0.0, 1.0) == 0.0
    sparse = sum(alone.merged(60.0 * number, 1.0) for number in range(1, 11))
    dense = sum(many.merged(3.0 * number, 1.0) for number in range(200)) / 20.0
    assert dense > 5.0 * sparse


# --- values against tracks


def test_a_value_below_its_tracks_has_missed_somebody() -> None:
    measures = (Measure(kind="occupancy"), Measure(kind="presence"))
    seen = [("person", 0.9, 0.3, 0.8, 0.4), ("person", 0.9, 0.7, 0.8, 0.4)]
    weak = [seen[0], ("person", 0.3, 0.7, 0.8, 0.4)]
    watched = Watched(*measures).run(lambda at: seen if at % 10.0 < 5.0 else weak, every(0.2, 0.0, 99.9))
    assert watched.bins("occupancy")[MISSED] / PARTS == pytest.approx(50.0, abs=5.0)
    assert MISSED not in watched.bins("presence")  # somebody was there all the time


def test_a_value_above_its_tracks_has_made_somebody_up() -> None:
    flicker = [("person", 0.9, 0.3, 0.8, 0.4)]
    watched = Watched(Measure(kind="presence")).run(
        lambda at: flicker if round(at / 0.2) % 25 == 0 else [], every(0.2, 0.0, 500.0)
    )
    assert watched.bins("presence")[DOUBTFUL] / PARTS >= 2.0
    assert MISSED not in watched.bins("presence")


def test_presence_does_not_change_who_is_followed() -> None:
    """Cars that only presence asks for are nobody's crossing: the tracks are of people, as without it."""
    lone = Watched(Measure(kind="crossings", labels=("person",)), lines=GATE)
    both = Watched(
        Measure(kind="crossings", labels=("person",)),
        Measure(kind="presence", labels=("car",)),
        lines=GATE,
    )
    script = lambda at: [(kind, 0.8, 0.05 + 0.09 * at, 0.8, 0.3) for kind in ("person", "car")]  # noqa: E731
    for watched in (lone, both):
        watched.run(script, every(0.2, 0.0, 9.9)).stop(10.0)
    assert lone.told == both.told == {"crossings/person/gate:in": 1}
    assert both.values[[one.measure for one in both.series].index("presence")] == 1.0


# --- a small share of the benchmark


@pytest.fixture(scope="module")
def cells() -> list[certainty.Cell]:
    scenes = [
        Scene("busy", pace, "usual", seed, 120.0) for pace, seed in (("2fps", APART[0]), ("swing", APART[1]))
    ]
    return [cell for scene in scenes for cell in certainty.cells(scene)]


def test_intervals_hold_the_truth_and_say_something(cells: Sequence[certainty.Cell]) -> None:
    row = certainty.judged(cells)
    assert row.cells > 40
    assert row.held >= 0.9
    assert row.width < 1.0
    assert {cell.series.measure for cell in cells} == set(certainty.MEASURES)


def test_it_is_the_worker_s_estimates_that_make_them_hold(cells: Sequence[certainty.Cell]) -> None:
    means = [cell for cell in cells if cell.series.measure in ("occupancy", "presence")]
    held = 0
    for cell in means:
        bare = certainty.Said(cell.told, 0.0, 0.0, 0.0)
        low, high = certainty.bounds(cell.series, bare, 240, 120.0)
        held += low <= cell.true <= high
    assert held < len(means) / 2.0 < sum(cell.held for cell in means)


def test_what_is_held_against_a_requirement_is_measured(cells: Sequence[certainty.Cell]) -> None:
    found = dict(certainty.figures(cells))
    wanted = {key for key in REQUIREMENTS if key.startswith("interval.")}
    assert {key for key in wanted if key.endswith(("2fps", "swing"))} <= set(found)
    assert all(f"interval.width_{key.rpartition('_')[2]}" in found for key in wanted & set(found))


def test_the_fit_finds_what_it_was_drawn_from() -> None:
    dice = np.random.default_rng(1)
    after = dice.uniform(0.0, 8.0, 4000)
    hit = dice.random(4000) < 0.7 * np.exp(-after / 2.0) + 0.04
    share, scale, far = calibration._falling(
        list(zip(after.tolist(), hit.tolist(), strict=True)), calibration.FARS
    )
    assert (share, scale) == (pytest.approx(0.7, abs=0.06), 2.0)
    assert far in (0.02, 0.04, 0.08)
    about = np.stack([np.ones(4000), dice.standard_normal(4000)], axis=1)
    false = dice.random(4000) < 1.0 / (1.0 + np.exp(2.0 - 1.5 * about[:, 1]))
    assert calibration._logistic(about, false) == pytest.approx([-2.0, 1.5], abs=0.2)


def test_a_rate_that_is_too_low_says_so() -> None:
    assert interval.of_count(0, 0.0, 0.0, 70, 140.0) == (0, 4)
    low, high = interval.of_count(3, 0.375, 0.0, 140, 140.0)
    assert (low, high) == (3, 5)
