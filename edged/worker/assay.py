"""``python -m edged.worker.assay FD``: what this kernel lacks of a worker's lock, found by putting it on.

The daemon starts it once a worker claims that something is lacking, and believes no worker what this did not
find as well. It is exec'd as a worker is, so it inherits what a worker does: a listener of seccomp's around
the daemon, for one. It answers on FD with words as in ``Locked.lacking``; nothing foreign is opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from edged.worker.sandbox import landlock, process, seccomp


def lacking(answers: int) -> Iterator[str]:
    """The words. Raises ``OSError`` when the kernel has what it takes and refuses it."""
    process.give_up_privileges()
    if not landlock.abi():
        yield "landlock"
    listener = seccomp.enforce(frozenset(), answers=answers)
    if listener is None:
        yield "seccomp"
    elif listener < 0:
        yield "notification"


def main(answers: int) -> None:
    """Nothing is left to be done once it is locked but to answer."""
    os.write(answers, f"{' '.join(lacking(answers))}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)
