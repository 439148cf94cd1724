"""``python -m benchmarks.accuracy``: measure, print the tables, write build/bench-accuracy.json.

Without arguments everything that docs/accuracy.md tells, in some minutes. ``--mot FOLDER`` judges a clip with
labels instead. With ``--seeds`` it is one table of the scripted scene only, to tune by.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.__main__ import table
from benchmarks.accuracy import certainty, clips, recall, scenes, tables, visits
from benchmarks.accuracy.detector import PROFILES
from benchmarks.accuracy.pace import PACES
from benchmarks.accuracy.street import DENSITIES
from benchmarks.requirement import REQUIREMENTS

OUT: Final = Path("build/bench-accuracy.json")
#: Frames per second that an owner asks for, by pace: what can be asked of a daemon.
ASKED: Final = {"full": 0.0, "5fps": 5.0, "2fps": 2.0}
HARDEST: Final = "crowded"


def main() -> int:
    """Exit status 0, or 1 when a figure falls short."""
    asked = _asked()
    if asked.mot:
        return _clips(asked)
    if asked.seeds:
        for one in scenes.rows(asked.density, asked.pace, asked.seeds, asked.detector, asked.seconds):
            print(one, flush=True)
        return 0
    return _everything()


def _clips(asked: argparse.Namespace) -> int:
    try:
        for folder in asked.mot:
            print(clips.judged_clip(folder, asked.line, asked.zone, asked.detector), flush=True)
    except ValueError as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 2
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mot", type=Path, action="append", metavar="FOLDER", help="with gt/gt.txt")
    parser.add_argument("--line", action="append", metavar="X1,Y1,X2,Y2", help="of a clip; may be repeated")
    parser.add_argument("--zone", metavar="X1,Y1,X2,Y2,…", help="of a clip: corners")
    parser.add_argument("--seeds", type=int, nargs="+", help=f"tuned on were {scenes.TUNED}")
    parser.add_argument("--seconds", type=float, default=scenes.LENGTH, help="default: %(default)g")
    parser.add_argument("--detector", choices=list(PROFILES), default="usual")
    parser.add_argument("--pace", choices=PACES, nargs="+", default=["full", "5fps", "2fps", "swing"])
    parser.add_argument("--density", choices=list(DENSITIES), nargs="+", default=list(DENSITIES))
    return parser.parse_args()


def _everything() -> int:
    figures: dict[str, float] = {}
    skipped: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for part in (_visits, _scenes, _intervals):
        began = time.monotonic()
        try:
            for key, value in part(rows):
                figures[key] = value
        except FileNotFoundError as error:
            skipped[part.__name__.strip("_")] = str(error)
        print(f"{part.__name__.strip('_')}: {time.monotonic() - began:.0f} s\n", file=sys.stderr)
    _write(figures, skipped, rows)
    print(table(figures, skipped))
    return int(any(not REQUIREMENTS[key].met(value) for key, value in figures.items() if key in REQUIREMENTS))


def _visits(rows: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """``visits.*``: how many the report tells of six, and the worst dwell in this process (seconds off)."""
    seen = list(recall.detections(0.0))
    for pace in PACES:
        here = visits.here(seen, pace)
        print(here, flush=True)
        rows.append({"clip": here.pace, "visits": here.counted, "dwells": here.dwells, "worst": here.worst})
        if pace in ASKED:
            told = visits.there(ASKED[pace])
            print(f"       as owners run it: {told}", flush=True)
            yield f"visits.{pace}", told.visits
        else:
            yield f"visits.{pace}", here.counted
        yield f"visits.dwell_{pace}", here.worst


def _scenes(rows: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """``crossings.err_*``: of the crowded scene, seeds that nobody tuned on; ``*_tuned``: those that were.
    ``track.*``: MOTA and IDF1 there.
    """
    for one in _told(rows, "apart", (HARDEST,), scenes.APART):
        yield f"crossings.err_{one.pace}", one.crossings.error
        yield f"crossings.err_{one.pace}_runs", one.crossings.error_of_runs
        yield f"crossings.missed_{one.pace}", one.crossings.missed / one.crossings.true
        yield f"track.mota_{one.pace}", one.mota
        yield f"track.idf1_{one.pace}", one.idf1
        yield f"stays.err_{one.pace}", one.visits.error
    for one in _told(rows, "tuned", (HARDEST,), scenes.TUNED):
        yield f"crossings.err_{one.pace}_tuned", one.crossings.error
        yield f"crossings.err_{one.pace}_runs_tuned", one.crossings.error_of_runs
    lighter = tuple(one for one in DENSITIES if one != HARDEST)
    for one in _told(rows, "apart", lighter, scenes.APART[:4]):
        yield f"crossings.err_{one.pace}_{one.density}", one.crossings.error
    for detector in ("near", "poor"):
        for one in _told(rows, "apart", (HARDEST,), scenes.APART[:4], detector, ("5fps",)):
            yield f"crossings.err_{one.pace}_{detector}", one.crossings.error


def _intervals(rows: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """``interval.*``: how often intervals of the two harder scenes hold the truth, and how wide they are."""
    densities = tuple(one for one in DENSITIES if one != "sparse")
    found = certainty.measured(certainty.scenes_of(densities, PACES, scenes.APART, ("usual",)))
    print("\nintervals, seeds apart: share of five minutes that hold the truth, half of the median width")
    for line in certainty.lines_of(found):
        print(line, flush=True)
    figures = dict(certainty.figures(found))
    rows.append({"intervals": figures})
    yield from figures.items()


def _told(
    rows: list[dict[str, Any]],
    kind: str,
    densities: tuple[str, ...],
    seeds: tuple[int, ...],
    detector: str = "usual",
    paces: tuple[str, ...] = PACES,
) -> Iterator[scenes.Row]:
    """Print the rows as they come, and keep them."""
    print(f"\nseeds {kind} ({len(seeds)}), detector {detector}\n{tables.HEAD}")
    for one in scenes.rows(densities, paces, seeds, detector):
        print(tables.line(one), flush=True)
        rows.append({"seeds": kind, "detector": detector, **tables.plain(one)})
        yield one


def _write(figures: dict[str, float], skipped: dict[str, str], rows: list[dict[str, Any]]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    told = {**figures, "rows": rows, "machine": machine, "skipped": skipped}
    OUT.write_text(json.dumps(finite(told), indent=1) + "\n")


def finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
