"""Asks a process that opens foreign things for a command, and takes so much of its answer and no more.

What it says may be the words of whoever took it over: a command must neither fill its memory with them nor
wait for their end, and ``printable`` keeps them from commanding a terminal.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, Any, Final, NamedTuple

PIECE: Final = 4096  # bytes: what a pipe takes at once (pipe(7), PIPE_BUF)
COMPLAINT: Final = 4096  # bytes of standard error that are kept, the last ones


class Said(NamedTuple):
    """Its exit ``status`` (negative: the signal), its ``answer``, and the end of its ``complaint``."""

    status: int
    answer: bytes
    complaint: bytes = b""

    @property
    def signal(self) -> str:
        """The name of what ended it; "" when it ended by itself."""
        try:
            return signal.Signals(-self.status).name if self.status < 0 else ""
        except ValueError:
            return f"signal {-self.status}"

    @property
    def last_line(self) -> str:
        """Of its complaint, as it may be shown."""
        return printable(self.complaint.decode(errors="replace").strip().rpartition("\n")[2])


def asked(
    command: Sequence[str],
    question: bytes,
    patience: float,
    most: int,
    complaints: bool = False,
    **how: Any,
) -> Said:
    """What ``command`` answers to ``question`` within ``patience`` seconds; b"" where that is longer than
    ``most`` bytes. Standard error is looked at only for ``complaints``. ``how`` is for ``subprocess.Popen``.

    Raises ``OSError`` when it cannot be started, ``subprocess.TimeoutExpired`` when it takes longer.
    """
    errors = subprocess.PIPE if complaints else subprocess.DEVNULL
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, bufsize=0, **how) as process:
        try:
            return _exchanged(process, question, time.monotonic() + patience, most)
        finally:
            process.kill()


def _exchanged(process: subprocess.Popen[bytes], question: bytes, deadline: float, most: int) -> Said:
    said = {one: b"" for one in (process.stdout, process.stderr) if one is not None}
    heard, left = list(said), question
    while heard:
        ready, free, _ = select.select(heard, _open(process.stdin), [], _left(process, deadline))
        if free:
            left = _given(free[0], left)
        for one in ready:
            piece = os.read(one.fileno(), PIECE)
            said[one] += piece
            if not piece:
                heard.remove(one)
            if one is process.stderr:
                said[one] = said[one][-COMPLAINT:]
            elif len(said[one]) > most:
                return Said(0, b"")
    answer, complaint = (said.get(one, b"") if one else b"" for one in (process.stdout, process.stderr))
    return Said(process.wait(_left(process, deadline)), answer, complaint)


def _open(stream: IO[bytes] | None) -> list[IO[bytes]]:
    return [stream] if stream is not None and not stream.closed else []


def _left(process: subprocess.Popen[bytes], deadline: float) -> float:
    """Seconds. Raises ``TimeoutExpired`` when there are none."""
    if (seconds := deadline - time.monotonic()) <= 0.0:
        raise subprocess.TimeoutExpired(process.args, 0.0)
    return seconds


def _given(stream: IO[bytes], question: bytes) -> bytes:
    """What of the question is not yet given; the stream is closed behind the last of it."""
    try:
        question = question[os.write(stream.fileno(), question[:PIECE]) :] if question else b""
    except BrokenPipeError:  # it does not want to know
        question = b""
    if not question:
        stream.close()
    return question


def printable(text: str) -> str:
    """What of a text can be shown: nothing in it commands a terminal, nor makes another line."""
    return "".join(one if one.isprintable() else "?" for one in text)
