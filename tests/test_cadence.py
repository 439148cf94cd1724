"""What is missing of a stream that says how often it speaks, and what is only late: by the times at which
lines come, on a real line and on a real socket. In a real worker: ``test_numbers``.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from rigs import FeedRig, SerialRig

from edged.config import shape
from edged.config.shape import Channel
from edged.errors import UnavailableError
from edged.worker.source import Source, WantWindow, lined
from edged.worker.source.cadence import Cadence
from edged.worker.source.feed import FeedSource

RATE = 100.0
LENGTH = 50


def missing(times: Iterable[float], rate: float = RATE, length: int = LENGTH, timeout: float = 60.0) -> float:
    """How many never came, by when the others did."""
    cadence = Cadence(rate, length, timeout)
    return sum(cadence.came(one) for one in times)


def steady(count: int, since: float = 0.0, rate: float = RATE) -> list[float]:
    return [since + number / rate for number in range(count)]


def bursts(times: Iterable[float], every: float, took: float = 0.0) -> list[float]:
    """The same samples, delivered ``every`` so many seconds, all within ``took`` seconds."""
    held: dict[int, list[float]] = {}
    for one in times:
        held.setdefault(int(one // every) + 1, []).append(one)
    return [
        turn * every + took * place / len(samples)
        for turn, samples in held.items()
        for place in range(len(samples))
    ]


@pytest.mark.parametrize("every", [0.016, 0.25, 1.0, 16.0])
@pytest.mark.parametrize("took", [0.0, 0.3])
def test_what_comes_in_bursts_is_not_missing(every: float, took: float) -> None:
    assert missing(bursts(steady(10_000), every, min(took, every / 2))) == 0


@pytest.mark.parametrize("rate", [0.952, 0.98, 1.0, 1.05, 2.0])
def test_a_stream_that_is_off_by_a_twentieth_lacks_nothing_nor_does_a_faster_one(rate: float) -> None:
    assert missing(steady(10_000, rate=rate * RATE)) == 0


def test_what_comes_late_now_and_then_is_not_missing() -> None:
    dice = random.Random(1)
    late, read = [], 0.0
    for one in steady(20_000):
        read = max(read, one + dice.expovariate(200.0) + (0.5 if dice.random() < 0.0005 else 0.0))
        late.append(read)
    assert missing(late) == 0


@pytest.mark.parametrize("lost", [20, 30, 500])
@pytest.mark.parametrize("every", [0.0, 0.016, 0.25, 1.0])
def test_what_is_lost_is_counted_whether_it_comes_in_bursts_or_not(lost: int, every: float) -> None:
    """To a twentieth of the time since then: for so much slower it may be."""
    times = steady(1500)
    del times[300 : 300 + lost]
    found = missing(bursts(times, every) if every else times)
    assert 0.95 * lost - 7 - 5 * every <= found <= lost + 1


def test_a_few_that_are_lost_are_no_gap() -> None:
    times = steady(1000)
    del times[300:309]
    assert missing(times) == 0


def test_many_that_are_lost_one_by_one_are_one() -> None:
    """One in ten: a window of the others would last a tenth longer than the model learnt."""
    assert missing(one for place, one in enumerate(steady(2000)) if place % 10) > 0


def test_after_a_long_silence_nobody_knows_how_many() -> None:
    assert missing([*steady(10), *steady(10, since=100.0)]) == float("inf")
    assert missing([*steady(10), *bursts(steady(200, since=0.1), 59.0)]) == 0, "a burst that is allowed"


def test_nothing_is_certain_before_what_is_late_had_its_time() -> None:
    cadence = Cadence(RATE, LENGTH, 60.0)
    for one in steady(100):
        cadence.came(one)
    assert not cadence.doubtful
    found = [(cadence.came(one), cadence.doubtful) for one in steady(20, since=2.0)]
    assert found[:10] == [(0.0, True)] * 10
    assert [one for one in found if one[0]] == [(95.0, False)]  # 100, less a twentieth of that second
    cadence.came(5.0)
    assert cadence.doubtful
    cadence.forget()
    assert not cadence.doubtful and cadence.came(9.0) == 0


def test_a_slow_stream_has_few_samples_to_show_it_by() -> None:
    """One a second: three sample times, not a tenth of a second."""
    assert missing(bursts(steady(100, rate=1.0), 10.0, took=5.0), rate=1.0, length=8) == 0
    times = steady(100, rate=1.0)
    del times[30:40]
    assert 9 <= missing(times, rate=1.0, length=8) <= 10


# --- sources: a real line, a real socket


@pytest.fixture(params=["serial", "feed"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SerialRig | FeedRig]:
    made = SerialRig(tmp_path) if request.param == "serial" else FeedRig(tmp_path)
    made._talker.close()
    yield made
    if isinstance(made, SerialRig):
        os.close(made._theirs)
        os.close(made._ours)
    else:
        made._out.close()
        made._feed.close()


def said(rig: SerialRig | FeedRig, source: Source, number: float, count: int, apart: float) -> set[float]:
    """Say one number so often, ``apart`` seconds; the first numbers of every window that was made."""
    found, next_one = set[float](), time.monotonic()
    for _ in range(count):
        rig._say((number, 0.0))
        next_one += apart  # by the clock, as a device says it: what a busy machine delays is made up for
        if (frame := source.read(max(0.0, next_one - time.monotonic()))) is not None:
            found |= {round(one, 3) for one in frame.data[:, 0].tolist()}
            assert len(set(frame.data[:, 0].tolist())) == 1, "a window over a gap"
    return found


def test_no_window_goes_over_a_time_without_lines(rig: SerialRig | FeedRig) -> None:
    """50 a second; a machine may be so busy that more is late, and then less is made of it, never more."""
    source = rig.opened(WantWindow(20, 2, 0.0, 0.0))
    said(rig, source, 1.0, 48, 0.02)
    time.sleep(1.0)
    found = said(rig, source, 3.0, 100, 0.02)
    assert found == {3.0}
    assert source.dropped >= 20
    source.close()


def test_windows_go_on_over_a_burst_that_brings_what_was_late(rig: SerialRig | FeedRig) -> None:
    source = rig.opened(WantWindow(20, 2, 0.0, 0.0))
    said(rig, source, 1.0, 48, 0.02)
    pause = time.monotonic()
    time.sleep(0.5)
    lines = b"1 0\n" * int((time.monotonic() - pause) * 50.0)
    if isinstance(rig, SerialRig):
        os.write(rig._ours, lines.replace(b"1", b"2"))
    else:
        rig._out.sendto(lines, str(rig._feed.place))
    assert said(rig, source, 1.0, 30, 0.02) == {1.0}
    assert source.dropped < 20
    source.close()


def test_bad_lines_are_a_gap_where_there_are_many_in_a_row(rig: SerialRig | FeedRig) -> None:
    source = rig.opened(WantWindow(20, 2, 0.0, 0.0))
    said(rig, source, 1.0, 15, 0.02)
    for _ in range(3):
        if isinstance(rig, SerialRig):
            os.write(rig._ours, b"no number\n")
        else:
            rig._out.sendto(b"no number", str(rig._feed.place))
        assert source.read(0.02) is None
    assert said(rig, source, 3.0, 30, 0.02) == {3.0}
    source.close()


def test_a_stream_that_is_much_slower_than_it_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lined, "HOPELESS", 2.0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    config = shape.Feed(channels={"a": Channel()}, sample_rate=100.0)
    source = FeedSource(config, WantWindow(20, 1, 0.0, 0.0), theirs.detach())
    with ours, pytest.raises(UnavailableError, match=r"the feed gave \d.* samples a second for .* and 100"):
        for _ in range(1000):
            ours.send(b"1")
            assert source.read(0.03) is None
    source.close()
