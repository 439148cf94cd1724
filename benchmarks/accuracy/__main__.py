"""``python -m benchmarks.accuracy``: measure, print the tables, write build/bench-accuracy.json."""

from __future__ import annotations

import argparse
import sys

from benchmarks.accuracy import scenes
from benchmarks.accuracy.detector import PROFILES
from benchmarks.accuracy.pace import PACES
from benchmarks.accuracy.street import DENSITIES


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of each scene (default: %(default)g)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(scenes.TUNED))
    parser.add_argument("--detector", choices=list(PROFILES), default="usual")
    parser.add_argument("--pace", choices=PACES, nargs="+", default=["full", "5fps", "2fps", "swing"])
    parser.add_argument("--density", choices=list(DENSITIES), nargs="+", default=list(DENSITIES))
    asked = parser.parse_args()
    for one in scenes.rows(asked.density, asked.pace, asked.seeds, asked.detector, asked.seconds):
        print(one, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
