"""The v4l2 source without a camera: what it asks for, its colours, and its sentences. Real drivers:
hardware-tests/lab.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Want, jpeg, opened, videodev
from edged.worker.source.v4l2 import Mode, best, converter, layout, slowest, stepped
from edged.worker.source.yuv import BT601, BT709, Converter, Raw, divisor

WANT = Want(300, 300, 3, 5.0)


def quads(form: str, rgb: np.ndarray, weights: tuple[float, float] = BT601, full: bool = False) -> bytes:
    """RGB [H, W, 3] as a camera would give it, in double precision and by the standards' own formulas."""
    red, blue = weights
    r, g, b = (rgb[..., i] / 255 for i in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    scale, black, wide = (255, 0, 255) if full else (219, 16, 224)
    luma = np.clip(np.rint(y * scale + black), 0, 255).astype(np.uint8)
    u, v = (np.clip(np.rint(c * wide + 128), 0, 255).astype(np.uint8) for c in (u, v))
    if form == "YUYV":
        return np.stack((luma[:, ::2], u[:, ::2], luma[:, 1::2], v[:, ::2]), -1).tobytes()
    return luma.tobytes() + np.stack((u[::2, ::2], v[::2, ::2]), -1).tobytes()


def blocks(height: int = 48, width: int = 64) -> np.ndarray:
    """Random colours in blocks of 8, so that sharing chroma loses nothing."""
    small = np.random.default_rng(2).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return small.repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("form", ["YUYV", "NV12"])
@pytest.mark.parametrize(("weights", "full"), [(BT601, False), (BT709, False), (BT601, True)])
def test_colours_come_back_within_rounding(form, weights, full):
    shown = blocks()
    convert = Converter(Raw(form, 64, 48, 128 if form == "YUYV" else 64, weights, full), Want(64, 48, 3, 0))
    made = convert(quads(form, shown, weights, full))
    assert made.shape == shown.shape
    assert made.flags.c_contiguous
    assert np.abs(made.astype(int) - shown).max() <= 2


@pytest.mark.parametrize("form", ["YUYV", "NV12"])
def test_a_large_picture_is_made_smaller_but_not_below_the_wanted_size(form):
    convert = Converter(Raw(form, 64, 48, 128 if form == "YUYV" else 64), Want(15, 20, 3, 0))
    made = convert(quads(form, blocks()))
    assert made.shape == (24, 16, 3)
    assert np.abs(made[2::4, 1::2].astype(int) - blocks()[4::8, 4::8]).max() <= 2


@pytest.mark.parametrize("form", ["YUYV", "NV12"])
def test_grey_is_the_averaged_luma_of_the_full_range(form):
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[::2] = 255
    convert = Converter(Raw(form, 64, 48, 128 if form == "YUYV" else 64), Want(30, 20, 1, 0))
    made = convert(quads(form, shown))
    assert made.shape == (24, 32, 1)
    assert np.abs(made.astype(int) - 128).max() <= 1
    whole = Converter(Raw(form, 64, 48, 128 if form == "YUYV" else 64), Want(64, 48, 1, 0))(
        quads(form, shown)
    )
    assert (whole.min(), whole.max()) == (0, 255)


def test_padded_rows_are_cut_off():
    shown = blocks()
    rows = np.frombuffer(quads("YUYV", shown), np.uint8).reshape(48, 128)
    padded = np.concatenate((rows, np.full((48, 32), 77, np.uint8)), axis=1).tobytes()
    made = Converter(Raw("YUYV", 64, 48, 160), Want(64, 48, 3, 0))(padded)
    assert np.abs(made.astype(int) - shown).max() <= 2


@pytest.mark.parametrize(
    ("size", "wanted", "expected"), [(640, 300, 2), (480, 300, 1), (640, 96, 5), (100, 200, 1)]
)
def test_divisors(size, wanted, expected):
    assert divisor(size, wanted) == expected


def pix(**keys: int) -> videodev.PixelFormat:
    return videodev.PixelFormat(width=64, height=48, **keys)


@pytest.mark.parametrize(("keys", "weights", "full"), [
    ({"colorspace": 8}, BT601, False),  # sRGB, what webcams say
    ({"colorspace": 3}, BT709, False),
    ({"colorspace": 7}, BT601, True),  # JPEG
    ({"colorspace": 8, "ycbcr_enc": 2, "quantization": 1}, BT709, True),
    ({"colorspace": 7, "quantization": 2}, BT601, False),
])  # fmt: skip
def test_the_drivers_word_on_colours_is_taken(keys, weights, full):
    assert layout("YUYV", pix(**keys))[4:] == (weights, full)


# MJPEG


def test_mjpeg_is_decoded_at_a_reduced_scale_but_not_below_the_wanted_size():
    data = simplejpeg.encode_jpeg(blocks(480, 640), 90)
    assert jpeg.frame(data, Want(300, 200, 3, 0)).shape == (240, 320, 3)
    assert jpeg.frame(data, Want(300, 300, 3, 0)).shape[0] >= 300
    assert jpeg.frame(data, Want(96, 96, 1, 0)).shape[2] == 1
    assert jpeg.frame(data, Want(2000, 2000, 3, 0)).shape == (480, 640, 3)


def test_mjpeg_as_cameras_give_it():
    data = simplejpeg.encode_jpeg(blocks(), 95, colorsubsampling="444")
    plain = jpeg.frame(data, Want(64, 48, 3, 0))
    assert np.abs(plain.astype(int) - blocks()).mean() < 6
    assert np.array_equal(jpeg.frame(data + bytes(500), Want(64, 48, 3, 0)), plain)  # padded with zeros
    assert np.array_equal(jpeg.frame(without_tables(data), Want(64, 48, 3, 0)), plain)  # no Huffman tables


@pytest.mark.parametrize("cut", [0, 2, 200, -2, -300])
def test_a_cut_off_mjpeg_frame_is_none(cut):
    data = simplejpeg.encode_jpeg(blocks(), 95)
    assert jpeg.frame(data[:cut], Want(64, 48, 3, 0)) is None
    assert jpeg.frame(data[:cut] + b"\xff\xd9", Want(64, 48, 3, 0)) is None or cut == -2


def without_tables(data: bytes) -> bytes:
    """A JPEG without its DHT segments: those of ITU-T T.81 Annex K are meant, as in many cameras' MJPEG."""
    kept, at = data[:2], 2
    while True:
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
        if data[at + 1] == 0xDA:
            return kept + data[at:]
        kept += b"" if data[at + 1] == 0xC4 else data[at : at + length]
        at += length


def test_a_buffer_that_is_too_short_is_no_picture():
    convert = converter("YUYV", pix(bytesperline=128, colorspace=8), Want(64, 48, 3, 0))
    assert convert(memoryview(bytes(128 * 48 - 1))) is None
    assert convert(memoryview(bytes(128 * 48))).shape == (48, 64, 3)


# What to ask the camera for


def modes(*rows: tuple[str, int, int, float]) -> list[Mode]:
    return [Mode(*row) for row in rows]


WEBCAM = modes(
    ("YUYV", 160, 120, 30), ("YUYV", 320, 240, 30), ("YUYV", 640, 480, 30), ("YUYV", 1280, 720, 10),
    ("MJPG", 320, 240, 30), ("MJPG", 640, 480, 30), ("MJPG", 1280, 720, 30),
)  # fmt: skip


@pytest.mark.parametrize(("want", "expected"), [
    (Want(300, 300, 3, 5), ("YUYV", 640, 480)),
    (Want(300, 240, 3, 5), ("YUYV", 320, 240)),
    (Want(96, 96, 1, 5), ("YUYV", 160, 120)),
    (Want(800, 600, 3, 5), ("YUYV", 1280, 720)),
    (Want(800, 600, 3, 25), ("MJPG", 1280, 720)),  # raw would be too slow on this bus
    (Want(4000, 3000, 3, 5), ("YUYV", 1280, 720)),  # the nearest that there is
])  # fmt: skip
def test_the_nearest_size_that_is_not_smaller_in_the_cheapest_format(want, expected):
    assert best(WEBCAM, want, shape.V4l2())[:3] == expected


def test_a_size_of_the_config_is_taken_or_refused():
    assert best(WEBCAM, WANT, shape.V4l2(width=320, height=240))[1:3] == (320, 240)
    with pytest.raises(RefusedError) as refused:
        best(WEBCAM, WANT, shape.V4l2(width=333))
    assert "640x480" in refused.value.hint


@pytest.mark.parametrize(("wanted", "expected"), [(5, 5), (6, 7.5), (0, 15), (1, 5), (60, 30)])
def test_the_slowest_rate_that_is_enough(wanted, expected):
    assert slowest([(30.0,), (15.0,), (7.5,), (5.0,)], wanted) == expected
    assert slowest([(2.0, 30.0)], wanted) == {0: 15.0, 60: 30.0}.get(wanted, max(2.0, wanted))
    assert slowest([], wanted) == 0.0


@pytest.mark.parametrize(("wanted", "expected"), [(300, 304), (16, 32), (5000, 1920), (32, 32)])
def test_a_size_out_of_a_range(wanted, expected):
    assert stepped(wanted, 32, 1920, 16) == expected


# The kernel's interface


def test_structures_have_the_kernels_sizes():
    """From linux/videodev2.h on a 64-bit machine; a size is part of each request's code."""
    sizes = {"Capability": 104, "FormatDescription": 64, "SizeDescription": 44, "IntervalDescription": 52,
             "Format": 208, "CaptureParameters": 204, "RequestBuffers": 20, "Buffer": 88}  # fmt: skip
    assert {name: ctypes.sizeof(getattr(videodev, name)) for name in sizes} == sizes
    assert (videodev.QUERYCAP, videodev.S_FMT, videodev.DQBUF, videodev.STREAMON) == (
        0x80685600, 0xC0D05605, 0xC0585611, 0x40045612,
    )  # fmt: skip


@pytest.mark.parametrize(("path", "kind", "found"), [
    ("/dev/video-absent", UnavailableError, "there is no device"),
    ("/dev/null", RefusedError, "is no camera"),
])  # fmt: skip
def test_what_is_no_camera(path, kind, found):
    with pytest.raises(kind) as caught:
        opened(shape.V4l2(device=path), WANT)
    assert found in caught.value.message
    assert path in caught.value.message
    assert caught.value.hint


def test_a_plain_file_is_no_camera(tmp_path: Path):
    (tmp_path / "video0").write_text("no")
    with pytest.raises(RefusedError):
        opened(shape.V4l2(device=str(tmp_path / "video0")), WANT)
