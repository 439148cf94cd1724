"""``edged keys``"""

from __future__ import annotations

from pathlib import Path

import click

from edged.cli.options import command as make
from edged.cli.options import config_option, loaded


@click.group("keys", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Make the key that encrypts the store.

    The key is 256 random bits in a file that only its owner can read (mode 0400). Without it the store is
    noise: keep a copy where the store is not.
    """


@make(
    "init",
    ("edged keys init", "where the config says"),
    ("sudo -u edged edged keys init", "for the service, whose user must own it"),
    ("edged keys init /media/usb/key", "on another medium; set key_file in [store]"),
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
def init(file: Path | None, config_path: Path | None) -> None:
    """Make a new key in FILE (default: where the config says). Never overwrites one."""
    from edged.store import keys

    path = file or Path(loaded(config_path).store.key_file)
    keys.create(path)
    click.echo(f"{path}: a new key, readable by its owner only. Keep a copy where the store is not.")


command.add_command(init)
