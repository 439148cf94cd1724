"""Gets a worker the camera back that it has lost: it is locked, and can open nothing.

Which device that is the config says, never the worker. The daemon only looks whether a device node of the
right kind is there; what opens it is a process of its own (``porter``), for an open may hang in its driver.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from edged.config.shape import Source, V4l2
from edged.process import spawned, watched
from edged.reactor import Appointments, Reactor

VIDEO4LINUX: Final = 81  # Documentation/admin-guide/devices.txt
#: Between looks whether the node is there passes a tenth of the time that it has been away, and so many
#: seconds at least and at most. A look is one stat(2), which no driver hears of.
LOOK_SHARE, LOOK_LEAST, LOOK_MOST = 0.1, 0.05, 1.0
#: Seconds between attempts to open what is there, doubled each time: udev may yet have to give us the right,
#: or another program has it.
RETRY_FIRST, RETRY_MOST = 0.25, 60.0
SILENCE: Final = 3.0  # seconds after which a porter hangs in its driver
#: How often a pipeline may lose its camera: so often at once, then once more in so many seconds. What is
#: beyond that is for a new worker, as if there were no lending: a cable that makes and breaks contact is no
#: reason to let a locked worker speak as often as it likes.
LENT_AT_ONCE: Final = 4
REFILL: Final = 300.0  # seconds
PORTER: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("porter.py")))


def device(source: Source) -> str:
    """What can be lent to a worker with this source: a path, "" when there is no such thing. picamera2
    takes no descriptor.
    """
    return source.device if isinstance(source, V4l2) else ""


class Allowance:
    """How often something may still be asked for. Pure: the time is passed in."""

    def __init__(self, at_once: int = LENT_AT_ONCE, refill: float = REFILL) -> None:
        self._most, self._refill = float(at_once), refill
        self._left, self._at = float(at_once), 0.0

    def takes(self, now: float) -> bool:
        """Whether it may be asked for at ``now``; then it counts."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) / self._refill)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Porter:
    """One exec'd porter and our end of its socket. Raises ``OSError`` when there is no room for it."""

    def __init__(self, path: str, major: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._end = ours
        try:
            with theirs:
                self.pid = spawned(theirs.fileno(), (*PORTER, str(major), path))
            self._pidfd = watched(self.pid)
        except BaseException:
            ours.close()
            raise

    def fileno(self) -> int:
        """Readable when it has ended."""
        return self._pidfd

    def kill(self) -> None:
        """At once, unless it hangs in the kernel: then it ends when it can."""
        with suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def brought(self) -> tuple[int, int]:
        """Once it has ended: the descriptor, now ours, or -1; and the error's number, 0 if none was told."""
        os.waitpid(self.pid, 0)
        os.close(self._pidfd)
        with self._end:
            return self._received()

    def _received(self) -> tuple[int, int]:
        found, said = list[int](), b""
        room = socket.CMSG_SPACE(struct.calcsize("i"))
        with suppress(OSError):
            flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            said, with_it, _, _ = self._end.recvmsg(4, room, flags)
            for _, kind, data in with_it:
                if kind == socket.SCM_RIGHTS:
                    found += struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
        for more in found[1:]:
            os.close(more)
        return found[0] if found else -1, int.from_bytes(said, "little")


class Lender:
    """Of one pipeline. ``lend`` gets the descriptor, which it closes; ``explain`` a sentence, when the device
    is there and cannot be opened.
    """

    def __init__(
        self, reactor: Reactor, path: str, lend: Callable[[int], None], explain: Callable[[str], None]
    ) -> None:
        self._reactor, self._path, self._lend, self._explain = reactor, path, lend, explain
        self._allowance = Allowance()
        self._porter: Porter | None = None
        self._appointments = Appointments(reactor)
        self._seeks = False
        self._since, self._retry = 0.0, RETRY_FIRST

    def may(self, now: float) -> bool:
        """Whether the device is lent once more; then it counts."""
        return bool(self._path) and self._allowance.takes(now)

    def seek(self) -> None:
        """Lend it as soon as it is there."""
        self._seeks, self._since, self._retry = True, time.monotonic(), RETRY_FIRST
        self._try()

    def stop(self) -> None:
        """Nobody wants it any more. May be called at any time, also twice."""
        self._seeks = False
        self._appointments.cancel()
        if self._porter is not None:
            self._porter.kill()

    def _try(self) -> None:
        if not self._seeks or self._porter is not None:
            return  # one that hangs is waited for: another would hang like it
        if not _is_there(self._path):
            away = time.monotonic() - self._since
            self._appointments.after(min(LOOK_MOST, max(LOOK_LEAST, LOOK_SHARE * away)), self._try)
            return
        try:
            self._porter = Porter(self._path, VIDEO4LINUX)
        except OSError:
            self._again()
            return
        self._reactor.on_readable(self._porter, self._ended)
        self._appointments.after(SILENCE, self._porter.kill)

    def _again(self) -> None:
        self._appointments.after(self._retry, self._try)
        self._retry = min(RETRY_MOST, 2.0 * self._retry)

    def _ended(self) -> None:
        porter, self._porter = self._porter, None
        assert porter is not None
        self._reactor.forget(porter)
        self._appointments.cancel()
        descriptor, error = porter.brought()
        if descriptor >= 0 and self._seeks:
            self._seeks = False
            self._lend(descriptor)
        elif descriptor >= 0:
            os.close(descriptor)
        elif self._seeks:
            if error not in (0, errno.ENOENT, errno.ENODEV):  # it has not gone once more
                self._explain(f"{self._path} is there again, and cannot be opened: {os.strerror(error)}")
            self._again()


def _is_there(path: str) -> bool:
    """Whether it is a device of video4linux."""
    try:
        found = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == VIDEO4LINUX
