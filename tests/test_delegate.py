"""Runtime and delegate together, with stand-in delegates of the real ABI that oblige, refuse or abort."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import drafts
import numpy as np
import pytest
from delegates import Library

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.observation import Classes
from edged.worker.runtime import open_network
from edged.worker.runtime.interpreter import Kind


@pytest.fixture
def twins(tmp_path: Path) -> dict[str, str]:
    """A CPU model and one with the Edge TPU's operator: the same shape outside, as such twins are."""
    (tmp_path / "cpu.tflite").write_bytes(drafts.twin(compiled=False))
    (tmp_path / "tpu.tflite").write_bytes(drafts.twin(compiled=True))
    return {"file": str(tmp_path / "cpu.tflite"), "edgetpu_file": str(tmp_path / "tpu.tflite")}


GIVEN = np.full((1, 4, 4, 1), 3, np.uint8)


def best(model: Model, cpu_because: str = "") -> tuple[str, str, int]:
    """(delegate, why not the Edge TPU, best class)."""
    network = open_network(model, cpu_because)
    observation = network.infer(GIVEN, 0.0)
    assert isinstance(observation, Classes)
    return network.delegate, network.cpu_because, int(observation.scores.argmax())


def model(twins: dict[str, str], kind: Kind, library: str, **keys: str) -> Model:
    return Model(runtime=kind, delegate_library=library, decoder="classifier", **{**twins, **keys})  # type: ignore[arg-type]


def test_a_delegate_that_obliges_runs_the_twin(library: Library, kind: Kind, twins: dict[str, str]) -> None:
    assert best(model(twins, kind, library("OBLIGE"))) == ("edgetpu", "", 7)


def test_the_published_twin_runs_too(library: Library, kind: Kind, shared: Path) -> None:
    name = shared / "models/mobilenet_v1_0.25_128_quant"
    twins = {"file": f"{name}.tflite", "edgetpu_file": f"{name}_edgetpu.tflite"}
    network = open_network(model(twins, kind, library("OBLIGE")))
    observation = network.infer(np.zeros((1, 128, 128, 3), np.uint8), 0.0)
    assert isinstance(observation, Classes)
    assert (network.delegate, len(network.labels)) == ("edgetpu", 1001)
    assert observation.scores[7] == pytest.approx(255 / 256)


def test_a_refusal_leads_to_the_cpu(library: Library, kind: Kind, twins: dict[str, str]) -> None:
    delegate, because, _ = best(model(twins, kind, library("REFUSE")))
    assert delegate == "cpu"
    assert "no device of this kind was found" in because


def test_a_missing_library_leads_to_the_cpu(kind: Kind, twins: dict[str, str]) -> None:
    delegate, because, _ = best(model(twins, kind, "libnobody-has-this.so.1"))
    assert delegate == "cpu"
    assert "libnobody-has-this.so.1 cannot be loaded" in because


def test_a_library_that_is_no_delegate_leads_to_the_cpu(kind: Kind, twins: dict[str, str]) -> None:
    delegate, because, _ = best(model(twins, kind, "libc.so.6"))
    assert (delegate, because) == ("cpu", "the delegate refused: libc.so.6 is no TFLite delegate")


def test_a_delegate_that_leaves_the_operator_leads_to_the_cpu(
    library: Library, kind: Kind, twins: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "other.tflite").write_bytes(drafts.custom())
    delegate, because, _ = best(
        model(twins, kind, library("OBLIGE"), edgetpu_file=str(tmp_path / "other.tflite"))
    )
    assert delegate == "cpu"
    assert "somebodys-own-op" in because


def test_a_missing_twin_leads_to_the_cpu(library: Library, kind: Kind, twins: dict[str, str]) -> None:
    delegate, because, _ = best(model(twins, kind, library("OBLIGE"), edgetpu_file="/none.tflite"))
    assert (delegate, because) == ("cpu", "/none.tflite: there is no such file")


def test_cpu_is_taken_at_its_word(library: Library, kind: Kind, twins: dict[str, str]) -> None:
    assert best(model(twins, kind, library("ABORT"), delegate="cpu"))[:2] == ("cpu", "")


def test_the_daemons_reason_keeps_the_delegate_out(
    library: Library, kind: Kind, twins: dict[str, str]
) -> None:
    """With a library that would abort: had it been tried, there would be no test left."""
    assert best(model(twins, kind, library("ABORT")), "it crashed twice")[:2] == ("cpu", "it crashed twice")


def test_asking_for_the_edge_tpu_without_its_model_says_so(kind: Kind, twins: dict[str, str]) -> None:
    delegate, because, _ = best(model(twins, kind, "", delegate="edgetpu", edgetpu_file=""))
    assert (delegate, because) == ("cpu", "edgetpu_file names no model compiled for the Edge TPU")


def test_a_twin_given_as_the_cpu_model_is_explained(kind: Kind, twins: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="compiled for the Edge TPU") as caught:
        open_network(Model(file=twins["edgetpu_file"], runtime=kind))
    assert "edgetpu_file" in caught.value.hint


OPEN = """
import sys
from edged.config.shape import Model
from edged.worker.runtime import open_network
file, twin, library, kind, because = sys.argv[1:]
asked = Model(file=file, edgetpu_file=twin, delegate_library=library, runtime=kind)
network = open_network(asked, because)
print(network.delegate, network.cpu_because)
"""


@pytest.mark.parametrize("variant", ["ABORT", "ABORT_LATE"])
def test_an_abort_ends_the_process_once(
    library: Library, kind: Kind, twins: dict[str, str], variant: str
) -> None:
    """What the daemon sees: a worker killed by SIGABRT; then, told why, one that runs on the CPU."""
    asked = [sys.executable, "-c", OPEN, *twins.values(), library(variant), kind]
    first = subprocess.run([*asked, ""], capture_output=True, text=True, timeout=60, check=False)
    assert first.returncode == -signal.SIGABRT
    second = subprocess.run([*asked, "it aborted"], capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout.strip()) == (0, "cpu it aborted")
