"""The daemon's end of a worker's sandbox: the kernel asks here about every call that a locked worker may
not make.

None is ever let through. While the worker proves that it is locked, each is refused and noted: what counts
is what the kernel asked, not what the worker says. Once it is ready, the first one is its last, and its
name is told.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from edged import claims, syscalls
from edged.errors import WallError
from edged.process import Confinement
from edged.wall import WITNESSED, Channel, Ready

# linux/seccomp.h: SECCOMP_IOCTL_NOTIF_RECV and _SEND of struct seccomp_notif (id, pid, flags, data) and
# struct seccomp_notif_resp (id, val, error, flags)
RECEIVE, ANSWER = 0xC0502100, 0xC0182101
_ASKED: Final = struct.Struct("=QIIiIQ6Q")
_ANSWER: Final = struct.Struct("=QqiI")
#: What a listener is called in /proc/self/fd.
LISTENER: Final = "anon_inode:seccomp notify"
#: Calls that a worker may try before it is ready: it proves itself with a dozen.
MOST_TRIES: Final = 64
#: Seconds after which a question that the kernel had is not handed over any more: somebody else took it.
TAKEN: Final = 0.5

#: Seccomp of /proc/PID/status: filters; more is of a process that one has ended.
FILTERED: Final = 2
#: What a worker puts on: one filter before anything foreign is opened, one at the lock.
OWN_FILTERS: Final = 2

ACTIONS: Final = Path("/proc/sys/kernel/seccomp/actions_avail")
ARCHITECTURE: Final = Path("/proc/sys/kernel/arch")
#: How the kernel and Python call an architecture.
NATIVE: Final = {"x86_64": "x86_64", "aarch64": "aarch64"}


class Watches(Protocol):
    """What of a reactor is needed."""

    def on_readable(self, thing: Warden, action: Callable[[], None]) -> None:
        """Call ``action`` when the kernel asks."""

    def forget(self, thing: Warden) -> None:
        """No longer."""


class Confined(Protocol):
    """What of a process is needed."""

    def confinement(self) -> Confinement:
        """What the kernel says of it. Raises ``OSError``."""


class Attempt(NamedTuple):
    """A call that was tried: the kernel's number for it, its name, and the first arguments."""

    number: int
    name: str


class Warden:
    """Of one worker. ``seen`` are the calls that it was asked about while the worker proved itself."""

    def __init__(
        self,
        reactor: Watches,
        broke_out: Callable[[Attempt], None],
        hear_first: Callable[[], None] | None = None,
    ) -> None:
        """``hear_first`` takes in what the worker has said: what counts is whether it was ready when it
        made the call, not in which order we look at both.
        """
        self._reactor, self._broke_out, self._hear_first = reactor, broke_out, hear_first
        self._listener = -1
        self._watches = False  # true also once those watched have ended: a still picture's are quick
        self._proven = self._over = False
        self.seen: list[str] = []

    def fileno(self) -> int:
        """Readable when the kernel asks."""
        return self._listener

    def take(self, channel: Channel) -> None:
        """The worker is locked, and with its word came the descriptor. Raises ``WallError`` when none came,
        or another thing.
        """
        descriptor, channel.lent = channel.lent, -1
        if descriptor < 0:
            raise WallError("it said that it is watched, and handed nothing over")
        kind = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if self._watches or self._proven or kind != LISTENER:
            os.close(descriptor)
            raise WallError("it handed over what is no listener")
        self._listener, self._watches = descriptor, True
        self._reactor.on_readable(self, self._asked)

    def admit(self, ready: Ready, process: Confined) -> None:
        """From now on every call that is asked about is a break-out. Raises ``WallError`` unless the worker
        has proven that it is locked, or this kernel cannot do it, of which the worker's word is not enough.
        """
        if self._watches:
            if missing := [one for one in WITNESSED if one not in self.seen]:
                raise WallError(f"it did not prove that it is locked: {', '.join(missing)}")
        elif not {"seccomp", "notification"} & set(ready.lacking):
            raise WallError("it is not locked")
        elif "seccomp" in ready.lacking and available():
            raise WallError("it says that this kernel has no filters, and it has")
        claims.check(ready.lacking)
        if "seccomp" not in ready.lacking:
            _check_filters(process)
        self._proven = True

    def close(self) -> None:
        """Ask no more; what waits for an answer fails. May be called twice."""
        if self._listener >= 0:
            self._reactor.forget(self)
            os.close(self._listener)
            self._listener = -1

    def _asked(self) -> None:
        """Take one question. Asked without one, the kernel would let us wait for it."""
        if self._hear_first is not None and not self._proven:
            self._hear_first()
            if self._listener < 0:
                return  # what it said was its end
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        if not any(events & select.POLLIN for _, events in poll.poll(0)):
            self.close()  # the last of those who were watched has gone
            return
        try:
            asked = _received(self._listener)
        except InterruptedError:  # nobody else can but the worker itself, which kept this descriptor
            self.close()
            self._broke_out(Attempt(syscalls.numbers()["ioctl"], "ioctl"))
            return
        except OSError as error:
            if error.errno != errno.ENOENT:  # whoever called was killed meanwhile
                self.close()
            return
        number, _, _, call, *_ = _ASKED.unpack(asked)
        attempt = Attempt(call, syscalls.named(call))
        if self._proven or len(self.seen) >= MOST_TRIES:
            if not self._over:
                self._over = True
                self._broke_out(attempt)
            return  # unanswered: it waits until it is killed
        self.seen.append(attempt.name)
        with suppress(OSError):
            fcntl.ioctl(self._listener, ANSWER, bytearray(_ANSWER.pack(number, 0, -errno.EPERM, 0)))


def _received(listener: int) -> bytearray:
    """The question that the kernel has. Raises ``OSError``; ``InterruptedError`` when it has none any more:
    then it would let us wait for the next one, for ever.
    """
    asked, until = bytearray(_ASKED.size), time.monotonic() + TAKEN
    with _alarmed(TAKEN):
        while True:
            try:
                fcntl.ioctl(listener, RECEIVE, asked)
                return asked
            except InterruptedError:
                if time.monotonic() >= until:
                    raise


@contextmanager
def _alarmed(seconds: float) -> Iterator[None]:
    """What waits in the kernel is interrupted every so often; in the main thread, where a daemon is."""
    try:
        before = signal.signal(signal.SIGALRM, lambda *_: None)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


def _check_filters(process: Confined) -> None:
    """By the kernel's word: a worker has the daemon's filters, that of its first moment and the lock's."""
    try:
        its, ours = process.confinement(), Confinement.ours()
    except OSError:
        raise WallError("it is not locked as far as can be seen: the kernel does not tell of it") from None
    if not its.no_new_privileges or its.seccomp < FILTERED:
        raise WallError("it is not locked, the kernel says")
    if its.filters < ours.filters + OWN_FILTERS:
        raise WallError(
            f"it is not locked: the kernel counts {its.filters} filters, and {ours.filters} are ours"
        )


def available() -> bool:
    """Whether this kernel has filters that ask. Emulation (qemu-user) shows the kernel of the host, and has
    none. Where it cannot be told the worker is believed, and ``status`` shows what it says.
    """
    try:
        if "user_notif" not in ACTIONS.read_text(encoding="ascii").split():
            return False
        return ARCHITECTURE.read_text(encoding="ascii").strip() == NATIVE.get(os.uname().machine)
    except OSError:
        return False
