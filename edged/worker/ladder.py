"""The ladder on the worker's side: models for one job, dearest first, opened one beside the other.

A *footing* is what a frame stands on: a rung with its number of threads, the network, the meter and the way
into it. The next one is opened by a thread of its own while the last one goes on working; both are in memory
for that long and no longer. See ``docs/adr/0018-switching-models.md``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from ctypes import CDLL
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.config.shape import Model
from edged.errors import EdgedError, RefusedError, UnavailableError, fault
from edged.units import NO_MODEL
from edged.wall import Assignment, Declined
from edged.worker.decode.choice import held
from edged.worker.intake import Intake, Numbers, Picture
from edged.worker.measure import Memory, Meter, meter
from edged.worker.prepare import Preparation
from edged.worker.reader import Prepare
from edged.worker.runtime import Network, interpreter, kind_of, open_network
from edged.worker.runtime.plan import planned, resolved
from edged.worker.shelf import shelf
from edged.worker.source import Want, WantWindow
from edged.worker.source.sensor import channels
from edged.worker.straight import Straight, asked, mean
from edged.worker.window import WindowPreparation, layout

Shape = tuple[int, ...]


class Footing(NamedTuple):
    """One rung, open. ``took`` is how many seconds that was."""

    rung: int
    threads: int
    network: Network
    meter: Meter
    prepare: Prepare
    took: float


class Ladder:
    """The models of a task."""

    def __init__(self, task: Assignment) -> None:
        self._task = task
        self._names = (task.pipeline.model, *task.pipeline.ladder)
        #: What is followed from frame to frame, whichever model looks.
        self._memory = Memory(task.pipeline, task.series)
        #: Why the Edge TPU is out of the question for this worker.
        self._cpu_because = task.cpu_because

    def threads(self, rung: int, asked: int) -> int:
        """How many a rung gets when so many are asked for; 0: as many as it may have."""
        most = self._task.models[rung].threads
        return min(asked, most) if asked else most

    def footing(self, rung: int, threads: int) -> Footing:
        """The rung, open and tried. Raises ``RefusedError``, ``UnavailableError``."""
        began = time.perf_counter()
        threads = self.threads(rung, threads)
        model = msgspec.structs.replace(self._task.models[rung], threads=threads)
        network = self._network(model)
        if self.wants_tpu(rung):
            self._cpu_because = network.cpu_because  # a locked worker cannot try again
        count = self._meter(rung, network)
        return Footing(
            rung, threads, network, count, preparation(network.intake), time.perf_counter() - began
        )

    @property
    def source(self) -> shape.Source:
        """What is to be opened: without a model no more of a sensor than the measures ask for."""
        pipeline = self._task.pipeline
        return asked(pipeline) if self._task.models[0].file == NO_MODEL else pipeline.source

    def _network(self, model: Model) -> Network:
        if model.file == NO_MODEL:
            return Straight(channels(self.source))
        return open_network(model, self._cpu_because)

    def examined(self) -> Iterator[Declined]:
        """Try every rung but the one to begin on, on the CPU and one at a time: those that cannot be had.

        Raises ``RefusedError`` for one that can be had, but gives other measures than were asked for: counts
        would mean another thing whenever the board is hot.
        """
        for rung, model in enumerate(self._task.models):
            if rung == self._task.rung:
                continue
            try:
                network = open_network(model, "it was only looked at")
            except EdgedError as error:
                yield declined(rung, model.threads, error)
                continue
            self._meter(rung, network)

    def hold(self) -> None:
        """Open what a switch to another rung will read and import: soon nothing can be. What cannot be had is
        told when it is asked for.
        """
        for model in self._task.models:
            if model.file == NO_MODEL:
                continue
            with suppress(EdgedError):
                shelf.hold(resolved(model.file))
                interpreter.brought_in(kind_of(model))
                held(model)
            if model.labels_file:
                shelf.hold(Path(model.labels_file))

    def rehearse(self, footing: Footing) -> None:
        """All that a frame takes but the source, once, on nothing: what it imports and opens is there when
        the lock is. What comes out is nobody's business, and nothing remembers it.
        """
        network, task = footing.network, self._task
        with suppress(EdgedError):
            tensor = preparation(network.intake)(nothing(network.intake))
            observation = network.infer(tensor, 0.0)
            count = self._meter(footing.rung, network, Memory(task.pipeline, task.series))
            count(observation, np.zeros(len(task.series)), 0.0)
        network.reset()

    def _meter(self, rung: int, network: Network, memory: Memory | None = None) -> Meter:
        task, model = self._task, self._task.models[rung]
        kept = memory or self._memory
        try:
            return meter(task.pipeline, task.series, network.gives, network.labels, model.min_score, kept)
        except RefusedError as error:
            if not rung:
                raise
            hint = f"every model of the ladder must give every measure; {error.hint}"
            raise RefusedError(f"{self._called(rung)}: {error.message}", hint) from None

    def _called(self, rung: int) -> str:
        name = self._names[rung] if rung < len(self._names) else self._task.models[rung].file
        return f"the model {name} of the ladder"

    def wants_tpu(self, rung: int) -> bool:
        """Whether opening it asks for the Edge TPU."""
        model = self._task.models[rung]
        return bool(model.edgetpu_file) and model.delegate != "cpu" and not self._cpu_because

    def want(self, footing: Footing, rate: float) -> Want | WantWindow:
        """What the source is asked for. ``footing`` is what works now."""
        intake = footing.network.intake
        if isinstance(intake, Picture):
            return Want(*self._picture(footing), rate)
        if isinstance(intake, Numbers):
            return WantWindow(0, intake.channels, 0.0, rate)
        return WantWindow(*layout(intake), intake.rate, rate)

    def _picture(self, footing: Footing) -> tuple[int, int, int]:
        """Width, height and channels: the dearest model's size, whichever works now, and colours if any of
        the models takes them.
        """
        all_of_them = [*map(_picture, self._task.models)] if len(self._task.models) > 1 else []
        known = [one for one in all_of_them if one is not None]
        dearest = (all_of_them[0] if all_of_them else None) or footing.network.picture
        channels = max(one.channels for one in (footing.network.picture, *known))
        return dearest.width, dearest.height, channels


def preparation(intake: Intake) -> Prepare:
    """What makes an input's tensors."""
    if isinstance(intake, Numbers):
        return mean
    return Preparation(intake) if isinstance(intake, Picture) else WindowPreparation(intake)


def nothing(intake: Intake) -> NDArray[Any]:
    """What a source might give for it: a black picture of another size, or silence."""
    if isinstance(intake, Picture):
        return np.zeros((intake.height + 1, intake.width + 1, 3), np.uint8)
    return np.zeros(layout(intake), np.float32)


def _picture(model: Model) -> Picture | None:
    """What a model takes, by its file alone; None when that cannot be told."""
    with suppress(EdgedError):
        found = planned(model, model.file).intake
        return found if isinstance(found, Picture) else None
    return None


def declined(rung: int, threads: int, error: EdgedError) -> Declined:
    """What the daemon is told of a rung that cannot be had."""
    final = isinstance(error, RefusedError)
    return Declined(rung, threads, final, error.message[:400], error.hint[:400])


def returned() -> None:
    """Give the kernel what a model that was dropped has left behind: glibc keeps what one thread took and
    another gave back, 20 MB of it after some switches. Another libc has no such call and no such need.
    """
    if _trim is not None:
        _trim(0)


_trim = getattr(CDLL(None), "malloc_trim", None)


class Opener:
    """Opens one footing at a time, in a thread of its own."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._made: SimpleQueue[Footing | Declined] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether one was begun that was not taken yet."""
        return self._thread is not None

    def begin(self, rung: int, threads: int, shape: Shape) -> None:
        """Open that rung for pictures of that shape, which are prepared once so that no frame waits."""
        self._thread = threading.Thread(
            target=self._open, args=(rung, threads, shape), name="opener", daemon=True
        )
        self._thread.start()

    def taken(self) -> Footing | Declined | None:
        """What was opened, or why not; None while it is not done."""
        if self._made.empty():
            return None
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        return self._made.get()

    def close(self) -> None:
        """The process is about to end: what hangs in a driver is left behind."""
        if self._thread is not None:
            self._thread.join(1.0)

    def _open(self, rung: int, threads: int, shape: Shape) -> None:
        # Nothing that it holds may outlive its turn: the queue alone has what was made.
        self._made.put(self._opened(rung, threads, shape))

    def _opened(self, rung: int, threads: int, shape: Shape) -> Footing | Declined:
        try:
            made = self._ladder.footing(rung, threads)
            if shape:
                made.prepare(np.zeros(shape, np.uint8 if len(shape) == 3 else np.float32))
            return made
        except EdgedError as error:
            return declined(rung, self._ladder.threads(rung, threads), error)
        except MemoryError:
            short = UnavailableError("there is no memory for this model beside the one before")
            return declined(rung, self._ladder.threads(rung, threads), short)
        except Exception as caught:
            return declined(rung, self._ladder.threads(rung, threads), fault(caught, "the worker"))
