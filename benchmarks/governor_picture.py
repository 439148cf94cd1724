"""docs/governor-*.png: a day of a board under no control, its firmware, a thermostat, ours and the optimum.

What they do is the same job (benchmarks/governor_days.py); the 78 °C line is the default target, the 80 °C
line where the firmware throttles. Work is the share of what was asked for, as the owner prefers it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import msgspec
import numpy as np

from benchmarks import governor_optimum
from benchmarks.governor_days import BangBang, Controller, Governed, dearest, lived, wanted
from edged.board.simulated import SKIES, SPECS, SimulatedBoard, Sky, Spec
from edged.governor.ladder import Prefer, Want
from edged.governor.policy import BELOW_LIMIT

matplotlib.use("agg")
from matplotlib import pyplot

DOCS = Path(__file__).parents[1] / "docs"
#: One file per weather, one column per board: the boards that its heat reaches.
PAGES: tuple[tuple[str, Prefer, tuple[str, ...]], ...] = (
    ("summer", "accuracy", ("pi3b+", "pi4-bare", "pi5-bare", "zero2w")),
    ("desert", "rate", ("pi3b+", "pi4-bare", "pi4-heatsink", "pi5-bare")),
)
EVERY, SMOOTH = 60, 10  # seconds between two points, points of a running mean for work and clock
STYLES = {
    "no control, no firmware": ("#bbbbbb", ":", 1.2),
    "firmware alone": ("#d55e00", "-", 1.0),
    "thermostat": ("#e69f00", "-", 0.8),
    "clairvoyant": ("#111111", "--", 1.1),
    "edged": ("#0072b2", "-", 1.8),
}


def draw() -> dict[str, float]:
    """Writes the pages; their largest size is a figure."""
    sizes = []
    for weather, prefer, boards in PAGES:
        figure, rows = pyplot.subplots(3, len(boards), figsize=(13, 8.6), sharex=True, sharey="row")
        for column, name in enumerate(boards):
            _column([row[column] for row in rows], SPECS[name], SKIES[weather], prefer)
        _labelled(figure, rows, f"{weather}, prefer = {prefer!r}")
        path = DOCS / f"governor-{weather}.png"
        figure.savefig(path, dpi=80)
        pyplot.close(figure)
        sizes.append(path.stat().st_size / 1e3)
    return {"governor.picture_kb": max(sizes)}


def _column(axes: list[Any], spec: Spec, sky: Sky, prefer: Prefer) -> None:
    want, target = wanted(spec, prefer), spec.soft - BELOW_LIMIT
    for label, (board, controller) in _rivals(spec, sky, want, target).items():
        day = lived(board, controller, want, target, every=EVERY)
        _drawn(axes, label, np.array(day.course).T, day.utility)
    best = governor_optimum.optimum(spec, sky, want, target)
    time, hot, _, worth = best.course.T
    clock = np.where(hot >= spec.cap[0], spec.cap[1], 1.0) if spec.cap else np.ones(len(time))
    _drawn(axes, "clairvoyant", np.array([time, hot, clock, worth]), best.utility)
    axes[0].axhline(target, color="#009e73", linewidth=0.8)
    axes[0].axhline(spec.soft, color="#cc3311", linewidth=0.8, linestyle="--")
    air = [sky(t).air + sky(t).sun for t in time]
    axes[0].fill_between(time / 3600.0, 0.0, air, color="#f0e442", alpha=0.35, linewidth=0)
    axes[0].set_title(f"{spec.name}", fontsize=11)
    axes[2].legend(
        fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.26), handlelength=1.6, labelspacing=0.25
    )


def _rivals(
    spec: Spec, sky: Sky, want: Want, target: float
) -> dict[str, tuple[SimulatedBoard, Controller | Callable[..., Any]]]:
    """Fresh boards and who controls them."""
    tireless = msgspec.structs.replace(spec, soft=1e3, hard=1e3, cap=None)
    alone = [(lived(SimulatedBoard(spec, sky), dearest(want, n), want, target).utility, n) for n in (1, 4)]
    threads = max(alone)[1]
    return {
        "no control, no firmware": (SimulatedBoard(tireless, sky), dearest(want, threads)),
        "firmware alone": (SimulatedBoard(spec, sky), dearest(want, threads)),
        "thermostat": (SimulatedBoard(spec, sky), BangBang(want, target)),
        "edged": (SimulatedBoard(spec, sky), Governed(spec, want, target)),
    }


def _drawn(axes: list[Any], label: str, course: Any, utility: float) -> None:
    colour, style, width = STYLES[label]
    time, hot, clock, worth = course
    front = list(STYLES).index(label) + 2
    look = {"color": colour, "linestyle": style, "linewidth": width, "zorder": front}
    axes[0].plot(time / 3600.0, hot, **look)
    axes[1].plot(time / 3600.0, _mean(clock), **look)
    axes[2].plot(time / 3600.0, _mean(worth), **look, label=f"{label} {utility:.2f}")


def _mean(values: Any) -> Any:
    """A running mean that is honest at both ends."""
    window = np.ones(SMOOTH)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def _labelled(figure: Any, rows: Any, title: str) -> None:
    words = ("die, °C (yellow: air and sun)", "clock, share of full", "useful work, 10 min mean")
    for row, text in zip(rows, words, strict=True):
        row[0].set_ylabel(text, fontsize=9)
        for axis in row:
            axis.grid(alpha=0.25)
            axis.tick_params(labelsize=8)
            axis.set_xlim(0, 24)
    rows[0][0].set_ylim(10, 105)
    rows[1][0].set_ylim(0.3, 1.05)
    rows[2][0].set_ylim(0, 1.03)
    for axis in rows[2]:
        axis.set_xticks(range(0, 25, 6))
        axis.set_xlabel("hour", fontsize=9)
    figure.suptitle(
        f"A day of {title}: green the target, red dashes where the firmware throttles", fontsize=11
    )
    figure.tight_layout()
