"""A worker that was taken over: it knows the wall, keeps every rule for a while, and then breaks one.

It shares no code with edged: it writes MessagePack by itself, and what it takes for the rules is written down
here a second time. A *life* is one process. All that it does follows from the seed and the life's number, so
that whoever started it knows what to expect.
"""

from __future__ import annotations

import ctypes
import math
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

Message = list[Any]
Deed = Callable[["Worker"], None]

NAN, INFINITE = float("nan"), float("inf")
LONGEST = 150_000  # bytes of one packet: more than a socket takes
MOST_DESCRIPTORS = 253  # SCM_MAX_FD of Linux


class Life(NamedTuple):
    """What a worker does: so many honest-looking ticks, then ``end``. ``broken`` says whether that breaks a
    rule, so that it must be refused; ``certain`` whether that can be told beforehand.
    """

    number: int
    recorded: bool
    ticks: int
    descriptors: int
    end: str
    broken: bool
    certain: bool


def pack(value: Any) -> bytes:
    """MessagePack of it, the shortest way, numbers with a point as eight bytes."""
    match value:
        case None | bool():
            packed = {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
        case int():
            packed = _whole(value)
        case float():
            packed = struct.pack(">Bd", 0xCB, value)
        case str():
            packed = _headed(value.encode("utf-8", "surrogatepass"), 0xA0, 0xD9, 31)
        case dict():
            packed = bytes([0x80 | len(value)]) + b"".join(
                pack(one) for pair in value.items() for one in pair
            )
        case _:
            head = bytes([0x90 | len(value)]) if len(value) < 16 else struct.pack(">BH", 0xDC, len(value))
            packed = head + b"".join(map(pack, value))
    return packed


def _whole(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack(">b", value)
    for code, form in ((0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q")) if value > 0 else ():
        if value < 256 ** struct.calcsize(form):
            return struct.pack(f">B{form}", code, value)
    for code, form in ((0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q")):
        if -(256 ** struct.calcsize(form)) // 2 <= value:
            return struct.pack(f">B{form}", code, value)
    raise OverflowError(value)


def _headed(content: bytes, few: int, code: int, most: int) -> bytes:
    size = len(content)
    if size <= most:
        return bytes([few | size]) + content
    for more, form in enumerate("BHI"):
        if size < 256 ** struct.calcsize(form):
            return struct.pack(f">B{form}", code + more, size) + content
    raise OverflowError(size)


EVENT, NUMBER = "event", "number"


def valued(units: list[str]) -> list[str]:
    """Of those series that have entries."""
    return [one for one in units if one not in (EVENT, NUMBER)]


class Liar:
    """Ticks that keep every rule and are not true. ``units`` are those of the series; of those that are
    counted ``EVENT`` and ``NUMBER``.
    """

    def __init__(self, chance: random.Random, units: list[str], recorded: bool, rate: float) -> None:
        self._chance, self._recorded, self._rate = chance, recorded, rate
        self._all, self._units = units, valued(units)
        self.number = self.frames = 0
        self.end = 0.0

    def ready(self) -> Message:
        return ["ready", 5.0, 96, 96, "litert", "cpu", "", []]

    def begin(self) -> None:
        """As far back as a worker may have begun."""
        self.end = 0.0 if self._recorded else math.floor((time.monotonic() - 4.0) * 64) / 64

    def room(self) -> int:
        """64ths of a second that can be told of by now."""
        return 64 if self._recorded else int((time.monotonic() - self.end) * 64)

    def tick(self, whole: bool = False) -> Message:
        """The next one; ``whole``: of a quarter of a second at least, all of it observed."""
        chance = self._chance
        span = min(chance.choice((16, 32, 63, 64) if whole else (0, 1, 16, 32, 63, 64)), self.room()) / 64
        observed = span
        if not whole and chance.random() < 0.3:
            observed = chance.randint(0, int(span * 64)) / 64
        analysed = chance.randint(1, int(self._rate * span) + 3) if observed else 0
        self.number, start, self.end = self.number + 1, self.end, self.end + span
        self.frames += analysed
        took = chance.randint(16, 31) / 2.0 ** chance.randint(8, 14) if analysed else 0.0
        blind = span - observed if chance.random() < 0.9 else 0.0
        cpu = chance.randint(8, 15) / 2.0 ** chance.randint(5, 10)
        dropped = chance.choice((0, 0, 1, 2, 65536))
        entries = [self._entry(unit, observed) for unit in self._units]
        told = [analysed, dropped, observed, blind, took, took, entries, 0, 1, cpu]
        happened = self._happened() if span and chance.random() < 0.5 else []
        sight = chance.choice(("", "dark", "covered", "blurred", "moved")) if blind else ""
        return ["tick", self.number, start, self.end, *told, happened, sight]

    def _happened(self) -> list[list[int]]:
        """Of each series that can have it, and one estimate of each in turn."""
        chance, found = self._chance, []
        guessed = chance.sample(range(len(self._all)), min(2, len(self._all)))
        for number, unit in enumerate(self._all):
            if unit == EVENT:
                found.append([number, chance.randint(1, 8), 0])
            elif unit == NUMBER:
                first = chance.randint(1, 167)
                found += [[number, 1, first], [number, 1, chance.randint(first + 1, 168)]]
            if number in guessed and unit in (EVENT, NUMBER, "count"):
                found.append([number, 2 ** chance.randint(0, 14), chance.choice((254, 255))])
        return found

    def _entry(self, unit: str, seconds: float) -> list[float]:
        if not seconds:
            return [0.0] * 5
        chance = self._chance
        scale, most = {"share": (1, 1), "fraction": (64, 64), "count": (1, 64)}.get(unit, (1, 255))
        low = chance.randint(0 if unit else -most, most)
        high = low if chance.random() < 0.5 else chance.randint(low, most)
        return entry(low / scale, high / scale, seconds, unit, chance.randint(0, 16), chance.randint(0, 4))


def entry(
    low: float, high: float, seconds: float, unit: str, place: int, place_of_squares: int
) -> list[float]:
    """The only numbers that the wall lets pass for these extremes, places of 16 and of 4."""
    least, most = low * seconds, high * seconds
    total = min(most, least + (most - least) * (place / 16)) if low < high else most
    squares = (low + high) * total - low * high * seconds
    if low < high and not (high - low == 1.0 and unit in ("share", "count")):
        at_least = min(total * total / seconds, squares)
        if at_least < squares:
            squares = min(squares, at_least + (squares - at_least) * (place_of_squares / 4))
    return [seconds, total, low, high, squares]


#: Where a tick has what.
TURN, START, END, ANALYSED, DROPPED, OBSERVED, BLIND, INFER, PREPARE, ENTRIES, RUNG, THREADS, CPU = range(
    1, 14
)
AMOUNTS, SIGHT = 14, 15


def whole(worker: Worker) -> Message:
    """A tick of a second, or of what there is, in which everything may be wrong. Who told of all that there
    was waits for more: to send on would break another rule, and hide whether this one holds.
    """
    worker.send(worker.liar.tick())
    while worker.liar.room() < 16:
        time.sleep(0.02)
    return worker.liar.tick(whole=True)


def changed(place: int, value: Any) -> Deed:
    """Send a tick with another value; a function makes it of the tick's own."""

    def deed(worker: Worker) -> None:
        tick = whole(worker)
        tick[place] = value(tick) if callable(value) else value
        worker.send(tick)

    return deed


def changed_entry(change: Callable[[list[float], str], Any], units: tuple[str, ...] = ()) -> Deed:
    """Send a tick in which the entry of one series, of one of the ``units``, is another."""

    def deed(worker: Worker) -> None:
        tick = whole(worker)
        mine = valued(worker.units)
        fitting = [place for place, unit in enumerate(mine) if not units or unit in units]
        place = worker.chance.choice(fitting)
        tick[ENTRIES][place] = change(tick[ENTRIES][place], mine[place])
        worker.send(tick)

    return deed


def happened(change: Callable[[int, int], list[Any]], kind: str = EVENT) -> Deed:
    """Send a tick that tells of what happened to a series of that kind; ``change`` is given its number, and
    how many series there are.
    """

    def deed(worker: Worker) -> None:
        tick = whole(worker)
        tick[AMOUNTS] = change(worker.units.index(kind), len(worker.units))
        worker.send(tick)

    return deed


def sent(*messages: Any) -> Deed:
    """Send these."""

    def deed(worker: Worker) -> None:
        for one in messages:
            worker.send(one(worker) if callable(one) else one)

    return deed


def raw(make: Callable[[Worker], bytes]) -> Deed:
    """Send bytes."""
    return lambda worker: worker.throw(make(worker))


def _replaced(place: int, value: float) -> Callable[[list[float], str], list[float]]:
    return lambda one, _: [*one[:place], value, *one[place + 1 :]]


def _fine_sum(one: list[float], unit: str) -> list[float]:
    made = entry(0.0, 1.0, one[0], unit, 8, 2)
    return [one[0], made[1] + one[0] / 37, 0.0, 1.0, made[4]]


def _fine_squares(one: list[float], unit: str) -> list[float]:
    made = entry(0.0, 1.0, one[0], unit, 8, 2)
    return [*made[:4], made[4] + 0.01]


def _beyond(one: list[float], unit: str) -> list[float]:
    high = {"share": 2.0, "fraction": 1.5, "count": 2048.0}.get(unit, 2.0**40)
    return entry(high, high, one[0], unit, 0, 0)


def _between(one: list[float], unit: str) -> list[float]:
    """Extremes between what the grid has."""
    value = {"share": 0.5, "fraction": 1 / 144, "count": 65.0}.get(unit, 257.3)
    return entry(value, value, one[0], unit, 0, 0)


def _flood(worker: Worker) -> None:
    at, number = worker.liar.end, worker.liar.number
    for more in range(1, 20_000):
        told = [0, 0, 0.0, 0.0, 0.0, 0.0, worker.none(), 0, 1, 0.0, [], ""]
        worker.send(["tick", number + more, at, at, *told])


def _dark_and_not_blind(worker: Worker) -> None:
    tick = whole(worker)
    tick[BLIND], tick[SIGHT] = 0.0, "dark"
    worker.send(tick)


def _single(worker: Worker) -> bytes:
    """A tick whose start is written in four bytes."""
    tick = whole(worker)
    return pack(tick).replace(pack(tick[START]), struct.pack(">Bf", 0xCA, tick[START]), 1)


def _nested(worker: Worker) -> bytes:
    return b"\x91" * worker.chance.choice((100, 1000, 16_000)) + b"\x00"


def _mutated(worker: Worker) -> bytes:
    """A tick with some of its bytes turned."""
    packet = bytearray(pack(whole(worker)))
    for _ in range(worker.chance.randint(1, 8)):
        packet[worker.chance.randrange(len(packet))] = worker.chance.randrange(256)
    return bytes(packet)


def _cut(worker: Worker) -> bytes:
    packet = pack(whole(worker))
    return packet[: worker.chance.randrange(1, len(packet))]


def _text(size: int) -> Callable[[Worker], str]:
    return lambda worker: "".join(chr(worker.chance.randrange(32, 0x2FFF)) for _ in range(size))


#: Deeds that break a rule: the worker is to be killed for each.
BROKEN: dict[str, Deed] = {
    "number replayed": changed(TURN, lambda tick: tick[TURN] - 1),
    "number skipped": changed(TURN, lambda tick: tick[TURN] + 1),
    "number zero": changed(TURN, 0),
    "number below zero": changed(TURN, -1),
    "number of 2^63": changed(TURN, 2**63),
    "number as fraction": changed(TURN, lambda tick: float(tick[TURN])),
    "number as text": changed(TURN, lambda tick: str(tick[TURN])),
    "number none": changed(TURN, None),
    "start back": changed(START, lambda tick: tick[START] - 1.0),
    "start ahead": changed(START, lambda tick: tick[START] + 1 / 64),
    "start nan": changed(START, NAN),
    "start -inf": changed(START, -INFINITE),
    "end ahead": changed(END, lambda tick: tick[END] + 1e6),
    "end in the year 10^9": changed(END, 2.0**60),
    "end before start": changed(END, lambda tick: tick[START] - 1 / 64),
    "end too fine": changed(END, lambda tick: tick[END] - 1 / 1000),
    "end nan": changed(END, NAN),
    "end inf": changed(END, INFINITE),
    "frames above rate": changed(ANALYSED, lambda tick: int(5 * (tick[END] - tick[START])) + 4),
    "frames 10^9": changed(ANALYSED, 10**9),
    "frames below zero": changed(ANALYSED, -1),
    "frames of 2^64 - 1": changed(ANALYSED, 2**64 - 1),
    "frames true": changed(ANALYSED, True),
    "dropped below zero": changed(DROPPED, -1),
    "dropped too fine": changed(DROPPED, 3),
    "dropped 2^40": changed(DROPPED, 2**40),
    "observed more than elapsed": changed(OBSERVED, lambda tick: tick[END] - tick[START] + 1 / 64),
    "observed nan": changed(OBSERVED, NAN),
    "observed below zero": changed(OBSERVED, -1 / 64),
    "observed too fine": changed(OBSERVED, lambda tick: tick[OBSERVED] - 1 / 100),
    "observed less than its series": changed(OBSERVED, lambda tick: tick[OBSERVED] - 1 / 64),
    "blind half": changed(BLIND, lambda tick: (tick[END] - tick[START] - tick[OBSERVED]) + 1 / 64),
    "blind minus zero": changed(BLIND, -0.0),
    "blind inf": changed(BLIND, INFINITE),
    "infer too fine": changed(INFER, 0.0101),
    "infer 128 s": changed(INFER, 128.0),
    "infer below zero": changed(INFER, -1 / 64),
    "infer nan": changed(INFER, NAN),
    "prepare too fine": changed(PREPARE, 1e-6),
    "prepare 10^300": changed(PREPARE, 1e300),
    "entries none": changed(ENTRIES, []),
    "entries null": changed(ENTRIES, None),
    "entries one less": changed(ENTRIES, lambda tick: tick[ENTRIES][1:]),
    "entries of unknown series": changed(ENTRIES, lambda tick: [*tick[ENTRIES], tick[ENTRIES][0]]),
    "entries a thousand": changed(ENTRIES, lambda tick: tick[ENTRIES][:1] * 300),
    "entry nan": changed_entry(lambda one, _: [one[0], NAN, *one[2:]]),
    "entry inf": changed_entry(_replaced(3, INFINITE)),
    "entry 10^308": changed_entry(_replaced(4, 1e308)),
    "entry minus zero": changed_entry(lambda one, _: [one[0], -0.0, 0.0, 0.0, 0.0]),
    "entry of other seconds": changed_entry(lambda one, _: [one[0] - 1 / 64, *one[1:]]),
    "entry of no seconds": changed_entry(lambda one, _: [0.0, *one[1:]]),
    "entry as text": changed_entry(lambda one, _: "five"),
    "entry short": changed_entry(lambda one, _: [*one[:2], "x"]),
    "minimum above maximum": changed_entry(lambda one, unit: [one[0], one[0], 1.0, 0.0, one[0]]),
    "beyond what can be": changed_entry(_beyond),
    "between the grid": changed_entry(_between),
    "below zero": changed_entry(
        lambda one, unit: entry(-1.0, -1.0, one[0], unit, 0, 0), ("share", "count", "fraction")
    ),
    "sum beyond its extremes": changed_entry(lambda one, unit: [one[0], one[0] * 1.25, 1.0, 1.0, one[0]]),
    "sum too fine": changed_entry(_fine_sum),
    "squares too fine": changed_entry(_fine_squares),
    "squares below zero": changed_entry(_replaced(4, -1e9)),
    "rung unknown": changed(RUNG, 99),
    "rung below zero": changed(RUNG, -1),
    "threads none": changed(THREADS, 0),
    "threads too many": changed(THREADS, 17),
    "threads of 2^62": changed(THREADS, 2**62),
    "cpu too fine": changed(CPU, 0.17),
    "cpu of all the world": changed(CPU, 2.0**40),
    "cpu nan": changed(CPU, NAN),
    "nine events at once": happened(lambda one, _: [[one, 9, 0]]),
    "events below zero": happened(lambda one, _: [[one, -1, 0]]),
    "no event": happened(lambda one, _: [[one, 0, 0]]),
    "half an event": happened(lambda one, _: [[one, 0.5, 0]]),
    "events of 2^63": happened(lambda one, _: [[one, 2**63, 0]]),
    "an event with a number that has none": happened(lambda one, _: [[one, 1, 7]]),
    "an event without its number": happened(lambda one, _: [[one, 1, 0]], NUMBER),
    "a number beyond the bins": happened(lambda one, _: [[one, 1, 169]], NUMBER),
    "three numbers at once": happened(lambda one, _: [[one, 1, 5], [one, 1, 6], [one, 1, 7]], NUMBER),
    "an event of nobody's": happened(lambda _, many: [[many, 1, 0]]),
    "an event of the last but none": happened(lambda *_: [[-1, 1, 9]]),
    "an event of what has values": happened(lambda one, _: [[one, 1, 0]], "count"),
    "events twice": happened(lambda one, _: [[one, 1, 0], [one, 1, 0]]),
    "events backwards": happened(lambda one, _: [[one, 1, 254], [one, 1, 0]]),
    "a fine estimate": happened(lambda one, _: [[one, 3, 254]]),
    "a huge estimate": happened(lambda one, _: [[one, 2**20, 255]]),
    "an estimate of a fraction": happened(lambda one, _: [[one, 1, 254]], "fraction"),
    "three estimates at once": happened(
        lambda one, _: [[one, 1, 254], [one, 1, 255], [one + 1, 1, 254]], "event"
    ),
    "a thousand amounts": happened(lambda one, _: [[one, 1, 0]] * 1000),
    "amounts null": happened(lambda *_: None),  # type: ignore[arg-type, return-value]
    "an amount as text": happened(lambda *_: ["a picture"]),
    "blind for no reason that there is": changed(SIGHT, "a picture"),
    "a reason and not blind": _dark_and_not_blind,
    "one field more": sent(lambda worker: [*whole(worker), "a picture"]),
    "one kind unknown": sent(["picture", 1, 2, 3]),
    "ready twice": sent(lambda worker: worker.liar.ready()),
    "switched unasked": sent(["switched", 0, 1, "litert", "cpu", "", 0.0]),
    "declined unasked": sent(["declined", 0, 1, True, "no", ""]),
    "lost twice": sent(["lost"], ["lost"]),
    "lost, and saw on": sent(["lost"], whole),
    "lost a picture": sent(["lost", "a picture"]),
    "ended with other frames": sent(lambda worker: ["ended", worker.liar.frames + 1]),
    "ended, and went on": sent(
        lambda worker: ["ended", worker.liar.frames], lambda worker: worker.liar.tick()
    ),
    "gave up, and went on": sent(["trouble", False, "gone", "", False], lambda worker: worker.liar.tick()),
    "words too long": sent(lambda worker: ["trouble", False, _text(401)(worker), ""]),
    "words that are none": raw(lambda worker: b"\x94\xa7trouble\xc2\xa4\xff\xfe\xfd\xfc\xa0"),
    "an order": sent(["directive", 1.0, True, True, 0, 0]),
    "nothing": sent(None),
    "a number": sent(42),
    "a map": sent({"tick": 1}),
    "an empty list": sent([]),
    "cut": raw(_cut),
    "more after it": raw(lambda worker: pack(whole(worker)) + b"\x00"),
    "a long form": raw(lambda worker: b"\x92\xa5ended\xcf" + struct.pack(">Q", worker.liar.frames)),
    "four bytes for eight": raw(_single),
    "bytes": raw(lambda worker: worker.chance.randbytes(worker.chance.randint(1, 2000))),
    "a deep nest": raw(_nested),
    "a list of four thousand million": raw(lambda worker: b"\xdd\xff\xff\xff\xff\x00"),
    "a text of four thousand million": raw(lambda worker: b"\x92\xa7trouble\xdb\xff\xff\xff\xffx"),
    "a byte too many": raw(lambda worker: pack(whole(worker)).ljust(16 * 1024 + 1, b"\0")),
    "a huge packet": raw(lambda worker: worker.chance.randbytes(worker.chance.choice((17_000, LONGEST)))),
    "a flood": _flood,
}
#: Deeds instead of being ready.
EARLY: dict[str, Deed] = {
    "tick before ready": sent(lambda worker: worker.liar.tick()),
    "ended before ready": sent(["ended", 0]),
    "lost before ready": sent(["lost"]),
    "switched before ready": sent(["switched", 0, 1, "litert", "cpu", "", 0.0]),
    "ready with nan": sent(["ready", NAN, 96, 96, "x", "cpu", "", []]),
    "ready with a fine rate": sent(["ready", 29.97, 96, 96, "x", "cpu", "", []]),
    "ready without a picture": sent(["ready", 5.0, 96, 0, "x", "cpu", "", []]),
    "ready with a long word": sent(["ready", 5.0, 96, 96, "x" * 65, "cpu", "", []]),
    "ready, lacking a picture": sent(["ready", 5.0, 96, 96, "x", "cpu", "", ["A Picture!"]]),
    "ready, lacking too much": sent(["ready", 5.0, 96, 96, "x", "cpu", "", ["a"] * 9]),
    "ready without a lock": sent(["ready", 5.0, 96, 96, "x", "cpu", "", []]),
    "watched by nothing": sent(["watched"]),
}
#: Of those, what only one does that has no lock to show.
UNLOCKED = ("ready without a lock", "watched by nothing")
#: Rules that a lie must not run into before its own is reached: it would show nothing.
OTHER_RULES = ("locked", "messages a second")
#: Those whose own rule is one of them.
ANOTHER_RULE = {"a flood": ("locked",)} | dict.fromkeys(UNLOCKED, ("messages a second",))


def _silence(worker: Worker) -> None:
    time.sleep(60.0)


def _half_open(how: int) -> Deed:
    def deed(worker: Worker) -> None:
        worker.end.shutdown(how)
        time.sleep(60.0)

    return deed


def _closed(worker: Worker) -> None:
    worker.end.close()
    time.sleep(60.0)


def _blind(worker: Worker) -> None:
    """It loses its camera, and says each second that it sees nothing."""
    worker.send(["lost"])
    liar = worker.liar
    for _ in range(3):
        liar.number, start, liar.end = liar.number + 1, liar.end, liar.end + 1 / 64
        told = [0, 0, 0.0, 1 / 64, 0.0, 0.0, worker.none(), 0, 1, 0.0, [], ""]
        worker.send(["tick", liar.number, start, liar.end, *told])


def _empty(worker: Worker) -> None:
    worker.throw(b"")
    time.sleep(60.0)


#: Deeds that break no rule of a message.
LEGAL: dict[str, Deed] = {
    "leaves": lambda worker: None,
    "leaves with status 3": lambda worker: os._exit(3),
    "aborts": lambda worker: os.abort(),
    "says that it ended": sent(lambda worker: ["ended", worker.liar.frames]),
    "gives up": sent(
        lambda worker: ["trouble", worker.chance.random() < 0.5, _text(30)(worker), _text(400)(worker), False]
    ),
    "closes its end": _closed,
    "hears no more": _half_open(socket.SHUT_RD),
    "says no more": _half_open(socket.SHUT_WR),
    "sends an empty packet": _empty,
    "is silent": _silence,
    #: Of a recording that breaks a rule.
    "is blind": _blind,
    #: Mostly one of a rule broken; a turned bit may also make one legal number of another.
    "turns bits": raw(_mutated),
}
#: What no camera does.
OF_RECORDINGS = ("says that it ended",)
#: Those that take the daemon's patience, and so the campaign's time.
SLOW = ("closes its end", "hears no more", "says no more", "sends an empty packet", "is silent")
DEEDS = {**BROKEN, **EARLY, **LEGAL}
IN_TURN = 0


def life(seed: int, number: int, recorded: bool) -> Life:
    """What life ``number`` will do. A recording lets more than a live source pass at once. With the seed
    ``IN_TURN`` each kind comes once before one comes again, and none is long.
    """
    chance = random.Random(f"{seed}/{number}")
    ticks = chance.randint(500, 1800) if recorded else chance.randint(0, 11)
    descriptors = chance.choice((1, 3, MOST_DESCRIPTORS)) if chance.random() < 0.05 else 0
    kinds = chance.choices((BROKEN, EARLY, LEGAL), (16, 2, 1))[0]
    end = chance.choice([*kinds])
    if seed == IN_TURN:
        end, ticks = [*DEEDS][number % len(DEEDS)], ticks % 12
    elif end in SLOW and chance.random() < 0.9:
        end = "leaves"
    broken = end in BROKEN or end in EARLY or (end in OF_RECORDINGS and not recorded)
    broken = broken and not _uncertain(end, recorded)
    certain = not _uncertain(end, recorded)
    return Life(number, recorded, 0 if end in EARLY else ticks, descriptors, end, broken, certain)


def _uncertain(end: str, recorded: bool) -> bool:
    """Bits that were turned may make one legal number of another; and what a slow machine can send of a
    recording is no flood.
    """
    return end == "turns bits" or (end in ("a flood", "is blind") and recorded)


#: openat, socket, execve, kill; seccomp; prctl; by machine.
CALLS = {
    "x86_64": ((257, 41, 59, 62), 317, 157),
    "aarch64": ((56, 198, 221, 129), 277, 167),
}


def pretend(end: socket.socket) -> None:
    """Put on what looks like a worker's lock and is none: it asks about the four calls that the daemon wants
    to be asked about, and lets all others through. One that was taken over before its lock can do that.
    """
    calls, seccomp, prctl = CALLS[os.uname().machine]
    ask = [struct.pack("=HBBI", 0x15, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    asks = [struct.pack("=HBBI", 0x20, 0, 0, 0), *ask, struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)]
    asks.append(struct.pack("=HBBI", 6, 0, 0, 0x7FC00000))
    libc = ctypes.CDLL(None)
    libc.syscall(prctl, 38, 1, 0, 0, 0)
    for program, flags in (([struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)], 0), (asks, 8)):
        text = ctypes.create_string_buffer(b"".join(program))
        wish = struct.pack("HxxxxxxP", len(program), ctypes.addressof(text))
        listener = libc.syscall(seccomp, 1, flags, wish)
    with_it = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", listener))]
    end.sendmsg([pack(["watched"])], with_it, socket.MSG_NOSIGNAL)
    os.close(listener)
    for call in calls:
        libc.syscall(call, 0, 0, 0)


class Worker:
    """One life, lived over ``end``."""

    def __init__(self, end: socket.socket, life: Life, seed: int, units: list[str], rate: float) -> None:
        self.end, self.life, self.units = end, life, units
        self.chance = random.Random(f"{seed}/{life.number}/worker")
        self.liar = Liar(self.chance, units, life.recorded, rate)

    def none(self) -> list[list[float]]:
        """Entries of nothing."""
        return [[0.0] * 5 for _ in valued(self.units)]

    def send(self, message: Any) -> None:
        """Send a message, perhaps with descriptors that nobody asked for."""
        self.throw(pack(message))

    def throw(self, packet: bytes) -> None:
        """Send bytes; a packet that no socket takes is cut."""
        count = self.life.descriptors
        with_it = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{count}i", *[2] * count))] if count else []
        )
        try:
            self.end.sendmsg([packet], with_it, socket.MSG_NOSIGNAL)
        except OSError as error:
            if error.errno != 90:  # EMSGSIZE
                raise
            self.end.send(packet[:60_000], socket.MSG_NOSIGNAL)

    def live(self) -> None:
        """All of it."""
        self.end.recv(20_000)
        if self.life.end not in UNLOCKED:
            pretend(self.end)
        if self.life.end not in EARLY:
            self.liar.begin()
            self.send(self.liar.ready())
        for _ in range(self.life.ticks):
            self.send(self.liar.tick())
        DEEDS[self.life.end](self)


def main(seed: str, number: str, recorded: str, units: str, rate: str, descriptor: str) -> None:
    """Live life ``number``, then wait to be killed."""
    this = life(int(seed), int(number), recorded == "recorded")
    worker = Worker(socket.socket(fileno=int(descriptor)), this, int(seed), units.split(","), float(rate))
    try:
        worker.live()
    except (BrokenPipeError, ConnectionResetError):
        return
    if this.broken or _uncertain(this.end, this.recorded):
        time.sleep(60.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
