"""What every kind of source promises, one suite for all of them.

Synthetic and file are everywhere. ``v4l2`` runs in a VM with a real driver and ``camera`` on the real
library: the scripts in ``hardware-tests/lab`` call this very file there, and ``EDGED_LAB`` says which of them
is at hand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import media
import numpy as np
import pytest
from anysource import PATIENCE, AnySource, LiveSource, following

from edged.config import shape
from edged.errors import EndOfSource
from edged.worker.source import Source, Want, opened

LAB = os.environ.get("EDGED_LAB", "")
FAST = 2.0 if LAB else 10.0  # frames per second that every kind can give, in an emulated machine too


class Kind(NamedTuple):
    """One parameter: how to configure a source in a folder of its own, and of which sort it is."""

    config: Callable[[Path], shape.Source]
    recorded: bool
    own_size: tuple[int, int] | None = None  # width, height, where it is not the model's
    own_channels: int = 0  # where it has no choice


def synthetic(pace: str, **options: object) -> Callable[[Path], shape.Source]:
    return lambda _: shape.Synthetic(pace=pace, people=20, **options)


def movie(pace: str) -> Callable[[Path], shape.Source]:
    return lambda folder: shape.File(path=str(media.movie(folder / "a.avi", frames=30)), pace=pace, loop=True)


KINDS = {
    "synthetic-real": Kind(synthetic("real"), recorded=False),
    "synthetic-fast": Kind(synthetic("fast"), recorded=True),
    "synthetic-held": Kind(synthetic("fast", held=7, width=64, height=48), recorded=True, own_size=(64, 48)),
    "video-real": Kind(movie("real"), recorded=False),
    "video-fast": Kind(movie("fast"), recorded=True),
    "gif-fast": Kind(
        lambda folder: shape.File(
            path=str(media.movie(folder / "a.gif", "gif", form="rgb8")), pace="fast", loop=True
        ),
        recorded=True,
    ),
    "folder-fast": Kind(
        lambda folder: shape.File(path=str(media.folder(folder / "f")), pace="fast", loop=True, fps=10),
        recorded=True,
        own_size=(64, 48),
    ),
}
if LAB == "v4l2":
    for form, own in (("YUYV", 0), ("NV12", 0), ("GREY", 1)):
        KINDS[f"v4l2-{form}"] = Kind(
            lambda _, form=form: shape.V4l2(format=form, timeout=PATIENCE), recorded=False, own_channels=own
        )
if LAB == "camera":
    KINDS["camera"] = Kind(lambda _: shape.Camera(timeout=PATIENCE), recorded=False)

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

        def opener(channels: int = 3, rate: float = FAST, width: int = 32, height: int = 24) -> Source:
            source = opened(kind.config(tmp_path), Want(width, height, channels, rate))
            stack.callback(source.close)
            return source

        yield opener


class TestAnySource(AnySource):
    pass


@of_live
class TestLiveSource(LiveSource):
    pass


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_contiguous_bytes_of_the_channels_wanted(start, kind, channels):
    picture = following(start(channels)).data
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert picture.shape[2] == (kind.own_channels or channels)


def test_a_picture_has_the_wanted_size_or_the_nearest_above(start, kind):
    height, width, _ = following(start(width=32, height=24)).data.shape
    if kind.own_size:
        assert (width, height) == kind.own_size
    assert width >= 32
    assert height >= 24


def test_a_picture_shows_something(start):
    assert np.ptp(following(start()).data) > 20


def test_it_says_how_fast_it_can_be_and_whether_it_is_a_recording(start, kind):
    source = start()
    assert source.fps >= 0
    assert source.recorded is kind.recorded


@of_recorded
def test_a_recording_begins_at_0(start):
    assert following(start()).time == 0.0


def test_the_rate_is_not_exceeded(start):
    source = start(rate=FAST)
    times = [following(source).time for _ in range(4)]
    assert times[-1] - times[0] >= (len(times) - 1) / FAST - 0.5 / FAST


def test_the_rate_can_be_changed_at_any_time(start):
    source = start(rate=FAST)
    following(source)
    source.rate = FAST / 2
    assert source.rate == FAST / 2
    first = following(source).time
    times = [following(source).time for _ in range(3)]
    assert times[-1] - first >= 2.5 / (FAST / 2)


@of_recorded
def test_a_recording_gives_exactly_the_frames_on_the_rate(start):
    source = start(rate=5.0)
    times = [following(source).time for _ in range(6)]
    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    source.rate = 2.5
    assert [following(source).time for _ in range(2)] == pytest.approx([1.4, 1.8])


@of_recorded
def test_rate_0_is_every_frame(start):
    source = start(rate=0.0)
    times = [following(source).time for _ in range(4)]
    assert times == pytest.approx([n / source.fps for n in range(4)])


@of_live
def test_a_live_frame_that_nobody_reads_is_dropped_and_counted(start):
    source = start(rate=5.0)
    following(source)
    counted = source.dropped
    time.sleep(2.0 if LAB else 1.0)
    before = time.monotonic()
    frame = following(source)
    assert source.dropped > counted
    assert frame.time > before - 1.5  # the newest, not the oldest one that is left


@of_recorded
def test_a_recording_waits_for_its_reader(start):
    source = start(rate=5.0)
    first = following(source).time
    time.sleep(0.5)
    assert following(source).time == pytest.approx(first + 0.2)
    assert source.dropped == 0


@pytest.mark.parametrize(
    "config",
    [
        lambda _: shape.Synthetic(pace="fast", duration=2.0),
        lambda folder: shape.File(path=str(media.movie(folder / "a.avi")), pace="fast"),
        lambda folder: shape.File(path=str(media.movie(folder / "a.avi", fps=20)), pace="real"),
        lambda folder: shape.File(path=str(media.folder(folder / "f")), pace="fast", fps=10),
    ],
    ids=["synthetic", "video", "video-real", "folder"],
)
def test_what_ends_says_so_again_and_again(config, tmp_path):
    source = opened(config(tmp_path), Want(32, 24, 3, 5.0))
    for _ in range(20):
        try:
            following(source)
        except EndOfSource as end:
            assert "end" in end.message or "over" in end.message
            break
    else:
        raise AssertionError("it did not end")
    with pytest.raises(EndOfSource):
        source.read(0.1)
    source.close()
