"""The library that stands between a process and its disk (interposer.c), compiled here and loaded by
``LD_PRELOAD``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_suffix(".c")
NAMED: Final = "EDGED_FAULTS_LIBRARY"

READ, WRITE, SYNC, TRUNCATE, NAME = 1, 2, 4, 8, 16
ONCE, LASTING, SHORT, KILL, KILL_TORN = range(5)


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def restart_under_it() -> None:
    """Replace this process by one that has the library before libc; returns once it is that one."""
    if named := os.environ.pop(NAMED, ""):
        del os.environ["LD_PRELOAD"]
        shutil.rmtree(named)  # it is loaded, and nobody else needs it
        return
    cc = compiler()
    if cc is None:
        raise SystemExit("the campaign needs a C compiler (apt install gcc libc6-dev)")
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    made = folder / "interposer.so"
    command = [cc, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(made), NAMED: str(folder)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


class Interposer:
    """What the loaded library can be told."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def watch(self, folder: Path) -> None:
        """Only files below it count."""
        self._library.faults_folder(str(folder).encode())

    def record(self, file: int) -> None:
        """Write what is done to them there; -1 ends it."""
        self._library.faults_record(file)

    def mark(self, number: int) -> None:
        """Put a number among the records: so many commits are acknowledged now."""
        self._library.faults_mark(number)

    def arm(self, kinds: int, at: int, code: int = 0, how: int = ONCE) -> None:
        """Of the calls of these kinds, number ``at`` from now on fails with ``code``; 0 counts only."""
        self._library.faults_arm(kinds, at, code, how)

    def disarm(self) -> None:
        """Nothing fails any more."""
        self.arm(0, 0)

    @property
    def count(self) -> int:
        """Calls since it was armed."""
        return int(self._library.faults_count())

    @property
    def tripped(self) -> int:
        """Calls that failed since it was armed."""
        return int(self._library.faults_tripped())
