"""Thousands of mutated models, videos and pictures against real workers, kept by the daemon's own keepers.

Seeded and resumable: a mutant is its seed's name and a number, and what came of it is a line in
build/mutants.jsonl.

    make test-mutants ARGS="--models 2500 --media 1000"

It ends with totals. Exit status 1 when a mutant got the daemon's side into trouble, or found a fault in
edged's own code; a library that crashes on one is contained, counted and listed.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mutation
import own_seeds
import trial
import warm

from edged.config.shape import File, Synthetic
from edged.reactor import Reactor

OUT = own_seeds.ROOT / "build" / "mutants.jsonl"
#: What each seed can measure, and the decoder it is made for.
MEASURES = {"coco_ssd": "occupancy", "movenet": "occupancy"}
#: Seeds that are refused as they are: for the Edge TPU, with an operator that nobody knows.
REFUSED = ("edgetpu", "invoking_error")
#: Seeds that hear: they are given a recording.
HEARING = ("yamnet",)
#: Neither an owner nor the daemon may ever see these.
FAULTS = ("fault", "wall-broken", "lost")
CHECK_EVERY = 100


class Job(NamedTuple):
    """One mutant to be tried."""

    seed: Path
    number: int

    @property
    def model(self) -> bool:
        """Whether it is a model."""
        return self.seed.suffix == ".tflite"

    @property
    def key(self) -> str:
        """Its name for ever."""
        return f"{self.seed.name}#{self.number}"


class Health:
    """Of this process, which does the daemon's part: descriptors, threads, memory in KiB."""

    def __init__(self) -> None:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # mutants of megabytes come and go: what is free is nobody's
        self.descriptors, self.threads = (
            sum(1 for _ in Path(f"/proc/self/{folder}").iterdir()) for folder in ("fd", "task")
        )
        text = Path("/proc/self/smaps_rollup").read_text()
        # Without what is of files: how much of that is whose depends on who else has them open.
        self.memory = next(int(one.split()[1]) for one in text.splitlines() if one.startswith("Anonymous:"))

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.memory} KiB of its own"


def seeds(folder: Path, shared: Path) -> tuple[list[Path], list[Path]]:
    """Models and media: real ones where they are, and our own."""
    found = sorted((shared / "models").glob("*.tflite"))
    # What can never run here teaches little: half as often.
    running = [own_seeds.ACTIVITY, *(one for one in found if not any(word in one.name for word in REFUSED))]
    models = [*running, *running, *(one for one in found if one not in running)]
    media = own_seeds.media_of_our_own(folder)
    real = [one for one in sorted((shared / "media").glob("*")) if one.suffix in (".mp4", ".jpg")]
    return models, [*media, *real]


def jobs(models: list[Path], media: list[Path], wanted: argparse.Namespace) -> Iterator[Job]:
    """All of them, one seed after the other in turn."""
    for which, count in ((models, wanted.models), (media, wanted.media)):
        numbers: Counter[Path] = Counter()
        for number in range(count):
            one = which[number % len(which)]
            yield Job(one, wanted.seed * 1_000_000 + numbers[one])
            numbers[one] += 1


class Campaign:
    """Tries jobs one after the other and writes each down."""

    def __init__(self, folder: Path, out: Path) -> None:
        self._folder, self._out = folder, out
        self._reactor = Reactor()
        self._makers: dict[Path, mutation.Models | mutation.Media] = {}
        out.parent.mkdir(exist_ok=True)
        self.results: dict[str, dict[str, Any]] = {}
        if out.exists():
            found = map(json.loads, out.read_text().splitlines())
            self.results = {one["key"]: one for one in found}

    def run(self, todo: list[Job]) -> list[Health]:
        """Each that is not written down yet; how this process was every so often."""
        for seed in dict.fromkeys(one.seed for one in todo):
            self._maker(seed)
        healths: list[Health] = []
        began, fresh = time.monotonic(), [one for one in todo if one.key not in self.results]
        print(f"{len(todo)} mutants, {len(todo) - len(fresh)} tried before", flush=True)
        with self._out.open("a") as file:
            for done, job in enumerate(fresh):
                if done % CHECK_EVERY == 0:
                    healths.append(Health())
                    each = (time.monotonic() - began) / max(1, done)
                    print(f"{done:5} of {len(fresh)}  {each:.2f} s each  {healths[-1]}", flush=True)
                self.results[job.key] = result = self._tried(job)
                file.write(json.dumps(result) + "\n")
                file.flush()
        healths.append(Health())
        self._reactor.close()
        return healths

    def _tried(self, job: Job) -> dict[str, Any]:
        made, how = self._maker(job.seed).mutant(job.number)
        path = self._folder / f"mutant{job.seed.suffix}"
        path.write_bytes(made)
        result: dict[str, Any] = {"key": job.key, "how": how}
        if job.model:
            kind = next(
                (its for start, its in MEASURES.items() if job.seed.name.startswith(start)), "presence"
            )
            result["doctor"] = trial.examined(path)
            tried = trial.of_model(self._reactor, path, kind, source=self._source(job.seed))
            result["worker"] = trial.until_done(self._reactor, tried)
        else:
            result["worker"] = trial.until_done(self._reactor, trial.of_media(self._reactor, path))
        return result

    def _source(self, seed: Path) -> File | Synthetic:
        """What its mutants are given."""
        hears = seed.name.startswith(HEARING) and (self._folder / own_seeds.HEARD).exists()
        return File(path=str(self._folder / own_seeds.HEARD), pace="fast") if hears else trial.SCENE

    def _maker(self, seed: Path) -> mutation.Models | mutation.Media:
        if seed not in self._makers:
            kind = mutation.Models if seed.suffix == ".tflite" else mutation.Media
            self._makers[seed] = kind(seed.read_bytes(), seed.name)
        return self._makers[seed]


def totals(results: list[dict[str, Any]]) -> list[str]:
    """What came of them, by seed, and every sentence that was said of the bad ones."""
    lines = []
    by_seed: dict[str, Counter[str]] = {}
    for one in results:
        by_seed.setdefault(one["key"].split("#")[0], Counter())[one["worker"][0]] += 1
    for name, count in sorted(by_seed.items()):
        lines.append(f"  {name:50} {sum(count.values()):5}  {_counted(count)}")
    lines.append(f"  as the worker met them: {_counted(Counter(one['worker'][0] for one in results))}")
    asked = [one["doctor"][0] for one in results if "doctor" in one]
    lines.append(f"  as the doctor met them: {len(asked)}: {_counted(Counter(asked))}")
    for who in ("worker", "doctor"):
        bad = Counter(
            f"{one[who][0]}: {trial.gist(one[who][1])}"
            for one in results
            if who in one and one[who][0] not in ("ran", "refused")
        )
        lines += [f"  {who}: {count:5} x {said}" for said, count in bad.most_common(30)]
    return lines


def _counted(count: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(count.items()))


def main() -> int:
    """Exit status 0: nobody was hurt."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=2500)
    parser.add_argument("--media", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was tried before")
    parser.add_argument("--out", type=Path, default=OUT)
    wanted = parser.parse_args()
    if wanted.fresh:
        wanted.out.unlink(missing_ok=True)
    warm.prepare()
    shared = Path(os.environ.get("EDGED_SHARED", own_seeds.ROOT.parent / "shared"))
    with tempfile.TemporaryDirectory(prefix="edged-mutants-") as name:
        folder = Path(name)
        todo = list(jobs(*seeds(folder, shared), wanted))
        campaign = Campaign(folder, wanted.out)
        healths = campaign.run(todo)
    results = [campaign.results[one.key] for one in todo]
    print(f"{len(results)} mutants, seed {wanted.seed}:", *totals(results), sep="\n")
    return _verdict(results, healths)


def _verdict(results: list[dict[str, Any]], healths: list[Health]) -> int:
    # The first hundred fill caches; after them nothing may grow.
    settled, last = healths[min(1, len(healths) - 1)], healths[-1]
    grown = last.memory - settled.memory
    print(f"the daemon's side: {settled} after {CHECK_EVERY}; {last} at the end")
    hurt = [
        one for one in results if any(one[who][0] in FAULTS for who in ("worker", "doctor") if who in one)
    ]
    for one in hurt:
        print(f"FAULT {one}")
    leaks = last.descriptors > settled.descriptors or last.threads > settled.threads or grown > 4096
    if leaks:
        print("LEAK: see above")
    return int(bool(hurt) or leaks)


if __name__ == "__main__":
    sys.exit(main())
