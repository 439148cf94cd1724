"""Is what each pipeline looks at there, and may the service look?"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from typing import Final

import msgspec

from edged.config.shape import Camera, File, Microphone, Pipeline, Sensor, Source, V4l2
from edged.doctor import sensors
from edged.doctor.case import Case
from edged.doctor.finding import Finding, Progress
from edged.doctor.trial import Answer, ask, whose
from edged.doctor.unconfigured import unconfigured
from edged.doctor.visibility import MOVE, hidden
from edged.doctor.words import several, size
from edged.units import NO_MODEL

PATIENCE: Final = 15.0  # seconds for one device; libcamera needs two on a Pi 3
CLASSES: Final = {
    "v4l2": ("char-video4linux", "char-81", "/dev/video"),
    "camera": ("char-media", "char-video4linux", "/dev/video"),
    "microphone": ("char-alsa", "char-116", "/dev/snd"),
}


def examine(case: Case) -> Iterator[Finding | Progress]:
    """One finding for each enabled pipeline."""
    if not case.pipelines():
        yield unconfigured(case, "nothing is looked at")
    for name, pipeline in case.pipelines().items():
        yield Progress(f"source {name}")
        yield _source(case, name, pipeline)


def _source(case: Case, name: str, pipeline: Pipeline) -> Finding:
    source = pipeline.source
    running = case.pipeline_status(name)
    if running.get("state") == "running" and running.get("source", "").startswith(_kind(pipeline)):
        return _proved(name, running)
    found = sensors.finding(case, name, source) if isinstance(source, Sensor) else _looked(case, name, source)
    if found.verdict in ("failed", "cannot tell"):
        return found
    return _unsuited(case, name, pipeline, found) or found


def _unsuited(case: Case, name: str, pipeline: Pipeline, found: Finding) -> Finding | None:
    """What a worker would say of a source that is there and cannot give what the model takes."""
    model = case.models()[pipeline.model]
    if model.file == NO_MODEL:
        return None
    source = msgspec.to_builtins(pipeline.source)
    # JSON has no infinity: a scene that never ends is left at its default.
    plain = {key: value for key, value in source.items() if value != math.inf}
    tried = ask(case, "fit", PATIENCE, source=plain, model=msgspec.to_builtins(model))
    if not tried.refused or tried.untried or tried.errno:
        return None
    facts = found.facts | {"refused": tried.refused}
    return Finding("failed", tried.refused, name, fix=tried.hint, facts=facts)


def _looked(case: Case, name: str, source: Source) -> Finding:
    match source:
        case File():
            return _file(case, name, source)
        case V4l2():
            return _device(case, name, source)
        case Camera():
            return _camera(case, name, source)
        case Microphone():
            return _microphone(case, name, source)
    return Finding("ok", "the scripted scene: needs no device", name, facts={"kind": "synthetic"})


def _kind(pipeline: Pipeline) -> str:
    return type(pipeline.source).__name__.lower()


def _proved(name: str, running: dict[str, object]) -> Finding:
    """The daemon's worker reads it now: no better proof, and it is not to be disturbed."""
    facts = {"kind": str(running["source"]).partition(" ")[0], "in_use": True, "fps": running["fps"]}
    rate = f" at {running['fps']:g} frames a second" if isinstance(running["fps"], float) else ""
    return Finding("ok", f"{running['source']}: in use by the daemon{rate}", name, facts=facts)


# --- files


def _file(case: Case, name: str, source: File) -> Finding:
    facts: dict[str, object] = {"kind": "file", "path": source.path}
    why_hidden = hidden(case, source.path)
    found = ask(case, "file", PATIENCE, path=source.path)
    if found.errno in (errno.ENOENT, errno.ENOTDIR) and case.may_be_account:
        return Finding(
            "failed",
            f"{source.path} is not there",
            name,
            fix="is its disk mounted? path in the config names it",
            facts=facts,
        )
    if why_hidden:
        return Finding(
            "failed",
            f"{source.path}: {why_hidden}",
            name,
            fix=MOVE.format(case.account.name),
            facts=facts,
        )
    if found.refused:
        return _refused(case, name, source.path, found, facts, MOVE.format(case.account.name))
    facts |= found.facts
    what = (
        several(found.facts["entries"], "entry")
        if found.facts.get("folder")
        else size(found.facts.get("size", 0))
    )
    return _tried(case, name, f"{source.path}: readable, {what}", facts, source.path, os.R_OK)


# --- cameras of the kernel's own kind


def _device(case: Case, name: str, source: V4l2) -> Finding:
    facts: dict[str, object] = {"kind": "v4l2", "device": source.device, "in_use": False}
    if not case.host.place(source.device).exists():
        return Finding(
            "failed",
            f"{source.device} is not there; cameras here: {_nodes(case)}",
            name,
            fix="plug it in; /dev/v4l/by-id has names that stay",
            facts=facts,
        )
    if closed := _closed(case, "v4l2"):
        return Finding("failed", closed, name, fix="sudo systemctl revert edged", facts=facts)
    found = ask(case, "device", PATIENCE, path=source.device)
    if found.refused:
        fix = f"sudo adduser {case.account.name} video, then sudo systemctl restart edged"
        if found.errno in (errno.ENOTTY, errno.EINVAL):
            found, fix = (
                Answer(refused="it is no camera of the kernel's video interface"),
                "v4l2-ctl --list-devices",
            )
        return _refused(case, name, source.device, found, facts, fix)
    facts |= found.facts
    if not found.facts["captures"]:
        return Finding(
            "failed",
            f"{source.device} ({found.facts['name']}) is no capture device",
            name,
            fix="a camera has several nodes, mostly it is the first: v4l2-ctl --list-devices",
            facts=facts,
        )
    formats = ", ".join(found.facts["formats"]) or "no format it tells of"
    return _tried(
        case,
        name,
        f"{source.device}: {found.facts['name']} ({formats})",
        facts,
        source.device,
        os.R_OK | os.W_OK,
    )


def _nodes(case: Case) -> str:
    from edged.board.attribute import text

    nodes = sorted((case.host.sys / "class/video4linux").glob("video*"))
    return ", ".join(f"/dev/{one.name} ({text(one / 'name')})" for one in nodes) or "none"


def _closed(case: Case, kind: str) -> str:
    """Whether the unit keeps the service from such devices: its own lets it, a drop-in may not."""
    unit = case.unit
    if not unit.installed:
        return ""
    if unit["PrivateDevices"] == "yes":
        return "the unit hides every device (PrivateDevices=yes)"
    allowed = unit["DeviceAllow"]
    if unit["DevicePolicy"] in ("closed", "strict") and not any(one in allowed for one in CLASSES[kind]):
        lacking = f"DevicePolicy={unit['DevicePolicy']} without DeviceAllow={CLASSES[kind][0]}"
        return f"the unit allows no {'microphone' if kind == 'microphone' else 'camera'} ({lacking})"
    return ""


# --- cameras of the Pi's connector


def _camera(case: Case, name: str, source: Camera) -> Finding:
    facts: dict[str, object] = {"kind": "camera", "number": source.number, "in_use": False}
    if closed := _closed(case, "camera"):
        return Finding("failed", closed, name, fix="sudo systemctl revert edged", facts=facts)
    found = ask(case, "cameras", PATIENCE)
    if found.refused:
        return Finding(
            "failed", found.refused, name, fix=found.hint or "sudo apt install python3-picamera2", facts=facts
        )
    cameras = found.facts["cameras"]
    facts["cameras"] = cameras
    listed = ", ".join(f"{one['number']}: {one['model']}" for one in cameras) or "none"
    if all(one["number"] != source.number for one in cameras):
        return Finding(
            "failed",
            f"libcamera knows no camera {source.number}; it knows {listed}",
            name,
            facts=facts,
            fix="mind the cable, power off first; then rpicam-hello --list-cameras",
        )
    return _tried(case, name, f"camera {source.number} is there ({listed})", facts)


# --- microphones


def _microphone(case: Case, name: str, source: Microphone) -> Finding:
    """ALSA opens it; nothing is recorded."""
    facts: dict[str, object] = {"kind": "microphone", "device": source.device, "in_use": False}
    if closed := _closed(case, "microphone"):
        return Finding("failed", closed, name, fix="sudo systemctl revert edged", facts=facts)
    found = ask(case, "microphone", PATIENCE, device=source.device)
    if found.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        missing = f"there is no microphone {source.device}"
        return Finding("failed", missing, name, fix="plug it in; arecord -l lists what records", facts=facts)
    if found.refused:
        fix = f"sudo adduser {case.account.name} audio, then sudo systemctl restart edged"
        return _refused(case, name, f"the microphone {source.device}", found, facts, fix)
    facts |= found.facts
    return _tried(case, name, f"{found.facts['device']} is there", facts)


# --- what all have in common


def _refused(case: Case, name: str, what: str, found: Answer, facts: dict[str, object], fix: str) -> Finding:
    """A refusal counts for the service only if it was met as the service."""
    facts |= {"refused": found.refused}
    if found.untried:
        return Finding("cannot tell", f"{what}: {found.refused}", name, fix="sudo ./install.sh", facts=facts)
    if found.errno == errno.EBUSY:
        return Finding(
            "warning",
            f"{what}: another program uses it",
            name,
            fix=f"sudo fuser -v {_node(what)}; stop that one",
            facts=facts,
        )
    if found.errno in (errno.EACCES, errno.EPERM) and not case.may_be_account:
        return Finding("cannot tell", f"{what}: not for this user to try", name, fix=case.again, facts=facts)
    who = f" by the user {case.account.name}" if found.errno in (errno.EACCES, errno.EPERM) else ""
    said = "may not be opened" if who else found.refused
    return Finding("failed", f"{what}: {said}{who}", name, fix=found.hint or fix, facts=facts)


def _node(what: str) -> str:
    return what if what.startswith("/") else "/dev/snd/*"


def _tried(
    case: Case, name: str, found: str, facts: dict[str, object], path: str = "", want: int = 0
) -> Finding:
    """It works for whoever tried it; for the service too where the modes of ``path`` say so."""
    if (remark := whose(case)) and not (path and case.account_may(case.host.place(path), want)):
        return Finding("note", f"{found}; {remark}", name, fix=case.again, facts=facts)
    return Finding("ok", found, name, facts=facts)
