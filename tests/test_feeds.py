"""A feed's socket: who may write to it, that nothing comes out of it, and that nobody leaves one behind.

What becomes of the numbers is seen in test_numbers and test_fed.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged import feeds
from edged.feeds import Feed
from edged.wall import FEED


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    before = os.umask(0)  # the widest that anybody may have set
    made = Feed(feeds.path(tmp_path / "run", "tank"))
    yield made
    made.close()
    os.umask(before)


def ends(descriptor: int) -> socket.socket:
    return socket.socket(fileno=os.dup(descriptor))


def test_only_its_user_and_group_may_write(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first instant: nothing is made wider and narrowed later."""
    seen: list[int] = []
    really = socket.socket.shutdown

    def shutdown(one: socket.socket, how: int) -> None:
        seen.append(mode(feed.place))
        really(one, how)

    monkeypatch.setattr(socket.socket, "shutdown", shutdown)
    feed.open()
    assert seen == [0o660] and mode(feed.place) == 0o660 and mode(feed.place.parent) == 0o750
    assert os.umask(0) == 0, "it is as it was"


def test_a_folder_that_was_wider_is_narrowed(feed: Feed) -> None:
    feed.place.parent.mkdir(parents=True)
    feed.place.parent.chmod(0o777)
    feed.open()
    assert mode(feed.place.parent) == 0o750


def test_numbers_go_in_and_nothing_comes_out(feed: Feed) -> None:
    descriptor = feed.open()
    assert not os.get_blocking(descriptor)
    with ends(descriptor) as inside, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(str(feed.place.parent / "listens"))
        with pytest.raises(BlockingIOError):
            inside.recv(10)
        outside.sendto(b"4.2", str(feed.place))
        assert inside.recv(10) == b"4.2"
        with pytest.raises(BrokenPipeError):
            inside.sendto(b"what was seen", str(feed.place.parent / "listens"))
    (feed.place.parent / "listens").unlink()


def test_its_descriptor_is_in_no_worker_s_way_and_nobody_s_else(feed: Feed) -> None:
    descriptor = feed.open()
    assert descriptor > FEED and not os.get_inheritable(descriptor)
    assert feed.open() == descriptor, "it stays while workers come and go"
    # In a process that has hardly anything open yet, as a daemon at its start.
    program = (
        "import pathlib, sys\nfrom edged import feeds\nprint(feeds.Feed(pathlib.Path(sys.argv[1])).open())"
    )
    words = [sys.executable, "-I", "-c", program, str(feed.place)]
    said = subprocess.check_output(words, stdin=subprocess.DEVNULL, text=True)
    assert int(said) > FEED


def test_one_that_a_dead_daemon_left_behind_is_replaced(feed: Feed) -> None:
    feed.place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(feed.place))
    with ends(feed.open()) as inside, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.sendto(b"1", str(feed.place))
        assert inside.recv(10) == b"1"


def test_closed_it_is_no_more(feed: Feed) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        feed.open()
        feed.place.unlink()  # somebody tidied up
        feed.close()
        feed.open()
        feed.close()
        feed.close()
        assert not feed.place.exists() and len(list(Path("/proc/self/fd").iterdir())) == before
