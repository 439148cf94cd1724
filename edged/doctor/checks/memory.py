"""Is there enough memory for the models that are configured, and does the kernel hold edged to its limit?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged.board import memory
from edged.board.attribute import text
from edged.config.shape import Pipeline
from edged.doctor.case import Case, ladder
from edged.doctor.finding import Finding
from edged.doctor.words import size

MEGA: Final = 1_000_000
#: Bytes. Of a daemon, and of a worker beyond its model: Python, NumPy and a TFLite runtime (docs/doctor.md).
DAEMON, WORKER = 20 * MEGA, 48 * MEGA
ARENA: Final = 3  # a model in memory is so many times its file: weights, packed weights, activations
SMALLER: Final = (
    "a smaller model, fewer pipelines, or a board with more memory; `edged models list` has sizes"
)
CGROUP: Final = (
    "cgroup_enable=memory on the kernel's command line: on a Pi the one in /boot/firmware/cmdline.txt; reboot"
)


def examine(case: Case) -> Iterator[Finding]:
    """What is needed against what there is; the limit; what was killed for lack of it."""
    here = memory.memory(case.host.proc)
    now, measured = need(case)
    switching = while_switching(case, measured)
    needed = now + switching
    running = bool(case.daemon)
    zram = memory.compressed(case.host.sys)
    facts = {
        "total": here.total, "available": here.available, "swap": here.swap, "zram": zram,
        "needed": needed, "measured": measured, "switching": switching,
    }  # fmt: skip
    if not here.total:
        yield Finding("cannot tell", "the kernel does not tell how much memory there is", facts=facts)
        return
    is_needed = f"edged {'takes' if measured else 'needs about'} {size(now)}"
    if switching:
        is_needed += f", and {size(switching)} more while it changes models"
    swap = f", {size(zram)} of zram" if zram else f", {size(here.swap)} of swap" if here.swap else ""
    found = f"{size(here.available)} of {size(here.total)} free{swap}; {is_needed}"
    if not running and needed > here.available:
        verdict = "failed" if needed > here.total else "warning"
        yield Finding("failed" if verdict == "failed" else "warning", found, fix=SMALLER, facts=facts)
    elif running and switching > here.available:
        yield Finding("warning", found, fix=SMALLER, facts=facts)
    elif here.available < 0.05 * here.total:
        yield Finding("warning", f"{found}: nearly none is left", fix=SMALLER, facts=facts)
    else:
        yield Finding("ok", found, facts=facts)
    yield from _limit(case, needed)


def need(case: Case) -> tuple[int, bool]:
    """Bytes that edged takes, and whether they were measured of the running one or are an estimate."""
    if case.daemon:
        shares = [memory.resident(case.host.proc, one.pid) for one in (case.daemon, *case.workers)]
        if all(one is not None for one in shares):
            return sum(one or 0 for one in shares), True
    every = [max(_sizes(case, one)) for one in case.pipelines().values()]
    return DAEMON + sum(WORKER + ARENA * one for one in every), False


def while_switching(case: Case, measured: bool) -> int:
    """Bytes more while each pipeline changes to another model of its ladder: two are open then. Of a daemon
    that was ``measured`` one of the two may be more than what is open now.
    """
    more = 0
    for name, pipeline in case.pipelines().items():
        if not pipeline.ladder:
            continue
        sizes = _sizes(case, pipeline)
        now = (case.pipeline_status(name).get("course") or {}).get("rung", 0) if measured else None
        most = sorted(sizes)[-2:]
        open_now = sizes[now] if now is not None and now < len(sizes) else most[-1]
        more += ARENA * (sum(most) - open_now)
    return more


def _sizes(case: Case, pipeline: Pipeline) -> list[int]:
    """Bytes of each model's file, dearest first."""
    models = case.models()
    return [_file_size(case, models[one].file) for one in ladder(pipeline)]


def _file_size(case: Case, file: str) -> int:
    try:
        return case.host.place(file).stat().st_size if not file.startswith("builtin:") else 0
    except OSError:
        return 0


def _limit(case: Case, needed: int) -> Iterator[Finding]:
    """The unit's MemoryMax=, as far as the kernel keeps it."""
    limit = case.unit["MemoryMax"]
    if not case.unit.installed or not limit.isdigit():
        return
    most = int(limit)
    facts = {"limit": most}
    if needed > most:
        yield Finding(
            "failed",
            f"edged needs {size(needed)}, and the unit allows {size(most)}",
            "limit",
            fix=SMALLER,
            facts=facts,
        )
        return
    if not _kept(case.host.sys):
        yield Finding(
            "note",
            f"the kernel does not keep the unit's limit of {size(most)}: it counts no memory",
            "limit",
            fix=CGROUP,
            facts=facts | {"kept": False},
        )
        return
    killed = _killed(case)
    facts |= {"kept": True, "killed": killed}
    if killed:
        yield Finding(
            "failed",
            f"the kernel has ended {killed} of its processes for lack of memory",
            "limit",
            fix=SMALLER,
            facts=facts,
        )
    else:
        yield Finding("ok", f"the unit allows {size(most)}", "limit", facts=facts, minor=True)


def _kept(sys: Path) -> bool:
    """Raspberry Pi OS boots with the kernel's counting of memory switched off."""
    return "memory" in text(sys / "fs/cgroup/cgroup.controllers").split()


def _killed(case: Case) -> int:
    """Processes of the unit that the kernel has ended since it was started."""
    if not case.daemon:
        return 0
    group = text(case.host.proc / f"{case.daemon.pid}/cgroup").rpartition("::")[2].partition("\n")[0]
    events = text(case.host.sys / "fs/cgroup" / group.lstrip("/") / "memory.events")
    counts = dict(line.split() for line in events.splitlines() if len(line.split()) == 2)
    return int(counts.get("oom_kill", 0))
