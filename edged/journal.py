"""What the daemon says: plain lines on stderr, with a priority in front where journald reads them.

Only sentences of edged's own are said. Nothing that a worker computed with reaches a log.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from edged.events import KINDS

#: syslog's numbers; journald takes them from a leading "<n>" (sd-daemon(3)).
PRIORITIES: Final = {"debug": 7, "info": 6, "notice": 5, "warning": 4, "error": 3}


class Journal:
    """Says what is at least as grave as ``level``."""

    def __init__(self, level: str = "info") -> None:
        self._most = PRIORITIES[level]
        self._prefixed = "JOURNAL_STREAM" in os.environ

    def say(self, priority: str, text: str, pipeline: str = "") -> None:
        """One line. Line breaks in ``text`` do not make it two."""
        number = PRIORITIES[priority]
        if number > self._most:
            return
        line = " ".join(f"{pipeline}: {text}".split() if pipeline else text.split())
        # On a terminal `edged run` keeps a line of its own, over which this one is written.
        clear = "\x1b[K" if sys.stderr.isatty() else ""
        mark = f"<{number}>" if self._prefixed else f"{clear}edged: "
        print(f"{mark}{line}", file=sys.stderr, flush=True)

    def event(self, name: str, text: str, pipeline: str = "", **fields: object) -> str:
        """One of ``events.KINDS`` has happened. ``fields`` are those that its kind names.

        The text as it is to be kept in the store too; "" when it is held back because it was said too often.
        """
        self.say(KINDS[name].priority, f"{name}: {text}", pipeline)
        return text
