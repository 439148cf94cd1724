"""The loop: what is due happens, in order, and nothing else wakes it."""

from __future__ import annotations

import os
import signal
import socket
import time

from edged.reactor import Reactor


def test_timers_happen_in_order_and_cancelled_ones_do_not() -> None:
    reactor, seen = Reactor(), []
    reactor.after(0.02, lambda: seen.append("second"))
    reactor.after(0.01, lambda: seen.append("first"))
    reactor.after(0.005, lambda: seen.append("never")).cancel()
    reactor.after(0.03, reactor.stop)
    reactor.run()
    reactor.close()
    assert seen == ["first", "second"]


def test_every_comes_again_and_may_stop_the_loop() -> None:
    reactor, seen = Reactor(), []

    def count() -> None:
        seen.append(len(seen))
        if len(seen) == 3:
            reactor.stop()

    reactor.every(0.001, count)
    reactor.run()
    reactor.close()
    assert seen == [0, 1, 2]


def test_a_descriptor_wakes_it_until_it_is_forgotten() -> None:
    reactor, seen = Reactor(), []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reactor.on_readable(ours, lambda: seen.append(ours.recv(16)))
        theirs.send(b"one")
        reactor.turn(1.0)
        reactor.forget(ours)
        theirs.send(b"two")
        reactor.turn(0.01)
    reactor.close()
    assert seen == [b"one"]


def test_an_action_may_close_what_is_ready_after_it() -> None:
    reactor, seen = Reactor(), []
    first, second = socket.socketpair(), socket.socketpair()

    def close_both(name: str) -> None:
        seen.append(name)
        for one in (first[0], second[0]):
            reactor.forget(one)

    reactor.on_readable(first[0], lambda: close_both("first"))
    reactor.on_readable(second[0], lambda: close_both("second"))
    for _, end in (first, second):
        end.send(b"x")
    reactor.turn(1.0)
    reactor.close()
    for one in (*first, *second):
        one.close()
    assert len(seen) == 1


def test_a_signal_is_handled_in_the_loop_and_the_old_handler_comes_back() -> None:
    reactor, seen = Reactor(), []
    reactor.on_signal(signal.SIGUSR1, lambda: seen.append("usr1"))
    os.kill(os.getpid(), signal.SIGUSR1)
    reactor.turn(1.0)
    reactor.close()
    assert seen == ["usr1"]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_it_sleeps_while_nothing_is_due() -> None:
    reactor = Reactor()
    reactor.after(0.3, reactor.stop)
    before = time.process_time()
    reactor.run()
    reactor.close()
    # Not a claim about speed: a loop that polls would have burnt all of the 0.3 s.
    assert time.process_time() - before < 0.25


def test_what_was_forgotten_is_not_called_though_its_number_is_another_s() -> None:
    """Both are ready in one turn; whichever comes first closes the other, whose number a third then has."""
    reactor, called = Reactor(), []
    pairs = [socket.socketpair() for _ in range(2)]

    def act(mine: int, other: int) -> None:
        called.append(mine)
        reactor.forget(pairs[mine][0])
        end = pairs[other][0]
        number = end.fileno()
        reactor.forget(end)
        end.close()
        third = socket.socketpair()
        assert number in (third[0].fileno(), third[1].fileno()), "the lowest free number is given out"
        for one in third:
            reactor.on_readable(one, lambda: called.append(-1))
        pairs.append(third)

    for mine, other in ((0, 1), (1, 0)):
        reactor.on_readable(pairs[mine][0], lambda mine=mine, other=other: act(mine, other))
        pairs[mine][1].send(b"x")
    reactor.turn(1.0)
    assert called in ([0], [1])
    for pair in pairs:
        for one in pair:
            one.close()
    reactor.close()
