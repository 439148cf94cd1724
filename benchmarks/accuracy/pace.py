"""When frames come: at a rate, or while the governor changes it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

#: Frames per second; "full" is the clip's own rate, and about what a Raspberry Pi 5 makes of its detector.
RATES: Final = {"full": 10.0, "5fps": 5.0, "2fps": 2.0, "1fps": 1.0}
SWING: Final = "swing"
PACES: Final = (*RATES, SWING)
HIGH, LOW = 10.0, 2.0
#: Seconds from 10 to 2 and back again; the governor changes no more often.
ROUND: Final = 60.0


def rate_at(pace: str, time: float) -> float:
    """Frames per second at ``time``. A swing holds each of five rates for as long, and leaps between them."""
    if pace != SWING:
        return RATES[pace]
    phase = (time % ROUND) / ROUND
    step = round(4 * (1 - abs(2 * phase - 1)))  # 0, 1 … 4 … 1, 0
    return HIGH * math.pow(LOW / HIGH, step / 4)


def moments(pace: str, seconds: float, fps: float = 0.0) -> Iterator[float]:
    """The times of the frames within ``[0, seconds)``: of those that a source with ``fps`` has (0: any), and
    no more than the pace wants.
    """
    time = 0.0
    while time < seconds:
        yield time
        wanted = time + 1.0 / rate_at(pace, time)
        time = math.ceil(wanted * fps - 0.25) / fps if fps else wanted
