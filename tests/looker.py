"""``edged zones`` as its owner types it, on a terminal of its own."""

from __future__ import annotations

import errno
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

PATIENCE: Final = 120.0
PROMPT: Final = b"> "


class Looker:
    """The command; ``shown`` is all that its terminal has shown so far."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.shown = b""
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._ours)

    @property
    def pid(self) -> int:
        """Of what was started."""
        return self._process.pid

    def wait_for_prompt(self) -> None:
        """Until it has drawn the outline and asks what else to draw."""
        deadline = time.monotonic() + PATIENCE
        while not self.shown.endswith(PROMPT):
            assert self._read() and time.monotonic() < deadline, self.shown.decode(errors="replace")

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

    def done(self) -> int:
        """An empty line is the end of drawing; how it ended."""
        os.write(self._ours, b"\n")
        while self._read():
            pass
        return self._process.wait(PATIENCE)
