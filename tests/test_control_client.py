"""The asking end: whole answers out of parts, and what it says when nobody is there, or not for you."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edged import control_client
from edged.control_client import Client, NotRunning, ask
from edged.errors import ControlError


@contextmanager
def saying(folder: Path, *pieces: bytes) -> Iterator[threading.Thread]:
    """A daemon that says this to whoever comes, whatever it is asked, and hangs up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for piece in pieces:
                with suppress(OSError):
                    connection.sendall(piece)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control.sock"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield thread
        thread.join(10)


def test_parts_are_one_answer(tmp_path: Path) -> None:
    pieces = (
        b'{"part": {"series": [{"name": "b", "rows": [1]}, {"name": "a", "rows": [2]}]}}\n{"part":',
        b' {"series": [{"name": "b", "rows": [3]}], "coverage": []}}\n',
        b'{"ok": true, "result": {"from": 1, "series": [], "coverage": []}}\n',
    )
    with saying(tmp_path, *pieces):
        answer = ask(tmp_path, "report")
    series = [{"name": "a", "rows": [2]}, {"name": "b", "rows": [1, 3]}]
    assert answer == {"from": 1, "series": series, "coverage": []}
    assert list(answer) == ["from", "series", "coverage"]


@pytest.mark.parametrize(
    ("code", "status"), [(b"2", 2), (b"5", 5), (b"0", 6), (b"4096", 6), (b'"2"', 6), (b"null", 6)]
)
def test_a_refusal_ends_with_the_daemon_s_code(tmp_path: Path, code: bytes, status: int) -> None:
    """Of a wrong question or a damaged store; what is no status counts as one that cannot answer."""
    refusal = b'{"ok": false, "error": "no", "hint": "", "code": ' + code + b"}\n"
    with saying(tmp_path, refusal), pytest.raises(ControlError) as refused:
        ask(tmp_path, "report")
    assert refused.value.exit_code == status


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"", "hung up"),
        (b'{"ok": true', "hung up"),
        (b"hello\n", "hung up"),
        (b"[1]\n", "hung up"),
        (b'{"ok": false, "error": "it is so", "hint": "do that"}\n', "it is so"),
        (b'{"part": {"a": []}}\n{"ok": false, "error": "it broke off"}\n', "it broke off"),
    ],
)
def test_what_is_no_answer_is_an_error(tmp_path: Path, said: bytes, heard: str) -> None:
    with saying(tmp_path, said), pytest.raises(ControlError, match=heard):
        ask(tmp_path, "status")


def test_who_is_sent_off_finds_out_why(tmp_path: Path) -> None:
    """Also when the daemon had hung up before the question was put."""
    said = b'{"ok": false, "error": "one user has 16 connections"}\n'
    with saying(tmp_path, said) as daemon, Client(tmp_path) as client:
        daemon.join(10)
        with pytest.raises(ControlError, match="16 connections"):
            client.ask("status")


def test_an_answer_without_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_client, "LARGEST_LINE", 10_000)
    with saying(tmp_path, b"x" * 1_000_000), pytest.raises(ControlError, match="no end"):
        ask(tmp_path, "status")


def test_a_daemon_that_is_silent_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "control.sock"))
        silent.listen()
        with Client(tmp_path, timeout=0.2) as client, pytest.raises(ControlError, match="not answer"):
            client.ask("status")


def test_nobody_there_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no daemon is running"):
        ask(tmp_path, "status")


# --- not for you

ASKS = """
from edged.control_client import ask
from edged.errors import ControlError
import sys
try:
    ask(sys.argv[1], "status")
except ControlError as error:
    print(type(error).__name__, error.message, error.hint, sep="\\n")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A daemon's folder as systemd makes it, outside of pytest's own, of the group "users"."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as several users")
    found = Path(tempfile.mkdtemp(prefix="edged-client-"))
    try:
        found.chmod(0o755)
        run = found / "run"
        run.mkdir(mode=0o750)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(run / "control.sock"))
            listener.listen()
            (run / "control.sock").chmod(0o660)
            for path in (run, run / "control.sock"):
                os.chown(path, 0, grp.getgrnam("users").gr_gid)
            yield run
    finally:
        shutil.rmtree(found)


def asked_by(name: str, folder: Path) -> list[str]:
    user = pwd.getpwnam(name)
    try:
        done = ask_as(user, folder)
    except PermissionError:
        pytest.skip("another user cannot run this Python")
    if done.returncode != 0:
        pytest.skip("another user cannot read this Python's libraries, or this checkout")
    return done.stdout.splitlines()


def ask_as(user: pwd.struct_passwd, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASKS, str(folder)],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_is_not_in_the_group_is_told_how_to_join_it(folder: Path) -> None:
    kind, message, hint = asked_by("nobody", folder)
    assert kind == "ControlError"
    assert "the group users may ask the daemon; nobody is not in it" in message
    assert "sudo usermod -aG users nobody" in hint and "log in again" in hint


def test_nobody_is_told_to_join_the_group_root(folder: Path) -> None:
    """Of a daemon that root runs by hand."""
    for path in (folder, folder / "control.sock"):
        os.chown(path, 0, 0)
    _, message, hint = asked_by("nobody", folder)
    assert message.endswith("only root may ask the daemon")
    assert "use sudo" in hint and "usermod" not in hint and "root" not in hint


def test_who_has_joined_since_logging_in_is_told_to_log_in_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's list of members is not changed for a test: only the words are looked at."""
    monkeypatch.setattr(control_client, "_group", lambda _: ("users", [pwd.getpwuid(0).pw_name]))
    error = control_client._unreachable(folder / "control.sock", PermissionError(13, "Permission denied"))
    assert "older than your membership in the group users" in error.message
    assert "log in again" in error.hint
