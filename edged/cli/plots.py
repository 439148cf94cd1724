"""A report for people: a plot per series with its mean and extremes, and each pipeline's coverage."""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
import shutil
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from edged import amounts, interval
from edged.cli import chart
from edged.cli.words import age, made, series_name, value
from edged.config import duration
from edged.numerals import short

HEIGHT: Final = 4  # lines of a plot
LABEL: Final = 8  # columns of its axis, at least
MOST_WIDE: Final = 160  # columns; longer lines are not read better
#: The part of a slot by which it may be longer because clocks were put back: an hour of a day.
HOUR_OF_DAY: Final = 1 / 23
#: What is said of a column in one letter, the gravest first.
MARKS: Final = (("blind_s", "b"), ("paused_s", "p"), ("throttled_s", "t"))
Answer = dict[str, Any]
Rows = Sequence[dict[str, Any]]


def terminal_width() -> int:
    """Columns."""
    return min(shutil.get_terminal_size((100, 24)).columns, MOST_WIDE)


def lines(answer: Answer, width: int) -> Iterator[str]:
    """The whole report."""
    grid = Grid(answer)
    yield click.style(f"{period(answer)}, every {duration.text(answer['every_s'])}", bold=True)
    for covered in answer["coverage"]:
        yield ""
        yield f"{click.style(covered['pipeline'], fg='green', bold=True)}  {seen(covered['rows'])}"
        yield from _unrecorded(covered["rows"], grid)
        for one in answer["series"]:
            if one["pipeline"] == covered["pipeline"]:
                yield from _plot(one, covered["rows"], grid, width)
        yield from _marks(covered["rows"], grid, width)
    yield from _axis(grid, width)


class Grid:
    """The slots from one end of the time to the other, also those without data: each between two of
    ``edges``, epoch seconds. They are the rows' own, since a day may have 23 or 25 hours; where there is no
    row, or a wider one, they are about ``every`` seconds long.
    """

    def __init__(self, answer: Answer) -> None:
        self.every = float(answer["every_s"])
        self.begin, self.end = epoch(answer["from"]), epoch(answer["to"])
        self.edges = list(self._edges(answer["coverage"]))
        self.slots = len(self.edges) - 1
        self.zone = zone(answer)
        marks = (mark for one in answer["series"] for mark in self.marks(one))
        #: In front of the plots, which lie below each other: as wide as the widest mark of any axis.
        self.margin = max([LABEL, *(len(one) for one in marks)])

    def _edges(self, coverage: Sequence[dict[str, Any]]) -> Iterator[float]:
        spans = {(epoch(row["start"]), epoch(row["end"])) for one in coverage for row in one["rows"]}
        first = min((start for start, _ in spans), default=self.begin)
        before = max(0, math.ceil((first - self.begin) / self.every - HOUR_OF_DAY))
        yield (at := first - before * self.every)
        for start, end in sorted(spans):
            for until in (start, end):
                yield from self._parts(at, until, round((until - at) / self.every))
                at = max(at, until)
        yield from self._parts(at, self.end, math.ceil((self.end - at) / self.every - HOUR_OF_DAY))

    def _parts(self, start: float, end: float, number: int) -> Iterator[float]:
        """The edges behind ``start`` of so many slots: one at least, if there is any time."""
        number = max(number, 1) if end > start else 0
        yield from (start + (end - start) * part / number for part in range(1, number + 1))

    def at(self, share: float) -> datetime.datetime:
        """The time so far from the left to the right of the plot, 0 to 1."""
        place = share * self.slots
        slot = min(int(place), max(self.slots - 1, 0))
        start, end = self.edges[slot], self.edges[min(slot + 1, self.slots)]
        return datetime.datetime.fromtimestamp(start + (end - start) * (place - slot), self.zone)

    def ends(self, one: dict[str, Any]) -> tuple[float, float]:
        """The lower and the upper end of a series' axis. What differs by less than is told is the same."""
        key, unit = shown(one)
        low, high = chart.scale(self.spread(one["rows"], key), unit)
        return (low, high) if value(low, unit) != value(high, unit) else (low - 1.0, high + 1.0)

    def marks(self, one: dict[str, Any]) -> tuple[str, str]:
        """What stands at the upper and the lower end of a series' axis."""
        low, high = self.ends(one)
        return value(high, shown(one)[1]), value(low, shown(one)[1])

    def room(self, width: int) -> int:
        """Columns that a terminal so wide leaves for values."""
        return max(width - self.margin - 2, 10)

    def spread(self, rows: Sequence[dict[str, Any]], key: str) -> list[float | None]:
        """A value for each slot; a row that is wider (old times are kept coarser) fills all of its slots."""
        values: list[float | None] = [None] * self.slots
        for row in rows:
            first, last = (bisect.bisect_left(self.edges, epoch(row[end]) - 0.5) for end in ("start", "end"))
            for at in range(first, min(max(last, first + 1), self.slots)):
                values[at] = row[key]
        return values

    def columns(self, room: int) -> int:
        """How many columns the slots take: each as many as fit, or several slots one."""
        return self.slots * (room // self.slots) if self.slots <= room else room

    def stretched(self, values: chart.Values, room: int) -> list[float | None]:
        """Values as columns."""
        if self.slots > room:
            return chart.resampled(values, room)
        return [one for one in values for _ in range(room // self.slots)]


def _plot(one: dict[str, Any], covered: Rows, grid: Grid, width: int) -> Iterator[str]:
    values = grid.spread(one["rows"], shown(one)[0])
    columns = chart.columns(grid.stretched(values, grid.room(width)), *grid.ends(one), HEIGHT)
    top, bottom = grid.marks(one)
    yield ""
    yield f"  {click.style(series_name(one), bold=True)}  {summary(one, covered)}"
    for row, text in enumerate(columns):
        mark = top if row == 0 else bottom if row == HEIGHT - 1 else ""
        yield f"{mark:>{grid.margin}} ▏{click.style(text, fg='cyan')}".rstrip()


def shown(one: dict[str, Any]) -> tuple[str, str]:
    """What of a series' rows is drawn, and its unit: of what is counted how often it was, so that wide slots
    and half observed ones stand beside others; of what has a number the middle one.
    """
    if any("p50" in row for row in one["rows"]):
        return "p50", one["unit"]
    return ("per_hour", "/h") if any("count" in row for row in one["rows"]) else ("mean", one["unit"])


def summary(one: dict[str, Any], covered: Rows = ()) -> str:
    """Mean over all that was observed, or how many in all, with what it may be at least and at most."""
    if shown(one)[0] != "mean":
        return _counted(one, covered)
    rows = [row for row in one["rows"] if row["mean"] is not None]
    seconds = sum(row["seconds"] for row in rows)
    if not seconds:
        return "never observed"
    mean = sum(row["mean"] * row["seconds"] for row in rows) / seconds
    least, most = min(row["min"] for row in rows), max(row["max"] for row in rows)
    unit = one["unit"]
    return (
        f"mean {value(mean, unit)}{_around(rows, mean, seconds, unit, covered)}"
        f"  least {value(least, unit)}  most {value(most, unit)}"
    )


def _around(rows: Rows, mean: float, seconds: float, unit: str, covered: Rows) -> str:
    """What the mean may be, if that is not what it is."""
    squares = sum((row["stddev"] ** 2 + row["mean"] ** 2) * row["seconds"] for row in rows) / seconds
    stddev = math.sqrt(max(0.0, squares - mean * mean))
    ends = interval.of_mean(mean, stddev, *_estimated(rows), _frames(rows, covered), seconds, unit)
    if not math.isfinite(ends[0]):
        return " (looked at too rarely to say how sure that is)"
    low, high = (value(interval.possible(one, unit), unit) for one in ends)
    return f" ({low} to {high})" if low != high else ""


def total(one: dict[str, Any], covered: Rows) -> str:
    """How many of what is counted there were in all, and may have been."""
    rows = one["rows"]
    seconds, count = sum(row["seconds"] for row in rows), sum(row["count"] for row in rows)
    low, high = interval.of_count(count, *_estimated(rows), _frames(rows, covered), seconds)
    return f"{count} in all ({low} to {high})" if low < high else f"{count} in all"


def _counted(one: dict[str, Any], covered: Rows) -> str:
    rows, unit = one["rows"], one["unit"]
    seconds, count = sum(row["seconds"] for row in rows), sum(row["count"] for row in rows)
    text = total(one, covered)
    if seconds:
        text += f"  {short(count * 3600 / seconds, 3)} an hour"
    bins = Counter[int]()
    for row in rows:
        bins.update({int(bin): number for bin, number in row.get("bins", {}).items()})
    if bins:
        middle, few, many = (value(amounts.quantile(bins, share), unit) for share in (0.5, 0.1, 0.9))
        text += f"  mean {value(amounts.mean(bins), unit)}  half up to {middle}  (80 %: {few} to {many})"
    return text


def _estimated(rows: Rows) -> tuple[float, float]:
    return sum(row["missed"] for row in rows), sum(row["doubtful"] for row in rows)


def _frames(rows: Rows, covered: Rows) -> float:
    """Frames that the rows were made of."""
    starts = {row["start"] for row in rows}
    return float(sum(row["analysed"] for row in covered if row["start"] in starts))


def seen(rows: Sequence[dict[str, Any]]) -> str:
    """How much of the time a pipeline's numbers were seen, and why not the rest."""
    total = sum(epoch(row["end"]) - epoch(row["start"]) for row in rows)
    sums = {key: sum(row[key] for row in rows) for key in ("observed_s", "blind_s", "paused_s")}
    lived = max(sums["observed_s"] + sums["blind_s"] + sums["paused_s"], 1e-9)
    text = f"{share(sums['observed_s'], lived)} of {duration.text(round(lived))} observed"
    if otherwise := made(rows, max(1.0, total * 0.0005)):
        text += click.style(f", {otherwise}", fg="yellow")
    analysed, expected = sum(row["analysed"] for row in rows), sum(row["expected"] for row in rows)
    return f"{text}; {analysed} of {expected:.0f} frames"


def _unrecorded(rows: Sequence[dict[str, Any]], grid: Grid) -> Iterator[str]:
    """Blank columns are times of which there is nothing, not even that nobody looked."""
    found, slots = grid.spread(rows, "observed_s"), itertools.pairwise(grid.edges)
    missing = sum(end - start for one, (start, end) in zip(found, slots, strict=True) if one is None)
    if missing:
        yield f"  blank: no record of {age(missing)} (edged was not running then)"


def _marks(rows: Sequence[dict[str, Any]], grid: Grid, width: int) -> Iterator[str]:
    """Under the plots: which of the columns were not made as the owner asked."""
    room = grid.room(width)
    lines = {key: grid.stretched(grid.spread(rows, key), room) for key, _ in MARKS}
    columns = zip(*lines.values(), strict=True)
    text = "".join(
        next((mark for (_, mark), amount in zip(MARKS, column, strict=True) if amount), " ")
        for column in columns
    )
    if text.strip():
        told = [f"{mark} {key.removesuffix('_s')}" for key, mark in MARKS if mark in text]
        yield f"{'how':>{grid.margin}} ▏{click.style(text.rstrip(), fg='yellow')}"
        yield click.style(f"{'':{grid.margin}}  {'   '.join(told)}", dim=True)


def share(part: float, whole: float) -> str:
    """Per cent, and never 100 unless it is all."""
    percent = part / whole * 100
    return f"{min(percent, 99.9):.1f} %" if percent < 99.995 else "100 %"


def _axis(grid: Grid, width: int) -> Iterator[str]:
    """The times below the plots: left, middle, right."""
    columns = grid.columns(grid.room(width))
    forms = ((600, "%H:%M:%S"), (90_000, "%H:%M"), (700_000, "%a %H:%M"), (math.inf, "%Y-%m-%d"))
    form = next(form for most, form in forms if grid.edges[-1] - grid.edges[0] <= most)
    left, middle, right = (grid.at(share).strftime(form) for share in (0.0, 0.5, 1.0))
    gap = columns - len(left) - len(middle) - len(right)
    between = (middle, right) if gap >= 4 else ("", right)
    half = (columns - len(left) - len(right) - len(between[0])) // 2
    rest = columns - len(left) - half - len(between[0]) - len(right)
    yield f"{'':{grid.margin}}  {left}{' ' * half}{between[0]}{' ' * rest}{between[1]}"


def period(answer: Answer) -> str:
    """From when to when, in whose time."""
    return f"{words((answer['from'], answer['to']))} ({answer['timezone']})"


def words(ends: Sequence[str]) -> str:
    """Two RFC 3339 times, the second without the date if that is the same; with their offsets where the
    clocks were changed between them.
    """
    start, end = (one[:19].replace("T", " ") for one in ends)
    end = end[11:] if start[:10] == end[:10] else end
    offsets = [one[19:] for one in ends]
    if offsets[0] != offsets[1]:
        start, end = start + offsets[0], end + offsets[1]
    return f"from {start} to {end}"


def zone(answer: Answer) -> datetime.tzinfo | None:
    """Whose days are meant; where this system does not know it by name, the offset at the beginning."""
    try:
        return zoneinfo.ZoneInfo(answer["timezone"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.datetime.fromisoformat(answer["from"]).tzinfo


def epoch(text: str) -> float:
    """Of an RFC 3339 time."""
    return datetime.datetime.fromisoformat(text).timestamp()
