"""``edged zones``: draw zones and lines over the outline of what a pipeline sees."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edged.cli import candidates
from edged.cli.options import command as make
from edged.cli.options import config_option, loaded
from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.cli.zones.plan import Plan
    from edged.cli.zones.sketch import Outline
    from edged.config.shape import Config, Pipeline

EXAMPLE: Final = "edged zones hall --zone 'door 0.1,0.2 0.4,0.2 0.4,0.9 0.1,0.9'"


@make(
    "zones",
    ("sudo edged zones hall", "look, and draw in the terminal"),
    ("sudo edged zones hall --page", "draw with the mouse, in a browser on this machine"),
    (EXAMPLE, "see one more zone"),
)
@click.argument("pipeline", shell_complete=candidates.pipelines)
@config_option
@click.option(
    "--zone", "zones", multiple=True, metavar="'NAME X,Y X,Y X,Y...'", help="Draw this zone as well."
)
@click.option("--line", "lines", multiple=True, metavar="'NAME X,Y X,Y...'", help="Draw this line as well.")
@click.option("--page", is_flag=True, help="Draw in a browser: a page of this command's own, on 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="NUMBER", help="Of --page; 0: any.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 60.0),
    default=3.0,
    show_default=True,
    help="Look for so long; what moves meanwhile is left out.",
)
def command(
    pipeline: str,
    config_path: Path | None,
    zones: tuple[str, ...],
    lines: tuple[str, ...],
    page: bool,
    port: int,
    seconds: float,
) -> None:
    """Draw zones and lines over the outline of what PIPELINE sees, and get their TOML.

    The outline is a sketch of edges, made for this once and kept nowhere; that somebody looked stands in the
    journal. While the daemon runs this is for root, and a camera is lent by its pipeline for some seconds.
    """
    from edged.cli.zones import plan, sketch

    config = loaded(config_path)
    drawn = plan.of(_known(config, pipeline))
    for text in zones:
        drawn = plan.with_zone(drawn, text)
    for text in lines:
        drawn = plan.with_line(drawn, text)
    outline = sketch.looked(config, config_path, pipeline, seconds)
    if page:
        from edged.cli.zones.page import served

        drawn = served(outline, drawn, pipeline, port)
    else:
        show(outline, drawn)
        if sys.stdin.isatty():
            drawn = _asked(outline, drawn)
    for line in toml(drawn, pipeline):
        click.echo(line)


def _known(config: Config, name: str) -> Pipeline:
    from edged.config.problem import likely, listed

    if name not in config.pipelines:
        names = tuple(config.pipelines)
        hint = likely(name, names) or f"there is {listed(names)}"
        raise ConfigError(f'there is no pipeline "{name}" in the config', hint)
    return config.pipelines[name]


def show(outline: Outline, drawn: Plan) -> None:
    """The outline with everything drawn on it, and which way is which."""
    from edged.cli.plots import terminal_width
    from edged.cli.zones.drawing import legend, picture

    for line in (*picture(outline, drawn, terminal_width()), *legend(drawn)):
        click.echo(line)


def _asked(outline: Outline, drawn: Plan) -> Plan:
    """What its owner types, until they are done."""
    from edged.cli.plots import terminal_width
    from edged.cli.zones import plan

    click.echo("zone NAME X,Y X,Y X,Y...   line NAME X,Y X,Y...   drop NAME   done")
    while words := click.prompt(">", default="", show_default=False, prompt_suffix=" ").strip():
        verb, _, rest = words.partition(" ")
        if verb == "done":
            break
        try:
            drawn = plan.changed(drawn, verb, rest)
        except ConfigError as error:
            told = textwrap.wrap(f"{error.message}: {error.hint}", terminal_width(), break_on_hyphens=False)
            click.secho("\n".join(told), fg="red")
            continue
        show(outline, drawn)
    return drawn


def toml(drawn: Plan, pipeline: str) -> Iterator[str]:
    """What belongs into the config, instead of the zones and lines that are there."""
    from edged.cli.zones.plan import toml as written

    if text := written(drawn, pipeline):
        yield f"\n# instead of the zones and lines of {pipeline} that the config has\n{text}"
