"""A real daemon's socket, treated as badly as its group can: after whatever was done to it, whoever asks
properly is answered, nothing was broken, and the daemon is no larger.

One daemon serves the whole file, with a worker at work and a store of some days; at the end it must have
said nothing of a fault.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edged.clock import Reading, zone
from edged.config.shape import Keep
from edged.control import LONGEST_REQUEST, MOST_OF_A_USER
from edged.control_client import Client, ask
from edged.errors import ControlError, EdgedError
from edged.nouns import Bucket, Coverage, Entry, Series
from edged.report import Question
from edged.store import Store

KEY = bytes(range(32))
SERIES = tuple(Series("yard", "occupancy", f"thing{number}", unit="count") for number in range(20))
MINUTES = 2 * 24 * 60
BEGIN = 1_767_225_600  # 2026-01-01 00:00 UTC
#: MB that the daemon may grow by whatever is done to it: the kernel's buffers do not count, ours do.
GROWTH = 12
CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
timezone = "UTC"
[store]
key_file = "key"
[store.keep]
minute = "50y"
[pipelines.street]
rate = 5.0
measures = [{ kind = "activity" }]
[pipelines.street.source]
kind = "synthetic"
"""


class Daemon:
    """``edged-service`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "run"
        (folder / "edged.toml").write_text(CONFIG)
        (folder / "key").write_text(KEY.hex() + "\n")
        (folder / "key").chmod(0o400)
        fill(folder / "state" / "edged.db")
        self.log = folder / "log"
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "edged", "run", "edged.toml"]
            self.process = subprocess.Popen(command, cwd=folder, stderr=log)
        self.wait()
        self.large = self.megabytes()

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(EdgedError):
                if ask(self.run, "status")["pipelines"][0]["state"] == "running":
                    # What answering loads is loaded now.
                    ask(self.run, "report", last=3600.0)
                    return
            time.sleep(0.1)
        raise AssertionError(f"the daemon did not come up: {self.log.read_text()}")

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def is_well(self) -> None:
        """It answers, and its worker ticks."""
        status = ask(self.run, "status")
        assert status["pid"] == self.process.pid
        assert status["pipelines"][0]["restarts"] == 0
        assert self.megabytes() < self.large + GROWTH

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        return self.log.read_text()


def fill(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(minute=float("inf")), zone=zone("UTC")) as store:
        for hour in range(BEGIN, BEGIN + MINUTES * 60, 3600):
            buckets = [
                Bucket(
                    "yard",
                    start,
                    60,
                    tuple(Entry(60.0, 60.0, 0.0, 2.0, 90.0) for _ in SERIES),
                    Coverage(300.0, 300, 60.0),
                )
                for start in range(hour, hour + 3600, 60)
            ]
            store.write(buckets, {"yard": SERIES}, Reading(hour + 3600, 0.0, 0.0, True, "this boot"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    one = Daemon(tmp_path_factory.mktemp("daemon"))
    try:
        yield one
        log = one.end()
    finally:
        one.process.kill()
        one.process.wait()
    assert "Traceback" not in log
    assert "control-fault" not in log, log
    assert "replaced" not in log, log


@contextmanager
def connected(daemon: Daemon) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(str(daemon.run / "control.sock"))
        yield one


def say(one: socket.socket, what: bytes) -> None:
    """As much of it as is taken: who is sent off cannot go on talking."""
    with suppress(BrokenPipeError, ConnectionResetError):
        one.sendall(what)


ONCE_EACH = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
ANY_JSON = st.recursive(
    LEAVES, lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=8), some, max_size=4)
)
VERBS = st.sampled_from(["status", "report", "reload"])
ARGUMENTS = st.sampled_from([*(one.name for one in msgspec.structs.fields(Question)), "verb", "colour", ""])
#: Numbers at which clocks, calendars and divisions break.
EDGES = st.sampled_from(
    [0, -1, 1e-300, 5e-324, 1, 1e9, 2**31, 2**40, 2**63, 2**64, 253402300800, 1e18, 1e308, 10**400]
)


# --- what is said


@ONCE_EACH
@given(noise=st.lists(st.binary(max_size=300), max_size=6), ends=st.booleans())
def test_noise(daemon: Daemon, noise: list[bytes], ends: bool) -> None:
    with connected(daemon) as one:
        for some in noise:
            say(one, some)
        if ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_WR)
    daemon.is_well()


@ONCE_EACH
@given(
    size=st.integers(0, 5 * LONGEST_REQUEST),
    letter=st.sampled_from(
        [b"x", b"[", b'{"a":', b"\n", b"\0", b'"', b"\xff", b"{}\n", b'{"verb":"status"}\n']
    ),
)
def test_huge_and_deep_and_many_lines(daemon: Daemon, size: int, letter: bytes) -> None:
    with connected(daemon) as one:
        say(one, (letter * (size // len(letter) + 1))[:size])
        say(one, b"\n")
    daemon.is_well()


@ONCE_EACH
@given(verb=VERBS, arguments=st.dictionaries(ARGUMENTS, ANY_JSON | EDGES, max_size=5))
def test_arguments_of_every_kind(daemon: Daemon, verb: str, arguments: dict[str, Any]) -> None:
    request = json.dumps({**arguments, "verb": verb}).encode()
    if len(request) >= LONGEST_REQUEST:
        return
    with connected(daemon) as one:
        one.sendall(request + b"\n")
        answer = last(one)
    assert answer["ok"] or answer["error"]
    assert "fault" not in answer.get("error", ""), answer
    daemon.is_well()


@ONCE_EACH
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("start", "to", "last", "every"), EDGES)))
def test_times_at_the_edge(daemon: Daemon, arguments: dict[str, Any]) -> None:
    with connected(daemon) as one:
        one.sendall(json.dumps({"verb": "report", **arguments}).encode() + b"\n")
        answer = last(one)
    assert "fault" not in answer.get("error", ""), answer


@pytest.mark.parametrize("argument", [one.name for one in msgspec.structs.fields(Question)])
@pytest.mark.parametrize(
    "value", [None, True, "1m", "", -1, 1e300, {}, [1], [None], {"a": []}, [[]]], ids=repr
)
def test_a_wrong_argument_is_named_with_what_it_was(daemon: Daemon, argument: str, value: object) -> None:
    try:
        ask(daemon.run, "report", **{argument: value})
    except ControlError as error:
        assert error.message.startswith(f"{argument} is ") and "; allowed is " in error.message
    else:
        assert (argument, value) in [("start", None), ("to", None), ("everything", True)]


@pytest.mark.parametrize("verb", ["status", "reload"])
def test_verbs_without_arguments_take_none(daemon: Daemon, verb: str) -> None:
    with pytest.raises(ControlError, match='no argument "colour"') as caught:
        ask(daemon.run, verb, colour="blue")
    assert "takes none" in caught.value.hint


def last(one: socket.socket) -> Any:
    """The answer's last line."""
    with one.makefile("rb") as stream:
        for line in stream:
            answer = json.loads(line)
            if "part" not in answer:
                return answer
    raise AssertionError("it hung up without an answer")


# --- how it is said


EVERYTHING = {"verb": "report", "start": float(BEGIN), "to": float(BEGIN + MINUTES * 60), "every": 60.0}


def test_the_dearest_question_is_answered_whole(daemon: Daemon) -> None:
    answer = ask(daemon.run, **EVERYTHING)  # type: ignore[arg-type]
    assert len(answer["series"]) == len(SERIES)
    assert all(len(one["rows"]) == MINUTES for one in answer["series"])


def test_those_who_never_read_cost_little(daemon: Daemon) -> None:
    question = json.dumps(EVERYTHING).encode() + b"\n"
    with ExitStack() as stack:
        for _ in range(MOST_OF_A_USER - 1):
            say(stack.enter_context(connected(daemon)), question * 5)
        for _ in range(20):
            daemon.is_well()


def test_those_who_leave_in_the_middle_leave_nothing_behind(daemon: Daemon) -> None:
    question = json.dumps(EVERYTHING).encode() + b"\n"
    before = daemon.descriptors()
    for number in range(40):
        with connected(daemon) as one:
            say(one, question)
            if number % 2:
                one.recv(1000)
    daemon.is_well()
    deadline = time.monotonic() + 10
    while daemon.descriptors() > before:
        assert time.monotonic() < deadline, "descriptors are left"
        time.sleep(0.05)


def test_those_who_trickle_hold_nobody_up(daemon: Daemon) -> None:
    with connected(daemon) as one:
        for letter in b'{"verb": "status"}\n':
            one.sendall(bytes([letter]))
            daemon.is_well()
        assert last(one)["ok"]


def test_bursts_of_connections(daemon: Daemon) -> None:
    for _ in range(5):
        with ExitStack() as stack:
            for number in range(3 * MOST_OF_A_USER):
                one = stack.enter_context(connected(daemon))
                if number % 3:
                    say(one, b'{"verb": "status"}\n')
            daemon.is_well()


@ONCE_EACH
@given(
    deeds=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["ask", "report", "half", "read", "leave", "leave rudely", "flood"]),
        ),
        max_size=30,
    )
)
def test_any_rhythm_of_a_handful_of_clients(daemon: Daemon, deeds: list[tuple[int, str]]) -> None:
    crowd: dict[int, socket.socket] = {}
    try:
        for who, deed in deeds:
            if who not in crowd:
                crowd[who] = socket.socket(socket.AF_UNIX)
                crowd[who].connect(str(daemon.run / "control.sock"))
                crowd[who].settimeout(0.01)
            do(crowd, who, deed)
    finally:
        for one in crowd.values():
            one.close()
    daemon.is_well()


def do(crowd: dict[int, socket.socket], who: int, deed: str) -> None:
    with suppress(OSError):
        match deed:
            case "ask":
                crowd[who].sendall(b'{"verb": "status"}\n')
            case "report":
                crowd[who].sendall(json.dumps(EVERYTHING).encode() + b"\n")
            case "half":
                crowd[who].sendall(b'{"verb": "sta')
            case "flood":
                crowd[who].sendall(b"\n" * 4000)
            case "read":
                crowd[who].recv(100_000)
            case "leave":
                crowd.pop(who).close()
            case "leave rudely":
                crowd[who].shutdown(socket.SHUT_RD)


def test_a_client_that_behaves_is_answered_on_one_connection_throughout(daemon: Daemon) -> None:
    with Client(daemon.run) as good:
        for _ in range(20):
            with connected(daemon) as bad:
                say(bad, b"\n" * 8000)
                assert good.ask("status")["pid"] == daemon.process.pid
