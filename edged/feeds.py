"""A feed's socket: local programs write numbers to it, one worker reads them, and nothing goes back.

The daemon makes it, because a worker may make none, and shuts its writing side before anybody has it: what is
handed to the worker is a one-way street into it.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from edged.wall import FEED

FOLDER: Final = "feed"
#: Who may write: the daemon's user and its group, as for the control socket.
FOLDER_MODE, MODE = 0o750, 0o660


def path(runtime_dir: Path | str, name: str) -> Path:
    """Where a pipeline's feed is."""
    return Path(runtime_dir) / FOLDER / name


class Feed:
    """One pipeline's socket. It stays while workers come and go."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._descriptor = -1

    def open(self) -> int:
        """Its descriptor, above those that a worker is given: so none is in another's way. Raises
        ``OSError``.
        """
        if self._descriptor < 0:
            self._descriptor = self._bound()
        return self._descriptor

    def close(self) -> None:
        """It is no more. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with suppress(OSError):
                self.place.unlink()

    def _bound(self) -> int:
        """One that a dead daemon left behind is replaced; a living one's control socket keeps a second daemon
        from starting.
        """
        self.place.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.place.parent.chmod(FOLDER_MODE)
        self.place.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as made:
            before = os.umask(0o777 & ~MODE)  # from the first instant
            try:
                made.bind(str(self.place))
            finally:
                os.umask(before)
            made.shutdown(socket.SHUT_WR)
            return fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, FEED + 1)
