"""``edged keys status``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edged.cli.keys.common import daemon_status, found_config
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.store.keys import Keyring


@make(
    "status",
    ("sudo edged keys status", "of the installed service"),
    ("edged keys status --json | jq -r .fingerprint", "to compare with an escrow copy's"),
)
@config_option
@json_option
def command(config_path: Path | None, as_json: bool) -> None:
    """Where the key is, what protects it, whether a rotation is under way. Tells nothing of the key itself.

    The fingerprint is eight digits of a one-way digest: equal for copies of one key, and of no use to
    whoever wants to guess it. `edged keys restore --check` shows a copy's.
    """
    config, _ = found_config(config_path)
    facts = collected(config)
    if as_json:
        print_json(facts)
        return
    click.echo(f"key          {facts['where']}")
    click.echo(f"protected by {facts['protected_by']}")
    click.echo(f"fingerprint  {facts['fingerprint']}")
    click.echo(f"store        {facts['store']}: {facts['store_says']}")
    click.echo(f"rotation     {words(facts)}")


def words(facts: dict[str, Any]) -> str:
    """Where a rotation stands."""
    if not facts["rotation"]:
        return "none under way"
    rest = "`edged keys rotate` goes on with it"
    if facts["rotation"] == "begun":
        return (
            f"begun, to the key {facts['next_fingerprint']}; {rest}, and so does the next start of the daemon"
        )
    if facts["rotation"] == "written":
        return f"the store is under the key {facts['next_fingerprint']} already; {rest}"
    return f"done, but for tidying up; {rest}"


def collected(config: Config) -> dict[str, Any]:
    """The facts."""
    from edged.store import keys, places
    from edged.store.keys import NEXT

    place = places.in_force(config)
    with place.ring() as ring:
        fits, says = fit(Path(config.store.file), ring)
        rotation = ""
        if place.exists(NEXT):
            rotation = ("written" if fits == NEXT else "begun") if ring.rotating else "tidying"
        running = daemon_status(config)
        return {
            "where": str(place.where),
            "kind": place.kind,
            "protected_by": place.protected_by(),
            "fingerprint": keys.fingerprint(ring.key),
            "next_fingerprint": keys.fingerprint(ring[NEXT]) if ring.rotating else "",
            "store": config.store.file,
            "store_under": fits,
            "store_says": says,
            "rotation": rotation,
            "daemon_runs": running is not None,
        }


def fit(path: Path, ring: Keyring) -> tuple[str, str]:
    """(which key opens the store, in words); "" for neither, and for a store that is not there."""
    from edged.errors import StoreError
    from edged.store import rotation

    if not path.exists() or not path.stat().st_size:
        return "", "not there yet"
    which = rotation.fitting(path, ring)
    try:
        rotation.reading(path, ring).close()
    except StoreError as error:
        return "", error.message
    return which, "opens with this key" if which == "key" else "opens with the next key"
