"""``edged store``: one module for each thing to be done with the store's file."""

from __future__ import annotations

from typing import Final

import click

from edged.cli.verbs import Verbs

#: What ``edged store --help`` says, without importing a single one.
VERBS: Final = {
    "check": "Look at every page of the store",
    "salvage": "Save what is whole of a damaged store into a new file",
}


class Commands(Verbs):
    """``edged store``'s own."""

    table, room = VERBS, "edged.cli.store"


@click.group("store", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The store's file: look for damage, save what is whole.

    A damaged store is put aside when edged starts, as edged.db.damaged-1 beside the new one, and an event
    says so. Each page has a code of its own that tells whether it is as it was written, so what lies around
    the damage is as good as ever.
    """
