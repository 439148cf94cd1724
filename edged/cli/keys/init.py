"""``edged keys init``"""

from __future__ import annotations

from pathlib import Path

import click

from edged.cli.keys.common import found_config, say_made
from edged.cli.options import command as make
from edged.cli.options import config_option


@make(
    "init",
    ("edged keys init", "where the config says"),
    ("sudo edged keys init --if-absent", "for the service, sealed to this machine; for scripts"),
    ("edged keys init /media/usb/key", "a file on another medium; set key_file in [store]"),
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@click.option("--credential", is_flag=True, help="Seal it to this machine, whichever config it is.")
@click.option("--if-absent", is_flag=True, help="If there is a key already, say so and be content.")
def command(file: Path | None, config_path: Path | None, credential: bool, if_absent: bool) -> None:
    """Make a new key: in FILE; for the installed service sealed to this machine; else where the config
    says.

    Sealed means that systemd encrypts it with this machine's host key, and with its TPM 2 if it has one,
    and gives it to the service alone. Never overwrites a key.
    """
    from edged.store import places

    if file and credential:
        raise click.UsageError("FILE and --credential: a key is in a file or sealed, not both")
    if file:
        place: places.Place = places.FilePlace(file)
        found: list[places.Place] = [place] if place.exists() else []
    else:
        config, service = found_config(config_path)
        place = places.wanted(config, service, credential)
        found = places.found(config, place)
    if if_absent and found:
        click.echo(f"{found[0].where}: there is a key already; nothing was changed")
        return
    if found and found[0] is not place:
        raise places.refusal(found[0].where)
    say_made(place, place.make(), "a new key")
