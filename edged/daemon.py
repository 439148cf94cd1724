"""The composition root: picks and builds every part, owns lifetimes and signals. Start-up reads as a list,
from the top of ``run``.

Workers are exec'd first, before the key is read, so that no copy of it can be in them. Everything is undone
in reverse by one ``ExitStack``: workers tell their last second, the last buckets are committed, the key's
holder is closed.
"""

from __future__ import annotations

import datetime
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from edged import __version__, wall
from edged.aggregate import Aggregator, next_commit
from edged.clock import Clock, Reading, boot_id, zone
from edged.config.shape import Config, File, Model, Synthetic
from edged.control import Control, Verb
from edged.errors import DamagedError, RefusedError, StoreError
from edged.journal import Journal
from edged.nouns import Bucket, Coverage, Series
from edged.reactor import Reactor
from edged.series import series_of
from edged.store import Store, keys
from edged.supervise import Keeper, finish

BUILTIN: Final = Model(file="builtin:activity")
#: Buckets that wait for a store that cannot be written (a full card): half a day of 7 pipelines' minutes.
MOST_UNWRITTEN: Final = 5000
#: Buckets of a recording that are held at most: an hour of seconds comes in moments, and is not to wait for
#: the clock.
MOST_OPEN: Final = 1000

Status = dict[str, Any]


def run(config: Config, config_path: Path, on_status: Callable[[Status], None] | None = None) -> int:
    """Run until a signal or until every recording has ended. ``on_status`` is called once a second.

    Returns 0. Raises ``EdgedError`` for what the owner must mend before it can start, and ``RefusedError``
    when nothing is left to do because every pipeline was refused.
    """
    with ExitStack() as stack:
        reactor = Reactor()
        stack.callback(reactor.close)
        daemon = Daemon(config, reactor, Journal(config.daemon.log_level))
        daemon.start_workers(stack)
        daemon.open_store(stack)
        daemon.answer(stack)
        daemon.keep_time(on_status)
        for number in (signal.SIGTERM, signal.SIGINT):
            reactor.on_signal(number, reactor.stop)
        reactor.run()
    return daemon.conclusion()


class Daemon:
    """All parts together, and what happens between them: ticks to buckets, buckets to the store, facts to
    whoever asks.
    """

    def __init__(self, config: Config, reactor: Reactor, journal: Journal) -> None:
        self._config, self._reactor, self._journal = config, reactor, journal
        self._began = time.monotonic()
        enabled = {name: one for name, one in config.pipelines.items() if one.enabled}
        self._series: Mapping[str, tuple[Series, ...]] = {
            name: series_of(name, one) for name, one in enabled.items()
        }
        self._keepers = {
            name: Keeper(reactor, self, name, one, config.models.get(one.model, BUILTIN), self._series[name])
            for name, one in enabled.items()
        }
        self._aggregator = Aggregator(1 if config.store.keep.second else 60)
        self._unwritten: list[Bucket] = []
        self._counted: dict[str, float] = {}
        self._analysed = dict.fromkeys(enabled, 0)
        self._recordings: dict[str, Reading] = {}
        self._told: dict[str, tuple[str, str]] = {}
        self._behind = False
        self._written = 0.0
        self._zone = zone(config.clock.timezone)
        self._store: Store
        self._clock: Clock
        self._reading: Reading

    # --- start-up, in order

    def start_workers(self, stack: ExitStack) -> None:
        """Exec one worker per pipeline. They are busy with their devices and models while the store is
        opened.
        """
        keepers = list(self._keepers.values())
        stack.callback(finish, self._reactor, keepers)
        for keeper in keepers:
            keeper.start()

    def open_store(self, stack: ExitStack) -> None:
        """Read the key, open the store, forget the key. Commits and closes it at the end."""
        wanted = self._config.store
        key = keys.load(Path(wanted.key_file))
        self._store = Store.open(Path(wanted.file), key, keep=wanted.keep, zone=self._zone)
        stack.callback(self._store.close)
        self._clock = Clock(self._config.clock.trust, self._store.known_clock(boot_id()))
        self._reading = self._clock.read()
        self._clock_good = self._reading.good
        self._note("began", f"edged {__version__}")
        stack.callback(self._last_commit)
        # Workers tell their last second before the last commit: ``finish`` of start_workers comes later in
        # reverse.
        stack.callback(finish, self._reactor, list(self._keepers.values()))

    def answer(self, stack: ExitStack) -> None:
        """Open the local socket."""
        verbs = {"status": Verb(lambda _: self.status()), "report": Verb(self._report)}
        control = Control(self._reactor, Path(self._config.daemon.runtime_dir), verbs)
        stack.callback(control.close)

    def keep_time(self, on_status: Callable[[Status], None] | None) -> None:
        """Commit every so often, and tell whoever watches once a second."""
        self._plan_commit()
        if on_status is not None:
            self._reactor.every(1.0, lambda: on_status(self.status()))

    def _plan_commit(self) -> None:
        """The next one, by a clock that may have been set since the last."""
        at = next_commit(self._reading, self._config.store.commit_every)
        self._reactor.after(at - time.monotonic(), self._commit_and_plan)

    def _commit_and_plan(self) -> None:
        self._reading = self._clock.read()
        self._tell_clock()
        self._count_blind()
        self._settle()
        self._commit(self._aggregator.due(self._reading))
        self._plan_commit()

    # --- what workers tell

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Count a tick, and the time before it that nobody saw."""
        name = keeper.name
        reading = self._reading_for(keeper)
        counted = self._counted.get(name, self._began if reading.live else tick.start)
        if tick.start > counted:
            self._aggregator.blind(name, counted, tick.start, reading)
        self._aggregator.add(name, tick, _coverage(keeper, tick), reading)
        self._counted[name] = max(counted, tick.end)
        self._analysed[name] += tick.analysed
        if keeper.recorded and len(self._aggregator) > MOST_OPEN:
            self._commit(self._aggregator.due(self._reading))
        self._journal.say("debug", f"tick {tick.number}: {self._analysed[name]} frames by now", name)

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        """Note it, say it, and stop when nothing is left to wait for.

        A camera that stays unplugged is news once, not once a minute for years.
        """
        told, self._told[keeper.name] = self._told.get(keeper.name), (event, keeper.why)
        if event == "replaced" and told == (event, keeper.why):
            self._journal.say("debug", f"{event}: {text}", keeper.name)
        else:
            self._note(event, text, keeper.name, **fields)
        if all(one.done for one in self._keepers.values()):
            self._reactor.stop()

    def _reading_for(self, keeper: Keeper) -> Reading:
        """How a pipeline's stamps become times: a recording has a beginning of its own."""
        self._reading = self._clock.read()
        if not keeper.recorded:
            return self._reading
        if keeper.name not in self._recordings:
            self._recordings[keeper.name] = self._reading.recording(_beginning(keeper, self._reading))
        return self._recordings[keeper.name]

    def _note(self, event: str, text: str, pipeline: str = "", **fields: object) -> None:
        said = self._journal.event(event, text, pipeline, **fields)
        if said and hasattr(self, "_store"):
            self._store.event(event, said, pipeline=pipeline, reading=self._reading)

    def _settle(self, everything: bool = False) -> None:
        """Tell what was held back because it happened too often."""
        for one in self._journal.settle(everything):
            self._store.event(one.name, one.text, pipeline=one.pipeline, reading=self._reading)

    # --- what is kept

    def _commit(self, buckets: list[Bucket]) -> None:
        """Write what there is. A store that cannot be written now gets it later; one that is damaged ends
        the daemon.
        """
        self._unwritten += buckets
        try:
            self._store.write(self._unwritten, self._series, self._reading)
        except DamagedError:
            raise
        except StoreError as error:
            self._fall_behind(error)
        else:
            self._unwritten.clear()
            self._behind, self._written = False, time.monotonic()

    def _tell_clock(self) -> None:
        if self._clock_good != self._reading.good:
            self._clock_good = self._reading.good
            because = self._reading.because
            self._note("clock-right" if self._clock_good else "clock-lost", because, reason=because)

    def _fall_behind(self, error: StoreError) -> None:
        """Say it once; keep what fits."""
        if not self._behind:
            again = "it is tried again at the next commit"
            self._note("store-behind", f"{error.message}; {again}", reason=error.message)
        self._behind = True
        if len(self._unwritten) > MOST_UNWRITTEN:
            lost = len(self._unwritten) - MOST_UNWRITTEN
            del self._unwritten[:lost]
            self._note("buckets-lost", f"{lost} of the oldest: the store cannot be written", lost=lost)

    def _count_blind(self) -> None:
        """A pipeline without a worker is blind, and its buckets must say so while it is."""
        now = time.monotonic()
        for name, keeper in self._keepers.items():
            since = self._counted.get(name, self._began)
            if not keeper.recorded and keeper.state not in ("ended", "running") and now > since:
                self._aggregator.blind(name, since, now, self._reading)
                self._counted[name] = now

    def _last_commit(self) -> None:
        self._reading = self._clock.read()
        self._count_blind()
        self._settle(everything=True)
        self._note("stopped", "everything is committed")
        self._commit(self._aggregator.flush())

    def conclusion(self) -> int:
        """The exit status. Raises ``RefusedError`` when every pipeline was refused: then nobody counted
        anything.
        """
        keepers = self._keepers.values()
        refused = [f"{one.name}: {one.why}" for one in keepers if one.state == "refused"]
        if refused and len(refused) == len(keepers):
            raise RefusedError("; ".join(refused), "mend that and start it again")
        return 0

    # --- what is told

    def status(self) -> Status:
        """Facts about now, for ``edged status`` and ``top``."""
        now = time.monotonic()
        self._reading = self._clock.read()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(now - self._began, 1),
            "clock": {"good": self._reading.good, "why": self._reading.because},
            "store": {
                "file": self._config.store.file,
                "bytes": _size(self._config.store.file),
                "last_commit_age_s": round(now - self._written, 1) if self._written else None,
                "pending_buckets": len(self._aggregator) + len(self._unwritten),
            },
            "pipelines": [self._pipeline_status(one, now) for one in self._keepers.values()],
        }

    def _pipeline_status(self, keeper: Keeper, now: float) -> Status:
        ready, tick = keeper.ready, keeper.tick
        return {
            "name": keeper.name,
            "state": keeper.state,
            "why": keeper.why,
            "pid": keeper.pid,
            "source": _source_name(keeper),
            "model": keeper.pipeline.model,
            "runtime": ready.runtime if ready else "",
            "delegate": ready.delegate if ready else "",
            "cpu_because": ready.cpu_because if ready else "",
            "rate": keeper.pipeline.rate,
            "fps": _fps(tick),
            "expected_fps": _expected_rate(keeper),
            "analysed": self._analysed[keeper.name],
            "dropped": tick.dropped if tick else 0,
            "infer_ms": round(tick.infer * 1e3, 3) if tick else None,
            "prepare_ms": round(tick.prepare * 1e3, 3) if tick else None,
            "last_tick_age_s": round(now - keeper.progress, 2) if tick else None,
            "restarts": keeper.restarts,
            "wall_bytes": keeper.wall_bytes,
            "series": [
                {
                    "measure": one.measure,
                    "label": one.label,
                    "zone": one.zone,
                    "unit": one.unit,
                    "now": entry.mean if entry and entry.seconds else None,
                    "min": entry.min if entry and entry.seconds else None,
                    "max": entry.max if entry and entry.seconds else None,
                }
                for one, entry in zip(
                    keeper.series, tick.entries if tick else (None,) * len(keeper.series), strict=True
                )
            ],
        }

    def _report(self, request: dict[str, Any]) -> object:
        from edged import report

        return report.answered(self._store, request, self._zone)


def _size(file: str) -> int:
    """Bytes on the disk, with what is not yet folded into the main file."""
    return sum(one.stat().st_size for one in map(Path, (file, f"{file}-wal")) if one.exists())


def _coverage(keeper: Keeper, tick: wall.Tick) -> Coverage:
    span = tick.end - tick.start
    rate = _expected_rate(keeper)
    expected = rate * span if rate else float(tick.analysed)
    return Coverage(expected=expected, analysed=tick.analysed, observed=tick.observed, blind=tick.blind)


def _expected_rate(keeper: Keeper) -> float:
    """Frames per second that the owner may expect: what was asked for, but no more than the source has; 0:
    as many as it goes.
    """
    rates = [one for one in (keeper.pipeline.rate, keeper.ready.fps if keeper.ready else 0.0) if one]
    return min(rates) if rates else 0.0


def _fps(tick: wall.Tick | None) -> float | None:
    """Frames per second of the source's own time in the last tick."""
    if tick is None or tick.end <= tick.start:
        return None
    return round(tick.analysed / (tick.end - tick.start), 2)


def _beginning(keeper: Keeper, reading: Reading) -> float:
    """Epoch seconds of a recording's first frame: as its owner says, else this moment, on a whole second.

    This moment is by whatever clock there is, right or not: it was not recorded now in any case, and an owner
    to whom its time matters says ``start``.
    """
    source = keeper.pipeline.source
    if isinstance(source, File | Synthetic) and source.start:
        return datetime.datetime.fromisoformat(source.start).timestamp()
    return math.floor(reading.now)


def _source_name(keeper: Keeper) -> str:
    """What the pipeline looks at, in a word or two."""
    source = msgspec.to_builtins(keeper.pipeline.source)
    where = source.get("path") or source.get("device") or source.get("number", "")
    return f"{source['kind']} {where}".strip()
