"""Verbs. An error becomes a message, a hint and an exit code; no traceback ever reaches a user.

Each verb is a module of its own, imported when it is invoked: `edged status` on a Pi must not wait for what
`edged report` needs. Exit codes: 0 done, 1 a bug or another error, 2 the config or the command line is wrong,
3 a model or source can never work, 4 a device or file is not there now, 5 the store cannot be used, 6 the
daemon cannot be asked, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from edged import __version__
from edged.cli.verbs import Verbs
from edged.errors import EdgedError, fault

#: What `edged --help` says, without importing a single one.
VERBS: Final = {
    "run": "Count: run the daemon in the foreground",
    "check": "Check a config and tell everything that is wrong with it",
    "status": "What the running daemon does",
    "top": "The same, live and full-screen",
    "reload": "Have the running daemon read its config again",
    "doctor": "Look for what is wrong, and say how to mend it",
    "tune": "Measure what models cost on this board, and recommend a ladder",
    "report": "What was counted: tables, plots, JSON, CSV, PNG",
    "zones": "Draw zones and lines over the outline of what a camera sees",
    "feed": "Write numbers to a pipeline, from any script",
    "models": "Get and look into models",
    "store": "The store's file: look for damage, save what is whole",
    "keys": "The key that encrypts the store: make, rotate, save, bring back",
    "demo": "See it all at work for half a minute; needs nothing",
    "schema": "Print the config's JSON Schema, for editors",
    "completion": "Print the completion script of a shell",
    "version": "Print the version",
}


class Commands(Verbs):
    """``edged``'s own."""

    table, room = VERBS, "edged.cli"


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`edged COMMAND --help` has examples. The config is --config FILE, else $EDGED_CONFIG, "
    "./edged.toml, /etc/edged/edged.toml.",
)
@click.option("--debug", is_flag=True, envvar="EDGED_DEBUG", help="Show a bug's traceback.")
@click.version_option(__version__, "-V", "--version", message="edged %(version)s")
def cli(debug: bool) -> None:
    """edged counts what a camera sees, a microphone hears or a sensor feels, on the device, and keeps only
    the numbers.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program ``edged``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has read enough (`edged report | head`). Python would complain once more when it
        # flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        result = cli.main(arguments, prog_name="edged", standalone_mode=False, color=_colour())
        return result if isinstance(result, int) else 0
    except EdgedError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "edged"
        complain(error.format_message(), f"{verb} --help")
        return 2
    except click.ClickException as error:
        complain(error.format_message())
        return 1
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if "--debug" in arguments or os.environ.get("EDGED_DEBUG"):
            raise
        bug = fault(error, "this command")
        complain(bug.message, f"{bug.hint}; edged --debug ... shows more")
        return bug.exit_code


def complain(message: str, hint: str = "") -> None:
    """On stderr: what is wrong, and the next step. A name in it may be a stranger's."""
    mark = click.style("edged:", fg="red", bold=True)
    click.echo(f"{mark} {_harmless(message)}", err=True, color=_colour())
    if hint:
        click.echo(f"  {_harmless(hint)}", err=True, color=_colour())


def _harmless(text: str) -> str:
    """Lines of what can be printed: nothing in them commands a terminal."""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)


def _colour() -> bool | None:
    """False where nobody wants colour; None leaves it to whether there is a terminal (no-color.org)."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
