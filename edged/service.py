"""``python -m edged.service CONFIG``: the daemon's process and nothing else in it.

systemd starts this, and ``edged run`` becomes it where no terminal watches: the command line's libraries
would cost the daemon a quarter of its memory for as long as it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from edged import daemon
from edged.config.loading import load
from edged.errors import EdgedError, fault


def main(path: str = "") -> int:
    """Run until a signal. The exit status; what is wrong is said on stderr. The program ``edged-service``
    leaves ``path`` to its command line.
    """
    path = path or sys.argv[1]
    try:
        return daemon.run(load(Path(path)), Path(path))
    except EdgedError as error:
        return _complain(error)
    except Exception as error:
        if os.environ.get("EDGED_DEBUG"):
            raise
        # One line that can be reported: nobody reads a traceback in a journal.
        return _complain(fault(error, "the daemon"))


def _complain(error: EdgedError) -> int:
    lines = [f"edged: {error.message}"] + [f"  {error.hint}"] * bool(error.hint)
    print(*lines, sep="\n", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
