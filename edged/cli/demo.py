"""``edged demo``: the real daemon on the scripted scene, what it counted, and what it left on the disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.options import command as make
from edged.errors import ControlError, EdgedError

if TYPE_CHECKING:
    from edged.config.shape import Config

GRACE: Final = 60.0  # seconds beyond the scene's own: a slow board starts slowly
LONGEST: Final = 108  # bytes of a socket's path, its zero included: unix(7)
#: Asked in a process of its own: nothing right of the wall imports what draws.
TRUTH: Final = "edged.worker.source.truth"


@make(
    "demo",
    ("edged demo", "half a minute"),
    ("edged demo --seconds 120 --keep /tmp/demo", "longer, and the folder stays for a look"),
)
@click.option("--seconds", type=click.IntRange(5, 3600), default=30, show_default=True, help="So long.")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="FOLDER", help="Leave it all in a new folder."
)
def command(seconds: int, keep: Path | None) -> None:
    """See it all at work: the real daemon counts a scripted scene of people and cars with the built-in model.

    Then: what was counted beside the truth, and what is on the disk. Needs no camera, no root and no network.
    """
    with folder(keep) as place:
        refuse_long(place)
        path = prepared(place, seconds)
        from edged.config.loading import load

        config = load(path)
        _say(1, f"counting for {seconds} s: the scripted scene through the built-in model, in {place}")
        watch(path, config, seconds)
        _say(2, "what was counted (edged report --all)")
        counted(config)
        _say(3, "what is on the disk")
        disk(place, config)
    click.echo()
    if keep:
        click.echo(f"{keep} stays: edged report --all --config {path}")
    click.echo("next: plug a camera in, copy config/edged.toml, edged keys init, edged run")


def _say(number: int, text: str) -> None:
    click.echo(f"\n{click.style(f'[{number}/3]', fg='green', bold=True)} {click.style(text, bold=True)}\n")


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """A temporary folder, or the one to keep."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="edged-demo-") as name:
            yield Path(name)
        return
    try:
        keep.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise click.UsageError(f"--keep {keep}: no new folder can be made there: {error.strerror}") from None
    yield keep.absolute()


def refuse_long(place: Path) -> None:
    """The control socket's path must fit into sockaddr_un. Raises ``click.UsageError``."""
    size = len(os.fsencode(place / "run" / "control.sock"))
    if size >= LONGEST:
        raise click.UsageError(
            f"{place} is too long a path: with the control socket's name it has {size} bytes, and fewer than "
            f"{LONGEST} are allowed; name another folder by --keep, or by TMPDIR"
        )


def prepared(place: Path, seconds: int) -> Path:
    """The demo's config and a key of its own in ``place``."""
    from edged.config.shipped import folder as shipped
    from edged.store import keys

    for name in ("demo.toml", "edged.schema.json"):
        shutil.copyfile(shipped() / name, place / name)
    path = place / "demo.toml"
    path.write_text(re.sub(r"(?m)^duration = .*$", f"duration = {seconds}.0", path.read_text()))
    keys.create(place / "state" / "key")
    return path


def watch(path: Path, config: Config, seconds: int) -> None:
    """Run ``edged run`` to its end, showing what ``edged top`` would."""
    environment = {**os.environ, "EDGED_CONFIG": str(path), "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "run", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; the daemon gets a SIGTERM and commits
    ) as process:
        try:
            show = _live if sys.stdout.isatty() else _plainly
            show(process, config, time.monotonic() + seconds + GRACE)
        finally:
            if process.poll() is None:
                process.terminate()
            said = process.communicate()[1]
    if process.returncode:
        raise EdgedError(f"the daemon ended with {process.returncode}:\n{said.strip()}")


def _facts(process: subprocess.Popen[str], config: Config, deadline: float) -> Iterator[dict[str, Any]]:
    """The daemon's status once a second, until it ends."""
    from edged.control_client import ask

    while process.poll() is None:
        if time.monotonic() > deadline:
            raise EdgedError("the daemon does not come to an end", "is the machine overloaded?")
        with suppress(ControlError):  # not yet, or no longer
            yield ask(config.daemon.runtime_dir, "status")
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _live(process: subprocess.Popen[str], config: Config, deadline: float) -> None:
    from rich.live import Live

    from edged.cli.screen import Screen, console

    screen, terminal = Screen(span=60), console()
    with Live(console=terminal, auto_refresh=False) as live:
        for facts in _facts(process, config, deadline):
            screen.add(facts)
            live.update(screen.drawn(terminal.width, None), refresh=True)


def _plainly(process: subprocess.Popen[str], config: Config, deadline: float) -> None:
    from edged.cli.run import summary

    told = ""
    for number, facts in enumerate(_facts(process, config, deadline)):
        # The first that is seen is told at once, then every few seconds.
        states = " ".join(f"{one['state']} {one['fps'] is not None}" for one in facts["pipelines"])
        if number % 5 == 0 or states != told:
            click.echo("  " + " | ".join(map(summary, facts["pipelines"])))
        told = states


def counted(config: Config) -> None:
    """The report, and the scene's own script beside it."""
    from edged.cli import plots
    from edged.cli.report import own

    answer = own(config, {"everything": True, "every": 1.0})
    for line in plots.lines(answer, plots.terminal_width()):
        click.echo(line)
    click.echo()
    for line in compared(answer, truth(config)):
        click.echo(line)


def truth(config: Config) -> dict[str, Any]:
    """The scene's true numbers, second by second."""
    import msgspec

    (pipeline,) = config.pipelines.values()
    asked = [sys.executable, "-m", TRUTH]
    done = subprocess.run(
        asked, input=msgspec.json.encode(pipeline), capture_output=True, check=False, timeout=60
    )
    if done.returncode:
        raise EdgedError("the scene cannot be asked what was true", f"{' '.join(asked)} says why")
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


def compared(answer: dict[str, Any], true: dict[str, Any]) -> Iterator[str]:
    """Counted and true presence, one character a second."""
    from edged.cli import chart
    from edged.cli.words import series_name, value

    came = f"{_many(true['person'], 'person', 'people')} and {_many(true['car'], 'car', 'cars')} came"
    yield f"beside the truth ({came})"
    for one in answer["series"]:
        if one["measure"] == "presence":
            rows, real = [row for row in one["rows"] if row["seconds"]], true["presence"][one["zone"]]
            share = sum(row["mean"] * row["seconds"] for row in rows) / sum(row["seconds"] for row in rows)
            yield f"  {series_name(one)}, a character a second"
            truly = sum(real) / len(real)
            yield f"    true     {value(truly, 'share'):>7}  {chart.spark(real[:60], 0.0, 1.0)}"
            means = [row["mean"] for row in rows]
            yield f"    counted  {value(share, 'share'):>7}  {chart.spark(means[:60], 0.0, 1.0)}"


def _many(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def disk(place: Path, config: Config) -> None:
    """Every file, the store's first bytes, and what plain SQLite says to it."""
    from edged.cli import evidence
    from edged.cli.words import size

    store = Path(config.store.file)
    click.echo("  file               size    bits/byte  looks like")
    found = evidence.findings(place)
    for one in found:
        name = str(one.path.relative_to(place))
        click.echo(f"  {name:17} {size(one.size):>8}  {one.entropy:8.3f}   {one.kind or 'unknown bytes'}")
    click.echo(f"\n  the store's first bytes ({store.name}):")
    for line in evidence.dump(store.read_bytes()[:48]):
        click.echo(f"    {line}")
    words = evidence.refusal(store)
    if not words:
        raise EdgedError("plain SQLite opens the store: it is not encrypted", "please report this")
    click.echo(f"  plain SQLite says: {words}")
    pictures = [one for one in found if one.kind in evidence.PICTURES]
    if pictures:
        raise EdgedError(f"{pictures[0].path} is a picture ({pictures[0].kind})", "please report this")
    click.echo("  no file is a picture or a film: the frames never left the worker's memory")
