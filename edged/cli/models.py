"""``edged models``"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli import candidates
from edged.cli.options import command as make
from edged.cli.options import json_option, print_json
from edged.cli.words import size
from edged.enquiry import asked, printable
from edged.errors import RefusedError

if TYPE_CHECKING:
    from edged.models.catalogue import Entry

#: A model is opened and run ten times; the largest of the catalogue needs two seconds on a Pi 3.
PATIENCE: Final = 120.0  # seconds
FEW: Final = 6  # labels that are shown of many
LONGEST: Final = 1 << 20  # bytes of what is found in one: ten thousand labels are a quarter of it
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


@click.group("models", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Get and look into models.

    The bundled model builtin:activity needs no download. Others come from a catalogue of well-known public
    models; any other .tflite file works too, if `edged models show` says so.
    """


@make("list", ("edged models list", "what there is"), ("edged models list --json", "for programs"))
@json_option
def list_(as_json: bool) -> None:
    """List the catalogue."""
    import msgspec

    from edged.models.catalogue import catalogue, home

    every = catalogue()
    if as_json:
        print_json([{"name": name, **msgspec.to_builtins(one)} for name, one in every.items()])
        return
    _print_catalogue(every)
    click.echo(f"\n`edged models get NAME` brings one into {home()}.")


def _print_catalogue(every: dict[str, Entry]) -> None:
    for name, one in every.items():
        click.echo(click.style(name, bold=True) + f"  {one.task}, {size(one.size)}, {one.licence}")
        click.echo(f"  {one.summary}")
        click.echo(f"  in: {one.input}; labels: {one.labels}")


@make(
    "get",
    ("edged models get coco-ssd-mobilenet-v1", "from the network"),
    ("edged models get yamnet --from /media/usb", "from a folder that has the file"),
    ("edged models get mobilenet-v2-224 --to models", "into a folder of yours"),
)
@click.argument("name", shell_complete=candidates.catalogue)
@click.option("--from", "source", type=_FOLDER, metavar="FOLDER", help="Copy from there; no network is used.")
@click.option("--to", type=_FOLDER, metavar="FOLDER", help="Where to. Default: the service's or your own.")
@json_option
def get(name: str, source: Path | None, to: Path | None, as_json: bool) -> None:
    """Bring the model NAME of the catalogue here, checked against its hash.

    A transfer that broke off goes on where it stopped when the command is given again.
    """
    from edged.models import catalogue

    wanted = catalogue.entry(name)
    with _Bar(wanted.file, shown=not as_json) as bar:
        path, brought = catalogue.get(wanted, (to or catalogue.home()).absolute(), source, bar)
    if as_json:
        print_json({"name": name, "path": str(path), "brought": brought, "sha256": wanted.sha256})
        return
    how = "here and checked" if brought else "was here already, and is right"
    click.echo(f"{path}: {how} ({size(wanted.size)}).")
    click.echo(_config_lines(name, wanted, path))


def _config_lines(name: str, wanted: Entry, path: Path) -> str:
    """What to write into the config for it."""
    file = json.dumps(str(path))
    if name.endswith("-edgetpu"):
        return f"In the config, beside the model that it was compiled from:\n\n  edgetpu_file = {file}"
    lines = f"[models.{name}]\nfile = {file}"
    hint = f"\n\nFor a Coral also: edged models get {wanted.edgetpu}" if wanted.edgetpu else ""
    return f"In the config:\n\n{textwrap.indent(lines, '  ')}{hint}"


class _Bar:
    """Progress on stderr, if that is a terminal."""

    def __init__(self, what: str, shown: bool) -> None:
        self._what, self._shown = what, shown and sys.stderr.isatty()

    def __enter__(self) -> _Bar:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=None)
        return self

    def __call__(self, here: int, total: int) -> None:
        if self._shown:
            self._progress.update(self._task, completed=here, total=total)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._progress.stop()


@make(
    "show",
    ("edged models show model.tflite", "what is in it, and whether edged can run it"),
    ("edged models show yamnet.tflite --labels", "all that a measure's labels can be, one in a line"),
    ("edged models show builtin:activity --json", "for programs"),
)
@click.argument("file", shell_complete=candidates.models)
@click.option("--labels", is_flag=True, help="Print the model's own labels only, one in a line.")
@json_option
def show(file: str, labels: bool, as_json: bool) -> int:
    """Look into a .tflite FILE: inputs, outputs, operators, labels, and whether edged can run it.

    The exit code is 3 when edged cannot.
    """
    found = facts(file)
    if as_json:
        print_json(found)
    elif labels and found["runs"]:
        for one in found["labels"]:
            click.echo(printable(one))
    else:
        _print_facts(found)
    return 0 if found["runs"] else 3


def facts(file: str) -> dict[str, Any]:
    """What the worker's side finds in a file, asked in a process of its own: a bad model may end that."""
    import msgspec

    try:
        said = asked(
            (sys.executable, "-m", "edged.worker.show", file), b"", PATIENCE, LONGEST, complaints=True
        )
    except subprocess.TimeoutExpired:
        why = f"{file}: ten runs of it take more than {PATIENCE:.0f} s here"
        raise RefusedError(why, "take a smaller model") from None
    if said.signal:
        why = f"{file}: it makes the runtime crash ({said.signal})"
        raise RefusedError(why, "get the file again, or take another model")
    try:
        if not said.status:
            return msgspec.json.decode(said.answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        pass
    why = f"{file}: looking into it failed: {said.last_line[:200]}"
    raise RefusedError(why, "please report it with the file")


def _print_facts(found: dict[str, Any]) -> None:
    for line in _head(found):
        click.echo(line)
    if "inputs" in found:
        _print_tensors(found)
        counts = ", ".join(f"{name} {count}" for name, count in found["operators"].items())
        click.echo(_row("operators", counts))
    if found.get("lacking"):
        click.echo(_row("sandbox", f"lacks {' and '.join(found['lacking'])}: this kernel has none"))
    for line in _verdict(found):
        click.echo(line)


def _row(name: str, text: str) -> str:
    """A fact, its text wrapped behind its name; paths stay whole. A model's own words may hold anything but
    must not command our terminal.
    """
    wrapper = textwrap.TextWrapper(max(40, shutil.get_terminal_size().columns), f"{name:<13}", " " * 13)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(printable(text))


def _print_tensors(found: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("", "name", "type", "shape", "scale, zero", "role"):
        table.add_column(heading)
    for side in ("inputs", "outputs"):
        for one in found[side]:
            texts = (one["name"], one["dtype"], _shape(one), _quantised(one), one["role"])
            table.add_row(side[:-1], *(Text(printable(text)) for text in texts))
    Console().print(table)


def _head(found: dict[str, Any]) -> list[str]:
    lines = [_row("file", f"{found['file']}, {size(found['size'])}")] if "size" in found else []
    lines += [_row("sha256", found["sha256"])] if "sha256" in found else []
    if known := _known(found.get("sha256", "")):
        lines.append(_row("catalogue", known))
    keys = ("name", "description", "author", "licence")
    return lines + [_row(key, found[key]) for key in keys if found.get(key)]


def _known(sha256: str) -> str:
    from edged.models.catalogue import catalogue

    return next((name for name, one in catalogue().items() if one.sha256 == sha256), "")


def _shape(tensor: dict[str, Any]) -> str:
    return "x".join(map(str, tensor["shape"])) or "open"


def _quantised(tensor: dict[str, Any]) -> str:
    return f"{tensor['scale']:.6g}, {tensor['zero_point']}" if tensor["scale"] else ""


def _verdict(found: dict[str, Any]) -> list[str]:
    if not found["runs"]:
        return [_row("edged", f"cannot run it: {found['refused']}"), _row("", found["hint"])]
    how = f"runs it with the decoder {found['decoder']} in {found['seconds'] * 1000:.2f} ms"
    verdict = _row("edged", f"{how} ({found['runtime']}, one thread, this computer)")
    if found["decoder"] == "activity":
        return [verdict]
    labels = found["labels"]
    found_none = "none inside; the config may give them"
    shown = f"{len(labels)}: {'; '.join(labels[:FEW])}"
    if len(labels) > FEW:
        shown += "; ... (--labels prints them all)"
    return [
        _row("labels", shown if labels else found_none),
        verdict,
    ]


for one in (list_, get, show):
    command.add_command(one)
models = command
