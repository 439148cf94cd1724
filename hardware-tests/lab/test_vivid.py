"""A real kernel driver (vivid) and its faults: what the v4l2 source must survive. Runs as root in the VM of
``v4l2.sh``.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, Lendable, LostError, Want, opened
from edged.worker.source.v4l2 import V4l2Source

DEVICE = "/dev/video0"
DRIVER = Path("/sys/bus/platform/drivers/vivid")
PATIENCE = 30.0


def control(name: str, value: int) -> None:
    subprocess.run(["v4l2-ctl", "-d", DEVICE, "--set-ctrl", f"{name}={value}"], check=True)


def start(channels: int = 3, rate: float = 5.0, **keys: object) -> V4l2Source:
    source = opened(shape.V4l2(device=DEVICE, timeout=PATIENCE, **keys), Want(300, 200, channels, rate))
    assert isinstance(source, V4l2Source)
    return source


def following(source: V4l2Source) -> Frame:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (frame := source.read(1.0)) is not None:
            return frame
    raise AssertionError("no frame came")


def until_lost(source: V4l2Source) -> UnavailableError:
    with pytest.raises(UnavailableError) as lost:
        for _ in range(200):
            source.read(1.0)
    return lost.value


@pytest.fixture
def source() -> Iterator[V4l2Source]:
    made = start()
    yield made
    made.close()


@pytest.mark.parametrize("form", ["YUYV", "NV12"])
def test_colour_bars_have_their_colours(form):
    control("test_pattern", 1)  # 100 % colour bars
    source = start(format=form)
    try:
        picture = following(source).data
    finally:
        source.close()
        control("test_pattern", 0)
    height, width, _ = picture.shape
    row = picture[height * 3 // 4]
    bars = np.array(
        [np.median(row[int(width * (i + 0.3) / 8) : int(width * (i + 0.7) / 8)], axis=0) for i in range(8)]
    )
    white, yellow, cyan, green, magenta, red, blue, black = (255 * np.array(c) for c in (
        (1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)
    ))  # fmt: skip
    assert np.abs(bars - [white, yellow, cyan, green, magenta, red, blue, black]).max() <= 3


def test_grey_is_the_luma_of_the_full_range():
    control("test_pattern", 1)
    source = start(channels=1, format="YUYV")
    try:
        picture = following(source).data
    finally:
        source.close()
        control("test_pattern", 0)
    assert picture.min() <= 2
    assert picture.max() >= 253


def test_it_takes_the_nearest_size_that_is_not_smaller(source):
    height, width, _ = following(source).data.shape
    assert width >= 300
    assert height >= 200
    assert (source._mode.width, source._mode.height) == (640, 360)  # 320x180 is too low


def test_the_device_itself_is_slowed_to_the_rate():
    source = start(rate=2.0)
    following(source)
    assert source.fps == pytest.approx(2.0)
    source.rate = 10.0
    following(source)
    assert source.fps == pytest.approx(10.0)
    source.close()


def test_unplugged_and_plugged_in_again(source):
    following(source)
    (DRIVER / "unbind").write_text("vivid.0")
    try:
        assert "unplugged" in until_lost(source).message
        source.close()
        with pytest.raises(UnavailableError) as absent:
            start()
        assert "is it plugged in?" in absent.value.hint
    finally:
        (DRIVER / "bind").write_text("vivid.0")
        subprocess.run(["udevadm", "settle"], check=True)
    again = start()
    following(again)
    again.close()


def plugged_in_again() -> int:
    """A descriptor of what came back."""
    (DRIVER / "bind").write_text("vivid.0")
    subprocess.run(["udevadm", "settle"], check=True)
    return os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def test_it_goes_on_with_a_descriptor_of_what_came_back(source):
    assert isinstance(source, Lendable)
    before = following(source).data.shape
    for _ in range(2):
        (DRIVER / "unbind").write_text("vivid.0")
        assert isinstance(until_lost(source), LostError)
        source.regain(plugged_in_again())  # under the same name: the one before was let go of
        assert following(source).data.shape == before


def test_it_goes_on_at_the_rate_that_is_wanted_by_then(source):
    following(source)
    (DRIVER / "unbind").write_text("vivid.0")
    until_lost(source)
    source.rate = 10.0
    source.regain(plugged_in_again())
    following(source)
    assert source.fps == pytest.approx(10.0)


def test_another_device_is_not_gone_on_with():
    source = start()
    following(source)
    (DRIVER / "unbind").write_text("vivid.0")
    until_lost(source)
    os.close(plugged_in_again())
    with pytest.raises(UnavailableError):
        source.regain(os.open("/dev/null", os.O_RDWR))


def test_what_gives_other_pictures_is_not_gone_on_with():
    source = start()
    following(source)
    (DRIVER / "unbind").write_text("vivid.0")
    until_lost(source)
    source._mode = source._mode._replace(width=source._mode.width // 2)
    with pytest.raises(UnavailableError) as other:
        source.regain(plugged_in_again())
    assert "other pictures" in other.value.message and not isinstance(other.value, LostError)
    again = start()  # it let go of it
    following(again)
    again.close()


def test_disconnected_by_its_driver(source):
    following(source)
    control("disconnect", 1)
    until_lost(source)
    source.close()
    (DRIVER / "unbind").write_text("vivid.0")
    (DRIVER / "bind").write_text("vivid.0")
    subprocess.run(["udevadm", "settle"], check=True)
    again = start()
    following(again)
    again.close()


def test_frames_that_the_driver_loses_are_counted(source):
    following(source)
    control("percentage_of_dropped_buffers", 60)
    try:
        for _ in range(6):
            following(source)
    finally:
        control("percentage_of_dropped_buffers", 0)
    assert source.dropped > 0


def test_a_driver_that_gives_nothing_is_lost_after_its_timeout():
    config = shape.V4l2(device=DEVICE, timeout=3.0)
    source = V4l2Source(config, Want(300, 200, 3, 5.0))
    following(source)
    control("percentage_of_dropped_buffers", 100)
    try:
        assert "no frame" in until_lost(source).message
    finally:
        control("percentage_of_dropped_buffers", 0)
        source.close()


def test_a_damaged_frame_is_passed_over(source):
    following(source)
    control("inject_v4l2_buf_flag_error", 1)
    following(source)


def test_a_fatal_error_of_streaming_loses_it(source):
    following(source)
    control("inject_fatal_streaming_error", 1)
    until_lost(source)
    source.close()
    again = start()
    following(again)
    again.close()


def test_a_camera_in_use_is_said_to_be(source):
    following(source)
    with pytest.raises(UnavailableError) as busy:
        start()
    assert "another program" in busy.value.message


def test_a_format_that_it_lacks_is_refused_with_what_it_has():
    with pytest.raises(RefusedError) as refused:
        start(format="MJPG")
    assert "YUYV" in refused.value.message


def test_a_size_that_it_lacks_is_refused_with_what_it_has():
    with pytest.raises(RefusedError) as refused:
        start(width=333)
    assert "640x360" in refused.value.hint
