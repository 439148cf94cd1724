"""What every decoder promises: edged's own under the suite that others are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from edged.worker.decode import Output
from edged.worker.decode.contract import DecoderContract, flaw, flaw_of_decoder, watch
from edged.worker.observation import Areas, Classes, Detections, Grid, Values


def output(number: int, name: str, shape: tuple[int, ...], dtype: str = "float32", **more: Any) -> Output:
    return Output(number, name, more.pop("role", ""), shape, dtype, **more)


class TestDetector(DecoderContract):
    name = "detector"
    outputs = (
        output(5, "boxes", (1, 3, 4)),
        output(6, "classes", (1, 3)),
        output(7, "scores", (1, 3)),
        output(8, "count", (1,)),
    )
    ranges: ClassVar = {6: (0, 90), 7: (0, 1), 8: (0, 3)}
    unfit = ((), outputs[:3], (output(1, "a", (1, 4)),))

    def examples(self) -> Iterator[Any]:
        boxes = np.array([[[0.1, 0.2, 0.5, 0.6], [-0.1, 0, 1.2, 1], [0, 0, 0, 0]]], np.float32)
        raw = (boxes, np.array([[0, 2, 1]], np.float32), np.array([[0.5, 0.9, 0]], np.float32))
        meant = Detections(
            np.array([[0, 0, 1, 1], [0.1, 0.2, 0.5, 0.6]], np.float32),
            np.array([2, 0]),
            np.array([0.9, 0.5], np.float32),
        )
        yield (*raw, np.array([2], np.float32)), meant


class TestClassifier(DecoderContract):
    name = "classifier"
    outputs = (output(3, "logits", (1, 4), "int8", scale=0.1),)
    unfit = ((), (output(1, "a", (1, 1)),))

    def examples(self) -> Iterator[Any]:
        powers = np.exp(np.array([0.1, 0.2, 0.3, 0.4]))
        yield (np.array([[1, 2, 3, 4]], np.int8),), Classes((powers / powers.sum()).astype(np.float32))


class TestValues(DecoderContract):
    name = "values"
    outputs = (output(1, "a", (1, 2)), output(2, "b", (1,), "uint8", scale=0.5, zero_point=2))
    unfit = ((output(1, "a", (1, 2), "complex64"),),)

    def examples(self) -> Iterator[Any]:
        raw = (np.array([[1, 2]], np.float32), np.array([6], np.uint8))
        yield raw, Values(np.array([1, 2, 2], np.float32))


class TestActivity(DecoderContract):
    name = "activity"
    outputs = (output(1, "movement", (1, 2, 3, 1)), output(2, "presence", (1, 2, 3, 1)))
    unfit = ((), (output(1, "movement", (1, 2, 3, 1)),))

    def examples(self) -> Iterator[Any]:
        one = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1) / 8
        yield (one, one / 2), Grid(one.reshape(2, 3), one.reshape(2, 3) / 2)


class TestPoseOfOne(DecoderContract):
    name = "pose"
    outputs = (output(0, "output_0", (1, 1, 17, 3)),)
    ranges: ClassVar = {0: (0, 1)}
    unfit = ((), (output(0, "a", (1, 17, 3)),), (output(0, "a", (1, 1, 16, 3)),))


class TestPoseOfSeveral(DecoderContract):
    name = "pose"
    outputs = (output(0, "output_0", (1, 6, 56)),)
    ranges: ClassVar = {0: (0, 1)}


class TestPoseInWholeNumbers(DecoderContract):
    name = "pose"
    outputs = (output(0, "output_0", (1, 1, 17, 3), "uint8", scale=1 / 255),)


class TestSegmentation(DecoderContract):
    name = "segmentation"
    outputs = (output(4, "scores", (1, 2, 2, 3)),)
    labels = ("background", "water", "car")
    unfit = ((), (output(1, "a", (1, 9)),), (output(1, "a", (1, 2, 2, 4)),), outputs * 2)

    def examples(self) -> Iterator[Any]:
        logits = np.array([[[[5, 0, 0], [0, 5, 0]], [[0, 0, 5], [0, 0, 0]]]], np.float32)
        sure = np.exp(5) / (np.exp(5) + 2)
        scores = np.array([[sure, sure], [sure, 1 / 3]], np.float32)
        yield (logits,), Areas(np.array([[0, 1], [2, 0]]), scores, 0)


class TestSegmentationOfOneClass(DecoderContract):
    name = "segmentation"
    outputs = (output(4, "mask", (1, 2, 2, 1), "uint8", scale=1 / 255),)

    def examples(self) -> Iterator[Any]:
        scores = np.array([[0, 1], [0.2, 0.6]], np.float32)
        raw = np.array([[[[0], [255]], [[51], [153]]]], np.uint8)
        yield (raw,), Areas(np.zeros((2, 2), np.int64), scores, -1)


class TestSegmentationByNumbers(DecoderContract):
    name = "segmentation"
    outputs = (output(4, "classes", (1, 2, 3), "int32"),)
    ranges: ClassVar = {4: (0, 20)}

    def examples(self) -> Iterator[Any]:
        raw = np.array([[[0, 1, 2], [20, 0, 7]]], np.int32)
        yield (raw,), Areas(raw[0].astype(np.int64), np.ones((2, 3), np.float32), 0)


# --- the suite itself: a decoder that breaks a promise is found

BOX = np.array([[0.1, 0.1, 0.2, 0.2]], np.float32)
SCORE, KIND = np.array([0.5], np.float32), np.array([1])
TWO = np.array([0.2, 0.9], np.float32)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Detections(BOX, KIND, SCORE), ""),
        (Classes(SCORE), "it gave Classes and promised Detections"),
        (Detections(BOX.astype(np.float64), KIND, SCORE), "its boxes are float64"),
        (Detections(BOX, KIND.astype(np.int32), SCORE), "its classes are int32"),
        (Detections(BOX, KIND, TWO), "not as many"),
        (Detections(BOX, -KIND, SCORE), "below 0"),
        (Detections(np.concatenate([BOX, BOX]), np.array([1, 1]), TWO), "best is not first"),
        (Detections(BOX * 9, KIND, SCORE), "its boxes leave 0..1"),
        (Detections(BOX, KIND, SCORE * 3), "its scores leave 0..1"),
        (Detections(BOX, KIND, SCORE * np.float32("nan")), "its scores are no numbers"),
        (Detections(BOX * np.float32("inf"), KIND, SCORE), "its boxes are no numbers"),
    ],
)
def test_what_is_wrong_with_detections_is_named(found: Any, said: str) -> None:
    wrong = flaw(found, Detections)
    assert said in wrong and bool(wrong) == bool(said)


def test_what_is_wrong_with_areas_and_grids_is_named() -> None:
    cells = np.zeros((2, 2), np.int64)
    sure = np.ones((2, 2), np.float32)
    assert not flaw(Areas(cells, sure, 0), Areas)
    assert "as many" in flaw(Areas(cells, sure[:1], 0), Areas)
    assert "below 0" in flaw(Areas(cells - 1, sure, 0), Areas)
    assert "scores leave" in flaw(Areas(cells, sure * 2, 0), Areas)
    assert "differ in size" in flaw(Grid(sure, sure[:1]), Grid)


class Fake:
    tensors: Any = (1,)
    gives: Any = Values

    def __init__(self, **what: Any) -> None:
        self.__dict__.update(what)

    def __call__(self, *raw: Any) -> Values:
        return Values(raw[0])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, ""),
        ({"tensors": [1]}, "tensors"),
        ({"tensors": (2,)}, "tensors"),
        ({"gives": dict}, "no observation"),
        ({"labels": ["a"]}, "labels"),
        ({"labels": ("",)}, "labels"),
    ],
)
def test_what_is_wrong_with_a_decoder_is_named(what: dict[str, Any], said: str) -> None:
    wrong = flaw_of_decoder(Fake(**what), (output(1, "a", (1, 2)),))
    assert said in wrong and bool(wrong) == bool(said)


def broken(call: Any, **what: Any) -> Any:
    class Broken(Fake):
        def __call__(self, *raw: Any) -> Any:
            return call(self, *raw)

    class Contract(DecoderContract):
        name = "values"
        outputs = (output(1, "a", (1, 2)),)

        def _made(self) -> Any:
            return Broken(**what)

    return Contract()


def test_a_decoder_that_keeps_what_it_gave_is_found() -> None:
    kept = np.zeros(2, np.float32)

    def call(_: Any, raw: Any) -> Values:
        kept[:] = raw.reshape(-1)
        return Values(kept)

    with pytest.raises(AssertionError, match="what it gave changed afterwards"):
        broken(call).test_it_changes_nothing_and_remembers_nothing()


def test_a_decoder_that_writes_into_what_it_gets_is_found() -> None:
    def call(_: Any, raw: Any) -> Values:
        raw += 1
        return Values(raw.reshape(-1).copy())

    with pytest.raises(AssertionError, match="it writes into what it gets"):
        broken(call).test_it_changes_nothing_and_remembers_nothing()


def test_a_decoder_that_believes_a_hostile_model_is_found() -> None:
    def call(_: Any, raw: Any) -> Values:
        return Values(raw.reshape(-1).copy())

    with pytest.raises(AssertionError, match="its values are no numbers, or infinite"):
        broken(call).test_whatever_a_hostile_model_gives_the_observation_is_whole_or_it_is_refused()


def test_a_decoder_of_others_is_asked_frame_by_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    from edged.config.shape import Model
    from edged.errors import RefusedError
    from edged.worker.decode import plugin

    outputs = (output(1, "a", (1, 2)),)
    made = Fake(labels=("heat", "cold"))
    monkeypatch.setitem(plugin._brought, "blobs", lambda *_: made)
    decoder = plugin.made(outputs, (), Model(file="m.tflite", decoder="blobs"))
    assert (decoder.tensors, decoder.gives, decoder.labels) == ((1,), Values, ("heat", "cold"))  # type: ignore[attr-defined]
    assert decoder(TWO).values is TWO
    for wrong in (np.full(2, np.inf, np.float32), np.zeros((1, 2), np.float32), np.zeros(2)):
        with pytest.raises(RefusedError, match='the decoder "blobs" keeps no rules: its values are'):
            decoder(wrong)


def test_a_decoder_that_opens_or_imports_is_found() -> None:
    def call(_: Any, raw: Any) -> Values:
        with open("/proc/self/stat", "rb"):  # noqa: PTH123
            return Values(raw.reshape(-1))

    with pytest.raises(AssertionError, match="open"):
        broken(call).test_a_locked_worker_can_run_it()
    assert not watch().on
