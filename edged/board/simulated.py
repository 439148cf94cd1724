"""A board that is not there: its heat, its firmware, its supply and its battery, second by second.

A product, chosen by name (``board = "simulated:pi4-bare"``) and never silently: it shows what the governor
does with a summer day in a second, and it is what ``benchmarks/governor.py`` measures on. Deterministic:
the same name, weather and seed give the same day.

The model is two thermal masses: T = fast + slow, where ``fast`` (the die over its board) goes to R x (watts
- idle) within seconds and ``slow`` (board and case) to air + sun + rise + R x watts within minutes.
Figures: PowerJoular's power lines and sbc-bench's temperature logs (docs/governor.md has them by board).
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

import msgspec

from edged.board.vitals import Vitals


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of board in one kind of case.

    ``idle`` and ``dynamic`` are watts at rest and what all cores at full clock add. ``fast`` and ``slow``
    are (°C/W, time constant in s). ``rise`` is °C above the air that the rest of the board causes.
    ``clocks`` are fractions of the full clock that the firmware may choose, fastest first; it goes one step
    down per second from ``soft`` °C on, to the lowest at ``hard``. ``cap`` is a (°C, clock) soft limit.
    ``fan`` are (°C, factor on the slow resistance) steps with 5 °C of hysteresis. ``ohms`` is the supply's
    and the cable's resistance.
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
    ohms: float = 0.15
    volts: float = 5.1


_PI4 = (1.0, 0.667, 0.5, 0.4)
_PI5 = tuple(round(mhz / 2400, 3) for mhz in range(2400, 900, -100))

SPECS: dict[str, Spec] = {
    one.name: one
    for one in (
        Spec(
            name="pi3b+",
            model="Raspberry Pi 3 Model B Plus",
            idle=2.0,
            dynamic=3.3,
            fast=(1.8, 6.0),
            slow=(7.2, 350.0),
            rise=8.0,
            clocks=(1.0, 0.857, 0.643, 0.429),
            cap=(60.0, 0.857),
            speed=0.55,
        ),
        Spec(
            name="pi4-bare",
            model="Raspberry Pi 4 Model B",
            idle=2.29,
            dynamic=4.53,
            fast=(1.24, 3.0),
            slow=(8.2, 400.0),
            rise=9.5,
            clocks=_PI4,
        ),
        Spec(
            name="pi4-heatsink",
            model="Raspberry Pi 4 Model B",
            idle=2.29,
            dynamic=4.53,
            fast=(2.35, 20.0),
            slow=(2.3, 300.0),
            rise=10.0,
            clocks=_PI4,
        ),
        Spec(
            name="pi5-bare",
            model="Raspberry Pi 5 Model B",
            idle=4.4,
            dynamic=3.46,
            fast=(1.6, 8.0),
            slow=(5.6, 250.0),
            rise=0.0,
            clocks=_PI5,
            speed=2.5,
        ),
        Spec(
            name="pi5-cooler",
            model="Raspberry Pi 5 Model B",
            idle=4.4,
            dynamic=3.46,
            fast=(1.2, 8.0),
            slow=(4.0, 120.0),
            rise=5.0,
            clocks=_PI5,
            speed=2.5,
            fan=((50.0, 0.8), (60.0, 0.6), (67.5, 0.5), (75.0, 0.4)),
        ),
        Spec(
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
}


class Weather(msgspec.Struct, frozen=True):
    """What surrounds the board now: °C of the air, °C that the sun adds to the case, watts of sun on a
    panel.
    """

    air: float = 25.0
    sun: float = 0.0
    panel: float = 0.0


Sky = Callable[[float], Weather]
HYSTERESIS = 5.0  # °C, a Pi 5's fan


class SimulatedBoard:
    """Steps through time. ``temperature`` is the truth; ``vitals`` is what its sensor says, with ``noise``
    (one standard deviation, °C), a resolution of ``step`` °C and ``delay`` seconds.
    """

    def __init__(
        self, spec: Spec, sky: Sky, *, seed: int = 1, noise: float = 0.0, step: float = 0.0, delay: int = 0
    ) -> None:
        self.spec, self._sky = spec, sky
        self._random = random.Random(seed)
        self._noise, self._step = noise, step
        self.time = 0.0
        first = sky(0.0)
        self._fast = 0.0
        self._slow = first.air + first.sun + spec.rise + spec.slow[0] * spec.idle
        self._clock, self._fan = 0, 0
        self._told = deque([self.temperature] * (delay + 1), maxlen=delay + 1)
        self.busy = self.done = 0.0
        self.watts = spec.idle
        self._decay: dict[float, tuple[float, float]] = {}

    @property
    def temperature(self) -> float:
        """°C of the die, in truth."""
        return self._fast + self._slow

    @property
    def clock(self) -> float:
        """Fraction of the full clock."""
        allowed = self.spec.clocks[self._clock]
        if self.spec.cap and self.temperature >= self.spec.cap[0]:
            return min(allowed, self.spec.cap[1])
        return allowed

    def advance(self, demand: float, seconds: float = 1.0) -> float:
        """Go on by ``seconds`` while work of ``demand`` (0..1 of all cores at full clock) is asked for.
        Returns the work done, in the same unit.
        """
        spec, clock = self.spec, self.clock
        self.busy = min(1.0, demand / clock)
        self.done = min(demand, clock)
        # The core's voltage hardly falls with the clock (a Pi 4: 0.84 V at 600 MHz, 0.88 V at 1500 MHz).
        volts = 0.95 + 0.05 * clock
        self.watts = spec.idle + spec.dynamic * self.busy * clock * volts * volts
        weather = self._sky(self.time)
        fast, slow = self._factors(seconds)
        resistance = spec.slow[0] * (spec.fan[self._fan - 1][1] if self._fan else 1.0)
        self._fast += (spec.fast[0] * (self.watts - spec.idle) - self._fast) * fast
        around = weather.air + weather.sun + spec.rise
        self._slow += (around + resistance * self.watts - self._slow) * slow
        self.time += seconds
        self._firmware()
        self._told.append(self.temperature)
        return self.done

    def _factors(self, seconds: float) -> tuple[float, float]:
        if seconds not in self._decay:
            self._decay[seconds] = (
                1.0 - math.exp(-seconds / self.spec.fast[1]),
                1.0 - math.exp(-seconds / self.spec.slow[1]),
            )
        return self._decay[seconds]

    def _firmware(self) -> None:
        """Clock steps at the throttling points, and the fan."""
        spec, hot = self.spec, self.temperature
        if hot >= spec.hard:
            self._clock = len(spec.clocks) - 1
        elif hot >= spec.soft:
            self._clock = min(self._clock + 1, len(spec.clocks) - 1)
        elif hot < spec.soft - 1.0 and self._clock:
            self._clock -= 1
        if self._fan < len(spec.fan) and hot >= spec.fan[self._fan][0]:
            self._fan += 1
        elif self._fan and hot < spec.fan[self._fan - 1][0] - HYSTERESIS:
            self._fan -= 1

    def vitals(self) -> Vitals:
        """What the sensors say."""
        told = self._told[0]
        if self._noise:
            told += self._random.gauss(0.0, self._noise)
        if self._step:
            told = round(told / self._step) * self._step
        volts = self.spec.volts - self.spec.ohms * self.watts / self.spec.volts
        return Vitals(
            time=self.time,
            temperature=told,
            limit=self.spec.soft,
            busy=self.busy,
            clock=self.clock,
            under_voltage=volts < 4.63,
            power=None,
        )
