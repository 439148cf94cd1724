"""Memory and swap, as the kernel tells them. All sizes in bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from edged.board.attribute import number


class Memory(NamedTuple):
    """``available`` is what can be had without swapping. 0 for what the kernel does not tell."""

    total: int
    available: int
    swap: int
    swap_free: int


class Swap(NamedTuple):
    """One place to swap to: a file, a partition, or compressed memory (zram)."""

    path: str
    size: int
    used: int

    @property
    def compressed(self) -> bool:
        """It is memory itself, and wears no card."""
        return self.path.startswith("/dev/zram")


def memory(proc: Path) -> Memory:
    """The machine's memory."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(proc / "meminfo"), re.MULTILINE))
    return Memory(
        *(int(found.get(name, 0)) * 1024 for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree"))
    )


def swaps(proc: Path) -> list[Swap]:
    """Where is swapped to."""
    rows = [line.split() for line in _read(proc / "swaps").splitlines()[1:]]
    return [Swap(row[0], int(row[2]) * 1024, int(row[3]) * 1024) for row in rows if len(row) >= 5]


def compressed(sys: Path) -> int:
    """The size of all zram devices that are set up."""
    return sum(number(one / "disksize") or 0 for one in (sys / "block").glob("zram*"))


def resident(proc: Path, pid: int) -> int | None:
    """The process's proportional share (PSS); None for those that we may not look into, or that are gone."""
    found = re.search(r"^Pss:\s+(\d+) kB", _read(proc / f"{pid}/smaps_rollup"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
