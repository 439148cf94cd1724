"""Small ``.tflite`` files for tests, made on the spot with the schema itself, and TFLite Metadata to put into
them.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

#: Types of the schema by NumPy's names.
TYPES = {"float32": "FLOAT32", "uint8": "UINT8", "int8": "INT8", "int32": "INT32", "float16": "FLOAT16"}


class Draft:
    """A graph that grows: tensors and operators are numbered in the order in which they are made."""

    def __init__(self) -> None:
        pytest.importorskip("flatbuffers", reason="models for tests are written with flatbuffers")
        self.schema = pytest.importorskip(
            "ai_edge_litert.schema_py_generated", reason="the schema is LiteRT's"
        )
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self.schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: list[int],
        dtype: str = "float32",
        scale: float = 0.0,
        zero: int = 0,
        data: Any = None,
        signature: list[int] | None = None,
    ) -> int:
        """A tensor, constant where ``data`` is given; its number."""
        made = self.schema.TensorT()
        made.name, made.shape, made.buffer = name, shape, 0
        made.type = getattr(self.schema.TensorType, TYPES[dtype])
        made.shapeSignature = signature
        if scale:
            made.quantization = self.schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero]
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(data, dtype).tobytes(), np.uint8)
            self._buffers.append(buffer)
            made.buffer = len(self._buffers) - 1
        self._tensors.append(made)
        return len(self._tensors) - 1

    def operator(
        self, name: str, inputs: list[int], outputs: list[int], options: str = "", **fields: Any
    ) -> None:
        """An operator; one whose name is no built-in's is custom."""
        code = self.schema.OperatorCodeT()
        builtin = getattr(self.schema.BuiltinOperator, name, self.schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
        code.customCode = name if builtin == self.schema.BuiltinOperator.CUSTOM else None
        self._codes.append(code)
        made = self.schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self._codes) - 1, inputs, outputs
        if options:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, options + "T")()
            for field, value in fields.items():
                setattr(made.builtinOptions, field, value)
        self._operators.append(made)

    def reshape(self, source: int, target: int, shape: list[int]) -> None:
        """RESHAPE, which hands numbers on as they are."""
        size = self.tensor("shape", [len(shape)], "int32", data=shape)
        self.operator("RESHAPE", [source, size], [target], "ReshapeOptions", newShape=shape)

    def packed(
        self,
        inputs: list[int],
        outputs: list[int],
        names: dict[int, str] | None = None,
        metadata: bytes = b"",
    ) -> bytes:
        """The file. ``names`` are put into a signature."""
        import flatbuffers

        graph = self.schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = inputs, outputs
        model = self.schema.ModelT()
        model.version, model.description = 3, "made by a test"
        model.operatorCodes, model.buffers, model.subgraphs = self._codes, self._buffers, [graph]
        if names:
            model.signatureDefs = [self._signature(inputs, outputs, names)]
        if metadata:
            model.metadata = [self._entry(metadata)]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _entry(self, metadata: bytes) -> Any:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(metadata, np.uint8)
        self._buffers.append(buffer)
        made = self.schema.MetadataT()
        made.name, made.buffer = "TFLITE_METADATA", len(self._buffers) - 1
        return made

    def _signature(self, inputs: list[int], outputs: list[int], names: dict[int, str]) -> Any:
        made = self.schema.SignatureDefT()
        made.signatureKey = "serving_default"
        made.inputs = [self._named(one, names) for one in inputs if one in names]
        made.outputs = [self._named(one, names) for one in outputs if one in names]
        return made

    def _named(self, number: int, names: dict[int, str]) -> Any:
        made = self.schema.TensorMapT()
        made.name, made.tensorIndex = names[number], number
        return made


def passing(
    dtype: str = "uint8", scale: float = 0.0, zero: int = 0, shape: tuple[int, ...] = (1, 4, 4, 3)
) -> bytes:
    """A picture in, its numbers out in one row, as they are."""
    draft = Draft()
    size = int(np.prod(shape))
    given = draft.tensor("picture", list(shape), dtype, scale, zero)
    row = draft.tensor("row", [1, size], dtype, scale, zero)
    draft.reshape(given, row, [1, size])
    return draft.packed([given], [row])


def scoring(soft: bool = True, metadata: bytes = b"") -> bytes:
    """A float picture of four values in, scores of four classes out: by SOFTMAX, or the bare logits."""
    draft = Draft()
    given = draft.tensor("picture", [1, 2, 2, 1])
    row, scores = draft.tensor("logits", [1, 4]), draft.tensor("scores", [1, 4])
    draft.reshape(given, row, [1, 4])
    if soft:
        draft.operator("SOFTMAX", [row], [scores], "SoftmaxOptions", beta=1.0)
    return draft.packed([given], [scores if soft else row], metadata=metadata)


def recurrent(names: dict[int, str] | None = None) -> bytes:
    """Adds up: next/sum = state/sum + picture, seen again as total; next/clock = state/clock + elapsed, as
    now.
    """
    draft = Draft()
    given = draft.tensor("picture", [1, 2, 2, 1], "float32")
    elapsed = draft.tensor("elapsed", [1])
    before, clock = draft.tensor("state/sum", [1, 2, 2, 1]), draft.tensor("state/clock", [1])
    after, later = draft.tensor("next/sum", [1, 2, 2, 1]), draft.tensor("next/clock", [1])
    total, now = draft.tensor("total", [1, 4]), draft.tensor("now", [1, 1])
    draft.operator("ADD", [given, before], [after], "AddOptions")
    draft.operator("ADD", [elapsed, clock], [later], "AddOptions")
    draft.reshape(after, total, [1, 4])
    draft.reshape(later, now, [1, 1])
    return draft.packed([before, given, clock, elapsed], [total, after, now, later], names)


def custom(name: str = "somebodys-own-op") -> bytes:
    """A picture into an operator that no runtime knows."""
    draft = Draft()
    given, made = draft.tensor("picture", [1, 4, 4, 3], "uint8"), draft.tensor("out", [1, 4])
    draft.operator(name, [given], [made])
    return draft.packed([given], [made])


def described(
    outputs: tuple[str, ...] = ("probability",),
    labels_file: str = "",
    mean: float | None = None,
    std: float = 1.0,
    box_index: tuple[int, ...] = (),
    box_type: int = 1,
    calibrated: bool = False,
) -> bytes:
    """A metadata flatbuffer, written field by field after ``metadata_schema.fbs``."""
    import flatbuffers

    made = flatbuffers.Builder(512)

    def vector(offsets: list[int]) -> int:
        made.StartVector(4, len(offsets), 4)
        for one in reversed(offsets):
            made.PrependUOffsetTRelative(one)
        return made.EndVector()

    def table(size: int, **fields: tuple[int, Any]) -> int:
        made.StartObject(size)
        for kind, (place, value) in fields.items():
            if kind.startswith("ref"):
                made.PrependUOffsetTRelativeSlot(place, value, 0)
            else:
                made.PrependInt8Slot(place, value, 0)
        return made.EndObject()

    def floats(number: float) -> int:
        made.StartVector(4, 1, 4)
        made.PrependFloat32(number)
        return made.EndVector()

    units = []
    if mean is not None:
        options = table(2, ref1=(0, floats(mean)), ref2=(1, floats(std)))
        units.append(table(2, int1=(0, 1), ref1=(1, options)))
    given = table(7, ref1=(0, made.CreateString("image")), ref2=(4, vector(units)))
    tensors = []
    for place, name in enumerate(outputs):
        files = []
        if labels_file and place == (1 if len(outputs) == 4 else 0):
            files.append(table(5, ref1=(0, made.CreateString(labels_file)), int1=(2, 2)))
        if calibrated:
            files.append(table(5, ref1=(0, made.CreateString("calibration.csv")), int1=(2, 4)))
        content = 0
        if box_index and place == 0:
            made.StartVector(4, 4, 4)
            for one in reversed(box_index):
                made.PrependUint32(one)
            index = made.EndVector()
            boxes = table(3, ref1=(0, index), int1=(1, box_type))
            content = table(3, int1=(0, 3), ref1=(1, boxes))
        fields = {"ref1": (0, made.CreateString(name)), "ref2": (6, vector(files))}
        tensors.append(table(7, **fields, **({"ref3": (3, content)} if content else {})))
    graph = table(10, ref1=(2, vector([given])), ref2=(3, vector(tensors)))
    model = table(8, ref1=(0, made.CreateString("a test's model")), ref2=(3, vector([graph])))
    made.Finish(model, b"M001")
    return bytes(made.Output())


def with_files(model: bytes, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The model with a zip archive of associated files at its end, as the metadata's writers put it there."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return whole.getvalue()


def twin(compiled: bool) -> bytes:
    """Sixteen grey pixels to sixteen scores; ``compiled`` into the Edge TPU's one operator."""
    draft = Draft()
    given = draft.tensor("picture", [1, 4, 4, 1], "uint8", 1 / 256)
    scores = draft.tensor("scores", [1, 16], "uint8", 1 / 256)
    if compiled:
        draft.operator("edgetpu-custom-op", [given], [scores])
    else:
        draft.reshape(given, scores, [1, 16])
    return draft.packed([given], [scores])
