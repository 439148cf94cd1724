"""The local socket: a line of JSON up, a line of JSON down; a long answer comes in several (``exchange``).

A verb is a name, a handler and who may use it. The file's mode (0660) decides who may connect at all; the
kernel's word for who has connected (``SO_PEERCRED``) decides what they may do. A client that is slow,
silent or hostile costs a small buffer and nobody's time:

- Nothing blocks. Requests and lines of an answer are bounded; a part is made when the one before it is taken.
- Whoever comes is let in. Of a user who has too many connections, and of the one with the most when all are
  too many, the one that has been idle for longest goes. Root and the daemon's own user have their own places.
- The first request of a newcomer is answered at once; everything else takes turns, one part or request for
  each round of the loop, root first. When that takes most of the time for long, it is slowed down.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import GeneratorType
from typing import Any, Final

import msgspec

from edged.errors import ControlError, EdgedError, fault
from edged.exchange import Telling, shown, understood
from edged.reactor import Reactor

#: Gets the request's arguments. A generator tells its answer in parts, see ``exchange``; of a ``Later`` the
#: answer is told when it is there.
Handler = Callable[[dict[str, Any]], object]
#: Takes an event: kind, text and its fields.
Tell = Callable[..., object]

#: Whom the kernel names so is of no user that this user namespace knows: with systemd's PrivateUsers= all are
#: but root and the daemon's own, and share what one user may have.
UNKNOWN: Final = 65534
LONGEST_REQUEST: Final = 8 * 1024  # bytes of a line
LARGEST_LINE: Final = 1024 * 1024  # bytes of an answer or of a part of one
MOST_OF_A_USER: Final = 16  # connections
MOST_OF_OTHERS: Final = 32  # connections of all but root and the daemon's own user
BACKLOG: Final = 64  # who has connected and is not let in yet
LET_IN_AT_ONCE: Final = 4  # less than one user may have: nobody is sent off before being heard
IDLE: Final = 60.0  # seconds without a request, or without reading the answer
BREATHER: Final = 1.0  # seconds without letting in when the machine is out of descriptors
#: Seconds of work on answers that may be done without a pause, and how many come back in a second.
CREDIT: Final = 2.0
REFUND: Final = 0.5


class Later:
    """An answer that is not there yet. Whoever asked is told nothing before, and nobody else waits for it."""

    def __init__(self) -> None:
        self._answers = list[object]()
        self._told: Callable[[object], None] | None = None

    def be(self, answer: object) -> None:
        """Here it is: once."""
        if self._told is not None:
            self._told(answer)
        else:
            self._answers.append(answer)

    def then(self, told: Callable[[object], None]) -> None:
        """Who is to hear it."""
        if self._answers:
            told(self._answers.pop())
        else:
            self._told = told


class Verb(msgspec.Struct, frozen=True):
    """``changes`` says that only root and the daemon's own user may use it. ``takes`` are its arguments; None
    leaves them to the handler.
    """

    handler: Handler
    changes: bool = False
    takes: type[msgspec.Struct] | None = None


class Client:
    """One connection: what it has said so far, what it has not yet taken, and what is still to be told."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid, self.uid, _ = struct.unpack("3i", credentials)
        self.privileged = self.uid in (0, os.geteuid())
        self.said, self.answers = bytearray(), bytearray()
        self.telling: Telling | None = None
        self.awaits = False  #: an answer that is to come by itself
        self.active = time.monotonic()

    def fileno(self) -> int:
        """For the reactor."""
        return self.connection.fileno()

    @property
    def wants(self) -> bool:
        """Whether there is something to do for it."""
        return self.telling is not None or (not self.awaits and b"\n" in self.said)

    def line(self) -> bytes:
        """The next request."""
        line, _, self.said = self.said.partition(b"\n")
        return bytes(line)

    def hear(self) -> bool:
        """Read what there is; False when it has hung up. Raises ``BlockingIOError`` when there is nothing."""
        said = self.connection.recv(LONGEST_REQUEST)
        self.said += said
        self.active = time.monotonic()
        return bool(said)

    @property
    def endless(self) -> bool:
        """It says more than anybody needs to, or asks on and on without waiting for an answer."""
        most = LONGEST_REQUEST if self.wants else LONGEST_REQUEST - 1
        return len(self.said) > most

    def take(self) -> bool:
        """Hand over what is to be handed over; whether all of it is away."""
        try:
            sent = self.connection.send(self.answers, socket.MSG_NOSIGNAL) if self.answers else 0
        except BlockingIOError:
            sent = 0
        if sent:
            del self.answers[:sent]
            self.active = time.monotonic()
        return not self.answers

    def close(self) -> None:
        """Hang up."""
        if self.telling is not None:
            self.telling.close()
        self.connection.close()


class Pace:
    """Keeps answering from taking more than half of the loop's time, once it has taken it for a while."""

    def __init__(self) -> None:
        self._credit, self._at = CREDIT, time.monotonic()
        self._until = 0.0

    def spend(self, took: float) -> None:
        """So many seconds were worked."""
        now = time.monotonic()
        self._credit = min(CREDIT, self._credit + (now - self._at) * REFUND) - took
        self._at = now
        if self._credit < 0:
            self._until = now + took

    @property
    def wait(self) -> float:
        """Seconds until there may be more work."""
        return max(0.0, self._until - time.monotonic())


class Control:
    """The listening socket and its clients. Raises ``ControlError`` when the socket cannot be made.

    ``tell`` is called with events: who was refused, and what could not be answered for a fault of ours.
    """

    def __init__(
        self,
        reactor: Reactor,
        folder: Path,
        verbs: dict[str, Verb],
        tell: Tell = lambda *_, **__: None,
    ) -> None:
        self._reactor, self._verbs, self._tell = reactor, verbs, tell
        self.path = folder / "control.sock"
        self._clients: set[Client] = set()
        self._waiting: deque[Client] = deque()
        self._at_work, self._pace = False, Pace()
        self._listener = _listening(folder, self.path)
        reactor.on_readable(self._listener, self._let_in)
        reactor.every(IDLE, self._sweep)

    def close(self) -> None:
        """Say goodbye to everybody."""
        for client in list(self._clients):
            self._drop(client)
        if self._listener.fileno() >= 0:
            with suppress(KeyError):  # out of descriptors just now, it takes its breath
                self._reactor.forget(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    # --- who comes and who goes

    def _let_in(self) -> None:
        for _ in range(LET_IN_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                self._reactor.forget(self._listener)
                self._reactor.after(BREATHER, self._listen_again)
                return
            self._welcome(connection)

    def _listen_again(self) -> None:
        if self._listener.fileno() >= 0:
            self._reactor.on_readable(self._listener, self._let_in)

    def _welcome(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            client = Client(connection)
        except OSError:
            connection.close()
            return
        self._make_room(client)
        self._clients.add(client)
        self._reactor.on_readable(client, lambda: self._serve(client))
        self._serve(client)  # a newcomer has mostly said already what it wants

    def _make_room(self, newcomer: Client) -> None:
        """Send off whoever has to go for the newcomer."""
        alike = [one for one in self._clients if one.privileged == newcomer.privileged]
        same = [one for one in alike if one.uid == newcomer.uid]
        if len(same) >= MOST_OF_A_USER:
            self._send_off(same, f"one user has {len(same)} connections")
        elif len(alike) >= MOST_OF_OTHERS:
            (uid, _), *_ = Counter(one.uid for one in alike).most_common(1)
            self._send_off([one for one in alike if one.uid == uid], f"there are {len(alike)} connections")

    def _send_off(self, some: list[Client], why: str) -> None:
        client = min(some, key=lambda one: one.active)
        self._dismiss(client, ControlError(f"{why}: this one was idle for longest", "ask again"))
        self._refuse(client, f"{why}; the one that was idle for longest was closed")

    def _dismiss(self, client: Client, why: EdgedError) -> None:
        """Hang up, with a word unless it would stand in the middle of an answer."""
        if not client.answers and client.telling is None:
            client.answers += _refusal(why)
            with suppress(OSError):
                client.take()
        self._drop(client)

    def _refuse(self, client: Client, why: str) -> None:
        if client.privileged:
            return  # it is the owner's own doing, and was told
        user = "another user" if client.uid == UNKNOWN else f"user {client.uid}"
        who = f"process {client.pid} of {user}"
        self._tell("control-refused", f"{who}: {why}", peer_uid=client.uid, peer_pid=client.pid, reason=why)

    def _sweep(self) -> None:
        oldest = time.monotonic() - IDLE
        for client in [one for one in self._clients if one.active < oldest]:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._reactor.forget(client)
            client.close()

    # --- what they say and are told

    def _serve(self, client: Client) -> None:
        if client not in self._clients:
            return  # it was sent off in this very round
        try:
            if client.answers:
                self._hand_over(client)
            elif not client.hear():
                self._drop(client)
            elif client.endless:
                error = f"the request is longer than {LONGEST_REQUEST} bytes"
                self._dismiss(client, ControlError(error, "ask for less at once"))
            elif client.wants and client.telling is None and client not in self._waiting:
                self._attend(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)

    def _attend(self, client: Client) -> None:
        """A request was heard: answer it at once, unless answering has taken too much of the loop lately."""
        if self._pace.wait and not client.privileged:
            self._queue(client)
            return
        began = time.monotonic()
        self._advance(client)
        self._pace.spend(time.monotonic() - began)

    def _hand_over(self, client: Client) -> None:
        """Then look after the next part, or the next request, when it is this client's turn."""
        away = client.take()
        self._reactor.on_ready(client, not away, lambda: self._serve(client))
        if away and client.wants:
            self._queue(client)

    def _queue(self, client: Client) -> None:
        if client not in self._waiting:
            self._waiting.append(client)
        self._work_later()

    def _work_later(self) -> None:
        if self._waiting and not self._at_work:
            self._at_work = True
            self._reactor.after(self._pace.wait, self._work)

    def _work(self) -> None:
        """One part of one answer, or one request; then it is somebody else's turn."""
        began = time.monotonic()
        if self._waiting:
            client = next((one for one in self._waiting if one.privileged), self._waiting[0])
            self._waiting.remove(client)
            self._try(client)
        self._pace.spend(time.monotonic() - began)
        self._at_work = False
        self._work_later()

    def _try(self, client: Client) -> None:
        if client in self._clients:
            try:
                self._advance(client)
            except OSError:
                self._drop(client)

    def _advance(self, client: Client) -> None:
        """Make the next line of an answer."""
        try:
            line = self._answered(client)
        except EdgedError as error:
            client.telling, line = None, _refusal(error)
        except Exception as error:
            found = fault(error, "an answer")
            self._tell("control-fault", found.message, reason=found.message)
            client.telling, line = None, _refusal(found)
        client.answers += line
        self._hand_over(client)

    def _answered(self, client: Client) -> bytes:
        if client.telling is None:
            result = self._result(client)
            if isinstance(result, Later):
                client.awaits = True
                result.then(lambda value: self._answer_at_last(client, value))
                return b""
            if not isinstance(result, GeneratorType):
                return _line({"ok": True, "result": result})
            client.telling = result
            return b""
        try:
            part = next(client.telling)
        except StopIteration as end:
            client.telling = None
            return _line({"ok": True, "result": end.value})
        return b"" if part is None else _line({"part": part})

    def _answer_at_last(self, client: Client, value: object) -> None:
        client.awaits = False
        if client in self._clients:
            client.answers += _line({"ok": True, "result": value})
            client.active = time.monotonic()
            self._reactor.on_ready(client, True, lambda: self._serve(client))

    def _result(self, client: Client) -> object:
        try:
            request = msgspec.json.decode(client.line(), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ControlError("the request is not a line of JSON", 'send {"verb": "status"}') from None
        name = request.pop("verb", None)
        verb = self._verbs.get(name) if isinstance(name, str) else None
        if verb is None:
            there = f"there are {', '.join(sorted(self._verbs))}"
            raise ControlError(f"there is no verb {shown(name)}", there)
        if verb.changes and not client.privileged:
            self._refuse(client, f"it wanted to {name}, which is for root")
            raise ControlError(f"only root and the daemon's own user may {name}", "use sudo")
        if verb.takes is not None:
            understood(request, verb.takes)
        return verb.handler(request)


def _line(answer: dict[str, object]) -> bytes:
    line = msgspec.json.encode(answer)
    if len(line) > LARGEST_LINE:
        raise ControlError(
            f"the answer is too large: {len(line)} bytes; the most is {LARGEST_LINE}", "ask for less at once"
        )
    return line + b"\n"


def _refusal(error: EdgedError) -> bytes:
    said = {"error": error.message[:LONGEST_REQUEST], "hint": error.hint}
    return _line({"ok": False, **said, "code": error.exit_code})


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
        listener.listen(BACKLOG)
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
