"""TFLite Metadata: what a model's maker wrote into the file for those who run it.

A flatbuffer (identifier ``M001``) in the model's buffer named ``TFLITE_METADATA`` says how pictures are
scaled, which output is which and which associated file holds the labels; those files are in a zip archive at
the model's end. Source of the numbers: ``metadata_schema.fbs`` of TensorFlow Lite Support, version 1.5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from mmap import mmap
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


def associated(data: Bytes | mmap, name: str) -> bytes:
    """The bytes of an associated file in the zip archive that ``data`` ends in.

    Raises ``MalformedError`` when the archive is damaged or has no such file. Read by hand (APPNOTE.TXT 6.3,
    sections 4.3.7, 4.3.12, 4.3.16), because the standard library's ``zipfile`` takes 1.8 MB in every worker.
    """
    view = memoryview(data)
    for entry, start in _directory(view):
        if entry == name.encode():
            return _unpacked(view, start, name)
    raise MalformedError(f"its metadata names the file {name}, which is not inside")


def _directory(view: memoryview) -> Iterator[tuple[bytes, int]]:
    """(name, where its local header begins) for every file in the archive."""
    tail = max(0, len(view) - 22 - 0xFFFF)
    end = bytes(view[tail:]).rfind(b"PK\x05\x06")
    if end < 0 or tail + end + 22 > len(view):
        raise MalformedError("its metadata names files, but it does not end in an archive of them")
    end += tail
    count, size, offset = struct.unpack_from("<HII", view, end + 10)
    at = end - size
    before = at - offset  # what lies before the archive, where its offsets do not count that
    for _ in range(count):
        if not 0 <= at <= end - 46 or bytes(view[at : at + 4]) != b"PK\x01\x02":
            raise MalformedError("the archive at its end is damaged")
        name, extra, comment = struct.unpack_from("<HHH", view, at + 28)
        yield bytes(view[at + 46 : at + 46 + name]), before + struct.unpack_from("<I", view, at + 42)[0]
        at += 46 + name + extra + comment


def _unpacked(view: memoryview, start: int, name: str) -> bytes:
    if not 0 <= start <= len(view) - 30 or bytes(view[start : start + 4]) != b"PK\x03\x04":
        raise MalformedError("the archive at its end is damaged")
    flags, method = struct.unpack_from("<HH", view, start + 6)
    crc, packed, size, *skip = struct.unpack_from("<IIIHH", view, start + 14)
    body = view[start + 30 + sum(skip) : start + 30 + sum(skip) + packed]
    if flags & 0b1001 or method not in (0, 8) or size > _LARGEST_FILE or len(body) != packed:
        raise MalformedError(f"its file {name} is encrypted, too large or cut off")
    try:
        text = bytes(body) if method == 0 else zlib.decompressobj(-15).decompress(body, _LARGEST_FILE)
    except zlib.error as error:
        raise MalformedError(f"its file {name} cannot be unpacked: {error}") from None
    if zlib.crc32(text) != crc:
        raise MalformedError(f"its file {name} is damaged")
    return text


def lines(text: bytes) -> tuple[str, ...]:
    """The labels of a file, one a line. Blank lines at the end are none; others keep their place."""
    return tuple(one.strip() for one in text.decode("utf-8-sig", "replace").rstrip().splitlines())
