"""What the daemon tells the service manager, in systemd's own few words (sd_notify(3)): one datagram each.

Without ``$NOTIFY_SOCKET`` nobody listens, and every call does nothing. Nothing here ever blocks or raises: a
manager that does not read is no reason to stop counting. Each call says whether it was heard, so that what
matters can be said again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final, Self

LONGEST: Final = 500  # characters of a STATUS: systemd shows one line
VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """One end towards the manager at ``address`` ("" is nobody): a path, or "@name" in the abstract
    namespace.

    ``watchdog`` is the time in seconds within which the manager wants ``alive``; 0 is never.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog if address else 0.0

    @classmethod
    def taken(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """By the environment, from which it is taken away: no child is to speak in our name."""
        address, interval, pid = (environ.pop(name, "") for name in VARIABLES)
        if not address.startswith(("/", "@")):
            address = ""
        ours = not pid or pid == str(os.getpid())
        return cls(address, int(interval) / 1e6 if ours and interval.isdecimal() else 0.0)

    @property
    def listened_to(self) -> bool:
        """Whether there is a manager."""
        return bool(self._address)

    def ready(self, status: str) -> bool:
        """Start-up, or a reload, is over."""
        return self._send("READY=1", _status(status))

    def status(self, text: str) -> bool:
        """What ``systemctl status`` shows."""
        return self._send(_status(text))

    def reloading(self, status: str) -> bool:
        """A reload has begun; ``ready`` ends it. The stamp tells it from one that was asked for later."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._send("RELOADING=1", f"MONOTONIC_USEC={now}", _status(status))

    def stopping(self, status: str) -> bool:
        """The end has begun."""
        return self._send("STOPPING=1", _status(status))

    def alive(self) -> bool:
        """Feed the watchdog."""
        return self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> bool:
        """What is under way (start, reload, stop) needs up to ``seconds`` more from now."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, *lines: str) -> bool:
        """Whether the manager has it."""
        if not self._address:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end:
            end.setblocking(False)
            try:
                end.sendto("\n".join(lines).encode(errors="replace"), self._address)
            except OSError:
                return False
        return True


def _status(text: str) -> str:
    """One line: a line break would begin another of the manager's words."""
    line = " ".join(text.split())
    return f"STATUS={line if len(line) <= LONGEST else line[: LONGEST - 1] + '…'}"
