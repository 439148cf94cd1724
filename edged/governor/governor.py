"""The governor at work: looks at the board once a second, decides (policy.py), and tells the keepers.

All judgement is in the pure modules of this room; here are the clock, the board, the config and the words.
It looks when a tick has woken the daemon up anyway, and has a timer of its own only for when none comes.
"""

from __future__ import annotations

import datetime
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edged import wall
from edged.board import opened
from edged.board.vitals import Board, Vitals
from edged.clock import Reading
from edged.config import shape
from edged.errors import EdgedError
from edged.governor import ladder, policy, profile, quiet
from edged.governor.costs import Cost, Way
from edged.governor.narrator import Note, because
from edged.governor.policy import Budget, Limits, State
from edged.governor.supply import Energy
from edged.governor.ward import Ward
from edged.reactor import Reactor, Timer
from edged.supervise import Keeper

if TYPE_CHECKING:
    from edged.board.simulated import SimulatedBoard

PERIOD: Final = 1.0  # seconds between two looks
EARLY: Final = 0.1  # seconds that a tick may come before that and still be looked at
LATE: Final = 0.5  # seconds after which nobody waits for a tick any more
SELDOM: Final = 10.0  # seconds between two looks while nothing works, or nothing is governed
AT_REST: Final = 60.0  # seconds of nothing but pauses after which looks become seldom
DAY: Final = 86400.0  # seconds
SMOOTH: Final = 5.0  # seconds over which loads are averaged
STEADY: Final = 60.0  # seconds without under-voltage until that is news
MISSED: Final = 3  # looks without any temperature since the start: there is no sensor
FLOOR: Final = (0.02, 0.5)  # of all cores: whatever least rates add up to
SPARE: Final = 1.05  # of the floor, so that rounding pauses nobody

ReadClock = Callable[[], Reading]


class Governor:
    """Over the ``keepers``. Nothing is governed before ``begin``, and nothing after ``close``."""

    def __init__(self, reactor: Reactor, keepers: Iterable[Keeper], note: Note, config: shape.Config) -> None:
        self._reactor, self._keepers, self._note = reactor, keepers, note
        self._wanted, self._state_dir = config.governor, config.daemon.state_dir
        self._cores = os.cpu_count() or 1
        self._wards: dict[str, Ward] = {}
        self._board: Board | None = None
        self._simulated: SimulatedBoard | None = None
        self._profile: profile.Profile | None = None
        self._unused = ""
        self._reading: ReadClock
        self._zone: datetime.tzinfo
        self._timer = Timer(math.inf, self._look)
        self._looked = self._worked = -math.inf
        self.vitals: Vitals | None = None
        self._state: State | None = None
        self.budget = Budget(1.0)
        self._limits = Limits(thermal=False)
        self._demand = self._beside = 0.0
        self._thermal, self._missed = False, 0
        self._blind, self._weak_at = "", -math.inf
        self._weak = False
        self._dated = False
        self._quiet = ""

    # --- its life

    def begin(self, reading: ReadClock, zone: datetime.tzinfo) -> None:
        """Open the board and look at it for the first time. ``reading`` tells the time. Raises
        ``ConfigError``.
        """
        self._reading, self._zone = reading, zone
        board = self._board = opened(self._wanted.board)
        if self._wanted.board != "auto":
            from edged.board.simulated import SimulatedBoard

            self._simulated = board if isinstance(board, SimulatedBoard) else None
        try:
            here = profile.here() if self._wanted.board == "auto" else self._wanted.board
            self._profile = profile.load(self._state_dir, here)
        except EdgedError as error:
            self._unused = f"no profile: {error.message}"
        watched = board.watch()
        if watched is not None:
            self._reactor.on_readable(_Descriptor(watched), self._look)
        self._look()

    def close(self) -> None:
        """Look no more."""
        board, self._board = self._board, None
        self._timer.cancel()
        if board is not None:
            if (watched := board.watch()) is not None:
                self._reactor.forget(_Descriptor(watched))
            board.close()

    def heed(self, wanted: shape.Governor) -> None:
        """From now on, but for the board, which stays the same until a restart."""
        self._wanted = msgspec.structs.replace(wanted, board=self._wanted.board)
        if not wanted.enabled:
            self._state, self.budget, self._quiet = None, Budget(1.0), ""
            for ward in self._wards.values():
                ward.release()
        if self._board is not None:
            self._look()

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Learn from it, and look if it is time: the daemon is awake now."""
        ward = self._wards.get(keeper.name)
        if ward is not None and ward.keeper is keeper:
            ward.learn(tick, self._clock)
        if self._board is not None and time.monotonic() - self._looked >= self._period - EARLY:
            self._look()

    # --- one look

    @property
    def _period(self) -> float:
        at_rest = self._looked - self._worked > AT_REST
        return SELDOM if at_rest or not self._wanted.enabled else PERIOD

    @property
    def _clock(self) -> float:
        clock = self.vitals.clock if self.vitals else None
        return clock if clock is not None and 0.0 < clock <= 1.0 else 1.0

    def _look(self) -> None:
        board, now = self._board, time.monotonic()
        if board is None:
            return
        seconds = now - self._looked if self._looked > -math.inf else 0.0
        self._muster(now)
        self._weigh(seconds)
        if self._simulated is not None:
            self._simulated.demand = min(1.0, self._demand / self._cores)
        vitals = self.vitals = board.look(now)
        self._looked = now
        if self._wanted.enabled:
            self._govern(vitals)
        self._timer.cancel()
        self._timer = self._reactor.after(self._period + LATE, self._look)

    def _muster(self, now: float) -> None:
        """Who is there, and whether anybody works."""
        wards = {}
        for keeper in self._keepers:
            ward = self._wards.get(keeper.name)
            if ward is None or ward.keeper is not keeper:
                ward = Ward(keeper, self._note, self._cores, self._measured(keeper))
            wards[keeper.name] = ward
        self._wards = wards
        if any(one.at_work and not one.paused for one in wards.values()) or self._worked == -math.inf:
            self._worked = now

    def _measured(self, keeper: Keeper) -> dict[Way, Cost]:
        """What the profile says of a ladder."""
        names = (keeper.pipeline.model, *keeper.pipeline.ladder)
        if self._profile is None:
            return {}
        return {
            Way(place, threads): Cost(cost.cost, cost.latency)
            for place, (name, model) in enumerate(zip(names, keeper.models, strict=True))
            for threads, cost in self._profile.times(name, model.file).items()
        }

    def _weigh(self, seconds: float) -> None:
        """What our workers took of the cores of late, and how much of that was not for frames (a camera's
        decoder runs on whatever the rate).
        """
        cpu = sum(ward.cpu for ward in self._wards.values())
        work = sum(ward.work for ward in self._wards.values())
        for ward in self._wards.values():
            ward.cpu = ward.work = 0.0
        if seconds <= 0.0:
            return
        part = 1.0 - math.exp(-seconds / SMOOTH)
        self._demand += (cpu * self._clock / seconds - self._demand) * part
        beside = max(0.0, cpu - work) * self._clock / seconds
        self._beside += (beside - self._beside) * part

    def _govern(self, vitals: Vitals) -> None:
        self._notice_sensor(vitals)
        wants = {name: ward.consider() for name, ward in self._wards.items() if ward.at_work}
        limits = self._limits = self._limited(sum(map(ladder.floor, wants.values())))
        state = self._state or policy.begun(vitals.time)
        state, day, self._quiet = self._day(state)
        quiet_now, own = bool(self._quiet), self._own(vitals)
        self._state, self.budget = policy.decided(state, vitals, limits, day, quiet_now, own)
        self._tell_board(vitals)
        reason = self._reason(vitals)
        shares = ladder.shared(wants, self._spendable(limits.floor))
        for name, share in shares.items():
            self._wards[name].steer(share, vitals.time, reason)
        for ward in self._wards.values():
            # A second of a worker that has just begun is a second too much.
            ward.hold(bool(self._quiet))

    def _spendable(self, floor: float) -> float:
        """Cores for frames: what is allowed less what we take besides. Where nothing binds, no limit: the
        kernel shares the cores.
        """
        if not self.budget.concern and self.budget.load >= 1.0:
            return math.inf
        least = min(floor, self.budget.load) * self._cores
        return max(least, self.budget.load * self._cores - self._beside)

    def _own(self, vitals: Vitals) -> float | None:
        """The load that is ours: what the board tells, else by our workers' ticks. On a simulated board
        nobody else works.
        """
        if self._simulated is not None:
            return policy.loaded(vitals, self.budget.load)
        if vitals.own is not None:
            return vitals.own * self._clock
        return min(1.0, self._demand / self._cores)

    def _limited(self, least: float) -> Limits:
        """``least`` is the cores that all least rates take."""
        wanted, known = self._wanted, self._profile
        plain = Limits()
        return Limits(
            target=wanted.target or None,
            floor=min(FLOOR[1], max(FLOOR[0], SPARE * least / self._cores)),
            prior=known.prior if known and known.prior else plain.prior,
            energy=Energy(
                watt_hours=wanted.watt_hours,
                reserve=wanted.battery_reserve,
                comfort=wanted.battery_comfort,
            ),
            idle=known.idle if known and known.idle else plain.idle,
            dynamic=known.dynamic if known and known.dynamic else plain.dynamic,
            thermal=self._thermal,
        )

    def _day(self, state: State) -> tuple[State, float, str]:
        """How much of the local day is over, and the quiet hours that it is now. Without a clock that is
        known to be right there are none, and a day is 24 h of the machine's running.

        On a day that was not seen from its beginning as much counts as spent as was due by now: a restart in
        the afternoon is no second ration.
        """
        reading = self._reading()
        if not reading.good:
            return state, state.time % DAY / DAY, ""
        local = datetime.datetime.fromtimestamp(reading.epoch(time.monotonic()), self._zone)
        day = quiet.over(local)
        if not self._dated:
            self._dated = True
            due = msgspec.structs.replace(state.supply, spent=self._wanted.watt_hours * day, day=day)
            state = msgspec.structs.replace(state, supply=due)
        return state, day, quiet.within(local, self._wanted.quiet)

    # --- what is said

    def _notice_sensor(self, vitals: Vitals) -> None:
        if vitals.temperature is not None:
            self._thermal = True
        elif not self._thermal:
            self._missed += 1
            if self._missed == MISSED:
                self._note("sensor-absent", "no temperature sensor was found: nothing is done against heat")

    def _tell_board(self, vitals: Vitals) -> None:
        assert self._state is not None
        blind = self.budget.blind
        if blind and not self._blind:
            self._note("sensor-blind", f"{blind}: what is blind counts as hot", reason=blind)
        elif self._blind and not blind:
            self._note("sensor-back", "the temperature is known again")
        self._blind = blind
        if vitals.under_voltage:
            if not self._weak:
                self._note("under-voltage", "the supply is too weak: all work is cut to the least")
            self._weak, self._weak_at = True, vitals.time
        elif self._weak and vitals.time - self._weak_at > STEADY:
            self._note("power-steady", f"no under-voltage for {STEADY:.0f} s: work comes back slowly")
            self._weak = False

    def _reason(self, vitals: Vitals) -> str:
        assert self._state is not None
        if self.budget.concern == "quiet":
            return f"quiet hours ({self._quiet})"
        return because(self._state, vitals, self.budget, self.target)

    @property
    def target(self) -> float:
        """°C."""
        return policy.aimed(self.vitals or Vitals(time=0.0), self._limits)

    # --- what is asked

    @property
    def celsius(self) -> float | None:
        """°C by the last look."""
        celsius = self.vitals.temperature if self.vitals else None
        return celsius if celsius is not None and math.isfinite(celsius) else None

    def share(self, keeper: Keeper) -> float:
        """What a pipeline may do of what was asked, 0 to 1."""
        ward = self._wards.get(keeper.name)
        return ward.share if ward is not None and ward.keeper is keeper else 1.0

    def reason(self, keeper: Keeper) -> str:
        """Why it may not do all that was asked; "" when it may."""
        ward = self._wards.get(keeper.name)
        return ward.reason if ward is not None and ward.keeper is keeper else ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong, for the status line."""
        if not self._wanted.enabled:
            return ()
        found = (
            "there is no temperature sensor" if not self._thermal and self._missed >= MISSED else "",
            self._blind,
            "the supply is too weak" if self._weak else "",
            self._unused,
        )
        return tuple(filter(None, found))

    def course(self, keeper: Keeper) -> dict[str, Any] | None:
        """What a pipeline does, for `edged status`."""
        ward = self._wards.get(keeper.name)
        return ward.facts if ward is not None and ward.keeper is keeper and self._wanted.enabled else None

    @property
    def facts(self) -> dict[str, Any]:
        """The board and its budget, for `edged status`."""
        vitals = self.vitals or Vitals(time=0.0)
        state, governed = self._state, self._wanted.enabled
        seconds = self.budget.seconds
        return {
            "name": self._wanted.board,
            "governed": governed,
            "profile": self._profile.measured if self._profile else None,
            "celsius": _rounded(self.celsius, 2),
            "target": self.target if governed and self._thermal else None,
            "limit": vitals.limit,
            "headroom": _rounded(self.budget.headroom, 3) if governed and self._thermal else None,
            "seconds_to_target": _rounded(seconds, 0) if governed and self._thermal else None,
            "blind": self._blind,
            "budget": _rounded(self.budget.load, 3) if governed else None,
            "concern": self.budget.concern,
            "because": self._reason(vitals) if governed and state is not None else "",
            "busy": _rounded(vitals.busy, 3),
            "own": _rounded(vitals.own, 3),
            "others": _rounded(state.others, 3) if state is not None else None,
            "pressure": _rounded(vitals.pressure, 3),
            "memory_pressure": _rounded(vitals.memory_pressure, 3),
            "io_pressure": _rounded(vitals.io_pressure, 3),
            "memory": vitals.memory,
            "clock": _rounded(vitals.clock, 3),
            "under_voltage": vitals.under_voltage,
            "voltage": _rounded(vitals.voltage, 3),
            "core_voltage": _rounded(vitals.core_voltage, 3),
            "throttled_word": vitals.word,
            "watts": _rounded(vitals.power, 2),
            "rails": _rounded(vitals.rails, 2),
            "spent_wh": _rounded(state.supply.spent, 2) if state is not None else None,
            "battery": _rounded(vitals.charge, 3),
            "draining": vitals.draining,
            "plugged": vitals.plugged,
            "fan_rpm": _rounded(vitals.fan, 0),
            "fan_duty": _rounded(vitals.fan_duty, 2),
            "case": _rounded(vitals.case, 1),
            "accelerator": _rounded(vitals.accelerator, 1),
        }


class _Descriptor:
    """A number that a selector takes."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


def _rounded(value: float | None, digits: int) -> float | None:
    """For JSON, which knows neither NaN nor infinity."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
