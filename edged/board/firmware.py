"""The Raspberry Pi's firmware, asked through its mailbox's property interface (``/dev/vcio``).

One ioctl carries one buffer of 32-bit words, little-endian: its size in bytes, a code (0: a request), tags,
and an end tag 0. A tag is its number, the size of its value buffer, a code (0: a request) and the values.
The firmware answers in place: the buffer's code becomes 0x80000000, the tag's code the length of the answer
with bit 31 set. Anything else is no answer. (Raspberry Pi: "Mailbox property interface".)
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edged.errors import UnavailableError

DEVICE: Final = Path("/dev/vcio")
#: _IOWR(100, 0, char *): the size of a pointer is a part of the code.
PROPERTY: Final = 3 << 30 | ctypes.sizeof(ctypes.c_void_p) << 16 | 100 << 8
GET_VOLTAGE: Final = 0x00030003
GET_THROTTLED: Final = 0x00030046
CORE: Final = 1  # a voltage's number
REQUEST, DONE, ANSWERED = 0, 0x80000000, 0x80000000

Ioctl = Callable[[int, int, bytearray, bool], object]


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
        number, microvolts = self.ask(GET_VOLTAGE, CORE, 0)
        if number != CORE or not 100_000 <= microvolts <= 2_000_000:
            raise _wrong(GET_VOLTAGE, f"{microvolts} microvolts")
        return microvolts / 1e6

    def ask(self, tag: int, *values: int) -> tuple[int, ...]:
        """The answer to one tag: as many words as went in."""
        words = len(values)
        message = struct.pack(f"<{6 + words}I", 4 * (6 + words), REQUEST, tag, 4 * words, REQUEST, *values, 0)
        buffer = bytearray(message)
        opened = os.open(self._device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._ioctl(opened, PROPERTY, buffer, True)
        finally:
            os.close(opened)
        return _answer(bytes(buffer), tag, words)


def _answer(buffer: bytes, tag: int, words: int) -> tuple[int, ...]:
    if len(buffer) != 4 * (6 + words):
        raise _wrong(tag, f"{len(buffer)} bytes")
    size, code, answered, room, length, *values, end = struct.unpack(f"<{6 + words}I", buffer)
    if code != DONE:
        raise _wrong(tag, f"code {code:#x}")
    if (size, answered, room, end) != (len(buffer), tag, 4 * words, 0):
        raise _wrong(tag, "another frame")
    if not length & ANSWERED or length & ~ANSWERED != 4 * words:
        raise _wrong(tag, f"length {length:#x}")
    return tuple(values)


def _wrong(tag: int, what: str) -> UnavailableError:
    return UnavailableError(
        f"the firmware's answer to {tag:#010x} is none: {what}",
        "a newer firmware may help: rpi-eeprom-update, apt upgrade",
    )
