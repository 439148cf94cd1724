"""Workers that fail in every way they can: each is replaced, the other pipeline loses no tick, and what fails
again and again is set aside and explained. Real processes, real faults.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import media
import pytest
from delegates import Library
from stage import Stage
from unanswered import Server, state, unanswered

from edged import health, quarantine, supervise, wall
from edged.config.shape import File, Model
from edged.facts import condition, pipeline
from edged.supervise import Keeper
from edged.warden import Warden, available

FAULTY = Path(__file__).parent / "faulty.py"


def test_there_is_a_successor_within_five_seconds_of_the_last_sign_of_life() -> None:
    """Of one that hangs; one that has ended waits for nothing but the backoff."""
    waits = supervise.PROGRESS_DEADLINE + supervise.BESIDE + supervise.BACKOFF_FIRST
    assert supervise.BACKOFF_FIRST < waits < 5.0


def spoil(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, times: int = 1) -> None:
    """From now on pipelines that are named after a deed do it."""
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(FAULTY), str(times), str(tmp_path)))


def works_again(stage: Stage, victim: Keeper, other: Keeper, restarts: int = 1) -> None:
    """Until the victim's successor and the other have both told of some seconds more."""
    stage.until(lambda: victim.restarts == restarts and victim.state == "running", 60.0)
    heard = {one.name: stage.heard.count(one.name) for one in (victim, other)}
    stage.until(lambda: all(stage.heard.count(name) >= count + 2 for name, count in heard.items()))


def lost_nothing(stage: Stage, other: Keeper) -> None:
    """Not a number, not a moment: each tick begins where the one before it ended, and no second was blind."""
    ticks = [tick for name, tick in stage.heard.ticks if name == other.name]
    assert [one.number for one in ticks] == list(range(1, len(ticks) + 1)) and len(ticks) > 2
    assert all(one.end == two.start for one, two in pairwise(ticks))
    assert all(tick.blind == 0 and tick.observed > 0 and tick.analysed > 0 for tick in ticks[1:])
    assert other.restarts == 0


#: What each deed is called afterwards.
CRASHES = {
    "segv": "ended by SIGSEGV",
    "abort": "ended by SIGABRT",
    "exit": "ended by itself with status 0",
    "leak": "ran out of memory",
    "fault": "a fault in the worker: KeyError",
    "wrong": "it broke a rule of the wall",
}
HANGS = {"spin": "no progress for", "sleep": "no progress for", "hold": "no progress for"}


@pytest.mark.parametrize("deeds", [CRASHES, HANGS], ids=["crashes", "hangs"])
def test_each_is_replaced_and_the_other_loses_no_tick(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deeds: dict[str, str]
) -> None:
    spoil(monkeypatch, tmp_path)
    other = stage.keep("other")
    stage.until(lambda: stage.heard.count("other") >= 1)
    victims = [stage.keep(deed) for deed in deeds]
    for victim in victims:
        works_again(stage, victim, other)
    lost_nothing(stage, other)
    said = {name: text for name, event, text in stage.heard.events if event == "replaced"}
    assert {deed for deed, words in deeds.items() if words not in said[deed]} == set(), said
    assert "what was seen" not in str(stage.heard.events), "nor what a fault was about"
    assert all((tmp_path / deed).stat().st_size == 1 for deed in deeds), "it was the deed, and once"


def test_a_delegate_that_aborts_is_done_without(stage: Stage, tmp_path: Path, library: Library) -> None:
    """The real runtime loads it, and it takes the process with it."""
    bundled = Path(supervise.__file__).parent / "models" / "activity.tflite"
    model = Model(file=str(bundled), edgetpu_file=str(bundled), delegate_library=library("ABORT"))
    other = stage.keep("other")
    stage.until(lambda: stage.heard.count("other") >= 1)
    victim = stage.keep("victim", model=model)
    works_again(stage, victim, other)
    lost_nothing(stage, other)
    assert victim.ready is not None and "SIGABRT" in victim.ready.cpu_because


#: The real worker, with little patience for a recording.
IMPATIENT = (
    "import sys; from edged.worker import loop; loop.HUNG_SLOW = 2.0; sys.exit(loop.main(sys.argv[1]))"
)


def test_what_hangs_in_the_kernel_is_left_behind_for_a_successor(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording on a drive that stops answering: not even SIGKILL ends who reads it."""
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("only root can mount a file system that stops answering, and /dev/fuse must be there")
    monkeypatch.setattr(supervise, "STUCK", 1.0)
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-c", IMPATIENT))
    clip = media.movie(tmp_path / "clip.avi", "rawvideo", frames=30)  # more than anybody reads at once
    try:
        mounted = unanswered(tmp_path / "drive", "clip.avi", clip.read_bytes())
        with mounted as drive:
            hang(stage, File(path=str(drive.path), pace="real", loop=True), drive)
    except PermissionError as error:
        pytest.skip(f"nothing can be mounted here: {error}")


def hang(stage: Stage, source: File, drive: Server) -> None:
    other = stage.keep("other")
    victim = stage.keep("victim", source=source)
    stage.until(lambda: stage.heard.count("victim") >= 1 and stage.heard.count("other") >= 1)
    first = victim.pid
    drive.fall_silent()
    stage.until(lambda: bool(stage.events("replaced")))
    assert state(first) == "D", "it was killed, and is there"
    (said,) = stage.events("replaced")
    assert "the source hangs" in said and f"the worker before it (process {first}) has not ended yet" in said
    stage.until(lambda: victim.alive and victim.pid != first)
    stage.until(lambda: bool(stage.events("worker-stuck")))
    drive.close()  # the drive is pulled out: whoever read gets an error
    stage.until(lambda: not Path(f"/proc/{first}").exists())
    heard = stage.heard.count("other")
    stage.until(lambda: stage.heard.count("other") >= heard + 2)
    lost_nothing(stage, other)


def test_what_fails_again_and_again_is_set_aside_and_tried_again_by_time(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(quarantine, "FIRST", 1.0)
    spoil(monkeypatch, tmp_path, quarantine.MOST + 1)
    other = stage.keep("other")
    victim = stage.keep("segv")
    stage.until(lambda: bool(stage.events("quarantined")), 120.0)
    first = stage.events("quarantined")[0]
    assert first.startswith("the worker was ended by SIGSEGV; 6 failures in ")
    assert "set aside for 1 s" in first and "edged reload" in first
    assert len(stage.events("replaced")) == quarantine.MOST - 1
    told_of(victim)
    stage.until(lambda: len(stage.events("quarantined")) == 2, 60.0)
    assert "; again, so it is set aside for 2 s" in stage.events("quarantined")[1], "on probation"
    works_again(stage, victim, other, quarantine.MOST + 1)
    lost_nothing(stage, other)
    assert victim.aside is None


def told_of(victim: Keeper) -> None:
    """What the owner sees of it meanwhile."""
    facts = pipeline(victim, 0, 0.0)
    assert facts["state"] == "quarantined" and facts["aside_s"] in (0, 1) and "SIGSEGV" in facts["why"]
    judged = condition(victim)
    assert victim.settled and victim.blind and not victim.done and not victim.alive
    assert "segv: quarantined: the worker was ended" in str(health.line(health.Outlook((judged,), 0.0)))
    assert judged.due == victim.due < float("inf"), "its keeper owes the next start"


@pytest.mark.parametrize(
    ("deed", "event", "why"),
    [
        ("wrong", "wall-broken", "broke a rule of the wall"),
        pytest.param(
            *("escape", "worker-broke-out", "`openat`, which it may not"),
            marks=pytest.mark.skipif(not available(), reason="this kernel has no filters that ask"),
        ),
    ],
)
def test_a_rule_broken_twice_is_enough(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, event: str, why: str
) -> None:
    spoil(monkeypatch, tmp_path, 1000)
    victim = stage.keep(deed)
    stage.until(lambda: victim.state == "quarantined", 60.0)
    assert len(stage.events(event)) == 2 and len(stage.events("replaced")) == 1
    assert why in victim.why and "2 failures in" in victim.why


def test_a_camera_that_is_not_there_is_never_set_aside(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(supervise, "BACKOFF_MOST", 0.02)
    keeper = stage.keep("victim", source=File(path=str(tmp_path / "absent.mp4")))
    stage.until(lambda: keeper.restarts > quarantine.MOST + 1, 120.0)
    assert keeper.state in ("backoff", "starting") and not stage.events("quarantined")


def test_a_killed_worker_that_is_slow_to_end_is_no_news(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill itself is held back, as if the kernel took its time."""
    keeper = stage.keep("victim")
    stage.until(lambda: stage.heard.count("victim") >= 1)
    first, kill = keeper.pid, supervise.Process.kill
    with monkeypatch.context() as patch:
        held: list[Any] = []
        patch.setattr(supervise.Process, "kill", _later(held))
        os.kill(first, signal.SIGSTOP)
        stage.until(lambda: keeper.restarts == 1)
    kill(held[0])
    stage.until(lambda: not Path(f"/proc/{first}").exists() and keeper.state == "running")
    assert not stage.events("worker-stuck") and keeper.pid != first


def test_a_worker_that_is_done_before_the_daemon_looks_was_locked_all_the_same(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A still picture: the kernel lets go of the listener before the daemon has read that it is ready."""
    asked = Warden._asked

    def slow(self: Warden) -> None:
        asked(self)
        if set(wall.WITNESSED) <= set(self.seen) and self.fileno() >= 0:
            select.select([keeper._process, self], [], [], 30.0)  # until it asks more, or has ended

    monkeypatch.setattr(Warden, "_asked", slow)
    still = media.still(tmp_path / "still.png", media.picture(9))
    keeper = stage.keep(source=File(path=str(still), pace="fast"))
    stage.until(lambda: keeper.done or bool(stage.events("wall-broken")))
    assert (keeper.state, stage.events("wall-broken"), stage.events("replaced")) == ("ended", [], [])
    assert stage.heard.count("p") >= 1


def _later(held: list[Any]) -> Callable[[Any], None]:
    """A kill that is only noted; a method, as a list's own append is not."""

    def kill(process: Any) -> None:
        held.append(process)

    return kill
