"""How much a message may be, in bytes and in letters: the last that passes, the first that does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edged import wall
from edged.errors import WallError
from edged.wall import Channel, Declined, Ended, Ready, Switched, Trouble

READY = Ready(10.0, 96, 96, "litert", "cpu")
DECLINED = Declined(0, 1, True, "it is broken")
SWITCHED = Switched(0, 1, "litert", "cpu")
TROUBLE = Trouble(False, "the camera is gone")


class Ends:
    """A wall's two ends; the worker's says what it likes."""

    def __init__(self) -> None:
        ours, theirs = wall.pair()
        assert not ours.getblocking(), "the daemon would wait for a worker"
        self.ours, self.theirs = Channel(ours, wall.Up), Channel(theirs, wall.Down)

    def told(self, message: object) -> object:
        self.theirs._end.send(msgspec.msgpack.encode(message))
        return self.ours.receive()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.ours.close()
    made.theirs.close()


def test_a_packet_is_as_large_as_is_promised(root: Path) -> None:
    for page in ("README.md", "docs/architecture.md"):
        assert f"{wall.LARGEST >> 10} KiB" in (root / page).read_text()


@pytest.mark.parametrize(
    ("message", "field", "most"),
    [
        (READY, "runtime", 64),
        (READY, "delegate", 64),
        (READY, "cpu_because", 400),
        (SWITCHED, "runtime", 64),
        (SWITCHED, "delegate", 64),
        (SWITCHED, "cpu_because", 400),
        (DECLINED, "message", 400),
        (DECLINED, "hint", 400),
        (TROUBLE, "message", 400),
        (TROUBLE, "hint", 400),
    ],
)
def test_words_are_no_longer_than_they_need_to_be(ends: Ends, message: Any, field: str, most: int) -> None:
    longest = msgspec.structs.replace(message, **{field: "x" * most})
    assert ends.told(longest) == longest
    with pytest.raises(WallError, match="none of the wall's"):
        ends.told(msgspec.structs.replace(message, **{field: "x" * (most + 1)}))


@pytest.mark.parametrize(
    ("lacking", "passes"),
    [
        (("landlock", "early-landlock"), True),
        (("a" + "b" * 15,) * 8, True),
        (("a" * 17,), False),
        (("a",) * 9, False),
        (("Landlock",), False),
        (("land lock",), False),
        (("landlock7",), False),
        (("",), False),
    ],
)
def test_what_a_kernel_lacks_is_a_few_plain_words(ends: Ends, lacking: tuple[str, ...], passes: bool) -> None:
    told = msgspec.structs.replace(READY, lacking=lacking)
    if passes:
        assert ends.told(told) == told
        return
    with pytest.raises(WallError, match="none of the wall's"):
        ends.told(told)


def test_a_message_that_is_too_large_is_neither_sent_nor_taken(ends: Ends) -> None:
    with pytest.raises(WallError, match=f"the wall lets pass .{wall.LARGEST}."):
        ends.theirs.send(Trouble(False, "x" * wall.LARGEST))
    with pytest.raises(BlockingIOError):
        ends.ours.receive()
    ends.theirs._end.send(b"x" * (wall.LARGEST + 1))
    with pytest.raises(WallError, match=f"larger than {wall.LARGEST} bytes"):
        ends.ours.receive()


@pytest.mark.parametrize("packet", [b"\x92\xa5ended\xa1\xff", b"\x91" * 16_000, b"\x92\xa7trouble\xc2"])
def test_what_no_parser_likes_is_said_in_our_words(ends: Ends, packet: bytes) -> None:
    """And what it says of it stays out of what is told, also as its cause."""
    ends.theirs._end.send(packet)
    with pytest.raises(WallError, match="none of the wall's") as caught:
        ends.ours.receive()
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None


def test_the_daemon_never_waits_for_a_worker(ends: Ends) -> None:
    with pytest.raises(BlockingIOError):
        ends.ours.receive()
    with pytest.raises(BlockingIOError):
        for _ in range(100_000):
            ends.ours.send(wall.Directive(1.0))


def test_whose_other_end_was_reset_has_ended(ends: Ends) -> None:
    """A worker that was killed with something unread."""
    ends.ours.send(wall.Directive(1.0))
    ends.theirs.close()
    assert ends.ours.receive() is None
    with pytest.raises(BrokenPipeError):
        ends.ours.send(wall.Directive(1.0))


@pytest.mark.parametrize("how_many", [1, 2, 3])
def test_one_descriptor_is_taken_and_none_stays_open(ends: Ends, how_many: int) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    packet = msgspec.msgpack.encode(Ended(1))
    for _ in range(2):  # the second time there is one that nobody took yet
        socket.send_fds(ends.theirs._end, [packet], [0] * how_many)
        assert ends.ours.receive(lending=True) == Ended(1)
        assert ends.ours.lent >= 0 and held() == before + 1
        assert not os.get_inheritable(ends.ours.lent)
    lent = ends.ours.lent
    ends.ours.close()
    assert ends.ours.lent == -1
    with pytest.raises(OSError):
        os.fstat(lent)
