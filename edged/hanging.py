"""A killed process that does not end: it waits in a system call that never returns, a driver's fault.

Nobody can end it, and what it holds is not free before it has ended. So it is left behind: told once, buried
if it ever ends, and waited for by nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from edged.process import Process
from edged.reactor import Action, Reactor


class Hanging:
    """``tell`` is called with its number after so many ``seconds``, ``buried`` when it has ended."""

    def __init__(
        self, reactor: Reactor, process: Process, seconds: float, tell: Callable[[int], None], buried: Action
    ) -> None:
        self._reactor, self._process, self._buried = reactor, process, buried
        self.pid = process.pid
        reactor.on_readable(process, self._ended)
        self._telling = reactor.after(seconds, lambda: tell(process.pid))

    def _ended(self) -> None:
        self._telling.cancel()
        self._reactor.forget(self._process)
        self._process.reap()
        self._buried()
