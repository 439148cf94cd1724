"""The wall: what may pass, and what becomes of a worker that tries something else."""

from __future__ import annotations

import math
import os
import re
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from emulation import EMULATED
from hypothesis import given
from hypothesis import strategies as st

from edged import rounding, wall
from edged.amounts import DOUBTFUL, MISSED, MOST_PARTS, MOST_TOLD
from edged.config import shape
from edged.errors import WallError
from edged.inspector import Inspector, check_entry
from edged.nouns import Amount, Entry, Series
from edged.view import reasons
from edged.vocabulary import NEW_AT_ONCE, REFILL, UNTOLD, Vocabulary
from edged.wall import BURST, Declined, Ended, Lost, Ready, Switched, Tick, Trouble

SERIES = (
    Series("door", "occupancy", "person", "", "count"),
    Series("door", "crossings", "person", "gate:in", "crossings"),
    Series("door", "presence", "", "", "share"),
    Series("door", "dwell", "person", "hall", "s"),
)
GOOD = (Entry(1.0, 2.0, 2.0, 2.0, 4.0), Entry(1.0, 1.0, 1.0, 1.0, 1.0))


def tick(number: int = 1, start: float = 100.0, end: float = 101.0, **changes: object) -> Tick:
    whole = Tick(number, start, end, 5, 0, end - start, 0.0, 1 / 128, 1 / 1024, GOOD)
    return msgspec.structs.replace(whole, **changes)


#: What a tick of no time, or of a time without a frame, is like.
STILL: dict[str, Any] = {"analysed": 0, "observed": 0.0, "infer": 0.0, "prepare": 0.0}
STILL["entries"] = (Entry(), Entry())


def ready_inspector(recorded: bool = False) -> Inspector:
    inspector = Inspector(SERIES, recorded, 100.0, (2, 4), rate=5.0)
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
        ({"number": 2}, "out of order"),
        ({"start": 101.5}, "ends before it starts"),
        ({"start": 10.0, "end": 11.0}, "another time"),
        ({"end": 200.0}, "another time"),
        ({"start": math.nan}, "ends before"),
        ({"observed": 3.0, "analysed": 8}, "observed for longer than the tick lasted"),
        ({"blind": -1.0}, "no number"),
        ({"infer": math.inf}, "no number"),
        ({"analysed": -1}, "more frames"),
        ({"analysed": 10**9, "infer": 0.0}, "more frames"),
        ({"dropped": 10**9}, "more frames"),
        ({"entries": GOOD[:1]}, "one for each of 2 series"),
        ({"entries": (Entry(1.0, math.nan, 0, 0, 0), GOOD[1])}, "none"),
        ({"entries": (Entry(9.0, 0, 0, 0, 0), GOOD[1])}, "longer or shorter than the tick"),
        ({"entries": (Entry(1.0, 2048.0, 2048.0, 2048.0, 2048.0**2), GOOD[1])}, "outside of what can be"),
        ({"entries": (Entry(1.0, -1.0, -1.0, -1.0, 1.0), GOOD[1])}, "outside of what can be"),
        ({"entries": (Entry(1.0, 1.0, 2.0, 1.0, 1.0), GOOD[1])}, "outside of what can be"),
        ({"rung": 1}, "another rung than its own, 0"),
        ({"rung": 2}, "none of its 2"),
        ({"rung": -1}, "none of its 2"),
        ({"threads": 3}, "more threads than 2, or of none"),
        ({"threads": 0}, "or of none"),
        ({"cpu": math.nan}, "no number"),
        ({"cpu": -0.1}, "no number"),
        ({"cpu": 16_384.0}, "more of the CPUs"),
        ({"entries": (GOOD[0], Entry(1.0, 2.0, 2.0, 2.0, 4.0))}, "outside of what can be"),
        ({"entries": (Entry(1.0, 9.0, 1.0, 2.0, 4.0), GOOD[1])}, "outside of its extremes"),
        ({"entries": (Entry(1.0, 2.0, 2.0, 2.0, 400.0), GOOD[1])}, "squares"),
        ({"end": 101.001, **STILL}, "a time that is finer"),
        ({"start": 100.001, **STILL}, "a time that is finer"),
        ({"observed": 0.3}, "a time that is finer"),
        ({"infer": 0.0101}, "a health that is finer"),
        ({"infer": 128.0}, "longer than anything takes"),
        ({"infer": 2.0}, "inferred for longer"),
        ({"cpu": 0.17}, "a health that is finer"),
        ({"cpu": -0.0}, "no number"),
        ({"dropped": 3}, "too finely"),
        ({"blind": 0.5}, "blind for another time"),
        ({"analysed": 0}, "no frame took"),
        ({"analysed": 9}, "more frames than there can be: 8"),
        ({"analysed": 0, "infer": 0.0, "prepare": 0.0}, "its frames speak for"),
        ({"observed": 0.5}, "longer or shorter than the tick"),
        ({"observed": 0.0}, "longer or shorter than the tick"),
        ({"observed": 0.0, "entries": (Entry(0.0, 0.0, 1.0, 1.0), Entry())}, "did not observe"),
        ({"entries": (Entry(1.0, 65.0, 65.0, 65.0, 65.0**2), GOOD[1])}, "extremes that are finer"),
        ({"entries": (Entry(1.0, 2.5, 2.5, 2.5, 6.25), GOOD[1])}, "extremes that are finer"),
        ({"entries": (Entry(1.0, 2.0, 2.0, 2.0, -0.0), GOOD[1])}, "none"),
        ({"entries": (Entry(1.0, 2.3, 2.0, 3.0, 5.5), GOOD[1])}, "sum that is finer"),
        ({"entries": (Entry(1.0, 2.25, 2.0, 3.0, 5.5), GOOD[1])}, "too fine"),
    ],
)
def test_a_broken_rule_is_named(broken: dict[str, object], rule: str) -> None:
    with pytest.raises(WallError, match=rule):
        ready_inspector().inspect(tick(**broken), 101.0)  # type: ignore[arg-type]


#: Room for eight letters: what a worker would like to have quoted.
MARK = int.from_bytes(b"RAWPICT", "big")


@pytest.mark.parametrize(
    "told",
    [
        tick(number=MARK),
        tick(analysed=MARK),
        tick(dropped=MARK),
        tick(rung=MARK),
        tick(threads=MARK),
        tick(start=100.0 - MARK),
        tick(end=float(MARK)),
        tick(observed=float(MARK)),
        tick(infer=float(MARK)),
        tick(cpu=float(MARK)),
        tick(entries=(Entry(1.0, MARK, MARK, MARK, MARK), GOOD[1])),
        tick(amounts=(Amount(MARK, 1),)),
        tick(amounts=(Amount(1, MARK),)),
        tick(amounts=(Amount(3, 1, MARK),)),
        tick(amounts=(Amount(1, MARK, MISSED),)),
        Ended(MARK),
        Switched(MARK, 1, "litert", "cpu"),
        Switched(0, MARK, "litert", "cpu"),
        Declined(MARK, 1, True, "it is broken"),
        Ready(float(MARK), 300, 300, "litert", "cpu"),
        Ready(5.0, MARK, 300, "litert", "cpu"),
    ],
)
def test_a_refusal_quotes_no_number_of_the_workers(told: wall.Up) -> None:
    """It ends in the journal and in the store, where pieces of a picture would add up."""
    with pytest.raises(WallError) as refused:
        ready_inspector().inspect(told, 101.0)
    numbers = re.findall(r"\d{3,}|\d[.]\d|e[+]", refused.value.message)
    assert not numbers, refused.value.message


#: All that can be told at once, but for more than two estimates.
HAPPENED = (
    Amount(0, 64, MISSED),
    Amount(1, 8),
    Amount(1, 16384, DOUBTFUL),
    Amount(3, 1, 1),
    Amount(3, 1, 168),
)


@pytest.mark.parametrize("told", [(), HAPPENED, HAPPENED[1:2], (Amount(3, 2, 7),)])
def test_what_happens_passes(told: tuple[Amount, ...]) -> None:
    assert ready_inspector().inspect(tick(amounts=told), 101.0) == tick(amounts=told)
    dark = tick(amounts=told, sight="dark", blind=1.0, **STILL)
    assert ready_inspector().inspect(dark, 101.0) == dark


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ((Amount(1, 0),), "none or more than 8 events"),
        ((Amount(1, -3),), "none or more than 8 events"),
        ((Amount(1, 9),), "more than 8 events of a series at once"),
        ((Amount(3, 3, 5),), "more than 2 events with a number at once"),
        ((Amount(3, 1, 5), Amount(3, 2, 6)), "more than 2 events with a number at once"),
        ((Amount(4, 1),), "cannot happen"),
        ((Amount(-1, 1, 5),), "cannot happen"),
        ((Amount(0, 1),), "cannot happen"),
        ((Amount(2, 1),), "cannot happen"),
        ((Amount(1, 1, 3),), "cannot happen"),
        ((Amount(3, 1, 0),), "cannot happen"),
        ((Amount(3, 1, 169),), "cannot happen"),
        ((Amount(1, 1, -1),), "cannot happen"),
        ((Amount(1, 1, 256),), "cannot happen"),
        ((Amount(1, 1), Amount(1, 1)), "twice"),
        ((Amount(3, 1, 9), Amount(1, 1)), "not in order"),
        ((Amount(3, 1, 9), Amount(3, 1, 8)), "not in order"),
        ((Amount(1, 3, MISSED),), "finer"),
        ((Amount(1, 0, DOUBTFUL),), "finer"),
        ((Amount(1, 2 * MOST_PARTS, MISSED),), "too large"),
        ((Amount(0, 1, MISSED), Amount(0, 1, DOUBTFUL), Amount(1, 1, MISSED)), "more estimates"),
        ((Amount(1, 1),) * (MOST_TOLD + 1), "more amounts at once than 128"),
    ],
)
def test_what_cannot_happen_is_refused(told: tuple[Amount, ...], rule: str) -> None:
    with pytest.raises(WallError, match=rule):
        ready_inspector().inspect(tick(amounts=told), 101.0)


def test_nothing_happens_in_no_time() -> None:
    with pytest.raises(WallError, match="no time"):
        ready_inspector().inspect(tick(end=100.0, amounts=HAPPENED, **STILL), 101.0)


def test_why_it_was_blind_is_for_who_was_blind() -> None:
    with pytest.raises(WallError, match="and was not"):
        ready_inspector().inspect(tick(sight="dark"), 101.0)


@pytest.mark.parametrize(
    ("source", "can", "cannot"),
    [
        (shape.V4l2(), "dark", "silent"),
        (shape.Microphone(), "silent", "dark"),
        (shape.Feed(channels={"a": shape.Channel()}), "malformed", "silent"),
    ],
)
def test_it_is_blind_for_a_reason_that_its_source_can_have(
    source: shape.Source, can: str, cannot: str
) -> None:
    sights = reasons(shape.Pipeline(source=source))
    for sight in (can, cannot):
        inspector = Inspector(SERIES, False, 100.0, (2, 4), rate=5.0, sights=sights)
        inspector.inspect(Ready(5.0, 300, 300, "litert", "cpu"), 100.0)
        told = tick(sight=sight, blind=1.0, **STILL)
        if sight == can:
            assert inspector.inspect(told, 101.0) == told
            continue
        with pytest.raises(WallError, match=f"it is {cannot}, which its source cannot be"):
            inspector.inspect(told, 101.0)


def test_a_reason_that_is_not_heeded_is_none() -> None:
    assert reasons(shape.Pipeline(source=shape.V4l2(), blind_when=("dark",))) == ("dark",)
    assert reasons(shape.Pipeline(source=shape.Microphone(), blind_when=())) == ()


def test_a_full_tick_of_the_most_series_fits() -> None:
    """Valued and counted by halves, as long in bytes as numbers can be."""
    entries = (Entry(0.984375, 1 / 3, 1 / 7, 2 / 3, 1 / 9),) * wall.MOST_SERIES
    told = tuple(Amount(one, 8 if one % 2 else 16384, 0 if one % 2 else 255) for one in range(MOST_TOLD))
    ours, _ = wall.pair()
    wall.Channel(ours, wall.Up).send(tick(entries=entries, amounts=told, infer=1 / 3, prepare=1 / 3, cpu=0.1))


def test_a_time_told_of_already_is_refused() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    with pytest.raises(WallError, match="already"):
        inspector.inspect(tick(2, 100.5, 101.5), 102.0)


def test_a_time_that_is_left_out_is_refused() -> None:
    """It would be blind, and a worker tells of each blind second itself."""
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    with pytest.raises(WallError, match="did not come yet"):
        inspector.inspect(tick(2, 101.5, 102.5), 103.0)


def test_a_value_holds_no_longer_than_its_frame_speaks_for() -> None:
    inspector = ready_inspector()
    still = {"analysed": 0, "infer": 0.0, "prepare": 0.0}
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    assert inspector.inspect(tick(2, 101.0, 102.0, **still), 102.0)
    with pytest.raises(WallError, match="its frames speak for"):
        inspector.inspect(tick(3, 102.0, 103.0, **still), 103.0)


def test_a_slow_rate_lets_a_value_hold_for_longer() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    inspector.paced(0.5, 101.0)
    still = {"analysed": 0, "infer": 0.0, "prepare": 0.0}
    for number in range(2, 6):
        assert inspector.inspect(tick(number, 98.0 + number + 1, 98.0 + number + 2, **still), 105.0)
    with pytest.raises(WallError, match="its frames speak for"):
        inspector.inspect(tick(6, 105.0, 106.0, **still), 106.0)


def test_no_more_frames_than_the_rate_makes() -> None:
    inspector = ready_inspector()
    inspector.paced(50.0, 100.5)
    assert inspector.inspect(tick(1, 100.0, 101.0, analysed=53), 101.0)
    inspector.paced(5.0, 101.0)
    for number in range(2, 7):
        at = 99.0 + number
        assert inspector.inspect(tick(number, at, at + 1.0, analysed=50), at + 1.0)
    with pytest.raises(WallError, match="more frames than there can be: 8"):
        for number in range(7, 10):
            at = 99.0 + number
            inspector.inspect(tick(number, at, at + 1.0, analysed=50), at + 1.0)


def test_threads_change_only_when_that_is_told() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0, threads=2), 101.0)
    with pytest.raises(WallError, match="number of threads than it has, 2"):
        inspector.inspect(tick(2, 101.0, 102.0), 102.0)


@pytest.mark.parametrize("last", [Ended(5), Trouble(False, "the camera is gone")])
def test_after_the_last_word_comes_nothing(last: wall.Up) -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(), 101.0)
    assert inspector.inspect(last, 102.0) == last
    with pytest.raises(WallError, match="after its last word"):
        inspector.inspect(last, 103.0)


def test_the_end_tells_of_as_many_frames_as_the_ticks() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(), 101.0)
    with pytest.raises(WallError, match="another number of frames"):
        inspector.inspect(Ended(6), 102.0)


def test_a_recording_is_told_second_by_second_from_its_beginning() -> None:
    with pytest.raises(WallError, match="more than 1 s of a recording"):
        ready_inspector(recorded=True).inspect(tick(1, 0.0, 3.0), 101.0)
    with pytest.raises(WallError, match="elsewhere"):
        ready_inspector(recorded=True).inspect(tick(1, 1e9, 1e9 + 1.0), 101.0)


def test_words_may_be_new_only_so_often() -> None:
    vocabulary = Vocabulary()
    said = [vocabulary.heard(Trouble(False, f"secret {number}"), 0.0) for number in range(NEW_AT_ONCE + 5)]
    assert [one.message for one in said[:NEW_AT_ONCE]] == [f"secret {one}" for one in range(NEW_AT_ONCE)]
    assert {one.message for one in said[NEW_AT_ONCE:]} == {UNTOLD}
    # What was said before costs nothing; an hour later there may be one more.
    for _ in range(100):
        assert vocabulary.heard(Trouble(False, "secret 3"), 1.0).message == "secret 3"
    assert vocabulary.heard(Trouble(False, "late"), REFILL + 1.0).message == "late"
    assert vocabulary.heard(Trouble(False, "later"), REFILL + 2.0).message == UNTOLD


def test_words_are_letters_that_edged_itself_uses() -> None:
    heard = Vocabulary().heard(Trouble(False, "Tür\x1b[31m 门 …", "\n"), 0.0)
    assert heard == Trouble(False, "Tür?[31m ? …", "?")


def test_of_a_ready_worker_too_only_words_are_withheld() -> None:
    vocabulary = Vocabulary()
    for number in range(NEW_AT_ONCE):
        vocabulary.heard(Trouble(False, str(number)), 0.0)
    heard = vocabulary.heard(Ready(5.0, 300, 300, "x", "cpu", "because", ("landlock",)), 0.0)
    assert heard == Ready(5.0, 300, 300, "?", "?", "", ("untold",))


def test_a_flood_is_stopped_after_the_burst() -> None:
    inspector = ready_inspector()
    with pytest.raises(WallError, match="messages a second"):
        for number in range(1, BURST + 2):
            inspector.inspect(tick(number, 101.0, 101.0, **STILL), 101.0)


def test_a_camera_has_no_end() -> None:
    """It would be no longer looked after, and the time from then on would not be told as blind."""
    inspector = Inspector(SERIES, False, 100.0, (2, 4), rate=5.0, ends=False)
    inspector.inspect(Ready(5.0, 300, 300, "litert", "cpu"), 100.0)
    with pytest.raises(WallError, match="its source has no end"):
        inspector.inspect(Ended(0), 101.0)


@pytest.mark.parametrize("early", [tick(), Ended(3), Switched(0, 1, "litert", "cpu")])
def test_nothing_comes_before_ready(early: wall.Up) -> None:
    with pytest.raises(WallError, match=r"before it (was ready|began)"):
        Inspector(SERIES, False, 100.0).inspect(early, 101.0)


def test_ready_comes_once_and_is_a_picture_that_can_be() -> None:
    with pytest.raises(WallError, match="twice"):
        ready_inspector().inspect(Ready(5.0, 300, 300, "litert", "cpu"), 101.0)
    with pytest.raises(WallError, match="cannot be"):
        Inspector(SERIES, False, 100.0).inspect(Ready(5.0, 300, 0, "litert", "cpu"), 100.0)
    for fps in (29.97, -0.0):
        with pytest.raises(WallError, match="finer than the wall lets pass"):
            Inspector(SERIES, False, 100.0).inspect(Ready(fps, 300, 300, "litert", "cpu"), 100.0)


def switched(rung: int = 1, threads: int = 3, took: float = 0.125) -> Switched:
    return Switched(rung, threads, "litert", "cpu", "", took)


def test_ticks_are_of_the_rung_that_was_switched_to() -> None:
    inspector = ready_inspector()
    inspector.inspect(tick(1, 100.0, 101.0), 101.0)
    inspector.directed(1)
    assert inspector.inspect(tick(2, 101.0, 101.5, **STILL), 101.5)
    assert inspector.inspect(switched(), 101.5)
    with pytest.raises(WallError, match="another rung than its own, 1"):
        inspector.inspect(tick(3, 101.5, 102.5), 102.5)
    assert inspector.inspect(tick(3, 101.5, 102.5, rung=1, threads=3), 102.5)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (switched(), "that nobody asked for"),
        (Declined(1, 1, True, "it is broken"), "that nobody asked for"),
        (switched(rung=2), "none of its 2"),
        (switched(threads=5), "more threads than 4"),
        (Declined(1, 0, False, ""), "or of none"),
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
        still = tick(number, 101.0, 101.0, rung=number % 2, **STILL)
        assert inspector.inspect(still, 101.0)
    with pytest.raises(WallError, match="messages a second"):
        for number in range(1001, 1001 + BURST):
            still = tick(number, 101.0, 101.0, **STILL)
            inspector.inspect(still, 101.0)


def test_who_has_lost_its_device_is_blind_until_it_is_lent_again() -> None:
    inspector = Inspector(SERIES, False, 100.0, (2, 4), rate=5.0, device=True)
    inspector.inspect(Ready(5.0, 300, 300, "litert", "cpu"), 100.0)
    inspector.inspect(tick(), 101.0)
    assert inspector.inspect(Lost(), 101.0) == Lost()
    blind = tick(2, 101.0, 102.0, **STILL, blind=1.0)
    assert inspector.inspect(blind, 102.0) == blind
    for saw in ({"analysed": 1}, {"observed": 0.5}):
        with pytest.raises(WallError, match="has no device"):
            inspector.inspect(tick(3, 102.0, 103.0, **(STILL | saw)), 103.0)
    with pytest.raises(WallError, match="lost its device twice"):
        inspector.inspect(Lost(), 103.0)
    inspector.lent()
    assert inspector.inspect(tick(3, 102.0, 103.0), 103.0)
    assert inspector.inspect(Lost(), 103.5)


def test_who_has_none_that_can_be_lent_loses_none() -> None:
    with pytest.raises(WallError, match="none that can be lent"):
        ready_inspector().inspect(Lost(), 101.0)
    with pytest.raises(WallError, match="before it was ready"):
        Inspector(SERIES, False, 100.0, device=True).inspect(Lost(), 101.0)


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
        check_entry(entry, span, unit)
    except WallError:
        return
    assert all(map(math.isfinite, numbers))
    assert entry.seconds == span
    assert entry.max <= rounding.largest(unit)


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


def test_a_device_goes_down_with_its_word() -> None:
    ours, theirs = wall.pair()
    with ours, theirs:
        up, down = wall.Channel(ours, wall.Up), wall.Channel(theirs, wall.Down)
        up.send_with(wall.Lent(), theirs.fileno())
        up.send(wall.Lent())
        assert down.receive(wait=False, lending=True) == wall.Lent() and down.lent >= 0
        os.close(down.lent)
        down.lent = -1
        assert down.receive(wait=False, lending=True) == wall.Lent() and down.lent == -1


def test_a_message_that_is_too_large_is_not_sent() -> None:
    ours, theirs = wall.pair()
    with ours, theirs, pytest.raises(WallError, match="larger"):
        wall.Channel(ours, wall.Up).send(wall.Trouble(True, "x" * (wall.LARGEST + 1)))


@pytest.mark.parametrize(
    "packet",
    [
        msgspec.msgpack.encode(["ended", 5, "and a picture"]),
        msgspec.msgpack.encode(("ready", 5, 300, 300, "litert", "cpu", "", ())),
        b"\x92\xa5ended\xcd\x00\x05",
    ],
    ids=["more than its fields", "a whole number for a fraction", "a long form"],
)
def test_a_message_is_written_in_one_way(packet: bytes) -> None:
    ours, theirs = wall.pair()
    with ours, theirs:
        theirs.send(packet)
        with pytest.raises(WallError, match="not written as"):
            wall.Channel(ours, wall.Up).receive()


def test_what_is_no_message_is_not_quoted() -> None:
    ours, theirs = wall.pair()
    with ours, theirs:
        theirs.send(msgspec.msgpack.encode(["a picture in words", 1, 2]))
        with pytest.raises(WallError) as caught:
            wall.Channel(ours, wall.Up).receive()
    assert "picture" not in str(caught.value)


@pytest.mark.parametrize("lending", [False, True], ids=["later", "while one may be lent"])
@pytest.mark.parametrize("count", [1, 2, 253])
def test_descriptors_that_nobody_asked_for_are_closed(lending: bool, count: int) -> None:
    if EMULATED and lending and count == 253:
        pytest.skip(
            "under emulation what finds no room beside the one that is lent is the emulator's, and stays"
        )
    ours, theirs = wall.pair()
    with ours, theirs:
        channel = wall.Channel(ours, wall.Up)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(10):
            socket.send_fds(theirs, [msgspec.msgpack.encode(Ended(5))], [theirs.fileno()] * count)
            assert channel.receive(wait=False, lending=lending) == Ended(5)
        held = len(list(Path("/proc/self/fd").iterdir())) - before
        assert held == (1 if lending else 0)
        if lending:
            os.close(channel.lent)
