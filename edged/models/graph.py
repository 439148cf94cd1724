"""Write a small `.tflite` file op by op, without TensorFlow.

A `Graph` collects tensors and operators while ordinary Python expressions run on `Tensor`s
(`a + 0.5 * b`), and `Graph.pack` writes the flatbuffer. Only first versions of old builtin operators are
used, so that `tflite-runtime` 2.14 loads the file as well as LiteRT.

The schema is imported lazily: nothing here is needed to *run* a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]
_IDENTIFIER = b"TFL3"


def _schema() -> Any:
    """The generated flatbuffer schema: needed to write a model, never to run one."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value in the graph; arithmetic on it adds operators to the graph."""

    graph: Graph
    index: int
    shape: Shape

    def __add__(self, other: Tensor | float) -> Tensor:
        return self.graph.binary("ADD", self, other)

    def __radd__(self, other: float) -> Tensor:
        return self.graph.binary("ADD", self, other)

    def __sub__(self, other: Tensor | float) -> Tensor:
        return self.graph.binary("SUB", self, other)

    def __rsub__(self, other: float) -> Tensor:
        return self.graph.binary("SUB", other, self)

    def __mul__(self, other: Tensor | float) -> Tensor:
        return self.graph.binary("MUL", self, other)

    def __rmul__(self, other: float) -> Tensor:
        return self.graph.binary("MUL", self, other)

    def __truediv__(self, other: Tensor | float) -> Tensor:
        if isinstance(other, Tensor):
            return self.graph.binary("DIV", self, other)
        return self * (1.0 / other)

    def __rtruediv__(self, other: float) -> Tensor:
        return self.graph.binary("DIV", other, self)


class Graph:
    """One subgraph under construction. Tensors and operators keep the order in which they were made."""

    def __init__(self, description: str) -> None:
        self._s = _schema()
        self._description = description
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._s.BufferT()]  # buffer 0 is, by the format, the empty one
        self._codes: list[str] = []
        self._operators: list[Any] = []
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._constants: dict[bytes, Tensor] = {}

    # -- tensors ------------------------------------------------------------------------------------
    def _tensor(self, shape: Shape, kind: str = "FLOAT32", buffer: int = 0) -> Tensor:
        made = self._s.TensorT()
        made.name = b""
        made.shape, made.buffer = list(shape), buffer
        made.type = getattr(self._s.TensorType, kind)
        self._tensors.append(made)
        return Tensor(self, len(self._tensors) - 1, shape)

    def _named(self, tensor: Tensor, name: str) -> Tensor:
        self._tensors[tensor.index].name = name.encode()
        return tensor

    def input(self, name: str, shape: Shape, kind: str = "FLOAT32") -> Tensor:
        """Declare an input tensor; `kind` is a name of the schema's `TensorType`."""
        made = self._named(self._tensor(shape, kind), name)
        self._inputs.append(made)
        return made

    def output(self, name: str, tensor: Tensor) -> None:
        """Declare a computed tensor as an output called `name`."""
        self._outputs.append(self._named(tensor, name))

    def constant(self, values: npt.ArrayLike, kind: type[np.generic] = np.float32) -> Tensor:
        """A constant tensor; equal constants are stored once."""
        array = np.asarray(values, dtype=kind)
        key = repr((array.dtype.str, array.shape)).encode() + array.tobytes()
        if key not in self._constants:
            buffer = self._s.BufferT()
            buffer.data = np.frombuffer(array.tobytes(), np.uint8)
            self._buffers.append(buffer)
            kind_name = {"f": "FLOAT32", "i": "INT32"}[array.dtype.kind]
            self._constants[key] = self._tensor(array.shape, kind_name, len(self._buffers) - 1)
        return self._constants[key]

    # -- operators ----------------------------------------------------------------------------------
    def _add(self, code: str, inputs: list[Tensor], shape: Shape, options: str = "", **fields: Any) -> Tensor:
        """Append one operator of the builtin `code`; `options` names its table in the schema."""
        if code not in self._codes:
            self._codes.append(code)
        made = self._s.OperatorT()
        made.opcodeIndex = self._codes.index(code)
        made.inputs = [tensor.index for tensor in inputs]
        if options:
            made.builtinOptionsType = getattr(self._s.BuiltinOptions, options)
            made.builtinOptions = getattr(self._s, options + "T")()
            for name, value in fields.items():
                setattr(made.builtinOptions, name, value)
        out = self._tensor(shape)
        made.outputs = [out.index]
        self._operators.append(made)
        return out

    def binary(self, code: str, left: Tensor | float, right: Tensor | float) -> Tensor:
        """ADD, SUB, MUL, DIV, MINIMUM or MAXIMUM with NumPy's broadcasting; a number is a constant."""
        pair = [v if isinstance(v, Tensor) else self.constant([v]) for v in (left, right)]
        shape = np.broadcast_shapes(pair[0].shape, pair[1].shape)
        options = {"MINIMUM": "MaximumMinimumOptions", "MAXIMUM": "MaximumMinimumOptions"}
        return self._add(code, pair, shape, options.get(code, code.capitalize() + "Options"))

    def minimum(self, left: Tensor, right: Tensor | float) -> Tensor:
        """The smaller of two, element by element."""
        return self.binary("MINIMUM", left, right)

    def maximum(self, left: Tensor, right: Tensor | float) -> Tensor:
        """The larger of two, element by element."""
        return self.binary("MAXIMUM", left, right)

    def float(self, x: Tensor) -> Tensor:
        """The same values as float32."""
        return self._add("CAST", [x], x.shape, "CastOptions")

    def log(self, x: Tensor) -> Tensor:
        """The natural logarithm."""
        return self._add("LOG", [x], x.shape)

    def exp(self, x: Tensor) -> Tensor:
        """e to the power of x."""
        return self._add("EXP", [x], x.shape, "ExpOptions")

    def sqrt(self, x: Tensor) -> Tensor:
        """The square root."""
        return self._add("SQRT", [x], x.shape)

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        """The same elements in another shape."""
        target = self.constant(shape, np.int32)
        return self._add("RESHAPE", [x, target], shape, "ReshapeOptions", newShape=list(shape))

    def mean(self, x: Tensor, axes: tuple[int, ...] = (0, 1)) -> Tensor:
        """The mean over `axes`, which stay with length one."""
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        return self._add("MEAN", [x, self.constant(axes, np.int32)], shape, "ReducerOptions", keepDims=True)

    def transpose(self, x: Tensor) -> Tensor:
        """Swap the two axes of a plane."""
        order = self.constant([1, 0], np.int32)
        return self._add("TRANSPOSE", [x, order], x.shape[::-1], "TransposeOptions")

    def dense(self, x: Tensor, matrix: npt.ArrayLike) -> Tensor:
        """x @ matrix.T for a plane x [rows, columns]: a linear filter along every row."""
        weights = self.constant(matrix)
        return self._add(
            "FULLY_CONNECTED", [x, weights], (x.shape[0], weights.shape[0]), "FullyConnectedOptions"
        )

    def down(self, x: Tensor, matrix: npt.ArrayLike) -> Tensor:
        """matrix @ x: a linear filter along every column."""
        return self.transpose(self.dense(self.transpose(x), matrix))

    def separable(self, x: Tensor, matrix: npt.ArrayLike) -> Tensor:
        """matrix @ x @ matrix.T: any separable filter or resize of a plane, borders included.

        Matrix products are what runtimes do best: a 5x5 mean of 48x48 costs 3 us this way and 49 us as a
        pooling operator with one channel, which XNNPACK cannot vectorise.
        """
        return self.down(self.dense(x, matrix), matrix)

    def average(self, x: Tensor, size: int) -> Tensor:
        """[1, height, width, channels], shrunk by the whole number `size` by averaging."""
        shape = (x.shape[0], x.shape[1] // size, x.shape[2] // size, x.shape[3])
        return self._add(
            "AVERAGE_POOL_2D",
            [x],
            shape,
            "Pool2DOptions",
            padding=self._s.Padding.SAME,
            filterHeight=size,
            filterWidth=size,
            strideH=size,
            strideW=size,
        )

    def largest(self, x: Tensor, size: int) -> Tensor:
        """The maximum over the size x size neighbourhood of every element of a plane."""
        height, width = x.shape
        shape = (1, height, width, 1)
        pooled = self._add(
            "MAX_POOL_2D",
            [self.reshape(x, shape)],
            shape,
            "Pool2DOptions",
            padding=self._s.Padding.SAME,
            filterHeight=size,
            filterWidth=size,
            strideH=1,
            strideW=1,
        )
        return self.reshape(pooled, x.shape)

    # -- file ---------------------------------------------------------------------------------------
    def _code(self, name: str) -> Any:
        code = self._s.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self._s.BuiltinOperator, name)
        code.version = 1
        return code

    def _map(self, tensor: Tensor) -> Any:
        entry = self._s.TensorMapT()
        entry.name, entry.tensorIndex = self._tensors[tensor.index].name, tensor.index
        return entry

    def _signature(self) -> Any:
        signature = self._s.SignatureDefT()
        signature.signatureKey = b"serving_default"
        signature.inputs = [self._map(t) for t in self._inputs]
        signature.outputs = [self._map(t) for t in self._outputs]
        return signature

    def _subgraph(self) -> Any:
        subgraph = self._s.SubGraphT()
        subgraph.name = b"main"
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        subgraph.inputs = [t.index for t in self._inputs]
        subgraph.outputs = [t.index for t in self._outputs]
        return subgraph

    def pack(self) -> bytes:
        """The file's bytes: the same for the same sequence of calls."""
        import flatbuffers

        model = self._s.ModelT()
        model.version, model.description = 3, self._description.encode()
        model.operatorCodes = [self._code(name) for name in self._codes]
        model.buffers, model.subgraphs = self._buffers, [self._subgraph()]
        model.signatureDefs = [self._signature()]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())
