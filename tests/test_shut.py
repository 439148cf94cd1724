"""Processes that no daemon listens to (the outline's, and those that look into one model): taken over, they
get as far as a worker would.

Each deed is done by a process of the real program in which one function of ours is exchanged, once with its
lock and once without: there it must succeed, or it would prove nothing.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from test_doctor_board import case_of

from edged import warden
from edged.cli import models
from edged.config.shape import Model, Pipeline, Synthetic
from edged.doctor import trial
from edged.doctor.checks import model
from edged.doctor.finding import Finding
from edged.worker.outline import Question
from edged.worker.sandbox import landlock

pytestmark = pytest.mark.skipif(
    not warden.available(), reason="this kernel, or this emulation, has no filters"
)
landlocked = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")

UNLOCKED: Final = """
sandbox.narrow = lambda task: ()
sandbox.shut = lambda answers=1, purposes=(), first=lambda: None: (first(), sandbox.Locked())[1]
"""
#: What kernels lack.
NO_LANDLOCK: Final = "landlock.enforce = landlock.bearable = lambda *given: False\n"
NO_FILTERS: Final = "seccomp._set = lambda *given: None\n"
HOLE: Final = """
whole = calls.rules
calls.rules = lambda *given: [*whole(*given), calls.Rule("{name}")]
"""
PROGRAM: Final = """
import os, sys
from edged.worker import sandbox
from edged.worker.sandbox import calls, landlock, seccomp
done = []
def deed():
    done.append(open({file!r}, "w").write("what was seen"))
"""
OF_A_SOURCE: Final = """
from edged.worker import outline
from edged.worker.source.synthetic import SyntheticSource
open_it, read, frames = SyntheticSource.__init__, SyntheticSource.read, []
def opened(self, *given):
    if {at} == 0:
        deed()
    open_it(self, *given)
def taken_over(self, timeout):
    frames.append(1)
    if len(frames) == {at}:
        deed()
    return read(self, timeout)
SyntheticSource.__init__, SyntheticSource.read = opened, taken_over
os._exit(outline.main())
"""
OF_A_MODEL: Final = """
from edged.worker import examine, runtime, show
really = runtime.open_network
def taken_over(*given):
    deed()
    return really(*given)
show.open_network = runtime.open_network = taken_over
os._exit({process}.main())
"""
CONFIG: Final = """
[pipelines.hall]
source = { kind = "synthetic" }
model = "builtin:activity"
measures = [{ kind = "presence" }]
"""
SCENE: Final = Question("hall", Pipeline(source=Synthetic()), (Model(file="builtin:activity"),), 0.5)


class Came(NamedTuple):
    """How the process ended, what it said, and whether the deed was done."""

    status: int
    said: dict[str, Any]
    done: bool


def played(folder: Path, program: str, asked: bytes = b"", *words: str, **parts: Any) -> Came:
    file = folder / "told"
    text = (PROGRAM + program).replace("{file!r}", repr(str(file)))
    for name, value in parts.items():
        text = text.replace(f"{{{name}}}", str(value))
    command = [sys.executable, "-c", text, *words]
    done = subprocess.run(command, input=asked, capture_output=True, timeout=120, check=False)
    assert done.returncode <= 0, done.stderr
    return Came(done.returncode, json.loads(done.stdout) if done.stdout else {}, file.exists())


def looked(folder: Path, before: str = "", at: int = -1) -> Came:
    return played(folder, before + OF_A_SOURCE, msgspec.msgpack.encode(SCENE), at=at)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_who_looks_unlocked_could_write(tmp_path: Path, at: int) -> None:
    came = looked(tmp_path, UNLOCKED, at)
    assert (came.status, came.said["refused"], came.done) == (0, "", True)


@landlocked
def test_who_looks_writes_nothing_while_its_source_is_opened(tmp_path: Path) -> None:
    came = looked(tmp_path, at=0)
    assert (came.said["bits"], came.done) == ("", False) and "PermissionError" in came.said["refused"]


def test_who_looks_is_locked_before_its_first_picture(tmp_path: Path) -> None:
    came = looked(tmp_path, NO_LANDLOCK, at=1)
    assert (came.said["bits"], came.done) == ("", False) and "PermissionError" in came.said["refused"]


@pytest.mark.parametrize("before", ["", NO_LANDLOCK])
def test_who_looks_is_ended_by_its_first_forbidden_call(tmp_path: Path, before: str) -> None:
    assert looked(tmp_path, before, at=2) == (-signal.SIGSYS, {}, False)


def test_who_looks_says_what_the_kernel_lacks(tmp_path: Path) -> None:
    came = looked(tmp_path, NO_LANDLOCK)
    assert came.said["bits"] and came.said["lacking"] == ["early-landlock", "landlock"]


def test_without_filters_nobody_looks(tmp_path: Path) -> None:
    came = looked(tmp_path, NO_FILTERS, at=1)
    assert "no filters" in came.said["refused"]
    assert (came.said["bits"], came.said["exit_code"], came.done) == ("", 3, False)


@pytest.mark.parametrize("name", ["openat", "socket", "memfd_create"])
def test_who_looks_through_a_lock_with_a_hole_refuses(tmp_path: Path, name: str) -> None:
    before = HOLE.replace("{name}", name) + (NO_LANDLOCK if name == "openat" else "")
    came = looked(tmp_path, before)
    assert came.said["bits"] == "" and f"does not hold: `{name}`" in came.said["refused"]


# --- one model


def opened(folder: Path, process: str, before: str = "", edgetpu: bool = False) -> Came:
    question: dict[str, object] = {"type": "model", "model": {"file": "builtin:activity"}, "edgetpu": edgetpu}
    if process == "reload":
        pipelines = {"hall": {"measures": [], "models": [{"file": "builtin:activity"}]}}
        process, question = "examine", {"type": "pipelines", "pipelines": pipelines}
    asked = msgspec.json.encode(question)
    return played(folder, before + OF_A_MODEL, asked, "builtin:activity", process=process)


@pytest.mark.parametrize("process", ["show", "examine", "reload"])
def test_who_opens_one_model_unlocked_could_write(tmp_path: Path, process: str) -> None:
    came = opened(tmp_path, process, UNLOCKED)
    assert (came.status, came.done) == (0, True) and "lacking" not in came.said


@pytest.mark.parametrize("process", ["show", "examine", "reload"])
@pytest.mark.parametrize("before", ["", NO_LANDLOCK])
def test_who_opens_one_model_is_ended_by_its_first_forbidden_call(
    tmp_path: Path, process: str, before: str
) -> None:
    assert opened(tmp_path, process, before) == (-signal.SIGSYS, {}, False)


@landlocked
def test_who_tries_an_accelerator_writes_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path, "examine", UNLOCKED, edgetpu=True).done
    (tmp_path / "told").unlink()
    came = opened(tmp_path, "examine", edgetpu=True)
    assert not came.done and came.said["refused"]


@pytest.mark.parametrize("process", ["show", "examine", "reload"])
def test_who_opens_one_model_says_what_the_kernel_lacks(tmp_path: Path, process: str) -> None:
    came = opened(tmp_path, process, NO_LANDLOCK + NO_FILTERS)
    assert came.done and came.said["lacking"] == ["landlock", "seccomp"]


def test_what_the_kernel_lacks_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By ``edged models show`` and by the doctor."""
    models._print_facts(opened(tmp_path, "show", NO_LANDLOCK + NO_FILTERS).said)
    assert "lacks landlock and seccomp: this kernel has none" in " ".join(capsys.readouterr().out.split())
    facts = opened(tmp_path, "examine", NO_LANDLOCK + NO_FILTERS).said
    monkeypatch.setattr(model, "ask", lambda *_, **__: trial.Answer(facts))
    case = case_of(tmp_path / "root", config=CONFIG)
    (found,) = [one for one in model.examine(case) if isinstance(one, Finding)]
    assert "tried less locked up: this kernel has no landlock and seccomp" in found.found


@pytest.mark.parametrize("process", ["show", "examine", "reload"])
def test_who_opens_one_model_through_a_lock_with_a_hole_refuses(tmp_path: Path, process: str) -> None:
    came = opened(tmp_path, process, HOLE.replace("{name}", "unshare"))
    assert "does not hold: `unshare`" in came.said["refused"] and not came.done
