"""An adapter for 1-wire (DS9490R) with a thermometer (DS18B20) on its bus, in the emulated machine.

    with plugged() as thermometer:
        thermometer.celsius = 21.5
        thermometer.damaged = True    # a bit is lost on the wire
        thermometer.powered = False   # it cannot measure, and says what it says after a reset
        thermometer.held = True       # the wire is held down while it speaks

It is a device of the kernel's own virtual USB host (USB/IP, vhci-hcd), so Debian's drivers do with it what
they do with a real one: they search the bus, have it measure, and check its check sums. What the chips say to
each command is of their data sheets (DS2490, DS18B20), the packets of Documentation/usb/usbip_protocol.rst.

Runs as root in the machine of ``vm.sh``.
"""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from drivers import within

HOST: Final = Path("/sys/devices/platform/vhci_hcd.0")
SLAVES: Final = Path("/sys/bus/w1/devices")
PORT, FULL_SPEED = 0, 2
FREE: Final = "004"  # state of a port that nothing is plugged into
#: USB/IP: a header of 48 bytes, big-endian; commands.
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
HEADER: Final = 48
#: USB 1.1, table 9-4: requests; and what kinds of descriptor are asked for here.
GET_STATUS, GET_DESCRIPTOR, STANDARD, VENDOR = 0, 6, 0x00, 0x40
OF_DEVICE, OF_CONFIGURATION = 1, 2
#: Maxim's numbers; end points: status, data out, data in.
ADAPTER: Final = (0x04FA, 0x2490)
ENDPOINTS: Final = ((0x81, 3, 32), (0x02, 2, 64), (0x83, 2, 64))
SETTINGS: Final = 4  # of its interface; the driver takes the last one
#: DS2490: the kind of vendor requests that do something, flags of their low byte, a status that is idle.
COMMUNICATION, FLAGS, IDLE = 1, 0x09, 0x20
#: DS18B20: commands of the bus and of its own; 12 bits; 85 °C.
MATCH, SKIP, READ_PAD, WRITE_PAD = 0x55, 0xCC, 0xBE, 0x4E
TWELVE_BITS, AFTER_RESET = 0x7F, 85.0


class Does(IntEnum):
    """What a DS2490 does on the bus, without its flags."""

    RESET, BIT, BYTE, BLOCK, SEARCH = 0x42, 0x20, 0x52, 0x74, 0xF4


def checksum(data: bytes) -> int:
    """Dallas' CRC of 8 bits: x^8 + x^5 + x^4 + 1, the least bit first (application note 27)."""
    made = 0
    for byte in data:
        made ^= byte
        for _ in range(8):
            made = made >> 1 ^ (0x8C if made & 1 else 0)
    return made


class Thermometer:
    """A DS18B20 with power of its own."""

    def __init__(self, number: int = 0xAB) -> None:
        self.celsius, self.damaged, self.powered, self.held = 20.0, False, True, False
        self.name = f"28-{number:012x}"
        code = bytes([0x28]) + number.to_bytes(6, "little")
        self.code = code + bytes([checksum(code)])
        self._says, self._called, self._takes = b"", False, 0

    def reset(self) -> None:
        """The bus was pulled down: whoever is on it listens for its name."""
        self._says, self._called, self._takes = b"", False, 0

    def byte(self, given: int) -> int:
        """What is on the wire while the master writes this; 0xff is what it writes to read."""
        if self._says:
            said, self._says = self._says[0], self._says[1:]
            return said
        if self._takes:  # the rest of its name, or what it is to keep
            self._takes -= 1
        elif not self._called:
            self._called, self._takes = given in (MATCH, SKIP), 8 if given == MATCH else 0
        elif given == READ_PAD:
            self._says = self._pad()
        elif given == WRITE_PAD:
            self._takes = 3
        return given

    def _pad(self) -> bytes:
        if self.held:
            return bytes(9)
        degrees = self.celsius if self.powered else AFTER_RESET
        pad = struct.pack("<hBBBBBB", round(degrees * 16), 75, 70, TWELVE_BITS, 0xFF, 0x0C, 0x10)
        return pad + bytes([checksum(pad) ^ self.damaged])


class Adapter:
    """A DS2490: requests of the driver, and what is read after them."""

    def __init__(self, thermometer: Thermometer) -> None:
        self._thermometer = thermometer
        self._out, self._in = b"", b""

    def request(self, kind: int, value: int, index: int) -> None:
        """What it does is done at once; modes and durations of pulses change nothing here."""
        if kind != COMMUNICATION:
            return
        bus = self._thermometer
        match value & 0xFF & ~FLAGS:
            case Does.RESET:
                bus.reset()
            case Does.BIT:
                self._in += b"\x01"  # it has power of its own, and is not busy
            case Does.BYTE:
                self._in += bytes([bus.byte(index & 0xFF)])
            case Does.BLOCK:
                self._in += bytes(bus.byte(one) for one in self._out[:index])
                self._out = b""
            case Does.SEARCH:
                self._in, self._out = bus.code, b""

    def take(self, data: bytes) -> None:
        """What is to go out on the bus."""
        self._out += data

    def give(self, most: int) -> bytes:
        """What came in from it."""
        given, self._in = self._in[:most], self._in[most:]
        return given

    def status(self) -> bytes:
        """Sixteen bytes: idle, and how much waits to be read."""
        return bytes([*bytes(8), IDLE, 0, 0, 0, 0, len(self._in), 0, 0])


def descriptor(kind: int) -> bytes:
    """USB 1.1, 9.6; empty for one that it does not have."""
    if kind == OF_DEVICE:
        return struct.pack("<BBHBBBBHHHBBBB", 18, OF_DEVICE, 0x0110, 0, 0, 0, 64, *ADAPTER, 2, 0, 0, 0, 1)
    if kind != OF_CONFIGURATION:
        return b""
    ends = b"".join(struct.pack("<BBBBHB", 7, 5, *one, 1) for one in ENDPOINTS)
    faces = [struct.pack("<BBBBBBBBB", 9, 4, 0, at, 3, 0xFF, 0, 0, 0) + ends for at in range(SETTINGS)]
    body = b"".join(faces)
    return struct.pack("<BBHBBBBB", 9, OF_CONFIGURATION, 9 + len(body), 1, 1, 0, 0x80, 50) + body


class Plug(threading.Thread):
    """The adapter's end of the cable: answers each packet, until the cable is pulled."""

    def __init__(self, adapter: Adapter, end: socket.socket) -> None:
        super().__init__(daemon=True)
        self._adapter, self._end = adapter, end

    def run(self) -> None:
        with suppress(BrokenPipeError):  # it was pulled before an answer was out
            self._serve()

    def _serve(self) -> None:
        while len(header := self._received(HEADER)) == HEADER:
            command, number, _, inward, endpoint = struct.unpack(">5I", header[:20])
            if command == UNLINK:  # too late: everything is answered in its turn
                self._end.sendall(struct.pack(">5Ii", UNLINKED, number, 0, 0, 0, 0) + bytes(24))
                continue
            (length,) = struct.unpack(">i", header[24:28])
            data = b"" if inward else self._received(length)
            status, said = self._answer(endpoint, header[40:48], data, length)
            moved = len(said) if inward else length
            answer = struct.pack(">5I5i", SUBMITTED, number, 0, 0, 0, status, moved, 0, 0, 0)
            self._end.sendall(answer + bytes(8) + (said if inward else b""))

    def _received(self, length: int) -> bytes:
        """All of it; less when the cable was pulled."""
        data = b""
        while len(data) < length and (more := self._end.recv(length - len(data))):
            data += more
        return data

    def _answer(self, endpoint: int, setup: bytes, data: bytes, length: int) -> tuple[int, bytes]:
        """Status (0 or a negative errno) and what is said."""
        if endpoint == 0:
            return self._controlled(*struct.unpack("<BBHHH", setup))
        if endpoint == 2:
            self._adapter.take(data)
            return 0, b""
        return 0, self._adapter.status() if endpoint == 1 else self._adapter.give(length)

    def _controlled(self, kind: int, request: int, value: int, index: int, length: int) -> tuple[int, bytes]:
        if kind & 0x60 == VENDOR:
            self._adapter.request(request, value, index)
        elif request == GET_STATUS:
            return 0, bytes(2)
        elif request == GET_DESCRIPTOR:
            found = descriptor(value >> 8)[:length]
            return (0, found) if found else (-errno.EPIPE, b"")
        return 0, b""


@contextmanager
def plugged(thermometer: Thermometer | None = None) -> Iterator[Thermometer]:
    """As long as it lasts the adapter is there, and the thermometer has been found."""
    for words in (("vhci-hcd",), ("ds2490",), ("w1_therm",)):
        subprocess.run(["modprobe", *words], check=True)
    one = thermometer or Thermometer()
    ours, theirs = socket.socketpair()
    plug = Plug(Adapter(one), ours)
    plug.start()
    assert within(30.0, lambda: f"{PORT:04d} {FREE}" in (HOST / "status").read_text())
    with theirs:
        (HOST / "attach").write_text(f"{PORT} {theirs.fileno()} 1 {FULL_SPEED}")
    try:
        assert within(60.0, (SLAVES / one.name / "temperature").exists), "no thermometer was found"
        yield one
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        plug.join()
        ours.close()
        assert within(30.0, lambda: not (SLAVES / one.name).exists())
