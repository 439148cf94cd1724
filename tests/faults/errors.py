"""A disk that refuses: each single read, write, sync, truncation and naming of a run fails once, or for good
from there on, in turn.

The daemon holds what it could not write and tries again at the next commit; when the store cannot be opened
it is started again. Whatever it met, once the disk is well everything that it counted is in the store.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from edged.errors import DamagedError, StoreError
from faults import workload
from faults.cuts import child
from faults.interposer import LASTING, NAME, ONCE, READ, SHORT, SYNC, TRUNCATE, WRITE, Interposer

COMMITS: Final = 14
#: Of a store that is there already. The log is copied into the file in the middle of what follows, and an
#: hour is made.
BEFORE: Final = 176


class Fault(NamedTuple):
    """What fails: ``kinds`` of calls, with ``code``, ``how``; ``old``: in a store that is there already."""

    name: str
    kinds: int
    code: int
    how: int
    old: bool


FAULTS: Final = tuple(
    Fault(f"{name}, {word}, {'an old' if old else 'a new'} store", kinds, code, how, old)
    for old in (False, True)
    for name, kinds, code, how, word in (
        ("EIO on read", READ, errno.EIO, ONCE, "once"),
        ("EIO on read", READ, errno.EIO, LASTING, "lasting"),
        ("EIO on write", WRITE, errno.EIO, ONCE, "once"),
        ("EIO on write", WRITE, errno.EIO, LASTING, "lasting"),
        ("EIO on sync", SYNC, errno.EIO, ONCE, "once"),
        ("EIO on sync", SYNC, errno.EIO, LASTING, "lasting"),
        ("EIO on truncation", TRUNCATE, errno.EIO, ONCE, "once"),
        ("EIO on names", NAME, errno.EIO, ONCE, "once"),
        ("ENOSPC on write", WRITE, errno.ENOSPC, ONCE, "once"),
        ("ENOSPC on write", WRITE, errno.ENOSPC, LASTING, "lasting"),
        ("ENOSPC half way", WRITE, errno.ENOSPC, SHORT, "once"),
        ("ENOSPC on names", NAME, errno.ENOSPC, ONCE, "once"),
    )
)


class Bench:
    """Stores to begin with, and one to break."""

    def __init__(self, folder: Path) -> None:
        self.library, self._folder = Interposer(), folder
        self.path = folder / "state" / "edged.db"
        self._old = folder / "old"
        self.library.watch(self.path.parent)
        self._make_old()

    def _make_old(self) -> None:
        """A store with a checkpoint behind it and commits in its WAL, as a kill leaves it."""

        def work() -> None:
            writer = workload.Writer.opened(self._old / "edged.db")
            for number in range(BEFORE):
                assert writer.commit(number)

        shutil.rmtree(self._old, ignore_errors=True)
        assert child(work) == 0

    def calls(self, fault: Fault) -> int:
        """How many such calls a run makes."""
        reading, writing = os.pipe()

        def work() -> None:
            self._run(fault, 0)
            os.write(writing, str(self.library.count).encode())

        assert child(work) == 0
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            return int(file.read())

    def fail(self, fault: Fault, at: int) -> None:
        """The run in which call number ``at`` fails, and what is there in the end."""
        status = child(lambda: self._run(fault, at))
        assert status == 0, f"{fault.name}, call {at}: the run ended with {status}"
        last = (BEFORE if fault.old else 0) + COMMITS - 1
        workload.judge(workload.look(self.path), last, last)

    def _run(self, fault: Fault, at: int) -> None:
        """Count ``COMMITS`` commits; the disk is well again for the last of them."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
        if fault.old:
            shutil.copytree(self._old, self.path.parent)
        first = BEFORE if fault.old else 0
        self.library.arm(fault.kinds, at, fault.code, fault.how)
        acknowledged, number, writer, behind = first - 1, first, None, False
        while number < first + COMMITS:
            if number == first + COMMITS - 1 and at:
                self.library.disarm()
            if writer is None:
                writer = self._start()
                if writer is None:
                    if number == first + COMMITS - 1:
                        raise AssertionError("it cannot be opened though the disk is well")
                    if self.library.tripped > 20:
                        self.library.disarm()
                    continue
            try:
                done = writer.commit(number)
            except DamagedError:
                # To SQLite a read that fails is damage: the daemon ends, and what it held is lost.
                assert number - acknowledged == 1 or behind, f"{number - acknowledged} commits were lost"
                writer.close()
                writer, number, behind = None, acknowledged + 1, False
                continue
            behind = not done
            acknowledged = number if done else acknowledged
            number += 1
        assert acknowledged == number - 1, f"{number - 1 - acknowledged} commits are held back for ever"

    def _start(self) -> workload.Writer | None:
        try:
            return workload.Writer.opened(self.path)
        except StoreError:
            return None
