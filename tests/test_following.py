"""Crossings, visits, dwell, flow, queues and speeds, of people whose ways are known."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from followed import LABELS, Thing, Watched, detections, every, of_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.amounts import DOUBTFUL, MISSED, bin_of, middle, quantile
from edged.config.shape import Line, Measure, Pipeline, Synthetic
from edged.series import series_of
from edged.worker.measure.following import Following
from edged.worker.measure.geometry import Rope, Yard
from edged.worker.source.scene import Scene
from edged.worker.track import Tracker

GATE = {"gate": Line(points=((0.5, 1.0), (0.5, 0.0)))}
DOOR, TILL = (
    ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)),
    ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)),
)
CROSSINGS = Measure(kind="crossings")
HEIGHT = 0.3


def walk(
    *corners: tuple[float, float], feet: float = 0.8, label: str = "person"
) -> Callable[[float], list[Thing]]:
    """Somebody at x by the time, straight between (time, x); gone before the first and after the last."""

    def script(at: float) -> list[Thing]:
        for (t1, x1), (t2, x2) in itertools.pairwise(corners):
            if t1 <= at <= t2:
                return [(label, 0.9, x1 + (x2 - x1) * (at - t1) / (t2 - t1), feet, HEIGHT)]
        return []

    return script


def together(*scripts: Callable[[float], Iterable[Thing]]) -> Callable[[float], list[Thing]]:
    return lambda at: [thing for script in scripts for thing in script(at)]


def ways(watched: Watched, name: str = "gate") -> tuple[int, int]:
    told = watched.told
    return tuple(
        sum(count for key, count in told.items() if key.endswith(f"{name}:{way}")) for way in ("in", "out")
    )  # type: ignore[return-value]


# --- lines


def test_right_of_a_line_that_goes_up_is_the_right_of_the_picture() -> None:
    rope = Rope(((0.5, 1.0), (0.5, 0.0)))
    assert list(rope.crossed((0.4, 0.5), (0.6, 0.5))) == [(1, pytest.approx(0.5))]
    assert list(rope.crossed((0.6, 0.5), (0.4, 0.5))) == [(-1, pytest.approx(0.5))]
    assert list(rope.crossed((0.4, 1.5), (0.6, 1.5))) == []


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=30))
def test_a_way_on_a_grid_that_meets_the_line_s_points_is_counted_as_one_that_does_not(
    steps: list[tuple[int, int]],
) -> None:
    """Frames that fall just on the line, and ways through its corner, cross as often as those a hair off."""
    rope = Rope(((0.5, 2.0), (0.5, 0.5), (0.5, -2.0)))
    way = [(x / 8, y / 8) for x, y in steps]
    net = sum(sign for a, b in itertools.pairwise(way) for sign, _ in rope.crossed(a, b))
    assert net == (way[-1][0] >= 0.5) - (way[0][0] >= 0.5)


@pytest.mark.parametrize("apart", [0.1, 0.2, 0.5, 1.0])
def test_who_walks_through_has_crossed_once(apart: float) -> None:
    there = Watched(CROSSINGS, lines=GATE).run(walk((1, 0.0), (9, 1.0)), every(apart, 0, 15))
    back = Watched(CROSSINGS, lines=GATE).run(walk((1, 1.0), (9, 0.0)), every(apart, 0, 15))
    assert (ways(there), ways(back)) == ((1, 0), (0, 1))


def test_who_turns_back_counts_back() -> None:
    watched = Watched(CROSSINGS, lines=GATE).run(walk((0, 0.1), (6, 0.8), (12, 0.1)), every(0.2, 0, 20))
    assert ways(watched) == (1, 1)


def test_who_turns_back_on_the_line_has_not_crossed() -> None:
    watched = Watched(CROSSINGS, lines=GATE).run(walk((0, 0.1), (4, 0.505), (8, 0.1)), every(0.2, 0, 15))
    assert ways(watched) == (0, 0)


def test_who_walks_around_the_line_s_end_has_not_crossed() -> None:
    half = {"gate": Line(points=((0.5, 1.0), (0.5, 0.7)))}
    watched = Watched(CROSSINGS, lines=half).run(walk((0, 0.1), (6, 0.9), feet=0.5), every(0.2, 0, 12))
    assert ways(watched) == (0, 0)
    watched = Watched(CROSSINGS, lines=half).run(walk((0, 0.1), (6, 0.9), feet=0.8), every(0.2, 0, 12))
    assert ways(watched) == (1, 0)


def trembling(
    script: Callable[[float], list[Thing]], seed: int, much: float
) -> Callable[[float], list[Thing]]:
    dice = random.Random(seed)

    def shaken(at: float) -> list[Thing]:
        return [
            (label, score, x + dice.gauss(0.0, much * h), y + dice.gauss(0.0, much * h), h)
            for label, score, x, y, h in script(at)
        ]

    return shaken


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("apart", [0.1, 0.5])
def test_who_stands_trembling_on_the_line_crosses_once(seed: int, apart: float) -> None:
    script = trembling(walk((0, 0.1), (3, 0.5), (63, 0.5), (66, 0.9)), seed, 0.03)
    assert ways(Watched(CROSSINGS, lines=GATE).run(script, every(apart, 0, 75))) == (1, 0)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(0.1, 0.9), min_size=2, max_size=8).filter(
        lambda xs: all(abs(x - 0.5) > 0.12 for x in xs)
    )
)
def test_ways_there_and_back_are_all_counted(stops: list[float]) -> None:
    times = [0.0]
    for a, b in itertools.pairwise(stops):
        times.append(times[-1] + max(1.0, abs(b - a) / 0.15))
    script = walk(*zip(times, stops, strict=True))
    watched = Watched(CROSSINGS, lines=GATE).run(script, every(0.2, 0.0, times[-1] + 5.0))
    steps = [(b > 0.5) - (a > 0.5) for a, b in itertools.pairwise(stops)]
    assert ways(watched) == (steps.count(1), steps.count(-1))


def test_who_begins_or_ends_on_the_line_is_a_doubtful_crossing() -> None:
    doubts = []
    for script in (walk((0, 0.49), (4, 0.9)), walk((0, 0.1), (4, 0.511)), walk((0, 0.1), (4, 0.9))):
        watched = Watched(CROSSINGS, lines=GATE)
        for number in range(20):
            watched.run(
                lambda at, n=number, way=script: way(at - 20.0 * n), every(0.2, 20 * number, 20 * number + 8)
            )
        assert ways(watched) == (20, 0)
        doubts.append(watched.bins("crossings").get(DOUBTFUL, 0))
    assert min(doubts[:2]) >= 16 > 3 * doubts[2]
    both = Watched(CROSSINGS, lines=GATE).run(walk((0, 0.49), (4, 0.51)), every(0.2, 0, 8))
    assert ways(both) == (0, 0)


def test_two_who_meet_on_the_line_are_two() -> None:
    script = together(walk((0, 0.05), (8, 0.95), feet=0.75), walk((0, 0.95), (8, 0.05), feet=0.9))
    assert ways(Watched(CROSSINGS, lines=GATE).run(script, every(0.2, 0, 12))) == (1, 1)


def test_labels_and_scores_are_told_apart() -> None:
    measures = (Measure(kind="crossings", labels=("person", "car")),)
    script = together(walk((0, 0.05), (8, 0.95), feet=0.9), walk((2, 0.95), (8, 0.05), feet=0.4, label="car"))
    watched = Watched(*measures, lines=GATE).run(script, every(0.2, 0, 12))
    assert watched.told == {"crossings/person/gate:in": 1, "crossings/car/gate:out": 1}
    choosy = Watched(Measure(kind="crossings", min_score=0.95), lines=GATE)
    assert ways(choosy.run(script, every(0.2, 0, 12))) == (0, 0)


def test_a_flicker_does_not_cross() -> None:
    """Two boxes, one each side of the line, that come and go."""

    def script(at: float) -> list[Thing]:
        frame = round(at * 5)
        return [("person", 0.9, 0.45 if frame % 40 else 0.55, 0.8, HEIGHT)] if frame % 20 == 0 else []

    assert ways(Watched(CROSSINGS, lines=GATE).run(script, every(0.2, 0, 60))) == (0, 0)


def test_who_is_not_found_on_the_line_has_still_crossed() -> None:
    script = walk((0, 0.05), (8, 0.95))
    hidden = lambda at: [] if 3.5 < at < 4.6 else script(at)  # noqa: E731
    assert ways(Watched(CROSSINGS, lines=GATE).run(hidden, every(0.2, 0, 12))) == (1, 0)


def test_a_switch_to_another_model_forgets_nobody() -> None:
    """The other model's labels are in another order, and more."""
    watched = Watched(Measure(kind="crossings", labels=("person",)), lines=GATE)
    script = walk((0, 0.05), (8, 0.95))
    watched.run(script, every(0.2, 0, 4))
    watched.labels = ("car", "dog", "person")
    watched.meter = watched.rung(watched.labels)
    watched.run(script, every(0.5, 4.2, 12))
    assert watched.told == {"crossings/person/gate:in": 1}


# --- zones


def test_depth_is_signed_and_knows_the_picture_s_edge() -> None:
    yard = Yard(DOOR)
    assert yard.depth((0.0, 1.0)) == pytest.approx(0.3)
    assert yard.depth((0.2, 0.5)) == pytest.approx(0.1)
    assert yard.depth((0.5, 0.5)) == pytest.approx(-0.2)
    assert yard.depth((0.1, 1.4)) == pytest.approx(0.2)  # feet below the picture's edge
    assert Yard(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))).depth((0.5, 0.5)) == math.inf


def test_visits_and_dwell_of_a_zone() -> None:
    measures = [Measure(kind=kind, zones=("door",), least_dwell=2.0) for kind in ("visits", "dwell")]
    script = walk((0, 0.9), (6, 0.2), (16, 0.2), (22, 0.9))
    passes = walk((40, 0.0), (42, 0.9))  # too fast to be a visit
    watched = Watched(*measures, zones={"door": DOOR}).run(together(script, passes), every(0.2, 0, 50))
    assert watched.told == {"visits//door": 1, "dwell//door": 1}
    # In at 0.3: 6/0.7 of the way before the stop, the same after it.
    truth = 10.0 + 2 * 6.0 * 0.1 / 0.7
    (told,) = (one for one in watched.bins("dwell") if one <= 168)
    assert middle(told) == pytest.approx(truth, rel=0.09)
    assert DOUBTFUL not in watched.bins("dwell")


@pytest.mark.parametrize("apart", [0.1, 0.2, 0.5, 1.0])
def test_dwell_does_not_depend_on_the_rate(apart: float) -> None:
    watched = Watched(Measure(kind="dwell", zones=("door",)), zones={"door": DOOR})
    watched.run(walk((0, 0.9), (6, 0.2), (16, 0.2), (22, 0.9)), every(apart, 0, 30))
    (told,) = (one for one in watched.bins("dwell") if one <= 168)
    assert abs(told - bin_of(10.0 + 2 * 6.0 * 0.1 / 0.7)) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_who_trembles_on_a_zone_s_boundary_comes_once(seed: int) -> None:
    script = trembling(walk((0, 0.9), (5, 0.3), (65, 0.3), (70, 0.05)), seed, 0.03)
    watched = Watched(Measure(kind="visits", zones=("door",)), zones={"door": DOOR})
    assert watched.run(script, every(0.2, 0, 80)).told == {"visits//door": 1}


#: Who dips into the left half, and who stands in it for some five seconds; both linger just outside of it.
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
DIPS = walk((0, 0.9), (3, 0.56), (3.5, 0.40), (4.0, 0.505), (8.0, 0.51), (10, 0.9), (14, 0.9))
STANDS = walk((0, 0.9), (3, 0.56), (3.5, 0.3), (8, 0.3), (8.6, 0.505), (12, 0.51), (14, 0.9), (16, 0.9))


@pytest.mark.parametrize(("script", "least", "times"), [(DIPS, 1.0, 0), (STANDS, 8.0, 0), (STANDS, 4.0, 1)])
def test_who_lingers_just_outside_of_a_zone_is_in_it_no_longer(
    script: Callable[[float], list[Thing]], least: float, times: int
) -> None:
    """Its stay goes on until it is sure that it has gone; how long it was is up to the boundary."""
    measures = (Measure(kind=kind, zones=("left",), least_dwell=least) for kind in ("visits", "dwell"))
    watched = Watched(*measures, zones={"left": LEFT}).run(script, every(0.2, 0, 16))
    assert watched.told == ({"visits//left": times, "dwell//left": times} if times else {})


@pytest.mark.parametrize("least", [0.5, 1.0, 4.0])
@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.floats(0.3, 8.0), st.floats(0.36, 0.64)), min_size=2, max_size=8),
    st.sampled_from((0.2, 0.5, 1.0)),
    st.integers(0, 99),
)
def test_each_visit_is_one_dwell_or_still_there(
    least: float, steps: list[tuple[float, float]], apart: float, seed: int
) -> None:
    """To and fro about the boundary, now and then not found: each stay is long enough for both or neither."""
    times = list(itertools.accumulate(seconds for seconds, _ in steps))
    dice, script = random.Random(seed), walk(*zip(times, (x for _, x in steps), strict=True))
    poor = lambda at: [one for one in script(at) if dice.random() < 0.9]  # noqa: E731
    measures = (
        Measure(kind=kind, zones=(zone,), least_dwell=least)
        for kind in ("visits", "dwell")
        for zone in ("left", "right")
    )
    right = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    watched = Watched(*measures, zones={"left": LEFT, "right": right})
    watched.run(poor, every(apart, 0, times[-1]))
    there = dict(watched.told)
    watched.stop(times[-1])
    told = watched.told
    for zone in ("left", "right"):
        visits, dwells = (told.get(f"{kind}//{zone}", 0) for kind in ("visits", "dwell"))
        assert visits == dwells
        assert there.get(f"visits//{zone}", 0) == visits  # nobody counts because the end comes
        assert all(middle(bin) > least * 0.95 for bin in watched.bins("dwell") if bin <= 168)


def test_a_narrow_zone_can_be_visited() -> None:
    strip = ((0.48, 0.0), (0.52, 0.0), (0.52, 1.0), (0.48, 1.0))
    watched = Watched(Measure(kind="visits", zones=("strip",)), zones={"strip": strip})
    watched.run(walk((0, 0.1), (3, 0.5), (8, 0.5), (11, 0.9)), every(0.2, 0, 15))
    assert watched.told == {"visits//strip": 1}


def test_who_is_cut_off_by_a_pause_was_there_longer() -> None:
    watched = Watched(Measure(kind="dwell", zones=("door",)), zones={"door": DOOR})
    watched.run(walk((0, 0.9), (6, 0.1), (60, 0.1)), every(0.2, 0, 16))
    watched.stop(16.0)
    bins = watched.bins("dwell")
    assert bins.pop(DOUBTFUL) == 16
    assert bins == {bin_of(16.0 - 6.0 * 0.6 / 0.8): 1}


def test_who_vanishes_in_the_middle_of_a_zone_was_there_longer() -> None:
    middle_of_it = {"spot": ((0.3, 0.3), (0.7, 0.3), (0.7, 0.9), (0.3, 0.9))}
    watched = Watched(Measure(kind="dwell", zones=("spot",)), zones=middle_of_it)
    watched.run(walk((0, 0.0), (4, 0.5), (20, 0.5)), every(0.2, 0, 60))
    assert watched.bins("dwell")[DOUBTFUL] == 16


@pytest.mark.parametrize("apart", [0.2, 0.5, 1.0])
def test_who_stands_and_is_not_found_for_a_while_has_not_gone(apart: float) -> None:
    """A parked car, found in most frames, and hidden behind a lorry for half a minute."""
    dice = random.Random(4)
    script = walk((0, 0.0), (5, 0.8), (200, 0.8), (205, 0.0), label="car")

    def poor(at: float) -> list[Thing]:
        return [one for one in script(at) if dice.random() < 0.85 and not 100 < at < 130]

    watched = Watched(
        *(Measure(kind=one, zones=("till",)) for one in ("visits", "dwell")), zones={"till": TILL}
    )
    watched.run(poor, every(apart, 0, 300))
    assert watched.told == {"visits//till": 1, "dwell//till": 1}
    (told,) = (one for one in watched.bins("dwell") if one <= 168)
    assert abs(told - bin_of(197.5)) <= 1


def test_who_walks_through_a_door_is_not_taken_for_who_comes_out_of_it() -> None:
    spot = {"spot": ((0.3, 0.3), (0.7, 0.3), (0.7, 0.9), (0.3, 0.9))}
    watched = Watched(Measure(kind="visits", zones=("spot",)), zones=spot)
    watched.run(together(walk((0, 0.0), (4, 0.5)), walk((8, 0.5), (12, 1.0))), every(0.2, 0, 20))
    assert watched.told == {"visits//spot": 2}


def test_the_whole_picture_is_a_zone() -> None:
    watched = Watched(Measure(kind="visits"), Measure(kind="dwell"))
    watched.run(walk((1, 0.0), (3, 0.5), (13, 0.5), (15, 1.0)), every(0.2, 0, 25))
    assert watched.told == {"visits//": 1, "dwell//": 1}
    (told,) = watched.bins("dwell")
    assert abs(told - bin_of(14.0)) <= 1


@pytest.mark.parametrize(("pause", "visits"), [(20.0, 1), (300.0, 2)])
def test_a_short_pause_makes_nobody_a_new_visitor(pause: float, visits: int) -> None:
    watched = Watched(Measure(kind="visits", zones=("door",)), zones={"door": DOOR})
    script = walk((0, 0.9), (6, 0.1), (1000, 0.1))
    watched.run(script, every(0.2, 0, 20))
    watched.stop(20.0)
    watched.run(script, every(0.2, 20 + pause, 40 + pause))
    assert watched.told == {"visits//door": visits}


def test_a_pause_makes_no_visitor_of_who_comes_after_it_an_old_one() -> None:
    watched = Watched(Measure(kind="visits", zones=("door",)), zones={"door": DOOR})
    watched.run(walk((0, 0.9), (6, 0.1), (20, 0.1)), every(0.2, 0, 20))
    watched.stop(20.0)
    watched.run(walk((45, 0.9), (51, 0.1), (70, 0.1)), every(0.2, 40, 60))
    assert watched.told == {"visits//door": 2}


def test_flow_goes_from_the_last_zone_to_the_next() -> None:
    zones = {"door": DOOR, "till": TILL}
    watched = Watched(Measure(kind="flow"), zones=zones)
    watched.run(walk((0, 0.05), (6, 0.9), (12, 0.05), (18, 0.45), (24, 0.05)), every(0.2, 0, 30))
    assert watched.told == {"flow//door>till": 1, "flow//till>door": 1}


def test_flow_through_a_third_zone_is_two_passages() -> None:
    zones = {"a": DOOR, "b": ((0.4, 0.0), (0.5, 0.0), (0.5, 1.0), (0.4, 1.0)), "c": TILL}
    watched = Watched(Measure(kind="flow", zones=("a", "b", "c")), zones=zones)
    assert watched.run(walk((0, 0.05), (8, 0.9)), every(0.2, 0, 14)).told == {"flow//a>b": 1, "flow//b>c": 1}


def test_flow_counts_no_stay_that_was_too_short() -> None:
    """Who lingers just outside of the door was not in it for so long."""
    far = walk((0, 0.1), (1, 0.1), (1.6, 0.31), (5, 0.31), (8, 0.9), (14, 0.9))
    watched = Watched(Measure(kind="flow", least_dwell=3.0), zones={"door": DOOR, "till": TILL})
    assert watched.run(far, every(0.2, 0, 16)).told == {}


def test_flow_counts_a_stay_that_ended_between_two_frames() -> None:
    """It was long enough only just before it was over."""
    quick = walk((0, 0.02), (2.9, 0.24), (3.1, 0.45), (4, 0.55), (7, 0.95), (12, 0.95))
    watched = Watched(Measure(kind="flow", least_dwell=2.5), zones={"door": DOOR, "till": TILL})
    assert watched.run(quick, every(1.0, 0, 14)).told == {"flow//door>till": 1}


def test_who_stands_just_outside_does_not_begin_to_wait() -> None:
    watched = Watched(Measure(kind="queue", zones=("door",)), zones={"door": DOOR})
    script = walk((0, 0.1), (1, 0.1), (1.6, 0.31), (6, 0.31), (7, 0.9))
    waited = []
    for at in every(0.2, 0, 8):
        watched.look(detections(script(at)), at)
        waited.append(watched.values[0])
    assert not any(waited)


def test_a_queue_is_who_stands() -> None:
    watched = Watched(Measure(kind="queue", zones=("door",), least_dwell=3.0), zones={"door": DOOR})
    waits = walk((0, 0.9), (6, 0.1), (30, 0.1))
    passes = walk((8, 0.0), (14, 0.6), feet=0.5)
    script = together(waits, passes)
    seen = {}
    for at in every(0.2, 0, 29):
        watched.look(detections(script(at)), at)
        seen[round(at, 1)] = watched.values[0]
    assert seen[7.0] == 0.0
    assert seen[12.0] == seen[28.0] == 1.0
    for at in every(0.2, 30.2, 35):
        watched.look(detections([]), at)
    assert watched.values[0] == 0.0


def test_a_queue_that_moves_up_is_still_one() -> None:
    watched = Watched(Measure(kind="queue", zones=("door",)), zones={"door": DOOR})
    script = walk((0, 0.9), (6, 0.25), (12, 0.25), (13, 0.15), (16, 0.15), (17, 0.05), (20, 0.05))
    counts = []
    for at in every(0.2, 0, 20):
        watched.look(detections(script(at)), at)
        counts.append(watched.values[0])
    assert set(counts[int(11 / 0.2) :]) == {1.0}


def waiting(*corners: tuple[float, float], until: float) -> dict[float, float]:
    """How many wait by the time, of one who walks like this; who waits does so from 3 s on."""
    watched = Watched(Measure(kind="queue", least_dwell=3.0))
    seen = {}
    for at in every(0.2, 0, until):
        watched.look(detections(walk(*corners)(at)), at)
        seen[round(at, 1)] = float(watched.values[0])
    return seen


@pytest.mark.parametrize(("sway", "stands"), [(0.4, True), (0.7, False)])
def test_who_shuffles_within_half_of_their_height_stands(sway: float, stands: bool) -> None:
    here, there = 0.4, 0.4 + sway * HEIGHT
    corners = [(0.0, here)]
    for begin in range(0, 12, 4):
        corners += [(begin + 1.4, here), (begin + 2.0, there), (begin + 3.4, there), (begin + 4.0, here)]
    assert any(waiting(*corners, until=12.0).values()) is stands


@pytest.mark.parametrize(("step", "goes_on"), [(1.3, True), (1.8, False)])
def test_a_queue_moves_up_by_one_and_a_half_heights_at_a_time(step: float, goes_on: bool) -> None:
    end = 0.2 + step * HEIGHT
    seen = waiting((0, 0.2), (6, 0.2), (7, end), (12, end), until=12.0)
    assert seen[5.8] == seen[12.0] == 1.0
    assert ({one for at, one in seen.items() if at >= 6.0} == {1.0}) is goes_on


@pytest.mark.parametrize(("rests", "goes_on"), [(0.4, False), (1.8, True)])
def test_who_moves_up_twice_has_rested_for_a_second_between(rests: float, goes_on: bool) -> None:
    middle, end = 0.2 + HEIGHT, 0.2 + 2 * HEIGHT
    again = 6.6 + rests
    seen = waiting(
        (0, 0.2), (6, 0.2), (6.6, middle), (again, middle), (again + 0.6, end), (11, end), until=10.6
    )
    assert seen[5.8] == seen[6.4] == 1.0
    assert (min(one for at, one in seen.items() if 6.0 <= at <= again + 1.4) == 1.0) is goes_on


#: Of ten metres in a second.
TEN_METRES = {"": 36.0, "km/h": 36.0, "m/s": 10.0, "mph": 22.369}


@pytest.mark.parametrize("apart", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("unit", ["", "m/s", "mph"])
def test_speed_between_two_lines(apart: float, unit: str) -> None:
    lines = {"a": Line(points=((0.3, 1.0), (0.3, 0.0))), "b": Line(points=((0.7, 1.0), (0.7, 0.0)))}
    watched = Watched(Measure(kind="speed", lines=("a", "b"), distance=10.0, unit=unit), lines=lines)
    watched.run(together(walk((0, 0.0), (2.5, 1.0)), walk((20, 1.0), (22, 0.0))), every(apart, 0, 30))
    (told,) = (one for one in watched.bins("speed") if one <= 168)
    assert middle(told) == pytest.approx(TEN_METRES[unit], rel=0.08)


def test_who_comes_back_has_one_speed_each_way() -> None:
    lines = {"a": Line(points=((0.3, 1.0), (0.3, 0.0))), "b": Line(points=((0.7, 1.0), (0.7, 0.0)))}
    watched = Watched(Measure(kind="speed", lines=("a", "b"), distance=10.0), lines=lines)
    watched.run(walk((0, 0.1), (8, 0.9), (16, 0.1)), every(0.2, 0, 20))
    assert watched.told == {"speed//a>b": 1}


# --- how sure it is


def test_what_is_hardly_seen_was_often_missed() -> None:
    dice = random.Random(1)
    script = walk(*[(t, 0.02 if t % 10 < 5 else 0.98) for t in range(0, 400, 5)])
    poor = lambda at: [one for one in script(at) if dice.random() < 0.5]  # noqa: E731
    good = Watched(CROSSINGS, lines=GATE).run(script, every(0.5, 0, 395))
    bad = Watched(CROSSINGS, lines=GATE).run(poor, every(0.5, 0, 395))
    assert bad.bins("crossings")[MISSED] > 4 * good.bins("crossings")[MISSED]
    assert bad.bins("crossings")[DOUBTFUL] > 4 * good.bins("crossings")[DOUBTFUL]


@pytest.mark.parametrize(("score", "least", "most"), [(0.45, 8, 64), (0.9, 0, 6)])
def test_a_low_score_is_a_doubt(score: float, least: int, most: int) -> None:
    script = walk((0, 0.05), (3, 0.95))
    watched = Watched(CROSSINGS, lines=GATE)

    def faint(at: float) -> list[Thing]:
        """Once it is good enough."""
        return [(label, 0.5 if 1.0 <= at < 1.5 else score, x, y, h) for label, _, x, y, h in script(at)]

    for number in range(20):
        watched.run(lambda at, n=number: faint(at - 10.0 * n), every(0.5, 10.0 * number, 10.0 * number + 8))
    assert sum(ways(watched)) == 20
    assert least <= watched.bins("crossings").get(DOUBTFUL, 0) <= most


def test_occupancy_knows_whom_a_frame_has_missed() -> None:
    script = walk((0, 0.3), (200, 0.32))
    gone = lambda at: [] if int(at) % 4 == 3 else script(at)  # noqa: E731
    watched = Watched(Measure(kind="occupancy")).run(gone, every(0.2, 0, 199))
    assert watched.bins("occupancy")[MISSED] == pytest.approx(16 * 50, abs=16 * 12)


# --- the scripted scene


@pytest.mark.parametrize("apart", [0.1, 0.2, 0.5, 1.0])
def test_the_scene_s_crossings_are_counted(apart: float) -> None:
    scene = Scene(Synthetic(seed=3, people=10, cars=6, empty=0.0))
    watched = Watched(Measure(kind="crossings", labels=LABELS), lines=GATE)
    for at in every(apart, 0.0, 300.0):
        watched.look(of_scene(scene, at), at)
    watched.stop(300.0)
    for label in LABELS:
        told = tuple(watched.told.get(f"crossings/{label}/gate:{way}", 0) for way in ("in", "out"))
        truth = scene.crossings(label, 0.0, 300.0)
        assert all(abs(a - b) <= 2 for a, b in zip(told, truth, strict=True))


def test_the_scene_s_dwell_is_right() -> None:
    scene = Scene(Synthetic(seed=5, people=4, cars=0, empty=0.0))
    watched = Watched(Measure(kind="dwell", labels=("person",)))
    for at in every(0.2, 0.0, 600.0):
        watched.look(of_scene(scene, at), at)
    stays = [gone - come for come, gone in scene.stays("person", 0.0, 600.0) if gone <= 600.0]
    counts = {one: count for one, count in watched.bins("dwell").items() if one <= 168}
    assert sum(counts.values()) == pytest.approx(len(stays), abs=1)
    assert quantile(counts, 0.5) == pytest.approx(float(np.median(stays)), rel=0.1)


# --- lost and found again


def test_who_had_a_good_score_before_it_was_lost_goes_on_with_low_ones() -> None:
    """But low scores alone make nobody."""

    def script(score: float) -> Callable[[float], list[Thing]]:
        def seen(at: float) -> list[Thing]:
            if 2.0 < at < 4.1:
                return []
            return [
                (*one[:1], score if at < 3.0 else 0.4, *one[2:]) for one in walk((0, 0.1), (6.5, 0.9))(at)
            ]

        return seen

    for apart in (0.1, 0.2):
        for score, crossed in ((0.9, (1, 0)), (0.4, (0, 0))):
            watched = Watched(CROSSINGS, lines=GATE).run(script(score), every(apart, 0, 10))
            assert ways(watched) == crossed


def test_who_is_lost_before_the_line_and_found_far_beyond_it_has_crossed() -> None:
    def seen(at: float) -> list[Thing]:
        return [] if 2.0 < at < 4.1 else walk((0, 0.1), (6.5, 0.9))(at)

    watched = Watched(CROSSINGS, lines=GATE).run(seen, every(0.2, 0, 10))
    assert ways(watched) == (1, 0)


@pytest.mark.parametrize(("kind", "looks"), [("occupancy", 10), ("visits", 90)])
def test_where_nobody_is_counted_tracks_are_looked_at_three_times_a_second(kind, looks, monkeypatch):
    """They only tell what frames miss; who is counted is followed through every frame."""
    seen = []
    monkeypatch.setattr(Tracker, "update", lambda _, at, *__: seen.append(at) or [])
    measures = (Measure(kind=kind, labels=("person",)),)
    pipeline = Pipeline(source=Synthetic(), measures=measures)
    following = Following(pipeline, series := series_of("p", pipeline))
    least = dict.fromkeys(range(len(series)), 0.5)
    for number in range(90):
        nothing = np.zeros((0, 4), np.float32), [], np.zeros(0, np.float32)
        following.look(number / 30, *nothing, least, np.zeros(len(series)))
    assert len(seen) == looks
