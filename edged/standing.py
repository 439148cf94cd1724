"""How a pipeline stands: what its keeper says to whoever asks. Nothing here acts."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Protocol

from edged import wall
from edged.changes import Stamps, renewed, stamps
from edged.config.shape import Model, Pipeline
from edged.directions import Directions
from edged.hearing import Hearing
from edged.process import Process
from edged.reactor import Timer

if TYPE_CHECKING:
    from edged.supervise import Keeper


class Listener(Protocol):
    """What the daemon wants to hear of a pipeline."""

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """A tick that kept the rules."""

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        """Something has happened: a kind of ``edged.events``, with its ``fields``."""


class Standing:
    """The part of a keeper that answers. ``state`` is starting, running, lost, backoff, quarantined, refused
    or ended; ``why`` explains it.
    """

    pipeline: Pipeline
    models: tuple[Model, ...]
    state: str
    why: str
    restarts: int
    stuck: bool  #: its process was killed and hangs in the kernel
    predecessor: Standing | None  #: whose device this one waits for
    stamps: Stamps  #: of the models' files, as they were when the worker was exec'd
    directions: Directions  #: what is wanted of its workers
    _process: Process | None
    _hearing: Hearing | None  #: of the last worker, also once it has ended
    _began: float
    _next_start: Timer
    progress: float  #: when it last showed some
    _killed: float | None  #: when
    _stopping: bool
    _stop_by: float
    _recess: float | None  #: for how many seconds it lets go of its source

    @property
    def due(self) -> float:
        """By when (``CLOCK_MONOTONIC``) the keeper owes its next deed; infinite when it owes none.

        It owes the end of a worker without progress, the next start of one that failed, the burial of one
        that has ended. What hangs in the kernel cannot be ended by anybody, so that is not owed.
        """
        if self._process is None:
            return self._next_start.at if self.state in ("backoff", "quarantined") else math.inf
        if self._killed is not None:
            return math.inf if self._process.lives() else self._killed
        return self._stop_by if self._stopping else self.progress + self._allowed()

    @property
    def in_recess(self) -> bool:
        """Whether its source is lent to its owner."""
        return self._recess is not None

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The worker's process, 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def wall_bytes(self) -> int:
        """What the last worker has sent over its wall."""
        return self._hearing.received if self._hearing else 0

    @property
    def directed(self) -> wall.Directive:
        """What is wanted of the worker."""
        return self.directions.wanted

    @property
    def lacking(self) -> frozenset[int]:
        """The rungs that cannot be had now, because their models cannot be opened."""
        return self.directions.lacking(time.monotonic())

    @property
    def _at_stake(self) -> Model:
        """The model that the worker uses, or goes to."""
        return self.models[self.directions.told[0]]

    @property
    def done(self) -> bool:
        """Nothing will come of this pipeline any more."""
        return not self.alive and self.state in ("refused", "ended")

    @property
    def settled(self) -> bool:
        """It has made an inference, or can say why not: nobody needs to wait for it."""
        waits_in_vain = self.predecessor is not None and self.predecessor.stuck
        return self.state != "starting" or self.restarts > 0 or waits_in_vain

    @property
    def blind(self) -> bool:
        """Whether nobody looks: neither its worker nor the one that it waits for, which has yet to tell."""
        if self.predecessor is not None and not self.predecessor.stuck:
            return False
        return self.state not in ("ended", "running", "lost")

    @property
    def begun(self) -> bool:
        """Whether it ever had a worker."""
        return self._began > 0.0

    @property
    def renewed(self) -> bool:
        """Whether a reload is to begin it anew: its files are others by now, or it is set aside."""
        if self.state == "quarantined":
            return True  # whoever reloads wants it tried
        now = stamps(self.pipeline, *self.models)
        return bool(self.stamps) and renewed(self.stamps, now, refused=self.state == "refused")

    @property
    def aside(self) -> float | None:
        """Seconds for which it is still set aside; None when it is not."""
        if self.state != "quarantined":
            return None
        return max(0.0, self._next_start.at - time.monotonic())

    def _allowed(self) -> float:
        """Seconds that may pass without progress now."""
        raise NotImplementedError

    def called(self, rung: int) -> str:
        """A rung of the ladder as its owner calls it."""
        names = (self.pipeline.model, *self.pipeline.ladder)
        return f"the model {names[rung] if rung < len(names) else self.models[rung].file}"
