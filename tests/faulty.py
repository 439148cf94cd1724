"""The real worker, but for one deed: a program for ``supervise.COMMAND``.

    faulty.py TIMES FOLDER DESCRIPTOR

A worker does the deed that its pipeline is named after, after its first tick; after so many TIMES, and under
any other name, it is sound. In FOLDER each deed has a file: one byte for each time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

TIMES, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
FRAME = 15  # at ten a second: after its first tick
hoard: list[bytes] = []
seen = 0


def leak() -> None:
    """With every frame from now on, until there is no more."""
    hoard.append(b"\1" * (64 << 20))


def wrong(looker: Any) -> None:
    """From now on it tells of more frames than a second has."""
    send = looker._channel.send

    def sent(message: Any) -> None:
        told = msgspec.structs.replace(message, analysed=10**7) if hasattr(message, "analysed") else message
        send(told)

    looker._channel.send = sent


def fault() -> None:
    """A bug of ours."""
    raise KeyError("what was seen")


DEEDS: dict[str, Callable[[], object]] = {
    "segv": lambda: ctypes.string_at(0),
    "abort": lambda: ctypes.CDLL(None).abort(),
    "exit": lambda: os._exit(0),
    "spin": lambda: all(not one for one in iter(int, 1)),
    "sleep": lambda: time.sleep(1e6),
    "hold": lambda: ctypes.PyDLL(None).sleep(1000),  # nothing else of Python runs meanwhile
    "leak": leak,
    "fault": fault,
    "wrong": lambda: None,
    "escape": lambda: os.open("/etc/hostname", os.O_RDONLY),
}


def spoil(loop: Any, deed: str) -> None:
    """Have this worker do it."""
    look = loop.Looker._look

    def spoilt(self: Any, frame: object) -> None:
        global seen  # noqa: PLW0603
        seen += 1
        if seen == FRAME and deed == "wrong":
            wrong(self)
        elif seen == FRAME or (seen > FRAME and deed == "leak"):
            DEEDS[deed]()
        look(self, frame)

    loop.Looker._look = spoilt


def main() -> int:
    """As ``edged.worker``."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from edged.worker import loop

    work = loop._work

    def begin(channel: object, assignment: Any) -> None:
        deed = assignment.name
        tally = FOLDER / deed
        done = tally.stat().st_size if tally.exists() else 0
        if deed in DEEDS and done < TIMES:
            with tally.open("ab") as file:
                file.write(b".")
            spoil(loop, deed)
        work(channel, assignment)

    loop._work = begin
    return int(loop.main(sys.argv[-1]))


if __name__ == "__main__":
    sys.exit(main())
