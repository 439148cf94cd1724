"""docs/governor-*.png: a day of each board under no control, its firmware, a thermostat, ours and the
optimum.

What they do is the same job (benchmarks/governor_days.py). Lines are means over five minutes; work is the
share of what was asked for, as the owner prefers it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from edged.board.simulated import SKIES, SPECS, Sky, Spec
from edged.governor.policy import BELOW_LIMIT

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

DOCS = Path(__file__).parents[1] / "docs"
#: One file per weather: what its title says, and the preference that is drawn.
PAGES = {
    "summer": ("A summer's day of 17 to 33 °C, sun on the case from 13:00 to 15:30", "accuracy"),
    "desert": ("A day of 30 to 45 °C in the shade", "rate"),
}
COLUMNS, EVERY = 3, 300  # boards side by side; seconds between two points
#: Who, in what colour (Okabe and Ito's, for any eyes), line and width; later ones lie on top.
STYLES = {
    "free": ("no limit at all", "#999999", ":", 1.4),
    "thermostat": ("thermostat", "#e69f00", "-", 1.0),
    "firmware": ("firmware alone", "#d55e00", "-", 1.5),
    "ours": ("edged", "#0072b2", "-", 2.4),
    "optimum": ("clairvoyant optimum", "#000000", (0, (3, 2)), 1.2),
}
TARGET, LIMIT, AIR = "#009e73", "#cc3311", "#f0e442"


def draw(days: list[dict[str, Any]]) -> dict[str, float]:
    """Writes the pages; the size of the largest is a figure. ``days`` are benchmarks/governor.py's."""
    sizes = []
    for weather, (title, prefer) in PAGES.items():
        seen = [one for one in days if tuple(one["case"]) == (weather, prefer)]
        path = DOCS / f"governor-{weather}.png"
        _page(seen, SKIES[weather], f"{title}; prefer = {prefer}", path)
        sizes.append(path.stat().st_size / 1e3)
    return {"governor.picture_kb": max(sizes)}


def _page(days: list[dict[str, Any]], sky: Sky, title: str, path: Path) -> None:
    bands = -(-len(days) // COLUMNS)
    figure = pyplot.figure(figsize=(12, 1.1 + 5.6 * bands))
    outer = figure.add_gridspec(
        bands, COLUMNS, left=0.06, right=0.985, top=0.905, bottom=0.05, wspace=0.1, hspace=0.17
    )
    for at, day in enumerate(days):
        inner = outer[at // COLUMNS, at % COLUMNS].subgridspec(3, 1, height_ratios=(5, 2.4, 4), hspace=0.2)
        axes = [figure.add_subplot(cell) for cell in inner]
        _board(axes, day, SPECS[day["name"]], sky)
        _framed(axes, at % COLUMNS == 0)
    figure.suptitle(title, fontsize=15, fontweight="bold", y=0.985)
    figure.legend(handles=_keys(), loc="upper center", bbox_to_anchor=(0.5, 0.962), ncols=8, fontsize=10,
                  frameon=False, columnspacing=1.3, handlelength=1.7, handletextpad=0.5)  # fmt: skip
    figure.text(0.985, 0.006, "Coloured numbers: the day's mean of useful work", ha="right", fontsize=10)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _keys() -> list[Any]:
    rivals = [
        Line2D([], [], color=colour, linestyle=line, linewidth=width, label=label)
        for label, colour, line, width in STYLES.values()
    ]
    return [
        *rivals,
        Line2D([], [], color=TARGET, linewidth=1.0, label="target"),
        Line2D([], [], color=LIMIT, linewidth=1.0, linestyle="--", label="firmware's limit"),
        Patch(color=AIR, alpha=0.45, label="air and sun"),
    ]


def _board(axes: list[Any], day: dict[str, Any], spec: Spec, sky: Sky) -> None:
    hours = np.arange(0.5 * EVERY, 86_400, EVERY) / 3600.0
    air = [sky(3600.0 * hour).air + sky(3600.0 * hour).sun for hour in hours]
    axes[0].fill_between(hours, 0.0, air, color=AIR, alpha=0.45, linewidth=0)
    axes[0].axhline(spec.soft - BELOW_LIMIT, color=TARGET, linewidth=1.0)
    axes[0].axhline(spec.soft, color=LIMIT, linewidth=1.0, linestyle="--")
    axes[0].set_title(spec.model.replace("Raspberry ", "").replace(" Model ", " ") + _case(spec), fontsize=12)
    for front, (who, (_, colour, line, width)) in enumerate(STYLES.items(), 2):
        hot, clock, worth = _course(day, who, spec)
        for axis, values in zip(axes, (hot, clock, worth), strict=True):
            axis.plot(hours, values, color=colour, linestyle=line, linewidth=width, zorder=front)
        axes[2].text(
            (front - 1.5) / len(STYLES), 1.03, f"{day[who]:.2f}", color=colour, fontsize=10.5,
            fontweight="bold", ha="center", transform=axes[2].transAxes,
        )  # fmt: skip


def _case(spec: Spec) -> str:
    _, _, case = spec.name.partition("-")
    return {"bare": ", bare", "heatsink": ", heat sink", "cooler": ", active cooler"}.get(case, "")


def _course(day: dict[str, Any], who: str, spec: Spec) -> tuple[Any, Any, Any]:
    """°C, clock and work every five minutes."""
    course = np.array(day[f"{who}_course"])
    if who != "optimum":
        return course[:, 1], course[:, 3], course[:, 4]
    step = 86_400 // len(course)
    _, _, hot, _, worth = course.reshape(-1, EVERY // step, 5).mean(axis=1).T
    clock = np.where(hot >= spec.cap[0], spec.cap[1], 1.0) if spec.cap else np.ones(len(hot))
    return hot, clock, worth


def _framed(axes: list[Any], first: bool) -> None:
    for axis, text, bounds in zip(
        axes, ("die, °C", "clock", "useful work"), ((15, 108), (0.3, 1.08), (0, 1.05)), strict=True
    ):
        axis.set_xlim(0, 24)
        axis.set_ylim(*bounds)
        axis.set_xticks(range(0, 25, 6))
        axis.grid(alpha=0.3, linewidth=0.6)
        axis.tick_params(labelsize=9.5, labelbottom=axis is axes[2], labelleft=first, length=2)
        axis.spines[["top", "right"]].set_visible(False)
        if first:
            axis.set_ylabel(text, fontsize=11)
    axes[0].set_yticks(range(20, 101, 20))
    axes[1].set_yticks((0.4, 0.7, 1.0))
    axes[2].set_xticks(range(0, 25, 6), ["0", "6", "12", "18", "24 h"])
    axes[2].set_yticks((0.0, 0.25, 0.5, 0.75, 1.0))
