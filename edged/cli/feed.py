"""``edged feed``"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from edged import feeds
from edged.cli import candidates as names
from edged.cli.contact import said_in
from edged.cli.options import command as make
from edged.cli.options import config_option, config_path
from edged.config.shape import Daemon
from edged.errors import ControlError

#: Seconds that one line may have to wait for room: nobody reads while a pipeline pauses.
PATIENCE: Final = 1.0
STEP: Final = 0.02


@make(
    "feed",
    ("edged feed tank 3.2 18.4", "one number for each channel, in the config's order"),
    ("edged feed tank level=3.2", "only this channel; the others keep theirs"),
    ("rtl_433 | my-filter | edged feed garden -", "lines from another program, for as long as it runs"),
)
@config_option
@click.argument("pipeline", shell_complete=names.pipelines)
@click.argument("values", nargs=-1, required=True)
def command(config_path: Path | None, pipeline: str, values: tuple[str, ...]) -> int:
    """Write numbers to a pipeline whose source is a feed. `-` reads lines from the standard input.

    It is one line to a local socket, which any program can write by itself: docs/sensors.md. Who may ask the
    daemon may feed it: root and members of the group edged.
    """
    return feed(config_path, pipeline, values)


def feed(named: Path | None, pipeline: str, values: tuple[str, ...]) -> int:
    """The exit code. Raises ``ControlError``, ``ConfigError``."""
    runtime_dir = said_in(config_path(named)) or Path(Daemon().runtime_dir)
    place = feeds.path(runtime_dir, pipeline)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        try:
            out.connect(str(place))
            for line in _lines(values):
                _write(out, line)
        except OSError as error:
            raise _trouble(place, error) from None
    return 0


def _lines(values: tuple[str, ...]) -> Iterable[bytes]:
    """Only what is said here, or, for "-", whatever comes until nothing more does."""
    if values != ("-",):
        yield " ".join(values).encode()
        return
    for line in sys.stdin.buffer:
        if line.strip():
            yield line.rstrip(b"\n")


def _write(out: socket.socket, line: bytes) -> None:
    """Wait a moment for room, and no longer: a script must not hang on us."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            out.send(line)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(STEP)
        else:
            return


def _trouble(place: Path, error: OSError) -> ControlError:
    match error:
        case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
            known = ", ".join(sorted(one.name for one in _there(place.parent)))
            return ControlError(
                f"no pipeline {place.name} is fed here ({place})",
                f"fed are {known}" if known else "does the daemon run, with a source of kind feed?",
            )
        case PermissionError():
            return ControlError(
                f"{place} may not be written to", "sudo adduser $USER edged, then log in again"
            )
        case BlockingIOError():
            return ControlError(
                f"nobody reads what is fed to {place.name}", "it may be paused: edged status shows why"
            )
    return ControlError(f"{place}: {error.strerror or error}", "edged status")


def _there(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


#: A number below zero is no option.
command.ignore_unknown_options = True
