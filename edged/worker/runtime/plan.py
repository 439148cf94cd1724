"""What a model file says about how to run it: read, verified and matched with the config before an
interpreter exists.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

from edged.config.shape import Model
from edged.errors import RefusedError, UnavailableError
from edged.worker.anatomy import Anatomy, Operator, Tensor, dissect
from edged.worker.flatbuffer import MalformedError
from edged.worker.intake import Intake, Picture, Window
from edged.worker.metadata import Metadata, TensorInfo, associated, lines, parse
from edged.worker.shelf import shelf

BUILTIN: Final = "builtin:"
STATE, NEXT, ELAPSED = "state/", "next/", "elapsed"
#: Operators that pass numbers on: what is asked of their output is asked of what they got.
PASSING: Final = ("RESHAPE", "SQUEEZE", "DEQUANTIZE", "QUANTIZE", "CAST", "MEAN", "REDUCE_MAX")
#: One operator, or several that do its work, see ``_normalises``; and what may stand between those.
NORMALISED: Final = "L2_NORMALIZATION"
ROOTS: Final = ("SQRT", "RSQRT", "SUM", "MAXIMUM", "ADD", "RESHAPE", "BROADCAST_TO", "POW")
FEEDABLE: Final = ("float32", "uint8", "int8", "int16", "int32")

Named = tuple[tuple[str, Tensor], ...]


class Plan(NamedTuple):
    """``given`` is what the runtime gets: the file's path, or its bytes where no path can be opened.
    ``state`` pairs the index of each state/X input with that of its next/X output; ``elapsed`` is the
    index of that input or -1.
    """

    given: str | bytes
    input: int
    intake: Intake
    elapsed: int
    state: tuple[tuple[int, int], ...]
    outputs: Named
    labels: tuple[str, ...]
    anatomy: Anatomy
    metadata: Metadata


def resolved(file: str) -> Path:
    """Where a model named in the config is: ``builtin:NAME`` ships with edged, everything else is a path."""
    if not file.startswith(BUILTIN):
        return Path(file)
    path = Path(__file__).parents[2] / "models" / f"{file.removeprefix(BUILTIN)}.tflite"
    if path.parent.name != "models" or not (shelf.closed or path.is_file()):
        raise RefusedError(f"{file}: edged brings no such model", "builtin:activity is there")
    return path


def planned(model: Model, file: str) -> Plan:
    """Read ``file`` for ``model``. Raises ``RefusedError``, ``UnavailableError``."""
    path = resolved(file)
    data = _mapped(path, file)
    try:
        anatomy = dissect(data)
        metadata = parse(anatomy.metadata)
        labels = _labels(model, metadata, data)
    except MalformedError as error:
        raise not_a_model(file, data, error) from None
    if any(one.calibrated for one in metadata.outputs):
        raise RefusedError(
            f"{file}: its scores want calibration (TENSOR_AXIS_SCORE_CALIBRATION), which edged does not do",
            "take the same model without score calibration in its metadata",
        )
    inputs, outputs = _named(anatomy, anatomy.inputs), _named(anatomy, anatomy.outputs)
    elapsed = next((one for name, one in inputs if name == ELAPSED), None)
    if elapsed is not None and (elapsed.dtype != "float32" or math.prod(elapsed.shape) != 1):
        raise RefusedError(
            f"{file}: its input elapsed is {_shape(elapsed)}", "it can be float32 [1]: seconds"
        )
    place, (_, tensor) = _the_input(file, inputs)
    info = metadata.inputs[place] if place < len(metadata.inputs) else TensorInfo()
    state = tuple(_pairs(file, inputs, outputs))
    return Plan(
        data if isinstance(data, bytes) else str(path),
        tensor.number,
        intake(model, file, tensor, info),
        -1 if elapsed is None else elapsed.number,
        state,
        tuple(one for one in outputs if not one[0].startswith(NEXT)) if state else outputs,
        labels,
        anatomy,
        metadata,
    )


def _mapped(path: Path, file: str) -> mmap.mmap | bytes:
    """The file's bytes, not read into memory unless the worker is locked. Raises ``UnavailableError``,
    ``RefusedError``.
    """
    try:
        if shelf.closed:
            return _filled(shelf.content(path))
        with path.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise UnavailableError(
            f"{file}: there is no such file", "get one with `edged models get`, or correct file of the model"
        ) from None
    except IsADirectoryError:
        raise RefusedError(f"{file}: it is a folder", "file of the model must name a .tflite file") from None
    except ValueError:
        raise RefusedError(
            f"{file}: it is empty", "get it again, for example with `edged models get`"
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"{file}: it cannot be read: {error.strerror}", "the user edged must be able to"
        ) from None


def _filled(data: bytes) -> bytes:
    """The bytes. Raises ``ValueError`` as mmap does when there are none."""
    if not data:
        raise ValueError("empty")
    return data


_KINDS: Final = (
    (b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b", "a gzip archive"), (b"\x89HDF", "a Keras model in HDF5"),
    (b"\x08", "perhaps a TensorFlow or ONNX protocol buffer"), (b"<", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)  # fmt: skip


def not_a_model(file: str, data: mmap.mmap | bytes, error: MalformedError) -> RefusedError:
    """What to say of bytes that are no model, or a damaged one."""
    start = bytes(data[:64])
    if start[4:8] == b"TFL3":
        return RefusedError(
            f"{file}: the model is damaged or cut off: {error}", "get it again and compare its size"
        )
    kind = next((name for magic, name in _KINDS if start.startswith(magic)), "")
    if not kind:
        kind = "text" if start.isascii() and not any(one < 9 for one in start) else "something else"
    return RefusedError(
        f"{file}: it is not a TFLite model but {kind}", "a .tflite file has TFL3 as its bytes 4 to 8"
    )


def _named(anatomy: Anatomy, tensors: Sequence[Tensor]) -> Named:
    """With the signature's names; else the tensors' own, without what the converter puts around them."""
    return tuple(
        (anatomy.names.get(one.number) or one.name.removeprefix("serving_default_").removesuffix(":0"), one)
        for one in tensors
    )


def _shape(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _the_input(file: str, inputs: Named) -> tuple[int, tuple[str, Tensor]]:
    """The one input that is neither state nor elapsed, and its place."""
    rest = [one for one in enumerate(inputs) if not one[1][0].startswith(STATE) and one[1][0] != ELAPSED]
    if len(rest) != 1:
        names = ", ".join(f"{name} {_shape(one)}" for name, one in inputs) or "none"
        raise RefusedError(
            f"{file}: its inputs are {names}",
            "edged feeds one picture or window; beside it state/NAME (from an output next/NAME) and elapsed",
        )
    return rest[0]


def _pairs(file: str, inputs: Named, outputs: Named) -> Iterator[tuple[int, int]]:
    after = {name.removeprefix(NEXT): one for name, one in outputs if name.startswith(NEXT)}
    before = {name.removeprefix(STATE): one for name, one in inputs if name.startswith(STATE)}
    if lonely := before.keys() ^ (after.keys() if before else before.keys()):
        name = min(lonely)
        lacking = f"output {NEXT}{name}" if name in before else f"input {STATE}{name}"
        raise RefusedError(
            f"{file}: its state {name} has no {lacking}",
            "each state needs both, of one shape and dtype",
        )
    for name, one in before.items():
        other = after[name]
        if one.dtype != other.dtype or one.shape != other.shape:
            raise RefusedError(
                f"{file}: {STATE}{name} is {_shape(one)} but {NEXT}{name} is {_shape(other)}",
                "they must be alike",
            )
        yield one.number, other.number


def maker(anatomy: Anatomy, tensor: int) -> tuple[str, int]:
    """The operator that an output's numbers come from, and the place among its outputs."""
    for _ in anatomy.operations:
        operator = anatomy.maker(tensor)
        if operator is None:
            break
        if operator.name not in PASSING or not operator.inputs:
            name = NORMALISED if _normalises(anatomy, operator) else operator.custom or operator.name
            return name, operator.outputs.index(tensor)
        tensor = operator.inputs[0]
    return "", 0


def _normalises(anatomy: Anatomy, last: Operator) -> bool:
    """Whether it divides numbers by the root of the sum of their squares: converters do not always make one
    operator of that.
    """
    if last.name not in ("MUL", "DIV"):
        return False
    made = {output: one for one in anatomy.operations for output in one.outputs}
    before = [made[one] for one in last.inputs if one in made]
    met: set[str] = set()
    while before:
        one = before.pop()
        if one.name in ROOTS and one.name not in met:
            met.add(one.name)
            before += [made[each] for each in one.inputs if each in made]
    return bool(met & {"SQRT", "RSQRT"}) and "SUM" in met


def intake(model: Model, file: str, tensor: Tensor, info: TensorInfo) -> Intake:
    """What goes into the input ``tensor``. Raises ``RefusedError`` for one that edged cannot feed."""
    shape = tensor.shape
    if shape[:1] == (-1,):
        shape = (1, *shape[1:])  # a batch of any size: ours is one
    if tensor.dtype not in FEEDABLE:
        raise RefusedError(f"{file}: its input is {_shape(tensor)}", f"edged feeds {', '.join(FEEDABLE)}")
    if not shape or any(one < 1 for one in shape):
        raise RefusedError(
            f"{file}: its input's shape {list(tensor.shape)} is not fixed",
            "convert the model with a fixed input shape",
        )
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3) and min(shape[2:]) > 3:
        raise RefusedError(
            f"{file}: its picture input {list(shape)} has the channels first",
            "convert it to channels last (NHWC)",
        )
    if len(shape) == 4 and shape[0] == 1 and shape[3] in (1, 3) and min(shape[1:3]) > 1:
        return _picture(model, file, tensor, shape, info)
    rate = model.sample_rate or float(info.sample_rate)
    return Window(shape, tensor.dtype, tensor.scale, tensor.zero_point, rate)


def _picture(model: Model, file: str, tensor: Tensor, shape: tuple[int, ...], info: TensorInfo) -> Picture:
    if tensor.dtype not in ("uint8", "int8", "float32"):
        raise RefusedError(
            f"{file}: its picture input is {_shape(tensor)}", "pictures can be uint8, int8 or float32"
        )
    if max(shape) > 4096:
        raise RefusedError(f"{file}: its picture input is {_shape(tensor)}", "at most 4096 pixels a side")
    mean, std = _normalisation(model, file, tensor, shape[3], info)
    channels = cast("Literal[1, 3]", shape[3])
    dtype = cast("Literal['uint8', 'int8', 'float32']", tensor.dtype)
    return Picture(shape[1], shape[2], channels, dtype, mean, std, tensor.scale, tensor.zero_point)


def _normalisation(
    model: Model, file: str, tensor: Tensor, channels: int, info: TensorInfo
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """mean and std: the config's; for float inputs else the metadata's; for integer inputs else none (pixels
    go in as they are).
    """
    mean, std = model.mean, model.std
    if not mean and not std:
        if tensor.dtype != "float32":
            return (), ()
        mean, std = info.mean, info.std
    if not mean or not std:
        raise RefusedError(
            f"{file}: it does not say how pixels become its {tensor.dtype} input",
            "mean and std of the model: 127.5 both for -1..1, 0 and 255 for 0..1, 0 and 1 for 0..255",
        )
    for name, numbers in (("mean", mean), ("std", std)):
        if (
            len(numbers) not in (1, channels)
            or not all(map(math.isfinite, numbers))
            or (name == "std" and 0 in numbers)
        ):
            raise RefusedError(
                f"{file}: {name} is {list(numbers)}",
                f"one number, or one for each of its {channels} channels; std not 0",
            )
    return mean, std


def _labels(model: Model, metadata: Metadata, data: mmap.mmap | bytes) -> tuple[str, ...]:
    """The config's labels, else those of its file, else the metadata's."""
    if model.labels:
        return model.labels
    if model.labels_file:
        return lines(_text(model.labels_file))
    return lines(associated(data, metadata.labels_file)) if metadata.labels_file else ()


def _text(file: str) -> bytes:
    """A file of labels, which is UTF-8. Raises ``UnavailableError``, ``RefusedError``."""
    try:
        path = Path(file)
        content = shelf.content(path) if shelf.closed else path.read_bytes()
        content.decode()
    except OSError as error:
        raise UnavailableError(
            f"{file}: the labels cannot be read: {error.strerror}", "correct labels_file of the model"
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusedError(
            f"{file}: line {line} is no UTF-8", "iconv -f latin1 -t utf-8 makes it so"
        ) from None
    return content
