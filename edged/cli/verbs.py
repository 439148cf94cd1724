"""A command of commands, each imported when it is asked for: `edged status` on a Pi must not wait for what
`edged report` needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Verbs(click.Group):
    """``table`` is what the help says of each verb, without importing one; ``room`` the package of their
    modules, in each of which ``command`` is the verb.
    """

    table: ClassVar[Mapping[str, str]]
    room: ClassVar[str]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self.table:
            return None
        command = import_module(f"{self.room}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A slip of the finger is told what was probably meant."""
        if args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(args[0], self.table, 1)
            hint = f"; did you mean `{ctx.command_path} {near[0]}`?" if near else ""
            raise click.UsageError(f'there is no command "{args[0]}"{hint}', ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """For a shell: without importing any."""
        from edged.cli import candidates

        return candidates.verbs(self, self.table, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list below the help text."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))
