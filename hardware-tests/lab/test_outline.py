"""A camera is lent by a locked worker that is at work, sketched by the process that looks, and taken back.

``v4l2.sh`` runs it, on vivid's colour bars: eight stripes, the edges between which are where they are known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from stage import ACTIVITY, Stage

from edged import supervise
from edged.config.shape import Measure, Pipeline, V4l2

PATIENCE = 180.0  # seconds; the machine is emulated
#: As they are started, but with the paths of the lab, where edged is not installed.
WORKER = "import os, sys; sys.path[:0] = {paths!r}; os.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
PROGRAM = WORKER + "from edged.worker.loop import main\nos._exit(main(sys.argv[1]))\n"
OUTLINE = WORKER + "from edged.worker.outline import main\nos._exit(main())\n"
SOURCE = V4l2(timeout=60.0)


def program(text: str) -> tuple[str, ...]:
    return sys.executable, "-I", "-c", text.format(paths=[one for one in sys.path if one])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(supervise, "COMMAND", program(PROGRAM))
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 60.0)
    monkeypatch.setattr(supervise, "STOP_PATIENCE", 30.0)
    made = Stage()
    yield made
    made.end()


def outline() -> Any:
    question = {"name": "hall", "pipeline": Pipeline(source=SOURCE), "models": (ACTIVITY,), "seconds": 1.0}
    done = subprocess.run(
        program(OUTLINE),
        input=msgspec.msgpack.encode(question),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return json.loads(done.stdout)


def test_a_camera_is_lent_sketched_and_taken_back(stage: Stage) -> None:
    controls = "test_pattern=1,osd_text_mode=2"  # colour bars, and no text in front of them
    subprocess.run(["v4l2-ctl", "-d", SOURCE.device, "--set-ctrl", controls], check=True)
    keeper = stage.keep(source=SOURCE, rate=2.0, measure=Measure(kind="activity"))
    stage.until(lambda: keeper.state == "running", PATIENCE)
    busy = outline()
    assert (busy["exit_code"], busy["bits"]) == (4, ""), busy
    pid = keeper.pid
    keeper.recess(PATIENCE)
    stage.until(lambda: not keeper.pid, PATIENCE)
    found = outline()
    assert found["refused"] == ""
    columns, rows, bits = found["columns"], found["rows"], bytes.fromhex(found["bits"])
    lit = lambda place: bits[place >> 3] >> (7 - place % 8) & 1  # noqa: E731
    per_column = Counter(x for y in range(rows) for x in range(columns) if lit(y * columns + x))
    for stripe in range(1, 8):
        edge = columns * stripe / 8
        near = sum(per_column[one] for one in range(round(edge) - 2, round(edge) + 2))
        assert near > rows / 3, (stripe, columns, rows, sorted(per_column.items()))
    keeper.recess(0.0)
    stage.until(lambda: keeper.state == "running", PATIENCE)
    assert keeper.pid not in (0, pid)
    assert (keeper.restarts, stage.events("worker-broke-out"), stage.events("replaced")) == (0, [], [])
