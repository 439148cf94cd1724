"""Believes nothing that a worker sends: holds each message against size, order, rate, time, range and
rounding. Pure: the time of arrival is passed in. A refusal tells the rule and its limit, never what was sent:
it ends in the journal and in the store, and a number has room for a piece of a picture.

What a worker that was taken over can still do is to lie legally: say that two persons were there when there
were three. What it cannot do is told in docs/security.md, each rule beside the test that shows it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from typing import Final, get_args

from edged import amounts, rounding
from edged.errors import WallError
from edged.nouns import Amount, Entry, Series
from edged.series import valued
from edged.vocabulary import Vocabulary
from edged.wall import (
    BURST,
    MOST_THREADS,
    RECORDED_RATE,
    TICK,
    Declined,
    Ended,
    Lost,
    Ready,
    Sight,
    Switched,
    Tick,
    Trouble,
    Up,
)

SLACK: Final = 5.0  # seconds a live tick's stamps may differ from ours: a worker may have been swapped out
AHEAD: Final = 0.1  # seconds that a live tick may end after our now: none, but for reading two clocks
#: Messages a second that a live worker may keep sending. It sends one; the rest makes up for a burst.
LIVE_RATE: Final = 1.1
#: More cores than any board that edged runs on: what a process says that it took of them is held against
#: this.
MOST_CORES: Final = 256
MOST_FPS: Final = 1000  # frames a second, of any source
MOST_WIDE: Final = 2**20  # pixels or samples; 0 where a window has no length of its own
LONGEST_FRAME: Final = 64.0  # seconds that one frame may take to prepare or to infer
#: Frames beyond rate x time that one tick may have: the one before its first moment, one that was early, one
#: after a stream that broke off.
SPARE_FRAMES: Final = 3
HOLD_FRAMES: Final = 2.0  # frame times that a value holds, but no less than a tick
MOST_RATES: Final = 100  # changes of the rate that are remembered of one tick


class Pace:
    """How often the worker was lately asked to look, and so how many frames a time can hold, and for how long
    the last of them speaks.
    """

    def __init__(self, rate: float, now: float, least_hold: float = 0.0) -> None:
        self._least_hold = least_hold
        self._asked: deque[tuple[float, float]] = deque([(now, rate)], MOST_RATES)
        self._extra = 0
        self._speaks = 0.0  # seconds beyond the last tick for which the last frame may still stand

    def ask(self, rate: float, fps: float, now: float) -> None:
        """From now on this rate (0: as many as there are) is wanted; each directive may begin the stream
        anew.
        """
        self._extra += 1
        self._asked.append((now, rate))
        if self._speaks:
            self._speaks = max(self._speaks, self._hold(rate, fps))

    def check(self, tick: Tick, fps: float, since: float) -> None:
        """Raise ``WallError`` for a tick with more frames than there can be, or more time observed than its
        frames speak for. What was asked for before ``since`` counts no longer.
        """
        while len(self._asked) > 1 and self._asked[1][0] < since:
            self._asked.popleft()
        rates = [rate for _, rate in self._asked]
        self._check_frames(tick, 0.0 if 0.0 in rates else max(rates))
        hold = max(self._hold(rate, fps) for rate in rates)
        if tick.observed > self._speaks + tick.analysed * hold + rounding.GRAIN:
            raise WallError("it observed for longer than its frames speak for")
        left = self._speaks - (tick.end - tick.start)
        self._speaks = hold if tick.analysed else max(0.0, left)

    def _hold(self, rate: float, fps: float) -> float:
        """Seconds that a value holds, as the worker's loop has it."""
        rate = min(filter(None, (rate, fps)), default=0.0)
        return max(TICK, HOLD_FRAMES / rate if rate else 0.0, self._least_hold)

    def _check_frames(self, tick: Tick, rate: float) -> None:
        span = tick.end - tick.start
        most = math.floor(min(rate or MOST_FPS, MOST_FPS) * span) + SPARE_FRAMES
        beyond = max(0, tick.analysed - most)
        if tick.analysed < 0 or beyond > self._extra:
            raise WallError(f"it analysed more frames than there can be: {most}")
        self._extra -= beyond


class Inspector:
    """Holds what one worker sends against the rules.

    ``recorded`` is for a recording read as fast as it goes: its own clock starts at 0 and may run ahead of
    ours. ``threads`` are the most that each rung may have. ``rate`` is what the worker was first asked for,
    in frames per second (0: all). ``vocabulary`` is of all workers of this pipeline. A value holds for at
    least ``least_hold`` seconds. ``device``: it has one that can be lent to it again. ``sights`` are the
    reasons for being blind that its source can have. ``ends``: it can be over.
    """

    def __init__(
        self,
        series: tuple[Series, ...],
        recorded: bool,
        now: float,
        threads: tuple[int, ...] = (MOST_THREADS,),
        rung: int = 0,
        examine: bool = False,
        rate: float = 0.0,
        vocabulary: Vocabulary | None = None,
        least_hold: float = 0.0,
        device: bool = False,
        sights: Collection[str] = get_args(Sight),
        ends: bool = True,
    ) -> None:
        self._series = series
        self._units = tuple(series[one].unit for one in valued(series))
        self._recorded = recorded
        self._threads, self._rung = threads, rung
        self._at_work = 0  # threads of its ticks, 0 before the first
        self._wanted: set[int] = {rung}
        self._owed, self._cpu = 0, 0.0
        # Each of these may be declined once, unasked: it looked at them before it began.
        self._examined = set(range(len(threads))) - {rung} if examine else set()
        self._pace = Pace(rate, now, least_hold)
        self._vocabulary = vocabulary or Vocabulary()
        self._started = self._last_arrival = now
        self._rate, self._burst = (RECORDED_RATE, RECORDED_RATE) if recorded else (LIVE_RATE, float(BURST))
        self._allowance = self._burst
        self._last_end: float | None = None
        self._last_number = self._analysed = 0
        self._fps = 0.0
        self._ready = self._over = self._lost = False
        self._device, self._ends, self._sights = device, ends, frozenset(("", *sights))

    def directed(self, rung: int) -> None:
        """The worker was told to go to this rung, or to another number of threads on its own: it owes one
        answer, and may end a tick for it. Nothing else makes it speak more often.
        """
        self._wanted.add(rung)
        self._owed += 1
        self._allowance += 2.0

    def paced(self, rate: float, now: float) -> None:
        """The worker was told how often to look: frames per second, 0 for all."""
        self._pace.ask(rate, self._fps, now)

    def lent(self) -> None:
        """The worker was lent its device again, and may see."""
        self._lost = False

    def inspect(self, message: object, now: float) -> Up:
        """The message, or ``WallError`` with the rule it broke."""
        if self._over:
            raise WallError("it went on after its last word")
        self._check_rate(now)
        match message:
            case Ready():
                self._check_ready(message)
            case Tick():
                self._check_tick(message, now)
                return message
            case Switched() | Declined():
                self._check_answer(message)
            case Lost():
                self._check_lost()
                return message
            case Ended():
                self._check_end(message)
                return message
            case Trouble():
                self._over = True
            case _:
                raise WallError("it sent a message that is none of the wall's")
        return self._vocabulary.heard(message, now)

    def _check_rate(self, now: float) -> None:
        self._allowance = min(self._burst, self._allowance + (now - self._last_arrival) * self._rate)
        self._last_arrival = now
        if self._allowance < 1.0:
            raise WallError(f"it sent more than {self._rate:g} messages a second")
        self._allowance -= 1.0

    def _check_ready(self, ready: Ready) -> None:
        if self._ready:
            raise WallError("it said twice that it is ready")
        if not (0.0 <= ready.fps <= MOST_FPS and 0 <= ready.width <= MOST_WIDE and 0 < ready.height <= 8192):
            raise WallError("it told of a picture that cannot be")
        if ready.fps != rounding.rate(ready.fps) or rounding.is_minus_zero(ready.fps):
            raise WallError("it sent a number that is finer than the wall lets pass")
        self._ready, self._fps = True, ready.fps

    def _check_lost(self) -> None:
        if not self._ready:
            raise WallError("it lost its device before it was ready")
        if not self._device:
            raise WallError("it lost a device, and has none that can be lent")
        if self._lost:
            raise WallError("it lost its device twice, and was lent it once")
        self._lost = True

    def _check_end(self, ended: Ended) -> None:
        if not self._ready or ended.analysed < 0:
            raise WallError("it said that it ended before it began")
        if not self._ends:  # else nobody would count any more, and nothing would tell that
            raise WallError("it said that it ended, and its source has no end")
        if ended.analysed != self._analysed:
            raise WallError("it told at its end of another number of frames than its ticks did")
        self._over = True

    def _check_tick(self, tick: Tick, now: float) -> None:
        if not self._ready:
            raise WallError("it sent a tick before it was ready")
        if tick.number != self._last_number + 1:
            raise WallError("it sent a tick out of order")
        if self._lost and (tick.analysed or tick.observed):
            raise WallError("it saw something, and has no device")
        self._check_stamps(tick, now)
        self._check_health(tick)
        self._check_entries(tick)
        self._check_amounts(tick)
        self._check_way(tick)
        self._check_cpu(tick.cpu, now)
        # Stamps of a live tick are of our clock; a recording's rate may have been asked for at any time.
        since = -math.inf if self._recorded else tick.start - SLACK
        self._pace.check(tick, self._fps, since)
        self._last_number, self._last_end = tick.number, tick.end
        self._analysed += tick.analysed

    def _check_way(self, tick: Tick) -> None:
        self._check_rung(tick.rung, tick.threads)
        if tick.rung != self._rung:
            raise WallError(f"it sent a tick of another rung than its own, {self._rung}")
        if tick.threads != (self._at_work or tick.threads):
            raise WallError(f"it sent a tick of another number of threads than it has, {self._at_work}")
        self._at_work = tick.threads

    def _check_rung(self, rung: int, threads: int) -> None:
        if not 0 <= rung < len(self._threads):
            raise WallError(f"it told of a rung that is none of its {len(self._threads)}")
        if not 1 <= threads <= self._threads[rung]:
            raise WallError(f"it told of more threads than {self._threads[rung]}, or of none")

    def _check_cpu(self, cpu: float, now: float) -> None:
        """All that it ever took, against all the time that there was."""
        _check_duration(cpu, math.inf, rounding.CPU_DIGITS)
        self._cpu += cpu
        if self._cpu > (now - self._started + SLACK) * MOST_CORES:
            raise WallError("it took more of the CPUs than there is")

    def _check_answer(self, answer: Switched | Declined) -> None:
        if not self._ready:
            raise WallError("it switched before it was ready")
        self._check_rung(answer.rung, answer.threads)
        if isinstance(answer, Declined) and answer.rung in self._examined:
            self._examined.remove(answer.rung)
            return
        if answer.rung not in self._wanted or not self._owed:
            raise WallError("it switched to a rung that nobody asked for")
        self._owed -= 1
        if isinstance(answer, Switched):
            _check_duration(answer.took, math.inf)
            self._rung, self._at_work = answer.rung, answer.threads

    def _check_stamps(self, tick: Tick, now: float) -> None:
        if not (math.isfinite(tick.start) and math.isfinite(tick.end) and tick.start <= tick.end):
            raise WallError("it sent a tick that ends before it starts")
        if not (rounding.even(tick.start) and rounding.even(tick.end)):
            raise WallError("it sent a time that is finer than the wall lets pass")
        if self._last_end is not None and tick.start != self._last_end:
            again = "had told of already" if tick.start < self._last_end else "did not come yet"
            raise WallError(f"it sent a tick of a time that {again}")
        if self._recorded:
            self._check_recorded(tick)
        elif not (self._started - SLACK <= tick.start and tick.end <= now + AHEAD):
            raise WallError("it sent a tick of another time than now")

    def _check_recorded(self, tick: Tick) -> None:
        """One second of the recording and no more: hours in a tick would be hours of work for us."""
        if tick.end - tick.start > TICK:
            raise WallError(f"it sent a tick of more than {TICK:g} s of a recording")
        if not self._last_number and not -TICK <= tick.start <= TICK:
            raise WallError("it began a recording elsewhere than at its beginning")

    def _check_health(self, tick: Tick) -> None:
        span = tick.end - tick.start
        if not _plain((tick.observed, tick.blind)) or tick.observed < 0.0 or tick.blind < 0.0:
            raise WallError("it sent a health that is no number")
        if not rounding.even(tick.observed):
            raise WallError("it sent a time that is finer than the wall lets pass")
        if tick.observed > span:
            raise WallError("it observed for longer than the tick lasted")
        if tick.blind not in (0.0, span - tick.observed):
            raise WallError("it was blind for another time than it did not observe")
        for seconds in (tick.infer, tick.prepare):
            _check_duration(seconds, LONGEST_FRAME)
            if seconds and not tick.analysed:
                raise WallError("it told how long no frame took")
        # One frame after another, and the tick before a long one was sent before it began.
        if not self._recorded and tick.infer * tick.analysed > 1.1 * span + TICK:
            raise WallError("it inferred for longer than the tick lasted")
        if tick.dropped < 0 or tick.dropped != rounding.coarse_drops(tick.dropped):
            raise WallError("it dropped more frames than there can be, or tells of it too finely")

    def _check_entries(self, tick: Tick) -> None:
        if len(tick.entries) != len(self._units):
            raise WallError(f"it sent more or fewer entries than one for each of {len(self._units)} series")
        for entry, unit in zip(tick.entries, self._units, strict=True):
            check_entry(entry, tick.observed, unit)

    def _check_amounts(self, tick: Tick) -> None:
        if tick.amounts and tick.end == tick.start:
            raise WallError("it told of what happened in no time")
        if len(tick.amounts) > amounts.MOST_TOLD:
            raise WallError(f"it told of more amounts at once than {amounts.MOST_TOLD}")
        check_amounts(tick.amounts, self._series)
        if tick.sight and not tick.blind:
            raise WallError("it said why it was blind, and was not")
        if tick.sight not in self._sights:
            raise WallError(f"it said that it is {tick.sight}, which its source cannot be")


def _plain(numbers: Iterable[float]) -> bool:
    """Finite, and written in the one way that there is."""
    return all(math.isfinite(one) and not rounding.is_minus_zero(one) for one in numbers)


def _check_duration(seconds: float, most: float, digits: int = rounding.DURATION_DIGITS) -> None:
    if not _plain((seconds,)) or seconds < 0.0:
        raise WallError("it sent a health that is no number")
    if seconds > most:
        raise WallError("it took longer than anything takes")
    if seconds != rounding.duration(seconds, digits):
        raise WallError("it sent a health that is finer than the wall lets pass")


def check_entry(entry: Entry, observed: float, unit: str) -> None:
    """Raise ``WallError`` unless the entry's numbers can belong together, are of the unit's range, of what
    was ``observed`` (seconds), and as coarse as ``rounding`` makes them.
    """
    numbers = (entry.seconds, entry.sum, entry.min, entry.max, entry.sumsq)
    if not _plain(numbers):
        raise WallError("it sent a number that is none")
    if entry.seconds != observed:
        raise WallError("it sent a series observed for longer or shorter than the tick was")
    if not observed:
        if any(numbers):
            raise WallError("it sent numbers of what it did not observe")
        return
    most = rounding.largest(unit)
    low = 0.0 if unit in rounding.LARGEST_VALUE else -most
    if not low <= entry.min <= entry.max <= most:
        raise WallError("it sent extremes outside of what can be")
    _check_belonging(entry, unit)


def _check_belonging(entry: Entry, unit: str) -> None:
    low, high, seconds = entry.min, entry.max, entry.seconds
    if (low, high) != (rounding.below(low, unit), rounding.above(high, unit)):
        raise WallError("it sent extremes that are finer than the wall lets pass")
    if not low * seconds <= entry.sum <= high * seconds:
        raise WallError("it sent a sum outside of its extremes")
    if entry.sum != rounding.placed(entry.sum, low * seconds, high * seconds, rounding.PLACES):
        raise WallError("it sent a sum that is finer than the wall lets pass")
    between = rounding.squares(low, high, seconds, entry.sum, unit)
    if entry.sumsq != rounding.placed(entry.sumsq, *between, rounding.SQUARE_PLACES):
        raise WallError("it sent squares that cannot be its sum's, or are too fine")


def check_amounts(told: tuple[Amount, ...], series: tuple[Series, ...]) -> None:
    """Raise ``WallError`` unless they are in order, each of a bin that its series can have, and no more than
    a tick may tell.
    """
    if sum(amounts.estimate(one.bin) for one in told) > amounts.MOST_ESTIMATES:
        raise WallError(f"it sent more estimates at once than {amounts.MOST_ESTIMATES}")
    if sum(one.count for one in told if amounts.numbered(one.bin)) > amounts.MOST_NUMBERS:
        raise WallError(f"it told of more than {amounts.MOST_NUMBERS} events with a number at once")
    before, at, events = (-1, -1), -1, 0
    for one in told:
        if (one.series, one.bin) <= before:
            raise WallError("it told of what happened twice, or not in order")
        if not (0 <= one.series < len(series) and amounts.fits(series[one.series], one.bin)):
            raise WallError("it told of something that cannot happen to that series")
        events = events if one.series == at else 0
        before, at = (one.series, one.bin), one.series
        events = _check_amount(one, events)


def _check_amount(one: Amount, events: int) -> int:
    """How many events of its series were told by now; ``events`` before this one."""
    if amounts.estimate(one.bin):
        if one.count < 1 or one.count != amounts.coarse(one.count):
            raise WallError("it sent an estimate that is finer than the wall lets pass, or too large")
        return events
    if one.count < 1 or events + one.count > amounts.MOST_EVENTS:
        raise WallError(f"it told of none or more than {amounts.MOST_EVENTS} events of a series at once")
    return events + one.count
