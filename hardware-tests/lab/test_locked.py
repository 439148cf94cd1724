"""A locked worker on a real device: it works, rests in a long pause, wakes up, changes its rate and its rung,
and is never caught at what it may not.

``camera.sh`` and ``v4l2.sh`` run it, each with what it lends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from stage import Stage

from edged import supervise, wall, warden
from edged.config.shape import Camera, Measure, Model, V4l2
from edged.lender import Allowance
from edged.supervise import Keeper
from edged.worker.reader import PARKED_AFTER

LAB = os.environ.get("EDGED_LAB", "")
SOURCES = {"camera": Camera(timeout=20.0), "v4l2": V4l2(timeout=20.0)}
#: The worker, with what lends it a camera; -I, as everywhere: nothing is inherited.
PROGRAM = """
import os, sys
sys.path[:0] = {paths!r}
if {lab!r} == "camera":
    import softcam
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from edged.worker.loop import main
os._exit(main(sys.argv[1]))
"""
PATIENCE = 180.0  # seconds; the machine may be emulated
DRIVER = Path("/sys/bus/platform/drivers/vivid")
UNPLUGGED = 3.0  # seconds

pytestmark = pytest.mark.skipif(LAB not in SOURCES, reason="EDGED_LAB names no device")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    program = PROGRAM.format(paths=[one for one in sys.path if one], lab=LAB)
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-I", "-c", program))
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 60.0)
    made = Stage()
    yield made
    made.end()


def looks(stage: Stage, ticks: int = 3) -> None:
    """So many more ticks in which it looked."""
    seen = [tick.analysed > 0 for _, tick in stage.heard.ticks].count(True)
    stage.until(
        lambda: [tick.analysed > 0 for _, tick in stage.heard.ticks].count(True) >= seen + ticks, PATIENCE
    )


def test_locked_from_the_first_frame_to_the_last(stage: Stage) -> None:
    models = (Model(file="builtin:activity"), Model(file="builtin:activity"))
    keeper = stage.keep(source=SOURCES[LAB], rate=2.0, ladder=models, measure=Measure(kind="activity"))
    stage.until(lambda: keeper.state == "running", PATIENCE)
    assert keeper.ready is not None and set(wall.WITNESSED) <= set(keeper._hearing.warden.seen)
    assert warden.available() and not {"seccomp", "notification"} & set(keeper.ready.lacking)
    looks(stage)
    keeper.direct(wall.Directive(1.0))
    looks(stage)
    keeper.direct(wall.Directive(1.0, rung=1))
    stage.until(lambda: keeper.directions.at[0] == 1, PATIENCE)
    looks(stage)
    began = stage.heard.ticks[-1][1].end
    keeper.direct(wall.Directive(1.0, paused=True, rung=1))
    stage.until(lambda: stage.heard.ticks[-1][1].end > began + PARKED_AFTER + 5.0, PATIENCE)
    keeper.direct(wall.Directive(2.0, rung=1))
    looks(stage)
    keeper.stop()
    stage.until(lambda: not keeper.alive, PATIENCE)
    assert (keeper.restarts, stage.events("worker-broke-out"), stage.events("replaced")) == (0, [], [])


def unplugged(stage: Stage, keeper: Keeper) -> float:
    """Lose the camera, have it back after a while, and see again: seconds from its coming back to that."""
    looks(stage)
    told = len(stage.heard.ticks)
    (DRIVER / "unbind").write_text("vivid.0")
    stage.until(lambda: keeper.state in ("lost", "backoff"), PATIENCE)
    until = time.monotonic() + UNPLUGGED
    stage.until(lambda: time.monotonic() > until, PATIENCE)
    (DRIVER / "bind").write_text("vivid.0")
    back = time.monotonic()
    stage.until(
        lambda: any(tick.analysed and tick.end > back for _, tick in stage.heard.ticks[told:]), PATIENCE
    )
    sees = next(one for _, one in stage.heard.ticks[told:] if one.analysed and one.end > back)
    return sees.end - sees.observed - back


@pytest.mark.skipif(LAB != "v4l2", reason="only such a device can be lent")
def test_the_same_worker_goes_on_with_what_was_plugged_in_again(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = stage.keep(source=SOURCES[LAB], rate=2.0, measure=Measure(kind="activity"))
    stage.until(lambda: keeper.state == "running", PATIENCE)
    pid = keeper.pid
    lent = [unplugged(stage, keeper) for _ in range(3)]
    assert (keeper.pid, keeper.restarts) == (pid, 0)
    assert len(stage.events("source-lost")) == len(stage.events("source-back")) == 3
    keeper._lender._allowance = Allowance(at_once=0)
    replaced = [unplugged(stage, keeper)]
    assert keeper.pid != pid and keeper.restarts > 0
    keeper.stop()
    stage.until(lambda: not keeper.alive, PATIENCE)
    assert (stage.events("worker-broke-out"), stage.events("wall-broken")) == ([], [])
    told = " ".join(f"{one:.1f}" for one in (*lent, *replaced))
    with capsys.disabled():
        print(f"\nseconds from its return to the first frame, lent three times, then by a successor: {told}")
