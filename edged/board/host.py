"""The machine under us: where its kernel shows itself, what board it is, which system runs on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from edged.board.attribute import text


class Host(NamedTuple):
    """A machine by its root folder; another one than "/" is a made-up machine in a test."""

    root: Path = Path("/")

    @property
    def sys(self) -> Path:
        """sysfs."""
        return self.root / "sys"

    @property
    def proc(self) -> Path:
        """procfs."""
        return self.root / "proc"

    def place(self, path: str | Path) -> Path:
        """An absolute path of that machine."""
        return self.root / str(path).lstrip("/")

    def model(self) -> str:
        """The board's name by its device tree, else by its BIOS; "" when neither says."""
        if named := text(self.proc / "device-tree/model"):
            return named
        dmi = self.sys / "class/dmi/id"
        return " ".join(filter(None, (text(dmi / "sys_vendor"), text(dmi / "product_name"))))

    def pi(self) -> int:
        """Which generation of Raspberry Pi, by the chip on it: 1 to 5; 0 for any other machine."""
        chips = text(self.proc / "device-tree/compatible")
        known = {"bcm2835": 1, "bcm2836": 2, "bcm2837": 3, "bcm2711": 4, "bcm2712": 5}
        found = re.search(r"brcm,(bcm2[78]\d\d)", chips)
        return known.get(found[1], 0) if found and "raspberrypi" in chips else 0

    def system(self) -> str:
        """The distribution, as in "Debian GNU/Linux 12 (bookworm)"."""
        found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text(self.place("etc/os-release")), re.MULTILINE)
        return found[1] if found else ""

    def uptime(self) -> float:
        """Seconds since boot, 0 when the kernel does not tell."""
        try:
            return float(text(self.proc / "uptime").split()[0])
        except (IndexError, ValueError):
            return 0.0
