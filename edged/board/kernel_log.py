"""What the kernel said since boot, as far as its ring reaches back (``/dev/kmsg``; root may read it)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

DEVICE: Final = Path("/dev/kmsg")
RECORD: Final = 16 * 1024  # bytes; a record has half of that at most


class Line(NamedTuple):
    """One message and its time in seconds since boot."""

    seconds: float
    text: str


def lines(device: Path = DEVICE) -> Iterator[Line]:
    """Every message there is, the oldest first. Raises ``OSError``: ``PermissionError`` for a stranger."""
    for line in _texts(device):
        head, found, text = line.partition(";")
        fields = head.split(",")
        if found and not line.startswith(" ") and len(fields) > 2 and fields[2].isdigit():
            yield Line(int(fields[2]) / 1e6, text)


def _texts(device: Path) -> Iterator[str]:
    """Lines: "priority,number,microseconds,flags;text"; those that begin with a space belong to the one
    before.
    """
    opened = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    rest = b""
    try:
        while True:
            try:
                piece = os.read(opened, RECORD)
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # what came next was overwritten meanwhile; the read after goes on behind it
            if not piece:
                break
            *whole, rest = (rest + piece).split(b"\n")
            yield from (one.decode("utf-8", errors="replace") for one in whole)
    finally:
        os.close(opened)
