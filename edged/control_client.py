"""Asks the daemon: one line of JSON up its local socket, one line of JSON down. See ``control`` for the other
end.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final

from edged.errors import ControlError

TIMEOUT: Final = 10.0  # seconds; a long report out of a large store on a small board takes one or two
LARGEST_ANSWER: Final = 16 * 1024 * 1024  # bytes, twice what a daemon sends


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
        request = json.dumps({"verb": verb, **arguments})
        try:
            self._socket.sendall(request.encode() + b"\n")
            answer = json.loads(self._line())
        except TimeoutError:
            raise ControlError("the daemon does not answer", "is the machine overloaded? try again") from None
        except (OSError, ValueError) as error:
            raise ControlError(f"the daemon hung up ({error})", "look into its log") from None
        if not answer.get("ok"):
            raise ControlError(str(answer.get("error", "the daemon refused")), str(answer.get("hint", "")))
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            piece = self._socket.recv(256 * 1024)
            if not piece:
                raise ConnectionResetError("the answer is not complete")
            self._buffer += piece
            if len(self._buffer) > LARGEST_ANSWER:
                raise ConnectionAbortedError("the answer has no end")
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = rest
        return bytes(line)


def ask(runtime_dir: Path | str, verb: str, **arguments: object) -> dict[str, Any]:
    """One question, one answer. Raises ``ControlError``; ``NotRunning`` when no daemon listens."""
    with Client(runtime_dir) as client:
        return client.ask(verb, **arguments)


class NotRunning(ControlError):
    """No daemon listens there: ``report`` then opens the store itself."""


def _unreachable(path: Path, error: OSError) -> ControlError:
    match error:
        case PermissionError():
            return ControlError(
                f"{path}: this user may not ask the daemon",
                "use sudo, or join the group that owns the socket",
            )
        case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
            return NotRunning(
                f"no daemon is running here ({path})",
                "start it: edged run FILE, or systemctl start edged; --config FILE means another one",
            )
    return ControlError(f"{path}: the daemon cannot be reached: {error.strerror or error}")
