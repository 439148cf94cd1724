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


class Fixed:
    """One rung and rate for the whole day, whatever the sensors say."""

    def __init__(self, rung: int, rate: float) -> None:
        self.choice = rung, rate

    def __call__(self, vitals: Vitals) -> tuple[int, float]:
        return self.choice


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
    """What a day was like, told second by second.

    ``utility`` is its mean; ``over`` are the seconds over the target that need not be, ``excused`` those
    that no governor could have kept; ``throttled`` those at less than full clock. ``course`` has one row
    every ``every`` seconds: time, mean and largest °C of the die, mean clock, mean utility.
    """

    every: int = 300
    seconds: int = 0
    total: float = 0.0
    over: int = 0
    excused: int = 0
    hottest: float = 0.0
    throttled: int = 0
    switches: list[float] = field(default_factory=list)
    course: list[tuple[float, ...]] = field(default_factory=list)
    _part: list[float] = field(default_factory=lambda: [0.0] * 4)

    @property
    def utility(self) -> float:
        """The mean of what was heard so far."""
        return self.total / max(1, self.seconds)

    def lived(self, time: float, hot: float, clock: float, worth: float) -> None:
        """A second more."""
        self.seconds += 1
        self.total += worth
        self.throttled += clock < 1.0
        self.hottest = max(self.hottest, hot)
        part = self._part
        part[0] += hot
        part[1] = max(part[1], hot)
        part[2] += clock
        part[3] += worth
        if not self.seconds % self.every:
            n = self.every
            self.course.append((time - 0.5 * n, part[0] / n, part[1], part[2] / n, part[3] / n))
            self._part = [0.0] * 4


def lived(
    board: SimulatedBoard,
    controller: Controller,
    want: Want,
    target: float,
    *,
    seconds: int = DAY,
    every: int = 300,
    idle: SimulatedBoard | None = None,
) -> Day:
    """A day of ``board``. ``idle`` is the same board without work, where that may be too hot by itself."""
    day, limit = Day(every), target + 0.5
    rungs, cores = want.rungs, board.spec.cores
    always = controller.choice if isinstance(controller, Fixed) else None
    for _ in range(seconds):
        rung, rate = always or controller(board.vitals())
        one, clock = rungs[rung], board.clock
        rate = min(rate, ladder.SATURATION * clock / one.latency)
        board.advance(rate * one.cost / cores)
        hot = board.temperature
        if idle is not None:
            idle.advance(0.0)
        if hot > limit:
            needless = idle is None or bearable(idle, target)
            day.over += needless
            day.excused += not needless
        day.lived(board.time, hot, clock, ladder.utility(want, rung, rate) if rate > 0.0 else 0.0)
    day.switches = getattr(controller, "switches", [])
    return day
