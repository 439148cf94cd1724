"""Who is to work, and who does: one keeper per enabled pipeline, also while a reload changes them.

A device has one owner at a time, so the worker of a changed pipeline tells its last tick and ends before its
successor starts. Meanwhile the roster names the successor, and another reload may name yet another.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from edged import feeds
from edged.changes import Task
from edged.config.shape import Feed
from edged.reactor import Reactor
from edged.series import series_of
from edged.standing import Listener
from edged.supervise import STOP_PATIENCE, Keeper

KILL_PATIENCE = 1.0  # seconds that the kernel has to end what was killed, when the daemon is to end


class Successions(Listener, Protocol):
    """What the daemon wants to hear of keepers that come and go."""

    def left(self, keeper: Keeper) -> None:
        """This one has told its last tick; what comes next under its name is another's."""

    def came(self, keeper: Keeper) -> None:
        """This one is about to start."""


def finish(reactor: Reactor, keepers: Iterable[Keeper]) -> None:
    """Let all workers tell their last second, and end those that have not. What hangs in the kernel is left
    behind: it must not keep the last buckets from being written.
    """
    ending = list(keepers)
    deadline = time.monotonic() + STOP_PATIENCE + KILL_PATIENCE
    for keeper in ending:
        keeper.stop()
    while any(keeper.alive for keeper in ending) and time.monotonic() < deadline:
        reactor.turn(0.05)


class Roster:
    """The keepers by name, in the config's order."""

    def __init__(self, reactor: Reactor, listener: Successions) -> None:
        self._reactor, self._listener = reactor, listener
        self._keepers: dict[str, Keeper] = {}
        self._leaving: dict[str, Keeper] = {}
        self._closed = False
        #: The daemon's runtime directory, where feeds have their sockets.
        self.runtime_dir = Path()

    def __iter__(self) -> Iterator[Keeper]:
        return iter(self._keepers.values())

    def __len__(self) -> int:
        return len(self._keepers)

    @property
    def leaving(self) -> list[Keeper]:
        """Those that have yet to tell their last tick, and are to be replaced or gone."""
        return list(self._leaving.values())

    @property
    def renewed(self) -> frozenset[str]:
        """The pipelines whose models are other files by now."""
        return frozenset(name for name, keeper in self._keepers.items() if keeper.renewed)

    def assign(self, tasks: Mapping[str, Task], anew: Iterable[str]) -> None:
        """From now on these are the ``tasks``. Those of ``anew`` get a new worker, whoever is not named any
        more leaves, and everybody else is left alone.
        """
        before, anew = self._keepers, frozenset(anew)
        self._keepers = {
            name: self._hired(name, task) if name in anew or name not in before else before[name]
            for name, task in tasks.items()
        }
        for name, keeper in before.items():
            if self._keepers.get(name) is not keeper and name not in self._leaving:
                self._dismiss(keeper)
        for name, keeper in self._keepers.items():
            if before.get(name) is not keeper and name not in self._leaving and not keeper.begun:
                self._admit(keeper)

    def finish(self) -> None:
        """Let everybody tell their last second, and nobody come after."""
        self._closed = True
        finish(self._reactor, [*self._keepers.values(), *self._leaving.values()])

    def _hired(self, name: str, task: Task) -> Keeper:
        series = series_of(name, task.pipeline)
        fed = isinstance(task.pipeline.source, Feed)
        feed = feeds.Feed(feeds.path(self.runtime_dir, name)) if fed else None
        keeper = Keeper(self._reactor, self._listener, name, task.pipeline, task.models, series, feed)
        self._wait(keeper)
        return keeper

    def _wait(self, successor: Keeper) -> None:
        """For the one that leaves under the same name, if there is one."""
        successor.predecessor = self._leaving.get(successor.name)
        successor.why = "waits for the worker before it to end" if successor.predecessor else ""

    def _admit(self, keeper: Keeper) -> None:
        self._listener.came(keeper)
        keeper.start()

    def _dismiss(self, keeper: Keeper) -> None:
        self._leaving[keeper.name] = keeper
        if (successor := self._keepers.get(keeper.name)) is not None:
            self._wait(successor)
        keeper.retire(lambda: self._left(keeper))

    def _left(self, keeper: Keeper) -> None:
        del self._leaving[keeper.name]
        self._listener.left(keeper)
        successor = self._keepers.get(keeper.name)
        if successor is not None and not self._closed:
            self._wait(successor)
            self._admit(successor)
