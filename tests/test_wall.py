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
from edged.wall import BURST, Ended, Inspector, Ready, Tick

SERIES = (Series("door", "occupancy", "person", "", "count"), Series("door", "presence", "", "", "share"))
GOOD = (Entry(1.0, 2.0, 2.0, 2.0, 4.0), Entry(1.0, 1.0, 1.0, 1.0, 1.0))


def tick(number: int = 1, start: float = 100.0, end: float = 101.0, **changes: object) -> Tick:
    whole = Tick(number, start, end, 5, 0, end - start, 0.0, 0.01, 0.001, GOOD)
    return msgspec.structs.replace(whole, **changes)


def ready_inspector(recorded: bool = False) -> Inspector:
    inspector = Inspector(SERIES, recorded, 100.0)
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


@pytest.mark.parametrize("early", [tick(), Ended(3)])
def test_nothing_comes_before_ready(early: wall.Up) -> None:
    with pytest.raises(WallError, match=r"before it (was ready|began)"):
        Inspector(SERIES, False, 100.0).inspect(early, 101.0)


def test_ready_comes_once_and_is_a_picture_that_can_be() -> None:
    with pytest.raises(WallError, match="twice"):
        ready_inspector().inspect(Ready(5.0, 300, 300, "litert", "cpu"), 101.0)
    with pytest.raises(WallError, match="cannot be"):
        Inspector(SERIES, False, 100.0).inspect(Ready(5.0, 0, 300, "litert", "cpu"), 100.0)


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
        assert isinstance(message, Ready | Tick | Ended | wall.Trouble)


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
