"""Runs one check in a process of its own: one that crashes or hangs is itself a finding, and the rest go
on.

The process is forked, not exec'd: this command has no threads and no key in memory, and a Pi needs a
quarter of a second to start Python. What the check finds comes up a pipe, one line of JSON each, so that
what was found before a crash is not lost. A process that hangs in the kernel cannot be killed; nobody waits
for it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import msgspec

from edged.doctor.finding import Finding, Progress
from edged.errors import EdgedError, fault

Told = Finding | Progress
Check = Callable[[], Iterable[Told]]
#: Called every so often: seconds so far, what the check is at, and bytes that it has read.
Watch = Callable[[float, Progress, int], None]

TURN: Final = 0.1  # seconds between two calls of ``Watch``
PATIENCE: Final = 1.0  # seconds that a killed process has to be gone
REPORT: Final = "please report it with this line"


def run(name: str, check: Check, limit: float, watch: Watch = lambda *_: None) -> tuple[list[Finding], float]:
    """What ``check`` finds within ``limit`` seconds, and how long it took."""
    began = time.monotonic()
    upper, lower = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(upper)
        _become(name, check, lower)
    os.close(lower)
    found: list[Finding] = []
    try:
        in_time = _listen(pid, upper, began + limit, found, watch)
    finally:
        os.close(upper)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # what it started too
        status = _reaped(pid)
    if not in_time:
        found.append(_hung(name, limit))
    elif status:
        found.append(_died(name, status))
    elif not found:
        found.append(Finding("failed", f"the check {name} found nothing to say", fix=REPORT))
    return found, time.monotonic() - began


# --- in the check's process


def _become(name: str, check: Check, pipe: int) -> None:
    """Be the check; never returns. Libraries print, so 0, 1 and 2 lead nowhere."""
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for told in check():
            _tell(pipe, told)
        status = 0
    except EdgedError as error:
        _tell(pipe, Finding("failed", error.message, fix=error.hint))
        status = 0
    except Exception as error:
        bug = fault(error, f"the check {name}")
        _tell(pipe, Finding("failed", bug.message, fix=bug.hint))
        status = 0
    finally:
        os._exit(status)


def _tell(pipe: int, told: Told) -> None:
    line = msgspec.json.encode(told) + b"\n"
    while line:
        line = line[os.write(pipe, line) :]


# --- in ours


def _listen(pid: int, pipe: int, deadline: float, found: list[Finding], watch: Watch) -> bool:
    """Collect until the check is done; False when the time was over first."""
    decoder: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
    began, rest, at = time.monotonic(), b"", Progress("")
    while (now := time.monotonic()) < deadline:
        watch(now - began, at, _bytes_read(pid) if at.size else 0)
        if not select.select([pipe], [], [], min(TURN, deadline - now))[0]:
            continue
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return True
        *lines, rest = (rest + piece).split(b"\n")
        for told in map(decoder.decode, lines):
            if isinstance(told, Progress):
                at = told
            else:
                found.append(told)
    return False


def _bytes_read(pid: int) -> int:
    """By read calls, as the kernel counts them; 0 when it does not say."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/io", encoding="ascii") as file:  # noqa: PTH123
        return int(file.readline().partition(":")[2])
    return 0


def _reaped(pid: int) -> int:
    """Its end: 0, a status, or minus a signal; 0 as well for one that cannot die."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return 0


def _hung(name: str, limit: float) -> Finding:
    return Finding(
        "failed",
        f"the check {name} was not done within {limit:g} s and was ended",
        fix="is the machine overloaded, or does a device hang? `sudo dmesg` tells; a reboot frees a device",
    )


def _died(name: str, status: int) -> Finding:
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    return Finding("failed", f"the check {name} was ended {how}", fix=REPORT)
