"""``edged check``"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edged.cli.options import command as make
from edged.cli.options import config_option, config_path, json_option, print_json
from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.config.problem import Problem
    from edged.config.shape import Config


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
    allowed.

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
        print_json({"file": str(path), "good": not problems, "problems": [_facts(one) for one in problems]})
    elif problems:
        _tell(problems)
    else:
        assert config
        _praise(path, config)
    return 2 if problems else 0


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
    width = max(map(len, config.pipelines))
    for name, one in config.pipelines.items():
        kinds = ", ".join(kind for kind, _ in itertools.groupby(measure.kind for measure in one.measures))
        source = type(one.source).__name__.lower()
        state = "" if one.enabled else "  (not enabled)"
        click.echo(f"  {name:{width}}  {source} -> {one.model} -> {kinds}{state}")
