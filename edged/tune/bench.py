"""Where models are measured: real workers on this board, and what its sensors say meanwhile.

Each is the very process that a pipeline's worker is, with frames that are made up: drawn beforehand, cycled,
as fast as it goes. So a cost has everything in it but the camera.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Generator
from contextlib import ExitStack, suppress
from statistics import median
from typing import Final, NamedTuple, Protocol

import msgspec

from edged import wall
from edged.board.telemetry import Telemetry
from edged.board.vitals import Vitals
from edged.config.shape import Model, Pipeline, Synthetic
from edged.errors import EdgedError, WallError
from edged.governor import costs, profile
from edged.process import COMMAND, Process
from edged.reactor import Action
from edged.series import series_of
from edged.warden import Attempt, Warden

FRAMES: Final = Synthetic(fps=240.0, pace="fast", held=8)
START: Final = 90.0  # seconds until a worker must have told something: a Pi Zero needs 20 for a large model
SECOND: Final = 1.0
REST: Final = "p"


class Candidate(NamedTuple):
    """A model that may do a pipeline's job: by its name in the config, with the pipeline it is tried for."""

    name: str
    model: Model
    quality: float
    pipeline: Pipeline

    @property
    def most(self) -> int:
        """Threads that are worth a try: on a Coral, and for the built-in model, only one."""
        single = self.model.file.startswith("builtin:")
        coral = self.model.edgetpu_file and self.model.delegate != "cpu"
        return 1 if single or coral else 16


class Measured(NamedTuple):
    """What frames took: core-seconds and seconds at full clock, over so many frames. ``refused`` says why
    nothing.
    """

    cost: float = 0.0
    latency: float = 0.0
    frames: int = 0
    refused: str = ""


class Second(NamedTuple):
    """A look at the board, and the load (0..1 of all cores at full clock) that was on it since the last."""

    vitals: Vitals
    load: float


Seconds = Generator[Second, None, Measured]


class Bench(Protocol):
    """A board to measure on. Its generators give a look each second; closing one ends what it started."""

    name: str
    cores: int
    speed: float

    def rest(self) -> Seconds:
        """Nothing of ours works."""

    def measure(self, one: Candidate, threads: int, seconds: float) -> Seconds:
        """A worker works for so long; what it took."""

    def burn(self, one: Candidate) -> Seconds:
        """All cores work."""


class Here:
    """The board under us. ``speed`` 1: seconds are seconds."""

    speed = 1.0

    def __init__(self) -> None:
        self.name = profile.here()
        self.cores = len(os.sched_getaffinity(0))
        self._board = Telemetry()
        self._board.look(time.monotonic())  # what is counted is counted from here on

    def close(self) -> None:
        """Give the sensors back."""
        self._board.close()

    def rest(self) -> Seconds:
        """See ``Bench``."""
        while True:
            time.sleep(SECOND)
            yield self._look(0.0)

    def measure(self, one: Candidate, threads: int, seconds: float) -> Seconds:
        """See ``Bench``."""
        try:
            with _Hand(one, threads) as hand:
                return (yield from self._measured(hand, threads, seconds))
        except (WallError, OSError) as error:
            return Measured(refused=error.message if isinstance(error, EdgedError) else str(error.strerror))

    def _measured(self, hand: _Hand, threads: int, seconds: float) -> Seconds:
        began, clocks = time.monotonic(), list[float]()
        while not hand.trouble and time.monotonic() - began < START:
            hand.listen(SECOND)
            now = self._look(threads / self.cores if hand.ready else 0.0)
            clocks.append(now.vitals.clock or 1.0)
            yield now
            if hand.busy_for >= seconds:
                break
        return hand.measured(median(clocks) if clocks else 1.0)

    def burn(self, one: Candidate) -> Seconds:
        """See ``Bench``."""
        with ExitStack() as stack:
            hands = [stack.enter_context(_Hand(one, 1)) for _ in range(self.cores)]
            while all(not hand.trouble for hand in hands):
                until = time.monotonic() + SECOND
                for hand in hands:
                    hand.listen(max(0.0, until - time.monotonic()) if hand is hands[-1] else 0.0)
                yield self._look(1.0 if all(hand.ready for hand in hands) else 0.0)
        return Measured()

    def _look(self, planned: float) -> Second:
        vitals = self._board.look(time.monotonic())
        clock = vitals.clock or 1.0
        return Second(vitals, (planned if vitals.busy is None else vitals.busy) * clock)


class _Hand:
    """One worker, listened to and ended by us."""

    def __init__(self, one: Candidate, threads: int) -> None:
        pipeline = msgspec.structs.replace(one.pipeline, source=FRAMES, rate=0.0)
        model = msgspec.structs.replace(one.model, threads=min(16, max(threads, one.model.threads)))
        assignment = wall.Assignment(
            wall.PROTOCOL, REST, pipeline, (model,), series_of(REST, pipeline), threads=threads, examine=False
        )
        self._process = Process(assignment, COMMAND)
        self._asked: list[tuple[Warden, Action]] = []
        self._warden = Warden(self, self._broke_out)
        self._ticks: list[tuple[wall.Tick, float]] = []
        self._first = self._last = 0.0
        self.ready, self.trouble = False, ""

    @property
    def busy_for(self) -> float:
        """Seconds between the first and the last tick."""
        return self._last - self._first

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._process.kill()
        self._process.reap()
        self._warden.close()

    def on_readable(self, thing: Warden, action: Action) -> None:
        """The kernel asks about the worker's forbidden calls through ``thing``."""
        self._asked.append((thing, action))

    def forget(self, thing: Warden) -> None:
        """It asks no more."""
        self._asked = [one for one in self._asked if one[0] is not thing]

    def _broke_out(self, attempt: Attempt) -> None:
        self._process.kill()
        self.trouble = f"its worker tried `{attempt.name}`, which it may not"

    def listen(self, seconds: float) -> None:
        """Hear all that it tells within ``seconds``."""
        until = time.monotonic() + seconds
        while True:
            wait = max(0.0, until - time.monotonic())
            watched: list[Warden | wall.Channel] = [one for one, _ in self._asked]
            found = select.select([*watched, self._process.channel], [], [], wait)[0]
            if not found:
                return
            for thing, action in self._asked[:]:
                if thing in found:
                    action()
            with suppress(BlockingIOError):
                self._hear(self._process.channel.receive(wait=False, lending=not self.ready))
            if self.trouble:
                time.sleep(max(0.0, until - time.monotonic()))
                return

    def _hear(self, message: object) -> None:
        match message:
            case None:
                self.trouble = self.trouble or "its process ended without a word"
            case wall.Trouble():
                self.trouble = message.message
            case wall.Watched():
                self._warden.take(self._process.channel)
            case wall.Ready():
                self._warden.admit(message, self._process)
                self.ready = True
            case wall.Tick():
                self._last = time.monotonic()
                self._first = self._first or self._last
                self._ticks.append((message, self._last))

    def measured(self, clock: float) -> Measured:
        """Of all ticks but the first, which has the start in it."""
        if self.trouble:
            return Measured(refused=self.trouble)
        ticks = [one for one, _ in self._ticks[1:] if one.analysed]
        frames = sum(one.analysed for one in ticks)
        if not frames:
            return Measured(refused="it gave no frame in time")
        whole = msgspec.structs.replace(
            ticks[0],
            analysed=frames,
            cpu=sum(one.cpu for one in ticks),
            infer=sum(one.infer * one.analysed for one in ticks) / frames,
            prepare=sum(one.prepare * one.analysed for one in ticks) / frames,
        )
        cost = costs.measured(whole, clock)
        assert cost is not None
        return Measured(cost.work, cost.latency, frames)
