"""``edged feed``"""

from __future__ import annotations

import os
import socket
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from edged.cli import candidates as names
from edged.cli.options import command as make
from edged.cli.options import config_option, config_path, loaded
from edged.errors import ConfigError, ControlError
from edged.notation import NotationError, numbers

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
@click.argument("pipeline", shell_complete=names.feeds)
@click.argument("values", nargs=-1, required=True, shell_complete=names.channels)
def command(config_path: Path | None, pipeline: str, values: tuple[str, ...]) -> int:
    """Write numbers to a pipeline whose source is a feed. `-` reads lines from the standard input until it
    ends, whatever becomes of the daemon meanwhile: what nobody reads is dropped, and said once.

    It is one line to a local socket, which any program can write by itself: docs/sensors.md. Who may ask the
    daemon may feed it: root and members of the group edged.
    """
    return feed(config_path, pipeline, values)


def feed(named: Path | None, pipeline: str, values: tuple[str, ...]) -> int:
    """The exit code. Raises ``ControlError``, ``ConfigError``."""
    path = config_path(named)
    document = _document(path)
    place = _place(path, pipeline)
    judge = Judge(pipeline, names.fed(document).get(pipeline, ()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        if values == ("-",):
            if document and not judge.channels and place not in _there(place.parent):
                raise _trouble(place, FileNotFoundError())
            Pipe(out, place, judge).run()
            return 0
        line = os.fsencode(" ".join(values))
        judge.check(line)
        try:
            _write(out, place, line, PATIENCE)
        except OSError as error:
            raise _trouble(place, error) from None
    return 0


def _place(path: Path, pipeline: str) -> Path:
    """Where it is fed. What this imports the shells' completion has no need of."""
    from edged import feeds
    from edged.cli.contact import said_in
    from edged.config.shape import Daemon

    return feeds.path(said_in(path) or Path(Daemon().runtime_dir), pipeline)


def _document(path: Path) -> dict[str, Any]:
    """The config as it is written; nothing of one that this user may not read, or that is no TOML now: the
    daemon goes on by what it has read. Raises ``ConfigError`` where there is none.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except PermissionError:
        return {}
    except OSError:
        loaded(path)  # says why
    except ValueError:
        pass
    return {}


class Judge:
    """Whether lines are some for these ``channels``; none: that is not known, and all of them are."""

    def __init__(self, pipeline: str, channels: tuple[str, ...]) -> None:
        self._pipeline, self.channels = pipeline, channels
        self._places = {name.encode(): place for place, name in enumerate(channels)}

    def check(self, said: bytes) -> None:
        """Raises ``ConfigError`` for a line that the worker would not understand."""
        if not self.channels:
            return
        try:
            told = [numbers(line, self._places) for line in said.split(b"\n")]
        except NotationError as error:
            raise self._refusal(str(error)) from None
        if not any(told):
            raise self._refusal("there is no number in it")

    def _refusal(self, why: str) -> ConfigError:
        listed = ", ".join(self.channels)
        order = f"{self._pipeline} has the channels {listed}" + (
            ", in this order" if len(self.channels) > 1 else ""
        )
        return ConfigError(
            f"this is no line for {self._pipeline}: {why}",
            f"{order}: one number each, or with its name, such as {self.channels[0]}=3.2",
        )


class Pipe:
    """Passes lines on until there are no more, and says once when they go nowhere, and when they do again."""

    def __init__(self, out: socket.socket, place: Path, judge: Judge) -> None:
        self._out, self._place, self._judge = out, place, judge
        self._passed = self._dropped = 0  # lines in all; in vain since one was read
        self._trouble: ControlError | None = None
        self._bad: ConfigError | None = None
        self._good = False

    def run(self) -> None:
        """Raises ``ControlError`` where nobody read a single line, ``ConfigError`` where none was one."""
        for line in _lines():
            self._look(line)
            self._pass(line)
        if self._trouble is not None:
            if not self._passed:
                raise self._trouble
            _say(f"the last {self._dropped} lines to {self._place.name} were dropped")
        if self._bad is not None and not self._good:
            raise ConfigError(f"none of these lines was one for {self._place.name}", self._bad.hint)

    def _look(self, line: bytes) -> None:
        """What is no line is passed on all the same: the daemon may have another config, and counts it."""
        try:
            self._judge.check(line)
        except ConfigError as error:
            if self._bad is None:
                _say(f"{error.message}; {error.hint}")
            self._bad = error
        else:
            self._good = True

    def _pass(self, line: bytes) -> None:
        try:
            _write(self._out, self._place, line, 0.0 if self._dropped else PATIENCE)
        except OSError as error:
            self._lose(error)
            return
        self._passed += 1
        if self._trouble is not None:
            _say(f"{self._place.name} is read again; {self._dropped} lines were dropped meanwhile")
        self._trouble, self._dropped = None, 0

    def _lose(self, error: OSError) -> None:
        trouble = _trouble(self._place, error)
        if isinstance(error, PermissionError):
            raise trouble from None  # that does not end by itself
        if self._trouble is None:
            _say(f"{trouble.message}: lines are dropped until somebody reads them ({trouble.hint})")
        self._trouble = trouble
        self._dropped += 1


def _say(text: str) -> None:
    click.echo(f"edged: {text}", err=True)


def _lines() -> Iterator[bytes]:
    """Whatever comes, until nothing more does."""
    for line in sys.stdin.buffer:
        if line.strip():
            yield line.rstrip(b"\n")


def _write(out: socket.socket, place: Path, line: bytes, patience: float) -> None:
    """Wait a moment for room, and no longer: a script must not hang on us. The socket is looked for at each
    line, since a daemon that is started anew makes a new one.
    """
    until = time.monotonic() + patience
    while True:
        try:
            out.sendto(line, str(place))
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
