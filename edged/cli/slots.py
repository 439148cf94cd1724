"""A report slot by slot: a table for each pipeline where its series fit beside each other, else one for each
series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from edged.cli.plots import Answer, Rows, epoch, period, share
from edged.cli.screen import console
from edged.cli.words import between, made, series_name, value
from edged.config import duration

#: The head of an interval's column.
SURE: Final = "95 %"
#: The head of the middle one's.
MIDDLE: Final = "half up to"
WIDEST: Final = 10_000  # columns: as wide as a table wants to be
Told = dict[str, Any]


def print_table(answer: Answer) -> None:
    """Means and counts with their intervals, the coverage, and what was not made as asked."""
    terminal = console()
    terminal.print(f"{period(answer)}, every {duration.text(answer['every_s'])}", style="bold")
    for covered in answer["coverage"]:
        series = [one for one in answer["series"] if one["pipeline"] == covered["pipeline"]]
        for table in tables(terminal, covered, series):
            terminal.print()
            terminal.print(table)


def tables(terminal: Console, covered: Told, series: Sequence[Told]) -> Iterator[Table]:
    """Of one pipeline: one, or as many as it has series."""
    name = covered["pipeline"]
    together = _table(name, covered["rows"], series)
    if len(series) <= 1 or _width(terminal, together) <= terminal.width:
        yield together
        return
    for one in series:
        yield _table(f"{name}: {series_name(one)}", covered["rows"], [one], alone=True)


def _width(terminal: Console, table: Table) -> int:
    return Measurement.get(terminal, terminal.options.update_width(WIDEST), table).maximum


def _table(title: str, rows: Rows, series: Sequence[Told], alone: bool = False) -> Table:
    """``alone``: its title tells which series it is."""
    table = Table(title=title, title_justify="left", title_style="bold green", box=None, pad_edge=False)
    table.add_column("from", no_wrap=True)
    for one in series:
        head, *further = heads(one)
        table.add_column(head if alone else series_name(one), justify="right", no_wrap=True)
        for text in further:
            table.add_column(text, style="dim" if text == SURE else "", no_wrap=True)
    table.add_column("observed", justify="right", style="dim", no_wrap=True)
    told = any(made([row]) for row in rows)
    if told:
        table.add_column("how", style="yellow")
    by_start = [{row["start"]: row for row in one["rows"]} for one in series]
    for row, when in zip(rows, _times(rows), strict=True):
        found = [each.get(row["start"]) for each in by_start]
        cells = [text for one, each in zip(found, series, strict=True) for text in cells_of(one, each)]
        long = epoch(row["end"]) - epoch(row["start"])
        cells += [share(min(row["observed_s"], long), long), *([made([row])] if told else [])]
        table.add_row(when, *cells)
    return table


def _times(rows: Rows) -> list[str]:
    """When each begins; with their offsets where an hour came twice."""
    length = _length(rows)
    times = [row["start"][:length].replace("T", " ") for row in rows]
    if len(set(times)) == len(times):
        return times
    return [time + row["start"][19:] for time, row in zip(times, rows, strict=True)]


def heads(one: Told) -> list[str]:
    """Of a series' columns."""
    if not any("count" in row for row in one["rows"]):
        return ["mean", SURE]
    return ["count", SURE, *([MIDDLE] if any("p50" in row for row in one["rows"]) else [])]


def _length(rows: Rows) -> int:
    """How much of a time has to be written: seconds and hours only where any are other than 0."""
    times = [row["start"][11:19] for row in rows]
    if all(one == "00:00:00" for one in times):
        return 10
    return 16 if all(one.endswith(":00") for one in times) else 19


def cells_of(row: Told | None, one: Told) -> list[str]:
    """A slot of a series: the number, between what it may be, and of what has a number the middle one."""
    unit = one["unit"]
    if row is None:
        return ["-", *("" for _ in heads(one)[1:])]
    if "count" not in row:
        return [value(row["mean"], unit), between(row["low"], row["high"], unit)]
    told = [str(row["count"]), between(row["low"], row["high"], "")]
    return [*told, value(row["p50"], unit) if row["n"] else ""] if "p50" in row else told
