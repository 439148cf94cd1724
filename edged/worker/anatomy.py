"""What is inside a ``.tflite`` file, read and held against itself before an interpreter gets it.

The interpreters trust the file: an index or an offset that points outside ends the process, not the attempt.
``dissect`` follows every reference of the schema that an interpreter follows while it builds a graph, and
refuses what does not hold. Source of the numbers: ``schema.fbs`` of TensorFlow Lite, version 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import Final, NamedTuple

from edged.worker import operators
from edged.worker.flatbuffer import Bytes, MalformedError, Table, root

IDENTIFIER: Final = b"TFL3"
EDGETPU_OP: Final = "edgetpu-custom-op"
METADATA: Final = "TFLITE_METADATA"

#: TensorType -> NumPy's name; what is not here edged cannot feed or read, though a model may use it inside.
DTYPES: Final = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8",
    10: "float64",
}  # fmt: skip

#: The largest file: what a board with 1 GiB can map and run; no catalogue of edge models comes near.
LARGEST: Final = 512 * 1024 * 1024  # bytes


class Tensor(NamedTuple):
    """One tensor of the main graph. ``scale`` is 0 when it is not quantised as a whole. A dimension of -1 is
    set at run time.
    """

    number: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Operator(NamedTuple):
    """One operator: its builtin name (``CUSTOM`` with ``custom`` set for a custom one) and the tensors in and
    out (-1: left out).
    """

    name: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Anatomy(NamedTuple):
    """A model's main graph. ``names`` are the signature's names of tensors, where it has one; ``metadata``
    its metadata's bytes.
    """

    description: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: tuple[Operator, ...]
    names: dict[int, str]
    metadata: bytes

    @property
    def custom(self) -> tuple[str, ...]:
        """The names of its custom operators, each once."""
        return tuple(dict.fromkeys(one.custom for one in self.operations if one.custom))

    def maker(self, tensor: int) -> Operator | None:
        """The operator that a tensor comes from."""
        return next((one for one in self.operations if tensor in one.outputs), None)


def dissect(source: Bytes | mmap) -> Anatomy:
    """Read and verify a model. Raises ``MalformedError`` with what does not hold."""
    data = memoryview(source)
    if len(data) > LARGEST:
        raise MalformedError(f"it has {len(data)} bytes, more than {LARGEST}")
    model = root(data, IDENTIFIER)
    if model.integer(0, "I") != 3:
        raise MalformedError(f"its schema version is {model.integer(0, 'I')}, not 3")
    codes = [_code(one) for one in model.tables(1)]
    buffers = [_buffer(one, len(data)) for one in model.tables(4)]
    graphs = [_graph(one, codes, buffers) for one in model.tables(2)]
    if not graphs:
        raise MalformedError("it has no graph")
    tensors, inputs, outputs, operations = graphs[0]
    return Anatomy(
        model.text(3),
        tuple(tensors[one] for one in inputs),
        tuple(tensors[one] for one in outputs),
        operations,
        dict(_names(model, [len(one[0]) for one in graphs])),
        _metadata(model, buffers),
    )


Graph = tuple[tuple[Tensor, ...], tuple[int, ...], tuple[int, ...], tuple[Operator, ...]]


def _code(table: Table) -> tuple[str, str]:
    # Files from before 2020 hold the code in one byte; the larger of the two is the right one.
    code = max(table.integer(0, "b"), table.integer(3, "i"))
    if code != operators.CUSTOM:
        return operators.name(code), ""
    return "CUSTOM", table.text(1) or "(unnamed)"


def _buffer(table: Table, size: int) -> memoryview | None:
    """The bytes that a buffer holds inside of the flatbuffer; None when it points behind it."""
    offset, length = table.integer(1, "Q"), table.integer(2, "Q")
    if offset + length > size:
        raise MalformedError("a buffer lies outside of the file")
    return None if offset > 1 else table.blob(0)


def _graph(table: Table, codes: list[tuple[str, str]], buffers: list[memoryview | None]) -> Graph:
    tensors = tuple(_tensor(one, index, buffers) for index, one in enumerate(table.tables(0)))
    inputs, outputs = table.numbers(1, "i"), table.numbers(2, "i")
    for one in (*inputs, *outputs):
        _within(one, len(tensors), "tensor")
    operations = tuple(_operator(one, codes, len(tensors)) for one in table.tables(3))
    return tensors, inputs, outputs, operations


def _tensor(table: Table, index: int, buffers: list[memoryview | None]) -> Tensor:
    buffer = table.integer(2, "I")
    _within(buffer, max(1, len(buffers)), "buffer")  # buffer 0 is "none", and may itself be left out
    shape = table.numbers(0, "i")
    if any(one < 0 for one in shape):
        raise MalformedError(f"tensor {index} has the shape {list(shape)}")
    kind = table.integer(1, "b")
    dtype = DTYPES.get(kind, f"type {kind}")
    scale, zero_point = _quantization(table.table(4))
    _sparsity(table.table(6))
    _check_constant(index, shape, dtype, buffers[buffer] if buffers else None)
    signature = table.numbers(7, "i")
    dynamic = signature if len(signature) == len(shape) else shape
    return Tensor(index, table.text(3), dynamic, dtype, scale, zero_point)


_WIDTH: Final = {
    "float32": 4,
    "float16": 2,
    "int32": 4,
    "uint8": 1,
    "int64": 8,
    "bool": 1,
    "int16": 2,
    "int8": 1,
}


def _check_constant(index: int, shape: tuple[int, ...], dtype: str, data: memoryview | None) -> None:
    """A constant must hold as many bytes as its shape says: kernels read that many."""
    if not data or dtype not in _WIDTH:
        return
    needed = _WIDTH[dtype]
    for one in shape:
        needed *= one
    if needed > len(data):
        raise MalformedError(f"tensor {index} needs {needed} bytes and has {len(data)}")


def _quantization(table: Table | None) -> tuple[float, int]:
    if table is None:
        return 0.0, 0
    table.floats(0), table.floats(1)
    scales, zeros = table.floats(2), table.numbers(3, "q")
    if zeros and len(zeros) != len(scales) and len(zeros) != 1:
        raise MalformedError(f"a tensor has {len(scales)} scales and {len(zeros)} zero points")
    if len(scales) != 1:
        return 0.0, 0
    return scales[0], zeros[0] if zeros else 0


def _sparsity(table: Table | None) -> None:
    if table is not None:
        table.numbers(0, "i"), table.numbers(1, "i"), list(table.tables(2))


#: Options that hold a vector of int32 as their first field: RESHAPE's new shape, SQUEEZE's dimensions.
_OPTIONS_WITH_VECTOR: Final = {17: "i", 30: "i"}


def _operator(table: Table, codes: list[tuple[str, str]], tensors: int) -> Operator:
    _within(code := table.integer(0, "I"), len(codes), "operator code")
    inputs, outputs = table.numbers(1, "i"), table.numbers(2, "i")
    for one in (*inputs, *outputs, *table.numbers(8, "i")):
        if one != -1:
            _within(one, tensors, "tensor")
    options = table.table(4)
    if options is not None and (kind := _OPTIONS_WITH_VECTOR.get(table.integer(3, "B"))):
        options.numbers(0, kind)
    table.blob(5), table.numbers(7, "?"), table.table(12)
    name, custom = codes[code]
    return Operator(name, custom, inputs, outputs)


def _within(index: int, count: int, what: str) -> None:
    if not 0 <= index < count:
        raise MalformedError(f"it refers to {what} {index} of {count}")


def _names(model: Table, counts: list[int]) -> Iterator[tuple[int, str]]:
    for signature in model.tables(7):
        _within(graph := signature.integer(4, "I"), len(counts), "graph")
        signature.text(2)
        for one in (*signature.tables(0), *signature.tables(1)):
            _within(index := one.integer(1, "I"), counts[graph], "tensor")
            if graph == 0:
                yield index, one.text(0)


def _metadata(model: Table, buffers: list[memoryview | None]) -> bytes:
    found = b""
    for one in model.tables(6):
        _within(index := one.integer(1, "I"), len(buffers), "buffer")
        if one.text(0) == METADATA:
            found = bytes(buffers[index] or b"")
    return found
