"""The hostile workers' campaign: real processes against the real keeper, reactor, inspector, tally and store.

    cd tests && python -m fuzz.campaign --messages 1000000 --seed 1 --state campaign.json

Beside three live pipelines and a recording whose workers were taken over (``hostile.py``) an honest one is at
work. After each life it must be as foretold: what breaks a rule was refused. Every tick that passed is held
against the rules again, as they are written here; at the end the store holds what passed and nothing else.
``--state`` goes on where an earlier run was stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from edged import supervise, wall
from edged.clock import Clock
from edged.config.shape import Keep, Line, Measure, Model, Pipeline, Source, Synthetic, V4l2
from edged.nouns import Series
from edged.quarantine import Sentence
from edged.reactor import Reactor
from edged.roster import finish
from edged.series import series_of, valued
from edged.store import Store
from edged.supervise import Keeper
from edged.tally import Tally
from fuzz import hostile

SCRIPT = Path(hostile.__file__)
ZONES = {"left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))}
MEASURES = (
    Measure(kind="presence"),
    Measure(kind="occupancy", labels=("person", "car"), zones=("left",)),
    Measure(kind="activity"),
    Measure(kind="level", unit="g"),
    Measure(kind="crossings", labels=("person",)),
    Measure(kind="dwell", zones=("left",)),
)
LINES = {"gate": Line(points=((0.5, 0.0), (0.5, 1.0)))}
RATE = 5.0
LIVES_AT_ONCE = 4
GROWTH = 8.0  # MB that the daemon's side may grow by
LONGEST_TURN = 2.0  # seconds; one turn with a commit on a busy disk is a tenth of that
WARM = 200  # lives after which everything that is loaded once is loaded


class Failed(AssertionError):
    """The daemon's side did what it must not."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise Failed(text)


def enough(totals: Counter[str], wanted: dict[str, float]) -> bool:
    """Whether as much was reached as was wanted: of "messages" that the daemon's side read, or of "lives"."""
    reached = {"messages": totals["messages"] + totals["refused"], "lives": totals["lives"]}
    return all(reached[name] >= number for name, number in wanted.items())


class Lenient:
    """A quarantine that sets nobody aside: the campaign has only so much time."""

    def judge(self, now: float, points: int) -> Sentence | None:
        return None


class Audit:
    """The rules a second time, for what has passed: of one worker's life."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper, self._end, self._number = keeper, -math.inf, 0
        self._began, self.observed = time.monotonic(), 0.0

    def look(self, tick: wall.Tick) -> None:
        """Raise ``Failed`` for a tick that should not have passed."""
        now, span = time.monotonic(), tick.end - tick.start
        numbers = [tick.start, tick.end, tick.observed, tick.blind, tick.infer, tick.prepare, tick.cpu]
        numbers += [number for entry in tick.entries for number in (entry.seconds, entry.sum, entry.sumsq)]
        check(all(map(math.isfinite, numbers)), f"a number that is none: {tick}")
        check(tick.number == self._number + 1, f"out of turn: {tick}")
        check(self._end in (-math.inf, tick.start), f"not after the one before: {tick}")
        check(0.0 <= tick.observed <= span <= 70.0, f"more seconds than there were: {tick}")
        check(tick.analysed <= RATE * span + 3, f"more frames than asked for: {tick}")
        held = valued(self._keeper.series)
        check(len(tick.entries) == len(held), f"other series: {tick}")
        self._number, self._end, self.observed = tick.number, tick.end, self.observed + tick.observed
        if not self._keeper.recorded:
            check(tick.end <= now + 0.1, f"ahead of time: {tick}")
            check(self.observed <= now - self._began + 5.1, f"observed more than elapsed: {tick}")
        for entry, place in zip(tick.entries, held, strict=True):
            self._look_at(entry, self._keeper.series[place], tick)
        self._look_at_amounts(tick)

    def _look_at_amounts(self, tick: wall.Tick) -> None:
        check(not tick.amounts or tick.end > tick.start, f"it happened in no time: {tick}")
        check(sum(one.bin >= 254 for one in tick.amounts) <= 2, f"too many estimates: {tick}")
        check(not tick.sight or tick.blind > 0.0, f"it was not blind: {tick}")
        for place, one in enumerate(self._keeper.series):
            mine = [amount for amount in tick.amounts if amount.series == place]
            events = {amount.bin: amount.count for amount in mine if amount.bin < 254}
            most = {"crossings": 8, "dwell": 2}.get(one.measure, 0)
            check(sum(events.values()) <= most and min(events.values(), default=1) > 0, f"events: {tick}")
            check(all((bin > 0) == (one.measure == "dwell") for bin in events), f"numbers: {tick}")

    def _look_at(self, entry: Any, series: Series, tick: wall.Tick) -> None:
        check(entry.seconds == tick.observed, f"observed for another time: {tick}")
        if not entry.seconds:
            return
        low, high = {"share": (0, 1), "fraction": (0, 1), "count": (0, 1024)}.get(
            series.unit, (-(2**30), 2**30)
        )
        check(low <= entry.min <= entry.mean <= entry.max <= high, f"beyond what can be: {entry} of {series}")
        if series.unit in ("share", "count"):
            check(float(entry.min).is_integer() and float(entry.max).is_integer(), f"half a person: {entry}")
        least = entry.sum * entry.sum / entry.seconds
        check(least * (1 - 1e-9) - 1e-9 <= entry.sumsq, f"squares of no numbers: {entry}")


def _unit(series: Series) -> str:
    """As the hostile worker is told of it."""
    kinds = {"level": "", "crossings": hostile.EVENT, "dwell": hostile.NUMBER}
    return kinds.get(series.measure, series.unit)


class Honest(Keeper):
    """A keeper whose worker is edged's own."""

    command = supervise.COMMAND

    def start(self) -> None:
        """As ever."""
        supervise.COMMAND = self.command
        super().start()


class Possessed(Keeper):
    """A keeper whose workers are hostile, each in its own way."""

    def __init__(self, campaign: Campaign, name: str, source: Source) -> None:
        self._campaign = campaign
        pipeline = Pipeline(source=source, rate=RATE, measures=MEASURES, zones=ZONES, lines=LINES)
        models = (Model(file="builtin:activity"),)
        super().__init__(campaign.reactor, campaign, name, pipeline, models, series_of(name, pipeline))
        self._quarantine: Any = Lenient()
        self.life: hostile.Life | None = None
        self.refused = ""

    def start(self) -> None:
        """The next life."""
        self.life = self._campaign.next_life(self.recorded)
        if self.life is None:
            self.state = "ended"
            return
        self.refused, self.audit = "", Audit(self)
        units = ",".join(map(_unit, self.series))
        kind = "recorded" if self.recorded else "live"
        life = (str(self._campaign.seed), str(self.life.number), kind, units, str(RATE))
        supervise.COMMAND = (sys.executable, "-I", "-S", str(SCRIPT), *life)
        super().start()

    def _heard(self, message: wall.Up) -> None:
        self._campaign.totals["messages"] += 1
        super()._heard(message)

    def _conclude(self, status: int) -> None:
        if not self._stopping:  # at a stretch's end lives are cut short
            self._campaign.lived(self, status)
        super()._conclude(status)
        if self.state in ("refused", "ended") and not self._stopping:
            self._reactor.after(0.0, self.start)


class Campaign:
    """All of it: the daemon's parts together, and what is expected of them."""

    def __init__(self, folder: Path, seed: int, wanted: dict[str, float], totals: Counter[str]) -> None:
        self.seed, self.totals, self._wanted = seed, totals, wanted
        self._number = totals["lives"]
        self.by_end: Counter[str] = Counter()
        self.reactor = Reactor()
        self._tally = Tally(self.reactor, lambda *_, **__: None, Keep(second=0.0), 2.0)
        self._store = Store.open(folder / "edged.db", bytes(32), keep=Keep(second=0.0))
        live = [Possessed(self, f"live{number}", V4l2()) for number in range(LIVES_AT_ONCE - 1)]
        recording = Possessed(self, "recording", Synthetic(pace="fast"))
        self._possessed = [*live, recording]
        scene = Pipeline(
            source=Synthetic(width=96, height=96), rate=RATE, measures=(Measure(kind="presence"),)
        )
        model = (Model(file="builtin:activity"),)
        self.honest = Honest(self.reactor, self, "honest", scene, model, series_of("honest", scene))
        self.honest_ticks: list[wall.Tick] = []
        self._keepers = [*self._possessed, self.honest]
        self._told: Counter[Series] = Counter()
        self._tally.open(self._store, Clock("always"), self._keepers)
        self._memory = self._descriptors = 0.0
        self.longest_turn = 0.0

    def next_life(self, recorded: bool) -> hostile.Life | None:
        """The next one for a live pipeline or for the recording; none once enough was said."""
        if enough(self.totals, self._wanted):
            return None
        self._number += 1
        self.totals["lives"] += 1
        return hostile.life(self.seed, self._number, recorded)

    # --- as the daemon

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Count it, as the daemon does, and hold it against the rules."""
        if isinstance(keeper, Possessed):
            keeper.audit.look(tick)
        else:
            self.honest_ticks.append(tick)
            del self.honest_ticks[:-2]
            check(len({one.number for one in self.honest_ticks}) == len(self.honest_ticks), "a tick twice")
            check(all(one.end == two.start for one, two in pairwise(self.honest_ticks)), "a gap")
            self.totals["honest ticks"] += 1
        self._tally.count(keeper, tick)
        self.totals["ticks counted"] += 1

    def changed(self, keeper: Keeper, event: str, text: str, **_: object) -> None:
        """What the daemon would tell."""
        check("Traceback" not in text and len(text) < 1000, f"told: {text}")
        self.totals[f"event {event}"] += 1
        if event == "wall-broken" and isinstance(keeper, Possessed):
            keeper.refused = text
            self.totals["refused"] += 1

    def lived(self, keeper: Possessed, status: int) -> None:
        """A life is over: was it as foretold?"""
        life = keeper.life
        assert life is not None
        self.by_end[life.end] += 1
        if life.broken:
            check(
                bool(keeper.refused),
                f"life {life.number} was not refused: {life.end} ({keeper.why}; {status})",
            )
            another = hostile.ANOTHER_RULE.get(life.end, hostile.OTHER_RULES)
            masked = any(rule in keeper.refused for rule in another)
            check(
                not masked, f"life {life.number} ({life.end}) was refused for another rule: {keeper.refused}"
            )
        elif life.certain:
            check(not keeper.refused, f"life {life.number} ({life.end}) was refused: {keeper.refused}")
        if keeper.recorded:  # as if another recording came under its name
            self._tally.left(keeper, None)
            self._tally.came(keeper)
        if self.totals["lives"] % 50 == 0:
            self._measure()

    # --- the campaign

    def run(self, until: float = math.inf) -> None:
        """Until enough was said, or ``until`` (monotonic seconds)."""
        for one in self._keepers:
            self._tally.came(one)
        self.honest.start()
        patience = time.monotonic() + 60.0
        while self.honest.state != "running" and time.monotonic() < patience:
            self.reactor.turn(0.1)
        check(self.honest.state == "running", f"the honest worker did not begin: {self.honest.why}")
        for one in self._possessed:
            one.start()
        while any(one.alive or one.state != "ended" for one in self._possessed) and time.monotonic() < until:
            began = time.monotonic()
            self.reactor.turn(0.05)
            self.longest_turn = max(self.longest_turn, time.monotonic() - began)

    def end(self) -> None:
        """Stop, commit, and look whether all is well."""
        finish(self.reactor, self._keepers)
        self._tally.close()
        ticks = self.totals["ticks counted"] - self.totals["honest ticks"]
        check(self.totals["messages"] >= ticks > 0, "messages passed that nobody counted")
        check(self.honest.restarts == 0, f"the honest worker was replaced: {self.honest.why}")
        check(self.longest_turn < LONGEST_TURN, f"one turn took {self.longest_turn:.2f} s")
        self._check_store()
        self._store.close()
        self.reactor.close()

    def _check_store(self) -> None:
        known = {series for keeper in self._keepers for series in keeper.series}
        now = time.time()
        for row in self._store.report(0.0, 4e9, 3600.0):
            check(row.series in known, f"a series that nobody has: {row.series}")
            check(now - 86_400.0 < row.start < now + 86_400.0, f"a row of another time: {row}")
            self.totals["rows"] += 1
            if row.counts is not None:
                check(0 <= row.events <= 8 * 2000 * 3600, f"more than can have happened: {row}")
                continue
            numbers = (row.mean, row.min, row.max)
            check(all(map(math.isfinite, numbers)), f"a number that is none: {row}")
            check(row.min - 1e-3 <= row.mean <= row.max + 1e-3, f"a mean outside of its extremes: {row}")
            if row.series.pipeline.startswith("live"):
                check(row.seconds <= 3600.5, f"more seconds than an hour has: {row}")

    def _measure(self) -> None:
        """Memory and descriptors, of this process: the daemon's side."""
        status = Path("/proc/self/status").read_text()
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        if self._number < WARM or not self._memory:
            self._memory, self._descriptors = memory, descriptors
        self.totals["MB at first"], self.totals["MB now"] = round(self._memory), round(memory)
        self.totals["descriptors"] = descriptors
        check(memory < self._memory + GROWTH, f"grown from {self._memory:.1f} to {memory:.1f} MB")
        # A worker that has just come or gone has two.
        check(descriptors <= self._descriptors + 3 * LIVES_AT_ONCE, f"{descriptors} descriptors")


@contextmanager
def impatient() -> Iterator[None]:
    """The keeper's patience cut short, for as long as this lasts: the rules are those of always."""
    patience = {"START_DEADLINE": 30.0, "PROGRESS_DEADLINE": 2.5, "BACKOFF_FIRST": 0.0, "BACKOFF_MOST": 0.0}
    before = {name: getattr(supervise, name) for name in (*patience, "COMMAND")}
    for name, value in patience.items():
        setattr(supervise, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(supervise, name, value)


def play(seed: int, wanted: dict[str, float], totals: Counter[str], until: float = math.inf) -> Campaign:
    """One stretch of it. Raises ``Failed``."""
    with tempfile.TemporaryDirectory() as folder, impatient():
        campaign = Campaign(Path(folder), seed, wanted, totals)
        campaign.run(until)
        campaign.end()
    return campaign


STRETCH = 60.0  # seconds after which what was reached is written down


def main() -> int:
    """Until enough was said; the totals on standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, default=None)
    wanted = parser.parse_args()
    totals: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    if wanted.state and wanted.state.exists():
        kept = json.loads(wanted.state.read_text())
        if kept["seed"] == wanted.seed:
            totals, ends = Counter(kept["totals"]), Counter(kept["ends"])
    longest = 0.0
    while not enough(totals, {"messages": wanted.messages}):
        stretch = time.monotonic() + STRETCH
        campaign = play(wanted.seed, {"messages": wanted.messages}, totals, stretch)
        ends += campaign.by_end
        longest = max(longest, campaign.longest_turn)
        if wanted.state:
            wanted.state.write_text(json.dumps({"seed": wanted.seed, "totals": totals, "ends": ends}))
        print(f"{totals['messages'] + totals['refused']:,} messages, {totals['lives']:,} lives", flush=True)
    for name, number in [*sorted(totals.items()), *sorted(ends.items())]:
        print(f"{number:12,}  {name}")
    print(f"longest turn {longest:.3f} s; {len(ends)} kinds of lives; failures 0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
