"""Somebody who tells the daemon numbers: on a serial line (a pseudo terminal), and over a feed's socket."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import termios
import threading
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path


class Teller:
    """A thread that says ``lines`` over and over, so many a second, until it is closed."""

    def __init__(self, say: Callable[[bytes], object], lines: Sequence[bytes], pace: float) -> None:
        self._say, self._lines, self._pace = say, lines, pace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for line in cycle(self._lines):
            if self._ended.wait(1.0 / self._pace):
                return
            with suppress(OSError):  # nobody reads, or there is no room
                self._say(line)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(10.0)


class Line:
    """A serial line: what is said at our end is read at ``name``."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.name = os.ttyname(self._theirs)

    def say(self, line: bytes) -> None:
        # A crashed reader's lock ends with the last descriptor of the line, and we hold one.
        fcntl.ioctl(self._theirs, termios.TIOCNXCL)
        os.write(self._ours, line)

    def close(self) -> None:
        os.close(self._theirs)
        os.close(self._ours)


class Feeder:
    """Writes to a feed's socket, wherever one is."""

    def __init__(self, place: Path) -> None:
        self._place = str(place)
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)

    def say(self, line: bytes) -> None:
        self._out.sendto(line, self._place)

    def close(self) -> None:
        self._out.close()
