"""Tries one thing as a worker would, for `edged doctor`: ``python -m edged.worker.examine``, a question in
JSON on its input, the answer in JSON on its output. For a reload of the daemon's (``edged.fitting``) both are
on a socket, whose descriptor is its argument.

In a process of its own and as the service's user: a library may end the process, and what root may open the
service may not. A device is opened for what it says of itself; nothing streams.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from edged.config.shape import File, Measure, Model, Source
from edged.errors import EdgedError

RUNS: Final = 5


class OfModel(msgspec.Struct, tag="model"):
    """Does it load as configured, on the CPU or (``edgetpu``) as a pipeline would, and does it give what the
    ``measures`` of these pipelines ask for?
    """

    model: Model
    edgetpu: bool = False
    measures: dict[str, tuple[Measure, ...]] = {}


class OfDevice(msgspec.Struct, tag="device"):
    """Is it a camera of the kernel's kind?"""

    path: str


class OfFile(msgspec.Struct, tag="file"):
    """Can it be read?"""

    path: str


class OfFit(msgspec.Struct, tag="fit"):
    """Can the source give what the model takes? Only a file is opened for it."""

    source: Source
    model: Model


class OfCameras(msgspec.Struct, tag="cameras"):
    """Which cameras does libcamera know?"""


class OfMicrophone(msgspec.Struct, tag="microphone"):
    """Does ALSA open it, and what records here?"""

    device: str


class OfLibrary(msgspec.Struct, tag="library"):
    """Can the Edge TPU's library be loaded, and which is it?"""

    name: str


class Asked(msgspec.Struct):
    """What a pipeline asks for, and its ladder."""

    measures: tuple[Measure, ...]
    models: tuple[Model, ...]


class OfPipelines(msgspec.Struct, tag="pipelines"):
    """Do the models of these pipelines give what is asked for? For a reload: nothing is measured."""

    pipelines: dict[str, Asked]


Question = OfPipelines | OfModel | OfDevice | OfFile | OfFit | OfCameras | OfMicrophone | OfLibrary
Answer = dict[str, Any]


def answer(question: Question) -> Answer:
    """What was found; what the system refused has an ``errno`` and a ``refused`` text."""
    try:
        return _found(question)
    except EdgedError as error:
        return {"errno": 0, "refused": error.message, "hint": error.hint}
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else str(error)
        return {"errno": error.errno or errno.EIO, "refused": said, "hint": ""}


def _found(question: Question) -> Answer:
    match question:
        case OfPipelines():
            found = _pipelines(question.pipelines)
        case OfModel():
            found = _model(question)
        case OfDevice():
            found = _device(question.path)
        case OfFile():
            found = _file(question.path)
        case OfFit():
            found = _fit(question)
        case OfCameras():
            found = _cameras()
        case OfMicrophone():
            found = _microphone(question.device)
        case OfLibrary():
            found = _library(question.name)
    return found


def _model(question: OfModel) -> Answer:
    import hashlib

    from edged.worker.runtime import open_network
    from edged.worker.runtime.plan import resolved
    from edged.worker.shelf import shelf
    from edged.worker.stopwatch import inference

    path = resolved(question.model.file)
    data = shelf.content(path) if shelf.closed else path.read_bytes()
    found = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    del data
    network = open_network(question.model, "" if question.edgetpu else "the doctor asks for the CPU")
    seconds = inference(network, RUNS)
    return found | {
        "runtime": network.runtime,
        "delegate": network.delegate,
        "cpu_because": network.cpu_because if question.edgetpu else "",
        "gives": network.decoder,
        "labels": len(network.labels),
        "input": list(network.intake.shape),
        "seconds": seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "unsuited": dict(_unsuited(question.measures, network.gives, network.labels)),
    }


def _pipelines(asked: Mapping[str, Asked]) -> Answer:
    """``misfits`` by pipeline: the first of each, with its rung. One model is open at a time."""
    found = dict[str, dict[str, object]]()
    for model in _models(asked):
        for name, rung, misfit in _misfits(model, asked):
            found.setdefault(name, {"rung": rung} | misfit)
    return {"misfits": found}


def _models(asked: Mapping[str, Asked]) -> list[Model]:
    """Each of them once, the first rungs first."""
    ladders = [(rung, one) for each in asked.values() for rung, one in enumerate(each.models)]
    found = list[Model]()
    for _, model in sorted(ladders, key=lambda one: one[0]):
        if model not in found:
            found.append(model)
    return found


def _misfits(model: Model, asked: Mapping[str, Asked]) -> Iterator[tuple[str, int, dict[str, object]]]:
    """What is wrong with it for each pipeline that has it on its ladder. One below the first that cannot be
    opened is done without.
    """
    from edged.worker.measure import MisfitError, suited
    from edged.worker.runtime import open_network

    having = [(name, one, one.models.index(model)) for name, one in asked.items() if model in one.models]
    try:
        network = open_network(model, "it was only looked at")
    except EdgedError as error:
        said = {"number": 0, "key": "", "found": error.message, "allowed": error.hint}
        yield from ((name, rung, said) for name, _, rung in having if not rung)
        return
    for name, one, rung in having:
        try:
            suited(one.measures, network.gives, network.labels)
        except MisfitError as error:
            yield name, rung, {key: getattr(error, key) for key in ("number", "key", "found", "allowed")}


def _unsuited(
    measures: Mapping[str, Iterable[Measure]], gives: type, labels: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """What a worker of each pipeline would say before it refused: message and hint."""
    from edged.worker.measure import suited

    for name, asked in measures.items():
        try:
            suited(asked, gives, labels)
        except EdgedError as error:
            yield name, (error.message, error.hint)


def _device(path: str) -> Answer:
    from edged.worker.source import videodev

    device = videodev.Device(path)
    try:
        name, can = device.capabilities()
        formats = list(device.formats())
    finally:
        device.close()
    return {
        "name": name,
        "captures": bool(can & videodev.CAN_CAPTURE and can & videodev.CAN_STREAM),
        "formats": [one.to_bytes(4, "little").decode(errors="replace").strip("\0 ") for one in formats],
    }


def _file(path: str) -> Answer:
    if os.path.isdir(path):  # noqa: PTH112 - the errno of what follows is wanted, not False
        return {"folder": True, "entries": len(os.listdir(path))}  # noqa: PTH208
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        about = os.fstat(opened)
        os.read(opened, 1)
    finally:
        os.close(opened)
    return {"folder": False, "size": about.st_size}


def _fit(question: OfFit) -> Answer:
    """Nothing of a model that cannot be read: that is said of the model."""
    from edged.worker.intake import Numbers, Picture
    from edged.worker.runtime.plan import planned
    from edged.worker.source import Want, WantWindow, opened, suited
    from edged.worker.window import layout

    try:
        intake = planned(question.model, question.model.file).intake
    except EdgedError:
        return {}
    want: Want | WantWindow
    if isinstance(intake, Numbers):
        return {}
    if isinstance(intake, Picture):
        want = Want(intake.width, intake.height, intake.channels, 0.0)
    else:
        want = WantWindow(*layout(intake), intake.rate, 0.0)
    if isinstance(question.source, File):
        opened(question.source, want).close()
    suited(question.source, want)
    return {}


def _cameras() -> Answer:
    from edged.worker.source import camera

    return {"cameras": [{"number": one["Num"], "model": str(one["Model"])} for one in camera.listed()]}


def _microphone(device: str) -> Answer:
    from edged.worker.source import alsa, microphone

    listed = [f"{one.device} ({one.name})" for one in alsa.listed()]
    name = microphone.named(device)
    alsa.Pcm(name).close()
    return {"device": name, "listed": listed}


def _library(name: str) -> Answer:
    """Coral's library tells its version by a function of its own; a delegate is not made, no device is
    opened.
    """
    import ctypes

    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        return {"errno": errno.ENOENT, "refused": str(error), "hint": ""}
    version = getattr(library, "edgetpu_version", None)
    if version is not None:
        version.restype = ctypes.c_char_p
    return {
        "version": version().decode(errors="replace") if version is not None else "",
        "delegate": hasattr(library, "tflite_plugin_create_delegate"),
    }


def _held(question: OfModel | OfPipelines, answers: int) -> Answer:
    """The answer, locked before the first byte of a model is read, and as a worker before its lock where an
    accelerator's library opens devices. ``lacking``: what this kernel lacks of it.
    """
    import hashlib  # noqa: F401 - nothing can be imported afterwards

    import edged.worker.measure
    import edged.worker.stopwatch  # noqa: F401
    from edged.worker import alone

    try:
        if isinstance(question, OfModel) and question.edgetpu:
            lacking = alone.narrow(question.model)
        else:
            one, *others = [question.model] if isinstance(question, OfModel) else _models(question.pipelines)
            lacking = alone.lock(one, answers, *others)
    except EdgedError as error:
        return {"errno": 0, "refused": error.message, "hint": error.hint}
    return answer(question) | ({"lacking": lacking} if lacking else {})


def main(descriptor: str = "") -> int:
    """Answer the question on stdin, or on the socket ``descriptor``. What libraries print goes to stderr, so
    that stdout is the answer's alone.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: its idle threads cost memory
    if descriptor:
        out = int(descriptor)
        said = b"".join(iter(lambda: os.read(out, 1 << 16), b""))
    else:
        said = sys.stdin.buffer.read()
        out = os.dup(1)
        os.dup2(2, 1)
    question: Question = msgspec.json.decode(said, type=Question)
    told = _held(question, out) if isinstance(question, OfModel | OfPipelines) else answer(question)
    os.write(out, msgspec.json.encode(told))
    return 0


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
