"""The examples of sound, as their owner runs them, but for what they hear: a real daemon, real workers, a
real store and report, on sounds whose true numbers are known. With the real model where it is at hand, and
everywhere with a small ear.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sounds
from command import edged

from edged.config.shipped import folder as shipped

AROUND = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
[governor]
enabled = false
"""
SOURCE = 'kind = "file"\npath = "{}"\npace = "fast"\nstart = "2026-05-01T04:00:00+00:00"'
SECONDS = 90.0
BOUTS = ((5.0, 12.0), (20.0, 24.0), (31.0, 45.0), (60.0, 61.5), (70.0, 80.0))
TRUE = sum(end - begin for begin, end in BOUTS)
#: A bout is heard from the first window that touches it on, until the last; a model that wants a whole window
#: of it hears that much less.
WINDOW, HOP = 0.975, 0.4875
#: What sounds in each example, and the band (in Hz) in which the small ear listens for it.
EXAMPLES = {"birdsong": ("song", "Bird", (2000.0, 5000.0)), "hum": ("hum", "Mains hum", (30.0, 400.0))}
ELSEWHERE = (6500.0, 7500.0)


@pytest.fixture(params=["ear", "yamnet"])
def listener(request: pytest.FixtureRequest) -> str:
    if request.param == "yamnet":
        request.getfixturevalue("shared")
    return str(request.param)


def labels(text: str) -> list[str]:
    """All that an example asks for."""
    (pipeline,) = tomllib.loads(text)["pipelines"].values()
    return list(dict.fromkeys(one for measure in pipeline["measures"] for one in measure["labels"]))


def heard(folder: Path, name: str, listener: str, request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The report on the example's pipeline: kind and label -> its row."""
    kind, label, band = EXAMPLES[name]
    text = (shipped() / f"{name}.toml").read_text()
    tape = sounds.recording(folder / "tape.wav", BOUTS, SECONDS, kind)
    model = str(folder / "ear.tflite")
    if listener == "yamnet":
        shared = request.getfixturevalue("shared")
        model = str(shared / "models/yamnet_audio_classifier_with_metadata.tflite")
    else:
        known = labels(text)
        Path(model).write_bytes(sounds.ear([band if one == label else ELSEWHERE for one in known]))
        text = text.replace(
            "min_score =", f"labels = {json.dumps(known)}\nsample_rate = 16000\nmin_score =", 1
        )
    text = text.replace("/var/lib/edged/models/yamnet_audio_classifier_with_metadata.tflite", model)
    text = text.replace('kind = "microphone"\ndevice = "default"', SOURCE.format(tape))
    config = folder / "edged.toml"
    config.write_text(AROUND + text)
    done = edged("run", "--init-key", "--config", str(config))
    assert done.returncode == 0, done.stderr
    report = edged("report", "--all", "--every", "1h", "--json", "--config", str(config))
    assert report.returncode == 0, report.stderr
    return {f"{one['measure']} {one['label']}": one["rows"][0] for one in json.loads(report.stdout)["series"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_sounds_is_counted(
    name: str, listener: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = heard(tmp_path, name, listener, request)
    label = EXAMPLES[name][1]
    share = rows[f"presence {label}"]
    assert share["seconds"] == pytest.approx(SECONDS, abs=1.0)
    seconds = share["mean"] * share["seconds"]
    off = len(BOUTS) * (WINDOW + HOP)
    assert TRUE - (off if listener == "yamnet" else 0.0) <= seconds <= TRUE + off
    assert rows[f"events {label}"]["count"] == len(BOUTS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_does_not_sound_is_not(
    name: str, listener: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = heard(tmp_path, name, listener, request)
    others = {"birdsong": ("Crow", "Owl", "Pigeon, dove"), "hum": ("Squeal", "Rattle", "Alarm")}[name]
    for label in others:
        assert rows[f"events {label}"]["count"] == 0
