"""What the service manager is told: real datagrams into a socket of ours, as systemd's would be."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edged import herald as heralding
from edged.health import Condition, Outlook
from edged.herald import Herald
from edged.journal import Journal
from edged.notify import LONGEST, Notifier
from edged.reactor import Reactor


class Manager:
    """The other end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind("\0" + address[1:] if address.startswith("@") else address)
        self._end.setblocking(False)

    def heard(self) -> list[list[str]]:
        """Every message since the last time, as its lines."""
        found = []
        while True:
            try:
                found.append(self._end.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._end.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@edged-test-{os.getpid()}"
    one = Manager(name)
    yield one
    one.close()


def test_each_word_is_one_datagram(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert notifier.ready("all count")
    assert notifier.status("so\nit\tgoes")
    assert notifier.reloading("again")
    assert notifier.alive()
    assert notifier.extend(1.5)
    assert notifier.stopping("ends")
    ready, status, reloading, alive, extend, stopping = manager.heard()
    assert ready == ["READY=1", "STATUS=all count"]
    assert status == ["STATUS=so it goes"], "a line break would begin another word"
    assert reloading[0] == "RELOADING=1" and reloading[2] == "STATUS=again"
    stamp = int(reloading[1].removeprefix("MONOTONIC_USEC="))
    assert before <= stamp <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert alive == ["WATCHDOG=1"]
    assert extend == ["EXTEND_TIMEOUT_USEC=1500000"]
    assert stopping == ["STOPPING=1", "STATUS=ends"]


def test_a_status_has_an_end(manager: Manager) -> None:
    Notifier(manager.address).status("x" * 10_000)
    ((line,),) = manager.heard()
    assert len(line) == LONGEST + len("STATUS=") and line.endswith("…")


def test_it_is_taken_from_the_environment_and_gone_from_there() -> None:
    environ = {
        "NOTIFY_SOCKET": "/run/n",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "X": "1",
    }
    notifier = Notifier.taken(environ)
    assert notifier.listened_to and notifier.watchdog == 30.0
    assert environ == {"X": "1"}


@pytest.mark.parametrize(
    ("environ", "listened_to", "watchdog"),
    [
        ({}, False, 0.0),
        ({"NOTIFY_SOCKET": ""}, False, 0.0),
        ({"NOTIFY_SOCKET": "relative"}, False, 0.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000"}, True, 2.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, True, 0.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "many"}, True, 0.0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "-5"}, True, 0.0),
        ({"WATCHDOG_USEC": "2000000"}, False, 0.0),
    ],
)
def test_what_the_environment_means(environ: dict[str, str], listened_to: bool, watchdog: float) -> None:
    notifier = Notifier.taken(environ)
    assert (notifier.listened_to, notifier.watchdog) == (listened_to, watchdog)


def test_a_manager_that_is_gone_or_does_not_read_is_no_trouble(tmp_path: Path) -> None:
    assert not Notifier(str(tmp_path / "nobody")).ready("")
    assert not Notifier().ready("")
    manager = Manager(str(tmp_path / "deaf"))
    notifier = Notifier(manager.address)
    results = {notifier.alive() for _ in range(100_000 // 64)}
    assert False in results, "the socket's buffer is full by now, and nobody waited for that"
    manager.close()


# --- the herald: when the manager is told what


class Scene:
    """A herald over pipelines whose conditions a test sets."""

    def __init__(self, manager: Manager, monkeypatch: pytest.MonkeyPatch, watchdog: float) -> None:
        monkeypatch.setattr(heralding, "PERIOD", 0.1)
        self.manager, self.reactor = manager, Reactor()
        self.outlook = Outlook((Condition("hall", "starting", settled=False),), float("inf"))
        self.herald = Herald(
            self.reactor,
            Notifier(manager.address, watchdog),
            Journal("error"),
            lambda: self.outlook,
            lambda: 51.2,
        )
        self.lines: list[str] = []

    def become(self, *pipelines: Condition, **changes: object) -> bool:
        self.outlook = self.outlook._replace(pipelines=pipelines, **changes)
        return self.herald.changed()

    def turn(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.reactor.turn(0.02)

    def heard(self) -> list[str]:
        return [line for message in self.manager.heard() for line in message]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scene]]:
    manager = Manager(str(tmp_path / "notify"))
    made: list[Scene] = []

    def make(watchdog: float = 0.0) -> Scene:
        made.append(Scene(manager, monkeypatch, watchdog))
        return made[-1]

    yield make
    for one in made:
        one.reactor.close()
    manager.close()


AT_WORK = Condition("hall", "running", asked=5.0, directed=5.0)


def test_ready_is_said_once_when_the_last_pipeline_counts_or_is_explained(
    scene: Callable[..., Scene],
) -> None:
    one = scene()
    one.herald.begin()
    assert not one.become(AT_WORK, Condition("gate", "starting", settled=False))
    assert "READY=1" not in one.heard()
    assert one.become(AT_WORK, Condition("gate", "backoff", "there is no device"))
    heard = one.heard()
    assert heard[0] == "READY=1" and "1 of 2 pipelines count" in heard[1]
    assert "gate: backoff: there is no device" in heard[1]
    assert not one.become(AT_WORK, AT_WORK) and "READY=1" not in one.heard()


def test_nothing_is_told_before_there_is_anything_to_judge(scene: Callable[..., Scene]) -> None:
    one = scene()
    assert not one.become(AT_WORK)
    one.herald.opening("the store is opened")
    assert one.heard() == ["STATUS=the store is opened"]


def test_a_start_that_lasts_asks_for_time(scene: Callable[..., Scene]) -> None:
    one = scene()
    one.herald.begin()
    one.turn(0.15)
    assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in one.heard())
    one.become(AT_WORK)
    one.heard()
    one.turn(0.15)
    assert not any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in one.heard())


def test_a_status_is_told_when_it_is_news_and_not_otherwise(scene: Callable[..., Scene]) -> None:
    one = scene()
    one.herald.begin()
    one.become(AT_WORK)
    one.turn(0.15)
    one.heard()
    one.turn(0.3)
    assert one.heard() == [], "nothing has changed, and systemd may sleep"
    one.become(AT_WORK._replace(directed=2.5))
    one.turn(0.15)
    (told,) = one.heard()
    assert "budget 50 %" in told and "51.2 °C" in told


def test_news_that_come_thick_and_fast_are_told_now_and_then(scene: Callable[..., Scene]) -> None:
    one = scene()
    one.herald.begin()
    one.become(AT_WORK)
    one.heard()
    began = time.monotonic()
    for number in range(100):
        one.become(Condition("hall", "backoff", f"reason {number}"))
        one.reactor.turn(0.002)
    told = len(one.heard())
    assert 1 <= told <= 1 + (time.monotonic() - began) / 0.09 < 50


def test_a_reload_is_over_when_all_is_ready_again(scene: Callable[..., Scene]) -> None:
    one = scene()
    one.herald.begin()
    one.herald.reloading()
    assert "RELOADING=1" not in one.heard(), "before it was ever ready, readiness is what is waited for"
    one.become(AT_WORK)
    one.heard()
    one.herald.reloading()
    assert one.heard()[0] == "RELOADING=1"
    assert not one.become(Condition("hall", "starting", settled=False))
    assert one.become(AT_WORK)
    assert one.heard()[0] == "READY=1"


def test_ready_is_said_again_to_a_manager_that_was_not_listening(scene: Callable[..., Scene]) -> None:
    one = scene()
    one.herald.begin()
    manager = one.manager
    manager.close()
    Path(manager.address).unlink()
    one.become(AT_WORK)
    one.manager = Manager(manager.address)
    one.turn(0.15)
    assert "READY=1" in one.heard()
    one.manager.close()


def test_nothing_is_told_after_the_end(scene: Callable[..., Scene]) -> None:
    one = scene(watchdog=0.1)
    one.herald.begin()
    one.herald.stopping("ends")
    one.heard()
    one.become(AT_WORK)
    one.herald.reloading()
    one.turn(0.15)
    assert one.heard() == []


def test_progress_feeds_the_watchdog_and_its_absence_does_not(scene: Callable[..., Scene]) -> None:
    one = scene(watchdog=0.3)
    one.herald.begin()
    one.turn(0.25)
    assert "WATCHDOG=1" in one.heard()
    one.outlook = one.outlook._replace(pipelines=(AT_WORK._replace(due=time.monotonic() - 60),))
    one.turn(0.25)
    assert "WATCHDOG=1" not in one.heard()
