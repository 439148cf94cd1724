"""The emulated machine's sensors for ``test_sensing.py``: an LM75, an INA219 and a 1-wire master, made of the
kernel's i2c-stub and read by Debian's own drivers.

    chips = Chips.fitted()
    chips.bench.case(30.0)           # the LM75's °C
    chips.buffer(True)               # the INA219's buffer, as its owner would switch it on
    chips.scratchpad(0)              # every byte that the 1-wire thermometer says
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
from pathlib import Path
from typing import Final

from drivers import DEVICES, INA219, LM75, SLAVE_FORCE, SMBUS, WRITE, Bench, Transfer, within

MASTER: Final = 0x18  # a DS2482's address
THERMOMETER: Final = "28-0000000000ab"
BYTE_DATA: Final = 2
#: DS2482 commands, from its data sheet: i2c-stub answers a read with the register of the last command, or the
#: one behind it where the command had a byte with it (0xE1 selects what is read).
RESET, RESET_BUS, DATA = 0xF0, 0xB4, 0xE2
STATUS_RESET, STATUS_PRESENT = 0x18, 0x02  # after a reset of the device; a thermometer has answered
IIO: Final = Path("/sys/bus/iio/devices")
BUS: Final = Path("/sys/bus/w1/devices")


class Chips:
    """All of them."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.iio = next(
            one for one in IIO.glob("iio:device*") if (one / "name").read_text().strip() == "ina219"
        )

    @classmethod
    def fitted(cls) -> Chips:
        """Load the drivers; every reading is healthy."""
        addresses = ",".join(f"{one:#x}" for one in (LM75, INA219, MASTER))
        stub = ("i2c-stub", f"chip_addr={addresses}")
        for words in (("i2c-dev",), stub, ("lm75",), ("ina2xx_adc",), ("w1_therm",), ("ds2482",)):
            subprocess.run(["modprobe", *words], check=True)
        bench = Bench()
        bench.case(30.0)
        bench.sag(5.0, 0.8)
        bus = DEVICES / bench._bus.name
        _byte(bus, RESET, STATUS_RESET)
        for register in range(RESET_BUS, RESET_BUS + 4):
            _byte(bus, register, STATUS_PRESENT)
        for driver, address in (("lm75", LM75), ("ina219", INA219), ("ds2482", MASTER)):
            if not (DEVICES / f"{bus.name.removeprefix('i2c-')}-{address:04x}").exists():
                (bus / "new_device").write_text(f"{driver} {address:#x}\n")
        subprocess.run(["udevadm", "settle"], check=True)
        return cls()

    def thermometer(self) -> None:
        """Nothing can be found on a bus of registers, so it is told that there is one."""
        master = next(BUS.glob("w1_bus_master*"))
        (master / "w1_master_search").write_text("0\n")
        if not (BUS / THERMOMETER).exists():
            (master / "w1_master_add").write_text(f"{THERMOMETER}\n")
        assert within(10.0, (BUS / THERMOMETER / "temperature").exists)

    def scratchpad(self, byte: int) -> None:
        """What it says nine times over: 0 is 0 °C with a right check sum, everything else has a wrong one."""
        bus = DEVICES / self.bench._bus.name
        _byte(bus, DATA + 1, 0)  # a status that is read here as well: not busy
        _byte(bus, DATA, byte)

    def buffer(self, on: bool) -> None:
        """Volts and time stamps, by attributes that only root may write."""
        (self.iio / "buffer/enable").write_text("0\n")
        if on:
            (self.iio / "in_allow_async_readout").write_text("1\n")
            for one in ("in_voltage1_en", "in_current3_en", "in_timestamp_en"):
                (self.iio / "scan_elements" / one).write_text("1\n")
            (self.iio / "buffer/length").write_text("1024\n")
            (self.iio / "buffer/enable").write_text("1\n")


def _byte(bus: Path, register: int, value: int) -> None:
    data = ctypes.create_string_buffer(bytes([value]), 34)
    transfer = Transfer(WRITE, register, BYTE_DATA, ctypes.addressof(data))
    opened = os.open(f"/dev/{bus.name}", os.O_RDWR)
    try:
        fcntl.ioctl(opened, SLAVE_FORCE, MASTER)
        fcntl.ioctl(opened, SMBUS, transfer)
    finally:
        os.close(opened)
