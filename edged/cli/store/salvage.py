"""``edged store salvage``"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.keys.common import found_config
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json
from edged.cli.store.common import file_argument, meant, worked

if TYPE_CHECKING:
    from edged.store.salvage import Report, Saved

SHOWN: Final = 2  # stretches of time named on a terminal; --json has all


@make(
    "salvage",
    ("sudo edged store salvage /var/lib/edged/edged.db.damaged-1", "one that was put aside"),
    ("edged store salvage edged.db --output saved.db", "into a file of your choice"),
    ("edged store salvage --json edged.db | jq .tables.hour", "for programs"),
)
@file_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="NEW",
    help="A new file; by default FILE.salvaged, beside it.",
)
@config_option
@json_option
def command(file: Path | None, output: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Save what is whole of a damaged store into a new one, under the same key.

    FILE (the config's store if none is named) is only read. Rows are taken from every page that verifies,
    also where nothing leads to it any more. Prints how many rows of each table were saved, and about how
    many were lost. Needs as much room as the store has whole rows. It may be cut off at any moment and run
    again.
    """
    facts = done(config_path, file, output)
    if as_json:
        print_json(facts)
    else:
        tell(facts)


def done(config_path: Path | None, file: Path | None, output: Path | None) -> dict[str, Any]:
    """Do it; what became of it."""
    from edged.clock import zone
    from edged.store.salvage import salvage

    config, _ = found_config(config_path)
    path = meant(config, file)
    into, days = output or path.with_name(path.name + ".salvaged"), zone(config.clock.timezone)
    return worked(config, path, "the rescue", lambda key, told: _facts(salvage(path, key, into, told, days)))


def _facts(report: Report) -> dict[str, Any]:
    return {
        "file": str(report.source),
        "saved_in": str(report.into),
        "pages": report.pages,
        "damaged_pages": report.damaged,
        "tables": {name: _table(one) for name, one in report.tables.items()},
    }


def _table(one: Saved) -> dict[str, Any]:
    from edged.store.schema import LAST

    spans = [[low or None, None if high == LAST else high] for low, high in one.spans]
    return {"saved": one.rows, "lost_about": one.lost, "lost_between": spans}


def tell(facts: dict[str, Any]) -> None:
    """For people."""
    click.echo(f"{facts['file']}: {facts['damaged_pages']} of {facts['pages']} pages are damaged")
    click.echo(f"{'':10}{'saved':>9}  lost, about")
    for name, one in facts["tables"].items():
        between = one["lost_between"] if one["lost_about"] else []
        spans = "; ".join(_span(*span) for span in between[:SHOWN])
        spans += f"; and {len(between) - SHOWN} more" if len(between) > SHOWN else ""
        click.echo(f"{name:10}{one['saved']:9}  {one['lost_about'] or '-'}")
        if spans:
            click.echo(f"{'':21}{spans}")
    click.echo(f"it is in {facts['saved_in']}, under the same key; {facts['file']} is as it was")
    click.echo("  to go on with it: stop edged, move edged.db away, give this one its name, start edged")


def _span(low: int | None, high: int | None) -> str:
    return f"{_time(low, 'the beginning')} to {_time(high, 'the end')}"


def _time(moment: int | None, otherwise: str) -> str:
    if moment is None:
        return otherwise
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%d %H:%MZ")
