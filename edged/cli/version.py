"""``edged version``"""

from __future__ import annotations

import platform
from importlib import metadata

import click

from edged import __version__
from edged.cli.options import command as make
from edged.cli.options import json_option, print_json

#: What makes a difference when somebody reports an error.
PARTS = ("ai-edge-litert", "tflite-runtime", "numpy", "sqlcipher3", "av", "picamera2")


@make("version", ("edged version", "one line"), ("edged version --json", "with Python, machine and parts"))
@json_option
def command(as_json: bool) -> None:
    """Print the version."""
    if not as_json:
        click.echo(f"edged {__version__}")
        return
    from edged.store.schema import VERSION

    print_json(
        {
            "edged": __version__,
            "schema": VERSION,  # of the store that it writes
            "python": platform.python_version(),
            "machine": platform.machine(),
            "kernel": platform.release(),
            "parts": {name: _version(name) for name in PARTS},
        }
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
