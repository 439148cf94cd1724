"""``edged keys export``"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edged.cli.keys.common import found_config
from edged.cli.options import command as make
from edged.cli.options import config_option
from edged.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from edged.config.shape import Config


@make(
    "export",
    ("sudo edged keys export --to-recipient age1... -o key.age", "a copy that only that recipient can open"),
    ('sudo edged keys export --to-recipient "$(cat id_ed25519.pub)"', "for an SSH key"),
    ("age-keygen -o escrow.txt", "on another computer: prints the recipient, keeps the identity"),
)
@click.option(
    "--to-recipient",
    "recipients",
    multiple=True,
    required=True,
    metavar="RECIPIENT",
    help="age1... or an SSH public key (ed25519, RSA); may be repeated: each of them can open it.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A new file; by default it is printed.",
)
@config_option
def command(recipients: tuple[str, ...], output: Path | None, config_path: Path | None) -> None:
    """Write an escrow copy of the key, encrypted with age for one or several recipients.

    With it, and the recipient's identity, the store can be read on any machine: it is what is left when the
    board dies. Keep it where the store is not. After a rotation it opens only the store of before.
    """
    config, service = found_config(config_path)
    parsed = [recipient(one) for one in recipients]
    copy, fingerprint = encrypted(config, parsed)
    if output is None:
        sys.stdout.buffer.write(copy)
    else:
        save(output, copy)
    if service:
        from edged.journal import entered

        entered("key-exported", f"the key with the fingerprint {fingerprint}")
    where = f"{output}: an" if output else "an"
    click.echo(
        f"{where} escrow copy of the key with the fingerprint {fingerprint}, for {len(parsed)} "
        f"recipient{'s' * (len(parsed) > 1)}",
        err=True,
    )
    click.echo(
        "  try it where the identity is: edged keys restore --check FILE --identity IDENTITY", err=True
    )


def recipient(text: str) -> Any:
    """age's own or an SSH public key. Raises ``ConfigError``."""
    import pyrage

    text = text.strip()
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        shown = text if len(text) < 80 else f"{text[:77]}..."
        if text.upper().startswith("AGE-SECRET-KEY-"):
            shown = "what was given is an identity, a secret: it"  # and is not repeated
        raise ConfigError(
            f"{shown} is no recipient", "age1... (age-keygen prints it), or a line of an SSH .pub file"
        ) from None


def encrypted(config: Config, recipients: list[Any]) -> tuple[bytes, str]:
    """The copy, and the key's fingerprint. Of two keys, the one that the store is under now."""
    import pyrage

    from edged.store import keys, places, rotation, secret

    with places.in_force(config).ring() as ring:
        which = rotation.fitting(Path(config.store.file), ring)
        text = secret.digits(ring[which])
        try:
            return pyrage.encrypt(bytes(text), recipients, armored=True), keys.fingerprint(ring[which])
        finally:
            secret.wipe(text)


def save(path: Path, copy: bytes) -> None:
    """A new file, readable by its owner only, on the disk when this returns. Raises ``StoreError``."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(copy)
            file.flush()
            os.fsync(made)
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}", "name a new file with -o") from None
