"""Write ``resize.tflite``, the template of the resizing model: ``python -m edged.models.resize``.

One RESIZE_BILINEAR with half-pixel centres on uint8 [1, H, W, C]. Its sizes are placeholders that
``edged.worker.resize`` exchanges. Needs the ``flatbuffers`` package; running the model does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

#: H, W, C, and the output's height and width, as ``edged.worker.resize`` looks for them.
PLACES = (0x51A7E001, 0x51A7E002, 0x51A7E003, 0x51A7E004, 0x51A7E005)
FILE = Path(__file__).with_name("resize.tflite")


def built(height: int, width: int, channels: int, to_height: int, to_width: int) -> bytes:
    """The model's bytes for these sizes."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    sizes = schema.BufferT()
    sizes.data = np.frombuffer(np.array([to_height, to_width], "<i4").tobytes(), np.uint8)
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [_code(schema)]
    model.buffers = [schema.BufferT(), sizes]
    model.subgraphs = [
        _graph(schema, [1, height, width, channels], [1, to_height, to_width, channels]),
    ]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(schema: Any) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESIZE_BILINEAR
    code.version = 3  # the first with half-pixel centres
    return code


def _graph(schema: Any, source: list[int], target: list[int]) -> Any:
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
    operator.builtinOptions = schema.ResizeBilinearOptionsT()
    operator.builtinOptions.halfPixelCenters = True
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(schema, b"picture", source),
        _tensor(schema, b"size", [2], buffer=1),
        _tensor(schema, b"resized", target),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    return graph


def _tensor(schema: Any, name: bytes, shape: list[int], buffer: int = 0) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, shape, buffer
    tensor.type = schema.TensorType.INT32 if buffer else schema.TensorType.UINT8
    if not buffer:
        # XNNPACK takes integers only where they say what they stand for; in and out alike, so the numbers
        # stay as they are.
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [1 / 255], [0]
    return tensor


if __name__ == "__main__":
    FILE.write_bytes(built(*PLACES))
