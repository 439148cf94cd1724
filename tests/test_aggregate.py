"""Ticks become buckets: every second once, under the label that its clock gave it."""

from __future__ import annotations

import itertools
import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.aggregate import HORIZON, LATE, LONGEST, SETTLING, Aggregator, next_commit
from edged.clock import Reading
from edged.errors import WallError
from edged.nouns import Bucket, Coverage, Entry
from edged.wall import Tick

NOON = 1_772_366_400  # 2026-03-01 12:00 UTC
BOOTED = NOON - 1000.0  # so that stamp 1000 is noon


def reading(now: float = 0.0, offset: float = BOOTED, good: bool = True, asleep: float = 0.0) -> Reading:
    return Reading(now, asleep, offset, good, "boot-a")


def tick(start: float, end: float, value: float = 2.0, frames: int = 10) -> Tick:
    span = end - start
    entry = Entry(span, value * span, value - 1, value + 1, value * value * span)
    return Tick(1, start, end, frames, 0, span, 0.0, 0.01, 0.001, (entry,))


def coverage(one: Tick) -> Coverage:
    return Coverage(expected=12.0 * (one.end - one.start), analysed=one.analysed, observed=one.observed)


def counted(aggregator: Aggregator, *ticks: Tick, by: Reading | None = None, name: str = "door") -> None:
    for one in ticks:
        aggregator.add(name, one, coverage(one), by or reading(one.end))


def numbers(bucket: Bucket) -> tuple[float, ...]:
    return msgspec.structs.astuple(bucket.entries[0])


def seconds(buckets: list[Bucket]) -> dict[int, float]:
    return {one.start: round(one.coverage.observed, 6) for one in buckets}


def test_a_minute_of_ticks_is_one_bucket() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, *(tick(1000.0 + s, 1001.0 + s, value=s % 3) for s in range(60)))
    (bucket,) = aggregator.flush()
    assert (bucket.pipeline, bucket.start, bucket.width, bucket.boot) == ("door", NOON, 60, "")
    assert bucket.entries == (Entry(60.0, 60.0, -1.0, 3.0, 100.0),)
    assert bucket.coverage == Coverage(expected=720.0, analysed=600, observed=60.0)
    assert len(aggregator) == 0
    assert aggregator.flush() == []


def test_a_tick_over_the_edge_is_divided_in_proportion_with_its_extremes_on_both_sides() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1059.25, 1060.25, value=4.0, frames=10))
    before, after = aggregator.flush()
    assert (before.start, after.start) == (NOON, NOON + 60)
    assert numbers(before) == pytest.approx((0.75, 3.0, 3.0, 5.0, 12.0))
    assert numbers(after) == pytest.approx((0.25, 1.0, 3.0, 5.0, 4.0))
    assert before.coverage.analysed + after.coverage.analysed == 10
    assert before.coverage.observed == pytest.approx(0.75)
    assert after.coverage.expected == pytest.approx(3.0)


def test_a_long_tick_is_divided_over_all_buckets_that_it_touches() -> None:
    aggregator = Aggregator(1)
    counted(aggregator, tick(1000.5, 1004.0, frames=7))
    assert seconds(aggregator.flush()) == {NOON: 0.5, NOON + 1: 1.0, NOON + 2: 1.0, NOON + 3: 1.0}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_order_and_repetition_do_not_matter(data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, 20_000), min_size=2, max_size=25, unique=True)))
    ticks = [tick(1000 + a / 100, 1000 + b / 100, value=a % 5) for a, b in itertools.pairwise(edges)]
    ticks = [one for one in ticks if one.end - one.start > 0.05]
    told = data.draw(
        st.permutations(ticks + data.draw(st.lists(st.sampled_from(ticks), max_size=9)) if ticks else [])
    )
    straight, shuffled = Aggregator(60), Aggregator(60)
    counted(straight, *ticks, by=reading(1000.0))
    counted(shuffled, *told, by=reading(1000.0))
    expected, found = straight.flush(), shuffled.flush()
    assert [one.start for one in found] == [one.start for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert numbers(one) == pytest.approx(numbers(other))
        assert one.coverage.observed == pytest.approx(other.coverage.observed)
        assert one.coverage.analysed == other.coverage.analysed
    assert sum(one.entries[0].seconds for one in found) == pytest.approx(
        sum(one.end - one.start for one in ticks)
    )


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0.01, 40)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_second_is_counted_twice_however_ticks_overlap(spans: list[tuple[float, float]]) -> None:
    aggregator = Aggregator(60)
    counted(aggregator, *(tick(1000 + a, 1000 + a + span) for a, span in spans), by=reading(1000.0))
    buckets = aggregator.flush()
    assert all(one.coverage.observed <= 60.0 + 0.002 * len(spans) for one in buckets)
    covered, until = 0.0, -math.inf
    for a, b in sorted((a, a + span) for a, span in spans):
        covered += max(0.0, b - max(a, until))
        until = max(until, b)
    assert sum(one.coverage.observed for one in buckets) == pytest.approx(covered, abs=0.003 * len(spans))


def test_two_pipelines_do_not_know_of_each_other() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1001.0), name="door")
    counted(aggregator, tick(1000.0, 1001.0, value=7.0), name="yard")
    door, yard = aggregator.flush()
    assert (door.pipeline, yard.pipeline) == ("door", "yard")
    assert yard.entries[0].max == 8.0


def test_a_late_tick_is_a_further_part_of_a_bucket_that_was_handed_out() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1001.0), tick(1002.0, 1061.0))
    assert NOON in seconds(aggregator.flush())
    counted(aggregator, tick(1001.0, 1002.0), tick(1000.5, 1001.5))
    assert seconds(aggregator.flush()) == {NOON: 1.0}


def test_what_is_later_than_the_horizon_is_left_out() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(2000.0, 2001.0))
    aggregator.flush()
    counted(aggregator, tick(2000.0 - HORIZON, 2001.5 - HORIZON))
    assert sum(seconds(aggregator.flush()).values()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0.0, LONGEST + 1), (5.0, 4.0), (math.nan, math.nan), (3e11, 3e11 + 1), (-1e10, -1e10 + 1)],
)
def test_times_that_cannot_be_are_the_workers_fault(start: float, end: float) -> None:
    with pytest.raises(WallError):
        counted(Aggregator(60), tick(start, end))


def test_a_tick_of_no_time_counts_nothing() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1000.0))
    assert aggregator.flush() == []


def test_blind_time_has_no_numbers_and_does_not_cover_what_was_seen() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1010.0))
    aggregator.blind("door", 1005.0, 1130.0, reading(1130.0))
    first, second, third = aggregator.flush()
    assert (first.coverage.observed, first.coverage.blind) == pytest.approx((10.0, 50.0))
    assert second == Bucket("door", NOON + 60, 60, (), Coverage(blind=pytest.approx(60.0)))
    assert third.coverage.blind == pytest.approx(10.0)


# --- commits


def test_a_commit_just_after_the_full_minute_takes_whole_minutes() -> None:
    aggregator = Aggregator(60)
    written: list[Bucket] = []
    at = next_commit(reading(1000.4), 60.0)
    assert at == pytest.approx(1000.0 + LATE)
    for second in range(1000, 1300):
        counted(aggregator, tick(second + 0.4, second + 1.4), by=reading(second + 1.4))
        if at < second + 2.4:
            written += aggregator.due(reading(at))
            at = next_commit(reading(at), 60.0)
    starts = [one.start for one in written]
    assert len(starts) == len(set(starts)) == 4
    assert [one.coverage.observed for one in written] == pytest.approx([59.6, 60.0, 60.0, 60.0])


@pytest.mark.parametrize("every", [1.0, 7.0, 60.0, 90.0])
def test_nothing_waits_for_longer_than_the_settling_and_a_commit(every: float) -> None:
    aggregator = Aggregator(60)
    counted_until = 1000.3
    for _ in range(40):
        counted(aggregator, tick(counted_until, counted_until + every))
        counted_until += every
        aggregator.due(reading(counted_until))
        left = aggregator.flush()
        waiting = sum(one.coverage.observed for one in left)
        assert waiting <= SETTLING
        aggregator = Aggregator(60)


def test_the_next_commit_follows_the_label_not_the_boot() -> None:
    assert next_commit(reading(0.0, offset=NOON + 0.0), 60.0) == pytest.approx(LATE)
    assert next_commit(reading(0.0, offset=NOON + 59.0), 60.0) == pytest.approx(1.0 + LATE)
    assert next_commit(reading(0.0, offset=NOON + LATE - 0.01), 60.0) == pytest.approx(60.01)
    assert next_commit(reading(30.0, offset=NOON + 59.0, good=False), 60.0) == pytest.approx(60.0 + LATE)


# --- clocks


def test_without_a_right_clock_buckets_are_counted_from_boot() -> None:
    aggregator = Aggregator(60)
    unknown = reading(90.0, offset=12345.0, good=False)
    counted(aggregator, tick(59.0, 61.0), by=unknown)
    counted(aggregator, tick(61.0, 62.0), by=reading(62.0, offset=NOON - 61.0))
    buckets = aggregator.flush()
    assert [(one.start, one.boot) for one in buckets] == [(NOON, ""), (0, "boot-a"), (60, "boot-a")]


@pytest.mark.parametrize("jump", [7200.0, -7200.0, 0.9, -30.0, 86400.0 * 366])
def test_a_step_changes_what_comes_after_it_and_nothing_before(jump: float) -> None:
    aggregator = Aggregator(60)
    counted(aggregator, *(tick(1000.0 + s, 1001.0 + s) for s in range(30)))
    stepped = [tick(1030.0 + s, 1031.0 + s) for s in range(30)]
    for one in stepped:
        counted(aggregator, one, by=reading(one.end, offset=BOOTED + jump))
    found = seconds(aggregator.flush())
    expected: dict[int, float] = {}
    for s in range(60):
        label = NOON + s + (jump if s >= 30 else 0.0)
        first = math.floor(label / 60) * 60
        share = min(1.0, first + 60 - label)
        expected[first] = expected.get(first, 0.0) + share
        if share < 1.0:
            expected[first + 60] = expected.get(first + 60, 0.0) + 1.0 - share
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_clock_set_back_makes_buckets_that_hold_more_than_their_width() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1060.0))
    counted(aggregator, tick(1060.0, 1120.0), by=reading(1120.0, offset=BOOTED - 60.0))
    assert seconds(aggregator.flush()) == {NOON: 120.0}


def test_a_suspend_is_a_gap_not_a_step() -> None:
    aggregator = Aggregator(60)
    counted(aggregator, tick(1000.0, 1001.0))
    # CLOCK_MONOTONIC stood still for an hour: the offset to CLOCK_BOOTTIME has grown, that to the time of day
    # has not.
    counted(aggregator, tick(1001.0, 1002.0), by=reading(1002.0, asleep=3600.0))
    assert seconds(aggregator.flush()) == {NOON: 1.0, NOON + 3600: 1.0}


def test_a_recording_has_its_own_clock_and_is_counted_once_when_its_worker_begins_again() -> None:
    aggregator = Aggregator(60)
    recorded = reading(5000.0).recording(start=float(NOON - 86400))
    counted(aggregator, *(tick(float(s), s + 1.0) for s in range(70)), by=recorded)
    assert seconds(aggregator.due(reading(5001.0))) == {NOON - 86400: 60.0, NOON - 86400 + 60: 10.0}
    counted(aggregator, *(tick(float(s), s + 1.0) for s in range(80)), by=recorded)
    assert seconds(aggregator.flush()) == {NOON - 86400 + 60: 10.0}


def test_a_recording_begun_without_a_clock_waits_like_the_rest() -> None:
    aggregator = Aggregator(60)
    recorded = reading(50.0, good=False).recording()
    counted(aggregator, tick(0.0, 30.0), by=recorded)
    assert [(one.start, one.boot) for one in aggregator.flush()] == [(0, "boot-a"), (60, "boot-a")]


def test_a_leap_year_of_days() -> None:
    """A second every ten minutes of 2028, through a leap day: each lands in the minute of its name."""
    begin, chance = 1_830_297_600, random.Random(4)  # 2028-01-01 00:00 UTC
    aggregator, found = Aggregator(60), 0
    for second in range(0, 366 * 86400, 600):
        phase = chance.random() * 50
        counted(
            aggregator,
            tick(second + phase, second + phase + 1),
            by=reading(second + 60.0, offset=float(begin)),
        )
        for bucket in aggregator.due(reading(second + 120.0, offset=float(begin))):
            assert bucket.start == begin + second
            assert bucket.coverage.observed == pytest.approx(1.0)
            found += 1
    assert found == 366 * 144


def test_rungs_are_added_up_place_by_place() -> None:
    alone = Coverage(observed=10.0)
    cheap = Coverage(observed=5.0, rungs=(0.0, 5.0))
    cheapest = Coverage(observed=3.0, rungs=(1.0, 0.0, 2.0))
    assert alone.merged(alone).rungs == ()
    assert alone.merged(cheap).rungs == (10.0, 5.0) == cheap.merged(alone).rungs
    assert cheap.merged(cheapest).rungs == (1.0, 5.0, 2.0)
    assert Coverage(blind=60.0).merged(cheap).rungs == (0.0, 5.0)


def test_a_tick_over_the_edge_divides_its_rungs() -> None:
    aggregator = Aggregator(60)
    one = tick(1059.5, 1060.5)
    aggregator.add("door", one, Coverage(observed=1.0, throttled=1.0, rungs=(0.0, 1.0)), reading(1061.0))
    first, second = aggregator.flush()
    assert first.coverage.rungs == pytest.approx((0.0, 0.5)) == second.coverage.rungs
