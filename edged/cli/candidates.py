"""What could be typed next, for the shells' completion. Each Tab waits for it, so nothing is imported that
names can be read without.

A name that cannot be found out (no config, one that may not be read, one that is no TOML) is no name: a
shell has no place for a complaint.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edged.cli.options import config_path
from edged.errors import EdgedError

BUILT_IN = "builtin:activity"


def verbs(
    group: click.Group, table: Mapping[str, str], ctx: click.Context, incomplete: str
) -> list[CompletionItem[str]]:
    """Commands with their texts, none of them imported, and the group's own options."""
    fitting = [CompletionItem(name, help=text) for name, text in table.items() if name.startswith(incomplete)]
    return fitting + click.Command.shell_complete(group, ctx, incomplete)


def pipelines(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Pipelines of the config that is meant."""
    return _fitting(_pipelines(ctx), incomplete)


def feeds(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those of them that are fed."""
    return _fitting(fed(_document(ctx)), incomplete)


def channels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What the chosen one's numbers are called, but for those that were given already."""
    known = fed(_document(ctx)).get(str(ctx.params.get("pipeline")), ())
    given = {one.partition("=")[0] for one in ctx.params.get("values") or ()}
    return [f"{one}=" for one in known if one not in given and f"{one}=".startswith(incomplete)]


def fed(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Pipelines of a config whose source is a feed, with the names of its channels in order."""
    pipelines = document.get("pipelines")
    found = {}
    for name, one in pipelines.items() if isinstance(pipelines, dict) else ():
        source = one.get("source") if isinstance(one, dict) else None
        if isinstance(source, dict) and source.get("kind") == "feed":
            found[name] = tuple(_several(source.get("channels")))
    return found


def measures(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Kinds of measures in it, of the pipelines that are chosen already."""
    return _fitting((one.get("kind", "") for one in _measures(ctx)), incomplete)


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Labels in it, likewise."""
    return _fitting((label for one in _measures(ctx) for label in _several(one.get("labels"))), incomplete)


def zones(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Zones and lines in it, the ways over each line, and those from zone to zone, likewise."""
    return _fitting((name for one in _pipelines(ctx).values() for name in _places(one)), incomplete)


def _places(pipeline: Mapping[str, Any]) -> Iterator[str]:
    """All that ``--zone`` may name of a pipeline."""
    zones = _several(pipeline.get("zones"))
    yield from zones
    lines = pipeline.get("lines")
    for name, line in lines.items() if isinstance(lines, dict) else ():
        yield name
        ways = line if isinstance(line, dict) else {}
        yield from (f"{name}:{ways.get(key, word)}" for key, word in (("forward", "in"), ("backward", "out")))
    for measure in _several(pipeline.get("measures")):
        if isinstance(measure, dict) and measure.get("kind") == "flow":
            between = _several(measure.get("zones") or zones)
            yield from (f"{first}>{second}" for first, second in permutations(between, 2))


def catalogue(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The catalogue's models."""
    file = Path(__file__).parents[1] / "models" / "catalogue.toml"
    return _fitting(_read(file), incomplete)


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The model that is built in, or a file."""
    if incomplete and BUILT_IN.startswith(incomplete):
        return [CompletionItem(BUILT_IN)]
    return [CompletionItem(incomplete, type="file")]


def _fitting(names: Any, incomplete: str) -> list[str]:
    return sorted({one for one in names if isinstance(one, str) and one and one.startswith(incomplete)})


def _document(ctx: click.Context) -> dict[str, Any]:
    try:
        return _read(config_path(ctx.params.get("config_path")))
    except EdgedError:
        return {}


def _pipelines(ctx: click.Context) -> dict[str, dict[str, Any]]:
    chosen = ctx.params.get("pipelines") or ()
    every = _document(ctx).get("pipelines", {})
    if not isinstance(every, dict):
        return {}
    known = {name: one for name, one in every.items() if isinstance(one, dict)}
    return {name: one for name, one in known.items() if name in chosen} or known


def _measures(ctx: click.Context) -> Iterator[dict[str, Any]]:
    for one in _pipelines(ctx).values():
        found = _several(one.get("measures", [{"kind": "presence"}]))
        yield from (each for each in found if isinstance(each, dict))


def _several(value: Any) -> Iterable[Any]:
    """What is in a table or an array; nothing is in anything else that a config may wrongly hold."""
    return value if isinstance(value, dict | list) else ()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
