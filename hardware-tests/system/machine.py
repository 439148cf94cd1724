"""Where the story is played: a container whose power can be cut, or the board that this runs on.

Every command runs as a unit of the machine's own systemd (``systemd-run``), never as a child of the test:
what a test starts lives and dies as it would on a box, with the machine's control groups and its seccomp
filters.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

#: ext4's "shut down, and write nothing more, not even the log" (_IOR('X', 125, __u32) with 2): what is not
#: on the
#: disk at that instant never gets there. The kernel's own tests of power cuts use it.
SHUT_DOWN, NO_LOG_FLUSH = 0x8004587D, 2
DISK_SIZE = 6 << 30  # bytes; sparse
BOOT_PATIENCE = 60.0  # seconds

#: The script comes by stdin, so that neither systemd nor a shell expands what is in it a second time.
STUB = 'eval "$(cat)" </dev/null'


class Result(NamedTuple):
    """How a script ended and what it said."""

    status: int
    out: str
    err: str
    took: float  # seconds

    @property
    def said(self) -> str:
        """Both streams, for messages."""
        return f"{self.out}{self.err}"


class Machine:
    """A Debian with systemd. ``share`` is a folder of ours that it sees as ``inside``; ``wheels`` is what
    it installs from, None where it has a network for that.
    """

    name = "board"
    #: Why its power cannot be cut; "" when it can.
    why_no_cuts = "a power cut needs a hand or a relay at this board's plug"

    def __init__(self, share: Path, inside: Path, wheels: Path | None) -> None:
        self.share, self.inside, self.wheels = share, inside, wheels

    def _entrance(self) -> list[str]:
        return []

    def _command(
        self, user: str, groups: str, limit: float, words: Sequence[str] = ("sh", "-c", STUB)
    ) -> list[str]:
        properties = [f"--property=RuntimeMaxSec={limit:.0f}", "--property=TimeoutStopSec=5"]
        who = [f"--uid={user}"] if user else ["--setenv=HOME=/root"]
        who += [f"--property=SupplementaryGroups={groups}"] * bool(groups)
        passed = (
            [f"--setenv={name}" for name in os.environ if name.startswith("PIP_")]
            if self.name == "board"
            else []
        )
        return [
            *self._entrance(),
            *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
            *("--setenv=LANG=C.UTF-8", *who, *passed, *properties, *words),
        ]

    def run(
        self, script: str, *, user: str = "", groups: str = "", limit: float = 60.0, check: bool = True
    ) -> Result:
        """Run a shell script to its end, as root or as ``user`` with further ``groups``. Fails the test
        when its status is not 0, unless ``check`` is False.
        """
        began = time.monotonic()
        done = subprocess.run(
            self._command(user, groups, limit),
            input=script,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr, time.monotonic() - began)
        if check:
            assert result.status == 0, f"in {self.name}: {script}\nleft with {result.status}:\n{result.said}"
        return result

    def begin(self, script: str, limit: float = 300.0) -> subprocess.Popen[str]:
        """Run a script meanwhile."""
        # A file, not a pipe: nobody reads while it runs, and a power cut must not wait for a reader.
        log = (self.share / "background.log").open("w")
        process = subprocess.Popen(
            self._command("", "", limit), stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
        )
        assert process.stdin
        process.stdin.write(script)
        process.stdin.close()
        return process

    def talk(self, words: Sequence[str], limit: float) -> subprocess.Popen[str]:
        """Run a program as root that is asked and answers, line by line; it ends when nothing more is
        asked.
        """
        return subprocess.Popen(
            self._command("", "", limit, words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def background_log(self) -> str:
        """What the last script that was begun has said."""
        return (self.share / "background.log").read_text(errors="replace")

    def read(self, path: str) -> str:
        """A text file's contents."""
        return self.run(f"cat '{path}'").out

    def write(self, path: str, text: str) -> None:
        """Replace what a file holds; owner and mode stay."""
        (self.share / "written").write_text(text)
        self.run(f"cat '{self.inside}/written' > '{path}'")

    def cut(self) -> None:
        """Take the power away, now."""
        pytest.skip(self.why_no_cuts)

    def boot(self) -> None:
        """Give it power and wait until systemd is done."""

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.share)


class Container(Machine):
    """A container on a disk of its own: an ext4 in a file, over the cached root folder.

    A power cut shuts that file system down first, so what was not yet on the disk is lost, and then kills
    PID 1. Where this kernel lends no loop device the disk is a folder, and a power cut is the kill alone.
    """

    why_no_cuts = ""

    def __init__(self, name: str, root: Path, wheels: Path, work: Path, starter: Path) -> None:
        super().__init__(work / "share", Path("/share"), wheels)
        self.name, self._root, self._work, self._starter = name, root, work, starter
        self._disk, self._merged = work / "disk", work / "root"
        self._image = work / "disk.ext4"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self.boots = 0
        for folder in (self.share, self._disk, self._merged):
            folder.mkdir(parents=True)
        self.real_disk = self._format()

    def _format(self) -> bool:
        with self._image.open("wb") as file:
            file.truncate(DISK_SIZE)
        made = subprocess.run(["mke2fs", "-q", "-t", "ext4", self._image], capture_output=True, check=False)
        return made.returncode == 0 and self._mount_disk() and self._unmount(self._disk)

    def _mount_disk(self) -> bool:
        command = ["mount", "-o", "loop,discard", self._image, self._disk]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _unmount(self, folder: Path) -> bool:
        # A process of the dead machine may hold it for an instant more.
        for _ in range(50):
            if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
                return True
            time.sleep(0.1)
        raise AssertionError(f"{folder} stays in use")

    def _entrance(self) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--mount", "--pid", "--net", "--ipc", "--uts"]

    def boot(self) -> None:
        """Mount the disk and start PID 1 on it; fails when systemd does not get done."""
        if self.real_disk:
            assert self._mount_disk(), f"{self._image} cannot be mounted again"
        for part in ("upper", "work"):
            (self._disk / part).mkdir(exist_ok=True)
        layers = f"lowerdir={self._root},upperdir={self._disk}/upper,workdir={self._disk}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self._merged], check=True)
        self.boots += 1
        console = (self._work / f"console-{self.boots}").open("wb")
        self._process = subprocess.Popen(
            [self._starter, "--boot", self._merged, f"--bind={self.share}:{self.inside}"],
            stdout=console,
            stderr=console,
        )
        self._await_boot()

    def _await_boot(self) -> None:
        deadline = time.monotonic() + BOOT_PATIENCE
        state = "nothing"
        while time.monotonic() < deadline:
            self._leader = self._leader or _first_of(self._process.pid) if self._process else 0
            if self._leader:
                asked = subprocess.run(
                    [*self._entrance(), "systemctl", "is-system-running"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                state = asked.stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.1)
        raise AssertionError(
            f"{self.name} is not up after {BOOT_PATIENCE:.0f} s ({state}):\n{self.console()}"
        )

    def console(self) -> str:
        """The end of what this boot has said on its console."""
        return (self._work / f"console-{self.boots}").read_text(errors="replace")[-3000:]

    def cut(self) -> None:
        """What is on the disk is on the disk; everything else is gone."""
        if self.real_disk:
            disk = os.open(self._disk, os.O_RDONLY)
            fcntl.ioctl(disk, SHUT_DOWN, struct.pack("I", NO_LOG_FLUSH))
            os.close(disk)
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        if self._leader:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
        else:
            self._process.terminate()
        self._process.wait()
        self._process, self._leader = None, 0
        self._unmount(self._merged)
        if self.real_disk:
            self._unmount(self._disk)

    def close(self) -> None:
        """Remove its disk (the environment's KEEP=1 keeps it)."""
        self._end()
        if os.environ.get("KEEP"):
            print(f"{self.name} is kept in {self._work}")
        else:
            shutil.rmtree(self._work)


def _first_of(starter: int) -> int:
    """The container's PID 1 as this machine numbers it, among the starter's descendants; 0 while there is
    none.
    """
    for child in _children(starter):
        with suppress(OSError):
            numbers = next(
                line
                for line in Path(f"/proc/{child}/status").read_text().splitlines()
                if line.startswith("NSpid")
            ).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return child
        if found := _first_of(child):
            return found
    return 0


def _children(process: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(one) for one in (task / "children").read_text().split()]
    return found
