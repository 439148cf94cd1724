"""How often a lender looks, tries and lends, by a clock that stands still but for its own appointments.

That it lends is seen in test_lender.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edged import lender, supervise
from edged import porter as porting
from edged.lender import Allowance, Lender
from edged.reactor import Timer

HOUR = 3600.0


class Loop:
    """A reactor that does only what was appointed, at once, and says for when it was."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.watched: list[object] = []
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        self.waits.append(seconds)
        self.timers.append(Timer(self.now + seconds, action))
        return self.timers[-1]

    def on_readable(self, thing: object, action: Callable[[], None]) -> None:
        self.watched.append(thing)

    def forget(self, thing: object) -> None:
        self.watched.remove(thing)

    def until(self, moment: float) -> None:
        while due := sorted(one for one in self.timers if not one.cancelled and one.at <= moment):
            assert len(self.waits) < 10_000, "it does nothing else"
            due[0].cancelled, self.now = True, due[0].at
            due[0].action()


def no_room(*_: Any) -> int:
    raise BlockingIOError


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(lender, "time", made)
    return made


@pytest.fixture
def one(loop: Loop, tmp_path: Path) -> Iterator[Lender]:
    made = Lender(loop, str(tmp_path / "device"), os.close, lambda text: None)  # type: ignore[arg-type]
    yield made
    made.stop()


def test_what_is_away_for_long_is_looked_for_less_often(loop: Loop, one: Lender) -> None:
    """After a tenth of the time that it has been away, 20 times a second at most and once at least."""
    one.seek()
    loop.until(HOUR)
    moment, looks = 0.0, 0
    for wait in loop.waits:
        assert wait == pytest.approx(min(1.0, max(0.05, moment / 10)))
        moment, looks = moment + wait, looks + 1
    assert loop.waits[0] == 0.05 and loop.waits[-1] == 1.0 and 3600 < looks < 3700


def test_what_cannot_be_opened_is_tried_less_and_less_often(
    loop: Loop, one: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lender, "_is_there", lambda path: True)
    monkeypatch.setattr(lender, "spawned", no_room)
    for _ in range(2):  # the next time that it is lost it begins anew
        loop.waits.clear()
        one.seek()
        loop.until(loop.now + HOUR)
        assert loop.waits[:9] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
        assert set(loop.waits[8:]) == {60.0}
        one.stop()


def test_a_porter_that_says_nothing_is_ended_before_its_worker_counts_as_stuck(
    loop: Loop, one: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    ended: list[float] = []

    def porter(*_: object) -> Any:
        sent.append(SimpleNamespace(kill=lambda: ended.append(loop.now)))
        return sent[-1]

    monkeypatch.setattr(lender, "_is_there", lambda path: True)
    monkeypatch.setattr(lender, "Porter", porter)
    one.seek()
    one.seek()
    assert len(sent) == 1 and loop.watched == sent, "another would hang like it"
    loop.until(HOUR)
    assert ended == [lender.SILENCE] and lender.SILENCE < supervise.STUCK


def test_four_times_at_once_and_then_once_in_five_minutes() -> None:
    one = Allowance()
    assert [one.takes(1.0) for _ in range(5)] == [True] * 4 + [False]
    assert [one.takes(now) for now in (299.0, 302.0, 303.0, 601.0, 603.0)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert [one.takes(1e6) for _ in range(5)] == [True] * 4 + [False], "what was not used is not saved up"


def test_what_has_no_device_is_lent_nothing(loop: Loop) -> None:
    nothing = Lender(loop, "", os.close, lambda text: None)  # type: ignore[arg-type]
    assert not nothing.may(0.0)


@pytest.mark.parametrize(
    ("kind", "major", "there"),
    [
        (stat.S_IFCHR, 81, True),
        (stat.S_IFBLK, 81, False),
        (stat.S_IFREG, 81, False),
        (stat.S_IFCHR, 82, False),
    ],
)
def test_only_a_video_node_is_sent_for(
    monkeypatch: pytest.MonkeyPatch, kind: int, major: int, there: bool
) -> None:
    """devices.txt of the kernel: 81 char is video4linux."""
    found = SimpleNamespace(st_mode=kind | 0o660, st_rdev=os.makedev(major, 0))
    monkeypatch.setattr(lender, "Path", lambda path: SimpleNamespace(stat=lambda: found))
    assert lender._is_there("/dev/video0") == there


@pytest.mark.parametrize(
    ("error", "told"), [(0, False), (errno.ENOENT, False), (errno.ENODEV, False), (errno.EBUSY, True)]
)
def test_one_that_has_gone_once_more_is_not_explained(
    loop: Loop, one: Lender, monkeypatch: pytest.MonkeyPatch, error: int, told: bool
) -> None:
    said: list[str] = []
    sent = SimpleNamespace(kill=lambda: None, brought=lambda: (-1, error))
    monkeypatch.setattr(lender, "_is_there", lambda path: True)
    monkeypatch.setattr(lender, "Porter", lambda *_: sent)
    monkeypatch.setattr(one, "_explain", said.append)
    one.seek()
    one._ended()
    assert [os.strerror(error) in text for text in said] == [True] * told
    assert loop.waits[-1] == 0.25, "either way it is tried again"


#: A program in a porter's place.
def porter(deed: str) -> tuple[str, ...]:
    program = (
        f"import os, socket, sys, time\nend = socket.socket(fileno=int(sys.argv[-1]))\n{deed}\nos._exit(0)"
    )
    return (sys.executable, "-S", "-c", program)


def test_a_porter_runs_nothing_but_itself() -> None:
    """Neither a folder nor the environment lends it a module, and nothing is set up for it."""
    words = [*lender.PORTER[:-1], "-c", "import sys; print(sys.flags.isolated, sys.flags.no_site)"]
    assert subprocess.check_output(words, text=True).split() == ["1", "1"]


def held() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ended(sent: lender.Porter) -> tuple[int, int]:
    os.waitid(os.P_PIDFD, sent.fileno(), os.WEXITED | os.WNOWAIT)
    return sent.brought()


def test_of_more_than_one_descriptor_the_others_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = held()
    for many in (0, 1, 2, 3):
        deed = f"socket.send_fds(end, [bytes(4)], [0, 1, 2][:{many}])"
        monkeypatch.setattr(lender, "PORTER", porter(deed))
        descriptor, error = ended(lender.Porter("/dev/null", 1))
        assert (descriptor >= 0, error) == (many > 0, 0)
        if many:
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)
        assert held() == before


def test_what_it_left_behind_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended without a word, and somebody else holds its end: no word will come."""
    place = tmp_path / "pid"
    deed = f"""
child = os.fork()
if not child:
    time.sleep(20)
    os._exit(0)
open({str(place)!r}, "w").write(str(child))
"""
    monkeypatch.setattr(lender, "PORTER", porter(deed))
    assert ended(lender.Porter("/dev/null", 1)) == (-1, 0)
    state = Path(f"/proc/{place.read_text()}/stat").read_text().rpartition(")")[2].split()[0]
    assert state != "Z", "that it had ended was waited for"
    os.kill(int(place.read_text()), signal.SIGKILL)


def test_no_room_for_a_porter_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    before = held()
    for name in ("spawned", "watched"):
        with monkeypatch.context() as patch, pytest.raises(BlockingIOError):
            patch.setattr(lender, "PORTER", ("/bin/true",))
            patch.setattr(lender, name, no_room)
            lender.Porter("/dev/null", 1)
        assert held() == before


@pytest.mark.parametrize("kind", [stat.S_IFBLK, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_porter_opens_no_other_kind_of_node(kind: int) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
        porting._check(SimpleNamespace(st_mode=kind | 0o660, st_rdev=os.makedev(81, 0)), 81)  # type: ignore[arg-type]


def test_a_failure_without_a_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(porting, "opened", opened)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        porting.main("81", "/dev/video0", str(theirs.detach()))
        assert int.from_bytes(ours.recv(4), "little") == errno.EIO


def test_a_device_is_opened_to_be_used_without_waiting_for_it() -> None:
    descriptor = porting.opened("/dev/null", 1)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    assert flags & os.O_ACCMODE == os.O_RDWR and flags & os.O_NONBLOCK
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_what_a_porter_opens_does_not_become_its_terminal() -> None:
    """It leads a session that has none: who has one is sent its signals."""
    ours, theirs = os.openpty()
    if os.major(Path(os.ttyname(theirs)).stat().st_rdev) != 136:
        pytest.skip("terminals have no place here: /dev/pts is not mounted")
    program = """
    import os, sys
    from edged import porter
    porter.opened(sys.argv[1], 136)  # devices.txt of the kernel: UNIX98 PTY slaves
    try:
        os.open("/dev/tty", os.O_RDWR)
    except OSError as error:
        print(os.strerror(error.errno))
    """
    words = [sys.executable, "-I", "-c", textwrap.dedent(program), os.ttyname(theirs)]
    said = subprocess.check_output(words, text=True, stdin=subprocess.DEVNULL, start_new_session=True)
    os.close(ours)
    os.close(theirs)
    assert said.strip() == os.strerror(errno.ENXIO)
