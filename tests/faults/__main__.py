"""``python -m faults``: run the campaign, go on with one that was cut off, print what was seen.

Each case has its own dice, made of the seed, the campaign's name and the case's number, so that any one of
them can be run again alone (``--only NAME:NUMBER``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final

from faults import cuts, errors, interposer, kills

Case = Callable[[int], str]
#: How many cases of each a full campaign has; of errors and flips there is one for each place.
FULL: Final = {"kills": 2000, "cuts": 2000, "errors": 0, "flips": 3000}
SHOWN: Final = 10.0  # seconds between two words
CUTS_EACH: Final = 200  # of one recorded run


class Progress:
    """What was done, on the disk after every few cases: the next run goes on from there."""

    def __init__(self, path: Path | None, seed: int) -> None:
        self._path, self._said = path, time.monotonic()
        self.seen: dict[str, Counter[str]] = {}
        self.done: dict[str, int] = {}
        self.failed: list[str] = []
        if path and path.exists():
            kept = json.loads(path.read_text())
            if kept["seed"] == seed:
                self.done, self.failed = kept["done"], kept["failed"]
                self.seen = {name: Counter(one) for name, one in kept["seen"].items()}
        self._seed = seed

    def note(self, name: str, number: int, what: str, error: BaseException | None = None) -> None:
        """A case is done."""
        self.seen.setdefault(name, Counter())[what] += 1
        self.done[name] = number + 1
        if error is not None:
            self.failed.append(f"{name}:{number} {what}: {type(error).__name__}: {error}")
            print(f"FAILED {self.failed[-1]}", flush=True)
        if time.monotonic() - self._said > SHOWN:
            self._said = time.monotonic()
            print(f"  {name}: {number + 1}", flush=True)
            self.save()

    def save(self) -> None:
        """For the next run."""
        if self._path:
            kept = {"seed": self._seed, "done": self.done, "seen": self.seen, "failed": self.failed}
            self._path.write_text(json.dumps(kept))


def cases_of_kills(folder: Path, seed: int) -> Case:
    """Lives of one box."""
    box = kills.Box(folder / "kills" / "edged.db")

    def one(number: int) -> str:
        return box.live(Random(f"{seed} kill {number}"))

    return one


def cases_of_cuts(folder: Path, seed: int) -> Case:
    """Cuts of recorded runs."""
    runs: dict[int, list[cuts.Record]] = {}
    path = folder / "cuts" / "edged.db"

    def one(number: int) -> str:
        run = number // CUTS_EACH
        if run not in runs:
            runs.clear()
            runs[run] = cuts.recorded(path, Random(f"{seed} run {run}").randrange(1 << 30))
        mercy, more = cuts.one_cut(
            runs[run], str(path.parent), folder / "cut", Random(f"{seed} cut {number}")
        )
        return f"{mercy}, {'the commit in progress kept' if more else 'what was synced'}"

    return one


def cases_of_errors(folder: Path, part: int) -> tuple[int, Case]:
    """Every ``part``-th call of every fault."""
    bench = errors.Bench(folder / "errors")
    places = [(fault, at) for fault in errors.FAULTS for at in range(1, bench.calls(fault) + 1)][::part]

    def one(number: int) -> str:
        bench.fail(*places[number])
        return places[number][0].name

    return len(places), one


def campaigns(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, int, Case]]:
    """Those that are asked for: name, number of cases, what does one."""
    for name in options.campaigns or FULL:
        if name == "kills":
            yield name, options.kills, cases_of_kills(folder, options.seed)
        elif name == "cuts":
            yield name, options.cuts, cases_of_cuts(folder, options.seed)
        elif name == "errors":
            yield name, *cases_of_errors(folder, options.part)
        else:
            from faults import flips

            bench = flips.Bench(folder / "flips", options.seed)
            yield name, options.flips, bench.case


def run(name: str, many: int, one: Case, progress: Progress) -> None:
    """Do the cases that are not done yet."""
    for number in range(progress.done.get(name, 0), many):
        try:
            what, error = one(number), None
        except KeyboardInterrupt:
            raise
        except BaseException as caught:
            traceback.print_exc()
            what, error = "failed", caught
        progress.note(name, number, what, error)


def report(progress: Progress) -> int:
    """The totals; 1 when something failed."""
    for name, seen in progress.seen.items():
        print(f"{name}: {seen.total()}")
        for what, many in sorted(seen.items()):
            print(f"  {many:6d}  {what}")
    lost = sum("LostError" in one for one in progress.failed)
    false = sum("FalseError" in one for one in progress.failed)
    print(f"lost: {lost}; falsely served: {false}; otherwise failed: {len(progress.failed) - lost - false}")
    return 1 if progress.failed else 0


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=" ".join(FULL))
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--state", type=Path, help="a file to go on from; it is written as well")
    parser.add_argument("--part", type=int, default=1, help="of the errors every so many-th")
    for name in ("kills", "cuts", "flips"):
        parser.add_argument(f"--{name}", type=int, default=FULL[name])
    return parser.parse_args()


def main() -> int:
    """The program."""
    asked = options()
    interposer.restart_under_it()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        progress = Progress(asked.state, asked.seed)
        try:
            for campaign, many, one in campaigns(folder, asked):
                run(campaign, many, one, progress)
        except KeyboardInterrupt:
            print("cut off; the same command goes on from here" if asked.state else "cut off")
        progress.save()
        return report(progress)


if __name__ == "__main__":
    sys.exit(main())
