"""What every source of sound promises, beside what a source of pictures does: windows that overlap by half.

Recordings are everywhere; a microphone is in the emulated machine that ``hardware-tests/lab/sound.sh`` starts
(``EDGED_LAB=sound``): a real driver whose input is silent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import media
import numpy as np
import pytest
from anysource import PATIENCE, AnySource, LiveSource, following

from edged.config import shape
from edged.errors import EndOfSource
from edged.worker.source import Frame, Source, WantWindow, opened

LAB = os.environ.get("EDGED_LAB", "")
MICROPHONE = "hw:CARD=Loopback,DEV=1"
LENGTH, RATE = 4000, 16000  # samples, Hz: a quarter of a second


class Kind(NamedTuple):
    """One parameter: how to configure a source in a folder of its own, and of which sort it is."""

    config: Callable[[Path], shape.Source]
    recorded: bool


def recording(pace: str, name: str, codec: str, rate: int) -> Callable[[Path], shape.Source]:
    return lambda folder: shape.File(
        path=str(media.sound(folder / name, codec, rate=rate, seconds=3.0)), pace=pace, loop=True
    )


KINDS = {
    "wav-real": Kind(recording("real", "a.wav", "pcm_s16le", 16000), recorded=False),
    "wav-fast": Kind(recording("fast", "a.wav", "pcm_s16le", 16000), recorded=True),
    "wav-44100-fast": Kind(recording("fast", "b.wav", "pcm_f32le", 44100), recorded=True),
    "flac-fast": Kind(recording("fast", "a.flac", "flac", 48000), recorded=True),
    "mp3-fast": Kind(recording("fast", "a.mp3", "mp3", 44100), recorded=True),
    "video-fast": Kind(recording("fast", "a.mp4", "aac", 48000), recorded=True),
}
if LAB == "sound":
    KINDS["microphone"] = Kind(
        lambda _: shape.Microphone(device=MICROPHONE, timeout=PATIENCE), recorded=False
    )
of_live = pytest.mark.parametrize("kind", [k for k in KINDS if not KINDS[k].recorded], indirect=True)
of_recorded = pytest.mark.parametrize("kind", [k for k in KINDS if KINDS[k].recorded], indirect=True)
Opener = Callable[..., Source]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def start(kind: Kind, tmp_path: Path) -> Iterator[Opener]:
    """Opens the source; closed again when the test ends."""
    with ExitStack() as stack:

        def opener(length: int = LENGTH, rate: float = 0.0) -> Source:
            source = opened(kind.config(tmp_path), WantWindow(length, 1, RATE, rate))
            stack.callback(source.close)
            return source

        yield opener


class TestAnySource(AnySource):
    pass


@of_live
class TestLiveSource(LiveSource):
    pass


@pytest.mark.parametrize("length", [4000, 15601])
def test_a_window_is_contiguous_numbers_between_minus_1_and_1(start, length):
    window = following(start(length)).data
    assert window.dtype == np.float32
    assert window.shape == (length, 1)
    assert window.flags.c_contiguous
    assert np.abs(window).max() <= 1.0


def test_it_says_how_often_a_window_comes_and_whether_it_is_a_recording(start, kind):
    source = start()
    assert source.fps == RATE / (LENGTH / 2)
    assert source.recorded is kind.recorded


def test_windows_overlap_by_half(start):
    source = start()
    frames = [Frame(frame.data.copy(), frame.time) for frame in (following(source) for _ in range(12))]
    # A machine that is busy drops some, but not eleven of twelve.
    following_each_other = [
        (before, after)
        for before, after in pairwise(frames)
        if round((after.time - before.time) / (LENGTH / 2 / RATE)) == 1
    ]
    assert following_each_other
    for before, after in following_each_other:
        np.testing.assert_array_equal(before.data[LENGTH // 2 :], after.data[: LENGTH // 2])


@of_recorded
def test_a_recording_begins_at_0_and_goes_on_by_half_windows(start):
    source = start()
    hop = LENGTH / 2 / RATE
    assert [following(source).time for _ in range(5)] == pytest.approx([n * hop for n in range(5)])


@of_recorded
def test_the_rate_picks_windows(start):
    source = start(rate=2.0)
    assert [following(source).time for _ in range(4)] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    source.rate = 4.0
    assert [following(source).time for _ in range(2)] == pytest.approx([1.75, 2.0])


def test_the_rate_is_not_exceeded(start):
    source = start(rate=2.0)
    times = [following(source).time for _ in range(4)]
    assert times[-1] - times[0] >= 3 / 2.0 - 0.5 * LENGTH / RATE


@of_live
def test_a_live_window_that_nobody_reads_is_dropped_and_counted(start):
    source = start()
    following(source)
    counted = source.dropped
    time.sleep(1.5)
    before = time.monotonic()
    frame = following(source)
    assert source.dropped > counted
    assert frame.time > before - 1.0  # the newest, not the oldest one that is left


@of_recorded
def test_a_recording_waits_for_its_reader(start):
    source = start()
    first = following(source).time
    time.sleep(0.5)
    assert following(source).time == pytest.approx(first + LENGTH / 2 / RATE)
    assert source.dropped == 0


@of_recorded
def test_a_recording_goes_round(start):
    source = start()
    times = [following(source).time for _ in range(40)]  # of 0.125 s each, and it has 3 s
    np.testing.assert_allclose(np.diff(times), LENGTH / 2 / RATE, atol=1e-6)


@pytest.mark.parametrize("pace", ["real", "fast"])
def test_what_ends_says_so_again_and_again(tmp_path, pace):
    path = media.sound(tmp_path / "a.wav", "pcm_s16le", rate=16000, seconds=1.0)
    source = opened(shape.File(path=str(path), pace=pace), WantWindow(LENGTH, 1, RATE, 0.0))
    with pytest.raises(EndOfSource):
        for _ in range(50):
            source.read(1.0)
    with pytest.raises(EndOfSource):
        source.read(0.1)
    source.close()
