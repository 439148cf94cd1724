"""What a sketch of edges shows, and how little."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edged.config.shape import File, Hwmon, Model, Pipeline, Source, Synthetic, V4l2
from edged.worker.outline import FRAMES, LEAST, MOST, SIDE, Question, packed, shrunk, sketch

ACTIVITY = Model(file="builtin:activity")


def test_a_picture_is_made_small_by_means() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    small = shrunk(picture)
    assert small.shape == (120, 160, 3)
    np.testing.assert_allclose(small, picture.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3)), rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((432, 768), (90, 160)), ((1000, 300), (160, 48)), ((96, 96), (96, 96)), ((3, 9), (3, 9))],
)
def test_no_sketch_is_larger_than_it_says(size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = shrunk(np.zeros((*size, 1), np.uint8))
    assert small.shape == (*expected, 1) and max(small.shape) <= SIDE


def test_a_step_is_one_line_where_it_is() -> None:
    grey = np.zeros((90, 160), np.float32)
    grey[:, 70:] = 100.0
    found = sketch(grey[..., None])
    assert sorted({int(x) for x in np.nonzero(found)[1]}) in ([69], [70])
    assert np.count_nonzero(found) == 90


@pytest.mark.parametrize("turned", [False, True])
def test_a_circle_is_a_thin_ring(turned: bool) -> None:
    y, x = np.mgrid[:120, :160]
    distance = np.hypot(x - 80, y - 60)
    grey = np.clip(40 - distance, 0, 1) * 90
    found = sketch((grey.T if turned else grey)[..., None])
    around = distance.T if turned else distance
    assert np.abs(around[found] - 40).max() < 2.0
    assert 0.8 < np.count_nonzero(found) / (2 * math.pi * 40) < 1.6


def test_colours_of_one_brightness_have_an_edge() -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, :80, :2] = picture[:, 80:, 1:] = 255  # yellow, cyan
    found = sketch(shrunk(picture))
    assert np.count_nonzero(found) == 90 and {int(one) for one in np.nonzero(found)[1]} <= {79, 80}


def test_darkness_and_its_noise_have_no_edges() -> None:
    dice = np.random.default_rng(1)
    assert not sketch(np.full((120, 160, 3), 20.0, np.float32)).any()
    assert not sketch(20 + dice.normal(0, 2.0, (120, 160, 3)).astype(np.float32)).any()


def test_however_much_there_is_a_bound_holds() -> None:
    """Bits of a sketch: at most those of choosing a tenth of the cells."""
    dice = np.random.default_rng(1)
    stripes = np.indices((160, 160))[1] // 3 % 2 * 100.0  # edges all alike, on a third of the cells
    for grey in (dice.uniform(0, 255, (160, 160)), stripes):
        found = sketch(grey.astype(np.float32)[..., None])
        assert 0 < np.count_nonzero(found) <= found.size * MOST
    cells, kept = SIDE * SIDE, int(SIDE * SIDE * MOST)
    bits = (math.lgamma(cells + 1) - math.lgamma(kept + 1) - math.lgamma(cells - kept + 1)) / math.log(2)
    assert 11_900 < bits < 12_100, "docs/security.md tells 12 kbit"
    assert LEAST > 0


def test_it_is_packed_row_by_row() -> None:
    found = np.zeros((2, 12), np.bool_)
    found[0, 0] = found[1, 11] = True
    answer = packed(found)
    assert (answer.columns, answer.rows, answer.bits) == (12, 2, "800001")


# --- in a process of its own, as the command asks it


def looked(source: Source, **more: Any) -> Any:
    question = Question("hall", Pipeline(source=source), (ACTIVITY,), **more)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "edged.worker.outline"],
        input=msgspec.msgpack.encode(question),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cells(answer: Any) -> Any:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(answer["bits"]), np.uint8))
    return bits[: answer["rows"] * answer["columns"]].reshape(answer["rows"], answer["columns"])


def test_who_walks_by_leaves_nothing_in_it() -> None:
    """The scene with people and without: it is the same sketch. One moment's would not be."""
    scene = Synthetic(width=320, height=240, people=8, cars=0, noise=0, empty=0)
    empty = cells(looked(msgspec.structs.replace(scene, people=0)))
    assert empty.sum() > 300
    assert (cells(looked(scene, seconds=60.0)) == empty).all()
    assert (cells(looked(scene, seconds=0.5)) != empty).sum() > 20


def test_a_recording_that_is_over_soon_is_enough(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "short.mp4"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        picture = np.zeros((180, 320, 3), np.uint8)
        picture[60:120, 100:200] = 200
        for _ in range(3):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        made.mux(stream.encode())
    answer = looked(File(path=str(path)))
    assert (answer["columns"], answer["rows"]) == (160, 90), "a video keeps its shape"
    found = cells(answer)
    rows, columns = np.nonzero(found)
    assert FRAMES > 3 and {29, 30} & {int(one) for one in rows} and {49, 50} & {int(one) for one in columns}
    assert rows.min() >= 28 and rows.max() <= 61 and columns.min() >= 48 and columns.max() <= 101


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        (Hwmon(device="none"), 3, "gives no pictures"),
        (V4l2(device="/dev/video-none"), 4, "/dev/video-none"),
        (File(path="/nowhere.mp4"), 4, "/nowhere.mp4"),
    ],
)
def test_what_cannot_be_looked_at_is_a_sentence(source: Source, code: int, said: str) -> None:
    answer = looked(source)
    assert (answer["exit_code"], answer["bits"]) == (code, "")
    assert said in answer["refused"] and "Traceback" not in answer["refused"]
