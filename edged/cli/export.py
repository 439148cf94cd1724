"""A report for spreadsheets and for documents."""

from __future__ import annotations

import csv
import datetime
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edged.cli.plots import Rows, shown, total, zone
from edged.cli.words import series_name
from edged.errors import ConfigError, UnavailableError

ABOUT: Final = ("pipeline", "measure", "label", "zone", "unit")
NUMBERS: Final = ("seconds", "mean", "min", "max", "stddev")
COUNTS: Final = ("count", "per_hour", "low", "high", "missed", "doubtful", "p10", "p50", "p90")
COVERAGE: Final = ("expected", "analysed", "observed_s", "blind_s", "throttled_s", "paused_s")
MODELS: Final = "models"
#: Units of which nothing is below 0.
FROM_ZERO: Final = ("share", "fraction", "count")


def csv_lines(answer: dict[str, Any]) -> Iterator[str]:
    """A line of names, then one for each slot of each series, with its pipeline's coverage."""
    yield _csv(("start", "end", *ABOUT, *NUMBERS, *COVERAGE, MODELS, *COUNTS))
    covered = {(one["pipeline"], row["start"]): row for one in answer["coverage"] for row in one["rows"]}
    for one in answer["series"]:
        for row in one["rows"]:
            coverage = covered[one["pipeline"], row["start"]]
            about, numbers = [one[key] for key in ABOUT], [row.get(key) for key in NUMBERS]
            how = [*(coverage[key] for key in COVERAGE), _models(coverage)]
            counts = [row.get(key) for key in COUNTS]
            yield _csv((row["start"], row["end"], *about, *numbers, *how, *counts))


def _models(coverage: dict[str, Any]) -> str:
    """In one cell: ``lite2 49.0; lite0 11.0``, seconds; empty where the dearest ran all the time."""
    named = ((one["model"] or f"rung {one['rung']}", one["observed_s"]) for one in coverage["models"])
    return "; ".join(f"{name} {seconds:.1f}" for name, seconds in named)


def _csv(cells: tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def save_png(answer: dict[str, Any], path: Path) -> None:
    """A plot for each series: the mean as a line, least to most as a band, nothing where nothing was
    observed. Of what is counted: how often an hour, and what it may have been; of what has a number: the
    middle one, and where 80 % of them lie. What the band is stands above it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("--png needs matplotlib, which is not here", "pip install 'edged[png]'") from None

    series = [one for one in answer["series"] if one["rows"]]
    if not series:
        raise ConfigError("there is nothing to draw: nothing was counted in that time", "edged report --all")
    covered = {one["pipeline"]: one["rows"] for one in answer["coverage"]}
    figure = Figure(figsize=(10, 0.6 + 1.9 * len(series)), layout="constrained")
    for axes, one in zip(
        figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0], series, strict=True
    ):
        # Before anything is drawn, or the axis keeps the offset of the first time for all of them.
        axes.xaxis_date(tz=zone(answer))
        _draw(axes, one, covered[one["pipeline"]])
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise UnavailableError(
            f"{path}: cannot be written: {error.strerror or error}", "name a file in another folder"
        ) from None


def _draw(axes: Any, one: dict[str, Any], covered: Rows) -> None:
    """Each row is drawn as a step from its start to its end; a gap between rows breaks the line."""
    times: list[datetime.datetime] = []
    values: tuple[list[float], ...] = ([], [], [])
    for row in one["rows"]:
        start, end = (datetime.datetime.fromisoformat(row[key]) for key in ("start", "end"))
        gap = bool(times) and times[-1] != start
        for at, known in ((times[-1] if gap else start, not gap), (start, True), (end, True)):
            times.append(at)
            for number, each in zip(_band(row), values, strict=True):
                each.append(number if known and number is not None else math.nan)
    middle, low, high = values
    axes.fill_between(times, low, high, alpha=0.2, linewidth=0)
    axes.plot(times, middle, linewidth=1.2, clip_on=False, zorder=3)
    axes.set_title(f"{one['pipeline']}: {series_name(one)}", loc="left", fontsize=9)
    axes.set_title(_about(one, covered), loc="right", fontsize=7, color="0.4")
    if one["unit"] in FROM_ZERO or shown(one)[0] != "mean":
        # A rate that is always 0 lies on the axis, not in the middle of a picture that goes below it.
        axes.set_ylim(0.0, None if any(number > 0.0 for number in high) else 1.0)
    axes.set_ylabel(f"{one['unit']} /h" if shown(one)[0] == "per_hour" else one["unit"], fontsize=8)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=8)


def _about(one: dict[str, Any], covered: Rows) -> str:
    """What the band is; of what has a number, how many there were and may have been."""
    if shown(one)[0] == "p50":
        return f"{total(one, covered)}; line: half up to, band: 80 % of them"
    return f"{total(one, covered)}; band: 95 %" if shown(one)[0] == "per_hour" else "band: least to most"


def _band(row: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """The line, and the ends of the band around it."""
    if "p50" in row:
        return row["p50"], row["p10"], row["p90"]
    if "count" not in row:
        return row["mean"], row["min"], row["max"]
    hours = row["seconds"] / 3600.0
    return (row["per_hour"], row["low"] / hours, row["high"] / hours) if hours else (None, None, None)
