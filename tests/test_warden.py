"""The daemon's end of a sandbox, where what the kernel asks and what a worker hands over can be chosen. Real
kernels and real workers are in test_sandbox and test_escapes.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edged import claims, syscalls, warden
from edged.errors import WallError
from edged.process import Confinement
from edged.wall import WITNESSED, Ready
from edged.warden import Attempt, Warden


class Bench:
    """A warden whose listener is a pipe, and what it was told, answered and asked."""

    def __init__(self) -> None:
        self.watched: list[int] = []
        self.broken: list[Attempt] = []
        self.answered: list[bytearray] = []
        reactor = SimpleNamespace(
            on_readable=lambda thing, action: self.watched.append(thing.fileno()), forget=lambda thing: None
        )
        self.warden = Warden(reactor, self.broken.append)
        self.asks, self.answers = os.pipe()
        os.write(self.answers, b"there is a question")
        self.name = str(Path(f"/proc/self/fd/{self.asks}").readlink())

    def lend(self, descriptor: int) -> Any:
        """A channel with which this one came."""
        return SimpleNamespace(lent=descriptor)

    def begin(self) -> None:
        self.warden.take(self.lend(self.asks))

    def end(self) -> None:
        self.warden.close()
        for one in (self.asks, self.answers):
            try:
                os.close(one)
            except OSError:
                continue


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench()
    monkeypatch.setattr(warden, "LISTENER", made.name)
    answer = SimpleNamespace(ioctl=lambda _, what, how: made.answered.append(how))
    monkeypatch.setattr(warden, "fcntl", answer)
    yield made
    made.end()


def question(name: str) -> bytearray:
    """As the kernel puts it: struct seccomp_notif."""
    call = syscalls.numbers()[name]
    return bytearray(warden._ASKED.pack(1, 4242, 0, call, 0, 0, *[0] * 6))


def fails(number: int) -> Any:
    def ask(listener: int) -> bytearray:
        raise OSError(number, os.strerror(number))

    return ask


def is_open(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").exists()


@pytest.mark.parametrize("when", ["it has one", "it is at work", "it is none"])
def test_a_listener_is_taken_once_and_what_comes_instead_is_closed(
    bench: Bench, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if when == "it has one":
        bench.begin()
    bench.warden._proven = when == "it is at work"
    if when == "it is none":
        monkeypatch.setattr(warden, "LISTENER", "anon_inode:seccomp notify")
    channel = bench.lend(os.dup(bench.asks))
    other = channel.lent
    with pytest.raises(WallError, match="no listener"):
        bench.warden.take(channel)
    assert not is_open(other) and channel.lent == -1
    assert bench.watched == ([bench.asks] if when == "it has one" else [])


def test_when_the_last_of_those_who_were_watched_has_gone_nothing_is_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older kernels would let us wait for a question, and then it would look like a theft."""
    monkeypatch.setattr(warden, "_received", lambda listener: pytest.fail("it asked"))
    bench.begin()
    os.read(bench.asks, 100)
    os.close(bench.answers)
    bench.warden._asked()
    assert bench.warden.fileno() == -1 and not is_open(bench.asks) and bench.broken == []


@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOENT, True), (errno.EINVAL, False)])
def test_a_caller_who_was_killed_meanwhile_ends_nothing_and_a_broken_listener_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, goes_on: bool
) -> None:
    monkeypatch.setattr(warden, "_received", fails(number))
    bench.begin()
    bench.warden._asked()
    assert (bench.warden.fileno() >= 0) == goes_on == is_open(bench.asks)
    assert bench.broken == []


def test_while_it_proves_itself_each_call_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "_received", lambda listener: question("openat"))
    bench.begin()
    for number in range(1, 4):
        bench.warden._asked()
        assert (bench.warden.seen, len(bench.answered)) == (["openat"] * number, number)
    # seccomp_unotify(2): no value, EPERM, and not the flag that lets the call go on.
    assert {warden._ANSWER.unpack(one) for one in bench.answered} == {(1, 0, -errno.EPERM, 0)}
    assert bench.broken == []


def test_a_break_out_is_told_once_and_its_call_waits_for_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warden, "_received", lambda listener: question("kill"))
    bench.begin()
    bench.warden._proven = True
    for _ in range(3):
        bench.warden._asked()
    assert bench.broken == [Attempt(syscalls.numbers()["kill"], "kill")]
    assert bench.answered == [] and bench.warden.seen == []


def test_so_many_tries_are_a_break_out_and_a_proof_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warden, "_received", lambda listener: question("kill"))
    bench.begin()
    for _ in range(64):
        bench.warden._asked()
    assert bench.broken == []
    bench.warden._asked()
    assert len(bench.broken) == 1 and len(bench.warden.seen) == 64 > 2 * len(WITNESSED)


class Locked:
    """A process of which the kernel says that it is locked."""

    def confinement(self) -> Confinement:
        ours = Confinement.ours()
        return Confinement(1, warden.FILTERED, ours.filters + warden.OWN_FILTERS)


@pytest.mark.parametrize("missing", ["openat", "socket", "execve", "kill", ""])
def test_each_call_must_have_been_asked_about(bench: Bench, missing: str) -> None:
    """That nothing can be opened, connected to, run or ended; what of it was not, is named."""
    bench.begin()
    bench.warden.seen = [one for one in WITNESSED if one != missing]
    ready = Ready(10.0, 96, 96, "litert", "cpu")
    if not missing:
        bench.warden.admit(ready, Locked())
        assert bench.warden._proven
        return
    with pytest.raises(WallError, match=f"did not prove that it is locked: {missing}"):
        bench.warden.admit(ready, Locked())


@pytest.mark.parametrize(("its", "locked"), [(3, False), (4, False), (5, True)])
def test_the_daemon_s_own_filters_are_none_of_the_worker_s(
    monkeypatch: pytest.MonkeyPatch, its: int, locked: bool
) -> None:
    """As below systemd: what a worker inherits it has not put on."""
    monkeypatch.setattr(Confinement, "ours", lambda: Confinement(1, 2, 3))
    process = SimpleNamespace(confinement=lambda: Confinement(1, 2, its))
    if locked:
        warden._check_filters(process)
        return
    with pytest.raises(WallError, match=f"the kernel counts {its} filters, and 3 are ours"):
        warden._check_filters(process)


@pytest.mark.parametrize("there", [True, False])
def test_a_kernel_that_has_filters_is_not_said_to_have_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """Also where what was found out beforehand says so: within another's filter the trial may fail."""
    monkeypatch.setattr(claims, "_found", [frozenset({"seccomp"})])
    monkeypatch.setattr(warden, "available", lambda: there)
    ready = Ready(10.0, 96, 96, "litert", "cpu", "", ("seccomp",))
    if not there:
        bench.warden.admit(ready, Locked())
        return
    with pytest.raises(WallError, match="no filters, and it has"):
        bench.warden.admit(ready, Locked())


def test_filters_are_there_when_the_kernel_says_so_of_this_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions, architecture = tmp_path / "actions", tmp_path / "arch"
    monkeypatch.setattr(warden, "ACTIONS", actions)
    monkeypatch.setattr(warden, "ARCHITECTURE", architecture)
    assert not warden.available(), "nothing is told"
    for said, kind, there in (
        ("kill_process user_notif allow", os.uname().machine, True),
        ("kill_process allow", os.uname().machine, False),
        ("kill_process user_notif allow", "emulated", False),
    ):
        actions.write_text(said + "\n")
        architecture.write_text(kind + "\n")
        assert warden.available() == (there and os.uname().machine in warden.NATIVE)


# --- the alarm


def test_an_alarm_rings_until_it_is_heard_and_leaves_all_as_it_was() -> None:
    """One that rang before the wait began would not end it: it rings on."""
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        with warden._alarmed(0.01):
            assert signal.getitimer(signal.ITIMER_REAL)[1] > 0.0
            assert signal.getsignal(signal.SIGALRM) not in (signal.SIG_IGN, signal.SIG_DFL)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGALRM, before)


def test_where_no_alarm_can_be_set_it_goes_on_without() -> None:
    """A signal's handler is set in the main thread or not at all."""
    before, went = signal.getsignal(signal.SIGALRM), []

    def elsewhere() -> None:
        with warden._alarmed(0.01):
            went.append(signal.getsignal(signal.SIGALRM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert went == [before] and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_interruption_by_others_is_no_theft(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def ask(*_: object) -> None:
        tries.append(time.monotonic())
        if len(tries) < 4:
            raise InterruptedError

    monkeypatch.setattr(warden, "fcntl", SimpleNamespace(ioctl=ask))
    monkeypatch.setattr(warden, "TAKEN", 60.0)
    assert warden._received(0) == bytearray(warden._ASKED.size) and len(tries) == 4
    tries.clear()
    monkeypatch.setattr(warden, "TAKEN", 0.0)
    with pytest.raises(InterruptedError):
        warden._received(0)
    assert len(tries) == 1
