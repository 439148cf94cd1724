"""``edged check``"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edged.cli.options import command as make
from edged.cli.options import config_option, config_path, json_option, print_json
from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.config.problem import Problem
    from edged.config.shape import Config, Governor, Pipeline


@make(
    "check",
    ("edged check edged.toml", "exit code 0: good; 2: told what is wrong"),
    ("edged check --json edged.toml", "the same for programs"),
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@json_option
def command(file: Path | None, config_path: Path | None, as_json: bool) -> int:
    """Check a config and tell everything that is wrong with it: file, line, key, what was found and what is
    allowed. Of a good one: what each pipeline does, its ladder, and what the governor will keep to.

    Nothing that it names (a camera, a model, a key) is looked for.
    """
    return check(file or config_path, as_json)


def check(named: Path | None, as_json: bool) -> int:
    """The exit code: 0 or 2."""
    from edged.config.loading import examined

    path = config_path(named)
    try:
        config, problems = examined(path)
    except ConfigError as error:  # a file that is not there or no text: its problems may have no lines
        config, problems = None, tuple(one for one in error.problems if not isinstance(one, str))  # type: ignore[misc]
        if not problems:
            raise
    if as_json:
        print_json(document(path, None if problems else config, problems))
    elif problems:
        _tell(problems)
    else:
        assert config
        _praise(path, config)
    return 2 if problems else 0


def document(path: Path, config: Config | None, problems: Sequence[Problem]) -> dict[str, Any]:
    """For programs. ``config`` None: it has problems, and nobody knows what was meant."""
    return {
        "file": str(path),
        "good": not problems,
        "problems": [_facts(one) for one in problems],
        "governor": governor(config.governor) if config else None,
        "pipelines": [pipeline(*one) for one in config.pipelines.items()] if config else [],
    }


def _facts(one: Problem) -> dict[str, object]:
    return {
        "file": one.file,
        "line": one.line,
        "column": one.column or None,
        "key": one.key,
        "found": one.found,
        "allowed": one.allowed,
        "hint": one.hint,
    }


def _tell(problems: Sequence[Problem]) -> None:
    for one in problems:
        place = click.style(one.place, bold=True)
        click.echo(f"{place}  {click.style(one.key, fg='cyan')}".rstrip())
        click.echo(f"    found    {click.style(one.found, fg='red')}")
        click.echo(f"    allowed  {one.allowed}")
        if one.hint:
            click.echo(f"    hint     {click.style(one.hint, fg='green')}")
    several = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    click.echo(click.style(several, fg="red", bold=True))


def _praise(path: Path, config: Config) -> None:
    click.echo(f"{path}: {click.style('good', fg='green')}")
    width = max(map(len, (*config.pipelines, "governor")))
    for name, one in config.pipelines.items():
        source = type(one.source).__name__.lower()
        state = "" if one.enabled else "  (not enabled)"
        click.echo(f"  {name:{width}}  {source} -> {one.model} -> {', '.join(_kinds(one))}{state}")
        for line in _wrapped(_ladder(one), width) if one.ladder else ():
            click.echo(f"  {'':{width}}  {line}")
    mark = click.style(f"{'governor':{width}}", dim=True)
    first, *further = _wrapped("; ".join(keeps(config.governor)), width)
    click.echo(f"  {mark}  {first}")
    for line in further:
        click.echo(f"  {'':{width}}  {line}")


def _kinds(one: Pipeline) -> list[str]:
    return [kind for kind, _ in itertools.groupby(measure.kind for measure in one.measures)]


def _wrapped(text: str, width: int) -> list[str]:
    from edged.cli.plots import terminal_width

    return textwrap.wrap(text, max(40, terminal_width() - width - 4), break_on_hyphens=False)


def _ladder(one: Pipeline) -> str:
    """What it steps down to, and what of it its owner would keep."""
    from edged.config.shape import recorded

    rate = f"{one.rate:g} fps" if one.rate else "any rate"
    least = f", at least {one.least_rate:g}" if one.least_rate else ""
    rungs = " -> ".join((one.model, *one.ladder))
    if recorded(one.source):
        return f"ladder {rungs}: a recording that is read as fast as it goes keeps its first model"
    kept = "kept: the better model" if one.prefer == "accuracy" else "kept: the rate"
    return f"ladder {rungs}, {rate}{least}; {kept}"


def keeps(wanted: Governor) -> Iterator[str]:
    """What the governor will keep to, as short sentences."""
    if wanted.board != "auto":
        yield f"on the board {wanted.board}, which is not there"
    if not wanted.enabled:
        yield "switched off: heat and weak power are only watched"
        if wanted.watt_hours:
            yield f"{wanted.watt_hours:g} Wh a day are not kept to"
        return
    yield (
        f"stays under {wanted.target:g} °C" if wanted.target else "stays 2 °C below where the board throttles"
    )
    if wanted.quiet:
        yield f"quiet {', '.join(wanted.quiet)}"
    if wanted.watt_hours:
        yield f"{wanted.watt_hours:g} Wh a day"


def governor(wanted: Governor) -> dict[str, Any]:
    """For programs. ``target`` null: two below the board's own limit; ``watt_hours`` null: any number."""
    return {
        "enabled": wanted.enabled,
        "board": wanted.board,
        "target": wanted.target or None,
        "quiet": list(wanted.quiet),
        "watt_hours": wanted.watt_hours or None,
        "battery_reserve": wanted.battery_reserve,
        "battery_comfort": wanted.battery_comfort,
    }


def pipeline(name: str, one: Pipeline) -> dict[str, Any]:
    """For programs. ``ladder`` has all models, dearest first."""
    return {
        "name": name,
        "enabled": one.enabled,
        "source": type(one.source).__name__.lower(),
        "ladder": [one.model, *one.ladder],
        "prefer": one.prefer,
        "rate": one.rate,
        "least_rate": one.least_rate,
        "weight": one.weight,
        "measures": _kinds(one),
    }
