"""A simulated board: heat, firmware, fan, supply and battery stepped through time together."""

from __future__ import annotations

import math

import msgspec

from edged.board.simulated.power import CAPPED, POLL, TOLERANCE, TRIP, Battery, volts
from edged.board.simulated.sensor import Fault, Sensor
from edged.board.simulated.specs import HYSTERESIS, Spec
from edged.board.simulated.weather import Sky, Weather
from edged.board.vitals import Vitals

#: The core's voltage hardly falls with the clock (a Pi 4: 0.84 V at 600 MHz, 0.88 V at 1500 MHz).
_VOLTS_AT_REST, _VOLTS_PER_CLOCK = 0.95, 0.05
LONGEST = 86_400.0  # seconds that one look may simulate: a suspended machine wakes up without delay
COARSE = 30.0  # seconds a step when a look lasts longer than a minute


class SimulatedBoard:
    """Steps through time. ``temperature`` is the truth; ``vitals`` is what its sensors say: with ``noise``
    (one standard deviation, °C), a resolution of ``step`` °C and ``delay`` seconds.

    ``demand`` is the load (0..1 of all cores at full clock) that `look` assumes since the last one: whoever
    knows what was worked sets it. ``trip`` is this board's under-voltage threshold in parts of 4.63 V.
    """

    def __init__(
        self,
        spec: Spec,
        sky: Sky,
        *,
        seed: int = 1,
        noise: float = 0.0,
        step: float = 0.0,
        delay: int = 0,
        faults: tuple[Fault, ...] = (),
        battery: Battery | None = None,
        meter: bool = False,
        trip: float = 1.0,
        start: float = 0.0,
    ) -> None:
        if abs(trip - 1.0) > TOLERANCE + 1e-9:
            raise ValueError(f"trip = {trip}: 0.95 to 1.05 of {TRIP} V")
        self.spec, self._sky, self.battery, self._meter = spec, sky, battery, meter
        self.time = start
        self.watts, self.demand, self.busy, self.done = spec.idle, 0.0, 0.0, 0.0
        weather = self.weather
        self._fast = 0.0
        self._slow = weather.air + weather.sun + spec.rise + spec.slow[0] * spec.idle
        self._clock, self._fan = 0, 0
        self._trip, self._sagged, self.under_voltage = TRIP * trip, -math.inf, False
        self._sensor = Sensor(self.temperature, seed=seed, noise=noise, step=step, delay=delay, faults=faults)
        self._decay: dict[float, tuple[float, float]] = {}
        self._began: float | None = None
        self._said: tuple[float, Vitals] | None = None

    @property
    def temperature(self) -> float:
        """°C of the die, in truth."""
        return self._fast + self._slow

    @property
    def clock(self) -> float:
        """Fraction of the full clock that the firmware allows."""
        allowed = self.spec.clocks[self._clock]
        if self.spec.cap and self._fast + self._slow >= self.spec.cap[0]:
            allowed = min(allowed, self.spec.cap[1])
        return min(allowed, CAPPED) if self.under_voltage else allowed

    @property
    def weather(self) -> Weather:
        """Around it now."""
        return self._sky(self.time)

    @property
    def fan(self) -> int:
        """Steps that the fan is on, 0 while it stands still."""
        return self._fan

    def advance(self, demand: float, seconds: float = 1.0) -> float:
        """Go on by ``seconds`` while work of ``demand`` (0..1 of all cores at full clock) is asked for.
        Returns the work done, in the same unit.
        """
        spec, clock = self.spec, self.clock
        self.busy = min(1.0, demand / clock)
        self.done = min(demand, clock)
        core = _VOLTS_AT_REST + _VOLTS_PER_CLOCK * clock
        self.watts = spec.idle + spec.dynamic * self.done * core * core
        weather = self.weather
        fast, slow = self._decay.get(seconds) or self._factors(seconds)
        resistance = spec.slow[0] * (spec.fan[self._fan - 1][1] if self._fan else 1.0)
        self._fast += (spec.fast[0] * (self.watts - spec.idle) - self._fast) * fast
        around = weather.air + weather.sun + spec.rise
        self._slow += (around + resistance * self.watts - self._slow) * slow
        self.time += seconds
        self._firmware()
        self._supply()
        if self.battery is not None:
            self.battery.step(self.watts, weather.panel, seconds)
        self._sensor.feel(self._fast + self._slow)
        return self.done

    def _factors(self, seconds: float) -> tuple[float, float]:
        self._decay[seconds] = (
            1.0 - math.exp(-seconds / self.spec.fast[1]),
            1.0 - math.exp(-seconds / self.spec.slow[1]),
        )
        return self._decay[seconds]

    def _firmware(self) -> None:
        """Clock steps at the throttling points, and the fan."""
        spec, hot = self.spec, self._fast + self._slow
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

    def _supply(self) -> None:
        """The alarm stays as long as the kernel needs to look again."""
        if volts(self.spec.volts, self.spec.ohms, self.watts) < self._trip:
            self._sagged = self.time
        self.under_voltage = self.time - self._sagged < POLL

    def vitals(self) -> Vitals:
        """What the sensors say."""
        return Vitals(
            time=self.time,
            temperature=self._sensor.said(self.time),
            limit=self.spec.soft,
            busy=self.busy,
            clock=self.clock,
            under_voltage=self.under_voltage,
            power=self.watts if self._meter else None,
            charge=None if self.battery is None else self.battery.charge,
            draining=None if self.battery is None else self.battery.draining,
            pressure=0.0,
        )

    def look(self, now: float) -> Vitals:
        """The board at ``now`` (seconds of any monotonic clock), having worked at ``demand`` since the last
        look. The first look is the simulated midnight, or ``start``; the time told is the caller's. Whole
        seconds are simulated, what is left waits for the next look.
        """
        if self._began is None:
            self._began = now - self.time
        left = min(LONGEST, now - self._began - self.time)
        while left >= 1.0 - 1e-3:
            seconds = 1.0 if left <= 60.0 else COARSE
            self.advance(self.demand, seconds)
            left -= seconds
        if self._said is None or self._said[0] != self.time:  # a sensor is read once a second
            self._said = self.time, self.vitals()
        return msgspec.structs.replace(self._said[1], time=now)

    def watch(self) -> int | None:
        """Nothing wakes for it: it has no time of its own."""
        return None

    def close(self) -> None:
        """There is nothing to give back."""
