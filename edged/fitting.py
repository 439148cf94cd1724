"""Before a reload changes anything: do the models that a new config names give what its measures ask for?

The daemon opens no model, and a worker that finds out that it cannot work has already replaced one that did.
So a process is asked first (``edged.worker.examine``): exec'd as a worker is, without a source, locked before
it reads the first byte of a model, and gone when it has answered. What it says is shown to the owner and
refuses a reload, and no more: it has seen nothing but the models. Where it dies or takes too long nobody
knows, and the reload goes on as if it had not been asked.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edged.changes import Task
from edged.config.problem import Problem, shown
from edged.process import spawned, watched
from edged.reactor import Reactor

COMMAND: Final = (sys.executable, "-I", "-m", "edged.worker.examine")
PATIENCE: Final = 20.0  # seconds; whoever reloads waits for 30
LONGEST: Final = 1 << 16  # bytes of an answer
#: Its oom_score_adj: where memory is too short for one more model it goes first, and no worker.
EXPENDABLE: Final = 1000

Told = Annotated[str, Meta(max_length=1000)]


class Misfit(msgspec.Struct, frozen=True):
    """``found`` at ``key`` of the measure ``number`` (from 1; 0: it is the model itself) is not what is
    ``allowed`` with the model on the ``rung``.
    """

    rung: Annotated[int, Meta(ge=0)]
    number: Annotated[int, Meta(ge=0)]
    key: Told
    found: Told
    allowed: Told


class _Answer(msgspec.Struct, frozen=True):
    misfits: dict[str, Misfit]


class _Child:
    """The process, buried once it has ended: one that hangs in the kernel holds nobody up. Raises
    ``OSError``.
    """

    def __init__(self, reactor: Reactor, end: int) -> None:
        self._reactor = reactor
        self._pid = spawned(end, COMMAND)
        self._pidfd = watched(self._pid)
        with suppress(OSError):
            Path(f"/proc/{self._pid}/oom_score_adj").write_text(str(EXPENDABLE))
        reactor.on_readable(self, self._ended)

    def fileno(self) -> int:
        """Readable when it has ended."""
        return self._pidfd

    def kill(self) -> None:
        """Now, if it has not ended."""
        if self._pidfd >= 0:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _ended(self) -> None:
        os.waitpid(self._pid, 0)
        self._reactor.forget(self)
        os.close(self._pidfd)
        self._pidfd = -1


class Fitting:
    """Asks about ``tasks``, which are not none, and calls ``done`` once with what does not fit: never before
    this returns, and not at all after ``close``.
    """

    def __init__(
        self, reactor: Reactor, tasks: Mapping[str, Task], done: Callable[[list[Problem]], None]
    ) -> None:
        self._reactor, self._tasks, self._done = reactor, tasks, done
        self._said = b""
        self._child: _Child | None = None
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        reactor.on_readable(self._ours, self._hear)
        self._deadline = reactor.after(PATIENCE, self._give_up)
        with theirs, suppress(OSError):  # where none can be started there is nobody to answer: that is heard
            self._child = _Child(reactor, theirs.fileno())
            self._ask()

    def _ask(self) -> None:
        """A socket takes more at once than a config's pipelines can be; else half a question is asked, and
        that has no answer. Raises ``OSError``.
        """
        pipelines = {
            name: {"measures": one.pipeline.measures, "models": one.models}
            for name, one in self._tasks.items()
        }
        self._ours.send(msgspec.json.encode({"type": "pipelines", "pipelines": pipelines}))
        self._ours.shutdown(socket.SHUT_WR)

    def _hear(self) -> None:
        try:
            piece = self._ours.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._said += piece
        if not piece or len(self._said) > LONGEST:
            self._conclude()

    def _give_up(self) -> None:
        self._said = b""
        self._conclude()

    def _conclude(self) -> None:
        done, found = self._done, list(self._problems())
        self.close()
        done(found)

    def close(self) -> None:
        """End it. May be called twice."""
        self._deadline.cancel()
        if self._ours.fileno() >= 0:
            self._reactor.forget(self._ours)
            self._ours.close()
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _problems(self) -> Iterator[Problem]:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            for name, one in msgspec.json.decode(self._said, type=_Answer).misfits.items():
                if name in self._tasks:
                    yield _problem(name, self._tasks[name], one)


def _problem(name: str, task: Task, one: Misfit) -> Problem:
    from edged.enquiry import printable  # and with it a library that a daemon can mostly do without

    names = (task.pipeline.model, *task.pipeline.ladder)
    model = names[min(one.rung, len(names) - 1)]
    found, allowed = printable(one.found), printable(one.allowed)
    if not 0 < one.number <= len(task.pipeline.measures):
        return Problem(
            ("pipelines", name, "model"), f"{shown(model)}: {found}", "a model that can be opened", allowed
        )
    on = f"the model {model}" + (" of the ladder" if one.rung else "")
    place = ("pipelines", name, "measures", one.number - 1, printable(one.key))
    labels = [f'"{label}"' for label in task.pipeline.measures[one.number - 1].labels]
    which = (labels.index(one.found),) if one.found in labels else ()
    return Problem((*place, *which), f"{found}, which {on} does not give", allowed)
