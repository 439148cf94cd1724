"""Where the numbers of a ``.tflite`` file lie that an interpreter follows: offsets, lengths, indices.

A walk over real tables by the schema (``schema.fbs`` of TensorFlow Lite, version 3), so that a mutation can
hit the one number in a million bytes that matters. What cannot be followed is left out: seeds are whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Field kinds: a letter of ``struct`` is a scalar, "[x" a vector of scalars, "s" a string, a name a table,
#: "[Name" a vector of tables, "?" a table of any layout (an operator's options): its bytes are scalars.
SCHEMA: Final[dict[str, dict[int, str]]] = {
    "Model": {
        0: "I",
        1: "[OperatorCode",
        2: "[SubGraph",
        3: "s",
        4: "[Buffer",
        5: "[i",
        6: "[Metadata",
        7: "[SignatureDef",
    },
    "OperatorCode": {0: "b", 1: "s", 2: "i", 3: "i"},
    "SubGraph": {0: "[Tensor", 1: "[i", 2: "[i", 3: "[Operator", 4: "s"},
    "Tensor": {
        0: "[i",
        1: "b",
        2: "I",
        3: "s",
        4: "Quantization",
        5: "B",
        6: "Sparsity",
        7: "[i",
        8: "B",
    },
    "Quantization": {0: "[f", 1: "[f", 2: "[f", 3: "[q", 4: "B", 6: "i"},
    "Sparsity": {0: "[i", 1: "[i", 2: "[?"},
    "Operator": {0: "I", 1: "[i", 2: "[i", 3: "B", 4: "?", 5: "[B", 6: "b", 7: "[B", 8: "[i"},
    "Buffer": {0: "[B", 1: "Q", 2: "Q"},
    "Metadata": {0: "s", 1: "I"},
    "SignatureDef": {0: "[TensorMap", 1: "[TensorMap", 2: "s", 4: "I"},
    "TensorMap": {0: "s", 1: "I"},
}
SIZES: Final = {"b": 1, "B": 1, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
#: Elements of a long vector that are sites of their own: its beginning says as much as all of it.
FEW: Final = 16


class Site(NamedTuple):
    """``size`` bytes at ``at``; ``kind``: root, vtable, layout, offset, length, scalar, element or data."""

    kind: str
    at: int
    size: int
    path: str


def sites(data: bytes) -> list[Site]:
    """All of a whole model, without what lies in two tables twice."""
    found = dict.fromkeys(_walk(data))
    return list(found)


def _walk(data: bytes) -> Iterator[Site]:
    yield Site("root", 0, 4, "root")
    yield from _table(data, struct.unpack_from("<I", data, 0)[0], "Model", "Model")


def _table(data: bytes, at: int, name: str, path: str) -> Iterator[Site]:
    vtable = at - struct.unpack_from("<i", data, at)[0]
    length, size = struct.unpack_from("<HH", data, vtable)
    yield Site("vtable", at, 4, path)
    yield Site("layout", vtable, 2, path)
    yield Site("layout", vtable + 2, 2, path)
    if name == "?":
        yield from _unknown(data, at, vtable, length, size, path)
        return
    for field, kind in SCHEMA[name].items():
        place = vtable + 4 + 2 * field
        if place + 2 > vtable + length:
            continue
        offset = struct.unpack_from("<H", data, place)[0]
        yield Site("layout", place, 2, f"{path}.{field}")
        if offset:
            yield from _field(data, at + offset, kind, f"{path}.{field}")


def _unknown(data: bytes, at: int, vtable: int, length: int, size: int, path: str) -> Iterator[Site]:
    for place in range(vtable + 4, vtable + length, 2):
        yield Site("layout", place, 2, path)
    for place in range(at + 4, min(at + size, len(data) - 4), 4):
        yield Site("scalar", place, 4, path)


def _field(data: bytes, at: int, kind: str, path: str) -> Iterator[Site]:
    if kind in SIZES:
        yield Site("scalar", at, SIZES[kind], path)
        return
    yield Site("offset", at, 4, path)
    target = at + struct.unpack_from("<I", data, at)[0]
    if kind == "s" or kind.startswith("["):
        yield from _vector(data, target, kind.removeprefix("[") if kind != "s" else "B", path)
    else:
        yield from _table(data, target, kind, path)


def _vector(data: bytes, at: int, kind: str, path: str) -> Iterator[Site]:
    count = struct.unpack_from("<I", data, at)[0]
    yield Site("length", at, 4, path)
    if kind in SIZES:
        size = SIZES[kind]
        if path.startswith("Model.4"):
            yield Site("data", at + 4, count, path)
        for number in range(min(count, FEW)):
            yield Site("element", at + 4 + number * size, size, path)
        return
    for number in range(count):
        place = at + 4 + 4 * number
        yield Site("offset", place, 4, f"{path}[{number}]")
        yield from _table(data, place + struct.unpack_from("<I", data, place)[0], kind, f"{path}[{number}]")
