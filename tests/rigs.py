"""Sensors that are not there, one rig for each kind of source: the kernel's files, a line, a socket, as they
look from outside. Each says the numbers it is given, again and again.
"""

from __future__ import annotations

import os
import pty
import socket
import struct
import threading
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from edged import feeds
from edged.config import shape
from edged.worker.source import Source, WantWindow
from edged.worker.source.feed import FeedSource
from edged.worker.source.hwmon import HwmonSource
from edged.worker.source.iio import opened_iio
from edged.worker.source.onewire import OneWireSource
from edged.worker.source.serial import SerialSource
from edged.worker.source.sysfs import SysfsSource

PACE = 0.02  # seconds between two samples


class Rig(Protocol):
    """``channels`` names its two numbers, ``units`` is theirs."""

    channels: tuple[str, ...]

    def opened(self, want: WantWindow) -> Source:
        """The source on it."""

    def says(self, first: float, second: float) -> None:
        """What it says from now on, in our units."""

    def close(self) -> None:
        """Take it away."""


class Talker:
    """A thread that says the last numbers again and again."""

    def __init__(self, say: Callable[[Sequence[float]], None]) -> None:
        self.numbers: Sequence[float] = (1.0, 2.0)
        self._say, self._ended = say, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(PACE):
            try:
                self._say(self.numbers)
            except (BlockingIOError, FileNotFoundError, ConnectionRefusedError):
                continue  # nobody reads
            except OSError:
                return

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5.0)


def planted(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in files.items():
        (folder / name).write_text(f"{said}\n")
    return folder


class SysfsRig:
    channels = ("first", "second")

    def __init__(self, folder: Path) -> None:
        self._files = (folder / "a", folder / "b")
        self.says(1.0, 2.0)

    def opened(self, want: WantWindow) -> Source:
        channels = {
            name: shape.Channel(path=str(file), scale=0.01, offset=-5.0)
            for name, file in zip(self.channels, self._files, strict=True)
        }
        return SysfsSource(shape.Sysfs(channels=channels, sample_rate=50.0), want)

    def says(self, first: float, second: float) -> None:
        for file, value in zip(self._files, (first, second), strict=True):
            replaced(file, f"{(value + 5.0) * 100:.0f}\n")

    def close(self) -> None:
        pass


def replaced(file: Path, text: str) -> None:
    """In place and at once: who holds it open must see all of it or nothing of it, as of the kernel's."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(opened, text.ljust(24).encode(), 0)
    os.close(opened)


class HwmonRig:
    channels = ("temp1", "in0")

    def __init__(self, folder: Path) -> None:
        self._sys = folder
        planted(folder / "class/hwmon/hwmon0", name="acpitz", temp1_input=1)
        self._chip = planted(folder / "class/hwmon/hwmon3", name="lm75", fan1_input=900)
        self.says(1.0, 2.0)

    def opened(self, want: WantWindow) -> Source:
        config = shape.Hwmon(device="lm75", channels=self.channels, sample_rate=50.0)
        return HwmonSource(config, want, self._sys)

    def says(self, first: float, second: float) -> None:
        replaced(self._chip / "temp1_input", f"{first * 1000:.0f}\n")
        replaced(self._chip / "in0_input", f"{second * 1000:.0f}\n")

    def close(self) -> None:
        pass


class IioRig:
    """Acceleration with one scale for all axes, and a temperature with an offset of its own."""

    channels = ("accel_x", "temp")

    def __init__(self, folder: Path) -> None:
        self._sys = folder
        self._device = planted(
            folder / "bus/iio/devices/iio:device0",
            name="lis3dh",
            in_accel_scale=0.01,
            in_temp_scale=100,
            in_temp_offset=-40,
            in_accel_y_raw=0,
        )
        self.says(1.0, 2.0)

    def opened(self, want: WantWindow) -> Source:
        config = shape.Iio(device="lis3dh", channels=self.channels, sample_rate=50.0)
        return opened_iio(config, want, self._sys, self._sys / "dev")

    def says(self, first: float, second: float) -> None:
        """(raw + offset) x scale: m/s², and thousandths of a °C."""
        replaced(self._device / "in_accel_x_raw", f"{first * 100:.0f}\n")
        replaced(self._device / "in_temp_raw", f"{second * 10 + 40:.0f}\n")

    def close(self) -> None:
        pass


class BufferRig:
    """12 bits of 16, shifted by 4; a byte-swapped 32; a stamp: a record of 16 bytes, padded."""

    channels = ("accel_x", "temp")

    def __init__(self, folder: Path) -> None:
        self._sys = folder
        device = planted(
            folder / "bus/iio/devices/iio:device0",
            name="lis3dh",
            in_accel_scale=0.01,
            in_temp_scale=100,
            in_temp_offset=-40,
            sampling_frequency=50,
        )
        planted(device / "buffer", enable=1)
        planted(
            device / "scan_elements",
            in_accel_x_en=1, in_accel_x_index=0, in_accel_x_type="le:s12/16>>4",
            in_accel_y_en=0, in_accel_y_index=1, in_accel_y_type="le:s12/16>>4",
            in_temp_en=1, in_temp_index=2, in_temp_type="be:u24/32>>0",
            in_timestamp_en=1, in_timestamp_index=3, in_timestamp_type="le:s64/64>>0",
        )  # fmt: skip
        (folder / "dev").mkdir()
        self._node = folder / "dev/iio:device0"
        os.mkfifo(self._node)
        self._ours = os.open(self._node, os.O_RDWR | os.O_NONBLOCK)
        self._now = 0
        self._talker = Talker(self._say)

    def opened(self, want: WantWindow) -> Source:
        config = shape.Iio(device="iio:device0", channels=self.channels, mode="buffered")
        return opened_iio(config, want, self._sys, self._sys / "dev")

    def _say(self, numbers: Sequence[float]) -> None:
        self._now += 20_000_000
        os.write(self._ours, record(round(numbers[0] * 100), round(numbers[1] * 10 + 40), self._now))

    def skip(self, samples: int) -> None:
        """As if the kernel's buffer had been full for so many."""
        self._now += 20_000_000 * samples

    def says(self, first: float, second: float) -> None:
        self._talker.numbers = (first, second)

    def close(self) -> None:
        self._talker.close()
        os.close(self._ours)


def record(first: int, second: int, stamp: int) -> bytes:
    """le:s12/16>>4 (with rubbish in the bits that do not count), be:u24/32>>0, le:s64/64>>0"""
    return (
        struct.pack("<H", (first & 0xFFF) << 4 | 0b1010)
        + b"??"
        + struct.pack(">I", second)
        + struct.pack("<q", stamp)
    )


class OneWireRig:
    channels = ("28-0316a2795e5f", "10-0008032bd6ff")

    def __init__(self, folder: Path) -> None:
        self._sys = folder
        self._devices = folder / "bus/w1/devices"
        for one in (*self.channels, "w1_bus_master1"):
            planted(self._devices / one)
        self.says(1.0, 2.0)

    def opened(self, want: WantWindow) -> Source:
        config = shape.OneWire(channels=self.channels, sample_rate=50.0)
        return OneWireSource(config, want, self._sys)

    def says(self, first: float, second: float) -> None:
        for name, value in zip(self.channels, (first, second), strict=True):
            replaced(self._devices / name / "temperature", f"{value * 1000:.0f}\n")

    def close(self) -> None:
        pass


class SerialRig:
    """A real line of the kernel's: a pseudo terminal."""

    channels = ("first", "second")

    def __init__(self, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._name = os.ttyname(theirs)
        self._theirs = theirs
        os.set_blocking(self._ours, False)
        self._talker = Talker(self._say)

    def opened(self, want: WantWindow) -> Source:
        channels = {one: shape.Channel(scale=0.5) for one in self.channels}
        return SerialSource(shape.Serial(device=self._name, channels=channels, sample_rate=50.0), want)

    def _say(self, numbers: Sequence[float]) -> None:
        os.write(self._ours, f"{numbers[0] * 2:g}, {numbers[1] * 2:g}\r\n".encode())

    def says(self, first: float, second: float) -> None:
        self._talker.numbers = (first, second)

    def close(self) -> None:
        self._talker.close()
        os.close(self._theirs)
        os.close(self._ours)


class FeedRig:
    channels = ("first", "second")

    def __init__(self, folder: Path) -> None:
        self._feed = feeds.Feed(folder / "feed/f")
        self._feed.open()
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)
        self._talker = Talker(self._say)

    def opened(self, want: WantWindow) -> Source:
        channels = {one: shape.Channel() for one in self.channels}
        config = shape.Feed(channels=channels, sample_rate=50.0)
        return FeedSource(config, want, os.dup(self._feed.open()))

    def _say(self, numbers: Sequence[float]) -> None:
        self._out.sendto(f"second={numbers[1]:g} first={numbers[0]:g}\n".encode(), str(self._feed.place))

    def says(self, first: float, second: float) -> None:
        self._talker.numbers = (first, second)

    def close(self) -> None:
        self._talker.close()
        self._out.close()
        self._feed.close()


RIGS: dict[str, Callable[[Path], Rig]] = {
    "sysfs": SysfsRig,
    "hwmon": HwmonRig,
    "iio": IioRig,
    "iio-buffer": BufferRig,
    "onewire": OneWireRig,
    "serial": SerialRig,
    "feed": FeedRig,
}
