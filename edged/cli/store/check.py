"""``edged store check``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.keys.common import found_config
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json
from edged.cli.store.common import file_argument, meant, worked
from edged.cli.words import size

if TYPE_CHECKING:
    from edged.store.examination import Examined

DAMAGED: Final = 5  # as of every error of the store
SHOWN: Final = 10  # pages named


@make(
    "check",
    ("sudo edged store check", "the installed service's, which must be stopped"),
    ("sudo edged store check /var/lib/edged/edged.db.damaged-1", "one that was put aside"),
    ("edged store check --json | jq .whole", "for programs"),
)
@file_argument
@config_option
@json_option
def command(file: Path | None, config_path: Path | None, as_json: bool) -> int:
    """Look at every page of a store, and at its tables. Changes nothing.

    FILE is the config's store if none is named. No daemon may write it meanwhile; of a store in use `edged
    doctor store` tells most of it. Exit status: 0 all is whole, 5 damaged, or it cannot be read.
    """
    facts = collected(config_path, file)
    if as_json:
        print_json(facts)
    else:
        tell(facts)
    return 0 if facts["whole"] else DAMAGED


def collected(config_path: Path | None, file: Path | None) -> dict[str, Any]:
    """What was found."""
    from edged.store.examination import examined

    config, _ = found_config(config_path)
    path = meant(config, file)
    return worked(config, path, "the check", lambda key, told: _facts(examined(path, key, told)))


def _facts(found: Examined) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "bytes": found.bytes,
        "pages": found.pages,
        "whole": found.whole,
        "damaged_pages": list(found.damaged),
        "dropped_commits": found.dropped,
        "wrong": list(found.wrong),
        "rows": found.rows,
    }


def tell(facts: dict[str, Any]) -> None:
    """For people."""
    click.echo(f"{facts['file']}: {size(facts['bytes'])}, {facts['pages']} pages")
    if facts["whole"]:
        counts = ", ".join(f"{many} {name}" for name, many in facts["rows"].items() if many)
        click.echo(f"  every page verifies and every table is whole: {counts or 'no rows yet'}")
        return
    if damaged := facts["damaged_pages"]:
        more = f" and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        click.echo(f"  {len(damaged)} damaged: page {', '.join(map(str, damaged[:SHOWN]))}{more}")
    if facts["dropped_commits"]:
        click.echo(f"  its write-ahead log is damaged before its last {facts['dropped_commits']} commits")
    for one in facts["wrong"]:
        click.echo(f"  {one}")
    click.echo(f"edged store salvage {facts['file']} saves what is whole; this file stays as it is")
