"""``edged tune``"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli import candidates as names
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, loaded, print_json
from edged.cli.options import config_path as wanted_config
from edged.errors import ConfigError, ControlError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from edged.board.vitals import Vitals
    from edged.config.shape import Config
    from edged.tune.advice import Advice
    from edged.tune.bench import Candidate
    from edged.tune.course import Outcome

BAR: Final = 24  # columns
CURVE: Final = 6  # lines
DEFAULT: Final = 4.0  # minutes


@make(
    "tune",
    ("sudo systemctl stop edged; sudo edged tune", "measure, store, recommend; then start it again"),
    ("edged tune --pipeline street --minutes 10", "one pipeline, and longer: slow masses are told better"),
    ("sudo edged tune --apply", "and write the ladder into the config"),
    ("edged tune --simulated pi4-bare", "see what it does; needs neither board nor config"),
    ("edged tune --json > tuned.json", "for programs"),
)
@click.option(
    "--pipeline", metavar="NAME", shell_complete=names.pipelines, help="Whose models. Default: the first."
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.5, 60),
    default=DEFAULT,
    show_default=True,
    help="How long it may take; the longer, the surer.",
)
@click.option(
    "--simulated", metavar="BOARD", help="Measure a simulated board with stated costs; store nothing."
)
@click.option("--apply", is_flag=True, help="Write the recommended ladder into the config.")
@config_option
@json_option
def command(
    pipeline: str | None,
    minutes: float,
    simulated: str | None,
    apply: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Measure this board: what each model costs with 1, 2, ... threads, and how the board warms.

    Real workers run the pipeline's models on made-up frames, then all cores work until the time is over. Stop
    edged first: it would take part of the cores. It refuses to begin on a hot board and ends at 2 °C below
    where the board throttles. What it found is stored in the state directory (profile.json), from where the
    governor takes it at its next start, and a ladder is recommended. Ctrl-C ends it and stores nothing.
    """
    if simulated and apply:
        raise click.UsageError("--apply is for what was measured here, --simulated for what was not")
    from edged.tune import advice
    from edged.tune.course import Course

    page = Page(hush=as_json)
    config = None if simulated else loaded(config_path)
    name, bench, candidates = _stage(config, pipeline, simulated, page)
    page.heed()
    try:
        outcome = Course(bench, candidates, minutes, page.watch).run()
    except KeyboardInterrupt:
        page.clear()
        click.echo("stopped: nothing was stored", err=True)
        raise
    finally:
        page.clear()
        bench.close()
    qualities = {one.name: one.quality for one in candidates}
    found = advice.advised(outcome.profile.costs, qualities, outcome.refused)
    stored = _stored(config, outcome) if config else None
    applied = _applied(wanted_config(config_path), name, found) if apply else False
    if as_json:
        print_json(facts(name, outcome, found, stored, applied, page.remarks))
        return
    for line in shown(name, outcome, found):
        click.echo(line)
    click.echo()
    _farewell(stored, applied)


def _stage(
    config: Config | None, pipeline: str | None, simulated: str | None, page: Page
) -> tuple[str, Any, tuple[Candidate, ...]]:
    """Whose models, where, and which. Raises for what need not take minutes to be found out."""
    if config is None:
        from edged.tune import stated

        return pipeline or "street", stated.There(simulated or ""), stated.candidates()
    from edged.tune.bench import Here

    name = _named(config, pipeline)
    _writable(Path(config.daemon.state_dir))
    if _daemon_runs(config):
        page.remark("edged is running: its load disturbs what is measured. sudo systemctl stop edged")
    return name, Here(), candidates(config, name)


def _named(config: Config, pipeline: str | None) -> str:
    enabled = [name for name, one in config.pipelines.items() if one.enabled]
    if pipeline is None and enabled:
        return enabled[0]
    if pipeline not in config.pipelines:
        raise ConfigError(f'there is no pipeline "{pipeline}"', f"there are: {', '.join(config.pipelines)}")
    return str(pipeline)


def candidates(config: Config, name: str) -> tuple[Candidate, ...]:
    """The pipeline's models, dearest first, then those that no other pipeline has."""
    from edged.changes import BUILTIN, PREDEFINED
    from edged.governor.wants import qualities
    from edged.tune.bench import Candidate

    pipeline = config.pipelines[name]
    if pipeline.model not in config.models and pipeline.model in PREDEFINED:
        raise RefusedError(
            f"the pipeline {name} has no model to measure",
            "--pipeline names another one; without a model there is no ladder",
        )
    own = (pipeline.model, *pipeline.ladder)
    others = {
        model
        for one in config.pipelines.values()
        if one is not pipeline
        for model in (one.model, *one.ladder)
    }
    models = [config.models.get(one, BUILTIN) for one in own]
    found = [Candidate(*each, pipeline) for each in zip(own, models, qualities(models), strict=True)]
    named = all(one.quality for one in models)
    further = ((key, one) for key, one in config.models.items() if key not in own and key not in others)
    # A quality of the owner's compares with qualities of the owner's only.
    return (*found, *(Candidate(key, one, one.quality if named else 0.0, pipeline) for key, one in further))


def _writable(state: Path) -> None:
    """The state directory, or where it is going to be made: nothing is made before there is a profile."""
    there = next(one for one in (state, *state.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UnavailableError(
            f"{state}: you may not write there, where the profile is to be stored", "sudo edged tune"
        )


def _daemon_runs(config: Config) -> bool:
    from edged.control_client import NotRunning, ask

    try:
        ask(config.daemon.runtime_dir, "status")
    except NotRunning:
        return False
    except ControlError:
        pass  # it is there, and not for us to ask
    return True


def _stored(config: Config, outcome: Outcome) -> Path:
    from edged.governor import profile

    with suppress(OSError):  # saving tells why
        Path(config.daemon.state_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    return profile.save(config.daemon.state_dir, outcome.profile)


def _applied(path: Path, name: str, found: Advice) -> bool:
    from edged.tune import writing

    return writing.write(path, name, found.rungs)


# --- what people see


class Page:
    """A line of progress, for terminals, and remarks on stderr."""

    def __init__(self, hush: bool) -> None:
        self._hush, self._moving = hush, sys.stderr.isatty() and not hush
        self.remarks: list[str] = []
        self._stopped = False

    def heed(self) -> None:
        """Ctrl-C and SIGTERM end it at the next second, never in the middle of a worker's start: each is
        ended by who started it. A second Ctrl-C ends it at once.
        """
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def remark(self, text: str) -> None:
        """Something that spoils the numbers."""
        self.remarks.append(text)
        if not self._hush:
            click.echo(click.style(f"  {text}", fg="yellow"), err=True)

    def watch(self, text: str, done: float, now: Vitals) -> None:
        """For ``Course``. Raises ``KeyboardInterrupt`` when it is to end."""
        if self._stopped:
            raise KeyboardInterrupt
        if not self._moving:
            return
        filled = round(BAR * done)
        warm = "" if now.temperature is None else f"  {now.temperature:.1f} °C"
        bar = "█" * filled + "░" * (BAR - filled)
        click.echo(f"\r  {bar} {done:4.0%}{warm}  {text}\x1b[K", err=True, nl=False)

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._moving:
            click.echo("\r\x1b[K", err=True, nl=False)


def shown(name: str, outcome: Outcome, found: Advice) -> Iterator[str]:
    """All of it."""
    profile = outcome.profile
    yield click.style(f"{profile.board}, {profile.cores} cores", bold=True)
    yield ""
    yield from _costs(outcome, found)
    yield ""
    yield from _warming(outcome)
    for note in outcome.notes:
        yield click.style(f"  {note}", fg="yellow")
    yield ""
    yield from _recommended(name, found)


def _costs(outcome: Outcome, found: Advice) -> Iterator[str]:
    costs = outcome.profile.costs
    wide = max(map(len, (one.model for one in costs)))
    longest = max(one.latency for one in costs)
    chosen = {(one.model, one.threads) for one in found.rungs}
    yield click.style(f"  {'model':{wide}}  threads  {'ms a frame':>10}  core-ms     at most", bold=True)
    before = ""
    for one in costs:
        model, before = ("" if one.model == before else one.model), one.model
        bar = "█" * max(1, round(BAR * one.latency / longest))
        colour = "green" if (one.model, one.threads) in chosen else "cyan"
        most = f"{1 / one.latency:.0f}" if one.latency < 0.01 else f"{1 / one.latency:.3g}"
        numbers = f"{one.latency * 1e3:10.4g}  {one.cost * 1e3:7.4g}  {most:>6} fps"
        yield f"  {model:{wide}}  {one.threads:7}  {numbers}  {click.style(bar, fg=colour)}"


def _warming(outcome: Outcome) -> Iterator[str]:
    from edged.cli import chart
    from edged.cli.plots import LABEL, terminal_width

    said = [one.temperature for one in outcome.samples]
    known = [one for one in said if one is not None]
    if known:
        low, high = min(known), max(known)
        columns = chart.columns(
            chart.resampled(said, max(20, terminal_width() - LABEL - 4)), low, high, CURVE
        )
        for row, text in enumerate(columns):
            mark = f"{high:.1f} °C" if row == 0 else f"{low:.1f} °C" if row == CURVE - 1 else ""
            yield f"  {mark:>{LABEL}} ▏{click.style(text, fg='red')}".rstrip()
        seconds = outcome.samples[-1].time - outcome.samples[0].time
        yield f"  {'':{LABEL}}  {seconds:.0f} s: at rest, each model, then all cores"
    if outcome.fit:
        prior = outcome.fit.prior
        slow, fast = f"{3 * prior.slow / 60:.0f} min", f"{3 * prior.fast:.0f} s"
        rest = f"at rest {outcome.fit.rest:.0f} °C"
        added = f"{prior.fast_gain:.1f} °C in {fast}, {prior.slow_gain:.0f} °C more in {slow}"
        yield f"  all cores add {added}; {rest}"
        constants = f"time constants {prior.fast:.1f} s and {prior.slow:.0f} s"
        yield click.style(f"  {constants}, fitted to {outcome.fit.error:.2f} °C", dim=True)
    if outcome.profile.idle is not None:
        yield f"  {outcome.profile.idle:.2f} W at rest, all cores add {outcome.profile.dynamic:.2f} W"


def _recommended(name: str, found: Advice) -> Iterator[str]:
    from edged.cli.plots import terminal_width
    from edged.tune import advice

    if found.rungs:
        yield click.style("recommended, in place of what these tables have now:", bold=True)
        yield ""
        yield from (f"  {line}".rstrip() for line in advice.toml(name, found.rungs))
    for model, why in found.dropped:
        yield ""
        first, *further = textwrap.wrap(f"without {model}: {why}", max(40, terminal_width() - 4))
        yield f"  {first}"
        yield from (f"    {line}" for line in further)


def _farewell(stored: Path | None, applied: bool) -> None:
    if stored is None:
        click.echo("simulated: nothing was stored")
        return
    click.echo(f"{stored}: stored; the governor takes it at the next start of edged")
    click.echo("the ladder is in the config now" if applied else "edged tune --apply writes the ladder too")


def facts(
    name: str,
    outcome: Outcome,
    found: Advice,
    stored: Path | None,
    applied: bool,
    remarks: Sequence[str],
) -> dict[str, Any]:
    """For programs."""
    import msgspec

    return {
        "pipeline": name,
        "profile": msgspec.to_builtins(outcome.profile),
        "fit": None if outcome.fit is None else {"rest": outcome.fit.rest, "error": outcome.fit.error},
        "recommended": [
            {
                "model": one.model,
                "threads": one.threads,
                "quality": one.quality,
                "cost": one.cost,
                "latency": one.latency,
            }
            for one in found.rungs
        ],
        "dropped": dict(found.dropped),
        "notes": [*remarks, *outcome.notes],
        "stored": None if stored is None else str(stored),
        "applied": applied,
    }
