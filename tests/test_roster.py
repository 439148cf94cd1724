"""Who works, while that changes: real workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from stage import SCENE, Heard, Stage

from edged import roster, supervise
from edged.changes import Task
from edged.config.shape import File, Measure, Model, Pipeline, Source
from edged.roster import Roster
from edged.supervise import Keeper

ACTIVITY = Model(file="builtin:activity")


def task(rate: float = 10.0, source: Source = SCENE, kind: str = "presence") -> Task:
    return Task(Pipeline(source=source, rate=rate, measures=(Measure(kind=kind),)), (ACTIVITY,))  # type: ignore[arg-type]


class Watching(Heard):
    """A daemon that only listens, also to who comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[tuple[str, str, float]] = []

    def came(self, keeper: Keeper) -> None:
        self.story.append(("came", keeper.name, keeper.pipeline.rate))

    def left(self, keeper: Keeper) -> None:
        assert not keeper.alive
        self.story.append(("left", keeper.name, keeper.pipeline.rate))


class Cast(Stage):
    """A stage with a roster."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Watching = Watching()
        self.roster = Roster(self.reactor, self.heard)

    def __getitem__(self, name: str) -> Keeper:
        return next(one for one in self.roster if one.name == name)

    def end(self) -> None:
        self.roster.finish()
        self.reactor.close()


@pytest.fixture
def cast() -> Iterator[Cast]:
    one = Cast()
    yield one
    one.end()


def test_an_unchanged_pipeline_keeps_its_worker_and_loses_no_tick(cast: Cast) -> None:
    cast.roster.assign({"a": task(), "b": task()}, ())
    cast.until(lambda: cast.heard.count("a") >= 1 and cast.heard.count("b") >= 1)
    a, b = cast["a"].pid, cast["b"].pid
    cast.roster.assign({"a": task(), "b": task(rate=5.0), "c": task()}, {"b"})
    cast.until(lambda: cast["b"].state == cast["c"].state == "running" and cast["b"].pid != b)
    cast.until(lambda: cast.heard.count("a") >= 4)
    assert cast["a"].pid == a
    ticks = [tick for name, tick in cast.heard.ticks if name == "a"]
    assert all(one.end == two.start and two.number == one.number + 1 for one, two in pairwise(ticks))
    assert cast.heard.story[2:] == [("came", "c", 10.0), ("left", "b", 10.0), ("came", "b", 5.0)]


def test_the_last_tick_of_the_one_before_comes_before_its_successor(cast: Cast) -> None:
    cast.roster.assign({"a": task()}, ())
    cast.until(lambda: cast.heard.count("a") >= 1)
    old, ticks = cast["a"], cast.heard.count("a")
    cast.roster.assign({"a": task(rate=5.0)}, {"a"})
    assert cast["a"] is not old and not cast["a"].begun and not cast["a"].settled and not cast["a"].blind
    cast.until(lambda: cast["a"].begun)
    assert cast.heard.count("a") > ticks and not old.alive


def test_a_removed_pipeline_ends(cast: Cast) -> None:
    cast.roster.assign({"a": task(), "b": task()}, ())
    cast.until(lambda: cast["b"].state == "running")
    cast.roster.assign({"a": task()}, ())
    assert len(cast.roster) == 1
    cast.until(lambda: ("left", "b", 10.0) in cast.heard.story)


def test_a_change_during_a_change_starts_only_the_last(cast: Cast) -> None:
    cast.roster.assign({"a": task(1.0)}, ())
    cast.until(lambda: cast["a"].state == "running")
    for rate in (2.0, 3.0, 4.0):
        cast.roster.assign({"a": task(rate)}, {"a"})
    cast.until(lambda: cast["a"].state == "running")
    assert [(word, rate) for word, _, rate in cast.heard.story] == [
        ("came", 1.0),
        ("left", 1.0),
        ("came", 4.0),
    ]


def test_removed_and_back_again_before_the_worker_has_ended(cast: Cast) -> None:
    cast.roster.assign({"a": task(1.0), "b": task()}, ())
    cast.until(lambda: cast["a"].state == "running")
    cast.roster.assign({"b": task()}, ())
    cast.roster.assign({"a": task(2.0), "b": task()}, ())
    cast.until(lambda: cast["a"].state == "running")
    assert cast["a"].pipeline.rate == 2.0
    cast.roster.assign({"a": task(3.0), "b": task()}, {"a"})
    cast.roster.assign({"b": task()}, ())
    cast.until(lambda: ("left", "a", 2.0) in cast.heard.story)
    assert ("came", "a", 3.0) not in cast.heard.story


def test_a_pipeline_without_a_worker_is_changed_at_once(cast: Cast, tmp_path: Path) -> None:
    absent = File(path=str(tmp_path / "absent.mp4"))
    cast.roster.assign({"a": task(source=absent)}, ())
    cast.until(lambda: cast["a"].state == "backoff")
    cast.roster.assign({"a": task()}, {"a"})
    assert cast["a"].begun
    cast.until(lambda: cast["a"].state == "running")


def test_a_frozen_worker_does_not_keep_its_successor_waiting(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "STOP_PATIENCE", 0.3)
    cast.roster.assign({"a": task()}, ())
    cast.until(lambda: cast["a"].state == "running")
    os.kill(cast["a"].pid, signal.SIGSTOP)
    cast.roster.assign({"a": task(5.0)}, {"a"})
    cast.until(lambda: cast["a"].state == "running")


def test_what_hangs_in_the_kernel_is_named_and_waited_for_by_nobody(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing here hangs in the kernel, so the kill itself is left out: the process stays, as in a driver."""
    monkeypatch.setattr(supervise, "STOP_PATIENCE", 0.1)
    monkeypatch.setattr(roster, "KILL_PATIENCE", 0.1)
    monkeypatch.setattr(roster, "STOP_PATIENCE", 0.1)
    monkeypatch.setattr(supervise, "STUCK", 0.1)
    cast.roster.assign({"a": task()}, ())
    cast.until(lambda: cast["a"].state == "running")
    pid = cast["a"].pid
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(supervise.Process, "kill", lambda self: None)
    cast.roster.assign({"a": task(5.0)}, {"a"})
    cast.until(lambda: bool(cast.events("worker-stuck")))
    assert cast["a"].settled, "a reload is over when this is said"
    assert cast["a"].predecessor is not None and "reboot" in cast["a"].predecessor.why
    (leaving,) = cast.roster.leaving
    assert leaving.due > time.monotonic() + 1e6, "nobody owes what nobody can do"
    cast.roster.finish()
    assert Path(f"/proc/{pid}").exists()
    monkeypatch.undo()
    leaving.kill()
    cast.until(lambda: not leaving.alive)
    assert not cast["a"].begun, "nobody comes after the end"


def test_a_keeper_owes_a_deed_in_every_state_in_which_it_must_act(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 1.5)
    cast.roster.assign({"a": task()}, ())
    keeper, now = cast["a"], time.monotonic()
    assert now + 60 < keeper.due < now + 100
    cast.until(lambda: keeper.state == "running")
    assert keeper.due < time.monotonic() + 10
    os.kill(keeper.pid, signal.SIGKILL)
    cast.until(lambda: keeper.state == "backoff")
    assert keeper.due < time.monotonic() + 1
    cast.until(lambda: keeper.state == "running")


def test_a_keeper_whose_timers_are_broken_shows(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 0.5)
    monkeypatch.setattr(Keeper, "_judge", lambda self: None)
    cast.roster.assign({"a": task()}, ())
    cast.until(lambda: cast.heard.count("a") >= 1)
    os.kill(cast["a"].pid, signal.SIGSTOP)
    cast.until(lambda: time.monotonic() > cast["a"].due + 1.0)


def test_a_worker_that_has_ended_and_is_not_buried_shows(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "_ended", lambda self: None)
    cast.roster.assign({"a": task()}, ())
    keeper = cast["a"]
    cast.until(lambda: keeper.state == "running")
    keeper.kill()
    pidfd = os.pidfd_open(keeper.pid)
    while os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.01)
    os.close(pidfd)
    assert keeper.due <= time.monotonic()
    monkeypatch.undo()
    keeper._ended()


def test_a_recess_is_granted_and_ended(cast: Cast) -> None:
    """The worker tells its last second before it ends; nobody works meanwhile, and another one goes on."""
    cast.roster.assign({"a": task(), "b": task()}, ())
    cast.until(lambda: cast["a"].state == cast["b"].state == "running" and cast.heard.count("a") > 0)
    one, pid, ticks = cast["a"], cast["a"].pid, cast.heard.count("a")
    one.recess(60.0)
    cast.until(lambda: not one.pid)
    assert (one.state, one.why, one.in_recess, one.blind) == ("backoff", supervise.RECESS, True, True)
    assert cast.heard.count("a") > ticks and one.restarts == 0
    assert time.monotonic() < one.due < time.monotonic() + 60.0
    one.recess(0.0)
    cast.until(lambda: one.state == "running")
    assert one.pid not in (0, pid) and not one.in_recess and one.restarts == 0
    assert [event for name, event, _ in cast.heard.events if name == "a"] == ["started", "started"]


def test_who_does_not_end_a_recess_has_it_for_a_while(cast: Cast) -> None:
    cast.roster.assign({"a": task()}, ())
    cast.until(lambda: cast["a"].state == "running")
    pid = cast["a"].pid
    cast["a"].recess(0.2)
    cast.until(lambda: cast["a"].state == "running" and cast["a"].pid not in (0, pid))


def test_what_is_refused_is_not_started_by_a_recess(cast: Cast) -> None:
    cast.roster.assign({"a": task(kind="occupancy")}, ())
    cast.until(lambda: cast["a"].state == "refused")
    cast["a"].recess(0.0)
    assert (cast["a"].state, cast["a"].pid) == ("refused", 0)
