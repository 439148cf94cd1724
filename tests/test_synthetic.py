"""The scripted scene: its truth is true, and its pictures show it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edged.config import shape
from edged.worker.source import Want, opened
from edged.worker.source.canvas import NOISE, Canvas
from edged.worker.source.scene import CAR, LONGEST, PERSON, Scene, Stop, Visit, inside, stays_of

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
WALK = Visit(
    PERSON, 0, 10.0, (Stop(0.0, -0.1), Stop(6.0, 0.5), Stop(16.0, 0.5), Stop(22.0, 1.1)), 0.9, 0.5, 0.2
)


def config(**keys: object) -> shape.Synthetic:
    return shape.Synthetic(pace="fast", **keys)


def test_the_same_seed_is_the_same_scene_asked_in_any_order():
    times = [5.0, 700.25, 12.0, 86_400.0]
    one, other = Scene(config(seed=3, people=20)), Scene(config(seed=3, people=20))
    assert [one.truth(t) for t in times] == [other.truth(t) for t in reversed(times)][::-1]
    assert [Scene(config(seed=4, people=20)).truth(t) for t in times] != [one.truth(t) for t in times]


def test_nothing_is_there_before_the_scene_was_empty_for_a_while():
    scene = Scene(config(empty=7.0, people=60, cars=60))
    assert not any(scene.truth(t / 10) for t in range(70))
    assert any(scene.truth(t / 10) for t in range(70, 90))


def test_a_visit_enters_crosses_rests_and_leaves():
    assert WALK.at(9.9) is None
    assert WALK.at(32.1) is None
    assert WALK.at(13.0).body[1:4:2] == pytest.approx((0.1, 0.3))
    assert WALK.at(13.0).moving
    assert not WALK.at(20.0).moving
    assert WALK.at(20.0).body[1] == pytest.approx(0.4, abs=0.02)  # it sways


def test_a_stay_lasts_from_half_in_view_to_half_out_of_view():
    ((come, gone),) = stays_of(WALK, None)
    assert (come, gone) == pytest.approx(
        (11.0, 31.0), abs=0.002
    )  # its middle passes the edges of the picture


def test_a_stay_in_a_zone_is_that_of_the_middle_of_the_lower_edge():
    ((come, gone),) = stays_of(WALK, ((0.2, 0.8), (0.4, 0.8), (0.4, 1.0), (0.2, 1.0)))
    assert (come, gone) == pytest.approx((13.0, 15.0), abs=0.002)
    assert stays_of(WALK, ((0.2, 0.0), (0.4, 0.0), (0.4, 0.8), (0.2, 0.8))) == []


@pytest.mark.parametrize("kind", ["", PERSON, CAR])
@pytest.mark.parametrize("zone", [None, LEFT_HALF])
def test_occupancy_agrees_with_counting_frame_by_frame(kind, zone):
    scene = Scene(config(people=12, cars=6))
    counts = np.array([scene.count(kind, t, zone) for t in np.arange(20.0, 80.0, 0.02)])
    truth = scene.occupancy(kind, 20.0, 80.0, zone)
    assert truth.mean == pytest.approx(counts.mean(), abs=0.01)
    assert truth.share == pytest.approx((counts > 0).mean(), abs=0.01)
    assert (truth.min, truth.max) == (counts.min(), counts.max())


def test_occupancies_of_parts_add_up_to_that_of_the_whole():
    scene = Scene(config(people=15))
    parts = [scene.occupancy("", t, t + 7.5).mean for t in np.arange(0.0, 60.0, 7.5)]
    assert np.mean(parts) == pytest.approx(scene.occupancy("", 0.0, 60.0).mean)


def test_entries_are_as_many_as_the_config_says():
    scene = Scene(config(people=6, cars=3, empty=0.0))
    assert scene.entries(PERSON, 0.0, 6000.0) == pytest.approx(600, abs=1)
    assert scene.entries(CAR, 0.0, 6000.0) == pytest.approx(300, abs=1)


def test_crossings_have_directions_and_agree_with_the_path():
    scene = Scene(config(people=10, cars=10))
    right, left = scene.crossings("", 0.0, 600.0)
    changes = 0
    for visit in scene.visits(0.0, 600.0):
        spots = [visit.at(t) for t in np.arange(max(0.0, visit.enters), min(600.0, visit.leaves), 0.05)]
        sides = [
            thing.body[1] + visit.width / 2 > 0.5 for thing in spots if thing is not None and thing.moving
        ]
        changes += sum(a != b for a, b in pairwise(sides))
    assert right > 0
    assert left > 0
    assert right + left == pytest.approx(changes, abs=2)


def test_no_visit_is_longer_than_the_search_for_them_looks_back():
    assert max(v.leaves - v.enters for v in Scene(config(people=60, cars=60)).visits(0, 3600)) < LONGEST


def test_inside_a_polygon():
    notch = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.4), (0.0, 1.0))
    assert inside(notch, 0.5, 0.2)
    assert inside(notch, 0.1, 0.7)
    assert not inside(notch, 0.5, 0.7)
    assert not inside(notch, 1.1, 0.2)


@pytest.mark.parametrize(
    ("width", "height", "channels"), [(96, 96, 1), (300, 300, 3), (641, 479, 3), (16, 16, 1)]
)
def test_things_are_drawn_where_the_truth_says_and_nowhere_else(width, height, channels):
    quiet = config(noise=0.0, people=12, cars=6)
    canvas, scene = Canvas(quiet, width, height, channels), Scene(quiet)
    empty = canvas.drawn([], 0).copy()
    shown = 0
    for time in np.arange(6.0, 40.0, 1.7):
        things = scene.truth(time)
        changed = (canvas.drawn(things, 1) != empty).any(axis=2)
        boxes = np.zeros_like(changed)
        for thing in things:
            top, left, bottom, right = thing.box
            area = (slice(max(0, round(top * height) - 1), round(bottom * height) + 1),
                    slice(max(0, round(left * width) - 1), round(right * width) + 1))  # fmt: skip
            boxes[area] = True
            if thing.box == thing.body and (right - left) * width > 8:
                assert changed[area].mean() > 0.2
                shown += 1
        assert not changed[~boxes].any()
    assert shown or width < 32


def test_a_thing_stands_out_from_its_background():
    quiet = config(noise=0.0, people=20, cars=10)
    canvas, scene = Canvas(quiet, 96, 96, 1), Scene(quiet)
    empty = canvas.drawn([], 0).astype(int)
    for time in np.arange(6.0, 60.0, 1.3):
        for thing in scene.truth(time):
            difference = np.abs(canvas.drawn([thing], 1).astype(int) - empty)
            if thing.box == thing.body:
                assert (difference[difference > 0]).mean() > 25


def test_noise_has_the_sigma_asked_for_and_differs_from_frame_to_frame():
    canvas = Canvas(config(noise=3.0), 320, 240, 3)
    quiet = Canvas(config(noise=0.0), 320, 240, 3).drawn([], 0).astype(int)
    first = canvas.drawn([], 1).astype(int) - quiet
    second = canvas.drawn([], 2).astype(int) - quiet
    assert first.std() == pytest.approx(3.0, rel=0.05)
    assert abs(first.mean()) < 0.1
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


def test_no_grey_level_is_so_near_the_ends_that_noise_would_wrap():
    loud = Canvas(config(noise=16.0, people=20, cars=10), 160, 120, 3)
    quiet = Canvas(config(noise=0.0, people=20, cars=10), 160, 120, 3)
    scene = Scene(config(people=20, cars=10))
    for number, time in enumerate(np.arange(6.0, 30.0, 2.0)):
        things = scene.truth(time)
        difference = loud.drawn(things, number).astype(int) - quiet.drawn(things, number)
        assert np.abs(difference).max() <= NOISE


def test_held_frames_come_round_again():
    source = opened(config(held=5, width=32, height=32, people=20), Want(16, 16, 3, 0.0))
    pictures = [source.read(1.0).data for _ in range(12)]
    assert pictures[0] is pictures[5]
    assert len({picture.tobytes() for picture in pictures}) == 5


def test_the_config_names_another_size_than_the_model():
    source = opened(config(width=50, height=40), Want(96, 96, 1, 0.0))
    assert source.read(1.0).data.shape == (40, 50, 1)
