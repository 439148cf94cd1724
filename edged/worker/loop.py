"""The worker's life: take the task over the wall, open model and source, then look, infer, measure, and
tell once a second.

Nothing that a frame holds outlives its turn here, and nothing but sums goes up. The daemon may end or
freeze this process at any moment and loses at most what was not told yet.
"""

from __future__ import annotations

import math
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from edged import wall
from edged.config import shape
from edged.errors import EdgedError, EndOfSource, RefusedError, UnavailableError, WallError, fault
from edged.worker.measure import Meter, Sums, meter
from edged.worker.reader import Prepared, Reader

if TYPE_CHECKING:
    from edged.worker.runtime import Network
    from edged.worker.source import Source

TICK = 1.0  # seconds
#: A value holds for at most this many frame times, and no less than a tick, before its series is blind.
HOLD_FRAMES = 2.0
#: A first frame that has not come by then will not: cameras take up to 3 s to start.
FIRST_FRAME = 20.0  # seconds
STALE = 3.0  # seconds; a live frame that is older was stamped by a clock that is not ours


def serve(end: socket.socket) -> int:
    """Work off the one task that comes over ``end``. The exit status of the process."""
    channel = wall.Channel(end, wall.Down)
    assignment = channel.receive()
    if not isinstance(assignment, wall.Assignment) or assignment.protocol != wall.PROTOCOL:
        return 64
    error = _outcome(channel, assignment)
    if error is None:
        return 0
    # Only text that edged wrote itself crosses: an unexpected exception could carry what it was computing
    # with.
    final = isinstance(error, RefusedError | WallError)
    channel.send(wall.Trouble(final, error.message[:400], error.hint[:400]))
    return error.exit_code


def _outcome(channel: wall.Channel, assignment: wall.Assignment) -> EdgedError | None:
    """Work, and say what ended it: None when the recording was over or the daemon wanted no more."""
    try:
        _work(channel, assignment)
    except BrokenPipeError:
        return None  # the daemon has gone, and with it the reason to look
    except EdgedError as error:
        return error
    except MemoryError:
        return UnavailableError("the worker ran out of memory", "take a smaller model")
    except Exception as error:
        return fault(error, "the worker")
    return None


def _work(channel: wall.Channel, assignment: wall.Assignment) -> None:
    from edged.worker.prepare import Preparation
    from edged.worker.runtime import open_network
    from edged.worker.source import Want, opened

    with ExitStack() as stack:
        model = assignment.models[assignment.rung]
        network = open_network(model, assignment.cpu_because)
        count = meter(assignment.pipeline, assignment.series, network.gives, network.labels, model.min_score)
        picture = network.picture
        rate = assignment.pipeline.rate
        source = opened(
            assignment.pipeline.source, Want(picture.width, picture.height, picture.channels, rate)
        )
        reader = Reader(source, Preparation(picture))
        stack.callback(reader.close)
        Looker(channel, assignment, network, count, source, reader).run()


class Looker:
    """The loop. ``Looker`` keeps the budget (rate, pause), the sums since the last tick and the health."""

    def __init__(
        self,
        channel: wall.Channel,
        assignment: wall.Assignment,
        network: Network,
        count: Meter,
        source: Source,
        reader: Reader,
    ) -> None:
        self._channel, self._network, self._count = channel, network, count
        self._source, self._reader = source, reader
        self._series = len(assignment.series)
        self._values = np.zeros(self._series)
        self._recorded = shape.recorded(assignment.pipeline.source)
        self._rate, self._paused, self._stop = assignment.pipeline.rate, False, False
        self._number = self._analysed = self._all = self._dropped = 0
        self._infer = self._prepare = self._lead = 0.0
        self._rung, self._threads = assignment.rung, assignment.models[assignment.rung].threads
        self._cpu = time.process_time()
        self._last_time: float | None = None

    def run(self) -> None:
        """Until the recording ends, the daemon says stop or goes away. Raises what source and model raise."""
        first = self._first()
        start = self._stamp(first)
        self._sums = Sums(self._series, start, self._hold())
        self._told = time.monotonic()
        self._next = math.floor(start) + TICK if self._recorded else self._told + TICK
        self._look(first)
        self._channel.send(self._ready())
        try:
            while not self._stop:
                self._step()
        except EndOfSource:
            self._end()
            return
        self._tick(self._now())

    def _first(self) -> Prepared:
        deadline = time.monotonic() + FIRST_FRAME
        while time.monotonic() < deadline:
            if (first := self._reader.get(1.0)) is not None:
                return first
        raise UnavailableError(
            f"the source gave no picture within {FIRST_FRAME:.0f} s", "is the camera plugged in and free?"
        )

    def _ready(self) -> wall.Ready:
        picture, network = self._network.picture, self._network
        return wall.Ready(
            float(self._source.fps),
            picture.width,
            picture.height,
            network.runtime[:64],
            network.delegate[:64],
            network.cpu_because[:400],
        )

    def _step(self) -> None:
        wait = TICK if self._recorded else self._next - time.monotonic()
        if self._paused:
            time.sleep(max(0.0, wait))
        elif (frame := self._reader.get(wait, self._lead)) is not None:
            self._look(frame)
        self._tick_if_due()

    def _look(self, frame: Prepared) -> None:
        start = time.perf_counter()
        at = self._stamp(frame)
        elapsed = 0.0 if self._last_time is None else max(0.0, at - self._last_time)
        observation = self._network.infer(frame.tensor, elapsed)
        self._count(observation, self._values)
        took = time.perf_counter() - start
        self._tick_recorded(at)
        self._sums.add(at, self._values)
        self._last_time = at
        self._analysed += 1
        self._infer += took
        self._prepare += frame.cost
        # With a model of 50 ms and more, read late enough that the frame is fresh when its turn comes.
        self._lead = 0.0 if self._recorded or took < 0.05 else max(0.0, 0.8 * took - frame.cost)

    def _stamp(self, frame: Prepared) -> float:
        """The frame's time. Drivers have been seen to stamp with another clock: then its arrival must do."""
        if self._recorded:
            return frame.time
        now = time.monotonic()
        return frame.time if now - STALE < frame.time <= now else now

    def _now(self) -> float:
        return self._sums.until if self._recorded else time.monotonic()

    def _tick_recorded(self, upto: float) -> None:
        """One tick for each second of the recording that has passed; a leap of over an hour is one tick."""
        if not self._recorded:
            return
        if upto - self._next > 3600.0:
            self._next = math.floor(upto)
        while self._next <= upto:
            # A small model may run through hours in a second: the wall's rate is kept by waiting.
            time.sleep(max(0.0, self._told + 2.0 / wall.RECORDED_RATE - time.monotonic()))
            self._tick(self._next)
            self._next += TICK

    def _tick_if_due(self) -> None:
        now = time.monotonic()
        if self._recorded:
            # A slow model must still show that it moves on.
            if now - self._told >= TICK:
                self._tick(self._sums.until)
        elif now >= self._next:
            self._tick(now)
            self._next = max(self._next + TICK, now)

    def _tick(self, upto: float) -> None:
        self._sums.advance(upto, self._paused)
        start, end, observed, blind, entries = self._sums.taken()
        analysed = self._analysed
        self._number += 1
        cpu = time.process_time()
        each = 1.0 / analysed if analysed else 0.0
        dropped = self._source.dropped - self._dropped
        self._channel.send(
            wall.Tick(
                self._number,
                start,
                end,
                analysed,
                min(dropped, 100_000),
                round(observed, 6),
                round(blind, 6),
                round(self._infer * each, 6),
                round(self._prepare * each, 6),
                entries,
                self._rung,
                self._threads,
                round(max(0.0, cpu - self._cpu), 6),
            )
        )
        self._cpu = cpu
        self._all += analysed
        self._analysed, self._infer, self._prepare = 0, 0.0, 0.0
        self._dropped += dropped
        self._told = time.monotonic()
        self._obey()

    def _obey(self) -> None:
        while True:
            try:
                directive = self._channel.receive(wait=False)
            except BlockingIOError:
                return
            if directive is None:
                raise BrokenPipeError
            if isinstance(directive, wall.Directive):
                if self._paused and not directive.paused:
                    self._dropped = self._source.dropped  # nobody wanted the frames of the pause
                self._rate, self._paused = directive.rate, directive.paused
                self._stop = self._stop or directive.stop
                self._source.rate = directive.rate
                self._sums.hold = self._hold()

    def _hold(self) -> float:
        rate = self._rate or self._source.fps
        return max(TICK, HOLD_FRAMES / rate) if rate else TICK

    def _end(self) -> None:
        """The last frame stood for one frame's time like any other."""
        rate = min(filter(None, (self._rate, self._source.fps)), default=1.0)
        last = self._sums.until + 1.0 / rate if self._recorded else time.monotonic()
        self._tick_recorded(last)
        self._tick(last)
        self._channel.send(wall.Ended(self._all))


def main(descriptor: str) -> int:
    """The process's whole life; ``descriptor`` is the number of the wall's."""
    return serve(socket.socket(fileno=int(descriptor)))
