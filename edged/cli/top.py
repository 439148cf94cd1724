"""``edged top``: what the daemon does, live and full-screen.

One question a second over one connection; rich draws on the terminal's other screen, so that leaving restores
what was there. Works over ssh: a redraw goes out in one write and only once a second or when the window
changes.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from edged.cli.contact import connected
from edged.cli.options import command as make
from edged.cli.options import config_option
from edged.control_client import Client
from edged.errors import ConfigError, ControlError

if TYPE_CHECKING:
    from edged.cli.screen import Screen

PERIOD = 1.0  # seconds: ticks come that often
QUIT = b"qQ\x03\x04\x1b"  # q, Ctrl-C, Ctrl-D, Esc


@make(
    "top",
    ("edged top", "until q"),
    ("edged top --once", "one picture of now, on any output"),
)
@config_option
@click.option("--once", is_flag=True, help="Print it once and leave.")
def command(config_path: Path | None, once: bool) -> None:
    """What the running daemon does, live and full-screen. q leaves."""
    if once:
        _print_once(config_path)
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("this needs a terminal; `edged top --once` and `edged status --json` do not")
    else:
        watch(config_path)


def _print_once(named: Path | None) -> None:
    from edged.cli.screen import Screen, console

    screen = Screen()
    with connected(named) as client:
        screen.add(client.ask("status"))
    terminal = console()
    terminal.print(screen.drawn(terminal.width, None))


def watch(named: Path | None) -> None:
    """Until q. Raises ``ControlError`` when no daemon runs at the beginning; later ones may come and go."""
    from rich.live import Live

    from edged.cli.screen import Screen, console

    feed, screen, terminal = Feed(named), Screen(), console()
    with feed, keys() as pressed, Live(console=terminal, screen=True, auto_refresh=False) as live:
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                feed.refresh(screen)
                due = max(due + PERIOD, time.monotonic())
            size = os.get_terminal_size(sys.stdout.fileno())
            terminal.size = (size.columns, size.lines)
            live.update(screen.drawn(size.columns, size.lines), refresh=True)
            if pressed(max(0.0, due - time.monotonic())):
                return


class Feed:
    """The daemon's facts, over one connection that is made anew when a daemon was restarted."""

    def __init__(self, named: Path | None) -> None:
        self._named = named
        self._client: Client | None = connected(named)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client:
            self._client.close()

    def refresh(self, screen: Screen) -> None:
        """Add what is now, or that nobody answers."""
        try:
            if self._client is None:
                self._client = connected(self._named)
            screen.add(self._client.ask("status"))
        except (ControlError, ConfigError) as error:
            if self._client:
                self._client.close()
            self._client = None
            screen.lost(error.message)


@contextmanager
def keys() -> Iterator[Any]:
    """Single keys without Enter, and a wait that a key or a new window size ends; the terminal is restored in
    any case.

    Yields ``pressed(seconds) -> bool``: whether a key that quits was pressed.
    """
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    old_wakeup = signal.set_wakeup_fd(wakes)
    handlers = {
        number: signal.signal(number, _nothing) for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP)
    }

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([stdin, woken], [], [], seconds)
        ended = woken in ready and any(one != signal.SIGWINCH for one in os.read(woken, 64))
        typed = os.read(stdin, 64) if stdin in ready else b"-"
        return ended or not typed or any(one in QUIT for one in typed[:1])

    try:
        tty.setcbreak(stdin)
        yield pressed
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
        signal.set_wakeup_fd(old_wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(wakes)


def _nothing(*_: object) -> None:
    """The wakeup descriptor tells of the signal."""
