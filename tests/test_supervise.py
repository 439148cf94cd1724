"""Keeping workers: real processes, really killed, frozen and hostile."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import media
import pytest
from stage import Stage

from edged import process, supervise
from edged.config.shape import File, Measure, Model, Synthetic
from edged.roster import finish


def test_a_worker_ticks_once_a_second_and_ends_when_told(stage: Stage) -> None:
    keeper = stage.keep()
    stage.until(lambda: stage.heard.count("p") >= 3)
    finish(stage.reactor, stage.keepers)
    ticks = [tick for _, tick in stage.heard.ticks]
    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    lengths = [tick.end - tick.start for tick in ticks[1:3]]
    assert 0.9 < min(lengths) < 1.5  # a busy machine makes one late, hardly each
    assert all(before.end == after.start for before, after in pairwise(ticks))
    assert not keeper.alive and keeper.state == "ended"


def test_a_worker_has_an_empty_environment_and_no_descriptor_but_the_wall(
    stage: Stage, tmp_path: Path
) -> None:
    """Neither what is ours nor what whoever started the daemon left open for all that come."""
    left = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(left, True)
    try:
        keeper = stage.keep()
    finally:
        os.set_inheritable(left, False)
    stage.until(lambda: keeper.state == "running")
    process = Path(f"/proc/{keeper.pid}")
    assert process.joinpath("environ").read_bytes().strip(b"\0") == b""
    held = descriptors(keeper.pid)
    assert [held[number] for number in range(3)] == ["/dev/null"] * 3
    assert held[3].startswith("socket:")
    assert sum(target.startswith("socket:") for target in held.values()) == 1
    # Its model it has opened itself, and an earlier test may have one open here.
    model = Path(supervise.__file__).parent / "models" / "activity.tflite"
    ours = set(descriptors(os.getpid()).values()) - {"/dev/null", str(model)}
    assert not ours & set(held.values())
    assert str(tmp_path) in ours
    assert os.getsid(keeper.pid) == keeper.pid
    os.close(left)


def test_no_folder_lends_a_worker_a_module(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the daemon was started."""
    for name in ("msgspec", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(tmp_path)
    keeper = stage.keep()
    stage.until(lambda: stage.heard.count("p") >= 1 or keeper.restarts > 0)
    assert keeper.restarts == 0, keeper.why


def test_a_worker_goes_before_the_daemon_when_memory_runs_out(stage: Stage) -> None:
    keeper = stage.keep()
    ours, its = (int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in ("self", keeper.pid))
    assert its == process.DISPENSABLE > ours


def descriptors(pid: int) -> dict[int, str]:
    folder = Path(f"/proc/{pid}/fd")
    return {int(one.name): str(one.readlink()) for one in folder.iterdir() if one.is_symlink()}


def test_a_killed_worker_is_replaced_and_the_others_lose_nothing(stage: Stage) -> None:
    victim, other = stage.keep("victim"), stage.keep("other")
    stage.until(lambda: stage.heard.count("victim") >= 1 and stage.heard.count("other") >= 1)
    before, old = stage.heard.count("victim"), victim.pid
    os.kill(old, signal.SIGKILL)
    stage.until(lambda: stage.heard.count("victim") >= before + 2)
    assert victim.pid != old and victim.restarts == 1 and other.restarts == 0
    assert "SIGKILL" in stage.events("replaced")[0]
    ticks = [tick for name, tick in stage.heard.ticks if name == "other"]
    assert all(one.end == two.start and two.blind == 0 for one, two in pairwise(ticks))


def test_a_frozen_worker_is_noticed_by_its_missing_progress(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 2.0)
    keeper = stage.keep()
    stage.until(lambda: stage.heard.count("p") >= 1)
    os.kill(keeper.pid, signal.SIGSTOP)
    before = stage.heard.count("p")
    stage.until(lambda: keeper.restarts == 1 and stage.heard.count("p") > before)
    assert "no progress" in stage.events("replaced")[0]


def test_a_recording_ends_its_pipeline(stage: Stage) -> None:
    scene = Synthetic(width=96, height=96, fps=10.0, pace="fast", duration=30.0)
    keeper = stage.keep(source=scene)
    stage.until(lambda: keeper.done)
    assert keeper.state == "ended" and stage.events("ended")
    ticks = [tick for _, tick in stage.heard.ticks]
    assert sum(tick.analysed for tick in ticks) == 300
    assert ticks[-1].end == pytest.approx(30.0, abs=0.11)
    assert sum(tick.observed for tick in ticks) == pytest.approx(30.0, abs=0.11)


@pytest.mark.parametrize(("leap", "outcome"), [(600, "ended"), (200_000, "refused")])
def test_a_recording_that_leaps_by_days_is_refused(
    stage: Stage, tmp_path: Path, leap: int, outcome: str
) -> None:
    """Each second of a leap is told, as blind: ten minutes are, two days are not."""
    path = tmp_path / "leap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1)
        for moment in (0, 1, 2, leap, leap + 1):
            frame = av.VideoFrame.from_ndarray(media.picture(moment % 20), format="rgb24")
            frame.pts, frame.time_base = moment, Fraction(1, 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    keeper = stage.keep(source=File(path=str(path), pace="fast"))
    stage.until(lambda: keeper.done, 60)
    assert (keeper.state, keeper.restarts, stage.events("wall-broken")) == (outcome, 0, [])
    ticks = [tick for _, tick in stage.heard.ticks]
    if outcome == "refused":
        assert "the recording leaps by 55.6 h, at second 3" in keeper.why
    else:
        assert sum(tick.blind for tick in ticks) == pytest.approx(leap - 3, abs=1.0)


def test_a_recording_faster_than_the_wall_keeps_its_rate_by_waiting(stage: Stage) -> None:
    scene = Synthetic(width=96, height=96, fps=1.0, pace="fast", duration=6000.0)
    keeper = stage.keep(source=scene, rate=1.0)
    stage.until(lambda: keeper.done, 60)
    assert (keeper.state, keeper.restarts, stage.events("wall-broken")) == ("ended", 0, [])
    assert sum(tick.analysed for _, tick in stage.heard.ticks) == 6000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": Measure(kind="occupancy")}, "occupancy"),
        ({"model": Model(file=__file__)}, "test_supervise.py"),
        ({"source": File(path=__file__)}, "test_supervise.py"),
    ],
)
def test_what_can_never_work_is_refused_with_a_sentence(
    stage: Stage, changes: dict[str, object], message: str
) -> None:
    keeper = stage.keep(**changes)  # type: ignore[arg-type]
    stage.until(lambda: keeper.done)
    assert keeper.state == "refused" and message in keeper.why


def test_what_is_not_there_now_is_tried_again_later_each_time(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    keeper = stage.keep(model=Model(file=str(tmp_path / "absent.tflite")))
    stage.until(lambda: len(stage.events("replaced")) >= 2)
    first, second = stage.events("replaced")[:2]
    assert "absent.tflite" in first and first.endswith("in 0.05 s") and second.endswith("in 0.1 s")
    assert keeper.state in ("backoff", "starting")


def test_a_task_that_the_wall_does_not_let_pass_is_refused(stage: Stage) -> None:
    labels = tuple(f"{number:064}" for number in range(300))
    keeper = stage.keep(model=Model(file="builtin:activity", labels=labels))
    assert keeper.done and keeper.state == "refused" and "labels_file" in keeper.why


def test_no_room_for_a_process_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(supervise, "COMMAND", ("/no/such/program",))
        keeper = stage.keep()
        stage.until(lambda: keeper.restarts == 3)
        assert "no process can be started: No such file" in keeper.why
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    stage.until(lambda: keeper.state == "running")


HOSTILE = """
import socket, sys, time
from edged import wall
from edged.nouns import Entry
from edged.worker.sandbox import Wanted, lock, process, seccomp
end = socket.socket(fileno=int(sys.argv[1]))
channel = wall.Channel(end, wall.Down)
task = channel.receive()
process.give_up_privileges()
seccomp.forbid()
def ready():
    lock(Wanted(), lambda listener: channel.send_with(wall.Watched(), listener))
    channel.send(wall.Ready(10.0, 96, 96, "evil", "cpu"))
def tick(number, **changes):
    now = int(time.monotonic() * 64) / 64
    whole = dict(number=number, start=now, end=now, analysed=0, dropped=0, observed=0.0, blind=0.0,
                 infer=0.0, prepare=0.0, entries=(Entry(),) * len(task.series))
    channel.send(wall.Tick(**{**whole, **changes}))
"""


@pytest.mark.parametrize(
    ("deed", "rule"),
    [
        ("end.send(b'x' * 20000)", "larger than"),
        ("end.send(b'not a message')", "none of the wall's"),
        ("ready(); tick(1, entries=())", "one for each of 1 series"),
        ("ready(); tick(1, observed=float('nan'))", "no number"),
        ("ready(); tick(1, start=0.0)", "another time"),
        (
            "ready()\nat = float(int(time.monotonic()))\nfor n in range(1, 99): tick(n, start=at, end=at)",
            "messages a second",
        ),
        ("tick(1)", "before it was ready"),
    ],
)
def test_a_rule_breaker_is_killed_and_that_is_recorded(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, rule: str
) -> None:
    script = tmp_path / "hostile.py"
    script.write_text(textwrap.dedent(HOSTILE) + deed + "\ntime.sleep(60)\n")
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(script)))
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 60.0)
    keeper = stage.keep()
    stage.until(lambda: keeper.restarts == 1)
    assert rule in stage.events("wall-broken")[0]
    assert "broke a rule" in keeper.why and not keeper.alive


def test_what_it_takes_of_the_processor_is_the_kernels_word_and_not_its_own(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "liar.py"
    script.write_text(textwrap.dedent(HOSTILE) + "ready(); tick(1, cpu=64.0)\ntime.sleep(60)\n")
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(script)))
    stage.keep()
    stage.until(lambda: stage.heard.count("p") == 1)
    ((_, heard),) = stage.heard.ticks
    assert 0.0 <= heard.cpu < 60.0


def test_a_library_that_aborts_with_the_edge_tpu_leads_to_the_cpu(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "aborts.py"
    script.write_text(
        textwrap.dedent(HOSTILE)
        + "if not task.cpu_because:\n    import os; os.abort()\n"
        + "lock(Wanted(), lambda listener: channel.send_with(wall.Watched(), listener))\n"
        + "channel.send(wall.Ready(10.0, 96, 96, 'r', 'cpu', task.cpu_because))\ntime.sleep(60)\n"
    )
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(script)))
    monkeypatch.setattr(supervise, "BACKOFF_FIRST", 0.05)
    keeper = stage.keep(model=Model(file="builtin:activity", edgetpu_file="twin.tflite"))
    stage.until(lambda: keeper.state == "running")
    assert keeper.ready is not None and "SIGABRT" in keeper.ready.cpu_because
    assert keeper.restarts == 1
