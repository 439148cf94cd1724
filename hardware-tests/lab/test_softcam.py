"""The real picamera2 and libcamera on a software camera, and its faults.

Runs in the root folder of ``camera.sh``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from softcam import Gate

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, Want, opened
from edged.worker.source.camera import CameraSource

PATIENCE = 30.0


def start(channels: int = 3, rate: float = 10.0, width: int = 100, **keys: object) -> CameraSource:
    source = opened(shape.Camera(**keys), Want(width, 80, channels, rate))
    assert isinstance(source, CameraSource)
    return source


def following(source: CameraSource) -> Frame:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (frame := source.read(1.0)) is not None:
            return frame
    raise AssertionError("no frame came")


@pytest.fixture(autouse=True)
def healthy() -> Iterator[None]:
    yield
    Gate.open.set()
    Gate.swallow = False


@pytest.fixture
def source() -> Iterator[CameraSource]:
    made = start()
    yield made
    Gate.open.set()
    made.close()


def bars(picture: np.ndarray) -> np.ndarray:
    """The colours [8, C] of the test picture's bars."""
    width = picture.shape[1]
    row = picture[picture.shape[0] // 2]
    return np.array(
        [np.median(row[int(width * (i + 0.3) / 8) : int(width * (i + 0.7) / 8)], 0) for i in range(8)]
    )


def test_colours_are_red_green_blue_and_rows_without_padding(source):
    frame = following(source)
    assert frame.data.shape == (80, 100, 3)  # 300 bytes a row, padded to 320 in memory
    white, yellow, cyan, green, magenta, red, blue, black = (
        255 * np.array(c)
        for c in ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))
    )
    assert np.abs(bars(frame.data) - [white, yellow, cyan, green, magenta, red, blue, black]).max() <= 80
    strong = bars(frame.data) > 127
    assert strong.tolist() == [
        [bool(v) for v in c] for c in (white, yellow, cyan, green, magenta, red, blue, black)
    ]


def test_grey_is_the_luma_plane_without_padding():
    source = start(channels=1)
    picture = following(source).data
    source.close()
    assert picture.shape == (80, 100, 1)
    levels = bars(picture)[:, 0]
    assert (np.diff(levels) < 0).all()  # the bars go from light to dark
    assert 0xA5 not in picture[:, -1]


def test_the_camera_itself_is_slowed_to_the_rate(source):
    following(source)
    source.rate = 45.0
    following(source)
    assert Gate.fps == pytest.approx(45.0, rel=0.01)
    source.rate = 2.0
    following(source)
    assert Gate.fps == pytest.approx(30.0, rel=0.01)  # slower it cannot be; the source picks
    assert source.fps == pytest.approx(30.0, rel=0.01)


def test_a_stall_gives_none_then_loses_the_camera_and_a_new_one_works():
    source = start(timeout=1.0)
    following(source)
    Gate.open.clear()
    assert source.read(0.3) is None
    with pytest.raises(UnavailableError) as lost:
        for _ in range(10):
            source.read(0.3)
    assert "no frame" in lost.value.message
    source.close()
    Gate.open.set()
    again = start()
    following(again)
    again.close()


def test_a_short_stall_takes_no_buffer_away(source):
    """Each time-out leaves a job behind that must not take a buffer: there are only four."""
    following(source)
    for _ in range(3):
        Gate.open.clear()
        for _ in range(8):
            source.read(0.05)
        Gate.open.set()
        for _ in range(6):
            following(source)


def test_cancelled_requests_lose_the_camera():
    source = start(timeout=1.0)
    following(source)
    Gate.swallow = True
    with pytest.raises(UnavailableError):
        for _ in range(10):
            source.read(0.5)
    source.close()
    Gate.swallow = False
    again = start()
    following(again)
    again.close()


def test_a_camera_that_is_not_there():
    with pytest.raises(UnavailableError) as absent:
        start(number=9)
    assert "there is no camera 9" in absent.value.message


def test_a_control_that_it_lacks_is_refused_with_what_it_has():
    with pytest.raises(RefusedError) as refused:
        start(controls={"Warp": 9.0})
    assert "Warp" in refused.value.message
    assert "FrameDurationLimits" in refused.value.hint
