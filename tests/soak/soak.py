"""A day in minutes: the real daemon for 24 simulated hours, while its workers are killed, crashed and frozen,
its config is read again and its models are switched. Then its rows are counted, and what it and its workers
hold (memory, descriptors, threads) must be what it was.

    make test-soak                                 # 24 h, a reload for every half hour of them
    make test-soak ARGS="--segment 2 --crashes 8"  # under three minutes: for CI

Four pipelines: ``day`` is a recording of the whole time, read as fast as it goes by one worker that nobody
harms, but whose model is switched all the while; ``hours`` is the same time in segments, each with a reload
of its own, and with crashes; ``street`` is live and dies often, also until it is set aside; ``yard`` is live
and must see every second of it all. A simulated hour is a recorded one: 3600 ticks, 60 minutes in the store.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edged.control_client import ask

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600
#: How a worker of ``hours`` or ``street`` is ended: killed, crashed, frozen.
DEATHS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGKILL, signal.SIGSTOP)
SETTLED = 0.25  # of the time: until then caches fill
SAMPLED = 0.2  # seconds between two looks: an hour may be over in ten

#: The whole service, but somebody wants another model of ``day`` as soon as it has one: what a worker takes
#: for its first few switches, and keeps for the next, is to be taken early in a single hour too.
RESTLESS = """
import sys
import msgspec
from edged import daemon, service
tell = daemon.Daemon.tell
def restless(self, on_status):
    tell(self, on_status)
    self._reactor.every(0.05, lambda: switch(self._roster))
def switch(roster):
    for keeper in roster:
        if keeper.name == "day" and keeper.state == "running" and not keeper.directions.under_way:
            keeper.direct(msgspec.structs.replace(keeper.directed, rung=1 - keeper.directed.rung))
daemon.Daemon.tell = restless
sys.exit(service.serve(sys.argv[1]))
"""

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
timezone = "UTC"
[store]
commit_every = 2
[governor]
enabled = false
[models.small]
file = "small.tflite"
[models.large]
file = "large.tflite"
"""
LIVE = '{ kind = "synthetic", width = 96, height = 96, fps = 5.0, held = 10 }'


def recorded(start: float, seconds: int) -> str:
    """A recording of so many seconds; ``start`` in seconds since 1970."""
    at = datetime.datetime.fromtimestamp(start, datetime.UTC).isoformat()
    return (
        f'{{ kind = "synthetic", width = 96, height = 96, fps = 1.0, held = 10, pace = "fast", '
        f'duration = {seconds}.0, start = "{at}" }}'
    )


class Held(NamedTuple):
    """What one process holds, memory in KiB: its share of all pages (PSS), and of those what is no file's.
    The slope is of the latter: its share of the libraries also grows when somebody else lets go of them.
    """

    memory: int
    own: int
    descriptors: int
    threads: int


def held(pid: int) -> Held:
    """Raises ``OSError`` when it has gone."""
    folder = Path(f"/proc/{pid}")
    lines = (folder / "smaps_rollup").read_text().splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    counts = (sum(1 for _ in (folder / one).iterdir()) for one in ("fd", "task"))
    return Held(sizes["Pss:"], sizes["Pss_Anon:"], *counts)


class Sample(NamedTuple):
    """``hour`` is of the simulated time that ``who`` had counted."""

    who: str
    hour: float
    held: Held


class Soak:
    """One run. ``until`` is the only wait."""

    def __init__(self, folder: Path, wanted: argparse.Namespace) -> None:
        self._folder, self._wanted = folder, wanted
        self._chance = random.Random(wanted.seed)
        self.seconds = int(wanted.hours * HOUR)
        self._segment = int(wanted.segment * HOUR)
        self.samples: list[Sample] = []
        self.deaths = self.aside = 0
        #: A whole hour, and over before anything live begins.
        self._beginning = (int(time.time()) - self.seconds) // HOUR * HOUR - HOUR
        self._sampled = 0.0
        self._process: subprocess.Popen[str]

    # --- the run

    def run(self) -> None:
        """All segments, then until ``day`` is over, then a stop in good order."""
        self._prepare()
        self._write(0)
        self._start()
        try:
            for number in range(self.seconds // self._segment):
                self._segmented(number)
            self._until(lambda: self._pipeline("day")["state"] == "ended")
            self._stop()
        finally:
            if self._process.poll() is None:
                self._process.kill()

    def _prepare(self) -> None:
        (self._folder / "state").mkdir(mode=0o700)
        bundled = ROOT / "edged" / "models" / "activity.tflite"
        for name in ("large", "small"):
            shutil.copy(bundled, self._folder / f"{name}.tflite")
        self._edged("keys", "init", "state/key")

    def _edged(self, *words: str) -> str:
        command = [sys.executable, "-m", "edged", *words]
        done = subprocess.run(command, cwd=self._folder, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"edged {' '.join(words)}: {done.stderr}")
        return done.stdout

    def _write(self, number: int) -> None:
        start = self._beginning + number * self._segment
        whole = recorded(self._beginning, self.seconds)
        parts = {
            "day": f'model = "large"\nladder = ["small"]\nrate = 1\nsource = {whole}',
            "hours": f"rate = 1\nsource = {recorded(start, self._segment)}",
            "street": f"rate = 5\nsource = {LIVE}",
            "yard": f"rate = 5\nsource = {LIVE}",
        }
        text = CONFIG + "".join(f"[pipelines.{name}]\n{its}\n" for name, its in parts.items())
        (self._folder / "edged.toml").write_text(text)

    def _start(self) -> None:
        with (self._folder / "said").open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", RESTLESS, "edged.toml"], cwd=self._folder, stderr=said, text=True
            )
        self._until(self._ready)

    def _ready(self) -> bool:
        try:
            return bool(self._status()["ready"])
        except OSError:
            return False

    def _segmented(self, number: int) -> None:
        """One stretch of ``hours``: a reload, its share of deaths, its end."""
        if number:
            self._write(number)
            assert ask(self._folder / "run", "reload")["accepted"]
        segments = self.seconds // self._segment
        share = self._wanted.crashes * (number + 1) // segments - self._wanted.crashes * number // segments
        before = self._pipeline("hours")["analysed"]
        for moment in sorted(self._chance.uniform(0.05, 0.95) for _ in range(share)):
            self._until(partial(self._far, before + moment * self._segment))
            self._harm()
        self._until(self._over)

    def _far(self, frames: float) -> bool:
        """Whether ``hours`` has analysed so many frames of this segment, some of them twice, or is over."""
        return self._over() or self._pipeline("hours")["analysed"] >= frames

    def _over(self) -> bool:
        one = self._pipeline("hours")
        return bool(one["state"] == "ended" and one["pid"] == 0)

    def _harm(self) -> None:
        """End a worker: most often one that stands for itself, each time in another way."""
        victim = self._chance.choice(("hours", "street", "street"))
        one = self._pipeline(victim)
        if one["state"] == "quarantined":
            self.aside += 1
        if one["pid"] and one["state"] == "running":
            os.kill(one["pid"], self._chance.choice(DEATHS))
            self.deaths += 1

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60):
            raise RuntimeError(f"the daemon ended with {self._process.returncode}: {self.said()[-2000:]}")

    def said(self) -> str:
        """All that the daemon said."""
        return (self._folder / "said").read_text()

    # --- looking

    def _status(self) -> dict[str, Any]:
        return ask(self._folder / "run", "status")

    def _pipeline(self, name: str) -> dict[str, Any]:
        return next(one for one in self._status()["pipelines"] if one["name"] == name)

    def _until(self, condition: Callable[[], bool], patience: float = 1800.0) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon does not get there: {self.said()[-2000:]}")
            self._sample()
            time.sleep(0.1)

    def _sample(self) -> None:
        """Of those that live through all of it."""
        if time.monotonic() - self._sampled < SAMPLED:
            return
        self._sampled = time.monotonic()
        try:
            pipelines = {one["name"]: one for one in self._status()["pipelines"]}
            hour = pipelines["day"]["analysed"] / HOUR
            pids = {
                "daemon": self._process.pid,
                "day": pipelines["day"]["pid"],
                "yard": pipelines["yard"]["pid"],
            }
            self.samples += [Sample(who, hour, held(pid)) for who, pid in pids.items() if pid]
        except OSError:
            return  # it does not answer yet, or a process has just ended

    # --- what came of it

    def coverage(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of a minute, by pipeline."""
        told = json.loads(self._edged("report", "--all", "--json", "--every", "1m"))
        return {one["pipeline"]: one["rows"] for one in told["coverage"]}


def slope(samples: list[Sample], who: str) -> float:
    """KiB in a simulated hour: the median slope of pairs (Theil and Sen), after it has settled.

    Only of samples at rest: while a model is opened beside the one at work there are two, and a thread more.
    Only of pairs that lie far apart: of two that are a moment apart the whole time's growth would be told by
    what the allocator did in that moment.
    """
    its = [one for one in samples if one.who == who]
    its = [one for one in its if one.hour >= SETTLED * its[-1].hour]
    rest = statistics.median_low(one.held.threads for one in its) if its else 0
    its = [one for one in its if one.held.threads == rest]
    apart = max(1e-3, 0.5 * (its[-1].hour - its[0].hour)) if its else 0.0
    pairs = [
        (later.held.own - sooner.held.own) / (later.hour - sooner.hour)
        for index, sooner in enumerate(its)
        for later in its[index + 1 :]
        if later.hour - sooner.hour >= apart
    ]
    return statistics.median(pairs) if pairs else 0.0


def verdict(soak: Soak, most: float) -> list[str]:
    """Every thing that is wrong. ``most`` is how many KiB of memory may be gained in all of the time."""
    return [*_wrong_rows(soak), *_wrong_processes(soak, most)]


def _wrong_rows(soak: Soak) -> list[str]:
    rows, wrong = soak.coverage(), []
    for name in ("day", "hours"):
        complete = [
            row for row in rows[name] if row["analysed"] == 60 and abs(row["observed_s"] - 60.0) < 0.1
        ]
        if not len(complete) == len(rows[name]) == soak.seconds // 60:
            wrong.append(f"{name}: {len(complete)} of {soak.seconds // 60} minutes are complete")
    if not any(one["rung"] for row in rows["day"] for one in row["models"]):
        wrong.append("day: its model was never switched")
    # Its start is blind, and may lie in two minutes.
    begun = next((index for index, row in enumerate(rows["yard"]) if row["analysed"]), 0)
    if blind := sum(row["blind_s"] for row in rows["yard"][begun + 1 :]):
        wrong.append(f"yard: {blind:g} s blind")
    return wrong


def _wrong_processes(soak: Soak, most: float) -> list[str]:
    wrong = []
    for who in ("daemon", "day", "yard"):
        its = [one for one in soak.samples if one.who == who]
        its = its[int(len(its) * SETTLED) :]
        if slope(soak.samples, who) * soak.seconds / HOUR > most:
            wrong.append(f"{who}: memory grows by {slope(soak.samples, who):.1f} KiB in an hour")
        half = len(its) // 2
        for what in ("descriptors", "threads"):
            # A model that is being opened has a thread more, on a busy machine at most of the looks; a worker
            # that was killed has none for a moment. What leaks is there at every look from then on: so it is
            # what there is at nineteen of twenty, at least.
            before, after = (
                sorted(getattr(one.held, what) for one in part)[len(part) // 20]
                for part in (its[:half] or its, its[half:])
            )
            if after > before:
                wrong.append(f"{who}: {after} {what}, {before} before")
    return wrong


def summary(soak: Soak) -> list[str]:
    """What was held at first, in the middle and at last."""
    lines = []
    for who in ("daemon", "day", "yard"):
        its = [one.held for one in soak.samples if one.who == who]
        some = [its[int(len(its) * part)] for part in (SETTLED, 0.5, 0.75)] + [its[-1]]
        lines.append(
            f"  {who:7} PSS {' '.join(f'{one.memory:6}' for one in some)} KiB (at 1/4, 1/2, 3/4, end), "
            f"own {some[0].own} to {some[-1].own}, slope {slope(soak.samples, who):+.2f} KiB/h; "
            f"descriptors {' '.join(str(one.descriptors) for one in some)}; "
            f"threads {' '.join(str(one.threads) for one in some)}"
        )
    return lines


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=float, default=24.0, help="simulated")
    parser.add_argument("--segment", type=float, default=0.5, help="hours from reload to reload")
    parser.add_argument("--crashes", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--growth", type=float, default=2048.0, help="KiB that each process may gain")
    return parser.parse_args(arguments)


def main() -> int:
    """Exit status 0: nothing is wrong."""
    wanted, began = parsed(sys.argv[1:]), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edged-soak-") as name:
        soak = Soak(Path(name), wanted)
        soak.run()
        wrong, said = verdict(soak, wanted.growth), soak.said()
    print(
        f"{wanted.hours:g} simulated hours in {time.monotonic() - began:.0f} s, seed {wanted.seed}: "
        f"{soak.deaths} deaths, {said.count('reloaded: ')} reloads, {said.count(': replaced: ')} replaced, "
        f"{said.count(': quarantined: ')} set aside"
    )
    print(*summary(soak), sep="\n")
    print(*(f"WRONG {one}" for one in wrong), sep="\n") if wrong else print("rows complete, nothing grew")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
