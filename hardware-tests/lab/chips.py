"""The emulated machine's chips for ``test_sensing.py``: an LM75 and an INA219, made of the kernel's i2c-stub
and read by Debian's own drivers. The 1-wire bus is in ``ds9490.py``.

    chips = Chips.fitted()
    chips.bench.case(30.0)           # the LM75's °C
    chips.buffer(True)               # the INA219's buffer, as its owner would switch it on
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from drivers import DEVICES, INA219, LM75, Bench

IIO: Final = Path("/sys/bus/iio/devices")


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
        addresses = ",".join(f"{one:#x}" for one in (LM75, INA219))
        stub = ("i2c-stub", f"chip_addr={addresses}")
        for words in (("i2c-dev",), stub, ("lm75",), ("ina2xx_adc",)):
            subprocess.run(["modprobe", *words], check=True)
        bench = Bench()
        bench.case(30.0)
        bench.sag(5.0, 0.8)
        bus = DEVICES / bench._bus.name
        for driver, address in (("lm75", LM75), ("ina219", INA219)):
            if not (DEVICES / f"{bus.name.removeprefix('i2c-')}-{address:04x}").exists():
                (bus / "new_device").write_text(f"{driver} {address:#x}\n")
        subprocess.run(["udevadm", "settle"], check=True)
        return cls()

    def buffer(self, on: bool) -> None:
        """Volts and time stamps, by attributes that only root may write."""
        (self.iio / "buffer/enable").write_text("0\n")
        if on:
            (self.iio / "in_allow_async_readout").write_text("1\n")
            for one in ("in_voltage1_en", "in_current3_en", "in_timestamp_en"):
                (self.iio / "scan_elements" / one).write_text("1\n")
            (self.iio / "buffer/length").write_text("1024\n")
            (self.iio / "buffer/enable").write_text("1\n")
