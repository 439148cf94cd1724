"""The wall's wire: all that ever passes between a worker, who sees, and the daemon, who keeps.

One ``SOCK_SEQPACKET`` pair per worker; a message is one packet of MessagePack, at most ``LARGEST`` bytes.
Down go an ``Assignment`` (first) and ``Directive`` s; up come one ``Ready``, then a ``Tick`` a second, one
``Switched`` or ``Declined`` for a directive that asks for another rung, ``Lost`` when a camera was
unplugged (a ``Lent`` goes down once it is there again), and at last ``Ended`` or ``Trouble``. There is no
message that could hold a frame, a box or one frame's score, and the daemon believes none of them:
``inspector`` holds each against size, rate, order, range and rounding, and a worker that breaks a rule is
killed.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edged.config.shape import Model, Pipeline
from edged.errors import WallError
from edged.nouns import Amount, Entry, Series

PROTOCOL: Final = 4
LARGEST: Final = 16 * 1024  # bytes; 20 series need about 1 KiB a tick
TICK: Final = 1.0  # seconds
FEED: Final = 4  #: the descriptor under which a worker has its feed's socket
MOST_SERIES: Final = 256
MOST_THREADS: Final = 16
BURST: Final = 16  # messages that may come at once; after a stall a worker has a few ticks to hand over
#: Ticks per second from a recording read as fast as it goes: one per recorded second.
RECORDED_RATE: Final = 2000.0

#: Calls that a worker tries once it is locked, and that the daemon must have been asked about before it
#: believes that the worker is ready.
WITNESSED: Final = ("openat", "socket", "execve", "kill")

Text = Annotated[str, Meta(max_length=400)]
#: What a source suffers from that gives nothing to be counted; the last one is of those that give lines.
Sight = Literal["", "dark", "covered", "blurred", "moved", "silent", "malformed"]
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


class Watched(msgspec.Struct, frozen=True, tag="watched", array_like=True):
    """The worker is locked from here on. With it comes one descriptor, through which the kernel asks about
    each call that a locked worker may not make; and after it the worker tries some of them, to prove it.
    """


class Tick(msgspec.Struct, frozen=True, tag="tick", array_like=True):
    """A second's worth of a pipeline, since the last tick. ``entries`` follows the valued ones of
    ``Assignment.series``; ``amounts`` are what happened, by index of all of them.

    ``start`` and ``end`` are times of the source's clock (see ``nouns``). ``infer`` and ``prepare`` are
    mean seconds per frame. All of it was made on one ``rung`` with so many ``threads``; ``cpu`` is what the
    whole process took of the CPUs since the last tick, in seconds of one core. ``sight`` says why what
    came was not counted ("" if nothing was left out): then that time is blind.
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
    amounts: tuple[Amount, ...] = ()
    sight: Sight = ""


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


class Lost(msgspec.Struct, frozen=True, tag="lost", array_like=True):
    """The device has gone, and this worker, which can open nothing any more, wants it again. Which one that
    is the daemon has from its config: there is nothing here to ask for another by. Until it is lent the
    worker is blind.
    """


class Lent(msgspec.Struct, frozen=True, tag="lent", array_like=True):
    """With it comes one descriptor: the device that was lost, opened anew. Without one there is none to come:
    the worker was to ask less often, and its successor opens the device.
    """


class Ended(msgspec.Struct, frozen=True, tag="ended", array_like=True):
    """The recording is over."""

    analysed: int


class Trouble(msgspec.Struct, frozen=True, tag="trouble", array_like=True):
    """Why this worker gives up. ``final`` means that trying again cannot help before the owner changes
    something; ``afresh`` that it was asked for what only a worker can do that is not locked yet: the
    next one.
    """

    final: bool
    message: Text
    hint: Text = ""
    afresh: bool = False


Up = Ready | Watched | Tick | Switched | Declined | Lost | Ended | Trouble
Down = Assignment | Directive | Lent


class Channel:
    """One end of a wall: whole messages, never blocking the daemon."""

    def __init__(self, end: socket.socket, incoming: type | object) -> None:
        self._end = end
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[object] = msgspec.msgpack.Decoder(incoming)
        self._buffer = bytearray(LARGEST + 1)
        #: There is one way to write a message: a worker that could choose between two would say more by it.
        self._exact = incoming is Up
        self.received = 0
        #: A descriptor that came with a message, -1 for none; whoever takes it closes it.
        self.lent = -1

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

    def send_with(self, message: object, descriptor: int) -> None:
        """Send a small message with a descriptor. Raises ``OSError``."""
        with_it = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
        self._end.sendmsg([self._encoder.encode(message)], with_it, socket.MSG_NOSIGNAL)

    def _received(self, flags: int, lending: bool) -> int:
        """Bytes of the next packet. The kernel drops descriptors that nobody asked for."""
        if not lending or self.lent >= 0:
            return self._end.recv_into(self._buffer, 0, flags)
        room = socket.CMSG_SPACE(struct.calcsize("i"))
        size, came, _, _ = self._end.recvmsg_into([self._buffer], room, flags | socket.MSG_CMSG_CLOEXEC)
        for _, kind, data in came:
            if kind == socket.SCM_RIGHTS:
                self._keep(struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4]))
        return size

    def _keep(self, descriptors: tuple[int, ...]) -> None:
        """The first one; there is room for two on some architectures, and one is all that was asked for."""
        for one in descriptors:
            if self.lent < 0:
                self.lent = one
            else:
                os.close(one)

    def receive(self, wait: bool = True, lending: bool = False) -> object | None:
        """The next message, None when the other end has closed. Raises ``BlockingIOError``, ``WallError``.

        With ``lending`` a descriptor may come with it, which is then ``lent``.
        """
        try:
            size = self._received(0 if wait else socket.MSG_DONTWAIT, lending)
        except ConnectionResetError:
            return None
        if not size:
            return None
        if size > LARGEST:
            raise WallError(f"it sent a message larger than {LARGEST} bytes")
        self.received += size
        try:
            message = self._decoder.decode(memoryview(self._buffer)[:size])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # What is wrong with it would be said in its own words.
            raise WallError("it sent a message that is none of the wall's") from None
        if self._exact and self._encoder.encode(message) != self._buffer[:size]:
            raise WallError("it sent a message that is not written as the wall writes it")
        return message

    def wait(self, seconds: float) -> bool:
        """Whether there is a message, or the other end has gone, within so many seconds."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1e3))

    def close(self) -> None:
        """Close this end, and what came through it and nobody took."""
        if self.lent >= 0:
            os.close(self.lent)
            self.lent = -1
        self._end.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """The daemon's end (never blocks) and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs
