"""``edged keys``: one module for each thing to be done with the key."""

from __future__ import annotations

from typing import Final

import click

from edged.cli.verbs import Verbs

#: What ``edged keys --help`` says, without importing a single one.
VERBS: Final = {
    "init": "Make a new key",
    "status": "Where the key is, what protects it, whether a rotation is under way",
    "rotate": "Give the store a new key",
    "export": "Write an escrow copy of the key, encrypted for somebody",
    "restore": "Bring a key back from its copy",
}


class Commands(Verbs):
    """``edged keys``' own."""

    table, room = VERBS, "edged.cli.keys"


@click.group("keys", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The key that encrypts the store.

    256 random bits. For the installed service systemd seals it to this machine, with its TPM if it has one;
    elsewhere it is a file that only its owner can read. Without it the store is noise: keep an escrow copy
    where the store is not (edged keys export).
    """
