"""The daemon's one loop: descriptors, timers and signals. Blocks until the first of them is due; nothing
polls.

It is ``selectors`` and a heap, because importing asyncio alone would cost a third of the daemon's memory.
"""

from __future__ import annotations

import heapq
import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

Action = Callable[[], None]


class HasFileno(Protocol):
    """What a selector takes."""

    def fileno(self) -> int:
        """The descriptor."""


class Timer:
    """One appointment, ``at`` in ``CLOCK_MONOTONIC`` seconds. ``cancel`` may come at any time, also twice."""

    def __init__(self, at: float, action: Action) -> None:
        self.at, self.action, self.cancelled = at, action, False

    def __lt__(self, other: Timer) -> bool:
        return self.at < other.at

    def cancel(self) -> None:
        """It will not happen."""
        self.cancelled = True


class Reactor:
    """Calls back when something is readable, due or signalled. Not for more than one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._stopped = False
        self._signals: dict[int, Action] = {}
        self._before: dict[int, Any] = {}
        self._wakeup: tuple[int, int] | None = None

    def on_readable(self, thing: HasFileno, action: Action) -> None:
        """Call ``action`` whenever ``thing`` can be read."""
        self._selector.register(thing.fileno(), selectors.EVENT_READ, (thing, action))

    def on_ready(self, thing: HasFileno, write: bool, action: Action) -> None:
        """Call ``action`` whenever ``thing`` can be read, or written instead."""
        event = selectors.EVENT_WRITE if write else selectors.EVENT_READ
        self._selector.modify(thing.fileno(), event, (thing, action))

    def forget(self, thing: HasFileno) -> None:
        """No longer watch ``thing``; call it before closing."""
        self._selector.unregister(thing.fileno())

    def after(self, seconds: float, action: Action) -> Timer:
        """Call ``action`` once, ``seconds`` from now."""
        timer = Timer(time.monotonic() + seconds, action)
        heapq.heappush(self._timers, timer)
        return timer

    def every(self, seconds: float, action: Action) -> None:
        """Call ``action`` again and again; a call that was late is not made up for."""

        def again() -> None:
            self.after(seconds, again)
            action()

        self.after(seconds, again)

    def on_signal(self, number: int, action: Action) -> None:
        """Call ``action`` in the loop, not in the signal's handler. ``close`` puts the old handler back."""
        if self._wakeup is None:
            self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
            self._selector.register(self._wakeup[0], selectors.EVENT_READ, (self, self._signalled))
        self._signals[number] = action
        before = signal.signal(number, lambda *_: None)
        self._before.setdefault(number, before)

    def heed_signals(self) -> None:
        """Act on those that came, in the middle of something that lasts."""
        with suppress(BlockingIOError):
            self._signalled()

    def _signalled(self) -> None:
        assert self._wakeup is not None
        for number in os.read(self._wakeup[0], 512):
            if number in self._signals:
                self._signals[number]()

    def run(self) -> None:
        """Until ``stop``, which may have come before."""
        while not self._stopped:
            self.turn(3600.0)

    def turn(self, patience: float) -> None:
        """Wait for whatever is first, at most ``patience`` seconds, and do it."""
        for key, _ in self._selector.select(self._wait(patience)):
            thing, action = key.data
            # An action before this one may have closed it, and its number may be another's by now.
            still = self._selector.get_map().get(key.fd)
            if still is not None and still.data[0] is thing:
                action()
        now = time.monotonic()
        while self._timers and self._timers[0].at <= now:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                timer.cancelled = True  # it is over, for whoever kept it
                timer.action()

    def _wait(self, patience: float) -> float:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return patience
        return min(patience, max(0.0, self._timers[0].at - time.monotonic()))

    def stop(self) -> None:
        """``run`` returns after the turn at hand."""
        self._stopped = True

    def close(self) -> None:
        """Give signals and descriptors back."""
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            for end in self._wakeup:
                os.close(end)
        self._selector.close()


class Appointments:
    """Those of one who may have done with all of them at once."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._made: list[Timer] = []

    def after(self, seconds: float, action: Action) -> Timer:
        """Call ``action`` once, ``seconds`` from now."""
        timer = self._reactor.after(seconds, action)
        self._made = [one for one in self._made if not one.cancelled] + [timer]
        return timer

    def cancel(self) -> None:
        """None of them will happen."""
        for timer in self._made:
            timer.cancel()
        self._made.clear()
