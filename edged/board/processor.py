"""What the processor does: busy, its clock, our own part of it, what waits, memory (proc(5), cpufreq).

Shares are of all cores, over the time since the look before. Our own part is the service's control group
where we have one to ourselves (one read); else the daemon and its children are added up.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from edged.board.attribute import Attribute, number, text
from edged.board.host import Host
from edged.board.shelf import Shelf

TICK: Final = os.sysconf("SC_CLK_TCK")
AVERAGE: Final = re.compile(rb"^some avg10=(\d+\.\d+)", re.MULTILINE)
AVAILABLE: Final = re.compile(rb"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
USAGE: Final = re.compile(rb"^usage_usec (\d+)", re.MULTILINE)
IDLE: Final = slice(3, 5)  # of the first line's numbers: idle and waiting for a disk
COUNTED: Final = 8  # of them: what guests took is in user's already


class Processor:
    """Remembers what was counted at the look before."""

    def __init__(self, host: Host, shelf: Shelf) -> None:
        self._stat = shelf.open(host.proc / "stat")
        self._memory = shelf.open(host.proc / "meminfo")
        self._pressure = {
            field: shelf.open(host.proc / "pressure" / what)
            for field, what in (("pressure", "cpu"), ("memory_pressure", "memory"), ("io_pressure", "io"))
        }
        self._frequencies = list(_frequencies(host.sys, shelf))
        self._proc = host.proc
        self._group = _group(host, shelf)
        self._counted: tuple[int, int] | None = None
        self._own: tuple[float, float] | None = None

    def read(self, now: float) -> dict[str, float | None]:
        """The fields of ``Vitals`` that it knows."""
        known = {field: _average(one) for field, one in self._pressure.items()}
        return known | {
            "busy": self._busy(),
            "clock": self._clock(),
            "own": self._part(now),
            "memory": _available(self._memory),
        }

    def _busy(self) -> float | None:
        now = _counted(self._stat)
        before, self._counted = self._counted, now
        if now is None or before is None or now[0] <= before[0]:
            return None
        return min(1.0, max(0.0, (now[1] - before[1]) / (now[0] - before[0])))

    def _clock(self) -> float | None:
        """Of all cores, each by what it could do: a board may have fast and slow ones."""
        read = [(one.number(), full, cores) for one, full, cores in self._frequencies]
        if not read or any(now is None or not 0 < now <= 2 * full for now, full, _ in read):
            return None
        could = sum(full * cores for _, full, cores in read)
        return min(1.0, sum((now or 0) * cores for now, _, cores in read) / could)

    def _part(self, now: float) -> float | None:
        seconds = self._seconds()
        before, self._own = self._own, None if seconds is None else (now, seconds)
        if seconds is None or before is None or now <= before[0]:
            return None
        part = (seconds - before[1]) / (now - before[0]) / (os.cpu_count() or 1)
        return min(1.0, max(0.0, part))

    def _seconds(self) -> float | None:
        """CPU seconds of the daemon and its workers since they began."""
        if self._group is not None:
            found = USAGE.search(self._group.bytes())
            return int(found[1]) / 1e6 if found else None
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system + _children(self._proc)


def _counted(stat: Attribute | None) -> tuple[int, int] | None:
    """Ticks of all cores in all, and those in which they worked."""
    words = stat.bytes().partition(b"\n")[0].split()[1 : COUNTED + 1] if stat else []
    if len(words) < IDLE.stop or not all(one.isdigit() for one in words):
        return None
    ticks = [int(one) for one in words]
    return sum(ticks), sum(ticks) - sum(ticks[IDLE])


def _average(one: Attribute | None) -> float | None:
    """ "some avg10" of a pressure file as a fraction."""
    found = AVERAGE.search(one.bytes()) if one else None
    return min(1.0, float(found[1]) / 100.0) if found else None


def _available(one: Attribute | None) -> int | None:
    found = AVAILABLE.search(one.bytes()) if one else None
    return int(found[1]) * 1024 if found and len(found[1]) < 16 else None


def _frequencies(sys: Path, shelf: Shelf) -> list[tuple[Attribute, int, int]]:
    """The attribute of the clock now, the highest one (kHz), and how many cores it drives."""
    found = []
    for policy in sorted((sys / "devices/system/cpu/cpufreq").glob("policy*")):
        full = number(policy / "cpuinfo_max_freq")
        now = shelf.open(policy / "scaling_cur_freq")
        cores = len(text(policy / "related_cpus").split()) or 1
        if now is not None and full is not None and full > 0:
            found.append((now, full, cores))
    return found


def _group(host: Host, shelf: Shelf) -> Attribute | None:
    """The counter of our own service's control group; None where we share ours with others."""
    found = re.search(r"^0::(/.*\.service)$", text(host.proc / "self/cgroup"), re.MULTILINE)
    if not found or "/user@" in found[1]:
        return None
    return shelf.open(host.sys / "fs/cgroup" / found[1].lstrip("/") / "cpu.stat")


def _children(proc: Path) -> float:
    """CPU seconds of our children that live."""
    me = os.getpid()
    try:
        pids = (proc / f"{me}/task/{me}/children").read_text().split()
        return sum(_spent(proc / pid / "stat") for pid in pids)
    except (OSError, ValueError):
        return 0.0


def _spent(stat: Path) -> float:
    words = text(stat).rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK if len(words) > 12 else 0.0
