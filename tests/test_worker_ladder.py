"""The ladder in a real worker: what it does when a rung cannot be had, pauses, dies or has no labels."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import drafts
import ladders
import pytest
from delegates import Library
from stage import Stage

from edged import supervise, wall
from edged.config.shape import Measure, Model, Synthetic
from edged.supervise import Keeper

RATE = 20.0
SCENE = Synthetic(fps=RATE, held=10)
BRIGHT = Measure(kind="presence", labels=("bright",))


def kept(stage: Stage, models: tuple[Model, ...], measure: Measure = BRIGHT) -> Keeper:
    keeper = stage.keep(source=SCENE, rate=RATE, ladder=models, measure=measure)
    stage.until(lambda: keeper.state == "running" or keeper.done)
    return keeper


def rungs(stage: Stage) -> list[int]:
    return [tick.rung for _, tick in stage.heard.ticks]


def goes_on(stage: Stage) -> None:
    seen = len(stage.heard.ticks)
    stage.until(lambda: len(stage.heard.ticks) >= seen + 2)


def test_it_goes_to_another_rung_and_ticks_say_so(stage: Stage, tmp_path: Path) -> None:
    keeper = kept(stage, ladders.ladder(tmp_path, 64, 32))
    keeper.direct(wall.Directive(RATE, rung=1, threads=1))
    stage.until(lambda: 1 in rungs(stage))
    tick = stage.heard.ticks[-1][1]
    assert (tick.rung, tick.threads, keeper.directions.at) == (1, 1, (1, 1))
    assert tick.cpu > 0.0 and keeper.restarts == 0
    assert rungs(stage) == sorted(rungs(stage)), "each tick is of one rung"


def test_a_broken_rung_leaves_the_other_at_work(stage: Stage, tmp_path: Path) -> None:
    models = ladders.ladder(tmp_path, 64, 32)
    keeper = kept(stage, models)
    Path(models[1].file).write_bytes(b"this is no model any more")
    keeper.direct(wall.Directive(RATE, rung=1))
    stage.until(lambda: bool(stage.events("rung-lacking")))
    assert "judge32.tflite cannot be had" in stage.events("rung-lacking")[0]
    assert keeper.lacking == {1}
    goes_on(stage)
    assert (set(rungs(stage)), keeper.restarts, keeper.state) == ({0}, 0, "running")
    keeper.direct(wall.Directive(RATE / 2, rung=1))
    assert keeper.directions.told[0] == 0, "it is not asked for again"
    goes_on(stage)


def test_a_broken_rung_is_known_from_the_start(stage: Stage, tmp_path: Path) -> None:
    models = ladders.ladder(tmp_path, 64, 32, 16)
    Path(models[1].file).unlink()
    keeper = kept(stage, models)
    stage.until(lambda: bool(stage.events("rung-lacking")))
    assert keeper.lacking == {1} and "no such file" in stage.events("rung-lacking")[0]
    keeper.direct(wall.Directive(RATE, rung=2))
    stage.until(lambda: keeper.directions.at[0] == 2)


def test_a_rung_without_the_labels_is_refused_at_the_start(stage: Stage, tmp_path: Path) -> None:
    (dear,) = ladders.ladder(tmp_path, 64)
    (cheap,) = ladders.ladder(tmp_path, 32, labels=("dark", "light"))
    keeper = kept(stage, (dear, cheap))
    stage.until(lambda: keeper.done)
    assert keeper.state == "refused"
    assert 'judge32.tflite of the ladder: measure 1 asks for "bright"' in keeper.why
    assert "every model of the ladder must give every measure" in keeper.why


def test_a_worker_that_is_killed_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    keeper = kept(stage, ladders.ladder(tmp_path, 64, 32))
    keeper.direct(wall.Directive(RATE / 2, rung=1, threads=1))
    stage.until(lambda: 1 in rungs(stage))
    seen, old = len(stage.heard.ticks), keeper.pid
    os.kill(old, signal.SIGKILL)
    stage.until(lambda: len(stage.heard.ticks) >= seen + 3)
    ticks = [tick for _, tick in stage.heard.ticks][seen + 1 :]
    assert keeper.pid != old and {(tick.rung, tick.threads) for tick in ticks} == {(1, 1)}
    assert all(tick.analysed <= RATE / 2 + 2 for tick in ticks), "at the rate that was allowed"


def test_a_worker_that_dies_on_its_way_is_replaced_on_the_rung_before(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    keeper = kept(stage, ladders.ladder(tmp_path, 64, 32))
    os.kill(keeper.pid, signal.SIGSTOP)
    keeper.direct(wall.Directive(RATE, rung=1))
    os.kill(keeper.pid, signal.SIGKILL)
    stage.until(lambda: keeper.restarts == 1 and keeper.state == "running")
    goes_on(stage)
    assert keeper.lacking == {1} and rungs(stage)[-1] == 0
    assert "SIGKILL" in stage.events("rung-lacking")[0]


def test_a_cheaper_rung_that_cannot_begin_leads_to_the_dearest(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    models = ladders.ladder(tmp_path, 64, 32)
    keeper = kept(stage, models)
    keeper.direct(wall.Directive(RATE, rung=1))
    stage.until(lambda: 1 in rungs(stage))
    Path(models[1].file).write_bytes(b"this is no model any more")
    os.kill(keeper.pid, signal.SIGKILL)
    stage.until(lambda: keeper.restarts == 2 and keeper.state == "running")
    goes_on(stage)
    assert rungs(stage)[-1] == 0 and keeper.lacking == {1}


def test_a_pause_looks_at_nothing_and_ticks_go_on(stage: Stage, tmp_path: Path) -> None:
    keeper = kept(stage, ladders.ladder(tmp_path, 64, 32))
    keeper.direct(wall.Directive(RATE, paused=True))
    stage.until(lambda: any(not tick.analysed for _, tick in stage.heard.ticks))
    seen = len(stage.heard.ticks)
    keeper.direct(wall.Directive(RATE, paused=True, rung=1))
    stage.until(lambda: len(stage.heard.ticks) >= seen + 3 and keeper.directions.at[0] == 1)
    still = [tick for _, tick in stage.heard.ticks][seen:]
    assert {(tick.analysed, tick.observed, tick.blind, tick.dropped) for tick in still} == {(0, 0.0, 0.0, 0)}
    keeper.direct(wall.Directive(RATE, rung=1))
    stage.until(lambda: stage.heard.ticks[-1][1].analysed > 0)
    goes_on(stage)
    assert stage.heard.ticks[-1][1].rung == 1 and keeper.restarts == 0
    assert sum(tick.dropped for _, tick in stage.heard.ticks[seen:]) < RATE, (
        "nobody wanted those of the pause"
    )


def test_a_stateful_model_begins_anew_beside_a_classifier(stage: Stage, tmp_path: Path) -> None:
    activity = Model(file="builtin:activity")
    (cheap,) = ladders.ladder(tmp_path, 32)
    keeper = kept(stage, (activity, cheap), Measure(kind="presence"))
    for rung in (1, 0, 1, 0):
        keeper.direct(wall.Directive(RATE, rung=rung))
        stage.until(lambda rung=rung: keeper.directions.at[0] == rung)  # type: ignore[misc]
    goes_on(stage)
    assert (keeper.restarts, keeper.state) == (0, "running")


def test_a_recording_loses_no_frame_between_rungs(stage: Stage, tmp_path: Path) -> None:
    scene = Synthetic(fps=10.0, pace="fast", duration=600.0, held=5)
    keeper = stage.keep(source=scene, rate=10.0, ladder=ladders.ladder(tmp_path, 224, 192), measure=BRIGHT)
    stage.until(lambda: keeper.state in ("running", "ended"))
    rung = 0
    while keeper.state == "running":
        rung = 1 - rung
        keeper.direct(wall.Directive(10.0, rung=rung))
        stage.until(lambda: keeper.directions.at[0] == rung or keeper.done)  # noqa: B023
    ticks = [tick for _, tick in stage.heard.ticks]
    assert sum(tick.analysed for tick in ticks) == 6000
    assert {tick.rung for tick in ticks} == {0, 1}
    assert sum(tick.observed for tick in ticks) == pytest.approx(600.0, abs=0.2)


def tpu(folder: Path, name: str, library: str) -> Model:
    """A model with a twin for the Edge TPU."""
    (folder / f"{name}.tflite").write_bytes(drafts.twin(compiled=False))
    (folder / f"{name}_edgetpu.tflite").write_bytes(drafts.twin(compiled=True))
    return Model(
        file=str(folder / f"{name}.tflite"),
        edgetpu_file=str(folder / f"{name}_edgetpu.tflite"),
        delegate_library=library,
        runtime="litert",
        decoder="classifier",
        threads=2,
    )


ANY = Measure(kind="presence", min_score=0.0)


def test_an_edge_tpu_holds_one_model_at_a_time(stage: Stage, library: Library, tmp_path: Path) -> None:
    """With a stand-in that refuses a second model while there is a first: both rungs get it in turn, each
    in a worker of its own, since a locked one opens no device.
    """
    models = (tpu(tmp_path, "a", library("SINGLE")), tpu(tmp_path, "b", library("SINGLE")))
    keeper = kept(stage, models, ANY)
    for rung in (1, 0, 1):
        keeper.direct(wall.Directive(RATE, rung=rung))
        stage.until(lambda rung=rung: bool(keeper.ready) and keeper.directions.at[0] == rung)  # type: ignore[misc]
        assert keeper.ready is not None
        assert (keeper.ready.delegate, keeper.ready.cpu_because) == ("edgetpu", "")
    goes_on(stage)
    assert (keeper.restarts, rungs(stage)[-1]) == (0, 1)


def test_when_the_next_one_cannot_be_had_the_edge_tpu_goes_back(
    stage: Stage, library: Library, tmp_path: Path
) -> None:
    models = (tpu(tmp_path, "a", library("SINGLE")), tpu(tmp_path, "b", library("SINGLE")))
    keeper = kept(stage, models, ANY)
    for name in ("b", "b_edgetpu"):
        (tmp_path / f"{name}.tflite").write_bytes(b"this is no model any more")
    keeper.direct(wall.Directive(RATE, rung=1))
    stage.until(lambda: keeper.lacking == {1})
    goes_on(stage)
    tick = stage.heard.ticks[-1][1]
    assert (keeper.restarts, tick.rung) == (1, 0) and tick.analysed > 0


def test_threads_are_nothing_to_an_edge_tpu(stage: Stage, library: Library, tmp_path: Path) -> None:
    keeper = kept(stage, (tpu(tmp_path, "a", library("SINGLE")),), ANY)
    keeper.direct(wall.Directive(RATE, threads=1))
    stage.until(lambda: keeper.directions.at == (0, 1))
    goes_on(stage)
    assert keeper.ready is not None
    assert (keeper.ready.delegate, keeper.restarts) == ("edgetpu", 0)
