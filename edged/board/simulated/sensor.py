"""What a simulated board's sensor makes of the truth: late, noisy, coarse, and at times not at all."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Final, Literal

import msgspec

Kind = Literal["gone", "frozen", "nan", "absurd", "leaping"]
ABSURD: Final = -273.0


class Fault(msgspec.Struct, frozen=True):
    """From ``begin`` to ``end`` (seconds of simulated time) the sensor is ``kind``."""

    begin: float
    end: float
    kind: Kind


class Sensor:
    """``noise`` °C (one standard deviation), ``step`` °C of resolution, ``delay`` whole seconds."""

    def __init__(
        self, truth: float, *, seed: int, noise: float, step: float, delay: int, faults: tuple[Fault, ...]
    ) -> None:
        self._random = random.Random(seed)
        self._noise, self._step, self._faults = noise, step, faults
        self._late = deque([truth] * (delay + 1), maxlen=delay + 1)
        self._said = truth

    def feel(self, truth: float) -> None:
        """A second more of the truth."""
        self._late.append(truth)

    def said(self, time: float) -> float | None:
        """°C, or None where it fails."""
        for fault in self._faults:
            if fault.begin <= time < fault.end:
                return self._wrong(fault.kind)
        told = self._late[0]
        if self._noise:
            told += self._random.gauss(0.0, self._noise)
        if self._step:
            told = round(told / self._step) * self._step
        self._said = told
        return told

    def _wrong(self, kind: Kind) -> float | None:
        return {
            "gone": None,
            "frozen": self._said,
            "nan": math.nan,
            "absurd": ABSURD,
            "leaping": self._late[0] + self._random.choice((-60.0, 0.0, 40.0)),
        }[kind]
