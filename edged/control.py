"""The local socket: one line of JSON up, one line of JSON down.

A verb is a name, a handler and who may use it. The file's mode (0660) decides who may connect at all; the
kernel's word for who has connected (``SO_PEERCRED``) decides what they may do. A client that is slow,
silent or hostile costs a small buffer and nobody's time: nothing here blocks, lines and answers are
bounded, and an idle client is shown the door.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from edged.errors import ControlError, EdgedError
from edged.reactor import Reactor

Handler = Callable[[dict[str, Any]], object]

LONGEST_REQUEST: Final = 8 * 1024  # bytes of a line
LARGEST_ANSWER: Final = 8 * 1024 * 1024  # bytes; a client that wants more must ask for a coarser step
MOST_CLIENTS: Final = 16
IDLE: Final = 60.0  # seconds without a request, or without reading the answer


class Verb(msgspec.Struct, frozen=True):
    """``changes`` says that only root and the daemon's own user may use it."""

    handler: Handler
    changes: bool = False


class Client:
    """One connection: what it has said so far and what it has not yet taken."""

    def __init__(self, connection: socket.socket, uid: int) -> None:
        self.connection, self.uid = connection, uid
        self.said, self.answers = bytearray(), bytearray()
        self.active = time.monotonic()

    def fileno(self) -> int:
        """For the reactor."""
        return self.connection.fileno()


class Control:
    """The listening socket and its clients. Raises ``ControlError`` when the socket cannot be made."""

    def __init__(self, reactor: Reactor, folder: Path, verbs: dict[str, Verb]) -> None:
        self._reactor, self._verbs = reactor, verbs
        self.path = folder / "control.sock"
        self._clients: set[Client] = set()
        self._listener = _listening(folder, self.path)
        reactor.on_readable(self._listener, self._accept)
        reactor.every(IDLE, self._sweep)

    def close(self) -> None:
        """Say goodbye to everybody."""
        for client in list(self._clients):
            self._drop(client)
        self._reactor.forget(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        if len(self._clients) >= MOST_CLIENTS:
            connection.close()
            return
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        client = Client(connection, uid)
        self._clients.add(client)
        self._reactor.on_readable(client, lambda: self._serve(client))

    def _sweep(self) -> None:
        oldest = time.monotonic() - IDLE
        for client in [one for one in self._clients if one.active < oldest]:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self._clients.discard(client)
        self._reactor.forget(client)
        client.connection.close()

    def _serve(self, client: Client) -> None:
        try:
            self._write(client) if client.answers else self._read(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)

    def _read(self, client: Client) -> None:
        said = client.connection.recv(LONGEST_REQUEST)
        if not said:
            self._drop(client)
            return
        client.active = time.monotonic()
        client.said += said
        self._answer_next(client)

    def _answer_next(self, client: Client) -> None:
        """One request at a time: the next is looked at when the answer is away."""
        line, found, rest = client.said.partition(b"\n")
        if found and len(line) <= LONGEST_REQUEST:
            client.said = rest
            client.answers += self._answer(bytes(line), client.uid)
            self._write(client)
        elif len(client.said) > LONGEST_REQUEST:
            self._drop(client)

    def _write(self, client: Client) -> None:
        try:
            sent = client.connection.send(client.answers, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        if sent:
            del client.answers[:sent]
            client.active = time.monotonic()
        self._reactor.on_ready(client, bool(client.answers), lambda: self._serve(client))
        if not client.answers and client.said:
            self._answer_next(client)

    def _answer(self, line: bytes, uid: int) -> bytes:
        try:
            result = self._handle(line, uid)
            answer = msgspec.json.encode({"ok": True, "result": result})
            if len(answer) > LARGEST_ANSWER:
                raise ControlError("the answer is too large", "ask for a shorter time or a coarser --every")
        except EdgedError as error:
            answer = msgspec.json.encode({"ok": False, "error": error.message, "hint": error.hint})
        return answer + b"\n"

    def _handle(self, line: bytes, uid: int) -> object:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ControlError("the request is not a line of JSON", 'send {"verb": "status"}') from None
        verb = self._verbs.get(str(request.pop("verb", "")))
        if verb is None:
            raise ControlError("there is no such verb", f"there are {', '.join(sorted(self._verbs))}")
        if verb.changes and uid not in (0, os.geteuid()):
            raise ControlError("only root and the daemon's own user may do this", "use sudo")
        return verb.handler(request)


def _listening(folder: Path, path: Path) -> socket.socket:
    """Bind, replacing a socket that a dead daemon left behind, never one that a living one listens on."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        _clear(path)
        old = os.umask(0o117)  # 0660 from the first instant
        try:
            listener.bind(str(path))
        finally:
            os.umask(old)
        listener.listen(MOST_CLIENTS)
    except OSError as error:
        listener.close()
        raise ControlError(
            f"{path}: the control socket cannot be made: {error.strerror or error}",
            "runtime_dir in [daemon] names its folder; it must be this user's, its path under 100 characters",
        ) from None
    except ControlError:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ControlError(
        f"{path}: another edged is running", "stop that one, or give this one a runtime_dir of its own"
    )
