"""The Raspberry Pi's firmware, asked through its mailbox's property interface (``/dev/vcio``).

One ioctl carries one buffer of 32-bit words, little-endian: its size in bytes, a code (0: a request), tags,
and an end tag 0. A tag is its number, the size of its value buffer, a code (0: a request) and the values.
The firmware answers in place: the buffer's code becomes 0x80000000, the tag's code the length of the answer
with bit 31 set. Anything else is no answer. (Raspberry Pi: "Mailbox property interface".)

Several tags may be asked at once, which costs one trip instead of several. A tag that the firmware does not
know may spoil them all, and the kernel logs it: so each is tried alone before.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edged.errors import UnavailableError

DEVICE: Final = Path("/dev/vcio")
#: _IOWR(100, 0, char *): the size of a pointer is a part of the code.
PROPERTY: Final = 3 << 30 | struct.calcsize("P") << 16 | 100 << 8
GET_VOLTAGE: Final = 0x00030003
GET_MAX_CLOCK: Final = 0x00030004
GET_MAX_TEMPERATURE: Final = 0x0003000A
GET_THROTTLED: Final = 0x00030046
GET_CLOCK_MEASURED: Final = 0x00030047
GENCMD: Final = 0x00030080  # what the program vcgencmd asks: a command as text
CORE: Final = 1  # a voltage's number
ARM: Final = 3  # a clock's number
TEXT: Final = 1024  # bytes of a command, and of its answer
REQUEST, DONE, ANSWERED = 0, 0x80000000, 0x80000000

Ioctl = Callable[[int, int, bytearray, bool], object]
#: A tag and the words that it is asked with.
Question = tuple[int, tuple[int, ...]]


class Mailbox:
    """The firmware. Every question may raise ``OSError`` as the kernel says it (``FileNotFoundError``: this
    is no Raspberry Pi; ``PermissionError``: not for this user) and ``UnavailableError`` for what is no
    answer.
    """

    def __init__(self, device: Path = DEVICE, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._device, self._ioctl = device, ioctl

    def throttled(self) -> int:
        """The word of ``voltage.Word``. Asking clears nothing."""
        return self.ask(GET_THROTTLED, 0)[0]

    def core_voltage(self) -> float:
        """Volts that the processor's core is fed with."""
        return volts(*self.ask(GET_VOLTAGE, CORE, 0))

    def ask(self, tag: int, *values: int) -> tuple[int, ...]:
        """The answer to one tag: as many words as went in."""
        return self.ask_all(((tag, values),))[0]

    def ask_all(self, questions: Sequence[Question]) -> list[tuple[int, ...]]:
        """The answers to several tags in one trip, each as many words as went in."""
        asked = [word for tag, values in questions for word in (tag, 4 * len(values), REQUEST, *values)]
        words = 3 + len(asked)
        buffer = self._carried(struct.pack(f"<{words}I", 4 * words, REQUEST, *asked, 0), questions[0][0])
        return _answers(list(struct.unpack(f"<{words}I", buffer)), questions)

    def command(self, text: str) -> str:
        """What the firmware says to a command of vcgencmd's. Its frame has a word for an error before the
        text, which the tag's size does not count.
        """
        words = 6 + TEXT // 4 + 1
        head = struct.pack("<6I", 4 * words, REQUEST, GENCMD, TEXT, REQUEST, 0)
        buffer = self._carried(head + text.encode().ljust(TEXT, b"\0") + bytes(4), GENCMD)
        size, code, tag, _, length, error = struct.unpack_from("<6I", buffer)
        if code != DONE or (size, tag) != (len(buffer), GENCMD) or not length & ANSWERED:
            raise _wrong(GENCMD, f"code {code:#x}, length {length:#x}")
        said = buffer[24 : 24 + TEXT].partition(b"\0")[0].decode("ascii", errors="replace")
        if error or said.startswith("error="):
            raise _wrong(GENCMD, said[:80] or f"error {error}")
        return said

    def _carried(self, message: bytes, tag: int) -> bytes:
        """There and back."""
        buffer = bytearray(message)
        opened = os.open(self._device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._ioctl(opened, PROPERTY, buffer, True)
        finally:
            os.close(opened)
        if len(buffer) != len(message):
            raise _wrong(tag, f"{len(buffer)} bytes")
        return bytes(buffer)


def volts(number: int, microvolts: int) -> float:
    """What GET_VOLTAGE answered of the core, in volts; ``UnavailableError`` for what no core bears."""
    if number != CORE or not 100_000 <= microvolts <= 2_000_000:
        raise _wrong(GET_VOLTAGE, f"{microvolts} microvolts")
    return microvolts / 1e6


def hertz(number: int, rate: int) -> float:
    """What a question for the processor's clock answered; ``UnavailableError`` for what is none."""
    if number != ARM or not 50_000_000 <= rate <= 5_000_000_000:
        raise _wrong(GET_CLOCK_MEASURED, f"{rate} Hz")
    return float(rate)


def _answers(frame: list[int], questions: Sequence[Question]) -> list[tuple[int, ...]]:
    first = questions[0][0]
    if frame[1] != DONE:
        raise _wrong(first, f"code {frame[1]:#x}")
    if frame[0] != 4 * len(frame) or frame[-1] != 0:
        raise _wrong(first, "another frame")
    found, place = [], 2
    for tag, values in questions:
        words = len(values)
        answered, room, length = frame[place : place + 3]
        if (answered, room) != (tag, 4 * words):
            raise _wrong(tag, "another frame")
        if not length & ANSWERED or length & ~ANSWERED != 4 * words:
            raise _wrong(tag, f"length {length:#x}")
        found.append(tuple(frame[place + 3 : place + 3 + words]))
        place += 3 + words
    return found


def _wrong(tag: int, what: str) -> UnavailableError:
    return UnavailableError(
        f"the firmware's answer to {tag:#010x} is none: {what}",
        "a newer firmware may help: rpi-eeprom-update, apt upgrade",
    )
