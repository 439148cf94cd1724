"""``edged-service CONFIG``: the daemon's process and nothing else in it.

systemd starts this, and ``edged run`` becomes it where no terminal watches: the command line's libraries
would cost the daemon a quarter of its memory for as long as it runs.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from edged import daemon
from edged.errors import EdgedError, fault
from edged.journal import Journal
from edged.notify import Notifier


def main() -> NoReturn:
    """The console script."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("edged-service CONFIG: the daemon; people type `edged run CONFIG`", file=sys.stderr)
        sys.exit(2)
    sys.exit(serve(sys.argv[1]))


def serve(path: str) -> int:
    """Run until a signal. The exit status; what is wrong is said on stderr, or in the journal."""
    # Until the loop heeds signals, and after: the end is the end, and a good one.
    signal.signal(signal.SIGTERM, _end)
    notifier = Notifier.taken()
    try:
        return daemon.run(Path(path), notifier)
    except EdgedError as error:
        return _complain(error, notifier)
    except Exception as error:
        if os.environ.get("EDGED_DEBUG"):
            raise
        # One line that can be reported: nobody reads a traceback in a journal.
        return _complain(fault(error, "the daemon"), notifier)


def _end(*_: object) -> NoReturn:
    sys.exit(0)


def _complain(error: EdgedError, notifier: Notifier) -> int:
    notifier.status(f"failed: {error.message}")
    hint = f" ({error.hint})" if error.hint else ""
    if notifier.listened_to:
        journal, (first, *others) = Journal(), error.message.splitlines()
        first = first.rstrip(":")
        journal.event("failed", f"{first}{hint}", reason=first, exit_status=error.exit_code)
        for line in others:
            journal.say("error", f"failed: {line.strip()}")
    else:
        lines = [f"edged: {error.message}"] + [f"  {error.hint}"] * bool(error.hint)
        print(*lines, sep="\n", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    main()
