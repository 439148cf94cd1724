"""What is taken of a worker's words, how much at once, and when no more."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edged import wall
from edged.errors import WallError
from edged.hearing import Hearing
from edged.inspector import Inspector
from edged.process import Process
from edged.reactor import Reactor
from edged.wall import BURST, Ended, Trouble

LIE = Trouble(False, "a lie")


class Ears:
    """A real hearing over a real wall, of a worker that is no process; ``LIE`` is what breaks a rule."""

    def __init__(self) -> None:
        self.heard: list[wall.Up] = []
        self.broken: list[str] = []
        self.over = 0
        self._reactor = Reactor()
        ours, self.worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.worker.settimeout(10.0)
        self.channel = wall.Channel(ours, wall.Up)
        process = SimpleNamespace(channel=self.channel, weighed=lambda message: message)
        self.hearing = Hearing(
            self._reactor,
            cast(Process, process),
            cast(Inspector, SimpleNamespace(inspect=self._inspect)),
            self.heard.append,
            self.broken.append,
            lambda attempt: None,
            self._is_over,
        )

    def _inspect(self, message: Any, now: float) -> Any:
        if message == LIE:
            raise WallError("a rule")
        return message

    def _is_over(self) -> None:
        self.over += 1

    def say(self, *messages: wall.Up) -> None:
        channel = wall.Channel(self.worker, wall.Down)
        for one in messages:
            channel.send(one)

    def turn(self) -> None:
        self._reactor.turn(0.0)

    def close(self) -> None:
        self.hearing.close()
        self.channel.close()
        self.worker.close()
        self._reactor.close()


@pytest.fixture
def ears() -> Iterator[Ears]:
    made = Ears()
    yield made
    made.close()


def words(count: int) -> list[wall.Up]:
    return [Ended(number) for number in range(count)]


def test_who_broke_a_rule_is_not_heard_again(ears: Ears) -> None:
    """Not what it had sent by then either, nor when its process has ended."""
    ears.say(Ended(1), LIE, Ended(2), LIE)
    ears.turn()
    ears.say(Ended(3))
    ears.turn()
    ears.hearing.finish()
    assert (ears.heard, ears.broken, ears.over) == ([Ended(1)], ["a rule"], 1)


def test_nobody_waits_for_one_that_talks_on(ears: Ears) -> None:
    ears.say(*words(3 * BURST))
    ears.turn()
    assert ears.heard == words(BURST)
    ears.turn()
    assert ears.heard == words(2 * BURST)


def test_what_it_said_last_counts(ears: Ears) -> None:
    ears.say(*words(2 * BURST))
    ears.worker.shutdown(socket.SHUT_WR)
    ears.hearing.finish()
    assert (ears.heard, ears.over) == (words(2 * BURST), 1)


def test_a_descriptor_that_comes_when_it_is_at_work_is_dropped(ears: Ears) -> None:
    ears.hearing._ready = True
    packet = wall.Channel(ears.worker, wall.Down)._encoder.encode(Ended(1))
    socket.send_fds(ears.worker, [packet], [0])
    ears.turn()
    assert (ears.heard, ears.channel.lent) == ([Ended(1)], -1)
