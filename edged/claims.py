"""What a worker says that its kernel lacks, and what is true of it: found once, by a process that is exec'd
as a worker is and opens nothing foreign (``edged.worker.assay``).

A worker that was taken over before its lock would like to be believed that there is none.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from edged.errors import WallError
from edged.process import spawned

COMMAND: Final = (sys.executable, "-I", "-m", "edged.worker.assay")
PATIENCE: Final = 10.0  # seconds; a Pi Zero needs 2
#: What can be claimed, and how it is called. What a worker lacked before its lock is not here: it was told of
#: before anything foreign was open, and nothing that is granted depends on it.
CLAIMS: Final = {"seccomp": "filters", "notification": "filters that ask", "landlock": "Landlock"}

_found: list[frozenset[str]] = []


def check(lacking: Iterable[str]) -> None:
    """Raise ``WallError`` for a claim that is not true, or of which it cannot be found out."""
    for one in sorted(CLAIMS.keys() & set(lacking)):
        if one not in found():
            raise WallError(f"it says that this kernel has no {CLAIMS[one]}, and it has")


def found() -> frozenset[str]:
    """What is lacking. Blocks for a fraction of a second, the first time; raises ``WallError``."""
    if not _found:
        _found.append(_assayed())
    return _found[0]


def _assayed() -> frozenset[str]:
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawned(theirs, COMMAND)
    except OSError as error:
        os.close(ours)
        raise WallError("it says that its kernel lacks something, and that cannot be looked into") from error
    finally:
        os.close(theirs)
    try:
        said = _read(ours, time.monotonic() + PATIENCE)
    finally:
        os.close(ours)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it has answered, or never will
        os.waitpid(pid, 0)
    if not said.endswith(b"\n"):
        raise WallError("it says that its kernel lacks something, and that could not be found out")
    return frozenset(said.decode("ascii", "replace").split())


def _read(end: int, until: float) -> bytes:
    """All that is said by then."""
    poll, said = select.poll(), b""
    poll.register(end, select.POLLIN)
    while poll.poll(max(0.0, until - time.monotonic()) * 1e3) and (more := os.read(end, 256)):
        said += more
    return said
