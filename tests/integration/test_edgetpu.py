"""An accelerator's library takes the whole process with it: what the pipeline then does."""

from __future__ import annotations

from pathlib import Path

import drafts
import pytest
from delegates import Library
from stage import Stage

from edged import accelerator, supervise
from edged.config.shape import Measure, Model


def twins(folder: Path, library: str) -> Model:
    (folder / "cpu.tflite").write_bytes(drafts.twin(compiled=False))
    (folder / "tpu.tflite").write_bytes(drafts.twin(compiled=True))
    file, twin = str(folder / "cpu.tflite"), str(folder / "tpu.tflite")
    return Model(
        file=file, edgetpu_file=twin, delegate_library=library, runtime="litert", decoder="classifier"
    )


PRESENCE = Measure(kind="presence", min_score=0.0)


def test_one_that_obliges_is_used(stage: Stage, library: Library, tmp_path: Path) -> None:
    keeper = stage.keep(model=twins(tmp_path, library("OBLIGE")), measure=PRESENCE)
    stage.until(lambda: stage.heard.count("p") >= 1)
    assert keeper.ready is not None
    assert (keeper.ready.delegate, keeper.ready.cpu_because, keeper.restarts) == ("edgetpu", "", 0)


@pytest.mark.parametrize("variant", ["ABORT", "ABORT_LATE"])
def test_one_that_aborts_costs_one_worker_and_then_the_cpu_counts(
    stage: Stage, library: Library, tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    keeper = stage.keep(model=twins(tmp_path, library(variant)), measure=PRESENCE)
    stage.until(lambda: stage.heard.count("p") >= 1)
    assert keeper.ready is not None and keeper.ready.delegate == "cpu" and keeper.restarts == 1
    assert "SIGABRT" in keeper.ready.cpu_because


def test_it_is_tried_again_later(
    stage: Stage, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accelerator is plugged in after all: the library, refused at first, obliges at the next try."""
    monkeypatch.setattr(accelerator, "RETRY_FIRST", 1.5)
    there = tmp_path / "libtpu.so"
    there.write_bytes(Path(library("REFUSE")).read_bytes())
    keeper = stage.keep(model=twins(tmp_path, str(there)), measure=PRESENCE)
    stage.until(lambda: keeper.state == "running")
    assert keeper.ready is not None and "no device of this kind" in keeper.ready.cpu_because
    there.unlink()
    there.write_bytes(Path(library("OBLIGE")).read_bytes())
    stage.until(lambda: keeper.ready is not None and keeper.ready.delegate == "edgetpu")
    assert keeper.restarts == 0
