"""Heats the board that it runs on, by work for every core, and never beyond a cap.

A stove looks at the board ten times a second. At the ``cap`` its processes are stopped until it is 2 °C
cooler; at the ``abort`` temperature, or when the temperature cannot be read for two seconds, they are ended
and ``Aborted`` is raised. They are ended too when whoever heats dies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

BURNER: Final = """
import ctypes, hashlib, os, signal
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() == 1: raise SystemExit
block = bytes(1 << 16)
while True: hashlib.blake2b(block)
"""
COOLER: Final = 2.0  # °C below the cap, and it goes on
BLIND: Final = 2.0  # seconds without a reading
EVERY: Final = 0.1  # seconds

Look = Callable[[], float | None]


class Aborted(Exception):
    """It became too hot, or nobody knows how hot it is."""


class Stove:
    """Burners on every core, or on ``cores`` of them. ``look`` tells °C now, None when it cannot."""

    def __init__(self, look: Look, cap: float, abort: float, cores: int | None = None) -> None:
        if not cap < abort:
            raise ValueError(f"the cap ({cap} °C) is to be below the abort temperature ({abort} °C)")
        self._look, self._cap, self._abort = look, cap, abort
        self._cores = cores or os.cpu_count() or 1
        self._burners: list[subprocess.Popen[bytes]] = []
        self._stopped = False
        self._seen = time.monotonic()
        self.hottest = float("-inf")
        self.stops = 0

    def __enter__(self) -> Stove:
        self._seen = time.monotonic()
        self._watch()
        command = [sys.executable, "-I", "-c", BURNER]
        self._burners = [subprocess.Popen(command) for _ in range(self._cores)]
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._burners:
            one.kill()
        for one in self._burners:
            one.wait()

    def heat(self, seconds: float) -> None:
        """Go on for so long. Raises ``Aborted``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._watch()
            time.sleep(EVERY)

    @property
    def burning(self) -> int:
        """How many processes there are, stopped or not."""
        return sum(one.poll() is None for one in self._burners)

    def _watch(self) -> None:
        celsius = self._look()
        if celsius is None:
            if time.monotonic() - self._seen > BLIND:
                self._give_up("nothing tells how hot it is")
            return
        self._seen, self.hottest = time.monotonic(), max(self.hottest, celsius)
        if celsius >= self._abort:
            self._give_up(f"{celsius:.1f} °C: the abort temperature is {self._abort:.1f} °C")
        if not self._stopped and celsius >= self._cap:
            self._signal(signal.SIGSTOP)
            self.stops += 1
        elif self._stopped and celsius <= self._cap - COOLER:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        self._stopped = number == signal.SIGSTOP
        for one in self._burners:
            one.send_signal(number)

    def _give_up(self, why: str) -> None:
        self.__exit__()
        raise Aborted(why)
