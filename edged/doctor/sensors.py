"""Is the sensor there that a pipeline reads, which channels has it, and may the service read it?

Only the kernel's names are looked at, and modes: reading a sensor is the worker's, and a 1-wire bus is busy
for a second at each reading.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edged.board.attribute import text
from edged.config import shape
from edged.doctor.case import Case
from edged.doctor.finding import Finding, Verdict
from edged.doctor.trial import whose

CHANNEL: Final = {
    "iio": re.compile(r"in_(.+)_(?:raw|input)\Z"),
    "hwmon": re.compile(r"([a-z]+[0-9]+)_(?:input|average)\Z"),
}
FOLDERS: Final = {"iio": ("bus/iio/devices", "iio:device*"), "hwmon": ("class/hwmon", "hwmon*")}
#: The majors of serial lines (Documentation/admin-guide/devices.txt) as the unit names them.
PSEUDO: Final = range(136, 144)  #: of pseudo terminals, of which sysfs knows nothing
LINES: Final = {188: "char-188", 166: "char-166", 204: "char-204"}


def finding(case: Case, name: str, source: shape.Sensor) -> Finding:
    """The sensor of one pipeline."""
    match source:
        case shape.Iio() | shape.Hwmon():
            return _chip(case, name, source)
        case shape.OneWire():
            return _bus(case, name, source)
        case shape.Sysfs():
            return _files(case, name, source)
        case shape.Serial():
            return _line(case, name, source)
    said = "feed: the daemon makes its socket, and who is in the group edged may write to it"
    return Finding("ok", said, name, facts={"kind": "feed"})


# --- chips of the kernel's


def _chip(case: Case, name: str, source: shape.Iio | shape.Hwmon) -> Finding:
    kind = type(source).__name__.lower()
    facts: dict[str, object] = {"kind": kind, "device": source.device}
    folder, pattern = FOLDERS[kind]
    there = {one: text(one / "name") for one in sorted((case.host.sys / folder).glob(pattern))}
    wanted = source.device.partition("@")[0]
    found = [one for one, said in there.items() if wanted in (said, one.name)]
    if not found:
        here = ", ".join(f"{said} ({one.name})" for one, said in there.items()) or "none"
        said = f'{kind} knows no "{source.device}"; it knows {here}'
        fix = "is it wired, and its driver loaded? sudo dmesg tells"
        return Finding("failed", said, name, fix=fix, facts=facts)
    channels = _channels(found[0], kind)
    facts["channels"] = channels
    if lacking := [one for one in source.channels if one not in channels]:
        said = f"{source.device} has no channel {', '.join(lacking)}; it has {', '.join(channels) or 'none'}"
        return Finding("failed", said, name, fix="name those that it has in channels", facts=facts)
    said = f"{source.device} ({found[0].name}): {', '.join(channels)}"
    if isinstance(source, shape.Iio) and source.mode != "polled" and text(found[0] / "buffer/enable") == "1":
        return _buffer(case, name, source, found[0], said, facts)
    return Finding("ok", said, name, facts=facts)


def _channels(folder: Path, kind: str) -> list[str]:
    return sorted({found[1] for one in folder.iterdir() if (found := CHANNEL[kind].match(one.name))})


def _buffer(
    case: Case, name: str, source: shape.Iio, folder: Path, said: str, facts: dict[str, object]
) -> Finding:
    """It is switched on: may the service read its device?"""
    node = case.host.place(f"/dev/{folder.name}")
    if case.account_may(node, os.R_OK):
        return Finding("ok", f"{said}; its buffer is on", name, facts=facts | {"buffer": True})
    verdict: Verdict = "failed" if source.mode == "buffered" else "note"
    found = f"{said}; its buffer is on, and {node} is not the service's to read"
    fix = "a rule of udev's gives it to the group iio: docs/sensors.md"
    return Finding(verdict, found, name, fix=fix, facts=facts | {"buffer": False})


def _bus(case: Case, name: str, source: shape.OneWire) -> Finding:
    folder = case.host.sys / "bus/w1/devices"
    there = sorted(one.name for one in folder.glob("??-*") if (one / "temperature").exists())
    facts: dict[str, object] = {"kind": "onewire", "channels": there}
    lacking = [one for one in source.channels if one not in there]
    if lacking or not there:
        said = f"no {', '.join(lacking)} on the 1-wire bus" if lacking else "no thermometer on a 1-wire bus"
        fix = "is it wired? on a Raspberry Pi: dtoverlay=w1-gpio in /boot/firmware/config.txt"
        return Finding("failed", f"{said}; it has {', '.join(there) or 'none'}", name, fix=fix, facts=facts)
    return Finding("ok", f"the 1-wire bus: {', '.join(there)}", name, facts=facts)


# --- files and lines


def _files(case: Case, name: str, source: shape.Sysfs) -> Finding:
    facts: dict[str, object] = {"kind": "sysfs", "channels": list(source.channels)}
    places = {one: case.host.place(channel.path) for one, channel in source.channels.items()}
    if lacking := _lacking(places.values()):
        fix = "is the sensor there? path in the config names its file"
        return Finding("failed", f"{lacking[0]} is not there", name, fix=fix, facts=facts)
    if closed := [one for one in places.values() if not case.account_may(one, os.R_OK)]:
        said = f"{closed[0]} is not for the user {case.account.name} to read"
        return Finding("failed", said, name, fix="give it to everybody, or to the group edged", facts=facts)
    return Finding("ok", f"sysfs: {', '.join(source.channels)} can be read", name, facts=facts)


def _lacking(places: Iterable[Path]) -> list[Path]:
    return [one for one in places if not one.exists()]


def _line(case: Case, name: str, source: shape.Serial) -> Finding:
    facts: dict[str, object] = {"kind": "serial", "device": source.device}
    node = case.host.place(source.device)
    if not node.exists():
        by_name = sorted(case.host.place("/dev/serial/by-id").glob("*"))
        here = ", ".join(f"/dev/serial/by-id/{one.name}" for one in by_name) or "none"
        said = f"{source.device} is not there; serial lines on USB: {here}"
        return Finding(
            "failed", said, name, fix="plug it in; /dev/serial/by-id has names that stay", facts=facts
        )
    if not _is_line(case, node):
        fix = "it is /dev/ttyUSB0, /dev/ttyACM0 or the like"
        return Finding("failed", f"{source.device} is no serial line", name, fix=fix, facts=facts)
    if closed := _shut(case, node):
        return Finding("failed", closed, name, fix="sudo systemctl revert edged", facts=facts)
    if not case.account_may(node, os.R_OK):
        fix = f"sudo adduser {case.account.name} dialout, then sudo systemctl restart edged"
        said = f"{source.device} is not for the user {case.account.name} to read"
        return Finding("failed", said, name, fix=fix, facts=facts)
    said = f"{source.device}: there, {source.baud} baud"
    if remark := whose(case):
        return Finding("note", f"{said}; {remark}", name, fix=case.again, facts=facts)
    return Finding("ok", said, name, facts=facts)


def _is_line(case: Case, node: Path) -> bool:
    """Whether the kernel's terminals are behind it. It is not opened for that: opening resets an Arduino."""
    about, known = node.stat(), case.host.sys / "dev/char"
    if not stat.S_ISCHR(about.st_mode):
        return False
    number = f"{os.major(about.st_rdev)}:{os.minor(about.st_rdev)}"
    if os.major(about.st_rdev) in PSEUDO or not known.is_dir():
        return True
    return (known / number / "subsystem").resolve().name == "tty"


def _shut(case: Case, node: Path) -> str:
    """Whether the unit keeps the service from this line."""
    unit, wanted = case.unit, LINES.get(os.major(node.stat().st_rdev))
    if not unit.installed or wanted is None or unit["DevicePolicy"] not in ("closed", "strict"):
        return ""
    if wanted in unit["DeviceAllow"] or str(node) in unit["DeviceAllow"]:
        return ""
    return f"the unit allows no such line (DevicePolicy={unit['DevicePolicy']} without DeviceAllow={wanted})"
