"""The emulated machine's drivers, moved by hand: a thermal zone, an LM75, an INA219, a battery's gauge.

    board = Bench.fitted()      # loads the drivers and gives each a healthy reading
    board.heat(85.0)            # the thermal zone's °C
    board.sag(4.5); board.sag() # volts of the supply; healthy again
    board.drain(15)             # the battery's percent, discharging
    board.charge(80)            # the same, on the mains
    board.case(45.0)            # the LM75's °C
    with board.unplugged("meter"): ...

Registers are those of the chips' data sheets, written to the kernel's i2c-stub by SMBus; the drivers that
read them are Debian's own. As a program: ``drivers.py heat 85``, ``drivers.py sag 4.5``, and so on.

Runs as root in the machine of ``vm.sh`` with TZ=1.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LATCH: Final = 0xE0  # the port that zone.asl reads, tenths of a kelvin
LM75, INA219, GAUGE = 0x48, 0x40, 0x0B  # addresses on the bus
CHIPS: Final = {"case": ("lm75", LM75), "meter": ("ina219", INA219), "battery": ("sbs-battery", GAUGE)}
DEVICES: Final = Path("/sys/bus/i2c/devices")
#: i2c-dev(7): who addresses a chip that has a driver, and one SMBus transfer.
SLAVE_FORCE, SMBUS = 0x0706, 0x0720
WRITE, WORD_DATA = 0, 3
HEALTHY: Final = 5.04  # volts
MILLIVOLTS, DISCHARGING, INITIALISED = 7400, 0x40, 0x80


class Transfer(ctypes.Structure):
    """``struct i2c_smbus_ioctl_data``."""

    _fields_ = (
        ("read_write", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    )


class Bench:
    """All sensors of the emulated machine."""

    def __init__(self) -> None:
        self._bus = next(one.parent for one in DEVICES.glob("i2c-*/name") if "stub" in one.read_text())

    @classmethod
    def fitted(cls) -> Bench:
        """Load the drivers; every reading is healthy."""
        addresses = ",".join(f"{address:#x}" for _, address in CHIPS.values())
        for words in (["i2c-dev"], ["i2c-stub", f"chip_addr={addresses}"], ["lm75"], ["ina2xx_adc"],
                      ["sbs-battery", "force_load=1"]):  # fmt: skip
            subprocess.run(["modprobe", *words], check=True)
        subprocess.run(["udevadm", "settle"], check=True)
        bench = cls()
        bench.restore()
        for name, (_, address) in CHIPS.items():
            if not (DEVICES / f"{bench._bus.name.removeprefix('i2c-')}-{address:04x}").exists():
                bench.plug(name)
        return bench

    def restore(self) -> None:
        """All as it should be: 45 °C, 5 V, a battery that is full enough and on the mains."""
        self.heat(45.0)
        self.case(30.0)
        self.sag(HEALTHY)
        self.charge(80)

    def heat(self, celsius: float) -> None:
        """How warm the processor is."""
        port = os.open("/dev/port", os.O_RDWR)
        try:
            for place, byte in enumerate(struct.pack("<I", round(celsius * 10 + 2732))):
                os.pwrite(port, bytes([byte]), LATCH + place)
        finally:
            os.close(port)

    def case(self, celsius: float) -> None:
        """How warm it is around it: register 0 is 9 bits of half degrees, the high byte first."""
        self._write(LM75, 0x00, _swapped((round(celsius * 2) << 7) & 0xFFFF))

    def sag(self, volts: float = 4.5, amperes: float = 0.8) -> None:
        """What the supply gives: register 2 is 4 mV from bit 3 on, 4 is the current in mA, 3 the power in
        20 mW.
        """
        self._write(INA219, 0x02, _swapped(round(volts / 0.004) << 3))
        self._write(INA219, 0x04, _swapped(round(amperes * 1000)))
        self._write(INA219, 0x03, _swapped(round(volts * amperes / 0.02)))

    def drain(self, percent: int, amperes: float = 0.65) -> None:
        """What is left in the battery while nothing charges it."""
        self._battery(percent, -amperes, INITIALISED | DISCHARGING)

    def charge(self, percent: int, amperes: float = 0.5) -> None:
        """The same while it is charged."""
        self._battery(percent, amperes, INITIALISED)

    def _battery(self, percent: int, amperes: float, status: int) -> None:
        """Smart Battery Data Specification 1.1: registers 0x09, 0x0a, 0x0d and 0x16."""
        self._write(GAUGE, 0x09, MILLIVOLTS)
        self._write(GAUGE, 0x0A, round(amperes * 1000) & 0xFFFF)
        self._write(GAUGE, 0x0D, percent)
        self._write(GAUGE, 0x16, status)

    def plug(self, name: str) -> None:
        """The chip is there."""
        driver, address = CHIPS[name]
        (self._bus / "new_device").write_text(f"{driver} {address:#x}\n")
        subprocess.run(["udevadm", "settle"], check=True)

    def unplug(self, name: str) -> None:
        """The chip is gone, and what its driver showed too."""
        (self._bus / "delete_device").write_text(f"{CHIPS[name][1]:#x}\n")

    @contextmanager
    def unplugged(self, name: str) -> Iterator[None]:
        """As long as it lasts the chip is gone."""
        self.unplug(name)
        try:
            yield
        finally:
            self.plug(name)

    def _write(self, address: int, register: int, word: int) -> None:
        data = ctypes.create_string_buffer(struct.pack("<H", word), 34)
        transfer = Transfer(WRITE, register, WORD_DATA, ctypes.addressof(data))
        opened = os.open(f"/dev/{self._bus.name}", os.O_RDWR)
        try:
            fcntl.ioctl(opened, SLAVE_FORCE, address)
            fcntl.ioctl(opened, SMBUS, transfer)
        finally:
            os.close(opened)


def _swapped(word: int) -> int:
    """SMBus words are little-endian, these chips' registers are not."""
    return (word & 0xFF) << 8 | word >> 8


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether it becomes true by then."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def main(words: list[str]) -> None:
    """One of the verbs above with its number."""
    verbs = {
        "heat": float,
        "case": float,
        "sag": float,
        "drain": int,
        "charge": int,
        "plug": str,
        "unplug": str,
    }
    if words == ["fit"]:
        Bench.fitted()
    elif len(words) == 2 and words[0] in verbs:
        getattr(Bench(), words[0])(verbs[words[0]](words[1]))
    else:
        sys.exit(f"drivers.py fit | {' | '.join(verbs)} VALUE")


if __name__ == "__main__":
    main(sys.argv[1:])
