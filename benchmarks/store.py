"""What a day, a quarter, a year of 20 series cost on the disk, and what asking them costs.

The day is the real path: one tick a second into the aggregator, a commit a minute with its fsync, roll-ups
and retention, in a process of its own, so that ``write_bytes`` in /proc/self/io is its alone. That counts
whole pages of 4 KiB as they become dirty, and so a page once per commit. Everything is on the disk that
``build/`` is on (not on tmpfs).

``python -m benchmarks.store`` prints the figures; ``python -m benchmarks.store day FOLDER`` is the process of
its own.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edged.aggregate import LATE, Aggregator
from edged.amounts import bin_of
from edged.clock import Reading, zone
from edged.config.shape import Keep
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.series import counted, valued
from edged.store import Store
from edged.wall import Tick

KEY = bytes(range(32))
#: 20 series of two cameras: what they count, how long it is there, how much it moves.
SERIES = {
    camera: tuple(
        Series(camera, measure, label, zone, unit)
        for measure, unit, labels in (
            ("occupancy", "count", ("person", "car", "bicycle", "dog")),
            ("presence", "share", ("person", "car", "dog")),
            ("activity", "fraction", ("",)),
        )
        for label in labels
        for zone in (("", "door") if label in ("person", "") else ("",))
    )[:10]
    for camera in ("front", "yard")
}
#: One camera of these, and one at a gate: people by kind and direction, how long they stay.
COUNTED = {
    "front": SERIES["front"],
    "gate": (
        *(
            Series("gate", "crossings", label, f"gate:{way}", "crossings")
            for label in ("person", "car", "bicycle", "dog")
            for way in ("in", "out")
        ),
        *(Series("gate", "dwell", "person", zone, "s") for zone in ("hall", "queue")),
    ),
}
PER_HOUR = 60  # events of each series, by day
BEGIN = 1_767_225_600  # 2026-01-01 00:00 UTC
YEAR = 365  # days
FPS = 5.0
OUT = Path("build")


def measure() -> dict[str, float]:
    """The figures by key: bytes, megabytes (10^6) and milliseconds."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        figures = _own_process("day", folder)
        figures |= _own_process("counted", folder)
        figures |= _own_process("year", folder)
        figures |= _own_process("month", folder)  # every minute kept: a year is twelve times as much
    return {f"store.{name}": value for name, value in figures.items()}


def _own_process(what: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.store", what, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


# --- what is counted


def entries(series: tuple[Series, ...], seconds: float, chance: random.Random) -> tuple[Entry, ...]:
    """What ``seconds`` of a street look like: mostly something, at night and elsewhere nothing."""
    return tuple(_entry(series[one].unit, seconds, chance) for one in valued(series))


def amounts(
    series: tuple[Series, ...], seconds: float, hour: int, chance: random.Random
) -> tuple[Amount, ...]:
    """What happens at a gate: by day all the time, by night hardly."""
    busy = seconds * PER_HOUR / 3600 / (1 if 7 <= hour < 20 else 30)
    happened = [
        place for place, one in enumerate(series) if counted(one) and chance.random() < min(busy, 1.0)
    ]
    return tuple(
        Amount(place, 1, bin_of(chance.lognormvariate(3.0, 0.8)) if series[place].unit == "s" else 0)
        for place in happened
    )


def _entry(unit: str, seconds: float, chance: random.Random) -> Entry:
    if chance.random() < 0.3:
        return Entry(seconds)
    if unit == "fraction":
        mean = chance.random() * 0.3
        return Entry(seconds, mean * seconds, mean * chance.random(), mean * 2, mean**2 * 1.3 * seconds)
    if unit == "share":
        mean = chance.random()
        return Entry(seconds, mean * seconds, 0.0, 1.0, mean * seconds)
    low, high = chance.randrange(3), chance.randrange(3, 8)
    mean = (low + high) / 2 + chance.random() - 0.5
    return Entry(seconds, mean * seconds, low, high, (mean**2 + 0.5) * seconds)


def _reading(now: float) -> Reading:
    return Reading(now, 0.0, 0.0, True, "this boot")


# --- one day, second by second


def day(path: Path, all_series: dict[str, tuple[Series, ...]]) -> dict[str, float]:
    """A whole day of the daemon's own calls; the card is charged from the second day on, when the WAL has its
    size.
    """
    store = Store.open(path, KEY, zone=zone("Europe/Berlin"))
    aggregator, chance = Aggregator(60), random.Random(1)
    charged, took = 0, []
    for second in range(BEGIN, BEGIN + 2 * 86400):
        if second == BEGIN + 86400:
            charged, took = _written(), []
        now = second + 1 + 0.37  # ticks end at any part of a second
        for camera, series in all_series.items():
            happened = amounts(series, 1.0, second // 3600 % 24, chance)
            seen = entries(series, 1.0, chance)
            tick = Tick(second, now - 1, now, 5, 0, 1.0, 0.0, 0.01, 0.001, seen, amounts=happened)
            aggregator.add(camera, tick, Coverage(FPS, 5, 1.0), _reading(now))
        if second % 60 == 0:
            began = time.perf_counter()
            reading = _reading(second + LATE)  # when ``next_commit`` says
            store.write(aggregator.due(reading), all_series, reading)
            took.append(time.perf_counter() - began)
    written = _written() - charged
    store.close()
    return {"bytes_day": written, "commit_ms": round(statistics.median(took) * 1e3, 3)}


def _written() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


# --- a year, minute by minute


def filled(path: Path, days: int, keep: Keep) -> Path:
    """A store of so many days, an hour's minutes a commit (what retention works off twice); each day counts
    the same.
    """
    one_day = dict(_day_of_buckets(random.Random(2)))
    store = Store.open(path, KEY, keep=keep, zone=zone("Europe/Berlin"))
    for hour in range(BEGIN, BEGIN + days * 86400, 3600):
        minutes = range(hour, hour + 3600, 60)
        buckets = [
            Bucket(camera, start, 60, *one_day[camera, start % 86400])
            for start in minutes
            for camera in SERIES
        ]
        store.write(buckets, SERIES, _reading(hour + 3600))
    store.close()
    return path


def _day_of_buckets(
    chance: random.Random,
) -> Iterator[tuple[tuple[str, int], tuple[tuple[Entry, ...], Coverage]]]:
    for second in range(0, 86400, 60):
        for camera, series in SERIES.items():
            found = entries(series, 59.998 + chance.randrange(3) / 1000, chance)
            yield (camera, second), (found, Coverage(60 * FPS, 299 + chance.randrange(3), 60.0))


def asked(path: Path, filled_days: int) -> dict[str, float]:
    """Milliseconds that a month by hours, a month by days and a day by minutes take: all series, opening the
    file too.
    """
    end = BEGIN + filled_days * 86400
    took = {}
    for name, step, days in (("report", 3600, 30), ("report_days", 86400, 30), ("report_day_minutes", 60, 1)):
        times = []
        for _ in range(7):
            began = time.perf_counter()
            with Store.open(path, KEY, zone=zone("Europe/Berlin"), read_only=True) as store:
                rows = sum(1 for _ in store.report(end - days * 86400, end, step))
            times.append(time.perf_counter() - began)
        assert rows >= days * 86400 // step * 20
        took[f"{name}_ms"] = round(statistics.median(times) * 1e3, 2)
    return took


def main() -> None:
    """Without arguments: measure and print."""
    if len(sys.argv) == 1:
        print(json.dumps(measure(), indent=1))
        return
    what, folder = sys.argv[1], Path(sys.argv[2])
    match what:
        case "day":
            found = day(folder / "day.db", SERIES)
        case "counted":
            made = day(folder / "counted.db", COUNTED)
            found = {f"counted_{name}": value for name, value in made.items()}
        case "year":
            path = filled(folder / "year.db", YEAR, Keep())
            found = {"year_mb": round(path.stat().st_size / 1e6, 2), **asked(path, YEAR)}
        case _:
            size = filled(folder / "month.db", 30, Keep(minute=float("inf"))).stat().st_size
            found = {"year_all_mb": round(size / 30 * YEAR / 1e6, 1)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
