"""The course of a measurement: rest, each model with each number of threads, then all cores until the time is
over or the board is warm enough.

It takes no longer than it was given, but for a board that must cool down in between, and a worker that
starts slowly. Whatever ends it, what works is ended with it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from edged import __version__
from edged.board.vitals import Vitals
from edged.errors import RefusedError, UnavailableError
from edged.governor.profile import Cost, Profile
from edged.governor.wants import THREADS
from edged.tune import fit
from edged.tune.bench import Bench, Candidate, Measured, Second, Seconds
from edged.tune.fit import Fit, Sample

LIMIT: Final = 80.0  # °C, where no trip point is told: a Raspberry Pi's
COOL: Final = 15.0  # °C under the limit that the board must be at first
ABORT: Final = 2.0  # °C under the limit at which all work ends
COOLED: Final = 8.0  # °C under the limit from which on it may go on
PATIENCE: Final = 180.0  # seconds that it may take to cool down
REST: Final = 5  # seconds
COSTS: Final = 0.4  # of the time goes to costs
EACH: Final = (1.0, 5.0)  # seconds for one model with one number of threads
FEWEST: Final = 15  # seconds of full load from which something can be learnt
OTHERS: Final = 0.1  # of all cores, at rest

#: What is being done, how much of the whole is done (0..1), the board now.
Watch = Callable[[str, float, Vitals], None]


class Outcome(NamedTuple):
    """All that was found. ``notes`` are sentences for people."""

    profile: Profile
    refused: dict[str, str]
    fit: Fit | None
    samples: tuple[Sample, ...]
    notes: tuple[str, ...]


class _Hot(Exception):
    """The abort temperature was reached."""


class Course:
    """One measurement. ``minutes`` is how long it may take."""

    def __init__(self, bench: Bench, candidates: Sequence[Candidate], minutes: float, watch: Watch) -> None:
        self._bench, self._candidates, self._watch = bench, candidates, watch
        self._length = minutes * 60.0
        self._samples: list[Sample] = []
        self._costs: list[Cost] = []
        self._refused: dict[str, str] = {}
        self._notes: list[str] = []
        self._began = math.nan
        self._limit = LIMIT

    def run(self) -> Outcome:
        """Measure. Raises ``UnavailableError`` for a board that is too hot, ``RefusedError`` when no model
        runs.
        """
        self._rest()
        trials = [(one, threads) for one in self._candidates for threads in self._threads(one)]
        least, most = EACH
        each = min(most, max(least, COSTS * self._length / len(trials)))
        for one, threads in trials:
            if one.name not in self._refused:
                self._cost(one, threads, each)
        if not self._costs:
            name, why = next(iter(self._refused.items()))
            raise RefusedError(
                f"no model of this pipeline runs: {name}: {why}", "edged models show FILE tells more"
            )
        self._warm()
        return self._outcome()

    # --- the three parts

    def _rest(self) -> None:
        """Whether it may begin, and what it is like without us."""
        with closing(self._bench.rest()) as seconds:
            for _ in range(REST):
                now = self._look("resting", next(seconds), math.inf)
        self._limit = now.limit or LIMIT
        if now.temperature is not None and now.temperature > self._limit - COOL:
            raise UnavailableError(
                f"the board is {now.temperature:.1f} °C warm already, and throttles at {self._limit:.0f} °C",
                f"let it cool below {self._limit - COOL:.0f} °C: stop edged and what else works, give it air",
            )
        others = max(one.load for one in self._samples[1:])
        if others > OTHERS:
            taken = f"{others * 100:.0f} % of the processor"
            self._notes.append(f"something else takes {taken}: latencies are too long")

    def _cost(self, one: Candidate, threads: int, seconds: float) -> None:
        text = f"{one.name}, {threads} thread{'s' if threads > 1 else ''}"
        try:
            found = self._followed(text, self._bench.measure(one, threads, seconds))
        except _Hot:
            self._cool(text)
            found = self._followed(text, self._bench.measure(one, threads, seconds))
        if found.refused:
            self._refused[one.name] = found.refused
            self._costs = [cost for cost in self._costs if cost.model != one.name]
        else:
            self._costs.append(
                Cost(one.name, one.model.file, threads, _digits(found.cost), _digits(found.latency))
            )

    def _warm(self) -> None:
        """All cores, with the dearest model that runs."""
        if all(one.temperature is None and one.watts is None for one in self._samples):
            self._notes.append("there is neither a thermometer nor a meter: what warms it was not measured")
            return
        known = {cost.model for cost in self._costs}
        dearest = next(one for one in self._candidates if one.name in known)
        count = 0
        with closing(self._bench.burn(dearest)) as seconds:
            try:
                for second in seconds:
                    self._look("warming", second, self._limit - ABORT)
                    count += 1
                    if count >= FEWEST and self._gone >= self._length:
                        return
            except _Hot:
                self._notes.append(
                    f"full load brought it to {self._limit - ABORT:.0f} °C within {count} s: ended there"
                )

    def _cool(self, text: str) -> None:
        with closing(self._bench.rest()) as seconds:
            for second, _ in zip(seconds, range(round(PATIENCE)), strict=False):
                now = self._look(f"cooling before {text}", second, math.inf)
                if now.temperature is None or now.temperature < self._limit - COOLED:
                    return
        raise UnavailableError(
            f"the board does not cool below {self._limit - COOLED:.0f} °C",
            "it is too hot around it, or something else works: try when it is cooler",
        )

    # --- each second

    def _followed(self, text: str, seconds: Seconds) -> Measured:
        """To its end, looking at the board. Raises ``_Hot``."""
        with closing(seconds):
            while True:
                try:
                    second = next(seconds)
                except StopIteration as end:
                    found: Measured = end.value
                    return found
                self._look(text, second, self._limit - ABORT)

    def _look(self, text: str, second: Second, abort: float) -> Vitals:
        now = second.vitals
        if math.isnan(self._began):
            self._began = now.time
        self._samples.append(Sample(now.time, now.temperature, second.load, now.power))
        self._watch(text, min(1.0, self._gone / self._length), now)
        if now.temperature is not None and now.temperature >= abort:
            raise _Hot
        return now

    @property
    def _gone(self) -> float:
        return self._samples[-1].time - self._began if self._samples else 0.0

    def _threads(self, one: Candidate) -> list[int]:
        most = min(self._bench.cores, one.most)
        return sorted({*(many for many in THREADS if many <= most), most})

    # --- what was found

    def _outcome(self) -> Outcome:
        found, power = fit.fitted(self._samples), fit.watts(self._samples)
        if found is None and any(one.temperature is not None for one in self._samples):
            self._notes.append("it hardly warmed: its gains and time constants stay as they are assumed")
        profile = Profile(
            edged=__version__,
            measured=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            board=self._bench.name,
            cores=self._bench.cores,
            costs=tuple(self._costs),
            prior=found.prior if found else None,
            idle=power.idle if power else None,
            dynamic=power.dynamic if power else None,
        )
        return Outcome(profile, self._refused, found, tuple(self._samples), tuple(self._notes))


def _digits(seconds: float) -> float:
    return max(1e-7, float(f"{seconds:.4g}"))
