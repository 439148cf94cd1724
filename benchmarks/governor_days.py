"""Days of simulated boards under the real governor, and under what others do.

The job is the ladder of EfficientDet-Lite2, 1, 0 and SSDLite MobileNet v2 with its published times on a Pi 4
at one and four threads (Amdahl's law in between), scaled by the board's speed, at 5 frames per second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edged.board.simulated import SimulatedBoard, Spec
from edged.board.vitals import Vitals
from edged.governor import ladder, policy, steering
from edged.governor.ladder import Prefer, Want
from edged.governor.steering import Course

DAY = 86_400
ASKED = 5.0  # frames per second
#: Model, COCO mAP, seconds a frame at one and at four threads (NobuoTsukamoto/benchmarks, Pi 4).
MODELS = (
    ("efficientdet-lite2", 32.7, 0.858, 0.331),
    ("efficientdet-lite1", 29.6, 0.547, 0.212),
    ("efficientdet-lite0", 25.7, 0.344, 0.122),
    ("ssdlite", 22.4, 0.168, 0.057),
)


def wanted(spec: Spec, prefer: Prefer) -> Want:
    """What the owner asks of this board."""
    models = []
    for name, quality, one, four in MODELS:
        serial = (four / one - 0.25) / 0.75
        times = {n: one / spec.speed * (serial + (1.0 - serial) / n) for n in range(1, 5) if n <= spec.cores}
        models.append((name, quality, times))
    return Want(rungs=ladder.variants(models), rate=ASKED, prefer=prefer)


#: A controller takes what the sensors say and answers with a rung and a rate.
Controller = Callable[[Vitals], tuple[int, float]]


class Governed:
    """The real policy and steering, as the daemon calls them."""

    def __init__(self, spec: Spec, want: Want, target: float) -> None:
        self.want, self._cores = want, spec.cores
        self._limits = policy.Limits(
            target=target, floor=ladder.floor(want) / spec.cores, idle=spec.idle, dynamic=spec.dynamic
        )
        self._state: policy.State | None = None
        self._course: Course | None = None
        self.switches: list[float] = []

    def __call__(self, vitals: Vitals) -> tuple[int, float]:
        self._state, budget = policy.decided(self._state or policy.begun(vitals.time), vitals, self._limits)
        cores, before = budget.load * self._cores, self._course
        if before is None:
            self._course = steering.begun(self.want, cores, vitals.time)
        else:
            self._course = steering.steered(before, self.want, cores, vitals.time)
            if self._course.rung != before.rung:
                self.switches.append(vitals.time)
        return self._course.rung, self._course.rate


def dearest(want: Want, threads: int) -> Controller:
    """No control by us: the owner's dearest model at the rate that was asked for."""
    rung = next(at for at, one in enumerate(want.rungs) if one.threads == threads)
    return lambda vitals: (rung, want.rate)


def fixed(want: Want, rung: int, rate: float) -> Controller:
    """One rung and rate for the whole day."""
    return lambda vitals: (rung, rate)


class BangBang:
    """The best there is until the target, a pause until it is 3 °C cooler: a thermostat."""

    def __init__(self, want: Want, target: float) -> None:
        self._rung = ladder.best(want, float("inf"))[0]
        self._rate, self._target, self._on = ladder.ceiling(want, self._rung), target, True

    def __call__(self, vitals: Vitals) -> tuple[int, float]:
        hot = vitals.temperature or 0.0
        self._on = hot < (self._target if self._on else self._target - 3.0)
        return self._rung, self._rate if self._on else 0.0


def bearable(idle: SimulatedBoard, target: float) -> bool:
    """Whether a board that does nothing stays under the target in this air and sun, and has done so: what
    no governor can keep counts against none.
    """
    spec, weather = idle.spec, idle.weather
    settled = weather.air + weather.sun + spec.rise + spec.slow[0] * spec.idle
    return settled <= target and idle.temperature <= target - 0.5


@dataclass
class Day:
    """``utility`` is the day's mean; ``over`` seconds in which it was over the target and need not be;
    ``throttled`` seconds at less than full clock; ``course`` is (time, °C, clock, utility).
    """

    utility: float = 0.0
    over: int = 0
    hottest: float = 0.0
    throttled: int = 0
    switches: list[float] = field(default_factory=list)
    course: list[tuple[float, float, float, float]] = field(default_factory=list)


def lived(
    board: SimulatedBoard,
    controller: Controller,
    want: Want,
    target: float,
    *,
    seconds: int = DAY,
    every: int = 0,
    idle: SimulatedBoard | None = None,
) -> Day:
    """A day of ``board``. ``idle`` is the same board without work, where that may be too hot by itself."""
    day, limit, total = Day(), target + 0.5, 0.0
    rungs, cores = want.rungs, board.spec.cores
    for second in range(seconds):
        rung, rate = controller(board.vitals())
        one, clock = rungs[rung], board.clock
        rate = min(rate, ladder.SATURATION * clock / one.latency)
        board.advance(rate * one.cost / cores)
        worth = ladder.utility(want, rung, rate) if rate > 0.0 else 0.0
        total += worth
        day.throttled += clock < 1.0
        hot = board.temperature
        if idle is not None:
            idle.advance(0.0)
        if hot > limit and (idle is None or bearable(idle, target)):
            day.over += 1
        day.hottest = max(day.hottest, hot)
        if every and not second % every:
            day.course.append((board.time, hot, clock, worth))
    day.utility = total / seconds
    day.switches = getattr(controller, "switches", [])
    return day
