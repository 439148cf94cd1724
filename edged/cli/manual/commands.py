"""edged(1), made of the commands themselves: every verb, option, default and example as ``--help`` has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from edged import __version__
from edged.cli import cli
from edged.cli.manual import roff
from edged.cli.options import PLACES

#: The codes with which ``edged`` leaves: those of ``edged.errors``, and the shell's own.
EXIT_CODES: Final = {
    0: "Done. Of `edged check`: the config is good.",
    1: "A bug, or an error that has no code of its own.",
    2: "The config or the command line is wrong.",
    3: "A model or a source can never work as it is, or (of `edged run`) no pipeline can.",
    4: "A device, a file or a host is not there now.",
    5: "The store cannot be used: its key is missing or the wrong one, or the file is damaged.",
    6: "The daemon cannot be asked: it does not run, or not for this user.",
    130: "Interrupted with Ctrl-C.",
    141: "Whoever read the output has read enough, as in `edged report | head`.",
}

#: What ``edged`` reads of its environment.
VARIABLES: Final = {
    "EDGED_CONFIG": "The config, where none is named by --config or as an argument.",
    "EDGED_DEBUG": "As --debug: the traceback of a bug is shown.",
    "NO_COLOR": "If it is set to anything, nothing is printed in colour; to no terminal in any case.",
    "TERM": "If it is `dumb`, likewise.",
    "COLUMNS": "How wide plots and tables are drawn where there is no terminal to ask.",
    "TZ": "Whose days and hours are meant, where the config names no timezone; else the system's.",
    "XDG_DATA_HOME": "Below it, in edged/models, `edged models get` puts models for a user who is not the "
    "service's; by default ~/.local/share.",
    "CREDENTIALS_DIRECTORY": "Set by systemd for the service: the folder with the store's key.",
    "NOTIFY_SOCKET": "Set by systemd for the service: where to tell that it is ready and makes progress.",
    "WATCHDOG_USEC": "Set by systemd for the service: how long without progress is too long.",
    "WATCHDOG_PID": "Set by systemd for the service: whom that is meant for.",
    "JOURNAL_STREAM": "Set by systemd for the service: whether what is said goes to the journal anyway.",
}

FILES: Final = {
    "/etc/edged/edged.toml": "The config of the service: edged.toml(5).",
    "/etc/edged/credentials/": "The store's key, encrypted for this board by systemd-creds(1); root's alone.",
    "/var/lib/edged/edged.db": "The store: aggregated numbers only, encrypted.",
    "/var/lib/edged/key": "The store's key, where it is no credential and the config names no other file.",
    "/var/lib/edged/models/": "Models that `edged models get` brought.",
    "/run/edged/control.sock": "By which the commands ask the daemon. The group edged may use it to read.",
    "/opt/edged/": "The versions that are installed, each whole and by itself; current is the one in force.",
}

DESCRIPTION: Final = """
edged turns what a camera sees, a microphone hears or a sensor feels into numbers, on the device, and keeps
only the numbers. A source gives frames, a TFLite model looks at each, a measure makes a number of what it
saw: how many at once, who crossed a line and how long each stayed, the share of time that somebody is there,
how often a sound began, a value. Each of these pipelines is a process of its own that sees pictures and keeps
nothing; the daemon keeps sums by minute, hour and day in an encrypted store and sees nothing raw.

What is to be counted is said in a config, edged.toml(5). On a device, systemd runs the daemon:
edged.service(8). The commands below ask it, look after what it needs, or run it in the foreground.
"""

STORY: Final = """
A first look, without a camera, a model or a config:

    edged demo

A USB camera, counted in the foreground. The config that comes with edged works as it is, and explains every
key:

    edged check edged.toml
    edged run --init-key edged.toml

In another terminal, while that runs and after it:

    edged top --config edged.toml
    edged report --config edged.toml --last 1h

The same as a service, its key encrypted for this board:

    sudo ./install.sh
    sudo systemctl start edged
    edged status
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield r".\" Written by `python -m edged.cli.manual` from the commands themselves: change those, not this."
    yield from roff.head("EDGED", 1, __version__)
    yield roff.section("NAME")
    yield r"edged \- count what cameras see, microphones hear and sensors feel, and keep only the numbers"
    yield roff.section("SYNOPSIS")
    words = ("[", "OPTIONS", "] ", "COMMAND", " [", "ARGUMENTS", "]")
    yield roff.bold("edged ") + "".join(roff.slanted(one) if one.isupper() else one for one in words)
    yield roff.section("DESCRIPTION")
    yield from roff.paragraphs(DESCRIPTION)
    yield roff.section("OPTIONS")
    yield from _options(cli)
    yield from roff.item(
        [f"{roff.bold('-h')}, {roff.bold('--help')}"], "Help, with examples; of every command too."
    )
    yield roff.section("COMMANDS")
    for name, one, path in every(cli):
        yield from _command(name, one, path)
    yield from _tables()
    yield roff.section("EXAMPLES")
    yield from _story()
    yield roff.section("SEE ALSO")
    yield from roff.paragraphs(
        "edged.toml(5), edged.service(8), systemctl(1), journalctl(1), systemd-creds(1)", ""
    )


def every(
    group: click.Command, path: tuple[str, ...] = ("edged",)
) -> Iterator[tuple[str, click.Command, tuple[str, ...]]]:
    """Every command below but hidden ones, as the help lists them: (name, command, what is typed for it)."""
    if not isinstance(group, click.Group):
        return
    context = click.Context(group, info_name=path[-1])
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one is not None
        if not one.hidden:
            yield name, one, (*path, name)
            yield from every(one, (*path, name))


def _command(name: str, one: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    yield f".SS {roff.literal(' '.join(path))}"
    usage = one.collect_usage_pieces(click.Context(one, info_name=name))
    pieces = [piece for piece in usage if piece != "[OPTIONS]" or any(_told(one))]
    yield " ".join([roff.bold(" ".join(path)), *map(roff.slanted, pieces)])
    yield from roff.paragraphs((one.help or one.short_help or "").replace("\b\n", ""))
    yield from _options(one)
    yield from _examples(getattr(one, "examples", ()))


def _options(one: click.Command) -> Iterator[str]:
    for option in _told(one):
        yield from roff.item([_tag(option)], _explained(option))


def _told(one: click.Command) -> Iterator[click.Option]:
    """Its options without --help, which all have."""
    return (option for option in one.params if isinstance(option, click.Option) and not option.hidden)


def _tag(option: click.Option) -> str:
    names = ", ".join(roff.bold(name) for name in (*option.opts, *option.secondary_opts))
    if option.is_flag or option.count:
        return names
    number = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
    metavar = (
        "NUMBER"
        if number and not option.metavar
        else option.make_metavar(click.Context(click.Command("edged")))
    )
    return f"{names} {roff.slanted(metavar)}"


def _explained(option: click.Option) -> str:
    """The help, and what ``--help`` adds to it."""
    notes = []
    if isinstance(option.type, click.IntRange | click.FloatRange):
        notes.append(f"{option.type.min} to {option.type.max}")
    if option.show_default and not callable(option.default):
        notes.append(f"default {option.default}")
    if isinstance(option.envvar, str):
        notes.append(f"or set ${option.envvar}")
    return f"{option.help or ''} {'(' + ', '.join(notes) + ')' if notes else ''}".strip()


def _examples(examples: tuple[tuple[str, str], ...]) -> Iterator[str]:
    if not examples:
        return
    yield from (".PP", "Examples:")
    yield ".RS 4"
    for typed, reason in examples:
        yield from roff.item([roff.bold(typed)], reason)
    yield ".RE"


def _tables() -> Iterator[str]:
    tables: tuple[tuple[str, dict[Any, str]], ...] = (
        ("EXIT STATUS", EXIT_CODES),
        ("ENVIRONMENT", VARIABLES),
        ("FILES", FILES),
    )
    for title, table in tables:
        yield roff.section(title)
        for name, text in table.items():
            yield from roff.item([roff.bold(str(name))], text)
    yield from roff.paragraphs(
        f"The config that is meant: --config, else $EDGED_CONFIG, else {', else '.join(map(str, PLACES))}."
    )


def _story() -> Iterator[str]:
    for block in STORY.strip("\n").split("\n\n"):
        if block.startswith("    "):
            yield from roff.example("\n".join(line[4:] for line in block.split("\n")))
        else:
            yield from roff.paragraphs(block)
