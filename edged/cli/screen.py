"""The picture that ``top`` and ``demo`` draw: a header, and for each pipeline its state and a line per
series.
"""

from __future__ import annotations

import math
import os
from collections import deque
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from edged.cli import chart
from edged.cli.status import (
    blind,
    board,
    config,
    config_troubles,
    course,
    engine,
    held_back,
    load,
    now,
    paces,
)
from edged.cli.words import age, made, series_name, size

MEMORY: Final = 900  # seconds of history
SPAN: Final = 120  # seconds that a line of history shows at least, or as many as it has room for
STYLES: Final = {
    "running": "green",
    "starting": "cyan",
    "ended": "cyan",
    "paused": "yellow",
    "backoff": "yellow",
    "lost": "yellow",
    "refused": "red",
}


def console() -> Console:
    """rich honours NO_COLOR and a dumb terminal by itself. A label such as ``bird [song]`` is no markup."""
    no_color = bool(os.environ.get("NO_COLOR")) or None
    return Console(highlight=False, markup=False, emoji=False, no_color=no_color)


class Screen:
    """Remembers a while of every series."""

    def __init__(self, span: int = SPAN) -> None:
        self._span = span
        self._facts: dict[str, Any] | None = None
        self._trouble = ""
        self._added = 0
        self._history: dict[tuple[str, ...], deque[tuple[int, float | None]]] = {}

    def add(self, facts: dict[str, Any]) -> None:
        """What the daemon says now; once a second."""
        self._facts, self._trouble = facts, ""
        self._added += 1
        for pipeline in facts["pipelines"]:
            fresh = pipeline["state"] == "running"
            for one in pipeline["series"]:
                history = self._history.setdefault(_key(pipeline, one), deque(maxlen=MEMORY))
                history.append((self._added, one["now"] if fresh else None))

    def lost(self, trouble: str) -> None:
        """Nobody answers."""
        self._trouble = trouble

    def drawn(self, width: int, height: int | None) -> RenderableType:
        """The picture for a terminal of that size; ``height`` None is as high as it gets."""
        if self._facts is None:
            return Text(self._trouble or "waiting for the daemon", style="yellow")
        parts: list[RenderableType] = [self._header(self._facts), *self._config(self._facts)]
        for pipeline in self._facts["pipelines"]:
            parts += [Text(), _title(pipeline), *_remarks(pipeline), self._series(pipeline, width)]
        if height is None:
            return Group(*parts)
        return _Cut(Group(*parts), height, Text(" q quits", style="dim"))

    def _header(self, facts: dict[str, Any]) -> Text:
        if self._trouble:
            return Text(f"{self._trouble}; trying again", style="bold red", no_wrap=True, overflow="ellipsis")
        good, store = facts["clock"]["good"], facts["store"]
        last = store["last_commit_age_s"]
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"edged {facts['version']}", "bold")
        text.append(f"  up {age(facts['uptime_s'])}  ")
        text.append(*(("ready", "green") if facts["ready"] else ("not ready yet", "yellow")))
        text.append("  clock ")
        text.append("right" if good else "not right yet", "green" if good else "yellow")
        text.append(f"  store {size(store['bytes'])}, ")
        text.append("not written yet" if last is None else f"written {age(last)} ago")
        return text

    def _config(self, facts: dict[str, Any]) -> list[Text]:
        """Which is in force, and what of its file is not."""
        lines = [Text(f"config {config(facts['config'])}", "dim", no_wrap=True, overflow="ellipsis")]
        if told := ", ".join(board(facts["board"])):
            lines.append(Text(f"board  {told}", no_wrap=True, overflow="ellipsis"))
        if told := ", ".join(load(facts)):
            lines.append(Text(f"load   {told}", no_wrap=True, overflow="ellipsis"))
        if why := held_back(facts):
            lines.append(Text(f"held back: {why}", "yellow", no_wrap=True, overflow="ellipsis"))
        return lines + [
            Text(f"{key}: {text}", "yellow", no_wrap=True, overflow="ellipsis")
            for key, text in config_troubles(facts["config"])
        ]

    def _series(self, pipeline: dict[str, Any], width: int) -> Table:
        names = [series_name(one) for one in pipeline["series"]]
        name_width = min(max(map(len, names), default=0), width // 3)
        table = Table.grid(padding=(0, 1), pad_edge=False)
        table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
        table.add_column(width=8, justify="right", no_wrap=True)
        table.add_column(no_wrap=True, style="cyan")
        room = max(width - name_width - 14, 1)
        for name, one in zip(names, pipeline["series"], strict=True):
            line = self.history(_key(pipeline, one), one["unit"], room)
            line = line if one.get("today") is None else "today"
            table.add_row(Text(name), Text(now(one), "bold"), Text(line))
        return table

    def history(self, key: tuple[str, ...], unit: str, room: int) -> str:
        """The last while as block characters, the newest at the right end of what there is."""
        span = max(self._span, room)
        recent = list(self._history[key])[-span:]
        low, high = chart.scale([one for _, one in recent], unit)
        # A second belongs to the same column for ever, so that old columns stand still while they move on.
        groups: dict[int, list[float | None]] = {}
        for number, one in recent:
            groups.setdefault(number // math.ceil(span / room), []).append(one)
        means = [chart.resampled(group, 1)[0] for group in groups.values()]
        return chart.spark(means[-room:], low, high)


class _Cut:
    """Something drawn no higher than the terminal, with a last line of its own."""

    def __init__(self, inner: RenderableType, height: int, last: Text) -> None:
        self._inner, self._height, self._last = inner, height, last

    def __rich_console__(self, console: Console, options: Any) -> Any:
        from rich.segment import Segment, Segments

        lines = console.render_lines(self._inner, options.update(height=None), pad=False)
        room = max(self._height - 1, 1)
        for line in lines[:room]:
            yield Segments([*line, Segment.line()])
        yield from (Segment.line() for _ in range(room - len(lines)))
        hidden = f"  {len(lines) - room} lines below do not fit" if len(lines) > room else ""
        yield Text.assemble(self._last, (hidden, "yellow"), end="")


def _key(pipeline: dict[str, Any], one: dict[str, Any]) -> tuple[str, ...]:
    return pipeline["name"], one["measure"], one["label"], one["zone"]


def _title(one: dict[str, Any]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(one["name"], "bold")
    text.append(f"  {one['state']}", STYLES.get(one["state"], ""))
    text.append(f"  {one['source']} -> {one['model']}{engine(one)}", "dim")
    for pace in paces(one):
        text.append(f"  {pace}")
    return text


def _remarks(one: dict[str, Any]) -> list[Text]:
    remarks = [
        one["why"],
        blind(one),
        course(one["course"]),
        f"on the CPU: {one['cpu_because']}" if one["cpu_because"] else "",
        f"since it began: {since}" if (since := made([one["made"]])) else "",
    ]
    return [Text(remark, "yellow", no_wrap=True, overflow="ellipsis") for remark in remarks if remark]
