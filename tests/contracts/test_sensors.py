"""What every kind of sensor promises, one suite for all of them: frames of numbers where there is no model,
windows where there is one.

The kernel's files are made up here (``rigs``); a line and a socket are real. On real drivers this very file
runs in the emulated machine (``hardware-tests/lab/sensors.sh``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from anysource import PATIENCE, AnySource, LiveSource, following
from rigs import RIGS, Rig

from edged.errors import RefusedError
from edged.worker.source import Source, WantWindow

NUMBERS = WantWindow(0, 2, 0.0, 10.0)
Opener = Callable[..., Source]


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = RIGS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def start(rig: Rig) -> Iterator[Opener]:
    """Opens the source; closed again when the test ends."""
    with ExitStack() as stack:

        def opener(
            length: int = 0, rate: float = 10.0, channels: int = 2, sample_rate: float = 0.0
        ) -> Source:
            source = rig.opened(WantWindow(length, channels, sample_rate, rate))
            stack.callback(source.close)
            return source

        yield opener


def until(source: Source, numbers: tuple[float, float]) -> None:
    """The first frame whose newest sample is this."""
    deadline = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < deadline:
        last = following(source).data[-1]
        if last == pytest.approx(numbers, abs=0.02):
            return
    raise AssertionError(f"it says {last}, and not {numbers}")


class TestAnySource(AnySource):
    pass


class TestLiveSource(LiveSource):
    pass


def test_without_a_model_a_frame_is_one_number_for_each_channel(start, rig):
    rig.says(3.5, 21.5)
    source = start()
    data = following(source).data
    assert (data.shape, data.dtype) == ((1, 2), np.float32)
    until(source, (3.5, 21.5))


def test_it_follows_what_the_sensor_says(start, rig):
    source = start()
    for pair in ((-1.5, 20.0), (2.0, 0.5)):
        rig.says(*pair)
        until(source, pair)


def test_a_window_is_as_long_as_the_model_takes_and_ends_with_the_newest(start, rig):
    source = start(length=8, rate=0.0)
    data = following(source).data
    assert (data.shape, data.dtype, data.flags.c_contiguous) == ((8, 2), np.float32, True)
    rig.says(7.0, 9.0)
    until(source, (7.0, 9.0))


def test_windows_overlap_by_half(start):
    """What is in them is in ``test_numbers``."""
    assert start(length=8, rate=0.0).fps == pytest.approx(50.0 / 4)


def test_as_many_channels_as_the_model_takes_or_none(start):
    with pytest.raises(RefusedError, match=r"takes 3 numbers a sample, and the source has 2: "):
        start(length=8, channels=3)


def test_another_sample_rate_than_the_model_learnt_is_refused(start):
    with pytest.raises(RefusedError, match="takes 16 samples a second"):
        start(length=8, sample_rate=16.0)


def test_it_is_live_and_says_how_fast_it_can_be(start):
    source = start()
    assert source.recorded is False
    assert source.fps == 50.0


def test_the_rate_is_not_exceeded_and_can_be_changed(start):
    source = start(rate=10.0)
    times = [following(source).time for _ in range(4)]
    assert times[-1] - times[0] >= 2.5 / 10.0
    source.rate = 5.0
    assert source.rate == 5.0
    first = following(source).time
    times = [following(source).time for _ in range(2)]
    assert times[-1] - first >= 1.5 / 5.0


def test_between_two_frames_all_samples_are_taken(start, rig):
    """A frame of one second is the mean of all that was said in it, also of what was said first. On a machine
    that stood still meanwhile it is tried again.
    """
    source = start(rate=1.0)
    following(source)
    means = []
    for _ in range(5):
        rig.says(8.0, 2.0)
        if source.read(0.4) is not None:
            continue
        rig.says(0.0, 2.0)
        means.append(following(source).data[0, 0])
        if 0.5 < means[-1] < 7.5:
            return
    raise AssertionError(f"means of all samples would not be {means}")
