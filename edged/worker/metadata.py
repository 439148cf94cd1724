"""TFLite Metadata: what a model's maker wrote into the file for those who run it.

A flatbuffer (identifier ``M001``) in the model's buffer named ``TFLITE_METADATA`` says how pictures are
scaled, which output is which and which associated file holds the labels; those files are in a zip archive at
the model's end. Source of the numbers: ``metadata_schema.fbs`` of TensorFlow Lite Support, version 1.5.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final, NamedTuple

from edged.worker.flatbuffer import Bytes, MalformedError, Table, root

IDENTIFIER: Final = b"M001"
_AXIS_LABELS, _VALUE_LABELS, _CALIBRATION = 2, 3, 4
_NORMALIZATION: Final = 1
_BOXES, _AUDIO = 3, 4
#: Larger label files than this are none: the largest public list (of 21,841 ImageNet classes) has 0.4 MB.
_LARGEST_FILE: Final = 4 * 1024 * 1024  # bytes


class TensorInfo(NamedTuple):
    """What the metadata says of one input or output.

    ``mean``, ``std``: of the normalisation, one or one per channel. ``labels_file``: the associated file of
    its axis or its values. ``box_index``: where left, top, right, bottom lie among a box's four numbers.
    ``box_type``: 1 for boundaries. ``sample_rate`` in Hz. ``calibrated``: its scores want a calibration file.
    """

    name: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels_file: str = ""
    box_index: tuple[int, ...] = ()
    box_type: int = 0
    box_pixels: bool = False
    sample_rate: int = 0
    calibrated: bool = False


class Metadata(NamedTuple):
    """The parts of a model's metadata that edged uses; empty tuples where there is none."""

    name: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()

    @property
    def labels_file(self) -> str:
        """The first output's file of labels, "" when none has one."""
        return next((one.labels_file for one in self.outputs if one.labels_file), "")


def parse(data: Bytes) -> Metadata:
    """Read the metadata flatbuffer; empty bytes give an empty ``Metadata``. Raises ``MalformedError``."""
    if not data:
        return Metadata()
    model = root(data, IDENTIFIER)
    graph = next(model.tables(3), None)
    return Metadata(
        model.text(0),
        model.text(1),
        model.text(4),
        model.text(5),
        tuple(_tensor(one) for one in graph.tables(2)) if graph else (),
        tuple(_tensor(one) for one in graph.tables(3)) if graph else (),
    )


def _tensor(table: Table) -> TensorInfo:
    mean, std = _normalization(table)
    files = {one.integer(2, "b"): one.text(0) for one in reversed(list(table.tables(6)))}
    content = table.table(3)
    kind = content.integer(0, "B") if content else 0
    properties = content.table(1) if content else None
    boxes = properties if kind == _BOXES else None
    return TensorInfo(
        table.text(0),
        mean,
        std,
        files.get(_AXIS_LABELS, "") or files.get(_VALUE_LABELS, ""),
        boxes.numbers(0, "I") if boxes else (),
        boxes.integer(1, "b") if boxes else 0,
        bool(boxes and boxes.integer(2, "b")),
        properties.integer(0, "I") if properties and kind == _AUDIO else 0,
        _CALIBRATION in files,
    )


def _normalization(table: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in table.tables(4):
        options = unit.table(1)
        if unit.integer(0, "B") == _NORMALIZATION and options is not None:
            return options.floats(0), options.floats(1)
    return (), ()


def associated(data: Bytes, name: str) -> bytes:
    """The bytes of an associated file. Raises ``MalformedError`` when the archive is damaged or has no such
    file.
    """
    # Imported here: only models with labels inside need it, and it brings 1 MB along.
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(BytesIO(data)) as archive:
            if archive.getinfo(name).file_size > _LARGEST_FILE:
                raise MalformedError(f"its file {name} is larger than {_LARGEST_FILE} bytes")
            return archive.read(name)
    except KeyError:
        raise MalformedError(f"its metadata names the file {name}, which is not inside") from None
    except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise MalformedError(f"the archive at its end cannot be read: {error}") from None


def lines(text: bytes) -> tuple[str, ...]:
    """The labels of a file, one a line. Blank lines at the end are none; others keep their place."""
    return tuple(one.strip() for one in text.decode("utf-8-sig", "replace").rstrip().splitlines())
