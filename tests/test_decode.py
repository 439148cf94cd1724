"""Decoders: raw outputs to observations, exactly; and which decoder a model gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.decode import Activity, Classifier, Detector, Output, Plain, real, softmax
from edged.worker.decode.choice import chosen
from edged.worker.metadata import TensorInfo

ANY = Model(file="m.tflite")


def output(number: int, name: str, shape: tuple[int, ...], dtype: str = "float32", **more: Any) -> Output:
    return Output(number, name, more.pop("role", ""), shape, dtype, **more)


#: As the four come out of TFLite_Detection_PostProcess.
FOUR = (
    output(5, "a", (1, 3, 4), maker="TFLite_Detection_PostProcess", place=0),
    output(6, "b", (1, 3), maker="TFLite_Detection_PostProcess", place=1),
    output(7, "c", (1, 3), maker="TFLite_Detection_PostProcess", place=2),
    output(8, "d", (1,), maker="TFLite_Detection_PostProcess", place=3),
)
BOXES = np.array([[[0.1, 0.2, 0.5, 0.6], [-0.1, 0.0, 1.2, 1.0], [0.3, 0.3, 0.4, 0.4]]], np.float32)
CLASSES = np.array([[0.0, 2.0, 1.0]], np.float32)
SCORES = np.array([[0.5, 0.9, 0.7]], np.float32)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(("scale", "zero"), [(1 / 256, 0), (0.1, 77), (3.7e-3, -128), (2.0, 5)])
def test_every_byte_becomes_real_exactly(dtype: str, scale: float, zero: int) -> None:
    raw = np.arange(256, dtype=np.uint8).view(dtype)
    found = real(output(0, "x", (256,), dtype, scale=scale, zero_point=zero))(raw)
    expected = (raw.astype(np.float64) - zero) * np.float64(np.float32(scale))
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_wider_integers_become_real_too() -> None:
    raw = np.array([-32768, 0, 32767], np.int16)
    found = real(output(0, "x", (3,), "int16", scale=0.5, zero_point=0))(raw)
    assert found.tolist() == [-16384.0, 0.0, 16383.5]
    assert real(output(0, "x", (1,), "int64"))(np.array([7])).tolist() == [7.0]


def test_detections_are_sorted_cut_and_counted() -> None:
    found = Detector(FOUR)(BOXES, CLASSES, SCORES, np.array([3.0], np.float32))
    assert found.classes.tolist() == [2, 1, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.5])
    np.testing.assert_allclose(found.boxes[0], [0.0, 0.0, 1.0, 1.0])
    assert (found.boxes.dtype, found.classes.dtype, found.scores.dtype) == (np.float32, np.int64, np.float32)


@pytest.mark.parametrize(("count", "left"), [(0.0, 0), (2.0, 2), (3.0, 3), (99.0, 3), (-1.0, 0)])
def test_only_those_that_count(count: float, left: int) -> None:
    found = Detector(FOUR)(BOXES, CLASSES, SCORES, np.array([count], np.float32))
    assert (len(found.boxes), len(found.classes), len(found.scores)) == (left, left, left)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_what_is_no_number_is_refused_where_it_counts(number: float, place: int) -> None:
    raw = [BOXES.copy(), CLASSES.copy(), SCORES.copy(), np.array([2.0], np.float32)]
    raw[place].reshape(-1)[0] = number
    with pytest.raises(RefusedError, match="a number that is none"):
        Detector(FOUR)(*raw)
    if place < 3:  # behind those that count lies what was in memory
        raw[place].reshape(-1)[0], raw[place].reshape(-1)[-1] = 0.5, number
        assert len(Detector(FOUR)(*raw).scores) == 2


def test_what_is_of_no_class_and_too_sure_is_not_believed() -> None:
    scores, classes = np.array([[9.0, 0.5, -1.0]], np.float32), np.array([[3e38, -2.0, 1.0]], np.float32)
    found = Detector(FOUR)(BOXES, classes, scores, np.array([3e38], np.float32))
    assert (found.scores.tolist(), found.classes.tolist()) == ([1.0, 0.0], [2**24, 1])
    assert found.boxes.shape == (2, 4)


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([1e4, 0.0], np.float32)).tolist() == [1.0, 0.0]


def test_plain_values_follow_each_other() -> None:
    found = Plain((output(1, "a", (1, 2)), output(2, "b", (1,), "uint8", scale=0.5, zero_point=2)))
    assert found(np.array([[1.0, 2.0]], np.float32), np.array([6], np.uint8)).values.tolist() == [
        1.0,
        2.0,
        2.0,
    ]


def test_the_grid() -> None:
    movement, presence = output(1, "movement", (1, 2, 3, 1)), output(2, "presence", (1, 2, 3, 1))
    one = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1) / 4
    found = Activity(movement, presence)(one, one / 2)
    assert found.movement.tolist() == [[0, 0.25, 0.5], [0.75, 1, 1]], "no more than all"
    assert found.presence[1, 2] == 0.625


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_operators_own_order_tells_whatever_the_files(order: tuple[int, ...]) -> None:
    decoder = chosen([FOUR[one] for one in order], ANY, ("x",) * 90, ())
    assert (type(decoder), decoder.tensors) == (Detector, (5, 6, 7, 8))


def test_metadata_names_tell_before_the_operator() -> None:
    roles = ("number of detections", "scores", "categories", "locations")
    shapes = ((1,), (1, 3), (1, 3), (1, 3, 4))
    outputs = [
        output(n, f"x{n}", shape, role=role)
        for n, (role, shape) in enumerate(zip(roles, shapes, strict=True))
    ]
    assert chosen(outputs, ANY, (), ()).tensors == (3, 2, 1, 0)


def test_their_own_names_tell_where_nothing_else_does() -> None:
    names = {
        "detection_scores": (1, 3),
        "num_detections": (1,),
        "detection_boxes": (1, 3, 4),
        "detection_classes": (1, 3),
    }
    outputs = [output(n, name, shape) for n, (name, shape) in enumerate(names.items())]
    assert chosen(outputs, ANY, (), ()).tensors == (2, 3, 0, 1)


def test_the_config_tells_where_the_model_does_not() -> None:
    outputs = [output(n, f"x{n}", shape) for n, shape in enumerate([(1, 3), (1,), (1, 3), (1, 3, 4)])]
    with pytest.raises(RefusedError, match="do not tell which is which: x0, x1, x2, x3") as caught:
        chosen(outputs, ANY, (), ())
    assert "outputs = [boxes, classes, scores, count]" in caught.value.hint
    said = Model(file="m.tflite", outputs=("x3", "x0", "x2", "x1"))
    assert chosen(outputs, said, (), ()).tensors == (3, 0, 2, 1)
    with pytest.raises(RefusedError, match="it has no output named 'x9'"):
        chosen(outputs, Model(file="m.tflite", outputs=("x9",)), (), ())


def test_metadata_may_order_a_boxs_edges() -> None:
    info = TensorInfo(box_index=(0, 1, 2, 3), box_type=1)  # left, top, right, bottom
    decoder = chosen(FOUR, ANY, (), (info,))
    found: Any = decoder(BOXES, CLASSES, SCORES, np.array([1.0], np.float32))
    np.testing.assert_allclose(found.boxes[0], [0.2, 0.1, 0.6, 0.5])
    with pytest.raises(RefusedError, match="not given by their four edges"):
        chosen(FOUR, ANY, (), (TensorInfo(box_index=(0, 1, 2, 3), box_type=3),))


@pytest.mark.parametrize(
    ("outputs", "labels", "kind"),
    [
        ([output(1, "a", (1, 1001), maker="SOFTMAX")], 0, Classifier),
        ([output(1, "a", (1, 1, 1, 5), maker="LOGISTIC")], 0, Classifier),
        ([output(1, "a", (1, 5))], 5, Classifier),
        ([output(1, "a", (1, 5))], 0, Plain),
        ([output(1, "a", (1, 1), maker="LOGISTIC")], 0, Plain),
        ([output(1, "a", (1, 17, 3), maker="SOFTMAX")], 0, Plain),
        ([output(1, "a", (1, 5)), output(2, "b", (1, 5))], 0, Plain),
        ([output(1, "presence", (1, 2, 2, 1)), output(2, "movement", (1, 2, 2, 1))], 0, Activity),
    ],
)
def test_what_a_model_is_taken_for(outputs: list[Output], labels: int, kind: type) -> None:
    assert type(chosen(outputs, ANY, ("x",) * labels, ())) is kind


def test_quantised_scores_need_no_softmax() -> None:
    scores = output(1, "a", (1, 4), "uint8", scale=1 / 256)
    raw = np.array([[0, 64, 128, 255]], np.uint8)
    asked = Model(file="m.tflite", decoder="classifier")
    kept: Any = chosen([scores], asked, (), ())(raw)
    np.testing.assert_array_equal(kept.scores, [0, 0.25, 0.5, 255 / 256])
    logits = scores._replace(scale=0.1, zero_point=128)
    made: Any = chosen([logits], asked, (), ())(raw)
    assert made.scores.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("decoder", "outputs", "labels", "said"),
    [
        ("detector", FOUR[:3], 0, "a detector cannot read this; its outputs are a float32 .1, 3, 4."),
        (
            "detector",
            (*FOUR[:3], output(8, "d", (1, 3), maker=FOUR[3].maker, place=3)),
            0,
            "do not fit each other",
        ),
        ("detector", (output(5, "a", (1, 9, 4), maker=FOUR[0].maker), *FOUR[1:]), 0, "do not fit each other"),
        ("classifier", FOUR, 0, "a classifier cannot read this"),
        ("classifier", [output(1, "a", (1, 1))], 0, "a classifier cannot read this"),
        ("classifier", [output(1, "a", (1, 1001))], 1000, "it has 1001 classes, but there are 1000 labels"),
        ("activity", [output(1, "movement", (1, 2, 2, 1))], 0, "finds no movement and presence"),
        ("activity", [output(1, "movement", (1, 2, 2, 1)), output(2, "presence", (1, 4))], 0, "are no grid"),
        ("values", [output(1, "a", (1, 4), "complex64")], 0, "output a is of complex64"),
    ],
)
def test_the_wrong_shape_for_a_decoder_is_refused(decoder: Any, outputs: Any, labels: int, said: str) -> None:
    with pytest.raises(RefusedError, match=said) as caught:
        chosen(outputs, Model(file="m.tflite", decoder=decoder), ("x",) * labels, ())
    assert caught.value.hint
