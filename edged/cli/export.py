"""A report for spreadsheets and for documents."""

from __future__ import annotations

import csv
import datetime
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edged.cli.words import series_name
from edged.errors import ConfigError, UnavailableError

ABOUT: Final = ("pipeline", "measure", "label", "zone", "unit")
NUMBERS: Final = ("seconds", "mean", "min", "max", "stddev")
COVERAGE: Final = ("expected", "analysed", "observed_s", "blind_s", "throttled_s", "paused_s")
MODELS: Final = "models"


def csv_lines(answer: dict[str, Any]) -> Iterator[str]:
    """A line of names, then one for each slot of each series, with its pipeline's coverage."""
    yield _csv(("start", "end", *ABOUT, *NUMBERS, *COVERAGE, MODELS))
    covered = {(one["pipeline"], row["start"]): row for one in answer["coverage"] for row in one["rows"]}
    for one in answer["series"]:
        for row in one["rows"]:
            coverage = covered[one["pipeline"], row["start"]]
            about, numbers = [one[key] for key in ABOUT], [row[key] for key in NUMBERS]
            how = [*(coverage[key] for key in COVERAGE), _models(coverage)]
            yield _csv((row["start"], row["end"], *about, *numbers, *how))


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
    observed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("--png needs matplotlib, which is not here", "pip install 'edged[png]'") from None

    series = [one for one in answer["series"] if one["rows"]]
    if not series:
        raise ConfigError("there is nothing to draw: nothing was counted in that time", "edged report --all")
    figure = Figure(figsize=(10, 0.6 + 1.9 * len(series)), layout="constrained")
    for axes, one in zip(
        figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0], series, strict=True
    ):
        _draw(axes, one)
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror or error}") from None


def _draw(axes: Any, one: dict[str, Any]) -> None:
    """Each row is drawn as a step from its start to its end; a gap between rows breaks the line."""
    times: list[datetime.datetime] = []
    values: dict[str, list[float]] = {"mean": [], "min": [], "max": []}
    for row in one["rows"]:
        start, end = (datetime.datetime.fromisoformat(row[key]) for key in ("start", "end"))
        gap = bool(times) and times[-1] != start
        for at, known in ((times[-1] if gap else start, not gap), (start, True), (end, True)):
            times.append(at)
            for key, each in values.items():
                each.append(row[key] if known and row[key] is not None else math.nan)
    axes.fill_between(times, values["min"], values["max"], alpha=0.2, linewidth=0)
    axes.plot(times, values["mean"], linewidth=1.2)
    axes.set_title(f"{one['pipeline']}: {series_name(one)}", loc="left", fontsize=9)
    axes.set_ylabel(one["unit"], fontsize=8)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=8)
    axes.xaxis_date(tz=times[0].tzinfo)
