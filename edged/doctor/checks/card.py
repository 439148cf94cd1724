"""What the state lies on: its wear, its room, its errors, and whether it is there after a reboot."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, Final

from edged.board import card, kernel_log, memory
from edged.board.attribute import text
from edged.board.card import VOLATILE, Card
from edged.board.mounts import Mount, holder, mounts
from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.doctor.words import several, size, span
from edged.nouns import Series
from edged.series import DISTRIBUTED, counted, series_of

YEAR: Final = 365.25 * 86400
#: Bytes that one series takes a bucket (docs/store.md: 20 series, 138,731 buckets each in a year, 101 MB),
#: and what they cost on the disk in a day with one commit a minute (12.2 MB; the part that is there without
#: any series).
ROW: Final = 36.4
DAY_OF_COMMITS: Final = 12.2e6
#: Of what is counted: a row, and how many a bucket has, of a busy place (60 events an hour by day: 21.4 and
#: 21.9 bytes a row; of a duration 0.6 rows a minute and 17 an hour). Estimates are rows too.
COUNTED_ROW: Final = 22.0
COUNTED_ROWS, NUMBERED_ROWS = 2, 4
#: A consumer's card is promised nothing; this many times its size is what careless ones bear.
FILLS: Final = 100
SHORT: Final = 3.0  # years of life that are worth a word
LONG_ENOUGH: Final = 3600.0  # seconds of uptime from which on "since boot" is a rate
TIGHT: Final = 50e6  # bytes below which the system itself fails
REPLACE: Final = "docs/doctor.md#card: copy it to a new one soon; cards fail all at once"
#: What the kernel says of a card or disk that fails.
TROUBLES: Final = (
    "I/O error",
    "mmc0: error",
    "mmc1: error",
    "error -110",
    "error -84",
    "card never left busy state",
)


def examine(case: Case) -> Iterator[Finding]:
    """Findings for the medium, the room on it, the file system, and swap."""
    state = case.config.daemon.state_dir
    mount = card.mount_of(case.host.root, state)
    if mount is None:
        yield Finding("cannot tell", f"the kernel does not tell what {state} lies on")
        return
    medium = card.card_of(case.host.sys, _upper(case, mount))
    yield _lasting(case, mount, medium)
    if medium:
        yield _writes(case, medium)
    yield _room(case, mount)
    yield _errors(case, mount, medium)
    if finding := _swap(case):
        yield finding


def _upper(case: Case, mount: Mount) -> Mount:
    """Of an overlay, what is written to."""
    if mount.kind != "overlay":
        return mount
    return holder(mount.option("upperdir") or "/", mounts(case.host.proc)) or mount


# --- what it is


def _lasting(case: Case, mount: Mount, medium: Card | None) -> Finding:
    """What the state lies on, and whether that keeps it."""
    facts = {
        "state_dir": case.config.daemon.state_dir,
        "mount": mount.point,
        "file_system": mount.kind,
        "medium": _facts(medium),
    }
    upper = _upper(case, mount)
    lost = "what is counted is lost at a reboot"
    if mount.kind in VOLATILE or (mount.kind == "overlay" and upper.kind in VOLATILE):
        return Finding(
            "warning",
            f"{mount.point} is in memory ({mount.kind}): {lost}",
            facts=facts | {"volatile": True},
            fix="put state_dir on a disk; on an overlay system give it a partition of its own",
        )
    if mount.kind == "overlay" and upper == mount:
        return Finding(
            "warning",
            f"{mount.point} is an overlay, probably over memory: {lost}",
            facts=facts | {"volatile": True},
            fix="is the overlay file system on? sudo raspi-config, Performance; or a partition for state_dir",
        )
    if medium is None:
        return Finding(
            "ok",
            f"{mount.point} ({mount.kind}): no disk of this machine's, so nothing is known of its wear",
            facts=facts,
        )
    return _worn(medium, _free(case), facts)


def _worn(medium: Card, free: int, facts: dict[str, Any]) -> Finding:
    said = f"{medium.kind} {medium.device}: {_described(medium)}"
    if medium.locked:
        return Finding(
            "failed",
            f"{said}; it has locked itself: nothing can be written any more",
            fix=REPLACE,
            facts=facts,
        )
    if medium.spare == "exhausted" or (medium.used or 0) > 1.0:
        return Finding("failed", f"{said}; it is worn out", fix=REPLACE, facts=facts)
    if medium.spare == "low" or (medium.used or 0) >= 0.8:
        return Finding("warning", f"{said}; its end is near", fix=REPLACE, facts=facts)
    return Finding("ok", f"{said}; {size(free)} free", facts=facts)


def _described(medium: Card) -> str:
    parts = [medium.name, size(medium.size), f"made {medium.made}" if medium.made else "", medium.grade]
    if medium.used is not None:
        parts.append(f"{medium.used * 100:.0f} % of its life used")
    if medium.spare:
        parts.append(f"spare blocks {medium.spare}")
    if medium.kind in ("SD card", "USB disk"):
        parts.append("does not tell its wear")
    return ", ".join(filter(None, parts))


def _facts(medium: Card | None) -> dict[str, Any] | None:
    return medium._asdict() if medium else None


# --- what is written to it


def _writes(case: Case, medium: Card) -> Finding:
    """What goes to the disk in a day, all in all and by edged, and how long a careless card would bear
    that.
    """
    uptime = case.host.uptime()
    own, measured = _own_rate(case)
    day = medium.written * 86400 / uptime if uptime >= LONG_ENOUGH else None
    facts = {
        "written_since_boot": medium.written,
        "uptime_s": round(uptime),
        "per_day": day and round(day),
        "edged_per_day": round(own),
    }
    edged = f"edged {'writes' if measured else 'is to write'} {size(own)} a day"
    said = f"{size(medium.written)} written since boot, {span(uptime)} ago; {edged}"
    if day is None or not medium.size:
        return Finding("ok", said, "writes", facts=facts, minor=True)
    years = medium.size * FILLS / max(day, own, 1.0) / 365.25
    facts["years"] = round(years, 1)
    said = f"{size(day)} written a day since boot, {span(uptime)} ago; {edged}"
    if years >= SHORT or medium.kind == "virtual disk":
        lasts = f"; a card that bears {FILLS} fills lasts {'over 20' if years > 20 else f'{years:.0f}'} years"
        return Finding(
            "ok", said + ("" if medium.kind == "virtual disk" else lasts), "writes", facts=facts, minor=True
        )
    return Finding(
        "warning",
        f"{said}: a card that bears {FILLS} fills lasts {years:.1f} years",
        "writes",
        facts=facts,
        fix="what writes so much? sudo iotop -ao; journald: Storage=volatile; swap: docs/doctor.md#card",
    )


def _own_rate(case: Case) -> tuple[float, bool]:
    """Bytes a day that edged writes: as the kernel counts of a daemon that is an hour old, else as was
    measured.
    """
    uptime = float((case.status or {}).get("uptime_s", 0.0))
    if case.daemon and uptime >= LONG_ENOUGH:
        counted = [
            line
            for line in text(case.host.proc / f"{case.daemon.pid}/io").splitlines()
            if line.startswith("write_bytes:")
        ]
        if counted:
            return int(counted[0].split()[1]) * 86400 / uptime, True
    return DAY_OF_COMMITS * 60.0 / case.config.store.commit_every, False


# --- the room on it


def _room(case: Case, mount: Mount) -> Finding:
    about = _statvfs(case)
    free, whole = about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize
    growth = max(0.0, year_of(case) - _store_size(case))
    facts = {"free": free, "size": whole, "growth_in_a_year": round(growth)}
    said = f"{size(free)} of {size(whole)} free; the store is to grow by {size(growth)} in the next year"
    if mount.read_only or about.f_flag & os.ST_RDONLY:
        return Finding(
            "failed",
            f"{mount.point} is mounted read-only",
            "room",
            facts=facts,
            fix="sudo dmesg tells why; the kernel does that after an error: edged doctor card",
        )
    if free < TIGHT:
        return Finding(
            "failed",
            f"{size(free)} of {size(whole)} free: the disk is full",
            "room",
            facts=facts,
            fix="sudo apt clean; sudo journalctl --vacuum-size=50M; du -xh / | sort -h | tail",
        )
    if free < growth + TIGHT:
        return Finding(
            "warning", said, "room", fix="make room, or keep less: [store.keep] in the config", facts=facts
        )
    return Finding("ok", said, "room", facts=facts, minor=True)


def _statvfs(case: Case) -> os.statvfs_result:
    place = case.host.place(case.config.daemon.state_dir)
    while not place.exists():
        place = place.parent
    return os.statvfs(place)


def _free(case: Case) -> int:
    about = _statvfs(case)
    return about.f_bavail * about.f_frsize


def year_of(case: Case) -> float:
    """Bytes that the store has after a year of the config's series, kept as it says."""
    keep = case.config.store.keep
    ages = ((keep.second, 1), (keep.minute, 60), (keep.hour, 3600), (keep.day, 86400))
    buckets = sum(min(age, YEAR) / width for age, width in ages if math.isinf(age) or age > 0)
    return buckets * sum(_rows(one) for name, it in case.pipelines().items() for one in series_of(name, it))


def _rows(series: Series) -> float:
    """Bytes that a series takes a bucket: what is counted has short rows, of a duration or a speed one for
    each bin.
    """
    if not counted(series):
        return ROW
    return COUNTED_ROW * (NUMBERED_ROWS if series.measure in DISTRIBUTED else COUNTED_ROWS)


def _store_size(case: Case) -> int:
    try:
        return case.host.place(case.config.store.file).stat().st_size
    except OSError:
        return 0


# --- its errors


def _errors(case: Case, mount: Mount, medium: Card | None) -> Finding:
    noted = card.errors(case.host.sys, mount)
    said = _said(case, medium)
    facts = {"file_system_errors": noted, "kernel_messages": said}
    if noted or said:
        heard = f", {several(said, 'message')} of it in the kernel's log" if said else ""
        return Finding(
            "failed",
            f"{mount.kind} has noted {several(noted, 'error')}{heard}",
            "errors",
            facts=facts,
            fix=f"sudo dmesg | grep -i error; once fsck.mode=force in the kernel's command line; {REPLACE}",
        )
    if said is None:
        return Finding(
            "ok",
            "no error is noted in the file system; the kernel's log is not for this user",
            "errors",
            facts=facts,
            minor=True,
        )
    return Finding(
        "ok",
        "no error, neither in the file system nor in the kernel's log",
        "errors",
        facts=facts,
        minor=True,
    )


def _said(case: Case, medium: Card | None) -> int | None:
    """Messages of the kernel's on this medium's troubles; None when its log may not be read."""
    device = medium.device if medium else ""
    host = "mmc" if device.startswith("mmcblk") else device
    try:
        lines = [one.text for one in kernel_log.lines(case.host.place("dev/kmsg"))]
    except OSError:
        return None
    return sum(bool(host) and host in one and any(sign in one for sign in TROUBLES) for one in lines)


# --- swap


def _swap(case: Case) -> Finding | None:
    """Swapping to the card wears it more than everything else; edged itself is never swapped."""
    slow = [one for one in memory.swaps(case.host.proc) if not one.compressed]
    if not slow:
        return None
    one = max(slow, key=lambda swap: swap.used)
    facts = {"swap": one.path, "size": one.size, "used": one.used}
    return Finding(
        "note",
        f"{one.path}: {size(one.used)} of {size(one.size)} swap on the disk in use",
        "swap",
        facts=facts,
        fix="docs/doctor.md#card: zram instead (sudo apt install systemd-zram-generator)",
    )
