"""``edged run``"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from edged.cli import options
from edged.cli.options import command as make
from edged.cli.options import config_option
from edged.errors import KeyRefusedError


@make(
    "run",
    ("edged run edged.toml", "until Ctrl-C, or until every recording has ended"),
    ("edged run --init-key edged.toml", "make the store's key first if there is none"),
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@click.option("--init-key", is_flag=True, help="Make the store's key if there is none.")
def command(file: Path | None, config_path: Path | None, init_key: bool) -> int:
    """Count: run the daemon in the foreground. Logs on stderr; `edged top` in another terminal watches it.

    Stops at SIGTERM and Ctrl-C with everything committed.
    """
    path = options.config_path(file or config_path)
    config = options.loaded(path)
    from edged.store import keys

    if not keys.exists(config):
        key = Path(config.store.key_file)
        if not init_key:
            raise KeyRefusedError(
                f"there is no key file {key}",
                f"edged keys init --config {path} makes one, and so does edged run --init-key {path}",
            )
        make_key(key)
    if not sys.stderr.isatty():
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "edged.service", str(path)])
    from edged import daemon

    line = ProgressLine()
    try:
        return daemon.run(path, on_status=line)
    finally:
        line.clear()


def make_key(path: Path) -> None:
    """Make the store's key."""
    from edged.store import keys

    keys.create(path)
    click.echo(f"edged: made a new key: {path}. Keep a copy where the store is not.", err=True)


class ProgressLine:
    """One line at the bottom of the terminal, rewritten every second."""

    def __call__(self, status: dict[str, Any]) -> None:
        """Rewrite it. The cursor goes back to the line's beginning, so that the log writes over it."""
        text = " | ".join(map(summary, status["pipelines"]))
        columns = shutil.get_terminal_size().columns
        self._write(f"\r\x1b[K{text[: columns - 1]}\r")

    def clear(self) -> None:
        """Leave nothing behind."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        """A terminal that has closed is no reason to end in the middle of the last commit."""
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def summary(pipeline: dict[str, Any]) -> str:
    """One pipeline now, in a few words."""
    from edged.cli.status import now
    from edged.cli.words import series_name

    if pipeline["state"] != "running":
        return f"{pipeline['name']}: {pipeline['state']} {pipeline['why']}".rstrip()
    rate = f"{pipeline['fps']:g} fps" if pipeline["fps"] is not None else "no frame yet"
    series = "  ".join(f"{series_name(one)} {now(one)}" for one in pipeline["series"])
    return f"{pipeline['name']}: {rate}  {series}"
