"""The reader: one frame ahead, none of them for the wrong model, and a camera that may rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from edged.config.shape import Synthetic
from edged.errors import UnavailableError
from edged.worker import reader as reading
from edged.worker.reader import Prepared, Reader
from edged.worker.source import Frame, Source, Want, opened

WANT = Want(8, 8, 1, 100.0)
LIVE = Synthetic(fps=100.0, held=2, noise=0.0)
PATIENCE = 20.0


class Camera:
    """A camera that keeps what it had when nobody read, as drivers do. There is none here to be opened."""

    recorded = False
    fps = 100.0

    def __init__(self) -> None:
        self.rate, self.dropped, self.closed = 100.0, 0, False
        self.old: list[float] = []
        self.fault: Exception | None = None

    def read(self, timeout: float) -> Frame | None:
        assert not self.closed
        if self.fault is not None:
            raise self.fault
        time.sleep(0.005)
        at = self.old.pop(0) if self.old else time.monotonic()
        return Frame(np.zeros((8, 8, 1), np.uint8), at)

    def close(self) -> None:
        self.closed = True


class RestingCamera(Camera):
    """One that can rest."""

    rests = unplugged = False

    def read(self, timeout: float) -> Frame | None:
        assert not self.rests
        return super().read(timeout)

    def rest(self) -> None:
        self.rests = True

    def wake(self) -> None:
        if self.unplugged:
            raise UnavailableError("the camera was unplugged")
        self.rests = False


def first(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    return picture


def second(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    return picture[:4, :4]


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def following(reader: Reader) -> Prepared:
    frame = reader.get(PATIENCE)
    assert frame is not None
    return frame


Start = Callable[..., Reader]


@pytest.fixture
def start() -> Iterator[Start]:
    readers: list[Reader] = []

    def started(source: Source | None = None) -> Reader:
        readers.append(Reader(source or opened(LIVE, WANT), first))
        readers[-1].begin()
        return readers[-1]

    yield started
    for one in readers:
        one.close()


def test_a_frame_says_who_prepared_it(start: Start) -> None:
    reader = start()
    assert following(reader).by is first
    reader.prepare = second
    frames = [following(reader) for _ in range(4)]
    assert frames[-1].by is second
    assert all(one.tensor.shape[0] == (8 if one.by is first else 4) for one in frames)
    assert [one.by is second for one in frames] == sorted(one.by is second for one in frames)


def test_while_held_nothing_new_is_begun(start: Start) -> None:
    reader = start()
    following(reader)
    reader.hold()
    awaited(lambda: reader.get(0.05) is None and reader.idle)
    assert reader.get(0.1) is None
    reader.resume()
    assert following(reader).time > 0


def test_frames_of_a_pause_are_neither_told_nor_counted(start: Start) -> None:
    reader = start()
    following(reader)
    before = reader.dropped
    reader.hold()
    time.sleep(0.5)
    reader.discard()
    awaited(lambda: reader.idle)
    reader.resume()
    began = time.monotonic()
    assert following(reader).time > began - reading.FRESH
    following(reader)
    assert reader.dropped - before < 30, "50 went by"


def test_what_a_driver_kept_since_before_the_pause_is_left_out(start: Start) -> None:
    camera = Camera()
    reader = start(camera)
    following(reader)
    reader.hold()
    awaited(lambda: reader.get(0.02) is None and reader.idle)
    camera.old = [time.monotonic() - 60.0 + n for n in range(4)]
    reader.resume()
    assert following(reader).time > time.monotonic() - 5.0 and camera.old == []


def test_a_camera_with_another_clock_is_believed_after_a_while(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SIFTED", 0.1)
    camera = Camera()
    reader = start(camera)
    reader.hold()
    awaited(lambda: reader.get(0.02) is None and reader.idle)
    camera.old = [1.0] * 10_000
    reader.resume()
    assert following(reader).time == 1.0


def test_a_camera_rests_in_a_long_pause_and_comes_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PARKED_AFTER", 0.05)
    camera = RestingCamera()
    reader = start(camera)
    following(reader)
    reader.hold()
    reader.discard()
    awaited(lambda: bool(reader.discard()) or camera.rests)
    reader.rate = 7.0
    reader.resume()
    assert following(reader).time > 0
    assert camera.rate == 7.0 and not camera.rests and not camera.closed


def test_a_camera_that_is_not_there_after_the_pause_says_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PARKED_AFTER", 0.05)
    camera = RestingCamera()
    reader = start(camera)
    reader.hold()
    awaited(lambda: bool(reader.discard()) or camera.rests)
    camera.unplugged = True
    reader.resume()
    with pytest.raises(UnavailableError, match="unplugged"):
        following(reader)


def test_what_breaks_before_a_pause_is_not_forgotten(start: Start) -> None:
    camera = Camera()
    reader = start(camera)
    following(reader)
    camera.fault = UnavailableError("the camera gave no frame")

    def until_it_breaks() -> None:
        reader.hold()
        for _ in range(1000):
            reader.discard()
            time.sleep(0.005)
            reader.resume()
            reader.hold()

    with pytest.raises(UnavailableError, match="no frame"):
        until_it_breaks()


def test_a_recording_loses_nothing_while_it_is_held(start: Start) -> None:
    clip = Synthetic(fps=10.0, pace="fast", duration=100.0, held=2)
    reader = start(opened(clip, Want(8, 8, 1, 10.0)))
    times = [following(reader).time]
    for _ in range(20):
        reader.hold()
        while not reader.idle:
            times.append(following(reader).time)
        reader.resume()
        times.append(following(reader).time)
    assert times == pytest.approx([n / 10 for n in range(len(times))])


def test_it_can_be_closed_in_a_pause(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PARKED_AFTER", 0.05)
    camera = RestingCamera()
    reader = start(camera)
    reader.hold()
    awaited(lambda: bool(reader.discard()) or camera.rests)
    reader.close()
    assert not any(one.name == "reader" and one.is_alive() for one in threading.enumerate())
