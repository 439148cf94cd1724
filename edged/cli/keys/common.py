"""What the commands about keys share: which config, whose daemon, the service, words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli import options

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.store.places import Place

#: What the installed service runs with (systemd/edged.service).
SERVICE_CONFIG: Final = Path("/etc/edged/edged.toml")
UNIT: Final = "edged.service"


def found_config(named: Path | None) -> tuple[Config, bool]:
    """The config that is meant, and whether it is the installed service's."""
    path = options.config_path(named)
    return options.loaded(path), path.resolve() == SERVICE_CONFIG


def say_made(place: Place, protection: str, what: str) -> None:
    """What lies where now."""
    if place.kind == "sealed":
        click.echo(f"{place.where}: {what}, sealed by {protection}.")
        click.echo(
            "Make an escrow copy, or a dead board is lost data: edged keys export --to-recipient age1..."
        )
    else:
        click.echo(f"{place.where}: {what}, readable by its owner only. Keep a copy where the store is not.")


def daemon_status(config: Config) -> dict[str, Any] | None:
    """What the daemon of this config says of itself, None when none runs."""
    from edged.control_client import NotRunning, ask

    try:
        return ask(config.daemon.runtime_dir, "status")
    except NotRunning:
        return None


def systemctl(*words: str) -> subprocess.CompletedProcess[str] | None:
    """Ask the service manager; None where there is none."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        return None
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)


def unit_property(name: str) -> str:
    """One property of the service, "" when it cannot be told."""
    asked = systemctl("show", "--property", name, "--value", UNIT)
    return asked.stdout.strip() if asked is not None and asked.returncode == 0 else ""
