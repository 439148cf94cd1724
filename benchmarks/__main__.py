"""``python -m benchmarks [NAME ...]``: measure, print one table, write build/bench.json."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

from benchmarks.requirement import REQUIREMENTS, Requirement

#: In this order: what is quick and quiet first.
MODULES = (
    "memory",
    "efficiency",
    "sandbox",
    "replacement",
    "idle",
    "clip",
    "sound",
    "activity",
    "tracker",
    "store",
    "governor",
)
OUT = Path("build/bench.json")


def main() -> int:
    """Exit status 0, or 1 when a figure falls short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"some of: {', '.join(MODULES)} (default: all)")
    names = parser.parse_args().name or MODULES
    figures: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name in names:
        began = time.monotonic()
        print(f"{name} …", end="", flush=True, file=sys.stderr)
        try:
            figures |= importlib.import_module(f"benchmarks.{name}").measure()
        except FileNotFoundError as error:
            skipped[name] = str(error)
        print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)
        _write(figures, skipped)  # after each: whoever stops here keeps what was measured
    print(table(figures, skipped))
    return int(any(not REQUIREMENTS[key].met(value) for key, value in figures.items() if key in REQUIREMENTS))


def table(figures: dict[str, float], skipped: dict[str, str]) -> str:
    """All figures, what each must reach, and whether it does."""
    rows = [("figure", "value", "required", "")]
    for key, value in figures.items():
        requirement = REQUIREMENTS.get(key, Requirement())
        rows.append(
            (key, f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}", *requirement.shown(value))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    return "\n".join(lines + [f"{name}: not measured: {why}" for name, why in skipped.items()])


def _write(figures: dict[str, float], skipped: dict[str, str]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    OUT.write_text(json.dumps({**figures, "machine": machine, "skipped": skipped}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
