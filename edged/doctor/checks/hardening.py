"""Is the unit's hardening in force in the processes that run, and does a drop-in weaken it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edged.board.attribute import text
from edged.doctor import service
from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.doctor.service import UNIT, Process

EXPOSURE: Final = 1.1  # of systemd-analyze security; what the unit as shipped is held to by test
FILTERED: Final = "2"  # Seccomp: of /proc/PID/status
NOTHING: Final = "0000000000000000"
REASONS: Final = "systemd/README.md has the reason for each line"
REVERT: Final = "sudo systemctl revert edged && sudo systemctl restart edged"
#: Directives of [Service] that protect nothing: a drop-in may set them.
HARMLESS: Final = frozenset(
    {
        *("Type", "ExecReload", "Restart", "RestartSec", "RestartSteps", "RestartMaxDelaySec"),
        *("TimeoutStartSec", "TimeoutStopSec", "WatchdogSec", "Environment", "BindReadOnlyPaths"),
        *("CPUWeight", "CPUQuota", "CPUAffinity", "IOWeight", "Nice", "MemoryHigh", "MemoryMax", "TasksMax"),
        *("OOMScoreAdjust", "LogRateLimitIntervalSec", "LogRateLimitBurst", "LogLevelMax"),
        *("StandardOutput", "StandardError"),
    }
)


def examine(case: Case) -> Iterator[Finding]:
    """One finding for the processes, one for the unit's files, one for systemd's own judgement."""
    if case.daemon is None and case.silent:
        yield Finding(
            "cannot tell", "which processes are the daemon's is not for this user to know", fix=case.again
        )
    elif case.daemon is None:
        yield Finding(
            "note",
            "no daemon runs, so nothing is in force",
            fix="sudo systemctl start edged" if case.unit.installed else "",
        )
    else:
        yield _in_force(case, case.daemon)
    if case.unit.installed:
        yield _files(case)
        yield _judged()


# --- what the kernel says


def _in_force(case: Case, daemon: Process) -> Finding:
    every = [("daemon", daemon), *((f"worker {one.pid}", one) for one in case.workers)]
    lacking = {name: list(_lacks(case, one)) for name, one in every}
    workers = [_facts(case, one) for one in case.workers]
    facts = {"daemon": _facts(case, daemon), "workers": workers, "lacking": lacking}
    details = tuple(f"{name}: {', '.join(lacks)}" for name, lacks in lacking.items() if lacks)
    if not case.unit.pid or daemon.pid != case.unit.pid:
        said = f"runs in the foreground as {case.account.name}, without the unit's hardening"
        return Finding("note", said, fix="run it as the service: sudo ./install.sh", facts=facts)
    if details:
        return Finding(
            "failed",
            f"not all of it is in force in {len(details)} of {len(every)} processes",
            details=details,
            fix=f"{REVERT}; {REASONS}",
            facts=facts,
        )
    what = "no capability, no new privileges, system calls filtered"
    said = f"in force in all {len(every)} processes: user {case.account.name}, {what}"
    return Finding("ok", f"{said}, {_network(case, daemon)}", facts=facts)


def _lacks(case: Case, one: Process) -> Iterator[str]:
    """What a process of the service should have, and this one has not."""
    if one.uid == 0:
        yield "runs as root"
    if one["NoNewPrivs"] != "1":
        yield "may gain privileges (NoNewPrivs is 0)"
    if one["Seccomp"] != FILTERED:
        yield "its system calls are not filtered (Seccomp is not 2)"
    for name, what in (
        ("CapEff", "has capabilities"),
        ("CapBnd", "may get capabilities"),
        ("CapAmb", "passes on capabilities"),
    ):
        if one[name] and one[name] != NOTHING:
            yield f"{what} ({name} {one[name].lstrip('0')})"
    if others := _interfaces(case, one):
        yield f"has a network ({', '.join(others)})"
    if _cores(case, one) not in ("", "0"):
        yield "may leave a core dump"


def _interfaces(case: Case, one: Process) -> list[str]:
    """The network interfaces that it sees beside the loopback."""
    found = re.findall(r"^\s*([^\s:|]+):", text(case.host.proc / f"{one.pid}/net/dev"), re.MULTILINE)
    return [name for name in found if name != "lo"]


def _network(case: Case, one: Process) -> str:
    seen = (case.host.proc / f"{one.pid}/net/dev").exists()
    return "no network" if seen else "its network is not for this user to see"


def _cores(case: Case, one: Process) -> str:
    """The most bytes of a core dump that the process may leave, "" when that is not for us to see."""
    found = re.search(
        r"^Max core file size\s+(\S+)\s+(\S+)", text(case.host.proc / f"{one.pid}/limits"), re.MULTILINE
    )
    return found[1] if found else ""


def _facts(case: Case, one: Process) -> dict[str, Any]:
    return {
        "pid": one.pid,
        "uid": one.uid,
        "no_new_privileges": one["NoNewPrivs"] == "1",
        "seccomp": one["Seccomp"] == FILTERED,
        "cap_effective": one["CapEff"],
        "cap_bounding": one["CapBnd"],
        "interfaces": _interfaces(case, one),
    }


# --- what the files say


def _files(case: Case) -> Finding:
    """Drop-ins of somebody else's: what they set of what the unit sets to protect."""
    unit = Path(case.unit["FragmentPath"])
    shipped = unit.parent / f"{UNIT}.d"
    foreign = [Path(one) for one in case.unit.drop_ins if Path(one).parent != shipped]
    ours = settings(_read(case, unit))
    weaker = {str(one): sorted(_touched(ours, settings(_read(case, one)))) for one in foreign}
    facts = {"unit": str(unit), "drop_ins": list(case.unit.drop_ins), "changed": weaker}
    details = tuple(f"{file}: {', '.join(names)}" for file, names in weaker.items() if names)
    if details:
        return Finding(
            "warning",
            f"drop-ins change what protects: {len(details)}",
            "unit",
            fix=f"is each meant? {REASONS}; else {REVERT}",
            details=details,
            facts=facts,
        )
    if not str(unit).startswith(("/usr/", "/lib/")):
        return Finding(
            "note",
            f"{unit} stands before the unit that was installed",
            "unit",
            fix=f"compare: systemctl cat edged; {REVERT}",
            facts=facts,
        )
    others = f", {len(foreign)} drop-ins that change nothing of it" if foreign else ""
    return Finding("ok", f"{unit} as installed{others}", "unit", facts=facts, minor=True)


def _touched(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> Iterator[str]:
    """Directives of theirs that protect, or would, with their values."""
    for name, values in theirs.items():
        if (
            name not in HARMLESS
            and (name in ours or not name.startswith(("Exec", "Log")))
            and values != ours.get(name)
        ):
            yield f"{name}={' '.join(filter(None, values))}"


def settings(unit: str) -> dict[str, list[str]]:
    """The directives of [Service] in a unit's text, each with its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in re.sub(r"\\\n\s*", " ", unit).splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Service]" and (match := re.match(r"\s*(\w+)\s*=\s*(.*?)\s*$", line)):
            found.setdefault(match[1], []).append(match[2])
    return found


def _read(case: Case, file: Path) -> str:
    try:
        return case.host.place(file).read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _judged() -> Finding:
    """systemd's own score: 0 is nothing to be exposed by, 10 is everything."""
    said = service.output(["systemd-analyze", "security", UNIT, "--no-pager"], patience=10.0)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    if not found:
        return Finding(
            "cannot tell",
            "systemd-analyze does not judge it",
            "exposure",
            fix="sudo systemd-analyze security edged.service",
        )
    score = float(found[1])
    facts = {"exposure": score, "allowed": EXPOSURE}
    if score > EXPOSURE:
        return Finding(
            "warning",
            f"exposed to {score:.1f} by systemd's judgement, not {EXPOSURE} at most",
            "exposure",
            fix=f"systemd-analyze security edged.service; {REVERT}",
            facts=facts,
        )
    return Finding(
        "ok", f"exposed to {score:.1f} of 10 by systemd's judgement", "exposure", facts=facts, minor=True
    )
