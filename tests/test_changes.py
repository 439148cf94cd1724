"""What a new config changes: two configs in, names out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edged.changes import FIXED, TABLES, Changes, changes, in_force, renewed, stamps, tasks
from edged.config.shape import Clock, Config, Daemon, File, Governor, Keep, Model, Pipeline, Store, V4l2

GATE = Pipeline(source=V4l2(), model="people")
YARD = Pipeline(source=V4l2(device="/dev/video1"))
PEOPLE = Model(file="/models/people.tflite")
OLD = Config(models={"people": PEOPLE}, pipelines={"gate": GATE, "yard": YARD})


def new(**changed: Any) -> Config:
    return msgspec.structs.replace(OLD, **changed)


def pipelines(**changed: Pipeline) -> Config:
    return new(pipelines={**OLD.pipelines, **changed})


def test_the_same_again_changes_nothing() -> None:
    found = changes(OLD, new())
    assert not found and found == Changes() and str(found) == "nothing"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (pipelines(gate=msgspec.structs.replace(GATE, rate=2.0)), Changes(changed=("gate",))),
        (new(models={"people": Model(file="/models/people.tflite", threads=2)}), Changes(changed=("gate",))),
        (new(models={"people": PEOPLE, "unused": Model(file="/x")}), Changes()),
        (pipelines(door=GATE), Changes(added=("door",))),
        (new(pipelines={"gate": GATE}), Changes(removed=("yard",))),
        (new(pipelines={"gate": GATE, "garden": YARD}), Changes(added=("garden",), removed=("yard",))),
        (new(pipelines={"yard": YARD, "gate": GATE}), Changes()),
        (pipelines(yard=msgspec.structs.replace(YARD, enabled=False)), Changes(removed=("yard",))),
        (pipelines(off=msgspec.structs.replace(YARD, enabled=False)), Changes()),
        (new(store=Store(commit_every=5.0)), Changes(keys=("store.commit_every",))),
        (new(store=Store(keep=Keep(minute=1e6))), Changes(keys=("store.keep.minute",))),
        (new(daemon=Daemon(log_level="debug")), Changes(keys=("daemon.log_level",))),
        (new(daemon=Daemon(state_dir="/else")), Changes(waiting=("daemon.state_dir",))),
        (new(clock=Clock(timezone="Asia/Tokyo")), Changes(waiting=("clock.timezone",))),
    ],
)
def test_only_what_differs_is_changed(config: Config, expected: Changes) -> None:
    assert changes(OLD, config) == expected


def test_a_pipeline_whose_model_is_another_file_by_now_is_changed() -> None:
    assert changes(OLD, OLD, frozenset({"gate"})) == Changes(changed=("gate",))


def test_it_is_told_in_a_sentence() -> None:
    told = str(Changes(added=("a", "b"), removed=("c",), changed=("d",), keys=("store.commit_every",)))
    assert told == "changed d; added a, b; removed c; set store.commit_every"


def test_every_key_is_either_applied_or_waits() -> None:
    """A key that is new in the shape must be put on one side or the other."""
    keys = {(table, key) for table in TABLES for key in getattr(OLD, table).__struct_fields__}
    live = {("daemon", "log_level"), ("store", "commit_every"), ("store", "keep")}
    live |= {("governor", key) for key in Governor.__struct_fields__ if key != "board"}
    assert keys == live | set(FIXED)


def test_what_waits_is_not_in_force_and_all_else_is() -> None:
    config = new(
        daemon=Daemon(state_dir="/else", log_level="debug"),
        store=Store(file="/else/edged.db", commit_every=5.0),
        clock=Clock(trust="always"),
        pipelines={"gate": GATE},
    )
    applied = in_force(OLD, config)
    assert applied.daemon == Daemon(log_level="debug")
    assert applied.store == Store(commit_every=5.0)
    assert applied.clock == Clock() and list(applied.pipelines) == ["gate"]
    again = changes(applied, config)
    assert not again and set(again.waiting) == {"daemon.state_dir", "store.file", "clock.trust"}


def test_tasks_are_the_enabled_pipelines_with_their_models() -> None:
    found = tasks(pipelines(off=msgspec.structs.replace(YARD, enabled=False)))
    assert list(found) == ["gate", "yard"]
    assert found["gate"].models == (PEOPLE,) and found["yard"].models[0].file == "builtin:activity"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"one")
    return path


def test_a_model_that_is_written_anew_has_other_stamps(model: Path) -> None:
    before = stamps(YARD, Model(file=str(model)))
    assert not renewed(before, stamps(YARD, Model(file=str(model))), refused=False)
    fresh = model.with_suffix(".new")
    fresh.write_bytes(b"two")
    os.utime(fresh, ns=(model.stat().st_atime_ns, model.stat().st_mtime_ns))
    fresh.replace(model)
    assert renewed(before, stamps(YARD, Model(file=str(model))), refused=False)


def test_a_model_that_comes_or_goes_has_other_stamps(model: Path) -> None:
    before = stamps(YARD, Model(file=str(model)))
    model.unlink()
    assert renewed(before, stamps(YARD, Model(file=str(model))), refused=False)


def test_who_may_read_a_model_is_not_its_content(model: Path) -> None:
    before = stamps(YARD, Model(file=str(model)))
    model.chmod(0o600)
    assert not renewed(before, stamps(YARD, Model(file=str(model))), refused=False)


def test_a_recording_may_grow_but_a_refused_one_may_be_another_by_now(model: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    reads = Pipeline(source=File(path=str(clip)))
    before = stamps(reads, Model(file=str(model)))
    clip.write_bytes(b"more")
    after = stamps(reads, Model(file=str(model)))
    assert not renewed(before, after, refused=False)
    assert renewed(before, after, refused=True)
