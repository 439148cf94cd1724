"""The whole house, as its users run it: ``edged run`` in a process of its own, real worker, real store,
asked by ``edged report``.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from command import edged

from edged.config.shape import Synthetic
from edged.control_client import ask
from edged.errors import ControlError
from edged.worker.source.scene import Scene

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
timezone = "UTC"
[store]
commit_every = {commit_every}
[store.keep]
second = {second}
{rest}
"""
SCENE = """
[pipelines.street]
rate = 5.0
measures = [{ kind = "presence" }, { kind = "activity" }]
[pipelines.street.source]
kind = "synthetic"
width = 320
height = 240
fps = 10.0
"""


class Box:
    """A folder with a config, and the program to run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []

    def config(self, rest: str, commit_every: float = 60, second: str = '"5y"') -> None:
        text = CONFIG.format(rest=rest, commit_every=commit_every, second=second)
        (self.folder / "edged.toml").write_text(text)

    def edged(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return edged(*arguments, cwd=self.folder)

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "edged", "run", "--init-key", "edged.toml"],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def status(self) -> dict[str, Any] | None:
        """What `edged status --json` prints, None without an answer; no program is started for each look."""
        try:
            return ask(self.folder / "run", "status")
        except ControlError:
            return None

    def until(self, condition: Callable[[dict[str, Any]], bool], patience: float = 60.0) -> dict[str, Any]:
        """The status once it is as wanted."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and condition(status):
                return status
            time.sleep(0.1)
        raise AssertionError(f"not within {patience} s: {self.status()}")

    def report(self, *arguments: str) -> dict[str, Any]:
        done = self.edged("report", "--all", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    one = Box(tmp_path)
    yield one
    one.end()


def rows(report: dict[str, Any], measure: str, label: str = "") -> dict[float, dict[str, Any]]:
    """Rows of one series by seconds since the first one."""
    (series,) = [one for one in report["series"] if (one["measure"], one["label"]) == (measure, label)]
    starts = [datetime.fromisoformat(row["start"]) for row in series["rows"]]
    return {
        (start - starts[0]).total_seconds(): row for start, row in zip(starts, series["rows"], strict=True)
    }


def seconds(report: dict[str, Any], key: str) -> float:
    """Sum of one part of the coverage."""
    return float(sum(row[key] for one in report["coverage"] for row in one["rows"]))


def ticked(status: dict[str, Any]) -> bool:
    return all(one["analysed"] > 5 for one in status["pipelines"])


def test_a_recorded_scene_becomes_numbers_that_agree_with_its_truth(box: Box) -> None:
    box.config(SCENE + 'pace = "fast"\nduration = 120.0\n')
    done = box.edged("run", "--init-key", "edged.toml")
    assert done.returncode == 0, done.stderr
    report = box.report("--every", "1s")
    presence = rows(report, "presence")
    assert len(presence) == 120
    assert seconds(report, "analysed") == 600 and seconds(report, "observed_s") == pytest.approx(
        120, abs=0.01
    )
    scene = Scene(Synthetic(width=320, height=240, fps=10.0))
    truth = {
        second: max(scene.count(kind, second + 0.5) for kind in ("person", "car")) > 0
        for second in range(120)
    }
    agree = sum((presence[second]["mean"] >= 0.5) == there for second, there in truth.items())
    assert 20 < sum(truth.values()) < 115, "a scene that is always or never empty proves nothing"
    assert agree >= 100, f"{agree} of 120 seconds agree with the truth"


def test_a_recording_is_told_of_even_where_nobody_vouches_for_the_clock(box: Box) -> None:
    box.config(SCENE + 'pace = "fast"\nduration = 20.0\n')
    text = (box.folder / "edged.toml").read_text()
    (box.folder / "edged.toml").write_text(text.replace('trust = "always"\n', ""))
    assert box.edged("run", "--init-key", "edged.toml").returncode == 0
    assert seconds(box.report("--every", "1s"), "observed_s") == pytest.approx(20, abs=0.01)


def test_a_recording_of_long_ago_is_kept_as_long_as_a_new_one(box: Box) -> None:
    box.config(SCENE + 'pace = "fast"\nduration = 200.0\nstart = 2001-02-03T04:05:06Z\n', second='"1d"')
    assert box.edged("run", "--init-key", "edged.toml").returncode == 0
    report = box.report("--every", "1s")
    assert report["from"].startswith("2001-02-03T04:05")
    assert len(rows(report, "presence")) == 200


def test_an_hour_and_a_half_of_seconds_in_moments_is_all_there_and_did_not_wait_in_memory(box: Box) -> None:
    box.config(SCENE.replace("fps = 10.0", "fps = 1.0") + 'pace = "fast"\nduration = 5400.0\n')
    process = box.start()
    held = []
    while process.poll() is None:
        if (status := box.status()) is not None:
            held.append(status["store"]["pending_buckets"])
        time.sleep(0.2)
    assert process.returncode == 0
    assert seconds(box.report("--every", "1h"), "observed_s") == pytest.approx(5400, abs=0.01)
    assert held and max(held) <= 1100


def test_a_live_source_is_counted_until_it_is_told_to_stop_with_the_last_second_committed(box: Box) -> None:
    box.config(SCENE)
    process = box.start()
    box.until(ticked)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5
    report = box.report("--every", "1s")
    assert seconds(report, "observed_s") >= 1.0
    assert seconds(report, "analysed") > 5
    assert not (box.folder / "run" / "control.sock").exists()


def test_a_restart_within_a_minute_continues_the_bucket(box: Box) -> None:
    box.config(SCENE, second="0")
    while time.time() % 60 > 35:  # both runs must fall into one minute
        time.sleep(1)
    observed = []
    for _ in range(2):
        process = box.start()
        box.until(ticked)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        report = box.report("--every", "1m")
        observed.append(seconds(report, "observed_s"))
        assert len(rows(report, "presence")) == 1
    assert observed[1] >= observed[0] + 1.0


def test_a_daemon_that_is_killed_leaves_a_whole_store_and_no_worker(box: Box) -> None:
    box.config(SCENE, commit_every=1)
    process = box.start()
    status = box.until(lambda one: one["pipelines"][0]["analysed"] > 25)
    worker = status["pipelines"][0]["pid"]
    process.kill()
    process.wait(10)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline, "the worker outlived its daemon"
        time.sleep(0.05)
    assert seconds(box.report("--every", "1s"), "observed_s") > 0
    process = box.start()
    box.until(ticked)


def test_a_worker_that_is_killed_costs_its_pipeline_moments_that_are_called_blind(box: Box) -> None:
    box.config(SCENE + SCENE.replace("street", "yard"))
    process = box.start()
    status = box.until(ticked)
    pids = {one["name"]: one["pid"] for one in status["pipelines"]}
    os.kill(pids["street"], signal.SIGKILL)
    box.until(lambda one: one["pipelines"][0]["restarts"] == 1 and one["pipelines"][0]["state"] == "running")
    time.sleep(2.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    blind = {
        one["pipeline"]: sum(row["blind_s"] for row in one["rows"])
        for one in box.report("--every", "1s")["coverage"]
    }
    # Both were blind until their workers had opened; the backoff alone is half a second more.
    assert blind["street"] > blind["yard"] + 0.4 and blind["yard"] < 5


def test_the_state_folder_holds_the_key_and_an_encrypted_store_and_nothing_else(box: Box) -> None:
    box.config(SCENE + 'pace = "fast"\nduration = 20.0\n')
    assert box.edged("run", "--init-key", "edged.toml").returncode == 0
    state = box.folder / "state"
    assert {one.name for one in state.iterdir()} == {"key", "edged.db"}
    assert not (state / "edged.db").read_bytes().startswith(b"SQLite format 3")
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(state / "edged.db") as plain:
        plain.execute("SELECT * FROM sqlite_master")


def test_a_camera_that_stays_away_is_news_once(box: Box) -> None:
    box.config(SCENE.replace('kind = "synthetic"', 'kind = "file"\npath = "absent.mp4"').split("width")[0])
    process = box.start()
    box.until(lambda one: one["pipelines"][0]["restarts"] >= 3)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert said.count("absent.mp4") == 1, said
    assert seconds(box.report("--every", "1s"), "blind_s") > 1.0


def test_without_a_key_it_says_how_to_make_one(box: Box) -> None:
    box.config(SCENE)
    done = box.edged("run", "edged.toml")
    assert done.returncode == 5
    assert "state/key" in done.stderr and "edged keys init" in done.stderr and "Traceback" not in done.stderr


def test_when_every_pipeline_is_refused_it_ends_and_says_why(box: Box) -> None:
    copy = box.folder / "mine.tflite"
    copy.write_bytes((files("edged") / "models" / "activity.tflite").read_bytes())
    model = '[models.mine]\nfile = "mine.tflite"\n'
    scene = SCENE.replace("rate =", 'model = "mine"\nrate =').replace('"activity"', '"level"')
    box.config(model + scene)
    done = box.edged("run", "--init-key", "edged.toml")
    assert done.returncode == 3, done.stderr
    assert "level" in done.stderr and "Traceback" not in done.stderr


#: The six visits, in seconds; ``../shared/media``'s README gives their frames, at 10 a second.
VISITS = ((6.1, 19.7), (22.9, 44.6), (50.4, 69.6), (74.5, 86.6), (92.2, 119.7), (123.6, 135.9))


def test_six_people_visit_a_table(box: Box, shared: Path) -> None:
    model = shared / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
    clip = shared / "media/one-by-one-person-detection.mp4"
    box.config(f"""
[models.detector]
file = "{model}"
[pipelines.table]
model = "detector"
rate = 5.0
measures = [{{ kind = "occupancy", labels = ["person"] }}]
source = {{ kind = "file", path = "{clip}", pace = "fast" }}
""")
    done = box.edged("run", "--init-key", "edged.toml")
    assert done.returncode == 0, done.stderr
    occupancy = rows(box.report("--every", "1s"), "occupancy", "person")
    # Whole seconds within a visit, but for its first and last one: people come in over the edge.
    within = [s for s in occupancy if any(start + 1 <= s and s + 1 <= end - 1 for start, end in VISITS)]
    without = [s for s in occupancy if all(s + 1 <= start or s >= end + 1 for start, end in VISITS)]
    assert len(within) > 80 and len(without) > 15
    assert sum(occupancy[s]["mean"] >= 0.5 for s in within) >= 0.97 * len(within)
    assert [s for s in without if occupancy[s]["mean"] >= 0.5] == []
    assert {name.name for name in (box.folder / "state").iterdir()} == {"key", "edged.db"}
