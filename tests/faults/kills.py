"""Kills: the daemon's process is ended by SIGKILL, by the clock or within a chosen system call, again and
again on the same store.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import struct
import time
import traceback
from pathlib import Path
from random import Random
from typing import Final

from faults import interposer, workload
from faults.interposer import Interposer

MOST: Final = 500  # commits, then a new store is begun
LONGEST: Final = 0.12  # seconds of a life, or after its first commit
COUNTING: Final = 0.75  # of those that die by the clock: only once they count, on a slow machine too
PATIENCE: Final = 60.0  # seconds
WORD: Final = struct.Struct("i")


class Box:
    """A store that survives its daemons."""

    def __init__(self, path: Path) -> None:
        self.path, self.library = path, Interposer()
        self.library.watch(path.parent)
        self.last = -1

    def live(self, dice: Random) -> str:
        """One life until it is killed, and what the next start finds; how it was killed."""
        if self.last > MOST:
            shutil.rmtree(self.path.parent)
            self.last = -1
        inside = dice.random() < 0.5
        said, saying = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._count(saying, self._doom(dice) if inside else None)
        os.close(saying)
        if not inside:
            if dice.random() < COUNTING:  # else it may die while it opens the store
                select.select([said], [], [], PATIENCE)
            time.sleep(dice.uniform(0.0, LONGEST))
            os.kill(pid, signal.SIGKILL)
        told = _read(said)
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status), f"it was to be killed and ended with {status}"
        assert os.WTERMSIG(status) == signal.SIGKILL, f"it was killed by {status}"
        least = max([self.last, *told])
        if self.path.exists():
            self.last = workload.judge(workload.look(self.path), least, least + 1)
        else:
            assert least < 0, "the store's file is gone"
        return f"{'inside a call' if inside else 'by the clock'}, {'counting' if told else 'beginning'}"

    @staticmethod
    def _doom(dice: Random) -> tuple[int, int, int]:
        """Which call it dies in: kinds, number, before it or half way through."""
        kinds = interposer.WRITE | interposer.SYNC | interposer.TRUNCATE | interposer.NAME
        return kinds, dice.randint(1, 400), dice.choice((interposer.KILL, interposer.KILL_TORN))

    def _count(self, saying: int, doom: tuple[int, int, int] | None) -> None:
        try:
            if doom:
                kinds, at, how = doom
                self.library.arm(kinds, at, 0, how)
            writer = workload.Writer.opened(self.path)
            for number in range(self.last + 1, 1 << 30):
                assert writer.commit(number)
                os.write(saying, WORD.pack(number))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _read(pipe: int) -> list[int]:
    with os.fdopen(pipe, "rb") as file:
        said = file.read()
    return [one[0] for one in WORD.iter_unpack(said)]
