"""The local socket: answers whom it should, and is nobody's victim.

A real daemon's is treated worse in test_control_fuzz.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from edged import control
from edged.control import (
    LARGEST_LINE,
    LONGEST_REQUEST,
    MOST_OF_A_USER,
    MOST_OF_OTHERS,
    Control,
    Later,
    Pace,
    Verb,
)
from edged.errors import ControlError
from edged.events import KINDS
from edged.exchange import Nothing, Telling
from edged.reactor import Reactor

STATUS = b'{"verb": "status"}'


class Wanted(msgspec.Struct):
    """What ``strict`` takes."""

    size: Annotated[int, msgspec.Meta(ge=0, description="a whole number, 0 or more")] = 0


def parts(request: dict[str, Any]) -> Telling:
    for number in range(request["parts"]):
        yield {"told": [{"about": "numbers", "rows": ["x" * request.get("size", 1), number]}]}
        if number == request.get("fails"):
            raise ControlError("it broke off", "ask again")
        if number == request.get("breaks"):
            raise ZeroDivisionError("a secret that was computed with")
    return {"told": []}


class House:
    """A control socket in a loop of its own, what it told, and how its long answers took turns."""

    def __init__(self, folder: Path) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []
        self.turns = set[str]()
        self.late = list[Later]()
        self.reactor = Reactor()
        self.control = Control(self.reactor, folder, self._verbs(), self._tell)
        self.path = self.control.path

    def _verbs(self) -> dict[str, Verb]:
        return {
            "status": Verb(lambda request: {"asked": request}),
            "strict": Verb(lambda request: {}, takes=Wanted),
            "nothing": Verb(lambda request: {}, takes=Nothing),
            "large": Verb(lambda request: {"text": "x" * request["size"]}),
            "parts": Verb(parts),
            "turns": Verb(self._turns),
            "later": Verb(lambda request: self._later()),
            "now": Verb(lambda request: self._now()),
            "at once": Verb(lambda request: self._at_once()),
            "change": Verb(lambda request: {"changed": True}, changes=True),
            "strange": Verb(lambda request: {"it": object()}),
        }

    def _later(self) -> Later:
        self.late.append(Later())
        return self.late[-1]

    def _now(self) -> dict[str, Any]:
        """The others' answers are there."""
        for number, one in enumerate(self.late):
            one.be({"late": number})
        return {"late": len(self.late)}

    def _at_once(self) -> Later:
        one = Later()
        one.be({"late": 0})
        return one

    def _turns(self, request: dict[str, Any]) -> Telling:
        """Comes to its end only when another one has had a turn meanwhile."""
        self.turns.add(request["name"])
        while len(self.turns) < 2:
            yield None
        return {}

    def _tell(self, kind: str, text: str, **fields: object) -> None:
        assert set(fields) == set(KINDS[kind].fields)
        self.told.append((kind, fields))


@contextmanager
def serving(folder: Path) -> Iterator[House]:
    house = House(folder)
    ours, theirs = socket.socketpair()
    house.reactor.on_readable(ours, house.reactor.stop)
    thread = threading.Thread(target=house.reactor.run)
    thread.start()
    try:
        yield house
        assert thread.is_alive(), "the loop has ended: whatever was done to it went through"
    finally:
        theirs.send(b"stop")
        thread.join(5)
        house.control.close()
        house.reactor.close()
        ours.close()
        theirs.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with serving(tmp_path / "run") as one:
        yield one


@contextmanager
def client(house: House) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(str(house.path))
        yield one


def lines(one: socket.socket) -> Iterator[Any]:
    with one.makefile("rb") as stream:
        for line in stream:
            yield json.loads(line)


def ask(one: socket.socket, line: bytes) -> Any:
    one.sendall(line + b"\n")
    return next(lines(one))


def asked(**request: object) -> bytes:
    return json.dumps(request).encode() + b"\n"


def wait_for(condition: Callable[[], bool], patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


# --- questions and answers


def test_a_request_is_answered_and_the_next_one_too(house: House) -> None:
    with client(house) as one:
        for number in range(3):
            answer = ask(one, json.dumps({"verb": "status", "n": number}).encode())
            assert answer == {"ok": True, "result": {"asked": {"n": number}}}


def test_requests_that_come_together_are_answered_in_order(house: House) -> None:
    with client(house) as one:
        one.sendall(b"".join(asked(verb="status", n=number) for number in range(100)))
        found = lines(one)
        assert [next(found)["result"]["asked"]["n"] for _ in range(100)] == list(range(100))


def test_an_answer_that_is_not_there_yet_keeps_nobody_else_waiting(house: House) -> None:
    """Who asks on gets one answer after the other, and who has hung up is missed by nobody."""
    with client(house) as one, client(house) as other:
        one.sendall(asked(verb="later") + asked(verb="status", n=1))
        with client(house) as hasty:
            hasty.sendall(asked(verb="later"))
            wait_for(lambda: len(house.late) == 2)
        assert ask(other, STATUS)["ok"]
        assert ask(other, b'{"verb": "now"}') == {"ok": True, "result": {"late": 2}}
        found = lines(one)
        assert next(found)["result"] == {"late": 0}
        assert next(found)["result"] == {"asked": {"n": 1}}
        assert ask(one, b'{"verb": "at once"}')["result"] == {"late": 0}
        one.sendall(asked(verb="at once") + asked(verb="status", n=2))
        assert [next(found)["result"] for _ in range(2)] == [{"late": 0}, {"asked": {"n": 2}}]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"hello", "not a line of JSON"),
        (b"[1]", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b"[" * 5000, "not a line of JSON"),
        (b"", "not a line of JSON"),
        (b"{}", "no verb null"),
        (b'{"verb": "reboot"}', 'no verb "reboot"'),
        (b'{"verb": ["status"]}', 'no verb ["status"]'),
        (b'{"verb": "nothing", "colour": 1}', 'no argument "colour"'),
        (b'{"verb": "strict", "colour": 1}', 'no argument "colour"'),
        (b'{"verb": "strict", "size": "big"}', 'size is "big"; allowed is a whole number, 0 or more'),
        (b'{"verb": "strict", "size": -1}', "size is -1; allowed is a whole number, 0 or more"),
        (b'{"verb": "large", "size": 9000000}', "too large"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(house: House, line: bytes, error: str) -> None:
    with client(house) as one:
        answer = ask(one, line)
        assert not answer["ok"] and error in answer["error"]
        assert ask(one, STATUS)["ok"]
    assert house.told == []


def test_an_error_shows_no_more_of_a_value_than_a_glance(house: House) -> None:
    with client(house) as one:
        answer = ask(one, json.dumps({"verb": "strict", "size": "x" * 5000}).encode())
        assert len(answer["error"]) < 120


def test_a_request_that_is_too_long_is_told_so_and_cut_off(house: House) -> None:
    for size in (LONGEST_REQUEST, LONGEST_REQUEST * 10):
        with client(house) as one:
            one.sendall(b"x" * LONGEST_REQUEST)
            with suppress(BrokenPipeError):
                one.sendall(b"x" * (size - LONGEST_REQUEST))
            answer = next(lines(one))
            assert str(LONGEST_REQUEST) in answer["error"]
    with client(house) as other:
        assert ask(other, STATUS)["ok"]


def test_a_fault_of_ours_is_told_by_its_place_and_ends_nothing(house: House) -> None:
    with client(house) as one:
        one.sendall(asked(verb="parts", parts=3, breaks=1))
        *_, last = [answer for _, answer in zip(range(3), lines(one), strict=False)]
        assert not last["ok"] and "ZeroDivisionError at test_control.py" in last["error"]
        assert "secret" not in last["error"]
        assert "TypeError" in ask(one, b'{"verb": "strange"}')["error"]
        assert ask(one, STATUS)["ok"]
    assert [kind for kind, _ in house.told] == ["control-fault", "control-fault"]


# --- long answers


def test_an_answer_in_parts_arrives_whole(house: House) -> None:
    with client(house) as one:
        one.sendall(asked(verb="parts", parts=50, size=3000))
        found = [answer for _, answer in zip(range(51), lines(one), strict=False)]
        assert [part["part"]["told"][0]["rows"][1] for part in found[:-1]] == list(range(50))
        assert found[-1] == {"ok": True, "result": {"told": []}}
        assert ask(one, STATUS)["ok"]


def test_an_answer_that_breaks_off_ends_with_the_reason(house: House) -> None:
    with client(house) as one:
        one.sendall(asked(verb="parts", parts=9, fails=1))
        found = [answer for _, answer in zip(range(3), lines(one), strict=False)]
        assert "part" in found[0] and "part" in found[1]
        assert found[2] == {"ok": False, "error": "it broke off", "hint": "ask again", "code": 6}
        assert ask(one, STATUS)["ok"]


def test_parts_are_made_as_they_are_taken(house: House) -> None:
    """Whoever does not read costs one part beside what the kernel holds, and holds nobody up."""
    with client(house) as slow, client(house) as quick:
        slow.sendall(asked(verb="parts", parts=1000, size=100_000))
        for _ in range(20):
            assert ask(quick, STATUS)["ok"]
        (found,) = [one for one in house.control._clients if one.telling is not None]
        assert 0 < len(found.answers) <= 110_000
        made = 0
        for answer in lines(slow):
            made += "part" in answer
            if "ok" in answer:
                break
        assert made == 1000


def test_long_answers_take_turns(house: House) -> None:
    with client(house) as one, client(house) as other:
        for connection, name in ((one, "a"), (other, "b")):
            connection.sendall(asked(verb="turns", name=name))
        assert next(lines(one))["ok"] and next(lines(other))["ok"]


def test_a_client_that_leaves_in_the_middle_ends_its_answer(house: House) -> None:
    with client(house) as one:
        one.sendall(asked(verb="parts", parts=10_000, size=10_000))
        next(lines(one))
    wait_for(lambda: not house.control._clients)
    # Whoever has gone keeps its place until its turn comes.
    wait_for(lambda: not house.control._waiting)
    with client(house) as other:
        assert ask(other, STATUS)["ok"]


def test_work_is_slowed_down_only_after_a_while() -> None:
    pace = Pace()
    pace.spend(control.CREDIT / 2)
    assert pace.wait == 0
    pace.spend(control.CREDIT * 2)
    assert control.CREDIT < pace.wait <= control.CREDIT * 2


def test_a_line_is_bounded(house: House) -> None:
    with client(house) as one:
        assert ask(one, asked(verb="large", size=LARGEST_LINE - 100)[:-1])["ok"]
        answer = ask(one, asked(verb="large", size=LARGEST_LINE)[:-1])
        assert str(LARGEST_LINE) in answer["error"] and answer["hint"]


# --- who


def test_only_its_user_and_group_may_connect(house: House) -> None:
    assert stat.S_IMODE(house.path.stat().st_mode) == 0o660
    assert stat.S_IMODE(house.path.parent.stat().st_mode) == 0o750
    assert house.path.stat().st_uid == os.geteuid()


def test_the_daemons_own_user_may_change_things(house: House) -> None:
    with client(house) as one:
        assert ask(one, b'{"verb": "change"}')["ok"]


def test_whoever_comes_is_let_in_and_who_was_idle_for_longest_goes(house: House) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(client(house)) for _ in range(MOST_OF_A_USER)]
        for one in crowd:
            assert ask(one, STATUS)["ok"]
        assert ask(crowd[0], STATUS)["ok"]  # so that the second was silent for longest
        assert ask(stack.enter_context(client(house)), STATUS)["ok"]
        answer = next(lines(crowd[1]))
        assert f"one user has {MOST_OF_A_USER} connections" in answer["error"]
        assert crowd[1].recv(1) == b""
        assert ask(crowd[0], STATUS)["ok"]
    assert house.told == []  # it was the owner's own doing


def test_who_says_nothing_for_long_is_sent_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE", 0.2)
    with serving(tmp_path / "run") as house, client(house) as one:
        assert ask(one, STATUS)["ok"]
        assert one.recv(1) == b""


def test_being_out_of_descriptors_passes(house: House) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (one.fileno(), hard))
        try:
            one.connect(str(house.path))
            one.sendall(STATUS + b"\n")
            wait_for(lambda: house.control._listener.fileno() not in house.reactor._selector.get_map())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert next(lines(one))["ok"]


#: A stranger's program: crowds the socket, asks, says what it was told.
STRANGER = """
import json, socket, sys
def connected():
    one = socket.socket(socket.AF_UNIX); one.settimeout(10); one.connect(sys.argv[1]); return one
crowd = []
for _ in range(int(sys.argv[2])):
    crowd.append(connected())
    try: crowd[-1].sendall(b'{"verb": "parts", "parts": 100000, "size": 1000}\\n')
    except OSError: pass  # sent off already, for one of the others
one = connected(); one.sendall(b'{"verb": "change"}\\n')
print(one.makefile().readline(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def open_house() -> Iterator[House]:
    """One that other users can reach: it is not in pytest's own folder, and its group is everybody."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as several users")
    folder = Path(tempfile.mkdtemp(prefix="edged-control-"))
    try:
        with serving(folder / "run") as one:
            for path, mode in ((folder, 0o755), (folder / "run", 0o755), (one.path, 0o666)):
                path.chmod(mode)
            yield one
    finally:
        shutil.rmtree(folder)


def stranger(house: House, uid: int, crowd: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python_of(uid), "-I", "-c", STRANGER, str(house.path), str(crowd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
    )


@cache
def python_of(uid: int) -> str:
    """A Python that this user may run: ours may be in root's home."""
    for one in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            subprocess.run([one, "-I", "-c", ""], user=uid, group=uid, extra_groups=[], cwd="/", check=True)
            return one
    pytest.skip("there is no Python here that another user may run")


def test_who_is_neither_root_nor_the_daemons_user_may_change_nothing(open_house: House) -> None:
    with stranger(open_house, 61001, 0) as one:
        answer = json.loads(one.communicate("", timeout=20)[0])
    assert not answer["ok"] and "only root" in answer["error"]
    ((kind, fields),) = open_house.told
    assert (kind, fields["peer_uid"], fields["peer_pid"]) == ("control-refused", 61001, one.pid)
    assert fields["reason"] == "it wanted to change, which is for root"


def test_others_cannot_take_each_others_places_nor_roots(open_house: House) -> None:
    """Three who crowd it with endless questions: each has no more than its share, a fourth is served."""
    with ExitStack() as stack:
        crowds = [stack.enter_context(stranger(open_house, uid, 30)) for uid in (61001, 61002, 61003)]
        for one in crowds:
            assert one.stdout is not None
            assert "only root" in one.stdout.readline()
        for _ in range(20):
            with client(open_house) as root:
                assert ask(root, b'{"verb": "change"}')["ok"]
        uids = [one.uid for one in open_house.control._clients]
        assert all(uids.count(uid) <= MOST_OF_A_USER for uid in (61001, 61002, 61003))
        assert sum(uid >= 61001 for uid in uids) <= MOST_OF_OTHERS
        with stranger(open_house, 61004, 0) as fourth:
            assert "only root" in fourth.communicate("", timeout=20)[0]
        for one in crowds:
            one.communicate("", timeout=20)
    assert {fields["peer_uid"] for _, fields in open_house.told} == {61001, 61002, 61003, 61004}


# --- the socket itself


def test_a_second_daemon_is_refused_and_a_dead_ones_socket_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as house, pytest.raises(ControlError, match="another edged is running"):
        Control(Reactor(), tmp_path, {})
    assert not house.path.exists()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(house.path))
    with serving(tmp_path) as house, client(house) as one:
        assert ask(one, STATUS)["ok"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match="file/run"):
        Control(Reactor(), tmp_path / "file" / "run", {})
    with pytest.raises(ControlError, match="cannot be made"):
        Control(Reactor(), tmp_path / ("x" * 120), {})
