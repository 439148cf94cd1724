"""The worker's life: take the task over the wall, open model and source, then look, infer, measure, and
tell once a second.

Nothing that a frame holds outlives its turn here, and nothing but sums goes up. The daemon may end or
freeze this process at any moment and loses at most what was not told yet.

Another rung of the ladder is opened beside the work, and takes over between two frames: with the first frame
that was prepared for it. Until then frames go where they were prepared for, so none is lost and none is fed
to the wrong model. That moment ends a tick: each is of one rung.
"""

from __future__ import annotations

import math
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edged import rounding, wall
from edged.config import shape
from edged.errors import EdgedError, EndOfSource, RefusedError, UnavailableError, WallError, fault
from edged.series import valued
from edged.units import least_hold
from edged.worker.account import Account
from edged.worker.intake import Intake, Picture
from edged.worker.measure import Sums
from edged.worker.reader import Prepared, Reader, Watch
from edged.worker.sandbox import Locked, Wanted, lock, narrow
from edged.worker.shelf import AfreshError
from edged.worker.window import layout

if TYPE_CHECKING:
    from edged.worker.ladder import Footing, Ladder
    from edged.worker.source import Want, WantWindow

#: A value holds for at most this many frame times, and no less than a tick, before its series is blind.
HOLD_FRAMES = 2.0
#: A first frame that has not come by then will not: cameras take up to 3 s to start.
FIRST_FRAME = 20.0  # seconds
#: So long a sensor is waited for before its worker is ready without a number.
PATIENT_FOR = 2.0  # seconds
#: A source that is so long at one read hangs in its driver; it comes back within a second, or says why not.
#: Of a recording a read may be many frames' decoding on a slow board; a thermometer on a bad 1-wire bus is
#: asked up to 25 times by its driver, which has it measure (0.75 s) five times over.
HUNG, HUNG_SLOW = 2.5, 30.0  # seconds
STALE = 3.0  # seconds; a live frame that is older was stamped by a clock that is not ours
#: No gap in a recording is longer: each of its seconds is told as blind.
LONGEST_LEAP = 86_400.0  # seconds
#: So many ticks at the end tell what happened at once and is too much for one; the wall takes some at a time.
LAST_TICKS = 10
#: Between frames the wall is listened to at most so often: it costs 2 µs each time.
LISTEN = 0.05  # seconds
#: Whoever was stopped for a while, reader and all, has read again by then: that is no hanging driver.
THAWED = 0.2  # seconds
#: A device that was lent and gives no frame by then hangs, or is not what it was.
REVIVED = 10.0  # seconds


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
    afresh = isinstance(error, AfreshError)
    channel.send(wall.Trouble(final, error.message[:400], error.hint[:400], afresh))
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
        # Not "unavailable": that may go on for ever, and this is to count as a failure.
        return EdgedError("the worker ran out of memory", "take a smaller model")
    except Exception as error:
        return fault(error, "the worker")
    return None


def _work(channel: wall.Channel, assignment: wall.Assignment) -> None:
    narrowed = narrow(assignment)
    from edged.worker.ladder import Ladder
    from edged.worker.source import opened

    with ExitStack() as stack:
        ladder = Ladder(assignment)
        lacking = list(ladder.examined()) if assignment.examine else []
        footing = ladder.footing(assignment.rung, assignment.threads)
        config, rate = ladder.source, assignment.pipeline.rate
        want = ladder.want(footing, rate)
        reader = Reader(opened(config, want), footing.prepare, _watch(assignment.pipeline, want))
        stack.callback(reader.close)
        ladder.hold()
        ladder.rehearse(footing)
        looker = Looker(channel, assignment, ladder, footing, reader)
        stack.callback(looker.close)
        del footing  # the looker lets go of it when there is another
        looker.run(lacking, narrowed)


class Looker:
    """The loop. ``Looker`` keeps the budget (rate, pause, rung), the sums since the last tick and the
    health.
    """

    def __init__(
        self,
        channel: wall.Channel,
        assignment: wall.Assignment,
        ladder: Ladder,
        footing: Footing,
        reader: Reader,
    ) -> None:
        from edged.worker.climb import Climb

        self._channel, self._reader = channel, reader
        self._purposes = frozenset(
            (type(assignment.pipeline.source).__name__.lower(), footing.network.delegate)
        )
        self._climb = Climb(ladder, footing, reader)
        places = valued(assignment.series)
        self._units = tuple(assignment.series[one].unit for one in places)
        self._all_values = np.zeros(len(assignment.series))
        self._valued = np.array(places, np.intp)
        self._account = Account(channel, reader)
        self._recorded = shape.recorded(assignment.pipeline.source)
        self._patient = isinstance(assignment.pipeline.source, shape.Sensor)
        self._least_hold = least_hold(assignment.pipeline.source)
        slow = isinstance(assignment.pipeline.source, shape.File | shape.OneWire)
        self._hung = HUNG_SLOW if slow else HUNG
        self._rate, self._paused, self._stop = assignment.pipeline.rate, False, False
        self._lead = 0.0
        self._last_time: float | None = None
        self._sight: wall.Sight = ""
        self._listened = 0.0
        self._waits = False  # for a device that was lost
        self._revived_by = math.inf

    def close(self) -> None:
        """The process is about to end: what held frames is overwritten."""
        self._climb.close()

    def run(self, lacking: list[wall.Declined], narrowed: tuple[str, ...] = ()) -> None:
        """Until the recording ends, the daemon says stop or goes away. Nothing is looked at or heard before
        the lock. Raises what source and model raise. ``lacking`` are the rungs that cannot be had.
        """
        locked = lock(Wanted(self._purposes), self._hand_over)
        first = self._begun()
        if first is not None:
            self._sums = Sums(self._units, self._stamp(first), self._hold())
        self._told = time.monotonic()
        began = math.floor(self._sums.started) if self._recorded else self._told
        self._next = began + wall.TICK
        if first is not None:
            self._look(first)
        self._account.begin()
        for message in (self._ready(Locked((*narrowed, *locked.lacking))), *lacking):
            self._channel.send(message)
        self._obey()
        try:
            while not self._stop:
                self._step()
        except EndOfSource:
            self._end()
            return
        self._interrupt(self._now())
        self._finish(self._now())

    def _hand_over(self, listener: int) -> None:
        """From here on the kernel asks the daemon."""
        self._channel.send_with(wall.Watched(), listener)

    def _begun(self) -> Prepared | None:
        """The first frame. In quiet hours not even that one is read: what the daemon said meanwhile is heeded
        before. A recording is no look at anything of now.
        """
        self._sums = Sums(self._units, time.monotonic(), self._hold())
        if not self._recorded:
            self._obey()
        self._reader.begin()
        return None if self._paused else self._first()

    def _first(self) -> Prepared | None:
        """The first frame; None for a sensor that takes its time: a feed may be silent for hours."""
        deadline = time.monotonic() + (PATIENT_FOR if self._patient else FIRST_FRAME)
        while time.monotonic() < deadline:
            if (first := self._reader.get(1.0)) is not None:
                return first
        if self._patient:
            return None
        if self._reader.lost is not None:
            raise self._reader.lost
        raise UnavailableError(
            f"the source gave nothing within {FIRST_FRAME:.0f} s", "is it plugged in and free?"
        )

    def _ready(self, locked: Locked) -> wall.Ready:
        network = self._climb.footing.network
        return wall.Ready(
            rounding.rate(self._reader.fps),
            *_size(network.intake),
            network.runtime[:64],
            network.delegate[:64],
            network.cpu_because[:400],
            locked.lacking,
        )

    def _step(self) -> None:
        wait = wall.TICK if self._recorded else self._next - time.monotonic()
        if self._paused or self._waits:
            self._channel.wait(wait)
        elif (frame := self._reader.get(wait, self._lead)) is not None:
            self._look(frame)
        if self._reader.silent > self._hung:
            time.sleep(THAWED)
        if self._reader.silent > self._hung:
            raise UnavailableError("the source hangs: it does not come back from a read", "is it plugged in?")
        self._listen()
        if self._reader.lost is not None or (time.monotonic() > self._revived_by and not self._paused):
            self._miss()
        if self._climb.under_way:
            self._follow()
        self._tick_if_due()

    def _look(self, frame: Prepared) -> None:
        start = time.perf_counter()
        at = self._stamp(frame)
        self._revived_by = math.inf
        if (footing := self._climb.next_for(frame)) is not None:
            self._stand_on(footing, at)
        if frame.sight:
            self._overlook(frame.sight, at)
            return
        self._sight = ""
        elapsed = 0.0 if self._last_time is None else max(0.0, at - self._last_time)
        observation = self._climb.footing.network.infer(frame.tensor, elapsed)
        happened = self._climb.footing.meter(observation, self._all_values, at)
        took = time.perf_counter() - start
        self._tick_recorded(at)
        self._sums.add(at, self._all_values[self._valued])
        self._account.amounts.add(happened)
        self._last_time = at
        self._account.add(took, frame.cost)
        # With a model of 50 ms and more, read late enough that the frame is fresh when its turn comes.
        self._lead = 0.0 if self._recorded or took < 0.05 else max(0.0, 0.8 * took - frame.cost)

    def _overlook(self, why: wall.Sight, at: float) -> None:
        """The source does not see, or hear: the model is not asked, nothing is counted, the time is blind."""
        if not self._sight:
            self._interrupt(at)
        self._sight = why
        self._tick_recorded(at)
        self._sums.advance(at)
        self._sums.forget()

    def _miss(self) -> None:
        """The device has gone: tell what was seen until now, and that it is wanted again.

        Raises ``UnavailableError`` when one that was lent gives nothing.
        """
        if self._reader.lost is None:
            raise UnavailableError("the camera gives nothing since it came back", "plug it in anew")
        if self._waits:
            return
        self._waits, self._revived_by = True, math.inf
        now = time.monotonic()
        self._sums.advance(now, self._paused)
        self._sums.forget()
        self._interrupt(now)
        self._sight = ""
        self._tick(now)
        self._next = self._told + wall.TICK
        # A frame of less than a 64th of a second ago was in no tick, and none may be in those to come.
        self._account.forget()
        self._last_time = None
        self._channel.send(wall.Lost())

    def _revive(self, descriptor: int) -> None:
        """Go on with what was lent. Raises ``LostError`` where it was not."""
        lost = self._reader.lost
        if lost is None or not self._waits:
            return  # nobody asked, and so nothing came with it
        if descriptor < 0:
            raise lost
        self._waits, self._revived_by = False, time.monotonic() + REVIVED
        self._reader.regain(descriptor)

    def _follow(self) -> None:
        """A step towards the rung that is wanted."""
        if self._paused and not self._recorded:
            self._reader.discard()
        outcome = self._climb.follow()
        if isinstance(outcome, wall.Declined):
            self._channel.send(outcome)
        elif outcome is not None:
            self._stand_on(outcome, self._now())

    def _stand_on(self, footing: Footing, at: float) -> None:
        """From ``at`` on. Going back to the rung that ticks are of already is nobody's business."""
        if (footing.rung, footing.threads) != self._climb.stands:
            self._tick_recorded(at)
            if at > self._sums.started:
                self._tick(at)
                if not self._recorded:
                    self._next = self._told + wall.TICK
            self._channel.send(_switched(footing))
        self._climb.stand(footing)
        self._last_time, self._lead = None, 0.0

    def _stamp(self, frame: Prepared) -> float:
        """The frame's time. Drivers have been seen to stamp with another clock: then its arrival must do."""
        if self._recorded:
            return frame.time
        now = time.monotonic()
        return frame.time if now - STALE < frame.time <= now else now

    def _now(self) -> float:
        return self._sums.until if self._recorded else time.monotonic()

    def _tick_recorded(self, upto: float) -> None:
        """One tick for each second of the recording that has passed. Raises ``RefusedError`` for a leap of
        more than a day.
        """
        if not self._recorded:
            return
        if upto - self._next > LONGEST_LEAP:
            raise RefusedError(
                f"the recording leaps by {(upto - self._next) / 3600.0:.1f} h, at second {self._next:.0f}",
                "its stamps are broken: have a tool for videos write it anew",
            )
        while self._next <= upto:
            # A small model may run through hours in a second: the wall's rate is kept by waiting.
            time.sleep(max(0.0, self._told + 2.0 / wall.RECORDED_RATE - time.monotonic()))
            self._tick(self._next)
            self._next += wall.TICK
            self._obey()

    def _tick_if_due(self) -> None:
        now = time.monotonic()
        if self._recorded:
            # A slow model must still show that it moves on.
            if now - self._told >= wall.TICK:
                self._tick(self._sums.until)
        elif now >= self._next:
            self._tick(now)
            self._next = max(self._next + wall.TICK, now)

    def _tick(self, upto: float) -> None:
        self._sums.advance(upto, self._paused)
        self._account.tell(self._sums.taken(), self._climb.stands, self._why())
        self._told = time.monotonic()

    def _interrupt(self, at: float) -> None:
        """Nobody looks from ``at`` on: whoever was followed is lost."""
        self._account.amounts.add(self._climb.footing.meter.interrupt(at))

    def _why(self) -> wall.Sight:
        """What came and was not counted."""
        return self._sight or ("malformed" if self._reader.malformed else "")

    def _listen(self) -> None:
        now = time.monotonic()
        if now - self._listened >= LISTEN:
            self._listened = now
            self._obey()

    def _obey(self) -> None:
        """Take in all directives that have come. Raises ``BrokenPipeError`` when the daemon has gone."""
        while True:
            try:
                directive = self._channel.receive(wait=False, lending=self._waits)
            except BlockingIOError:
                return
            if directive is None:
                raise BrokenPipeError
            if isinstance(directive, wall.Directive):
                self._heed(directive)
            elif isinstance(directive, wall.Lent):
                descriptor, self._channel.lent = self._channel.lent, -1
                self._revive(descriptor)

    def _heed(self, directive: wall.Directive) -> None:
        self._stop = self._stop or directive.stop
        self._rate = self._reader.rate = directive.rate
        self._sums.hold = self._hold()
        self._climb.direct(directive.rung, directive.threads)
        if directive.paused != self._paused:
            self._pause(directive.paused)

    def _pause(self, paused: bool) -> None:
        """Look at nothing from now on, or go on. A recording loses no frame by it: its time stands still."""
        if not self._recorded:
            if paused:
                self._interrupt(self._now())
            self._sums.advance(time.monotonic(), self._paused)
            self._sums.forget()
        self._paused = paused
        if self._revived_by < math.inf:
            # Nobody looks meanwhile, so that a camera that came back cannot show that it sees.
            self._revived_by = time.monotonic() + REVIVED
        self._climb.pause(paused)
        if paused and not self._recorded:
            self._reader.discard()

    def _hold(self) -> float:
        """For so long the last frame speaks: two frame times at the rate that there is, and at least a tick;
        a sensor's number for as long as its source says.
        """
        rate = min(filter(None, (self._rate, rounding.rate(self._reader.fps))), default=0.0)
        return max(wall.TICK, HOLD_FRAMES / rate if rate else 0.0, self._least_hold)

    def _end(self) -> None:
        """The last frame stood for one frame's time like any other."""
        rate = min(filter(None, (self._rate, self._reader.fps)), default=1.0)
        began = self._sums.until if self._last_time is None else self._last_time
        last = began + 1.0 / rate if self._recorded else time.monotonic()
        self._interrupt(last)
        self._tick_recorded(last)
        self._finish(last)
        self._channel.send(wall.Ended(self._account.all))

    def _finish(self, at: float) -> None:
        """Tell all that happened until the end; what one tick cannot hold is told in a few more of them."""
        self._tick(at)
        for _ in range(LAST_TICKS):
            if not self._account.amounts.waiting:
                return
            if not self._recorded:
                time.sleep(rounding.GRAIN)
            self._tick(max(self._now(), self._sums.until + rounding.GRAIN))


def _watch(pipeline: shape.Pipeline, want: Want | WantWindow) -> Watch | None:
    """What judges whether the source sees, or hears; None where nothing is to be judged."""
    from edged.worker import sight, silence, source

    heeded = pipeline.heeded
    if isinstance(want, source.Want):
        return sight.Watch(heeded) if _films(pipeline.source) else None
    return silence.Silence() if "silent" in heeded else None


def _films(source: shape.Source) -> bool:
    """Whether its pictures follow each other: those of a folder need not."""
    return not (isinstance(source, shape.File) and Path(source.path).is_dir())


def _size(intake: Intake) -> tuple[int, int]:
    """Width and height of a picture; of a window its samples and channels."""
    return (intake.width, intake.height) if isinstance(intake, Picture) else layout(intake)


def _switched(footing: Footing) -> wall.Switched:
    network = footing.network
    return wall.Switched(
        footing.rung,
        footing.threads,
        network.runtime[:64],
        network.delegate[:64],
        network.cpu_because[:400],
        rounding.duration(footing.took),
    )


def main(descriptor: str) -> int:
    """The process's whole life; ``descriptor`` is the number of the wall's."""
    with socket.socket(fileno=int(descriptor)) as end:
        return serve(end)
