"""The wall: what may pass, and what becomes of a worker that tries something else."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import wall
from edged.errors import WallError
from edged.nouns import Entry, Series
from edged.wall import BURST, Declined, Ended, Inspector, Ready, Switched, Tick

SERIES = (Series("door", "occupancy", "person", "", "count"), Series("door", "presence", "", "", "share"))
GOOD = (Entry(1.0, 2.0, 2.0, 2.0, 4.0), Entry(1.0, 1.0, 1.0, 1.0, 1.0))


def tick(number: int = 1, start: float = 100.0, end: float = 101.0, **changes: object) -> Tick:
    whole = Tick(number, start, end, 5, 0, end - start, 0.0, 0.01, 0.001, GOOD)
    return msgspec.structs.replace(whole, **changes)


def ready_inspector(recorded: bool = False) -> Inspector:
    inspector = Inspector(SERIES, recorded, 100.0, (2, 4))
    inspector.inspect(Ready(5.0, 300, 300, "litert", "cpu"), 100.0)
    return inspector


def test_an_honest_tick_passes() -> None:
    assert ready_inspector().inspect(tick(), 101.0) == tick()


def test_ticks_pass_for_an_hour() -> None:
    inspector = ready_inspector()
    for number in range(1, 3601):
        at = 100.0 + number
        assert inspector.inspect(tick(number, at - 1.0, at), at)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"number": 2}, "tick 2 after tick 0"),
        ({"start": 101.5}, "ends before it starts"),
        ({"start": 10.0, "end": 11.0}, "another time"),
        ({"end": 200.0}, "another time"),
        ({"start": math.nan}, "ends before"),
        ({"observed": 3.0}, "observed for longer"),
        ({"blind": -1.0}, "no number"),
        ({"infer": math.inf}, "no number"),
        ({"analysed": -1}, "more frames"),
        ({"analysed": 10**9}, "more frames"),
        ({"dropped": 10**9}, "more frames"),
        ({"entries": GOOD[:1]}, "1 entries for 2 series"),
        ({"entries": (Entry(1.0, math.nan, 0, 0, 0), GOOD[1])}, "none"),
        ({"entries": (Entry(9.0, 0, 0, 0, 0), GOOD[1])}, "longer than the tick"),
        ({"entries": (Entry(1.0, 5000.0, 5000.0, 5000.0, 2.5e7), GOOD[1])}, "extremes"),
        ({"rung": 1}, "rung 1, and is on rung 0"),
        ({"rung": 2}, "rung 2 of 2"),
        ({"rung": -1}, "rung -1 of 2"),
        ({"threads": 3}, "3 threads; 2 are the most"),
        ({"threads": 0}, "0 threads"),
        ({"cpu": math.nan}, "no number"),
        ({"cpu": -0.1}, "no number"),
        ({"cpu": 10_000.0}, "more of the CPUs"),
        ({"entries": (GOOD[0], Entry(1.0, 1.5, 1.5, 1.5, 2.25))}, "extremes"),
        ({"entries": (Entry(1.0, 9.0, 1.0, 2.0, 4.0), GOOD[1])}, "outside of its extremes"),
        ({"entries": (Entry(1.0, 2.0, 2.0, 2.0, 400.0), GOOD[1])}, "squares"),
    ],
)
def test_a_broken_rule_is_named(broken: dict[str, object], rule: str) -> None:
    with pytest.raises(WallError, match=rule):
        ready_inspector().inspect(tick(**broken), 101.0)  # type: ignore[arg-type]


def test_a_time_told_of_already_is_refused() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    with pytest.raises(WallError, match="already"):
        inspector.inspect(tick(2, 100.5, 101.5), 102.0)


def test_a_flood_is_stopped_after_the_burst() -> None:
    inspector = ready_inspector()
    with pytest.raises(WallError, match="messages a second"):
        for number in range(1, BURST + 2):
            inspector.inspect(tick(number, 101.0, 101.0, entries=(Entry(), Entry()), observed=0.0), 101.0)


@pytest.mark.parametrize("early", [tick(), Ended(3), Switched(0, 1, "litert", "cpu")])
def test_nothing_comes_before_ready(early: wall.Up) -> None:
    with pytest.raises(WallError, match=r"before it (was ready|began)"):
        Inspector(SERIES, False, 100.0).inspect(early, 101.0)


def test_ready_comes_once_and_is_a_picture_that_can_be() -> None:
    with pytest.raises(WallError, match="twice"):
        ready_inspector().inspect(Ready(5.0, 300, 300, "litert", "cpu"), 101.0)
    with pytest.raises(WallError, match="cannot be"):
        Inspector(SERIES, False, 100.0).inspect(Ready(5.0, 0, 300, "litert", "cpu"), 100.0)


def switched(rung: int = 1, threads: int = 3, took: float = 0.1) -> Switched:
    return Switched(rung, threads, "litert", "cpu", "", took)


def test_ticks_are_of_the_rung_that_was_switched_to() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    inspector.directed(1)
    assert inspector.inspect(tick(2, 101.0, 101.4, observed=0.0, entries=(Entry(), Entry())), 101.5)
    assert inspector.inspect(switched(), 101.5)
    with pytest.raises(WallError, match="rung 0, and is on rung 1"):
        inspector.inspect(tick(3, 101.4, 102.4), 102.5)
    assert inspector.inspect(tick(3, 101.4, 102.4, rung=1, threads=3), 102.5)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (switched(), "which nobody asked for"),
        (Declined(1, 1, True, "it is broken"), "which nobody asked for"),
        (switched(rung=2), "rung 2 of 2"),
        (switched(threads=5), "4 are the most"),
        (Declined(1, 0, False, ""), "0 threads"),
    ],
)
def test_nobody_switches_by_itself(message: wall.Up, rule: str) -> None:
    with pytest.raises(WallError, match=rule):
        ready_inspector().inspect(message, 101.0)


def test_a_rung_that_was_looked_at_is_declined_once() -> None:
    inspector = Inspector(SERIES, False, 100.0, (1, 1, 1), 0, examine=True)
    inspector.inspect(Ready(5.0, 300, 300, "litert", "cpu"), 100.0)
    assert inspector.inspect(Declined(2, 1, True, "it is broken"), 101.0)
    for rung in (0, 2):
        with pytest.raises(WallError, match="nobody asked for"):
            inspector.inspect(Declined(rung, 1, True, "it is broken"), 101.0)


def test_a_directive_is_answered_once() -> None:
    inspector = ready_inspector()
    inspector.directed(1)
    assert inspector.inspect(switched(), 101.0)
    with pytest.raises(WallError, match="nobody asked for"):
        inspector.inspect(switched(), 101.0)


@pytest.mark.parametrize("took", [math.nan, -1.0])
def test_a_switch_takes_a_time(took: float) -> None:
    inspector = ready_inspector()
    inspector.directed(1)
    with pytest.raises(WallError, match="no number"):
        inspector.inspect(switched(took=took), 101.0)


def test_only_who_is_directed_may_say_more() -> None:
    """A thousand switches may be told of at once, if a thousand were asked for; one tick more is a flood."""
    inspector = ready_inspector()
    for number in range(1, 1001):
        inspector.directed(number % 2)
        assert inspector.inspect(switched(number % 2, 1), 101.0)
        still = tick(number, 101.0, 101.0, entries=(Entry(), Entry()), observed=0.0, rung=number % 2)
        assert inspector.inspect(still, 101.0)
    with pytest.raises(WallError, match="messages a second"):
        for number in range(1001, 1001 + BURST):
            still = tick(number, 101.0, 101.0, entries=(Entry(), Entry()), observed=0.0)
            inspector.inspect(still, 101.0)


def test_a_recording_has_its_own_clock() -> None:
    inspector = ready_inspector(recorded=True)
    for second in range(500):
        assert inspector.inspect(tick(second + 1, float(second), second + 1.0), 100.0 + second / 100.0)


def test_a_recordings_ticks_may_wait_for_a_daemon_that_waits_for_its_disk() -> None:
    inspector = ready_inspector(recorded=True)
    for second in range(1900):
        assert inspector.inspect(tick(second + 1, float(second), second + 1.0), 103.0)
    with pytest.raises(WallError, match="messages a second"):
        for second in range(1900, 4000):
            inspector.inspect(tick(second + 1, float(second), second + 1.0), 103.0)


@given(st.binary(max_size=wall.LARGEST + 10))
def test_no_bytes_do_more_than_break_a_rule(packet: bytes) -> None:
    ours, theirs = wall.pair()
    channel = wall.Channel(ours, wall.Up)
    with ours, theirs:
        if not packet:
            return
        theirs.send(packet)
        try:
            message = channel.receive()
        except WallError:
            return
        assert isinstance(message, wall.Up)


@given(
    st.lists(st.floats(), min_size=5, max_size=5), st.floats(0, 10), st.sampled_from(["count", "share", ""])
)
def test_what_passes_is_a_number_of_its_unit(numbers: list[float], span: float, unit: str) -> None:
    entry = Entry(*numbers)
    try:
        wall.check_entry(entry, span, unit)
    except WallError:
        return
    assert all(map(math.isfinite, numbers))
    assert entry.seconds <= span + 1e-3
    assert entry.max <= wall.LARGEST_VALUE.get(unit, 1e9)


def test_messages_go_both_ways_whole() -> None:
    ours, theirs = wall.pair()
    with ours, theirs:
        up, down = wall.Channel(ours, wall.Up), wall.Channel(theirs, wall.Down)
        down.send(tick())
        up.send(wall.Directive(2.5, paused=True))
        assert up.receive() == tick()
        assert down.receive() == wall.Directive(2.5, paused=True)
        assert up.received > 50
        with pytest.raises(BlockingIOError):
            up.receive()
        theirs.close()
        assert up.receive() is None


def test_a_message_that_is_too_large_is_not_sent() -> None:
    ours, theirs = wall.pair()
    with ours, theirs, pytest.raises(WallError, match="larger"):
        wall.Channel(ours, wall.Up).send(wall.Trouble(True, "x" * (wall.LARGEST + 1)))
