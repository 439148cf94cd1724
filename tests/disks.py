"""A disk of its own whose power can be cut: ext4 in a file, mounted through a loop device.

What the file holds at some instant is what the disk would hold if the power failed then: what the file
system has not written out is in the kernel's memory only. ``data=writeback`` and ``noauto_da_alloc`` take
away the two courtesies of ext4 that hide a missing fsync: without them a new name may reach the disk long
before what it names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

SIZE: Final = 12 << 20  # bytes: the journal takes 4 MiB
OPTIONS: Final = "loop,data=writeback,noauto_da_alloc,commit=300"


class Disk:
    """The mounted file system: ``folder``. ``image`` is the disk itself."""

    def __init__(self, place: Path) -> None:
        self.image, self.folder = place / "image", place / "disk"
        self.folder.mkdir()

    def format(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum_seed", self.image], check=True)

    def as_after_a_cut(self, copy: Path) -> Path:
        """The disk as it would be if the power failed now."""
        shutil.copyfile(self.image, copy)
        return copy

    def leave(self, room: int) -> None:
        """Fill it up until no more than ``room`` bytes are free."""
        ballast = os.open(self.folder / "ballast", os.O_WRONLY | os.O_CREAT, 0o600)
        with suppress(OSError):
            while os.write(ballast, bytes(4096)):
                pass
        os.truncate(ballast, os.fstat(ballast).st_size - room)
        os.close(ballast)

    def write_names_out(self) -> None:
        """Have the file system commit its journal: names reach the disk, contents need not."""
        other = os.open(self.folder / "other", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(other, b"x")
            os.fsync(other)
        finally:
            os.close(other)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount a disk, its journal replayed as after any cut."""
    done = subprocess.run(
        ["mount", "-t", "ext4", "-o", OPTIONS, image, folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no loop device may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An empty one."""
    if os.geteuid() != 0 or not shutil.which("mke2fs"):
        pytest.skip("a disk of its own takes root and mke2fs")
    one = Disk(tmp_path)
    one.format()
    with mounted(one.image, one.folder):
        yield one
