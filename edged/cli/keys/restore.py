"""``edged keys restore``"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.keys.common import found_config, say_made
from edged.cli.options import command as make
from edged.cli.options import config_option
from edged.errors import KeyRefusedError, WrongKeyError

if TYPE_CHECKING:
    from edged.config.shape import Config

ARMOUR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
BINARY: Final = b"age-encryption.org/"
LARGEST: Final = 64 * 1024  # bytes of a copy; a real one has under 1 KiB


@make(
    "restore",
    ("age -d -i escrow.txt key.age | ssh board sudo edged keys restore", "the identity stays where it is"),
    ("sudo edged keys restore key.age --identity escrow.txt", "where the identity may come to the board"),
    ("edged keys restore --check key.age --identity escrow.txt", "try an escrow copy; nothing is changed"),
    ("sudo edged keys restore --credential /var/lib/edged/key", "seal a key that was in a file"),
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@config_option
@click.option(
    "--identity",
    "identities",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An age identity or an SSH private key that opens the copy; may be repeated.",
)
@click.option("--credential", is_flag=True, help="Seal it to this machine, whichever config it is.")
@click.option("--check", is_flag=True, help="Only tell its fingerprint and whether it opens the store here.")
def command(
    file: Path, config_path: Path | None, identities: tuple[Path, ...], credential: bool, check: bool
) -> None:
    """Bring a key back from FILE, by default from standard input: 64 hexadecimal digits, or an escrow copy
    and the identity that opens it.

    It goes where a new key would go (edged keys init). Never overwrites a key; where there is a store, it
    must open it.
    """
    from edged.store import keys, places, secret

    key = taken(file, identities)
    try:
        if check:
            tell(key, config_path)
            return
        config, service = found_config(config_path)
        place = places.wanted(config, service, credential)
        if place.exists() or (others(config, place) and not same_file(file, config)):
            raise already(place.where if place.exists() else Path(config.store.key_file))
        if opens(config, key) is False:
            raise WrongKeyError(
                f"this key does not open {config.store.file}",
                "is it of another board, or of before a rotation? nothing was changed",
            )
        say_made(place, place.make(key), f"the key with the fingerprint {keys.fingerprint(key)}")
        if place.kind == "sealed" and same_file(file, config):
            click.echo(
                f"now remove the file: shred -u {file}; until then there are two keys, and rotate refuses"
            )
    finally:
        secret.wipe(key)


def others(config: Config, place: Any) -> list[Any]:
    """Keys in other places than ``place``."""
    from edged.store import places

    return [one for one in places.found(config, place) if one is not place]


def same_file(file: Path, config: Config) -> bool:
    """Whether the key that is brought is the key file itself, to be sealed."""
    return str(file) != "-" and file.exists() and file.resolve() == Path(config.store.key_file).resolve()


def already(path: Path) -> KeyRefusedError:
    """What to do about a key that is there."""
    return KeyRefusedError(
        f"{path} is there already and is not overwritten",
        f"if it opens nothing any more (edged keys status tells): mv {path} /root/key-of-before",
    )


def tell(key: bytearray, config_path: Path | None) -> None:
    """The fingerprint, and whether it opens what is here."""
    from edged.errors import ConfigError
    from edged.store import keys

    click.echo(f"fingerprint  {keys.fingerprint(key)}")
    try:
        config, _ = found_config(config_path)
    except ConfigError:
        if config_path is not None:
            raise
        return
    words = {
        None: "not there, or not to be read by this user",
        True: "opens with it",
        False: "does not open with it",
    }
    found = opens(config, key)
    click.echo(f"store        {config.store.file}: {words[found]}")
    if found is False:
        raise WrongKeyError("this key does not open the store that is here", "a copy of before a rotation?")


def opens(config: Config, key: bytearray) -> bool | None:
    """Whether the key is the store's; None where there is no store to try it on."""
    from edged.store import rotation

    path = Path(config.store.file)
    try:
        if not path.exists() or not path.stat().st_size:
            return None
        return rotation.opens(path, key)
    except PermissionError:
        return None


def taken(file: Path, identities: tuple[Path, ...]) -> bytearray:
    """The key out of what was given. Raises ``KeyRefusedError``, which repeats nothing of it."""
    from edged.store import keys

    content = given(file)
    name = "standard input" if str(file) == "-" else str(file)
    if content.startswith((ARMOUR, BINARY)):
        content = decrypted(bytes(content), identities, name)
    elif identities:
        raise KeyRefusedError(
            f"{name} is not encrypted with age", "leave --identity out, or give the escrow copy"
        )
    return keys.parsed(content, name)


def given(file: Path) -> bytearray:
    """What is in the file, or what comes on standard input."""
    from edged.store import secret

    if str(file) == "-" and sys.stdin.isatty():
        click.echo("the key's 64 digits, then Ctrl-D (they will be seen):", err=True)
    try:
        opened = 0 if str(file) == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return secret.read(opened, LARGEST)
        finally:
            if opened:
                os.close(opened)
    except OSError as error:
        raise KeyRefusedError(
            f"{file} cannot be read: {error.strerror}", "name the copy, or pipe it in"
        ) from None


def decrypted(copy: bytes, identities: tuple[Path, ...], name: str) -> bytearray:
    """The escrow copy's content. Raises ``KeyRefusedError``."""
    import pyrage

    if not identities:
        raise KeyRefusedError(
            f"{name} is an encrypted escrow copy",
            "open it with --identity FILE, or with age -d and pipe it in",
        )
    found = [one for path in identities for one in identity(path)]
    try:
        return bytearray(pyrage.decrypt(copy, found))
    except pyrage.DecryptError:
        raise KeyRefusedError(
            f"{name} cannot be opened with {'these identities' if len(identities) > 1 else identities[0]}",
            "it was made for another recipient, or it was changed",
        ) from None


def identity(path: Path) -> list[Any]:
    """All identities in an age identity file, or the one SSH key. Raises ``KeyRefusedError``."""
    import pyrage

    try:
        content = path.read_bytes()[:LARGEST]
        if content.startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = [one.strip() for one in content.decode("ascii").splitlines()]
        found = [pyrage.x25519.Identity.from_str(one) for one in lines if one and not one.startswith("#")]
        if found:
            return found
    except OSError as error:
        raise KeyRefusedError(
            f"{path} cannot be read: {error.strerror}", "name the identity's file"
        ) from None
    except (UnicodeDecodeError, pyrage.IdentityError):
        pass
    raise KeyRefusedError(
        f"{path} holds no identity", "age-keygen's file (AGE-SECRET-KEY-1...), or an SSH private key"
    )
