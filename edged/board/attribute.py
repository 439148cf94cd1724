"""Reading one attribute of sysfs, procfs or the device tree: a short file that drivers may refuse in any
way.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Final

LONGEST: Final = 4096  # bytes: sysfs gives a page at most
MOST: Final = 2**63  # beyond, nothing that a kernel counts
GONE: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESRCH, errno.ESTALE})
SLOW: Final = 0.05  # seconds
REST: Final = 100.0
LONGEST_REST: Final = 300.0  # seconds


def text(file: Path) -> str:
    """The text without what ends it (in the device tree a zero byte); "" when it cannot be read."""
    try:
        with file.open("rb", buffering=0) as opened:
            content = opened.read(LONGEST) or b""
    except OSError:
        return ""
    return _plain(content)


def number(file: Path) -> int | None:
    """A whole number, decimal or as 0x…; None when it cannot be read, is none or has more than 63 bits."""
    return whole(text(file))


def whole(content: str | bytes) -> int | None:
    """As ``number``, of what was read."""
    said = content if isinstance(content, str) else _plain(content)
    try:
        found = int(said, 0)
    except ValueError:
        return None
    return found if -MOST <= found < MOST else None


def _plain(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").strip("\0\n\t ")


class Attribute:
    """One attribute that is read again and again: its descriptor stays open, and reading is one call.

    A driver may refuse it in any way, and then it is None (or "") this time. Where the device has gone it is
    ``lost``, and stays so. One that twice in a row took longer than ``SLOW`` (a bus that hangs, a sensor
    that converts on demand) says what it said last for ``REST`` times as long, so that it takes no more of
    the loop's time than a hundredth.
    """

    __slots__ = ("_descriptor", "_last", "_rests_until", "_slow", "lost", "path")

    def __init__(self, path: Path) -> None:
        self.path, self.lost = path, False
        self._last, self._slow, self._rests_until = b"", 0, 0.0
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            self._descriptor, self.lost = None, error.errno in GONE

    def bytes(self) -> bytes:
        """The content, b"" when there is none."""
        if self._descriptor is None:
            return b""
        began = time.monotonic()
        if began < self._rests_until:
            return self._last
        try:
            self._last = os.pread(self._descriptor, LONGEST, 0)
        except OSError as error:
            self._last = b""
            if error.errno in GONE:
                self.lost = True
                self.close()
        took = time.monotonic() - began
        if took > SLOW:
            self._slow += 1
            if self._slow > 1:
                self._rests_until = began + min(LONGEST_REST, REST * took)
        else:
            self._slow = 0
        return self._last

    def text(self) -> str:
        """As the function of this name."""
        return _plain(self.bytes())

    def number(self) -> int | None:
        """As the function of this name."""
        return whole(self.bytes())

    def fileno(self) -> int | None:
        """The descriptor, None when there is none."""
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
