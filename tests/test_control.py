"""The local socket: answers whom it should, and is nobody's victim."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edged import control
from edged.control import Control, Verb
from edged.errors import ControlError
from edged.reactor import Reactor

VERBS = {
    "status": Verb(lambda request: {"asked": request}),
    "large": Verb(lambda request: "x" * request["size"]),
    "fail": Verb(lambda request: (_ for _ in ()).throw(ControlError("it is so", "do that"))),
    "change": Verb(lambda request: "changed", changes=True),
}


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    reactor = Reactor()
    control_socket = Control(reactor, folder, VERBS)
    ours, theirs = socket.socketpair()
    reactor.on_readable(ours, reactor.stop)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    try:
        yield control_socket.path
    finally:
        theirs.send(b"stop")
        thread.join(5)
        control_socket.close()
        reactor.close()
        ours.close()
        theirs.close()


@contextmanager
def client(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(str(path))
        yield one


def ask(one: socket.socket, line: bytes) -> Any:
    one.sendall(line + b"\n")
    return json.loads(one.makefile("rb").readline())


def test_a_request_is_answered_and_the_next_one_too(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as path, client(path) as one:
        for number in range(3):
            answer = ask(one, json.dumps({"verb": "status", "n": number}).encode())
            assert answer == {"ok": True, "result": {"asked": {"n": number}}}


def test_only_its_user_and_group_may_connect(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.stat().st_uid == os.geteuid()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"hello", "not a line of JSON"),
        (b"[1]", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b"[" * 5000, "not a line of JSON"),
        (b'{"verb": "reboot"}', "no such verb"),
        (b'{"verb": ["status"]}', "no such verb"),
        (b'{"verb": "fail"}', "it is so"),
        (b'{"verb": "large", "size": 9000000}', "too large"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(tmp_path: Path, line: bytes, error: str) -> None:
    with serving(tmp_path / "run") as path, client(path) as one:
        answer = ask(one, line)
        assert not answer["ok"] and error in answer["error"]
        assert ask(one, b'{"verb": "status"}')["ok"]


def test_a_large_answer_to_a_slow_reader_holds_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as path, client(path) as slow, client(path) as quick:
        slow.sendall(b'{"verb": "large", "size": 3000000}\n')
        assert ask(quick, b'{"verb": "status"}')["ok"]
        assert len(json.loads(slow.makefile("rb").readline())["result"]) == 3_000_000


def test_a_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as path, client(path) as one:
        with pytest.raises(OSError, match=r"."):
            for _ in range(100):
                one.sendall(b"x" * 1024)
                one.settimeout(0.2)
                if one.recv(1) == b"":
                    raise ConnectionResetError("cut off")
        with client(path) as other:
            assert ask(other, b'{"verb": "status"}')["ok"]


def test_there_is_an_end_to_clients(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as path:
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(control.MOST_CLIENTS + 1)]
        try:
            for one in crowd:
                one.settimeout(5)
                one.connect(str(path))
            assert crowd[-1].recv(1) == b""
            assert ask(crowd[0], b'{"verb": "status"}')["ok"]
        finally:
            for one in crowd:
                one.close()


def test_a_second_daemon_is_refused_and_a_dead_ones_socket_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as path, pytest.raises(ControlError, match="another edged is running"):
        Control(Reactor(), tmp_path, {})
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(tmp_path), client(path) as one:
        assert ask(one, b'{"verb": "status"}')["ok"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match="file/run"):
        Control(Reactor(), tmp_path / "file" / "run", {})
    with pytest.raises(ControlError, match="cannot be made"):
        Control(Reactor(), tmp_path / ("x" * 120), {})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_is_sent_the_next_client_is_served(tmp_path: Path, noise: list[bytes]) -> None:
    with serving(tmp_path / "run") as path:
        with client(path) as one:
            for some in noise:
                one.sendall(some)
        with client(path) as other:
            assert ask(other, b'{"verb": "status"}')["ok"]
