"""One worker's process, exec'd, and the daemon's end of its wall.

It is exec'd, never merely forked: with an empty environment, the wall as its only descriptor but for the
socket of a feed (0, 1 and 2 are /dev/null: libraries print, and what they print might be of what they saw),
in a session of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from edged import wall

#: A worker's oom_score_adj: when memory runs out it goes before the daemon, whichever is larger. It is
#: replaced and loses seconds; the daemon would lose what is not committed. Raising it takes no privilege.
DISPENSABLE = 300
WALL_DESCRIPTOR = 3
#: What is exec'd as a worker, before the number of the wall's descriptor. -I: neither environment nor folder
#: can lend it a module.
COMMAND = (sys.executable, "-I", "-m", "edged.worker")


class Confinement(NamedTuple):
    """What the kernel says of a process: no new privileges; the least that any thread of it which can be seen
    has of seccomp (2: filters) and of filters, its own and those inherited (proc(5), status).
    """

    no_new_privileges: int
    seccomp: int
    filters: int

    @classmethod
    def of(cls, status: str) -> Confinement:
        """Of one thread's ``status``; 0 for what this kernel does not tell (filters: before Linux 5.9)."""
        told = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return cls(*(int(told.get(name, 0)) for name in ("NoNewPrivs", "Seccomp", "Seccomp_filters")))

    @classmethod
    def ours(cls) -> Confinement:
        """The daemon's, which every worker inherits."""
        return cls.of(Path("/proc/self/status").read_text(encoding="utf-8", errors="replace"))


class Process:
    """One exec'd worker and the daemon's end of its wall. ``command`` is what is exec'd, before the number of
    the wall's descriptor. ``lent`` is the descriptor of its feed's socket, above ``wall.FEED``; -1 for none.

    Raises ``WallError`` when the task is larger than the wall lets pass, ``OSError`` when there is no room
    for another process; then there is none.
    """

    def __init__(self, assignment: wall.Assignment, command: tuple[str, ...], lent: int = -1) -> None:
        ours, theirs = wall.pair()
        self.channel = wall.Channel(ours, wall.Up)
        try:
            with theirs:
                self.channel.send(assignment)  # it waits there for who will read it
                self.pid = spawned(theirs.fileno(), command, lent)
            self.pidfd = watched(self.pid)
        except BaseException:
            self.channel.close()
            raise
        # Once it is not dumpable the unit's view of /proc lacks it; what is open by then can still be read.
        self._status = _opened(f"/proc/{self.pid}/status")
        self._cpu = 0.0
        with suppress(OSError):
            Path(f"/proc/{self.pid}/oom_score_adj").write_text(str(DISPENSABLE))

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self.pidfd

    def kill(self) -> None:
        """At once."""
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def lives(self) -> bool:
        """Whether it has not ended yet, whoever may have noticed that."""
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def confinement(self) -> Confinement:
        """How it is locked up; to be asked once. Raises ``OSError`` when that cannot be seen."""
        if self._status < 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        statuses = [os.pread(self._status, 1 << 14, 0).decode(errors="replace")]
        self._let_go()
        with suppress(OSError):  # in the unit's view of /proc there may be none
            for one in Path(f"/proc/{self.pid}/task").iterdir():
                with suppress(OSError):  # threads come and go
                    statuses.append((one / "status").read_text(encoding="utf-8", errors="replace"))
        return Confinement(*map(min, zip(*map(Confinement.of, statuses), strict=True)))

    def _let_go(self) -> None:
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    def weighed(self, message: wall.Up) -> wall.Up:
        """The message; a tick with the CPU that the kernel says the process took since the last one (or since
        it was ready), instead of its own word for it.
        """
        if isinstance(message, wall.Ready | wall.Tick):
            before, self._cpu = self._cpu, self._spent()
            if isinstance(message, wall.Tick):
                return msgspec.structs.replace(message, cpu=max(0.0, self._cpu - before))
        return message

    def _spent(self) -> float:
        """Seconds of one core, of all its threads: CPUCLOCK_SCHED of include/linux/posix-timers.h."""
        try:
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            return self._cpu

    def reap(self) -> int:
        """Its end, as ``os.waitstatus_to_exitcode`` gives it (negative: the signal). Blocks until then."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self._let_go()
        self.channel.close()
        return os.waitstatus_to_exitcode(status)


def spawned(end: int, command: tuple[str, ...], lent: int = -1) -> int:
    """Exec ``command`` with nothing but ``end``, the number of which follows it, and what is ``lent`` (-1:
    nothing); its process. Raises ``OSError``.
    """
    return os.posix_spawn(
        command[0],
        [*command, str(WALL_DESCRIPTOR)],
        {},
        file_actions=_descriptors(end, lent),
        setsid=True,
        setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM),
    )


def _opened(path: str) -> int:
    """-1 where it cannot be opened."""
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return -1


def watched(pid: int) -> int:
    """Its pidfd. A process that cannot be watched is ended. Raises ``OSError``."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


FileAction = tuple[int, int] | tuple[int, int, int] | tuple[int, int, str, int, int]


def _descriptors(end: int, lent: int = -1) -> list[FileAction]:
    """What becomes of the descriptors: 0, 1 and 2 lead nowhere, the wall stands at its number and what is
    ``lent`` at its own, nothing else is left.

    Ours close on exec, but whoever started the daemon may have left it one that does not. The end may
    already stand where it should: posix_spawn's dup2 onto itself keeps it open.
    """
    null: list[FileAction] = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in range(3)]
    moved: list[FileAction] = [(os.POSIX_SPAWN_DUP2, end, WALL_DESCRIPTOR)]
    if lent >= 0:
        moved.append((os.POSIX_SPAWN_DUP2, lent, wall.FEED))
    left: list[FileAction] = [
        (os.POSIX_SPAWN_CLOSE, one) for one in _inheritable() if lent < 0 or one != wall.FEED
    ]
    return [*moved, *null, *left]


def _inheritable() -> list[int]:
    found = []
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed by now
            if int(one.name) > WALL_DESCRIPTOR and os.get_inheritable(int(one.name)):
                found.append(int(one.name))
    return found
