"""The service as systemd knows it, and its processes as the kernel does. Everything here only asks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

UNIT: Final = "edged.service"
PATIENCE: Final = 5.0  # seconds that systemctl may take
#: Asked of systemd. What a unit does not set comes back with its default.
PROPERTIES: Final = (
    *(
        "LoadState",
        "ActiveState",
        "SubState",
        "Result",
        "UnitFileState",
        "MainPID",
        "NRestarts",
        "StatusText",
    ),
    *("FragmentPath", "DropInPaths", "NeedDaemonReload", "User", "Group", "SupplementaryGroups", "ExecStart"),
    *("ProtectHome", "PrivateTmp", "PrivateDevices", "DevicePolicy", "DeviceAllow", "PrivateNetwork"),
    *("TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths", "InaccessiblePaths"),
    *("MemoryMax", "MemorySwapMax", "NoNewPrivileges", "ExecMainStatus"),
)


class Unit(msgspec.Struct, frozen=True):
    """``properties`` as `systemctl show` prints them; empty when there is no systemd."""

    properties: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def systemd(self) -> bool:
        """Whether systemd runs this machine."""
        return bool(self.properties)

    @property
    def installed(self) -> bool:
        """Whether there is a unit edged.service."""
        return self["LoadState"] == "loaded"

    @property
    def pid(self) -> int:
        """The service's main process, 0 when it does not run."""
        return int(self["MainPID"]) if self["MainPID"].isdigit() else 0

    @property
    def drop_ins(self) -> tuple[str, ...]:
        """Files that change the unit."""
        return tuple(self["DropInPaths"].split())


def unit(root: Path = Path("/")) -> Unit:
    """What systemd says about the service."""
    program = shutil.which("systemctl")
    if not (root / "run/systemd/system").is_dir() or not program:
        return Unit()
    asked = [program, "show", UNIT, "--no-pager", *(f"--property={one}" for one in PROPERTIES)]
    return Unit(parsed(output(asked)))


def parsed(said: str) -> dict[str, str]:
    """`systemctl show`'s lines; what comes several times (DeviceAllow) as one text."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        name, is_there, value = line.partition("=")
        if is_there:
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def output(command: list[str], patience: float = PATIENCE) -> str:
    """What a program prints, "" when it fails or takes too long."""
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def systemd_version() -> str:
    """As in "257 (257.9-1~deb13u1)", "" without systemd."""
    return output(["systemctl", "--version"]).partition("\n")[0].removeprefix("systemd ")


class Process(msgspec.Struct, frozen=True):
    """One process as /proc/PID/status tells it; anybody may read that."""

    pid: int
    status: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.status.get(name, "")

    @property
    def uid(self) -> int:
        """The effective user."""
        return int(self["Uid"].split()[1])

    @property
    def gid(self) -> int:
        """The effective group."""
        return int(self["Gid"].split()[1])

    @property
    def groups(self) -> tuple[int, ...]:
        """All further groups."""
        return tuple(map(int, self["Groups"].split()))


def process(proc: Path, pid: int) -> Process | None:
    """A living process, None when there is none of that number."""
    try:
        text = (proc / f"{pid}/status").read_text("utf-8", errors="replace")
    except OSError:
        return None
    found = Process(pid, dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)))
    return found if found["Uid"] and found["Gid"] else None


def children(proc: Path, pid: int) -> list[Process]:
    """The processes that ``pid`` has started and that live: the workers of a daemon."""
    found = (process(proc, int(one.name)) for one in proc.glob("[0-9]*"))
    return [one for one in found if one and one["PPid"] == str(pid) and not one["State"].startswith("Z")]


def arguments(proc: Path, pid: int) -> list[str]:
    """The command line of a process, empty when it is gone or hidden."""
    try:
        said = (proc / f"{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [one.decode(errors="replace") for one in said.split(b"\0") if one]
