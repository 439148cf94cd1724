"""Models from the inside: their flatbuffers, their metadata, and everything that can be wrong with either."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import drafts
import numpy as np
import pytest

from edged.config.shape import Model
from edged.errors import RefusedError, UnavailableError
from edged.worker import anatomy, metadata, operators
from edged.worker.flatbuffer import MalformedError, root
from edged.worker.intake import Window
from edged.worker.runtime import Network, open_network

LABELS = b"empty\nhalf\nfull\nover"


def opened(path: Path, content: bytes, **keys: object) -> Network:
    path.write_bytes(content)
    return open_network(Model(file=str(path), **keys))  # type: ignore[arg-type]


def described(**keys: object) -> bytes:
    return drafts.scoring(metadata=drafts.described(**keys))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_labels_and_normalisation_come_from_inside(tmp_path: Path, method: int) -> None:
    model = drafts.with_files(
        described(labels_file="labels.txt", mean=127.5, std=64.0), {"labels.txt": LABELS}, method
    )
    network = opened(tmp_path / "m.tflite", model)
    assert network.labels == ("empty", "half", "full", "over")
    assert (network.picture.mean, network.picture.std) == ((127.5,), (64.0,))


def test_the_config_goes_before_the_metadata(tmp_path: Path) -> None:
    model = drafts.with_files(described(labels_file="labels.txt", mean=1.0, std=2.0), {"labels.txt": LABELS})
    network = opened(tmp_path / "m.tflite", model, labels=("a", "b", "c", "d"), mean=(3.0,), std=(4.0,))
    assert (network.labels, network.picture.mean, network.picture.std) == (
        ("a", "b", "c", "d"),
        (3.0,),
        (4.0,),
    )
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfuno \r\ndue\r\ntre\r\nquattro\r\n\r\n")
    network = opened(tmp_path / "m.tflite", model, labels_file=str(tmp_path / "l.txt"))
    assert network.labels == ("uno", "due", "tre", "quattro")


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="the labels cannot be read: No such file"):
        opened(tmp_path / "m.tflite", described(mean=0.0), labels_file=str(tmp_path / "none.txt"))
    with pytest.raises(RefusedError, match="it has 4 classes, but there are 2 labels"):
        opened(tmp_path / "m.tflite", described(mean=0.0), labels=("a", "b"))


def test_labels_of_another_encoding_are_refused_with_their_line(tmp_path: Path) -> None:
    """They would lose letters without a word, and no measure would find them."""
    (tmp_path / "l.txt").write_bytes("frei\nFußgänger\nbesetzt\nvoll\n".encode("latin-1"))
    with pytest.raises(RefusedError, match=r"l\.txt: line 2 is no UTF-8") as caught:
        opened(tmp_path / "m.tflite", described(mean=0.0), labels_file=str(tmp_path / "l.txt"))
    assert "iconv" in caught.value.hint


def test_a_float_input_must_say_how_pixels_are_scaled(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not say how pixels become its float32 input") as caught:
        opened(tmp_path / "m.tflite", drafts.scoring())
    assert "mean and std" in caught.value.hint
    for mean, std, said in (
        ((1.0, 2.0), (1.0,), "mean is"),
        ((1.0,), (0.0,), "std is"),
        ((float("nan"),), (1.0,), "mean"),
    ):
        with pytest.raises(RefusedError, match=said):
            opened(tmp_path / "m.tflite", drafts.scoring(), mean=mean, std=std)


def test_scores_that_want_calibration_are_not_passed_off_as_calibrated(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="calibration"):
        opened(tmp_path / "m.tflite", described(mean=0.0, calibrated=True))


@pytest.mark.parametrize(
    ("files", "cut", "said"),
    [
        ({}, 0, "does not end in an archive"),
        ({"other.txt": b"x"}, 0, "names the file labels.txt, which is not inside"),
        ({"labels.txt": LABELS}, 30, "does not end in an archive"),
    ],
)
def test_an_archive_without_the_labels(tmp_path: Path, files: dict[str, bytes], cut: int, said: str) -> None:
    model = described(labels_file="labels.txt", mean=0.0)
    whole = drafts.with_files(model, files) if files else model
    with pytest.raises(RefusedError, match=said):
        opened(tmp_path / "m.tflite", whole[: len(whole) - cut])


def test_every_damage_to_an_archive_is_noticed_or_harmless() -> None:
    archive = drafts.with_files(b"TFL3" * 8, {"labels.txt": LABELS}, zipfile.ZIP_DEFLATED)
    noticed = 0
    for place in range(32, len(archive)):
        for change in (0, 0xFF, archive[place] ^ 1):
            damaged = bytearray(archive)
            damaged[place] = change
            try:
                assert metadata.associated(bytes(damaged), "labels.txt") == LABELS
            except MalformedError:
                noticed += 1
    assert noticed > 100


def test_the_real_detectors_metadata(shared: Path) -> None:
    data = (shared / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite").read_bytes()
    found = metadata.parse(anatomy.dissect(data).metadata)
    assert [one.name for one in found.outputs] == ["locations", "classes", "scores", "number of detections"]
    assert found.outputs[0].box_index == (1, 0, 3, 2)
    assert (found.inputs[0].mean, found.inputs[0].std, found.labels_file) == (
        (127.5,),
        (127.5,),
        "labelmap.txt",
    )


def test_sound_says_its_rate(shared: Path) -> None:
    network = open_network(Model(file=str(shared / "models/yamnet_audio_classifier_with_metadata.tflite")))
    assert network.intake == Window((15600,), "float32", rate=16000)
    with pytest.raises(RefusedError, match="which is no picture"):
        _ = network.picture


@pytest.mark.parametrize(
    ("shape", "signature", "dtype", "said"),
    [
        ([1, 1, 1, 3], [1, -1, -1, 3], "uint8", "is not fixed"),
        ([1, 3, 32, 32], None, "uint8", "has the channels first"),
        ([1, 32, 32, 3], None, "int32", "its picture input is int32"),
        ([1, 32, 32, 3], None, "float16", "its input is float16"),
        ([1, 5000, 2, 1], None, "uint8", "at most 4096|its picture input"),
    ],
)
def test_an_input_that_cannot_be_fed(
    tmp_path: Path, shape: list[int], signature: list[int] | None, dtype: str, said: str
) -> None:
    draft = drafts.Draft()
    given = draft.tensor("picture", shape, dtype, signature=signature)
    row = draft.tensor("row", [1, int(np.prod(shape))], dtype)
    draft.reshape(given, row, [1, -1])
    with pytest.raises(RefusedError, match=said):
        opened(tmp_path / "m.tflite", draft.packed([given], [row]))


def test_a_batch_of_any_size_is_a_batch_of_one(tmp_path: Path) -> None:
    draft = drafts.Draft()
    given = draft.tensor("picture", [1, 4, 4, 3], "uint8", signature=[-1, 4, 4, 3])
    row = draft.tensor("row", [1, 48], "uint8")
    draft.reshape(given, row, [1, 48])
    assert opened(tmp_path / "m.tflite", draft.packed([given], [row])).picture.shape == (1, 4, 4, 3)


def test_references_that_lead_outside_are_found() -> None:
    """Every 32-bit number of a model made huge: none may be followed."""
    whole = drafts.recurrent()
    for place in range(8, len(whole) - 4, 4):
        for number in (0x7FFFFFF0, 0xFFFFFFF0, len(whole)):
            changed = bytearray(whole)
            struct.pack_into("<I", changed, place, number)
            try:
                found = anatomy.dissect(bytes(changed))
            except MalformedError:
                continue
            assert len(found.inputs) <= 4


def test_only_the_right_kind_and_version() -> None:
    whole = drafts.passing()
    with pytest.raises(MalformedError, match="not 'M001'"):
        root(whole, b"M001")
    assert anatomy.dissect(whole).description == "made by a test"
    assert metadata.parse(b"") == metadata.Metadata()


def test_operators_are_called_as_the_schema_does() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    assert names.items() >= dict(enumerate(operators.NAMES)).items()
    assert operators.name(9999) == "BUILTIN_9999"
