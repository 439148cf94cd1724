"""What several commands share: finding the config, ``--json``, examples below the help."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.config.shape import Config

#: Where a config is looked for when none is named.
PLACES: Final = (Path("edged.toml"), Path("/etc/edged/edged.toml"))

config_option = click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), metavar="FILE", help="The config."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Command(click.Command):
    """A command whose help ends with examples, one a line: (what to type, what for)."""

    def __init__(self, *args: Any, examples: tuple[tuple[str, str], ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(list(self.examples), col_max=48)


def command(name: str, *examples: tuple[str, str]) -> Callable[[Callable[..., Any]], click.Command]:
    """``click.command`` with examples."""
    return click.command(
        name, cls=Command, examples=examples, context_settings={"help_option_names": ["-h", "--help"]}
    )


def config_path(named: Path | None) -> Path:
    """The config that is meant. Raises ``ConfigError`` when there is none."""
    if named:
        return named
    if set_path := os.environ.get("EDGED_CONFIG"):
        return Path(set_path)
    found = next((one for one in PLACES if _is_there(one)), None)
    if not found:
        raise ConfigError(
            f"there is no config: neither {' nor '.join(map(str, PLACES))}, and no $EDGED_CONFIG",
            "name one with --config FILE, or see it work without: edged demo",
        )
    return found


def _is_there(path: Path) -> bool:
    """Whether it is a file; what may not be looked at counts as one, and whoever reads it says why not."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def loaded(named: Path | None) -> Config:
    """The config that is meant, read. Raises ``ConfigError``."""
    from edged.config.loading import load

    return load(config_path(named))


def print_json(facts: object) -> None:
    """For programs: one document, on stdout."""
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False))
