"""Tells the service manager how the daemon does: ready, status line, watchdog. One timer for all of it.

Each message wakes systemd, so the line is told when it is news, and at most every ``PERIOD`` seconds.
Without a manager nothing is timed, and only readiness is kept, for whoever asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from edged.health import Line, Outlook, line, ready, stalled
from edged.journal import Journal
from edged.notify import Notifier
from edged.reactor import Reactor
from edged.supervise import OVERSLEPT

PERIOD: Final = 10.0  # seconds
#: Of the watchdog's time: two calls may be missed, and a commit be slow, before it bites.
FEED: Final = 1 / 3
GRACE: Final = 3 * PERIOD  # seconds that start-up asks for, again and again: a Pi Zero's model takes its time


class Herald:
    """``look`` gives what is to be judged, ``temperature`` the board's in °C."""

    def __init__(
        self,
        reactor: Reactor,
        notifier: Notifier,
        journal: Journal,
        look: Callable[[], Outlook],
        temperature: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._reactor, self._notifier, self._journal, self._look = reactor, notifier, journal, look
        self._temperature = temperature
        self.ready = False
        self._celsius: float | None = None
        self._begun = self._stopping = False
        self._heard = True
        self._told: Line | None = None
        self._told_at = self._measured_at = self._pulsed_at = time.monotonic()
        self._frames = 0
        self._fps: float | None = None
        self._stalled = ""

    def opening(self, what: str, patience: float = 0.0) -> None:
        """Before there is anything to judge. ``patience`` seconds more may pass until the next word."""
        self._notifier.status(what)
        if patience:
            self._notifier.extend(patience)

    def begin(self) -> None:
        """From now on there is something to judge."""
        self._begun = True
        if self._notifier.listened_to:
            self._celsius = self._temperature()
            self._notifier.status(str(self._line()))
            self._pulsed_at = time.monotonic()
            self._reactor.every(self._period, self._pulse)

    @property
    def _period(self) -> float:
        watchdog = self._notifier.watchdog
        return min(PERIOD, watchdog * FEED) if watchdog else PERIOD

    def changed(self) -> bool:
        """A pipeline has another state. True when this makes the daemon ready, at first or again."""
        if not self._begun or self._stopping:
            return False
        if self.ready or not ready(self._look().pipelines):
            self._tell_if_due()
            return False
        self.ready = True
        self._tell_ready()
        return True

    def reloading(self) -> None:
        """What was ready may not be any more; ``changed`` ends it."""
        if self.ready and not self._stopping:
            self.ready = False
            self._notifier.reloading("reading the config again")

    def stopping(self, why: str) -> None:
        """Nothing is told after this."""
        if not self._stopping:
            self._stopping = True
            self._notifier.stopping(why)

    def _pulse(self) -> None:
        if self._stopping:
            return
        now = time.monotonic()
        if now - self._pulsed_at > self._period + OVERSLEPT:
            # We were stopped ourselves, and everything is late; keepers forgive it as soon as they are asked.
            self._reactor.after(OVERSLEPT, self._feed)
        else:
            self._feed()
        self._pulsed_at = now
        if not self.ready:
            self._notifier.extend(GRACE)
        if now - self._measured_at >= PERIOD * 0.9:
            self._measure(now)
        if not self._heard:
            self._tell_ready()
        self._tell_if_due()

    def _feed(self) -> None:
        """Only progress feeds the watchdog. Why it starves is said once."""
        if self._stopping:
            return
        why = stalled(self._look(), time.monotonic())
        if not why and self._notifier.watchdog:
            self._notifier.alive()
        if why and why != self._stalled:
            self._journal.say("error", f"no progress, so the watchdog is not fed: {why}")
        self._stalled = why

    def _measure(self, now: float) -> None:
        frames = self._look().frames
        self._fps = max(0, frames - self._frames) / (now - self._measured_at)
        self._frames, self._measured_at = frames, now
        self._celsius = self._temperature()

    def _line(self) -> Line:
        outlook = self._look()
        starving = (f"no progress: {self._stalled}",) if self._stalled else ()
        return line(outlook._replace(remarks=outlook.remarks + starving), self._fps, self._celsius)

    def _tell_ready(self) -> None:
        self._frames, self._measured_at = self._look().frames, time.monotonic()
        said = self._line()
        self._heard = self._notifier.ready(str(said)) or not self._notifier.listened_to
        self._told, self._told_at = said, time.monotonic()

    def _tell_if_due(self) -> None:
        now = time.monotonic()
        if self._notifier.listened_to and now - self._told_at >= PERIOD * 0.9:
            said = self._line()
            if said.matters_after(self._told) and self._notifier.status(str(said)):
                self._told, self._told_at = said, now
