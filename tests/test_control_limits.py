"""What the control socket does not give, to whom, and in whose turn: its numbers, without a crowd and without
waiting. What a crowd of real strangers makes of it is in test_control and test_control_fuzz.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_control import STATUS, House, ask, client, house, open_house, stranger  # noqa: F401 - two fixtures

from edged import control, recess
from edged.control import MOST_OF_A_USER, MOST_OF_OTHERS, UNKNOWN, Client, Control, Pace, Verb
from edged.errors import ControlError
from edged.reactor import Reactor


class Clock:
    """Stands still but for work."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def work(self, request: dict[str, Any]) -> dict[str, Any]:
        """A handler that takes a while."""
        self.now += 3.0
        return {}


class Room:
    """A control socket whose loop does not run, and whoever is said to have come. Nothing is waited for."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.reactor, self.told = Reactor(), list[str]()
        verbs = {"status": Verb(clock.work)}
        self.control = Control(self.reactor, folder, verbs, lambda _, text, **__: self.told.append(text))
        self._ends: list[socket.socket] = []
        self._moments = itertools.count(1.0)

    def come(self, uid: int) -> Client:
        """A newcomer of this user, later than those before."""
        ours, theirs = socket.socketpair()
        self._ends.append(theirs)
        theirs.settimeout(0.0)
        ours.setblocking(False)
        newcomer = Client(ours)
        newcomer.uid, newcomer.privileged = uid, uid == 0
        newcomer.active = next(self._moments)
        self.control._make_room(newcomer)
        self.control._clients.add(newcomer)
        self.reactor.on_readable(newcomer, lambda: None)
        newcomer.said += STATUS + b"\n"
        return newcomer

    def heard(self) -> bytes:
        """What the last newcomer has been told."""
        try:
            return self._ends[-1].recv(4096)
        except BlockingIOError:
            return b"(nothing)"

    def users(self) -> Counter[int]:
        return Counter(one.uid for one in self.control._clients)

    def close(self) -> None:
        self.control.close()
        self.reactor.close()
        for one in self._ends:
            one.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(control, "time", made)
    return made


@pytest.fixture
def room(tmp_path: Path, clock: Clock) -> Iterator[Room]:
    made = Room(tmp_path, clock)
    yield made
    made.close()


def test_the_limits_are_those_that_are_promised(root: Path) -> None:
    rows = re.findall(r"^\| (.+?) \| ([\d,]+)(?: ([KM])iB)? \|", (root / "docs/control.md").read_text(), re.M)
    told = {name: int(number) << {"": 0, "K": 10, "M": 20}[unit] for name, number, unit in rows}
    assert told == {
        "a request": control.LONGEST_REQUEST,
        "requests sent before the answer to the first": control.LONGEST_REQUEST,
        "a line of an answer": control.LARGEST_LINE,
        "connections of a user": MOST_OF_A_USER,
        "connections of all but root and the daemon's user": MOST_OF_OTHERS,
        "seconds without a word, or without reading": control.IDLE,
    }
    (longest,) = re.findall(r"`seconds` \((\d+) at most", (root / "docs/control.md").read_text())
    assert int(longest) == recess.LONGEST
    assert control.LET_IN_AT_ONCE < MOST_OF_A_USER, "or they would be sent off before they are heard"


# --- places


def test_others_have_their_places_and_root_its_own(room: Room) -> None:
    for uid in (0, 5, 6):
        for _ in range(MOST_OF_A_USER):
            room.come(uid)
    assert room.users() == {0: 16, 5: 16, 6: 16}
    room.come(7)
    assert room.users().total() == 16 + 32 and room.users()[0] == 16
    room.come(0)
    assert room.users()[0] == 16


def test_when_all_are_too_many_one_goes_of_the_user_who_has_most(room: Room) -> None:
    few = [room.come(5) for _ in range(4)]  # the oldest of all
    for uid in (6, 6, 6, 6, *(7,) * 15, *(8,) * 9):
        room.come(uid)
    assert room.users().total() == 32
    room.come(9)
    assert room.users() == {5: 4, 6: 4, 7: 14, 8: 9, 9: 1} and set(few) <= room.control._clients
    assert room.told[-1].startswith("process ") and " of user 7: there are 32 connections" in room.told[-1]


def test_of_a_user_whom_nobody_here_knows_no_number_is_told(room: Room) -> None:
    for _ in range(MOST_OF_A_USER + 1):
        room.come(UNKNOWN)
    assert "of another user: one user has 16" in room.told[-1]


def test_who_is_sent_off_in_the_middle_of_an_answer_is_told_nothing_in_it(room: Room) -> None:
    for half, telling in ((b'{"part": {"to', None), (b"", (part for part in ()))):
        one = room.come(5)
        one.answers, one.telling = bytearray(half), telling  # type: ignore[assignment]
        room.control._send_off([one], "too many")
        assert room.heard() == b""
    room.control._send_off([room.come(5)], "too many")
    assert b"too many: this one was idle for longest" in room.heard()


def test_who_asks_or_reads_is_not_idle(room: Room, clock: Clock) -> None:
    one = room.come(5)
    room._ends[-1].send(b"x")
    assert one.hear() and one.active == clock.now
    one.active = 0.0
    assert one.take() and one.active == 0.0, "it was told nothing"
    one.answers += b"{}\n"
    assert one.take() and one.active == clock.now


def test_what_was_being_told_ends_with_the_connection(room: Room) -> None:
    ended = []

    def telling() -> Any:
        try:
            yield None
        finally:
            ended.append(True)

    one = room.come(5)
    one.telling = telling()
    next(one.telling)
    room.control._drop(one)
    assert ended == [True]


def test_the_daemons_own_user_need_not_be_root(
    open_house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 61001)
    with stranger(open_house, 61001, 0) as one:
        assert '"changed":true' in one.communicate("", timeout=20)[0]


# --- turns


def test_whoever_works_on_gets_half_of_the_time(clock: Clock) -> None:
    """Two seconds without a pause, whatever was saved before; then as long a pause as work."""
    pace = Pace()
    for _ in range(2):
        at_once, began, worked = 0.0, clock.now, 0.0
        while clock.now < began + 100.0:
            clock.now += pace.wait
            clock.now += 0.125
            pace.spend(0.125)
            worked += 0.125
            at_once = at_once or worked * bool(pace.wait)
        assert 2.0 < at_once <= 4.25, "while it works, half of that comes back"
        assert 45.0 < worked <= 55.0
        clock.now += 1000.0
        assert pace.wait == 0.0


def test_when_answers_took_too_long_only_root_is_answered_at_once(room: Room) -> None:
    for uid, told in ((0, b'{"ok":true'), (5, b"(nothing)")):
        room.control._pace.spend(1000.0)
        one = room.come(uid)
        room.control._attend(one)
        assert room.heard().startswith(told)
        assert (one in room.control._waiting) == (uid != 0)


def test_every_answer_is_paid_for(room: Room) -> None:
    """Three seconds of work, when two may be done: at once, or in its turn."""
    for answer in (room.control._attend, lambda one: room.control._queue(one) or room.control._work()):
        room.control._pace = Pace()
        answer(room.come(5))
        assert room.heard().startswith(b'{"ok":true') and room.control._pace.wait > 0.0


def test_the_next_turn_comes_after_the_pause(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(room.reactor, "after", lambda seconds, _: waits.append(seconds))
    room.control._pace.spend(1000.0)
    room.control._queue(room.come(5))
    assert waits == [1000.0]


def test_root_has_the_first_turn(room: Room) -> None:
    others, roots = [room.come(5), room.come(6)], room.come(0)
    for one in (*others, roots):
        room.control._queue(one)
    room.control._work()
    assert room.heard().startswith(b'{"ok":true') and list(room.control._waiting) == others


def test_who_waits_twice_or_has_gone_is_answered_once_or_not(room: Room, clock: Clock) -> None:
    one, gone = room.come(5), room.come(6)
    for waiting in (one, one, gone, gone):
        room.control._queue(waiting)
    assert list(room.control._waiting) == [one, gone]
    room.control._drop(gone)
    for _ in range(3):
        room.control._work()
    assert clock.now == 1003.0, "a verb was called once"


# --- what fails


@pytest.mark.parametrize(
    "line", [b'{"a": ' + b"[" * 8000, b'{"a": ' * 1300, b'{"verb": "\xff\xfe"}', b'{"\xff": 1}']
)
def test_what_no_parser_likes_is_no_fault_of_ours(house: House, line: bytes) -> None:  # noqa: F811
    with client(house) as one:
        assert "not a line of JSON" in ask(one, line)["error"]
    assert house.told == []


def test_an_error_is_no_longer_than_a_request() -> None:
    assert len(control._refusal(ControlError("x" * 1_000_000, "h"))) < control.LONGEST_REQUEST + 100


def test_out_of_descriptors_it_is_not_tried_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has connected stays readable: without a pause the loop would do nothing else."""
    tries = []

    def none() -> None:
        tries.append(True)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    reactor = Reactor()
    made = Control(reactor, tmp_path, {})
    reactor.forget(made._listener)
    listener = made._listener
    made._listener = SimpleNamespace(accept=none, fileno=listener.fileno)  # type: ignore[assignment]
    reactor.on_readable(made._listener, made._let_in)
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(made.path))
        began = time.monotonic()
        for _ in range(100):
            reactor.turn(0.001)
        assert len(tries) <= (time.monotonic() - began) / control.BREATHER + 2
    made._listener = listener
    made.close()  # in the pause
    made.close()
    reactor.close()
    assert not made.path.exists()


def test_a_client_that_cannot_be_looked_at_is_let_go(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(connection: socket.socket) -> Client:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    with monkeypatch.context() as patch:
        patch.setattr(control, "Client", gone)
        with client(house) as one:
            assert one.recv(1) == b""
    with client(house) as other:
        assert ask(other, STATUS)["ok"]
