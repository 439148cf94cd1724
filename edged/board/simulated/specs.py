"""The boards that can be simulated: watts, thermal masses, clocks, fans. Every figure's source is here.

Two thermal masses: T = fast + slow, where ``fast`` (the die over its board) goes to R x (watts - idle)
within seconds and ``slow`` (board and case) to air + sun + rise + R x watts within minutes.

Watts are PowerJoular's lines over the load. Resistances and time constants are fitted to the temperature
steps in sbc-bench's public logs; tests/test_simulated.py holds each board against the steps that it was
fitted to. What no log gives is marked *assumed*.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of board in one kind of case.

    ``idle`` and ``dynamic`` are watts at rest and what all cores at full clock add. ``fast`` and ``slow``
    are (°C/W, time constant in s). ``rise`` is °C above the air that the rest of the board causes.
    ``clocks`` are fractions of the full clock that the firmware may choose, fastest first; it goes one step
    down per second from ``soft`` °C on, to the lowest at ``hard``, and up again 1 °C below ``soft``.
    ``cap`` is a (°C, clock) soft limit. ``fan`` are (°C, factor on the slow resistance) steps with
    ``HYSTERESIS``. ``ohms`` is the resistance of supply and cable, ``volts`` what it gives without load.
    ``speed`` is work per second relative to a Pi 4.
    """

    name: str
    model: str
    idle: float
    dynamic: float
    fast: tuple[float, float]
    slow: tuple[float, float]
    rise: float
    cores: int = 4
    clocks: tuple[float, ...] = (1.0,)
    soft: float = 80.0
    hard: float = 85.0
    cap: tuple[float, float] | None = None
    fan: tuple[tuple[float, float], ...] = ()
    speed: float = 1.0
    ohms: float = 0.15  # assumed: a good supply with its own cable
    volts: float = 5.1  # a Raspberry Pi's own supplies


HYSTERESIS: Final = 5.0  # °C, a Pi 5's fan (its device tree)
_PI4 = (1.0, 0.667, 0.5, 0.4)  # 1500, 1000, 750, 600 MHz
_PI5 = tuple(round(mhz / 2400, 3) for mhz in range(2400, 900, -100))  # 2400 to 1000 by 100 MHz

_ALL = (
    Spec(  # PowerJoular: 2.00 + 3.30u. Thermal figures assumed: a bare Pi 4's, scaled to its heat spreader.
        name="pi3b+",
        model="Raspberry Pi 3 Model B Plus",
        idle=2.0,
        dynamic=3.3,
        fast=(1.8, 6.0),
        slow=(7.2, 350.0),
        rise=8.0,
        clocks=(1.0, 0.857, 0.643, 0.429),  # 1400, 1200, 900, 600 MHz
        cap=(60.0, 0.857),  # its firmware's soft limit
        speed=0.55,
    ),
    Spec(  # 2.29 + 4.53u. One core to four: +4.2 °C within 3 s, +30 °C with 400 s; 68.7 °C with one.
        name="pi4-bare",
        model="Raspberry Pi 4 Model B",
        idle=2.29,
        dynamic=4.53,
        fast=(1.24, 3.0),
        slow=(8.9, 400.0),
        rise=9.5,
        clocks=_PI4,
    ),
    Spec(  # One core to four: 50.6 -> 58.4 at 44 s -> 62.3 at 226 s: 8.0 °C with 20 s, 6.4 °C with 300 s.
        name="pi4-heatsink",
        model="Raspberry Pi 4 Model B",
        idle=2.29,
        dynamic=4.53,
        fast=(2.35, 20.0),
        slow=(1.9, 300.0),
        rise=12.0,
        clocks=_PI4,
    ),
    Spec(  # 4.40 + 3.46u. From 25 °C it throttles within minutes of full load, and would go beyond 85 °C.
        name="pi5-bare",
        model="Raspberry Pi 5 Model B",
        idle=4.4,
        dynamic=3.46,
        fast=(2.6, 8.0),
        slow=(6.5, 220.0),
        rise=0.0,
        clocks=_PI5,
        speed=2.5,
        ohms=0.08,  # assumed: its own supply for 5 A
    ),
    Spec(  # 50 °C at 4 W, 60.5 °C at 6.65 W, the fan at 30/50/70/100 %. Without the fan: assumed.
        name="pi5-cooler",
        model="Raspberry Pi 5 Model B",
        idle=4.4,
        dynamic=3.46,
        fast=(1.2, 8.0),
        slow=(4.0, 120.0),
        rise=12.5,
        clocks=_PI5,
        speed=2.5,
        ohms=0.08,  # assumed: its own supply for 5 A
        fan=((50.0, 0.78), (60.0, 0.7), (67.5, 0.6), (75.0, 0.5)),
    ),
    Spec(  # Assumed throughout, between a Zero W (0.92 + 0.47u) and a 3B+: the same four cores, slower.
        name="zero2w",
        model="Raspberry Pi Zero 2 W",
        idle=0.75,
        dynamic=2.4,
        fast=(3.0, 5.0),
        slow=(13.0, 250.0),
        rise=8.0,
        clocks=(1.0, 0.9, 0.8, 0.7, 0.6),
        speed=0.45,
        ohms=0.25,
    ),
)

SPECS: Final[dict[str, Spec]] = {one.name: one for one in _ALL}
