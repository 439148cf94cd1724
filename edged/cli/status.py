"""``edged status``"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json
from edged.cli.words import age, made, series_name, size, value
from edged.numerals import short
from edged.view import WORDS

WAITS = 0.01  # of the time, from which on it is told that something waits

COLOURS = {"running": "green"} | dict.fromkeys(("starting", "ended"), "cyan")
COLOURS |= dict.fromkeys(("paused", "backoff", "lost"), "yellow")


@make(
    "status",
    ("edged status", "a few lines"),
    ("edged status --json | jq '.pipelines[].state'", "for programs"),
)
@config_option
@json_option
def command(config_path: Path | None, as_json: bool) -> None:
    """What the running daemon does: its clock, its store, and each pipeline with what it counts now."""
    from edged.cli.contact import connected

    with connected(config_path) as client:
        facts = client.ask("status")
    if as_json:
        print_json(facts)
    else:
        for line in lines(facts):
            click.echo(line)


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """The few lines."""
    yield (
        click.style(f"edged {facts['version']}", bold=True)
        + f"  pid {facts['pid']}, up {age(facts['uptime_s'])}, {readiness(facts['ready'])}"
    )
    yield f"  config {config(facts['config'])}"
    for key, text in config_troubles(facts["config"]):
        yield f"         {click.style(f'{key}: {text}', fg='yellow')}"
    yield f"  clock  {clock(facts['clock'])}"
    if told := ", ".join(board(facts["board"])):
        yield f"  board  {told}"
    if told := ", ".join(load(facts)):
        yield f"  load   {told}"
    if why := held_back(facts):
        yield f"         {click.style(f'held back: {why}', fg='yellow')}"
    yield f"  store  {facts['store']['file']}: {store(facts['store'])}"
    for pipeline in facts["pipelines"]:
        yield from pipeline_lines(pipeline)


def readiness(ready: bool) -> str:
    """Whether every pipeline counts or says why not."""
    return click.style("ready", fg="green") if ready else click.style("not ready yet", fg="yellow")


def config(facts: dict[str, Any]) -> str:
    """Which one is in force, and since when."""
    return f"{facts['file']}, in force since {age(facts['loaded_age_s'])}"


def config_troubles(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What of its file is not in force, and why."""
    if facts["refused"]:
        yield "the file is refused, an older one is in force", facts["refused"]
    if facts["waits_for_restart"]:
        yield "needs a restart", ", ".join(facts["waits_for_restart"])


def clock(facts: dict[str, Any]) -> str:
    """Whether the time is believed."""
    word = "right" if facts["good"] else click.style("not known to be right yet", fg="yellow")
    return f"{word} ({facts['why']})" if facts["why"] else word


def board(facts: dict[str, Any]) -> Iterator[str]:
    """Heat, power and what they allow, as far as they are known."""
    if facts["name"] != "auto":
        yield facts["name"]
    if facts["celsius"] is not None:
        aim = "" if facts["target"] is None else f" (target {facts['target']:g})"
        yield f"{facts['celsius']:.1f} °C{aim}"
    if facts["blind"]:
        yield facts["blind"]
    elif facts["celsius"] is None and facts["governed"]:
        yield "no temperature sensor"
    if facts["case"] is not None:
        yield f"case {facts['case']:.1f} °C"
    if facts["budget"] is not None and facts["budget"] < 1.0:
        yield f"budget {short(facts['budget'] * 100, 2)} %"
    elif not facts["governed"]:
        yield "not governed"
    if facts["clock"] is not None and facts["clock"] < 1.0:
        yield f"clock {facts['clock'] * 100:.0f} %"
    if facts["under_voltage"]:
        yield "under-voltage"
    if facts["watts"] is not None:
        yield f"{facts['watts']:.1f} W"
    if facts["battery"] is not None:
        draining = {True: " and draining", False: " and charging", None: ""}[facts["draining"]]
        yield f"battery {facts['battery'] * 100:.0f} %{draining}"


def load(facts: dict[str, Any]) -> Iterator[str]:
    """How busy the machine is and how much of that is edged; memory; whether anything waits. As far as it is
    known.
    """
    told = facts["board"]
    if told["busy"] is not None:
        own = "" if told["own"] is None else f", edged {told['own'] * 100:.0f} %"
        yield f"CPU {told['busy'] * 100:.0f} %{own}"
    taken = [one for one in (facts["memory"], *(one["memory"] for one in facts["pipelines"])) if one]
    if told["memory"] is not None:
        own = f", edged {size(sum(taken))}" if taken else ""
        yield f"{size(told['memory'])} of memory free{own}"
    named = {"pressure": "CPU", "memory_pressure": "memory", "io_pressure": "I/O"}
    waits = [f"{name} {told[key] * 100:.0f} %" for key, name in named.items() if (told[key] or 0.0) >= WAITS]
    if waits:
        yield f"waiting for {', '.join(waits)}"


def course(one: dict[str, Any] | None) -> str:
    """What the governor lets a pipeline do, when that is neither all that was asked nor nothing (that is its
    state); "" otherwise.
    """
    if one is None or one["share"] <= 0.0 or (one["rung"] == 0 and one["share"] >= 1.0):
        return ""
    rung = f"rung {one['rung'] + 1} of {one['of']} ({one['model']}), " if one["of"] > 1 else ""
    why = f": {one['because']}" if one["because"] else ""
    share, rate = short(one["share"] * 100, 2), short(one["rate"], 3)
    pace = f"{share} % of its speed" if one["recorded"] else f"{rate} fps allowed"
    return f"{rung}{pace}{why}"


def held_back(facts: dict[str, Any]) -> str:
    """Why, where any pipeline is; a budget that nobody misses is no news."""
    courses = [one["course"] for one in facts["pipelines"] if one["course"]]
    held = any(one["share"] < 1.0 or one["rung"] for one in courses)
    return str(facts["board"]["because"]) if held else ""


def store(facts: dict[str, Any]) -> str:
    """How large it is and how fresh."""
    last = facts["last_commit_age_s"]
    written = "not written yet" if last is None else f"written {age(last)} ago"
    return f"{size(facts['bytes'])}, {written}, {facts['pending_buckets']} buckets waiting"


def pipeline_lines(one: dict[str, Any]) -> Iterator[str]:
    """One pipeline: what it is, how it goes, and a line for each series."""
    state = click.style(one["state"], fg=COLOURS.get(one["state"], "red"))
    yield ""
    yield f"{click.style(one['name'], bold=True)}  {state}  {one['source']} -> {one['model']}{engine(one)}"
    if one["why"]:
        yield f"  {click.style(one['why'], fg='yellow')}"
    if (left := one.get("aside_s")) is not None:
        yield f"  tried again in {age(left)}"
    if pace := "  ".join(paces(one)):
        yield f"  {pace}"
    if held := course(one["course"]):
        yield f"  {click.style(held, fg='yellow')}"
    if since := made([one["made"]]):
        yield f"  since it began: {since}"
    if one["cpu_because"]:
        yield f"  on the CPU: {one['cpu_because']}"
    if one.get("sight"):
        yield f"  {click.style(blind(one), fg='yellow')}"
    if lacks := one.get("sandbox_lacks"):
        yield click.style(f"  its sandbox lacks {' and '.join(lacks)}: this kernel has none", fg="yellow")
    width = max((len(series_name(series)) for series in one["series"]), default=0)
    for series in one["series"]:
        low, high = value(series["min"], series["unit"]), value(series["max"], series["unit"])
        span = f"  ({low} to {high})" if series["now"] is not None and low != high else ""
        span = span if series.get("today") is None else "  today"
        yield f"  {series_name(series):{width}}  {now(series):>8}{span}"


def now(series: dict[str, Any]) -> str:
    """What it is now; of what is counted, how often it happened today."""
    return value(series["now"], series["unit"]) if series.get("today") is None else str(series["today"])


def blind(one: dict[str, Any]) -> str:
    """Why nothing of it is counted; "" if it is."""
    why = one.get("sight", "")
    return f"{WORDS.get(why, 'it is')} ({why}): the time is blind, nothing is counted" if why else ""


def engine(one: dict[str, Any]) -> str:
    """What the model runs on, once it does."""
    return f" on {one['delegate']} ({one['runtime']})" if one["delegate"] else ""


def paces(one: dict[str, Any]) -> Iterator[str]:
    """Rates and times, as far as they are known."""
    if one["fps"] is not None:
        wanted = f" of {round(one['expected_fps'], 2):g}" if one["expected_fps"] else ""
        yield f"{one['fps']:g}{wanted} fps"
    if one["infer_ms"]:
        yield f"{short(one['prepare_ms'], 2)} + {short(one['infer_ms'], 2)} ms a frame"
    if one["cpu"] is not None:
        yield f"CPU {one['cpu'] * 100:.0f} %"
    if one["memory"]:
        yield size(one["memory"])
    if total := one.get("dropped_total", one["dropped"]):
        yield f"{one['dropped']} dropped, {total} since it began"
    if one["restarts"]:
        yield f"{one['restarts']} restarts"
