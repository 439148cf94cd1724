"""Power cuts: a run is recorded once, then cut at random records with whatever the disk may have kept."""

from __future__ import annotations

import errno
import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from faults import interposer, workload
from faults.disk import Disk, Record, lay_out, records
from faults.interposer import Interposer

MERCIES: Final = ("none", "all", "order", "any", "any", "any", "names", "sizes", "sizes")
COMMITS: Final = 420  # a checkpoint or two, a day, what is dropped by age


def child(work: Callable[[], None]) -> int:
    """Do it in a child process; its wait status."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def recorded(path: Path, seed: int) -> list[Record]:
    """What a box does in a day and a half: begins, counts, is killed, is stopped and started, has a moment's
    trouble with its disk.
    """
    library, dice = Interposer(), Random(f"record {seed}")
    log = path.parent.with_name("log")
    library.watch(path.parent)
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    opened = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    library.record(opened)
    ends = [*sorted(dice.sample(range(3, COMMITS - 3), 5)), COMMITS]
    first = 0
    for turn, end in enumerate(ends):
        trouble = (dice.randrange(5, 200), dice.choice((errno.EIO, errno.ENOSPC))) if turn % 2 else None
        status = child(
            lambda first=first, end=end, turn=turn, trouble=trouble: life(  # type: ignore[misc]
                path, library, first, end, clean=turn % 3 == 2, trouble=trouble
            )
        )
        assert status == 0, f"the recorded run ended with {status}"
        first = end
    library.record(-1)
    os.close(opened)
    found = list(records(log.read_bytes()))
    log.unlink()
    return found


def life(
    path: Path, library: Interposer, first: int, end: int, *, clean: bool, trouble: tuple[int, int] | None
) -> None:
    """One life of the daemon. It ends without a stop unless ``clean``; ``trouble``: a call that fails."""
    writer = workload.Writer.opened(path)
    if trouble:
        kinds = interposer.SYNC if trouble[1] == errno.EIO else interposer.WRITE
        library.arm(kinds, trouble[0] % 40, trouble[1], interposer.ONCE)
    done = True
    for number in range(first, end):
        done = writer.commit(number)
        if done:
            library.mark(number)
    if not done:  # the last one met the trouble
        library.disarm()
        assert writer.commit(end), "what was held back is written once the disk is well"
    if clean:
        writer.close()


def one_cut(found: list[Record], folder: str, place: Path, dice: Random) -> tuple[str, int]:
    """Cut the power once and judge what a start finds: (what the disk was like, commits that were lost in
    excess of what was acknowledged, always 0).
    """
    mercy, at = dice.choice(MERCIES), dice.randrange(1, len(found))
    disk = Disk(folder, dice)
    for one in found[:at]:
        disk.follow(one)
    acknowledged = disk.acknowledged
    disk.follow(found[at])  # the one that the power failed in
    begun = next((one.flags for one in found[at:] if one.kind == 8), acknowledged + 1)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    lay_out(disk.cut(dice, mercy), folder, place)
    path = place / "edged.db"
    number = workload.judge(workload.look(path), acknowledged, begun)
    _go_on(path, number)
    return mercy, number - acknowledged


def _go_on(path: Path, number: int) -> None:
    """The daemon counts on, and the next start finds that too."""
    writer = workload.Writer.opened(path)
    assert writer.commit(number + 1)
    writer.close()
    workload.judge(workload.look(path), number + 1, number + 1)
