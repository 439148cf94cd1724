"""Finds the running daemon of a config, also when that config is wrong by now: what it says about that is
what one wants to know.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from edged.cli.options import config_path, loaded
from edged.config.shape import Daemon
from edged.control_client import TIMEOUT, Client, NotRunning
from edged.errors import ControlError

#: Read from the text: it may be no TOML any more.
RUNTIME_DIR: Final = re.compile(r"""^\s*runtime_dir\s*=\s*(["'])(.*?)\1""", re.MULTILINE)


def connected(named: Path | None, timeout: float = TIMEOUT) -> Client:
    """To the daemon of this config. Raises ``ControlError``; ``ConfigError`` when nobody is found and the
    config may be why.
    """
    path = config_path(named)
    if _is_missing(path):
        loaded(path)
    said = said_in(path)
    try:
        return Client(said or Daemon().runtime_dir, timeout)
    except NotRunning:
        if said is not None and (found := _elsewhere(path, timeout)):
            return found
        loaded(path)
        raise


def _is_missing(path: Path) -> bool:
    """Whether there is no such file: a slip of who named it must not ask another file's daemon."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def said_in(path: Path) -> Path | None:
    """Where the config says that its daemon listens; None when it does not."""
    try:
        found = RUNTIME_DIR.search(path.read_text("utf-8", errors="replace"))
    except OSError:
        return None
    return path.absolute().parent / found[2] if found else None


def _elsewhere(path: Path, timeout: float) -> Client | None:
    """The daemon of this very file where daemons listen by default: a new runtime_dir waits for a restart."""
    try:
        client = Client(Daemon().runtime_dir, timeout)
    except ControlError:
        return None
    if client.ask("status").get("config", {}).get("file") == str(path.absolute()):
        return client
    client.close()
    return None
