"""Six visits: the real clip through the real detector.

Once in this process, so that every dwell is seen before it is put into a bin; and once as owners run it:
config file, daemon, locked worker, wall, encrypted store, report.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.accuracy import chain
from benchmarks.accuracy.detector import Seen
from benchmarks.accuracy.pace import moments
from benchmarks.accuracy.recall import CLIP, FPS, VISITS
from benchmarks.system import SSD, require
from edged.config import shape

LABELS: Final = ("person",)
ASKED: Final = (
    shape.Measure(kind="visits", labels=LABELS),
    shape.Measure(kind="dwell", labels=LABELS),
)
#: A visit that is told later than so much after its end is another one's.
LATE: Final = 8.0  # seconds


class Visits(NamedTuple):
    """``dwells`` are seconds, one for each visit of the clip's README, NaN where none was told; ``worst`` is
    the largest difference to it, infinite where one is missing.
    """

    pace: str
    counted: int
    dwells: tuple[float, ...]

    @property
    def worst(self) -> float:
        """Seconds."""
        off = [abs(one - true) for one, true in zip(self.dwells, TRUE, strict=True)]
        return math.inf if any(map(math.isnan, off)) else max(off)

    def __str__(self) -> str:
        told = ", ".join(f"{one:.1f}" for one in self.dwells)
        return f"{self.pace:6} {self.counted} visits, dwells {told}: at most {self.worst:.2f} s off"


#: Seconds in view; a frame stands for the time up to the next one.
TRUE: Final = tuple((last + 1 - first) / FPS for first, last in VISITS)


def film(seen: Sequence[Seen], pace: str) -> list[Seen]:
    """Of the clip's frames those that a source picks at a pace."""
    times = [one.time for one in seen]
    if pace == "full":
        return list(seen)
    chosen = moments(pace, times[-1] + 0.5 / FPS, FPS)
    return [seen[min(len(seen) - 1, round(one * FPS))] for one in chosen]


def here(seen: Sequence[Seen], pace: str) -> Visits:
    """In this process, on what the detector saw of all frames."""
    kept = [only_people(one) for one in film(seen, pace)]
    made = chain.counted(chain.pipeline(ASKED), kept, LABELS)
    told = [
        (event.time, long) for event, long in zip(made.events.get("dwell", []), made.numbers, strict=True)
    ]
    return Visits(pace, len(made.events.get("visits", [])), tuple(of(told, visit) for visit in VISITS))


def of(told: Sequence[tuple[float, float]], visit: tuple[int, int]) -> float:
    """The longest dwell that was told at this visit's end."""
    end = visit[1] / FPS
    return max((long for time, long in told if end - 1.0 <= time <= end + LATE), default=math.nan)


def only_people(seen: Seen) -> Seen:
    """The other labels are asked for by nobody."""
    mine = [place for place, kind in enumerate(seen.kinds) if kind in LABELS]
    kinds, none = tuple(seen.kinds[one] for one in mine), (-1,) * len(mine)
    return Seen(seen.time, seen.boxes[mine], kinds, seen.scores[mine], none)


CONFIG = """
[daemon]
state_dir = "."
runtime_dir = "."
[clock]
trust = "always"
[governor]
enabled = false
[models.m]
file = "{model}"
[pipelines.p]
model = "m"
rate = {rate}
measures = [{{ kind = "visits", labels = ["person"] }}, {{ kind = "dwell", labels = ["person"] }}]
[pipelines.p.source]
kind = "file"
path = "{clip}"
pace = "fast"
start = "2026-03-01T10:00:00+00:00"
"""


class Reported(NamedTuple):
    """What `edged report` says of the whole clip: how many, and how many dwells are in each bin."""

    visits: int
    bins: dict[int, int]


def there(rate: float) -> Reported:
    """As owners run it, at most ``rate`` frames a second (0: all). Raises ``RuntimeError`` if that fails."""
    require(SSD, CLIP)
    with tempfile.TemporaryDirectory(prefix="edged-accuracy-") as name:
        config = Path(name) / "edged.toml"
        config.write_text(CONFIG.format(model=SSD, clip=CLIP, rate=rate))
        _edged("run", "--init-key", str(config))
        answer = json.loads(_edged("report", "--all", "--json", "--config", str(config)))
    return read(answer)


def _edged(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edged", *words], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"edged {words[0]} ended with status {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def read(answer: dict[str, Any]) -> Reported:
    """Of a report's JSON."""
    rows = {one["measure"]: one["rows"] for one in answer["series"]}
    bins: Counter[int] = Counter()
    for row in rows["dwell"]:
        bins.update({int(bin): count for bin, count in (row.get("bins") or {}).items()})
    return Reported(sum(row["count"] or 0 for row in rows["visits"]), dict(sorted(bins.items())))
