"""Files that the worker may need once it is locked, opened beforehand: the models of the ladder.

Before the door is closed everybody opens files as usual. Afterwards no path can be opened, and what was put
on the shelf is read from there, as it is by then; what could not be put there says why not.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from edged.errors import UnavailableError

CHUNK: Final = 1 << 24  # bytes at a time


class AfreshError(UnavailableError):
    """What is wanted can only be opened by a worker that is not locked yet: the next one."""


class Shelf:
    """``closed``: from now on only what is held can be read."""

    def __init__(self) -> None:
        self._held: dict[str, int | OSError] = {}
        self.closed = False

    def hold(self, path: Path) -> None:
        """Open ``path`` for later, or keep what stands against it."""
        if str(path) in self._held:
            return
        try:
            self._held[str(path)] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._held[str(path)] = error

    def content(self, path: Path) -> bytes:
        """All of it. Raises ``OSError``: what opening it raised, or that it is not held."""
        held = self._held.get(
            str(path), FileNotFoundError(errno.ENOENT, "it was not there when the work began")
        )
        if isinstance(held, OSError):
            raise held
        size = os.lseek(held, 0, os.SEEK_END)
        made, at = bytearray(size), 0
        while at < size and (part := os.pread(held, min(CHUNK, size - at), at)):
            made[at : at + len(part)] = part
            at += len(part)
        return bytes(memoryview(made)[:at])


#: This process's.
shelf: Final = Shelf()
