"""The tracker: who is who from one frame to the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.worker.track import Track, Tracker
from edged.worker.track.assignment import assigned, cheapest
from edged.worker.track.tracker import HIDDEN, LONGEST_GAP, LOWEST, MOST, PATIENCE

Box = tuple[float, float, float, float]
RATES = (10.0, 5.0, 2.0, 1.0)


def person(x: float, foot: float = 0.9, height: float = 0.4) -> Box:
    """Somebody whose feet are at (x, foot), cut at the picture's edges as a detector's boxes are."""
    return foot - height, max(0.0, x - 0.06), foot, min(1.0, x + 0.06)


def fed(
    tracker: Tracker,
    at: float,
    *boxes: Box,
    kinds: str | Sequence[str] = "person",
    scores: float | Sequence[float] = 0.8,
) -> list[Track]:
    """One frame."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    names = [kinds] * len(boxes) if isinstance(kinds, str) else list(kinds)
    numbers = np.full(len(boxes), scores, np.float32) if isinstance(scores, float) else np.array(scores)
    return tracker.update(at, array, names, numbers)


def walked(
    tracker: Tracker, times: Sequence[float], *ways: Callable[[float], Box | None]
) -> list[list[Track]]:
    """All frames of things that go such ways; None where a way's thing is not found."""
    found = []
    for at in times:
        boxes = [box for way in ways if (box := way(at)) is not None]
        found.append(fed(tracker, at, *boxes))
    return found


def times(rate: float, seconds: float) -> list[float]:
    """Of frames."""
    return [step / rate for step in range(int(seconds * rate))]


def nearest(tracks: Sequence[Track], x: float) -> Track:
    """The one that stands there."""
    return min(tracks, key=lambda one: abs(one.foot[0] - x))


@pytest.mark.parametrize("rate", RATES)
def test_who_walks_stays_one_track_at_any_rate(rate: float) -> None:
    tracker = Tracker()
    frames = walked(tracker, times(rate, 6.0), lambda at: person(0.1 + 0.14 * at))
    assert {one.number for tracks in frames for one in tracks} == {1}
    last = frames[-1][0]
    assert last.sure
    assert last.seen
    assert last.hits == last.chances == len(frames)
    assert last.foot == pytest.approx((0.1 + 0.14 * (6.0 - 1.0 / rate), 0.9), abs=0.02)
    assert last.velocity == pytest.approx((0.14, 0.0), abs=0.03)


def test_the_rate_may_change_meanwhile() -> None:
    steps = [0.1] * 20 + [0.5] * 6 + [0.1] * 15
    moments = list(itertools.accumulate(steps, initial=0.0))
    frames = walked(Tracker(), moments, lambda at: person(0.08 + 0.12 * at))
    assert {one.number for tracks in frames for one in tracks} == {1}


@pytest.mark.parametrize("rate", RATES)
def test_two_who_pass_each_other_stay_who_they_are(rate: float) -> None:
    tracker = Tracker()
    moments = times(rate, 7.0)
    frames = walked(
        tracker, moments, lambda at: person(0.1 + 0.12 * at), lambda at: person(0.9 - 0.12 * at, 0.8, 0.35)
    )
    first, last = frames[1], frames[-1]
    east, west = nearest(first, 0.1).number, nearest(first, 0.9).number
    end = moments[-1]
    assert nearest(last, 0.1 + 0.12 * end).number == east
    assert nearest(last, 0.9 - 0.12 * end).number == west


@pytest.mark.parametrize("rate", [10.0, 5.0, 2.0])
def test_who_passes_behind_another_is_the_same_afterwards(rate: float) -> None:
    def behind(at: float) -> Box | None:
        x = 0.2 + 0.1 * at
        return None if 0.42 < x < 0.58 else person(x, 0.8, 0.3)

    frames = walked(Tracker(), times(rate, 6.0), lambda at: person(0.5), behind)
    assert {one.number for tracks in frames for one in tracks} == {1, 2}
    assert frames[-1][1].seen


def test_a_missed_frame_is_predicted() -> None:
    tracker = Tracker()
    walked(tracker, times(5.0, 2.0), lambda at: person(0.2 + 0.1 * at))
    (track,) = fed(tracker, 2.0)
    assert not track.seen
    assert track.foot[0] == pytest.approx(0.4, abs=0.01)
    assert (track.hits, track.chances, track.last) == (10, 11, 1.8)


def test_who_stops_at_once_is_not_lost_and_stands_still_soon() -> None:
    frames = walked(Tracker(), times(5.0, 6.0), lambda at: person(0.2 + 0.16 * min(at, 2.0)))
    assert {one.number for tracks in frames for one in tracks} == {1}
    assert frames[-1][0].velocity == pytest.approx((0.0, 0.0), abs=0.01)


def test_low_scores_keep_a_track_alive_and_make_none() -> None:
    tracker = Tracker()
    for step in range(5):
        fed(tracker, step / 5, person(0.3))
    for step in range(5, 30):
        tracks = fed(tracker, step / 5, person(0.3), person(0.7), scores=[0.3, 0.3])
    assert [(one.number, one.seen, one.hits) for one in tracks if one.sure] == [(1, True, 30)]
    assert tracks[0].score == pytest.approx((5 * 0.8 + 25 * 0.3) / 30)
    assert tracks[0].peak == pytest.approx(0.8)


def test_below_the_lowest_score_nobody_is_kept() -> None:
    tracker = Tracker()
    walked(tracker, times(5.0, 1.0), lambda at: person(0.3))
    for step in range(5, 20):
        tracks = fed(tracker, step / 5, person(0.3), scores=LOWEST - 0.01)
    assert tracks == []


def test_a_flicker_is_not_sure_and_soon_forgotten() -> None:
    tracker = Tracker()
    assert [one.sure for one in fed(tracker, 0.0, person(0.3))] == [False]
    assert [one.sure for one in fed(tracker, 0.2, person(0.3))] == [False]
    assert [one.sure for one in fed(tracker, 0.4, person(0.3))] == [True]
    other = Tracker()
    fed(other, 0.0, person(0.3))
    fed(other, 0.2)
    assert fed(other, 0.4) == []


def test_at_a_low_rate_two_hits_are_sure() -> None:
    tracker = Tracker()
    fed(tracker, 0.0, person(0.3))
    assert [one.sure for one in fed(tracker, 0.5, person(0.35))] == [True]


def test_many_frames_make_nobody_sure_sooner() -> None:
    """Errors of neighbouring frames are alike: it takes as long at 10 a second as at 5."""
    tracker = Tracker()
    seen = [fed(tracker, step / 10, person(0.3))[0].sure for step in range(5)]
    assert seen == [False, False, False, True, True]


@pytest.mark.parametrize(("rate", "needed"), [(10, 2), (5, 1), (2, 1)])
def test_good_scores_have_to_last(rate: int, needed: int) -> None:
    def is_sure(good: int) -> bool:
        tracker = Tracker()
        scores = [0.4, 0.4, *[0.8] * good, *[0.4] * 8]
        return [fed(tracker, step / rate, person(0.3), scores=one) for step, one in enumerate(scores)][-1][
            0
        ].sure

    assert [is_sure(good) for good in range(4)] == [good >= needed for good in range(4)]


def test_a_track_tells_whether_its_box_counts() -> None:
    tracker = Tracker()
    told = [
        fed(tracker, at, person(0.3), scores=score)[0].good for at, score in ((0, 0.8), (1, 0.4), (2, 0.8))
    ]
    assert told == [True, False, True]


def test_the_doubles_of_a_box_are_no_second_thing() -> None:
    tracker = Tracker()
    for step in range(30):
        x = 0.2 + 0.02 * step
        double = (0.54, x - 0.1, 0.9, x + 0.07)
        tracks = fed(tracker, step / 5, person(x), double, scores=[0.8, 0.6])
        assert [one.number for one in tracks] == [1]


def test_a_thing_taken_for_another_kind_now_and_then_is_one() -> None:
    tracker = Tracker()
    for step in range(20):
        kind = "truck" if step % 4 == 3 else "car"
        tracks = fed(tracker, step / 5, (0.4, 0.2 + 0.02 * step, 0.6, 0.5 + 0.02 * step), kinds=kind)
    assert [(one.number, one.kind, one.hits) for one in tracks] == [(1, "car", 20)]


def test_a_cyclist_and_the_bicycle_are_two() -> None:
    tracker = Tracker()
    for step in range(20):
        x = 0.2 + 0.02 * step
        tracks = fed(tracker, step / 5, person(x, 0.85), person(x, 0.9, 0.2), kinds=["person", "bicycle"])
    assert sorted((one.kind, one.hits) for one in tracks) == [("bicycle", 20), ("person", 20)]


def test_who_stands_and_is_hidden_on_one_side_does_not_move() -> None:
    """A passer-by in front eats the box from the left; the right side says that nobody went anywhere."""

    def standing(at: float) -> Box:
        return 0.4, max(0.4, min(0.55, 0.2 + 0.1 * at + 0.06)), 0.8, 0.6

    moments = times(5.0, 3.4)
    frames = walked(Tracker(), moments, standing, lambda at: person(0.2 + 0.1 * at))
    stands = [one for tracks in frames for one in tracks if one.foot[1] < 0.85]
    assert {one.number for one in stands} == {nearest(frames[0], 0.5).number}
    assert len(stands) == len(frames)
    assert max(abs(one.foot[0] - 0.5) for one in stands) < 0.03


def test_a_box_with_a_low_score_moves_a_track_less() -> None:
    """Many are another's double, wider and to a side."""
    moved = []
    for score in (0.25, 0.8):
        tracker = Tracker()
        for step in range(10):
            fed(tracker, step / 5, person(0.5))
        (track,) = fed(tracker, 2.0, person(0.53), scores=score)
        moved.append(track.foot[0] - 0.5)
    assert 0.0 < moved[0] < 0.4 * moved[1]


def test_who_leaves_over_the_edge_ends_at_once() -> None:
    tracker = Tracker()
    walked(tracker, times(5.0, 3.0), lambda at: person(0.55 + 0.15 * at))
    alive = [bool(fed(tracker, 3.0 + step / 5)) for step in range(5)]
    assert alive[-1] is False
    assert [one.number for one in tracker.ended] in ([1], [])


def test_who_comes_in_over_the_edge_is_as_fast_as_the_side_that_is_seen() -> None:
    frames = walked(Tracker(), times(5.0, 1.2), lambda at: person(-0.03 + 0.15 * at) if at else None)
    assert frames[-1][0].velocity[0] == pytest.approx(0.15, abs=0.06)


def test_lost_in_the_open_it_ends_sooner_than_hidden() -> None:
    def lasts(*others: Box) -> float:
        tracker = Tracker()
        for step in range(20):
            fed(tracker, step / 5, person(0.5, 0.8, 0.3), *others)
        for step in range(20, 60):
            if all(one.number != 1 for one in fed(tracker, step / 5, *others)):
                break
        assert [one.number for one in tracker.ended] == [1]
        return step / 5 - 3.8

    assert lasts() == pytest.approx(PATIENCE, abs=0.3)
    hidden = lasts((0.3, 0.42, 0.95, 0.58))
    assert hidden == pytest.approx(HIDDEN, abs=0.3)
    assert hidden > 2.0 * lasts()


def test_what_was_dropped_is_told_and_forgotten() -> None:
    tracker = Tracker()
    fed(tracker, 0.0, person(0.3))
    assert [one.number for one in tracker.drop()] == [1]
    assert [one.number for one in tracker.ended] == [1]
    assert [one.number for one in fed(tracker, 0.2, person(0.3))] == [2]
    assert tracker.ended == []


def test_after_a_long_gap_everybody_is_somebody_else() -> None:
    tracker = Tracker()
    fed(tracker, 0.0, person(0.3))
    assert [one.number for one in fed(tracker, LONGEST_GAP + 0.1, person(0.3))] == [2]
    assert [one.number for one in tracker.ended] == [1]


def test_broken_boxes_harm_nobody() -> None:
    tracker = Tracker()
    nothing = float("nan")
    for step in range(5):
        tracks = fed(tracker, step / 5, person(0.3), (nothing, 0.1, 0.2, 0.3), (0.5, 0.5, 0.5, 0.5))
    (real,) = (one for one in tracks if one.foot[0] < 0.4)
    assert real.hits == 5
    assert np.isfinite([one.box for one in tracks]).all()


def test_two_frames_of_one_moment_harm_nobody() -> None:
    tracker = Tracker()
    for at in (0.0, 0.2, 0.2, 0.1, 0.4):
        tracks = fed(tracker, at, person(0.3))
    assert [one.hits for one in tracks] == [5]
    assert np.isfinite(tracks[0].box).all()


def test_no_more_than_so_many_are_followed() -> None:
    tracker = Tracker()
    grid = [(y / 20, x / 20, y / 20 + 0.04, x / 20 + 0.04) for y in range(20) for x in range(20)]
    for step in range(3):
        assert len(fed(tracker, step / 5, *grid)) <= MOST


boxes_of_a_frame = st.lists(
    st.tuples(
        st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.5), st.floats(0.01, 0.5), st.floats(0, 1)
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 12), boxes_of_a_frame), max_size=20))
def test_whatever_comes_the_books_balance(film: list[tuple[float, list[tuple[float, ...]]]]) -> None:
    """Numbers are never used twice, boxes stay in the picture, and whoever is gone was told."""
    tracker, at, before, gone = Tracker(), 0.0, set[int](), set[int]()
    for gap, things in film:
        at += gap
        boxes = [(y, x, min(1.0, y + h), min(1.0, x + w)) for y, x, h, w, _ in things]
        tracks = fed(tracker, at, *boxes, scores=[one[4] for one in things])
        numbers = [one.number for one in tracks]
        assert len(set(numbers)) == len(numbers)
        assert not gone & set(numbers)
        gone |= {one.number for one in tracker.ended}
        assert before - set(numbers) <= gone
        for one in tracks:
            assert all(0.0 <= side <= 1.0 for side in one.box)
            assert 1 <= one.hits <= one.chances
            assert one.began <= one.last <= at
            assert one.last == at or not one.seen
        assert sum(one.seen for one in tracks) <= len(boxes)
        before = set(numbers)


def best(gain: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """The largest sum, by trying all."""
    rows, columns = gain.shape
    if rows > columns:
        return best(gain.T)
    worth = np.maximum(gain, 0.0)
    return max(
        (
            sum(worth[row, column] for row, column in enumerate(chosen))
            for chosen in itertools.permutations(range(columns), rows)
        ),
        default=0.0,
    )


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_the_assignment_is_the_best_there_is(rows: int, columns: int, seed: int) -> None:
    gain = np.random.default_rng(seed).normal(0.0, 1.0, (rows, columns))
    pairs = assigned(gain)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(gain[pair] > 0.0 for pair in pairs)
    assert sum(gain[pair] for pair in pairs) == pytest.approx(best(gain))


def test_a_cheap_pair_gives_way_for_a_cheaper_whole() -> None:
    assert cheapest([[1.0, 2.0], [1.5, 9.0]]) == [1, 0]
