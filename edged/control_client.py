"""Asks the daemon: one line of JSON up its local socket, one or more down. See ``control`` for the other end,
``exchange`` for what an answer is made of.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edged.errors import ControlError
from edged.exchange import Part, joined

#: Seconds without a word; a long report on a small board tells something every one or two.
TIMEOUT: Final = 10.0
LARGEST_LINE: Final = 16 * 1024 * 1024  # bytes, more than a daemon sends


class Client:
    """A connection to the daemon with this ``runtime_dir``. Raises ``ControlError`` when there is none."""

    def __init__(self, runtime_dir: Path | str, timeout: float = TIMEOUT) -> None:
        self._path = Path(runtime_dir) / "control.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._buffer = bytearray()
        try:
            self._socket.connect(str(self._path))
        except OSError as error:
            self._socket.close()
            raise _unreachable(self._path, error) from None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        """The daemon's result. Raises ``ControlError`` with its words when it refuses, or when it does not
        answer.
        """
        try:
            self._say(json.dumps({"verb": verb, **arguments}))
            parts, answer = self._hear()
        except TimeoutError:
            raise ControlError("the daemon does not answer", "is the machine overloaded? try again") from None
        except (OSError, ValueError) as error:
            raise ControlError(f"the daemon hung up ({error})", "look into its log") from None
        if not answer.get("ok"):
            raise _refused(answer)
        result = answer["result"]
        assert isinstance(result, dict)
        return joined(parts, result) if parts else result

    def _say(self, request: str) -> None:
        # Whoever was sent off finds out why by reading, not by writing.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(request.encode() + b"\n")

    def _hear(self) -> tuple[list[Part], dict[str, Any]]:
        parts = []
        while "part" in (answer := self._object()):
            parts.append(answer["part"])
        return parts, answer

    def _object(self) -> dict[str, Any]:
        answer = json.loads(self._line())
        if not isinstance(answer, dict):
            raise ValueError("that is no answer")
        return answer

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            piece = self._socket.recv(256 * 1024)
            if not piece:
                raise ConnectionResetError("the answer is not complete")
            self._buffer += piece
            if len(self._buffer) > LARGEST_LINE:
                raise ConnectionAbortedError("the answer has no end")
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = rest
        return bytes(line)


def ask(runtime_dir: Path | str, verb: str, **arguments: object) -> dict[str, Any]:
    """One question, one answer. Raises ``ControlError``; ``NotRunning`` when no daemon listens."""
    with Client(runtime_dir) as client:
        return client.ask(verb, **arguments)


def _refused(answer: dict[str, Any]) -> ControlError:
    """In the daemon's words, and with its exit code: a question may be wrong, or the store damaged."""
    error = ControlError(str(answer.get("error", "the daemon refused")), str(answer.get("hint", "")))
    code = answer.get("code")
    error.exit_code = code if isinstance(code, int) and 0 < code < 256 else ControlError.exit_code
    return error


class NotRunning(ControlError):
    """No daemon listens there: ``report`` then opens the store itself."""


def _unreachable(path: Path, error: OSError) -> ControlError:
    match error:
        case PermissionError():
            return _not_allowed(path)
        case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
            return NotRunning(
                f"no daemon is running here ({path})",
                "start it: edged run FILE, or systemctl start edged; --config FILE means another one",
            )
    return ControlError(
        f"{path}: the daemon cannot be reached: {error.strerror or error}", "edged doctor control"
    )


def _not_allowed(path: Path) -> ControlError:
    """Which group may ask, and how to join it; whoever has joined it already must log in again."""
    import pwd

    try:
        group, user = _group(path), pwd.getpwuid(os.geteuid()).pw_name
    except (OSError, KeyError):  # no such folder for us, or nobody of that number has a name
        return ControlError(f"{path}: this user may not ask the daemon", "use sudo")
    name, members = group
    if name == "root":  # a daemon that root runs by hand; whoever joins that group may change half the system
        return ControlError(
            f"{path}: only root may ask the daemon", "use sudo; as a service it answers the group edged too"
        )
    if user in members:
        return ControlError(
            f"{path}: this login is older than your membership in the group {name}",
            f"log in again (or type: newgrp {name})",
        )
    return ControlError(
        f"{path}: only root and the group {name} may ask the daemon; {user} is not in it",
        f"join it: sudo usermod -aG {name} {user}, then log in again; or use sudo this time",
    )


def _group(path: Path) -> tuple[str, list[str]]:
    """The group that owns the socket, or the folder that it is in, and its members."""
    import grp

    try:
        owner = path.stat().st_gid
    except PermissionError:
        owner = path.parent.stat().st_gid
    found = grp.getgrgid(owner)
    return found.gr_name, found.gr_mem
