"""A program of its own, for one deed: open a device, and hand it over. What a driver's open(2) keeps waiting,
for ever perhaps, is this process, and never the daemon.

    python -I -S porter.py MAJOR PATH DESCRIPTOR

It imports next to nothing, because it is exec'd whenever a camera that was lost may be there again: 7 ms and
10 MB. One packet goes over DESCRIPTOR, the number of the error, 0 with the device; then it ends.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from _socket import MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET, socket


def opened(path: str, major: int) -> int:
    """The device's descriptor. Raises ``OSError``: ENODEV for what is no character device of that kind."""
    # Before, too: to open a pipe or a tape is a deed. No pathlib: it would be most of the time.
    _check(os.stat(path), major)  # noqa: PTH116
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    _check(os.fstat(descriptor), major)
    return descriptor


def _check(found: os.stat_result, major: int) -> None:
    if not stat.S_ISCHR(found.st_mode) or os.major(found.st_rdev) != major:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def main(major: str, path: str, end: str) -> None:
    """The process's whole life."""
    number, with_it = 0, []
    try:
        descriptor = opened(path, int(major))
        with_it = [(SOL_SOCKET, SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))]
    except OSError as error:
        number = error.errno or errno.EIO
    socket(fileno=int(end)).sendmsg([number.to_bytes(4, "little")], with_it, MSG_NOSIGNAL)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
