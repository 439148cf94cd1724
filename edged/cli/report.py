"""``edged report``"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edged.cli import candidates
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, loaded, print_json

if TYPE_CHECKING:
    from edged.config.shape import Config


def _span(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """``90s``, ``1h``, ``7d`` in seconds, above 0."""
    from edged.config import duration

    if text is None:
        return None
    try:
        seconds = duration.seconds(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise click.BadParameter(f'"{text}" is no duration: 90s, 5m, 1h, 7d, 1y', ctx, param)
    return seconds


def _several(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    names = getattr(candidates, f"{name}s")
    return click.option(
        f"--{name}", f"{name}s", multiple=True, metavar="NAME", help=text, shell_complete=names
    )


@make(
    "report",
    ("edged report", "the last day"),
    ("edged report --last 1h --measure presence", "the last hour of one measure"),
    ("edged report --from 2026-03-01 --to 2026-04-01 --every 1d --table", "a month, day by day"),
    ("edged report --all", "all there is: for a recording with dates of its own"),
    ("edged report --last 7d --csv > week.csv", "for a spreadsheet"),
    ("edged report --png day.png", "a picture (needs the extra `edged[png]`)"),
)
@config_option
@click.option(
    "--last", callback=_span, metavar="TIME", help="So long back from now: 1h, 1d (the default), 7d."
)
@click.option("--all", "everything", is_flag=True, help="Everything that the store holds.")
@click.option("--from", "start", metavar="WHEN", help="2026-03-01, 2026-03-01T08:00, or with an offset.")
@click.option("--to", "end", metavar="WHEN", help="The end, likewise; by default now.")
@click.option(
    "--every", callback=_span, metavar="TIME", help="The step: 1m, 15m, 1h, 1d. By default what fits."
)
@_several("pipeline", "Only this pipeline; may be repeated, as the next three.")
@_several("measure", "Only this measure.")
@_several("label", "Only this label.")
@_several("zone", "Only this zone, or line: gate is both its ways, gate:in one of them.")
@click.option("--table", is_flag=True, help="Numbers slot by slot instead of plots.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: one line a slot and series.")
@click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw a picture."
)
def command(
    config_path: Path | None, table: bool, as_json: bool, as_csv: bool, png: Path | None, **asked: Any
) -> int:
    """What was counted. Asks the daemon if it runs; otherwise opens the store itself, with its key.

    Each number says over how much of the time it was seen: what was not observed is a gap, not a zero.
    """
    if sum((table, as_json, as_csv, png is not None)) > 1:
        raise click.UsageError("--table, --json, --csv and --png each say how it is told: give one of them")
    answer = fetched(config_path, question(config_path, **asked))
    lacking = any(_unmatched(answer["series"], asked))
    held = fetched(config_path, {"everything": True})["series"] if lacking else []
    misnamed = lacking and _misnamed(config_path, held, asked)
    if as_json:
        print_json(answer)
    elif as_csv:
        from edged.cli.export import csv_lines

        for line in csv_lines(answer):
            click.echo(line)
    elif png:
        from edged.cli.export import save_png

        save_png(answer, png)
        click.echo(f"{png}: {len(answer['series'])} series")
    elif lacking and not answer["series"]:
        _tell(held)
    else:
        show(answer, table)
    return 2 if misnamed else 0


FILTERS = ("pipelines", "measures", "labels", "zones")


def _tell(held: list[dict[str, Any]]) -> None:
    """Nothing was counted of what was asked for: what there is."""
    from edged.enquiry import printable

    click.echo("nothing was counted of that series in that time")
    click.echo("  " + ("the store holds:" if held else "the store is empty"))
    for one in held:
        names = (f"--{key} {one[key]}" for key in ("pipeline", "measure", "label", "zone") if one[key])
        click.echo(f"    {printable(' '.join(names))}")


def _unmatched(series: list[dict[str, Any]], asked: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Option and name of each that none of the series has."""
    for key in FILTERS:
        one = key.removesuffix("s")
        known = {each[one] for each in series}
        known |= {name.partition(":")[0] for name in known} if one == "zone" else set()
        yield from ((one, name) for name in asked[key] if name not in known)


def _misnamed(named: Path | None, held: list[dict[str, Any]], asked: dict[str, Any]) -> bool:
    """Whether a name was asked for that neither the store nor the config knows; which, and what may be meant,
    is told on stderr.
    """
    from edged.cli import complain
    from edged.config.consistency import KINDS
    from edged.config.problem import likely, shown

    series = [*held, *_configured(named)]
    unknown = list(_unmatched(series, asked))
    kinds = {kind for given in KINDS.values() for kind in given}
    for one, name in unknown:
        known = {each[one] for each in series} | (kinds if one == "measure" else set())
        near = likely(name, tuple(sorted(known - {name, ""})))
        complain(f"--{one} {shown(name)}: there is none such", near)
    return bool(unknown)


def _configured(named: Path | None) -> Iterator[dict[str, Any]]:
    """The series that the config asks for; none where it is wrong now."""
    import msgspec

    from edged.errors import ConfigError
    from edged.series import series_of

    try:
        config = loaded(named)
    except ConfigError:
        return
    for name, pipeline in config.pipelines.items():
        yield from map(msgspec.structs.asdict, series_of(name, pipeline))


def question(
    named: Path | None,
    last: float | None,
    everything: bool,
    start: str | None,
    end: str | None,
    every: float | None,
    **filters: tuple[str, ...],
) -> dict[str, Any]:
    """The options as the daemon's question. Raises ``click.UsageError`` for what contradicts itself."""
    if sum((last is not None, everything, start is not None)) > 1 or (everything and end):
        raise click.UsageError("--last, --all and --from each say what time is meant: give one of them")
    asked: dict[str, Any] = {key: list(value) for key, value in filters.items() if value}
    asked |= {"everything": True} if everything else {}
    asked |= {"start": _moment(named, start)} if start else {}
    asked |= {"to": _moment(named, end)} if end else {}
    asked |= {"last": last} if last is not None else {}
    asked |= {"every": every} if every is not None else {}
    return asked


def _moment(named: Path | None, text: str) -> float:
    """Epoch seconds; without an offset the config's zone is meant."""
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f'"{text}" is no date: 2026-03-01, 2026-03-01T08:00, 2026-03-01T08:00+01:00'
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=_zone(named))
    return parsed.timestamp()


def _zone(named: Path | None) -> datetime.tzinfo:
    """Of the config, or of the daemon that runs while its config is wrong."""
    from edged import clock
    from edged.cli.contact import connected
    from edged.errors import ConfigError

    try:
        return clock.zone(loaded(named).clock.timezone)
    except ConfigError:
        with connected(named) as client:
            return clock.zone(client.ask("report", last=1.0)["timezone"])


def fetched(named: Path | None, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer: the daemon's, also while the config is wrong by now; or one's own where none runs (a
    recording was read to its end).
    """
    from edged.cli.contact import connected
    from edged.control_client import NotRunning

    try:
        with connected(named) as client:
            return client.ask("report", **asked)
    except NotRunning:
        return own(loaded(named), asked)


def own(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer out of the store, opened read-only. Raises ``StoreError``."""
    from edged import report
    from edged.clock import zone
    from edged.errors import StoreError
    from edged.store import keys, rotation

    place = Path(config.store.file)
    if not keys.exists(config) and not keys.there(place):
        raise StoreError(f"nothing was counted here yet: there is no store {place}", "edged run makes it")
    days = zone(config.clock.timezone)
    with (
        keys.ring(config) as ring,
        rotation.reading(place, ring, keep=config.store.keep, zone=days) as store,
    ):
        return report.answered(store, asked, days)


def show(answer: dict[str, Any], table: bool) -> None:
    """For people."""
    from edged.cli import plots

    if not answer["coverage"]:
        click.echo(f"nothing was counted {plots.period(answer)}")
        if answer["holds"]:
            click.echo(f"  the store holds {plots.words(answer['holds'])}: edged report --all")
        if answer["undated"]:
            click.echo(
                f"  {answer['undated']} buckets wait for their dates: the clock is not known to be right yet"
            )
            click.echo(
                '  [clock] trust = "always" believes it at once; a recording may have a start of its own'
            )
        return
    if table:
        from edged.cli import slots

        slots.print_table(answer)
        return
    for line in plots.lines(answer, plots.terminal_width()):
        click.echo(line)
