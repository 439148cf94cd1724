"""Heats the board that it runs on, by work for every core, and never beyond a cap.

A stove looks at the board ten times a second. At the ``cap`` its processes are stopped until it is 2 °C
cooler; at the ``abort`` temperature, when the temperature cannot be read for two seconds or does not move
for a minute, they are ended and ``Aborted`` is raised. They end by themselves when whoever heats dies, or
hangs: five seconds of work is what they do on one word.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

#: Two ways to end it, because one that is stopped reads nothing: the kernel's word that its parent has died,
#: and its own CPU time since the stove last wrote to it.
BURNER: Final = """
import ctypes, hashlib, os, signal
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
signal.setitimer(signal.ITIMER_PROF, 5.0)
os.set_blocking(0, False)
os.write(1, b".")
block = bytes(1 << 16)
while True:
    try:
        if not os.read(0, 1 << 16): break
        signal.setitimer(signal.ITIMER_PROF, 5.0)
    except BlockingIOError:
        pass
    for _ in range(16): hashlib.blake2b(block)
"""
COOLER: Final = 2.0  # °C below the cap, and it goes on
BLIND: Final = 2.0  # seconds without a reading
FROZEN: Final = 60.0  # seconds of work that no reading shows
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
        self._seen = self._lit = time.monotonic()
        self.coldest, self.hottest = math.inf, -math.inf
        self.stops = 0

    def __enter__(self) -> Stove:
        self._seen = self._lit = time.monotonic()
        self._watch()
        command = [sys.executable, "-I", "-c", BURNER]
        for _ in range(self._cores):
            one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            self._burners.append(one)
            assert one.stdin and one.stdout
            os.set_blocking(one.stdin.fileno(), False)
        for one in self._burners:  # one that is stopped before it has set its own end would stay for ever
            assert one.stdout
            one.stdout.read(1)
            one.stdout.close()
        if self._stopped:  # it was too hot before they began
            self._signal(signal.SIGSTOP)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._burners:
            one.kill()
        for one in self._burners:
            one.wait()
            if one.stdin:
                one.stdin.close()

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

    @property
    def stopped(self) -> bool:
        """Whether they pause at the cap."""
        return self._stopped

    def _watch(self) -> None:
        celsius = self._look()
        if self.burning < len(self._burners):
            self._give_up("a burner has ended: the temperature was not looked at for too long")
        for one in self._burners:
            self._prod(one)
        if celsius is None or not math.isfinite(celsius):
            if time.monotonic() - self._seen > BLIND:
                self._give_up("nothing tells how hot it is")
            return
        self._seen = time.monotonic()
        self.coldest, self.hottest = min(self.coldest, celsius), max(self.hottest, celsius)
        if celsius >= self._abort:
            self._give_up(f"{celsius:.1f} °C: the abort temperature is {self._abort:.1f} °C")
        if self.coldest == self.hottest and self._seen - self._lit > FROZEN:
            self._give_up(f"the temperature has stood at {celsius:.1f} °C for {FROZEN:.0f} s of work")
        if not self._stopped and celsius >= self._cap:
            self._signal(signal.SIGSTOP)
            self.stops += 1
        elif self._stopped and celsius <= self._cap - COOLER:
            self._signal(signal.SIGCONT)

    @staticmethod
    def _prod(burner: subprocess.Popen[bytes]) -> None:
        """It may go on. One that is stopped hears it later; its pipe takes an hour and a half of words."""
        assert burner.stdin
        with suppress(OSError):
            burner.stdin.write(b".")

    def _signal(self, number: signal.Signals) -> None:
        self._stopped = number == signal.SIGSTOP
        for one in self._burners:
            one.send_signal(number)

    def _give_up(self, why: str) -> None:
        self.__exit__()
        raise Aborted(why)
