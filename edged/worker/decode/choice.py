"""Which decoder fits a model: what the config says, else the model's metadata, its names, its operators, its
shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.decode import (
    Activity,
    Classifier,
    Decoder,
    Detector,
    Output,
    Plain,
    identity,
    plugin,
    pose,
    segmentation,
)
from edged.worker.metadata import TensorInfo

#: What edged brings; any other name is another package's.
OWN: Final = ("detector", "classifier", "values", "activity", "pose", "segmentation")
#: The parts of a detection, in the decoder's order, and the words that makers name them with.
PARTS = ("boxes", "classes", "scores", "count")
WORDS = (("box", "location"), ("class", "categor"), ("score", "confidence"), ("num", "count"))
POSTPROCESS = "TFLite_Detection_PostProcess"
#: Operators whose output are scores already. The numbers of a mean or a maximum of scores are scores too.
SOFT = ("SOFTMAX", "LOGISTIC")
REAL = ("float32", "uint8", "int8", "int16", "int32", "int64", "bool")


def held(model: Model) -> None:
    """Bring in the decoder of another package that ``model`` names: soon nothing can be imported. Raises
    ``RefusedError``.
    """
    if model.decoder not in ("auto", *OWN):
        plugin.brought(model.decoder)


def chosen(
    outputs: Sequence[Output], model: Model, labels: Sequence[str], infos: Sequence[TensorInfo]
) -> Decoder:
    """The decoder for ``outputs``; ``labels`` are the config's or the file's, ``infos`` the metadata of the
    outputs.

    Raises ``RefusedError`` when the outputs do not fit the decoder that the config names, and for embeddings.
    """
    if not outputs:
        raise _refused(model, outputs, "it has no outputs", "one at least")
    for one in outputs:
        if one.dtype not in REAL:
            raise _refused(model, outputs, f"output {one.name} is of {one.dtype}", "outputs of numbers")
    outputs = _named(outputs, model)
    identity.check(outputs, model, len(labels))
    kind = model.decoder if model.decoder != "auto" else _kind(outputs, len(labels))
    makers: dict[str, Callable[[], Decoder]] = {
        "activity": lambda: _activity(outputs, model),
        "detector": lambda: _detector(outputs, model, infos),
        "classifier": lambda: _classifier(outputs, model, len(labels)),
        "values": lambda: Plain(outputs),
        "pose": lambda: _pose(outputs, model),
        "segmentation": lambda: _segmentation(outputs, model, tuple(labels)),
    }
    return makers.get(kind, lambda: plugin.made(outputs, tuple(labels), model))()


def _refused(model: Model, outputs: Sequence[Output], found: str, allowed: str) -> RefusedError:
    shapes = ", ".join(f"{one.name} {one.dtype} {list(one.shape)}" for one in outputs)
    return RefusedError(
        f"{model.file}: {found}; its outputs are {shapes}",
        f"this decoder takes {allowed}; set decoder or outputs of the model to what fits",
    )


def _named(outputs: Sequence[Output], model: Model) -> Sequence[Output]:
    """The outputs that the config names, in its order; all of them when it names none."""
    if not model.outputs:
        return outputs
    known = {one.name: one for one in outputs}
    missing = [name for name in model.outputs if name not in known]
    if missing:
        raise RefusedError(
            f"{model.file}: it has no output named {missing[0]!r}",
            f"outputs can be any of {', '.join(map(repr, known))}",
        )
    return [known[name] for name in model.outputs]


def _kind(outputs: Sequence[Output], labels: int) -> str:
    if {"movement", "presence"} <= {one.name for one in outputs}:
        return "activity"
    if len(outputs) == 4 and any(one.shape[-1:] == (4,) and len(one.shape) == 3 for one in outputs):
        return "detector"
    if len(outputs) != 1:
        return "values"
    one = outputs[0]
    if pose.fits(one):
        return "pose"
    if _of_pixels(one, labels):
        return "segmentation"
    flat = one.size == max((*one.shape, 1))
    return "classifier" if flat and one.size > 1 and (one.maker in SOFT or labels == one.size) else "values"


def _of_pixels(output: Output, labels: int) -> bool:
    """Whether it says a class for each pixel: scores of as many classes as there are labels, or the best."""
    shape = output.shape
    if len(shape) == 4 and shape[0] == 1 and min(shape[1:3]) > 1 and shape[3] > 1:
        return labels == shape[3]
    return len(shape) == 3 and shape[0] == 1 and min(shape[1:]) > 1 and output.maker == "ARG_MAX"


def _pose(outputs: Sequence[Output], model: Model) -> Decoder:
    if len(outputs) != 1 or not pose.fits(outputs[0]):
        raise _refused(
            model,
            outputs,
            "these are no keypoints of people",
            "MoveNet's one output, [1, 1, 17, 3] or [1, people, 56]",
        )
    if model.labels or model.labels_file:
        raise RefusedError(
            f"{model.file}: it has labels, but the labels of a model of poses are the poses",
            f"leave labels and labels_file out; measures can ask for {', '.join(pose.POSES)}",
        )
    return pose.Poser(outputs[0])


def _segmentation(outputs: Sequence[Output], model: Model, labels: tuple[str, ...]) -> Decoder:
    one = outputs[0]
    if len(outputs) != 1 or not segmentation.fits(one):
        raise _refused(
            model,
            outputs,
            "these are no classes of pixels",
            "one output, [1, rows, columns, classes] of scores or [1, rows, columns] of class numbers",
        )
    _, classes = segmentation.layout(one)
    if labels and classes and len(labels) != classes:
        raise RefusedError(
            f"{model.file}: it has {classes} classes, but there are {len(labels)} labels",
            f"labels or labels_file must give {classes}, one a line",
        )
    return segmentation.Segmenter(one, _soft(one), labels)


def _soft(output: Output) -> bool:
    """Whether its numbers are scores already. A quantised output that cannot leave 0..1 is scores whatever
    made it.
    """
    low, high = _range(output)
    return output.maker in SOFT or (low >= 0.0 and high <= 1.0 + 1e-6)


def _activity(outputs: Sequence[Output], model: Model) -> Decoder:
    parts = {one.name: one for one in outputs}
    movement, presence = parts.get("movement"), parts.get("presence")
    allowed = "two outputs of one shape [1, rows, columns, 1], named movement and presence"
    if movement is None or presence is None:
        raise _refused(model, outputs, "the activity decoder finds no movement and presence", allowed)
    if (
        movement.shape != presence.shape
        or len(movement.shape) != 4
        or movement.shape[0] * movement.shape[3] != 1
    ):
        raise _refused(model, outputs, "movement and presence are no grid", allowed)
    return Activity(movement, presence)


def _classifier(outputs: Sequence[Output], model: Model, labels: int) -> Decoder:
    one = outputs[0]
    if len(outputs) != 1 or one.size < 2 or one.size != max(one.shape):
        raise _refused(model, outputs, "a classifier cannot read this", "one output [1, number of classes]")
    if labels and labels != one.size:
        raise RefusedError(
            f"{model.file}: it has {one.size} classes, but there are {labels} labels",
            f"labels or labels_file must give {one.size}, one a line",
        )
    return Classifier(one, soft=_soft(one))


def _range(output: Output) -> tuple[float, float]:
    if output.dtype not in ("uint8", "int8") or not output.scale:
        return float("-inf"), float("inf")
    first = 0 if output.dtype == "uint8" else -128
    return (first - output.zero_point) * output.scale, (first + 255 - output.zero_point) * output.scale


def _detector(outputs: Sequence[Output], model: Model, infos: Sequence[TensorInfo]) -> Decoder:
    allowed = "four outputs: boxes [1, N, 4], classes [1, N], scores [1, N] and their count [1]"
    if len(outputs) != 4:
        raise _refused(model, outputs, "a detector cannot read this", allowed)
    parts = list(outputs) if model.outputs else _parts(outputs)
    if parts is None:
        raise RefusedError(
            f"{model.file}: its outputs do not tell which is which: "
            + ", ".join(one.name for one in outputs),
            "name them as outputs = [boxes, classes, scores, count]",
        )
    boxes, classes, scores, count = parts
    number = scores.size
    if boxes.size != 4 * number or boxes.shape[-1:] != (4,) or classes.size != number or count.size != 1:
        raise _refused(model, outputs, "the four outputs do not fit each other", allowed)
    return Detector(parts, _order(model, next((one for one in infos if one.box_index), None)))


def _parts(outputs: Sequence[Output]) -> list[Output] | None:
    """Boxes, classes, scores, count: by the metadata's names, by the operator's own order, by their names;
    None if none tells.
    """
    roles = _by_words(outputs, [one.role for one in outputs])
    if roles is not None:
        return roles
    if all(one.maker == POSTPROCESS for one in outputs):
        placed = sorted(outputs, key=lambda one: one.place)
        if [one.place for one in placed] == [0, 1, 2, 3]:
            return placed
    return _by_words(outputs, [one.name for one in outputs])


def _by_words(outputs: Sequence[Output], names: list[str]) -> list[Output] | None:
    parts: list[Output] = []
    for words in WORDS:
        found = [
            one
            for one, name in zip(outputs, names, strict=True)
            if one not in parts and any(word in name.lower() for word in words)
        ]
        if len(found) != 1:
            return None
        parts += found
    return parts


def _order(model: Model, info: TensorInfo | None) -> tuple[int, ...]:
    """Where top, left, bottom and right are. TensorFlow's own detectors give them in that order."""
    if info is None:
        return 0, 1, 2, 3
    if info.box_type != 1 or info.box_pixels or sorted(info.box_index) != [0, 1, 2, 3]:
        raise RefusedError(
            f"{model.file}: its boxes are not given by their four edges in fractions of the picture",
            "take a detector whose metadata says BOUNDARIES and RATIO, such as those of `edged models list`",
        )
    left, top, right, bottom = info.box_index
    return top, left, bottom, right
