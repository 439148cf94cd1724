"""Preparation: any picture to the tensor that a model wants. Resizing itself is in the runtimes' contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edged.errors import RefusedError
from edged.models import resize as template
from edged.worker import resize
from edged.worker.intake import Picture
from edged.worker.prepare import Preparation

RANDOM = np.random.default_rng(4)
COLOUR = RANDOM.integers(0, 256, (24, 32, 3)).astype(np.uint8)
GREY = RANDOM.integers(0, 256, (24, 32, 1)).astype(np.uint8)


def prepared(picture: Any, **wanted: Any) -> Any:
    return Preparation(Picture(**{"height": 24, "width": 32, "channels": 3, "dtype": "uint8", **wanted}))(
        picture
    )


def test_the_models_own_size_goes_in_as_it_is() -> None:
    found = prepared(COLOUR)
    assert found.shape == (1, 24, 32, 3)
    np.testing.assert_array_equal(found[0], COLOUR)


@pytest.mark.parametrize("wanted", [{}, {"dtype": "int8"}, {"height": 10, "width": 10}, {"channels": 1}])
def test_a_result_is_its_own_and_the_picture_stays(wanted: Any) -> None:
    """A source gives its buffer to the next frame while the model still computes with this one."""
    given = COLOUR.copy()
    prepare = Preparation(Picture(**{"height": 24, "width": 32, "channels": 3, "dtype": "uint8", **wanted}))
    first = prepare(given)
    np.testing.assert_array_equal(given, COLOUR)
    kept = first.copy()
    given[:] = 0
    prepare(given)
    np.testing.assert_array_equal(first, kept)


def test_int8_is_128_less() -> None:
    found = prepared(COLOUR, dtype="int8", scale=1 / 255, zero_point=-128)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found[0].astype(int), COLOUR.astype(int) - 128)


def test_floats_are_normalised() -> None:
    found = prepared(COLOUR, dtype="float32", mean=(127.5,), std=(127.5,))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], (COLOUR.astype(np.float64) - 127.5) / 127.5, atol=1e-6)


def test_each_channel_may_have_its_own_normalisation() -> None:
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    found = prepared(COLOUR, dtype="float32", mean=mean, std=std)
    np.testing.assert_allclose(found[0], (COLOUR - np.array(mean)) / np.array(std), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    ("mean", "std"), [((127.5,), (127.5,)), ((0.0, 10.0, 20.0), (255.0, 200.0, 100.0)), ((0.0,), (1.0,))]
)
def test_quantised_inputs_are_rounded_and_limited(dtype: Any, mean: Any, std: Any) -> None:
    scale, zero = 0.0078125, 128 if dtype == "uint8" else 0
    found = prepared(COLOUR, dtype=dtype, mean=mean, std=std, scale=scale, zero_point=zero)
    limits = np.iinfo(dtype)
    exact = (COLOUR - np.array(mean)) / np.array(std) / scale
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[0], np.clip(np.rint(exact) + zero, limits.min, limits.max))


def test_colour_becomes_grey_as_cameras_make_it() -> None:
    found = prepared(COLOUR, channels=1)
    assert found.shape == (1, 24, 32, 1)
    exact = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(found[0, ..., 0] - exact).max() <= 1.0
    assert prepared(np.full((24, 32, 3), 255, np.uint8), channels=1).min() == 255


def test_grey_becomes_colour() -> None:
    found = prepared(GREY)
    for channel in range(3):
        np.testing.assert_array_equal(found[0, ..., channel], GREY[..., 0])


@pytest.mark.parametrize("picture", [COLOUR, GREY])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_picture_fits_any_model(picture: Any, channels: int) -> None:
    for height, width in ((24, 32), (12, 16), (50, 7)):
        assert prepared(picture, height=height, width=width, channels=channels).shape == (
            1,
            height,
            width,
            channels,
        )


def test_a_source_may_change_its_size() -> None:
    prepare = Preparation(Picture(8, 8, 3, "uint8"))
    for size in ((24, 32), (12, 16), (8, 8), (24, 32)):
        picture = np.full((*size, 3), size[0], np.uint8)
        assert (prepare(picture) == size[0]).all()


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 4), (1, 24, 32, 3)])
def test_what_is_no_picture_is_refused(shape: Any) -> None:
    with pytest.raises(RefusedError, match="a picture came as uint8"):
        prepared(np.zeros(shape, np.uint8))
    with pytest.raises(RefusedError, match="a picture came as float64"):
        prepared(np.zeros((24, 32, 3)))


def test_the_template_is_what_its_script_writes() -> None:
    pytest.importorskip("flatbuffers")
    assert template.FILE.read_bytes() == resize.TEMPLATE
    assert template.PLACES == resize.PLACES
    assert template.built(*template.PLACES) == resize.TEMPLATE


@pytest.mark.parametrize("sizes", [(480, 640, 3, 300, 300), (1, 1, 1, 1, 1), (2160, 3840, 3, 96, 96)])
def test_a_model_made_from_the_template_is_what_the_schema_makes(
    sizes: tuple[int, int, int, int, int],
) -> None:
    pytest.importorskip("flatbuffers")
    assert resize.model(sizes[:3], sizes[3:]) == template.built(*sizes)


def test_resizing_equals_opencv(shared: Any) -> None:
    """The yardstick that published scores were made with."""
    cv2 = pytest.importorskip("cv2")
    simplejpeg = pytest.importorskip("simplejpeg")
    picture = simplejpeg.decode_jpeg((shared / "media/burger.jpg").read_bytes(), "RGB")
    for size in (300, 224, 128, 96):
        found = resize.Resizer(picture.shape, (size, size))(picture)
        expected = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
        assert np.abs(found.astype(int) - expected).max() <= 1
