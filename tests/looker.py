"""``edged zones`` as its owner types it, on a terminal of its own."""

from __future__ import annotations

import errno
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from searcher import of_memory

PATIENCE: Final = 120.0
PROMPT: Final = b"> "


class Looker:
    """The command; ``shown`` is all that its terminal has shown so far."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.shown = b""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def wait_for_prompt(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Until it has drawn the outline and asks what else to draw."""
        deadline = time.monotonic() + PATIENCE
        while not self.shown.endswith(PROMPT):
            assert self._read() and time.monotonic() < deadline, self.shown.decode(errors="replace")
            meanwhile()

    def _read(self) -> bool:
        """Whether there may be more."""
        if not select.select([self._ours], [], [], 0.05)[0]:
            return True
        try:
            piece = os.read(self._ours, 1 << 16)
        except OSError as error:  # Linux says so where nobody has the other end any more
            assert error.errno == errno.EIO
            piece = b""
        self.shown += piece
        return bool(piece)

    def pid(self, traced: bool) -> int:
        """The command's process; with a tracer, the tracer's child."""
        return children(self.process.pid)[0] if traced else self.process.pid

    def memory(self, traced: bool) -> Iterator[bytes]:
        return of_memory(self.pid(traced))

    def done(self) -> int:
        """An empty line is the end of drawing; how it ended."""
        os.write(self._ours, b"\n")
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def children(pid: int) -> list[int]:
    """A process's."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
