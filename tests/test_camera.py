"""The camera source without a camera. On the real library: hardware-tests/lab/camera.sh."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Want, opened
from edged.worker.source.camera import fitting

#: The sensor modes of a Camera Module 2 (IMX219): the 640x480 one sees only the middle.
MODULE_2 = [
    {"size": (640, 480), "bit_depth": 10, "crop_limits": (1000, 752, 1280, 960)},
    {"size": (1640, 1232), "bit_depth": 8, "crop_limits": (0, 0, 3280, 2464)},
    {"size": (1640, 1232), "bit_depth": 10, "crop_limits": (0, 0, 3280, 2464)},
    {"size": (1920, 1080), "bit_depth": 10, "crop_limits": (680, 692, 1920, 1080)},
    {"size": (3280, 2464), "bit_depth": 10, "crop_limits": (0, 0, 3280, 2464)},
]


@pytest.mark.parametrize(
    ("side", "expected"),
    [(96, (1640, 1232)), (300, (1640, 1232)), (2000, (3280, 2464)), (8000, (3280, 2464))],
)
def test_the_smallest_mode_that_sees_everything(side, expected):
    mode = fitting(MODULE_2, Want(side, side, 3, 5.0))
    assert mode["size"] == expected
    assert mode["bit_depth"] in (8, 10)


def test_a_camera_without_modes_is_left_alone():
    assert fitting([], Want(300, 300, 3, 5.0)) is None


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_without_the_library_it_says_how_to_get_it():
    with pytest.raises(RefusedError) as refused:
        opened(shape.Camera(), Want(96, 96, 1, 5.0))
    assert "python3-picamera2" in refused.value.hint


def test_a_libcamera_that_does_not_begin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it hears of no devices, and no driver of a camera was ever loaded."""

    class Picamera2:
        @staticmethod
        def global_camera_info() -> None:
            raise RuntimeError("Failed to start camera manager")

    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=Picamera2))
    with pytest.raises(UnavailableError, match="libcamera does not begin: Failed to start"):
        opened(shape.Camera(), Want(96, 96, 1, 5.0))
