"""The wall's wire: all that ever passes between a worker, who sees, and the daemon, who keeps.

One ``SOCK_SEQPACKET`` pair per worker; a message is one packet of MessagePack, at most ``LARGEST`` bytes.
Down go an ``Assignment`` (first) and ``Directive`` s; up come one ``Ready``, then a ``Tick`` a second, one
``Switched`` or ``Declined`` for a directive that asks for another rung, and at last ``Ended`` or
``Trouble``. There is no message that could hold a frame, a box or one frame's score, and the daemon believes
none of them: ``Inspector`` holds each against size, rate, order and range, and a worker that breaks a rule is
killed.
"""

from __future__ import annotations

import math
import select
import socket
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edged.config.shape import Model, Pipeline
from edged.errors import WallError
from edged.nouns import Entry, Series

PROTOCOL: Final = 2
LARGEST: Final = 16 * 1024  # bytes; 20 series need about 1 KiB a tick
MOST_SERIES: Final = 256
MOST_THREADS: Final = 16
BURST: Final = 16  # messages that may come at once; after a stall a worker has a few ticks to hand over
RECORDED_RATE: Final = (
    2000.0  # ticks per second from a recording read as fast as it goes: one per recorded second
)

Text = Annotated[str, Meta(max_length=400)]
Word = Annotated[str, Meta(max_length=64)]
Lacking = Annotated[tuple[Annotated[str, Meta(pattern="^[a-z][a-z-]{0,15}$")], ...], Meta(max_length=8)]


class Assignment(msgspec.Struct, frozen=True, tag="assignment", array_like=True):
    """The worker's whole task. ``models`` is the ladder, dearest first: a *rung* is an index of it.

    It begins on ``rung`` with so many ``threads`` (0: as many as that model may have). With ``examine``
    every other rung is tried once beforehand. ``cpu_because`` is set when the Edge TPU is not to be tried
    this time, and says why.
    """

    protocol: int
    name: str
    pipeline: Pipeline
    models: tuple[Model, ...]
    series: tuple[Series, ...]
    cpu_because: str = ""
    rung: int = 0
    threads: int = 0
    examine: bool = True


class Directive(msgspec.Struct, frozen=True, tag="directive", array_like=True):
    """What the daemon wants from now on. ``rate`` in frames per second (0: as fast as it goes), ``threads``
    at most as many as the rung's model may have (0: that many).
    """

    rate: float
    paused: bool = False
    stop: bool = False
    rung: int = 0
    threads: int = 0


class Ready(msgspec.Struct, frozen=True, tag="ready", array_like=True):
    """The device and the model are open and one inference was made. ``fps`` is what the source delivers, 0
    if unknown. ``lacking`` names what the worker's sandbox could not have of this kernel.
    """

    fps: float
    width: int
    height: int
    runtime: Word
    delegate: Word
    cpu_because: Text = ""
    lacking: Lacking = ()


class Tick(msgspec.Struct, frozen=True, tag="tick", array_like=True):
    """A second's worth of a pipeline, since the last tick. ``entries`` follows ``Assignment.series``.

    ``start`` and ``end`` are times of the source's clock (see ``nouns``). ``infer`` and ``prepare`` are
    mean seconds per frame. All of it was made on one ``rung`` with so many ``threads``; ``cpu`` is what the
    whole process took of the CPUs since the last tick, in seconds of one core.
    """

    number: int
    start: float
    end: float
    analysed: int
    dropped: int
    observed: float
    blind: float
    infer: float
    prepare: float
    entries: tuple[Entry, ...]
    rung: int = 0
    threads: int = 1
    cpu: float = 0.0


class Switched(msgspec.Struct, frozen=True, tag="switched", array_like=True):
    """From now on ticks are of this rung. ``took`` is how many seconds it was opened for, beside the work."""

    rung: int
    threads: int
    runtime: Word
    delegate: Word
    cpu_because: Text = ""
    took: float = 0.0


class Declined(msgspec.Struct, frozen=True, tag="declined", array_like=True):
    """This rung cannot be had; the one before goes on. ``final`` means: not before the owner changes
    something.
    """

    rung: int
    threads: int
    final: bool
    message: Text
    hint: Text = ""


class Ended(msgspec.Struct, frozen=True, tag="ended", array_like=True):
    """The recording is over."""

    analysed: int


class Trouble(msgspec.Struct, frozen=True, tag="trouble", array_like=True):
    """Why this worker gives up. ``final`` means that trying again cannot help before the owner changes
    something.
    """

    final: bool
    message: Text
    hint: Text = ""


Up = Ready | Tick | Switched | Declined | Ended | Trouble
Down = Assignment | Directive


class Channel:
    """One end of a wall: whole messages, never blocking the daemon."""

    def __init__(self, end: socket.socket, incoming: type | object) -> None:
        self._end = end
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[object] = msgspec.msgpack.Decoder(incoming)
        self._buffer = bytearray(LARGEST + 1)
        self.received = 0

    def fileno(self) -> int:
        """For a selector."""
        return self._end.fileno()

    def send(self, message: object) -> None:
        """Send one message; raises ``WallError`` when it is too large, ``OSError`` when the other end is
        gone or does not read.
        """
        packet = self._encoder.encode(message)
        if len(packet) > LARGEST:
            raise WallError(f"a message of {len(packet)} bytes is larger than the wall lets pass ({LARGEST})")
        self._end.send(packet, socket.MSG_NOSIGNAL)

    def receive(self, wait: bool = True) -> object | None:
        """The next message, None when the other end has closed. Raises ``BlockingIOError``, ``WallError``."""
        try:
            size = self._end.recv_into(self._buffer, 0, 0 if wait else socket.MSG_DONTWAIT)
        except ConnectionResetError:
            return None
        if not size:
            return None
        if size > LARGEST:
            raise WallError(f"it sent a message larger than {LARGEST} bytes")
        self.received += size
        try:
            return self._decoder.decode(memoryview(self._buffer)[:size])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WallError(f"it sent a message that is none of the wall's: {error}") from None

    def wait(self, seconds: float) -> bool:
        """Whether there is a message, or the other end has gone, within so many seconds."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1e3))

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """The daemon's end (never blocks) and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


class Inspector:
    """Holds what one worker sends against the rules. Pure: the time of arrival is passed in.

    ``recorded`` is for a recording read as fast as it goes: its own clock starts at 0 and may run ahead of
    ours.
    """

    SLACK: Final = (
        5.0  # seconds a live tick's stamps may differ from ours: a worker may have been swapped out
    )

    #: More cores than any board that edged runs on: what a process says that it took of them is held against
    #: this.
    MOST_CORES: Final = 256

    def __init__(
        self,
        series: tuple[Series, ...],
        recorded: bool,
        now: float,
        threads: tuple[int, ...] = (MOST_THREADS,),
        rung: int = 0,
        examine: bool = False,
    ) -> None:
        self._units = tuple(one.unit for one in series)
        self._recorded = recorded
        self._threads, self._rung = threads, rung
        self._wanted: set[int] = {rung}
        self._owed, self._cpu = 0, 0.0
        # Each of these may be declined once, unasked: it looked at them before it began.
        self._examined = set(range(len(threads))) - {rung} if examine else set()
        self._started = now
        self._last_arrival = now
        self._rate, self._burst = (RECORDED_RATE, RECORDED_RATE) if recorded else (1.5, float(BURST))
        self._allowance = self._burst
        self._last_end = -math.inf
        self._last_number = 0
        self._ready = False

    def directed(self, rung: int) -> None:
        """The worker was told to go to this rung, or to another number of threads on its own: it owes one
        answer, and may end a tick for it. Nothing else makes it speak more often.
        """
        self._wanted.add(rung)
        self._owed += 1
        self._allowance += 2.0

    def inspect(self, message: object, now: float) -> Up:
        """The message, or ``WallError`` with the rule it broke."""
        self._check_rate(now)
        match message:
            case Ready():
                self._check_ready(message)
            case Tick():
                self._check_tick(message, now)
            case Switched() | Declined():
                self._check_answer(message)
            case Ended() if not self._ready or message.analysed < 0:
                raise WallError("it said that it ended before it began")
        assert isinstance(message, Up)
        return message

    def _check_rate(self, now: float) -> None:
        self._allowance = min(self._burst, self._allowance + (now - self._last_arrival) * self._rate)
        self._last_arrival = now
        if self._allowance < 1.0:
            raise WallError(f"it sent more than {self._rate:g} messages a second")
        self._allowance -= 1.0

    def _check_ready(self, ready: Ready) -> None:
        if self._ready:
            raise WallError("it said twice that it is ready")
        if not (0.0 <= ready.fps <= 1000.0 and 0 < ready.width <= 8192 and 0 < ready.height <= 8192):
            raise WallError("it told of a picture that cannot be")
        self._ready = True

    def _check_tick(self, tick: Tick, now: float) -> None:
        if not self._ready:
            raise WallError("it sent a tick before it was ready")
        if tick.number != self._last_number + 1:
            raise WallError(f"it sent tick {tick.number} after tick {self._last_number}")
        self._check_stamps(tick, now)
        self._check_health(tick)
        if len(tick.entries) != len(self._units):
            raise WallError(f"it sent {len(tick.entries)} entries for {len(self._units)} series")
        for entry, unit in zip(tick.entries, self._units, strict=True):
            check_entry(entry, tick.end - tick.start, unit)
        self._check_rung(tick.rung, tick.threads)
        if tick.rung != self._rung:
            raise WallError(f"it sent a tick of rung {tick.rung}, and is on rung {self._rung}")
        self._check_cpu(tick.cpu, now)
        self._last_number, self._last_end = tick.number, tick.end

    def _check_rung(self, rung: int, threads: int) -> None:
        if not 0 <= rung < len(self._threads):
            raise WallError(f"it told of rung {rung} of {len(self._threads)}")
        if not 1 <= threads <= self._threads[rung]:
            raise WallError(f"it told of {threads} threads; {self._threads[rung]} are the most")

    def _check_cpu(self, cpu: float, now: float) -> None:
        """All that it ever took, against all the time that there was."""
        if not (math.isfinite(cpu) and cpu >= 0.0):
            raise WallError("it sent a health that is no number")
        self._cpu += cpu
        if self._cpu > (now - self._started + self.SLACK) * self.MOST_CORES:
            raise WallError("it took more of the CPUs than there is")

    def _check_answer(self, answer: Switched | Declined) -> None:
        if not self._ready:
            raise WallError("it switched before it was ready")
        self._check_rung(answer.rung, answer.threads)
        if isinstance(answer, Declined) and answer.rung in self._examined:
            self._examined.remove(answer.rung)
            return
        if answer.rung not in self._wanted or not self._owed:
            raise WallError(f"it switched to rung {answer.rung}, which nobody asked for")
        self._owed -= 1
        if isinstance(answer, Switched):
            if not (math.isfinite(answer.took) and answer.took >= 0.0):
                raise WallError("it sent a health that is no number")
            self._rung = answer.rung

    def _check_stamps(self, tick: Tick, now: float) -> None:
        if not (math.isfinite(tick.start) and math.isfinite(tick.end) and tick.start <= tick.end):
            raise WallError("it sent a tick that ends before it starts")
        if tick.start < self._last_end - 1e-6:
            raise WallError("it sent a tick of a time that it had told of already")
        if not self._recorded and not (self._started - self.SLACK <= tick.start and tick.end <= now + 0.1):
            raise WallError("it sent a tick of another time than now")

    def _check_health(self, tick: Tick) -> None:
        span = tick.end - tick.start
        seconds = (tick.observed, tick.blind, tick.infer, tick.prepare)
        if not all(math.isfinite(one) and one >= 0.0 for one in seconds):
            raise WallError("it sent a health that is no number")
        if tick.observed + tick.blind > span + 1e-3:
            raise WallError("it observed for longer than the tick lasted")
        if not (0 <= tick.analysed <= 1000 * (span + 1) and 0 <= tick.dropped <= 100_000):
            raise WallError("it analysed more frames than there can be")


#: The largest value per unit: a share or an activity is a fraction, a picture holds no thousand things.
LARGEST_VALUE: Final = {"share": 1.0, "fraction": 1.0, "count": 1000.0}


def check_entry(entry: Entry, span: float, unit: str) -> None:
    """Raise ``WallError`` unless the entry's numbers can belong together, within ``span`` seconds and the
    unit's range.
    """
    if not all(map(math.isfinite, (entry.seconds, entry.sum, entry.min, entry.max, entry.sumsq))):
        raise WallError("it sent a number that is none")
    if not 0.0 <= entry.seconds <= span + 1e-3:
        raise WallError("it sent a series observed for longer than the tick lasted")
    low, high = (0.0, LARGEST_VALUE[unit]) if unit in LARGEST_VALUE else (-1e9, 1e9)
    if not low <= entry.min <= entry.max <= high:
        raise WallError("it sent extremes outside of what can be")
    slack = 1e-6 * (1.0 + abs(entry.sum))
    if not entry.min * entry.seconds - slack <= entry.sum <= entry.max * entry.seconds + slack:
        raise WallError("it sent a sum outside of its extremes")
    largest = max(entry.min**2, entry.max**2) * entry.seconds
    if not -1e-9 <= entry.sumsq <= largest * (1 + 1e-6) + 1e-6:
        raise WallError("it sent squares that cannot be its sum's")
