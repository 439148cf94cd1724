"""The demo and `edged run` as a newcomer meets them: the real daemon, worker, model and store."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import edged

from edged.cli import evidence

PATIENCE = 170.0  # seconds; less than a command's own
#: As fast as it goes: two minutes of the scene take a second or two.
RECORDING = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
timezone = "Europe/Berlin"
[pipelines.street]
rate = 5.0
[pipelines.street.source]
kind = "synthetic"
pace = "fast"
start = 2026-03-01T08:00:00+01:00
duration = "2m"
"""


def test_the_demo_shows_counts_truth_and_disk(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    done = edged("demo", "--seconds", "12", "--keep", str(place))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"street: [\d.]+ fps  presence [\d.]+ %", done.stdout)  # progress, in plain lines
    assert re.search(r"street  [\d.]+ % of \d+s? observed", done.stdout)  # its start is blind, however long
    true, counted = (
        float(re.search(rf"presence, a character a second\n(?:.*\n)?? +{word} +([\d.]+) %", done.stdout)[1])  # type: ignore[index]
        for word in ("true", "counted")
    )
    assert 20 < true < 80
    assert abs(true - counted) < 25
    assert "plain SQLite says: file is not a database" in done.stdout
    assert "no file is a picture or a film" in done.stdout
    store = place / "state" / "edged.db"
    assert store.read_bytes()[:48].hex(" ")[:47] in done.stdout
    assert evidence.kind(store.read_bytes()) == "noise"
    assert edged("report", "--all", "--config", str(place / "demo.toml")).returncode == 0


@pytest.fixture
def short() -> Iterator[Path]:
    """A socket's path has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="e-") as folder:
        yield Path(folder)


def test_the_demo_leaves_nothing_behind(short: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edged", "demo", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(short)},
    )
    deadline = time.monotonic() + PATIENCE
    while not list(short.glob("edged-demo-*/run/control.sock")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.strip()) == (130, "")
    assert list(short.iterdir()) == []


def test_a_folder_with_too_long_a_path_is_refused_at_once(tmp_path: Path) -> None:
    """A socket's path ends there, and nobody would hear the daemon."""
    done = edged("demo", "--keep", str(tmp_path / ("x" * 90)))
    assert done.returncode == 2
    assert "too long a path" in done.stderr and "--keep" in done.stderr


def test_the_demo_overwrites_nothing(tmp_path: Path) -> None:
    done = edged("demo", "--keep", str(tmp_path))
    assert done.returncode == 2
    assert "no new folder can be made there" in done.stderr


def test_a_recording_runs_to_its_end_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "edged.toml").write_text(RECORDING)
    done = edged("run", "--init-key", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "state" / "key").stat().st_mode & 0o777 == 0o400
    facts = json.loads(edged("report", "--all", "--json", cwd=tmp_path).stdout)
    assert facts["from"] == "2026-03-01T08:00:00+01:00"
    assert facts["to"] == "2026-03-01T08:02:00+01:00"
    (presence,) = facts["series"]
    assert [row["start"] for row in presence["rows"]] == [
        "2026-03-01T08:00:00+01:00",
        "2026-03-01T08:01:00+01:00",
    ]
    (covered,) = facts["coverage"]
    assert sum(row["observed_s"] for row in covered["rows"]) == pytest.approx(120, abs=1.5)
    late = edged("report", cwd=tmp_path)
    assert "nothing was counted" in late.stdout
    assert "edged report --all" in late.stdout


def test_the_running_daemon_answers_and_stops(tmp_path: Path) -> None:
    (tmp_path / "edged.toml").write_text(
        RECORDING.replace("fast", "real").replace("start =", "# start =").replace('"2m"', '"2h"')
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "--init-key"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while '"running"' not in (status := edged("status", "--json", cwd=tmp_path)).stdout:
            assert time.monotonic() < deadline and process.poll() is None, status.stdout + status.stderr
            time.sleep(0.2)
        assert "street  running" in edged("status", cwd=tmp_path).stdout
        assert "street" in edged("top", "--once", cwd=tmp_path).stdout
        assert edged("report", "--json", cwd=tmp_path).returncode == 0
        again = edged("run", cwd=tmp_path)
        assert again.returncode != 0
        assert "edged:" in again.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert edged("status", cwd=tmp_path).returncode == 6


# --- evidence


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"\0\0\0\x18ftypmp42", "MP4"),
        (b"SQLite format 3\0" + bytes(100), "plain SQLite"),
        (b"a = 1\n", "text"),
        (b"\x00\x01\x02", ""),
        (bytes(range(256)) * 64, "noise"),
        (bytes(8192) + b"\xff", ""),
    ],
)
def test_what_a_file_looks_like(content: bytes, kind: str) -> None:
    assert evidence.kind(content) == kind


def test_a_plain_database_is_not_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "plain.db") as plain:
        plain.execute("CREATE TABLE t (x)")
    assert evidence.refusal(tmp_path / "plain.db") == ""
    (tmp_path / "noise.db").write_bytes(os.urandom(4096))
    assert evidence.refusal(tmp_path / "noise.db") == "file is not a database"


def test_a_dump_shows_bytes_and_letters() -> None:
    assert evidence.dump(b"edged\x00\xff") == ["00000000  65 64 67 65 64 00 ff" + " " * 28 + " edged.."]
