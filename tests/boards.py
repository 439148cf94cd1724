"""Boards that are not at hand: sysfs, device tree and procfs as their kernels show them, and a Pi's
firmware.
"""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Final

from edged.board.firmware import (
    GENCMD,
    GET_CLOCK_MEASURED,
    GET_MAX_CLOCK,
    GET_MAX_TEMPERATURE,
    GET_THROTTLED,
    GET_VOLTAGE,
    PROPERTY,
    TEXT,
)

Files = dict[str, str | bytes]


def planted(root: Path, files: Files, links: dict[str, str] | None = None) -> Path:
    """Write ``files`` (path below root -> content) and ``links`` (path -> path, both below root)."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, target in (links or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(root / target)
    return root


def zone(number: int, kind: str, temp: str, below: str = "class", **trips: int) -> Files:
    """A thermal zone's files; ``trips`` are milli-degrees by type. ``below`` is where sysfs has its
    classes.
    """
    folder = f"{below}/thermal/thermal_zone{number}"
    files: Files = {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{temp}\n"}
    for place, (trip, at) in enumerate(trips.items()):
        files[f"{folder}/trip_point_{place}_type"] = f"{trip.rstrip('0123456789')}\n"
        files[f"{folder}/trip_point_{place}_temp"] = f"{at}\n"
    return files


# --- what is mounted, and on what

SD: Final = "sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa"
EMMC: Final = "sys/devices/platform/fe2e0000.mmc/mmc_host/mmc0/mmc0:0001"
NVME: Final = "sys/devices/platform/scb/fd500000.pcie/pci0000:00/0000:01:00.0/nvme/nvme0"
USB: Final = "sys/devices/platform/scb/usb1/1-1/1-1:1.0/host0/target0:0:0/0:0:0:0"
SECTORS: Final = (
    "    4120     1187   402166     9563     8311     9204   {}   122143        0    61944   131706\n"
)


def disk(
    device: str, name: str, sectors: int, written: int, about: Files, number: str
) -> tuple[Files, dict[str, str]]:
    """A disk with one partition that is called ``number``; its sectors and those written since boot."""
    block = f"{device}/block/{name}"
    part = f"{name}p2" if name[-1].isdigit() else f"{name}2"
    files: Files = {f"{device}/{one}": content for one, content in about.items()}
    files |= {
        f"{block}/size": f"{sectors}\n",
        f"{block}/stat": SECTORS.format(written),
        f"{block}/{part}/partition": "2\n",
    }
    links = {
        f"{block}/device": device,
        f"sys/dev/block/{number}": f"{block}/{part}",
        f"sys/class/block/{part}": f"{block}/{part}",
        f"sys/block/{name}": block,
    }
    return files, links


def card(**about: str) -> tuple[Files, dict[str, str]]:
    """A 32 GB SD card as a Pi 4 shows it; ``about`` replaces attributes."""
    told: Files = {
        "type": "SD\n",
        "name": "SC32G\n",
        "manfid": "0x000003\n",
        "oemid": "0x5344\n",
        "date": "04/2023\n",
        "csd": "400e00325b590000edc87f800a404013\n",
        "ssr": "0" * 128 + "\n",
    }
    told |= {name: f"{text}\n" for name, text in about.items()}
    return disk(SD, "mmcblk0", 62333952, 2000000, told, "179:2")


def chip(life: str, spare: str) -> tuple[Files, dict[str, str]]:
    """The eMMC of a Compute Module or a Rock."""
    told: Files = {
        "type": "MMC\n", "name": "BJTD4R\n", "manfid": "0x000015\n", "date": "03/2022\n",
        "life_time": f"{life}\n", "pre_eol_info": f"{spare}\n",
    }  # fmt: skip
    return disk(EMMC, "mmcblk0", 61071360, 2000000, told, "179:2")


def mounted(*lines: str) -> Files:
    """mountinfo of "number point type source options" each."""
    rows = []
    for place, line in enumerate(lines):
        number, point, kind, source, options = line.split(" ")
        rows.append(f"{20 + place} 1 {number} / {point} rw,noatime shared:1 - {kind} {source} {options}")
    return {"proc/self/mountinfo": "\n".join(rows) + "\n"}


ROOT_ON_CARD: Final = mounted(
    "179:2 / ext4 /dev/root rw", "0:21 /proc proc proc rw", "0:24 /run tmpfs tmpfs rw"
)


# --- boards

PI4: Final[Files] = {
    "proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/compatible": b"raspberrypi,4-model-b\0brcm,bcm2711\0",
    **zone(0, "cpu-thermal", "51608", "sys/class", critical=110000),
}
PI5: Final[Files] = {
    "proc/device-tree/model": b"Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": b"raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/device-tree/chosen/power/max_current": (3000).to_bytes(4, "big"),
    "sys/class/rtc/rtc0/name": "rpi-rtc soc:rpi_rtc\n",
    "sys/class/rtc/rtc0/battery_voltage": "6048\n",
    **zone(
        0, "cpu-thermal", "74150", "sys/class", critical=110000, active0=50000, active1=60000, active2=67500
    ),
}
ROCK5: Final[Files] = {
    "proc/device-tree/model": b"Radxa ROCK 5B\0",
    "proc/device-tree/compatible": b"radxa,rock-5b\0rockchip,rk3588\0",
    **zone(0, "soc-thermal", "41615", "sys/class", passive0=75000, passive1=85000, critical=115000),
    **zone(1, "bigcore0-thermal", "43461", "sys/class"),
}
PC: Final[Files] = {
    "sys/class/dmi/id/sys_vendor": "LENOVO\n",
    "sys/class/dmi/id/product_name": "20KH\n",
    **zone(0, "acpitz", "27800", "sys/class"),
    **zone(1, "x86_pkg_temp", "71000", "sys/class", passive=-274000, critical=100000),
}


class Firmware:
    """A Raspberry Pi's firmware at the ioctl: it speaks the mailbox's property protocol as it is
    documented, one tag or several, and vcgencmd's commands.

    ``word`` is what get_throttled says, ``volts`` the core's in microvolts, ``hertz`` what the processor's
    clock is and may be. ``commands`` are answers to vcgencmd's. ``spoil`` changes an answer's words,
    ``ignorant`` are tags that it does not know, ``broken`` is what the kernel says instead of carrying.
    """

    def __init__(
        self, word: int = 0, volts: int = 860_000, spoil: dict[int, int] | None = None,
        hertz: tuple[int, int] = (1_500_000_000, 1_500_000_000), commands: dict[str, str] | None = None,
        ignorant: frozenset[int] = frozenset(), hottest: int = 85_000,
    ) -> None:  # fmt: skip
        self.word, self.volts, self.spoil = word, volts, spoil or {}
        self.hertz, self.commands, self.ignorant, self.hottest = hertz, commands or {}, ignorant, hottest
        self.broken: OSError | None = None
        self.asked: list[tuple[int, tuple[int, ...]]] = []
        self.trips = 0

    def __call__(self, descriptor: int, request: int, buffer: bytearray, mutate: bool) -> int:
        assert descriptor > 2
        assert mutate
        if request != PROPERTY:
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.broken:
            raise self.broken
        self.trips += 1
        words = list(struct.unpack(f"<{len(buffer) // 4}I", buffer))
        assert (words[0], words[1], words[-1]) == (len(buffer), 0, 0)
        answer = self._commanded(words) if words[2] == GENCMD else self._answered(words)
        for place, word in self.spoil.items():
            answer[place] = word
        buffer[:] = struct.pack(f"<{len(answer)}I", *(one & 0xFFFFFFFF for one in answer))
        return 0

    def _answered(self, words: list[int]) -> list[int]:
        answer, place = list(words), 2
        answer[1] = 0x80000000
        while place < len(words) - 1:
            tag, room, code = words[place : place + 3]
            assert (code, room % 4) == (0, 0)
            values = words[place + 3 : place + 3 + room // 4]
            self.asked.append((tag, tuple(values)))
            told = self._told(tag, values)
            if told is None:
                answer[1] = 0x80000001
            else:
                answer[place + 2] = 0x80000000 | 4 * len(told)
                answer[place + 3 : place + 3 + len(told)] = told
            place += 3 + len(values)
        assert place == len(words) - 1
        return answer

    def _told(self, tag: int, values: list[int]) -> list[int] | None:
        if tag in self.ignorant:
            return None
        return {
            GET_THROTTLED: [self.word],
            GET_VOLTAGE: [values[0], self.volts],
            GET_CLOCK_MEASURED: [values[0], self.hertz[0]],
            GET_MAX_CLOCK: [values[0], self.hertz[1]],
            GET_MAX_TEMPERATURE: [values[0], self.hottest],
        }.get(tag)

    def _commanded(self, words: list[int]) -> list[int]:
        assert len(words) == 6 + TEXT // 4 + 1
        assert words[3:6] == [TEXT, 0, 0]
        command = struct.pack(f"<{TEXT // 4}I", *words[6:-1]).partition(b"\0")[0].decode()
        said = self.commands.get(command, 'error=1 error_msg="Command not registered"').encode()
        answer = [words[0], 0x80000000, GENCMD, TEXT, 0x80000000 | len(said), 0]
        return [*answer, *struct.unpack(f"<{TEXT // 4}I", said.ljust(TEXT, b"\0")), 0]
