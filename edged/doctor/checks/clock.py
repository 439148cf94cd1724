"""Is the time right, who says so, and what becomes of it in a power cut?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged import clock
from edged.board.attribute import number, text
from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.errors import ConfigError

#: Who may set the clock by the network, by the names of their processes (15 characters of them).
SETTERS: Final = {
    "systemd-timesyn": "systemd-timesyncd",
    "chronyd": "chrony",
    "ntpd": "ntpd",
    "ntpsec": "ntpsec",
    "openntpd": "openntpd",
    "ptp4l": "ptp4l",
    "phc2sys": "phc2sys",
}
SET: Final = (
    'sudo timedatectl set-ntp true; where there is no network, a battery-backed clock and trust = "always"'
)
WRONG: Final = 120.0  # seconds that a battery-backed clock may differ from the system's before it is told
FLAT: Final = 2_000_000  # microvolts of a Pi 5's clock battery below which it is empty or not there


def examine(case: Case) -> Iterator[Finding]:
    """Three findings: the time, the battery-backed clock, the zone."""
    yield _time(case)
    yield _battery(case)
    yield _zone(case)


def _time(case: Case) -> Finding:
    kernel, mark = clock.kernel_vouches(), clock.timesyncd_mark()
    setters = sorted(set(_setters(case.host.proc)))
    always = case.config.clock.trust == "always"
    facts = {"kernel": kernel, "timesyncd": bool(mark), "setters": setters, "trust": case.config.clock.trust}
    who = f" by {' and '.join(setters)}" if setters else ""
    believed = (case.status or {}).get("clock", {})
    if kernel or mark:
        by = "the kernel holds it for synchronised" if kernel else "systemd-timesyncd has set it in this boot"
        return Finding("ok", f"{by}{', kept' + who if who else ''}", facts=facts)
    if always:
        return Finding(
            "note", 'nobody vouches for the time; the config believes it (trust = "always")', facts=facts
        )
    if believed.get("good"):
        return Finding("ok", f"believed: {believed.get('why', '')}", facts=facts)
    waits = "; what is counted waits for it" if case.status else ""
    if setters:
        return Finding(
            "warning",
            f"not synchronised yet{who}{waits}",
            fix="is there a network? timedatectl timesync-status",
            facts=facts,
        )
    return Finding("warning", f"not synchronised, and nothing here would set it{waits}", fix=SET, facts=facts)


def _setters(proc: Path) -> Iterator[str]:
    for one in proc.glob("[0-9]*/comm"):
        if name := SETTERS.get(text(one)):
            yield name


def _battery(case: Case) -> Finding:
    """The real-time clock, if there is one. That of a Pi 5 is always there, its battery not."""
    clocks = sorted((case.host.sys / "class/rtc").glob("rtc*"))
    if not clocks:
        return Finding(
            "ok",
            "no battery-backed clock: after a power cut the time waits for the network",
            "battery",
            facts={"rtc": ""},
            minor=True,
        )
    rtc = clocks[0]
    name, volts, at = text(rtc / "name"), number(rtc / "battery_voltage"), number(rtc / "since_epoch")
    facts = {"rtc": name, "battery_volts": None if volts is None else volts / 1e6}
    if volts is not None and volts < FLAT:
        said = f"the board's clock ({name}) has no battery, or an empty one: {volts / 1e6:.2f} V"
        return Finding(
            "ok",
            f"{said}; after a power cut the time waits for the network",
            "battery",
            facts=facts,
            minor=True,
        )
    off = abs(at - time.time()) if at else None
    if off is not None and off > WRONG:
        return Finding(
            "note",
            f"the battery-backed clock ({name}) is off by {off:.0f} s",
            "battery",
            fix="once the time is right: sudo hwclock --systohc",
            facts=facts | {"off_s": round(off)},
        )
    return Finding("ok", f"a battery-backed clock keeps it ({name})", "battery", facts=facts, minor=True)


def _zone(case: Case) -> Finding:
    wanted = case.config.clock.timezone
    try:
        found = clock.zone(wanted)
    except ConfigError as error:
        return Finding("failed", error.message, "zone", fix=error.hint)
    whose = "by the config" if wanted else "the system's"
    facts = {"zone": str(found), "by_config": bool(wanted)}
    return Finding("ok", f"days and hours are those of {found}, {whose}", "zone", facts=facts, minor=True)
