"""``edged completion``"""

from __future__ import annotations

import click

from edged.cli.options import command as make


@make(
    "completion",
    ("edged completion bash > ~/.local/share/bash-completion/completions/edged", "bash"),
    ("edged completion zsh > ~/.zfunc/_edged", "zsh, with ~/.zfunc in fpath"),
    ("edged completion fish > ~/.config/fish/completions/edged.fish", "fish"),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from edged.cli import cli

    kind = get_completion_class(shell)
    assert kind
    # Not kind.source(): for bash that would start one to ask for its version.
    maker = kind(cli, {}, "edged", "_EDGED_COMPLETE")
    click.echo(maker.source_template % maker.source_vars())
