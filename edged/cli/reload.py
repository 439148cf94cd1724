"""``edged reload``"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from edged.cli.contact import connected
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json
from edged.cli.words import age
from edged.control_client import Client
from edged.errors import ConfigError

PATIENCE: Final = 30.0  # seconds until the new workers count or say why not; a large model on a small board
QUIET: Final = 1.0  # seconds of waiting that need no word
STEP: Final = 0.1  # seconds
JUST_NOW: Final = 10.0  # seconds: a manager that signals and asks has meant one reload


@make(
    "reload",
    ("edged reload", "exit code 0: in force; 2: wrong, the old config stays"),
    ("sudo systemctl reload edged", "the same for the service"),
)
@config_option
@json_option
def command(config_path: Path | None, as_json: bool) -> int:
    """Have the running daemon read its config again. Only pipelines that are different are touched; a
    config that is wrong, or asks of a model what that does not give, changes nothing.

    Waits until the new workers count, or say why they cannot.
    """
    return reload(config_path, as_json)


def reload(named: Path | None, as_json: bool) -> int:
    """The exit code. Raises ``ConfigError`` and ``ControlError``."""
    with connected(named, PATIENCE) as client:
        answer = client.ask("reload")
        if answer["accepted"]:
            answer["pipelines"] = _settled(client, _touched(answer))
    if as_json:
        print_json(answer)
    elif answer["accepted"]:
        for line in lines(answer):
            click.echo(line)
    if not answer["accepted"] and not as_json:
        raise ConfigError(answer["error"], _next_step(answer))
    return 0 if answer["accepted"] else ConfigError.exit_code


def lines(answer: dict[str, Any]) -> Iterator[str]:
    """What has happened, for people."""
    what, last = answer["changes"], answer["last"]
    yield f"{answer['file']}: {click.style('in force', fg='green')}{_remark(what, last)}"
    yield from _changes(_shown(what, last))
    if what["waiting"]:
        yield f"  {click.style('needs a restart', fg='yellow')}  {', '.join(what['waiting'])}"
    for one in answer["pipelines"]:
        colour = "green" if one["state"] == "running" else "yellow"
        why = f": {one['why']}" if one["why"] else ""
        yield f"  {one['name']}  {click.style(one['state'], fg=colour)}{why}"


def _remark(what: dict[str, Any], last: dict[str, Any]) -> str:
    if _anything(what):
        return ""
    return f", since {age(last['age_s'])}" if _is_recent(last) else "; nothing has changed"


def _shown(what: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """With ``Type=notify-reload`` systemd signals and asks: the signal's reload is what the question is
    about.
    """
    return last["changes"] if not _anything(what) and _is_recent(last) else what


def _is_recent(last: dict[str, Any]) -> bool:
    return _anything(last["changes"]) and last["age_s"] < JUST_NOW


def _anything(what: dict[str, Any]) -> bool:
    return any(what[word] for word in ("changed", "added", "removed", "keys"))


def _changes(what: dict[str, Any]) -> Iterator[str]:
    for word, key in (("changed", "changed"), ("added", "added"), ("removed", "removed"), ("set", "keys")):
        if what[key]:
            yield f"  {word}  {', '.join(what[key])}"


def _touched(answer: dict[str, Any]) -> list[str]:
    what = _shown(answer["changes"], answer["last"])
    return [*what["changed"], *what["added"]]


def _next_step(answer: dict[str, Any]) -> str:
    return f"the config from before stays in force; mend that, then try again: {answer['hint']}"


def _settled(client: Client, names: Sequence[str]) -> list[dict[str, Any]]:
    """The pipelines of these names, once nobody needs to wait for them, or after ``PATIENCE``."""
    began, said = time.monotonic(), False
    while names:
        pipelines = [one for one in client.ask("status")["pipelines"] if one["name"] in names]
        waited = time.monotonic() - began
        starting = [one["name"] for one in pipelines if not one["settled"]]
        if not starting or waited > PATIENCE:
            break
        if waited > QUIET and not said and sys.stderr.isatty():
            said = True
            click.echo(f"waiting for {', '.join(starting)} …", err=True)
        time.sleep(STEP)
    else:
        return []
    return [{key: one[key] for key in ("name", "state", "why", "pid")} for one in pipelines]
