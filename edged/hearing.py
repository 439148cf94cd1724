"""What one worker says: taken off its wall, held against the rules, and handed on as long as it is believed.

A worker that breaks a rule is not heard again, whatever it may yet send, and neither is one whose end was
read. Both may come before its process ends, and after that nobody may answer for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edged import wall
from edged.errors import WallError
from edged.inspector import Inspector
from edged.process import Process
from edged.reactor import Action, Reactor
from edged.warden import Attempt, Warden


class Hearing:
    """``heard`` gets every message that keeps the rules, ``broke_rule`` the rule that one did not keep, and
    ``broke_out`` the call that a locked worker tried; ``over`` is called once, when it is heard no longer.
    """

    def __init__(
        self,
        reactor: Reactor,
        process: Process,
        inspector: Inspector,
        heard: Callable[[wall.Up], None],
        broke_rule: Callable[[str], None],
        broke_out: Callable[[Attempt], None],
        over: Action,
    ) -> None:
        self._reactor, self._process, self._inspector = reactor, process, inspector
        self._heard, self._broke_rule, self._over = heard, broke_rule, over
        self._open, self._ready = True, False
        self.warden = Warden(reactor, broke_out, self._readable)
        reactor.on_readable(process.channel, self._readable)

    @property
    def received(self) -> int:
        """Bytes that it has sent."""
        return self._process.channel.received

    def _readable(self) -> None:
        """Everything that is there, but never so much of one worker that the others wait."""
        for _ in range(wall.BURST):
            if not self._take():
                return

    def finish(self) -> None:
        """The process has ended: what it said last counts, and is no more than a socket holds."""
        while self._take():
            continue
        self.close()

    def _take(self) -> bool:
        """One message; whether there may be more."""
        if not self._open:
            return False
        channel = self._process.channel
        try:
            message = channel.receive(lending=not self._ready)
            if message is None:
                self.close()
                return False
            if isinstance(message, wall.Watched):
                self.warden.take(channel)
                return True
            self._hand_on(self._inspector.inspect(message, time.monotonic()))
        except BlockingIOError:
            return False
        except WallError as error:
            self.close()
            self._broke_rule(error.message)
            return False
        return True

    def _hand_on(self, message: wall.Up) -> None:
        """Raises ``WallError`` when it says that it is ready and has not proven that it is locked."""
        message = self._process.weighed(message)
        if isinstance(message, wall.Ready):
            self.warden.admit(message, self._process)
            self._ready = True
        self._heard(message)

    def close(self) -> None:
        """Hear it no longer. May be called twice."""
        if self._open:
            self._open = False
            self._reactor.forget(self._process.channel)
            self.warden.close()
            self._over()
