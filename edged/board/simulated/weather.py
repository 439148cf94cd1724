"""What surrounds a simulated board, as a function of the seconds since midnight: its sky.

Days are cosines with the coldest hour at 3 and the hottest at 15 o'clock; the sun on the case is a step,
because that is what a shadow's edge makes of it; the sun on a panel is a half sine from 6 to 18. All
assumed: no place, but the range in which boxes hang outdoors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

DAY: Final = 86_400.0  # seconds


class Weather(msgspec.Struct, frozen=True):
    """Now: °C of the air, °C that the sun adds to the case, share of its rated watts that a panel gives."""

    air: float = 25.0
    sun: float = 0.0
    panel: float = 0.0


Sky = Callable[[float], Weather]


def day(low: float, high: float, sun: float = 0.0, clear: float = 1.0) -> Sky:
    """``low`` to ``high`` °C and back, ``sun`` °C on the case from 13:00 to 15:30, a sky that is so
    ``clear``.
    """

    def sky(time: float) -> Weather:
        hour = time % DAY / 3600.0
        air = low + (high - low) * 0.5 * (1.0 - math.cos((hour - 3.0) * math.pi / 12.0))
        light = max(0.0, math.sin((hour - 6.0) * math.pi / 12.0))
        return Weather(air, sun if 13.0 <= hour < 15.5 else 0.0, clear * light)

    return sky


def steady(air: float) -> Sky:
    """The same for ever, without a sun."""
    always = Weather(air)
    return lambda time: always


def stepped(air: float, at: float, *, warmer: float = 0.0, sun: float = 0.0) -> Sky:
    """From ``at`` seconds on: so many °C ``warmer`` air, ``sun`` °C more on the case."""
    before, after = Weather(air), Weather(air + warmer, sun)
    return lambda time: before if time < at else after


SKIES: Final[dict[str, Sky]] = {
    "winter": day(-10.0, 2.0, clear=0.4),
    "mild": day(10.0, 24.0),
    "summer": day(17.0, 33.0, sun=8.0),
    "desert": day(30.0, 45.0),
    "room": steady(22.0),
    "hot": steady(40.0),
}
