"""``edged keys``: one module for each thing to be done with the key."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: What ``edged keys --help`` says, without importing a single one.
VERBS: Final = {
    "init": "Make a new key",
    "status": "Where the key is, what protects it, whether a rotation is under way",
    "rotate": "Give the store a new key",
    "export": "Write an escrow copy of the key, encrypted for somebody",
    "restore": "Bring a key back from its copy",
}


class Verbs(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of ``VERBS``."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"edged.cli.keys.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """For a shell: without importing any."""
        from edged.cli import candidates

        return candidates.verbs(self, VERBS, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list below the help text."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group("keys", cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The key that encrypts the store.

    256 random bits. For the installed service systemd seals it to this machine, with its TPM if it has one;
    elsewhere it is a file that only its owner can read. Without it the store is noise: keep an escrow copy
    where the store is not (edged keys export).
    """
