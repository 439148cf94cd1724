"""``edged doctor``"""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged import __version__
from edged.cli.options import command as make
from edged.cli.options import config_option, json_option, print_json
from edged.cli.options import config_path as wanted_config
from edged.doctor.register import CHECKS, NAMES
from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.doctor.case import Case
    from edged.doctor.finding import Finding, Progress
    from edged.doctor.register import Check

COLOURS: Final = {
    "ok": "green",
    "note": "cyan",
    "cannot tell": "magenta",
    "warning": "yellow",
    "failed": "red",
}
WIDE: Final = max(map(len, COLOURS))  # columns of a verdict
NAME: Final = max(map(len, NAMES))  # columns of a check's name
SHOWN_AFTER: Final = 0.3  # seconds of a check from which on its progress is shown


@make(
    "doctor",
    ("sudo edged doctor", "everything; as another user: what that may see"),
    ("edged doctor temperature voltage", "these checks alone"),
    ("sudo edged doctor --quick", "without reading the whole store"),
    ("edged doctor --json | jq '.findings[] | select(.verdict == \"failed\")'", "for programs"),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(NAMES))
@click.option("--quick", is_flag=True, help="Do not read every page of the store.")
@click.option("-v", "--verbose", is_flag=True, help="Show also what is well and small.")
@config_option
@json_option
def command(
    names: tuple[str, ...], quick: bool, verbose: bool, config_path: Path | None, as_json: bool
) -> int:
    """Look for what is wrong with this machine and its edged, and say how to mend it.

    Without a NAME all checks are run. It changes nothing, takes no picture and prints no secret. The exit
    code is 0 when nothing failed, 1 otherwise.
    """
    from edged.doctor.case import Case

    began = time.monotonic()
    case = Case(_config(config_path), quick=quick)
    chosen = [one for one in CHECKS if not names or one.name in names]
    if not as_json:
        click.echo(heading(case))
    outcomes = _run(case, chosen, Page(as_json, verbose))
    seconds = time.monotonic() - began
    if as_json:
        print_json(report(case, outcomes, seconds))
    else:
        click.echo()
        click.echo(summary([finding for _, finding, _ in outcomes], seconds))
    return 1 if any(finding.verdict == "failed" for _, finding, _ in outcomes) else 0


command.help = (
    cleandoc(command.help or "") + "\n\n\b\n" + "\n".join(f"{one.name:{NAME}}  {one.asks}" for one in CHECKS)
)

Outcome = tuple["Check", "Finding", float]


def _config(named: Path | None) -> Path | None:
    """The config that is meant; the doctor comes without one too."""
    try:
        return wanted_config(named)
    except ConfigError:
        return None


def _run(case: Case, chosen: list[Check], page: Page) -> list[Outcome]:
    """Check after check; each is told of as soon as it is done."""
    from edged.doctor import isolation
    from edged.doctor.register import examine

    outcomes: list[Outcome] = []
    for one in chosen:
        page.begin(one)
        check = partial(examine, one.name, case)
        found, seconds = isolation.run(one.name, check, one.limit, page.watch)
        page.end(found)
        outcomes += [(one, finding, seconds) for finding in found]
    return outcomes


# --- what people see


class Page:
    """What people see, growing. ``hush`` shows nothing; a line of progress is for terminals only."""

    def __init__(self, hush: bool, verbose: bool) -> None:
        self._hush, self._verbose = hush, verbose
        self._moving = sys.stderr.isatty() and not hush
        self._drawn = False
        self._check: Check | None = None

    def begin(self, check: Check) -> None:
        """What comes now is of this check."""
        if not self._hush and (self._check is None or check.group != self._check.group):
            click.echo("\n" + click.style(check.group, bold=True))
        self._check = check

    def watch(self, seconds: float, at: Progress, read: int) -> None:
        """For ``isolation.run``: one line that tells what takes so long."""
        if not self._moving or seconds < SHOWN_AFTER or self._check is None:
            return
        share = f" {min(99, 100 * read // at.size)} %" if at.size else ""
        text = f"  … {at.text or self._check.name}{share}, {seconds:.0f} s"
        click.echo("\r" + click.style(text[: _width() - 1], dim=True) + "\x1b[K", err=True, nl=False)
        self._drawn = True

    def end(self, found: list[Finding]) -> None:
        """The check is done."""
        if self._drawn:
            click.echo("\r\x1b[K", err=True, nl=False)
        self._drawn = False
        assert self._check is not None
        for one in found if not self._hush else ():
            if self._verbose or one.verdict != "ok" or not one.minor:
                click.echo(shown(self._check.name, one))


def heading(case: Case) -> str:
    """Who looks at what."""
    board = case.host.model() or case.host.system()
    who = f"as {case.caller.name}" + (
        "" if case.may_be_account else f", not as {case.account.name}: some things cannot be seen"
    )
    return f"{click.style(f'edged doctor {__version__}', bold=True)}  {board}, {who}"


def shown(name: str, one: Finding) -> str:
    """One finding: a line; what is wrong has more."""
    mark = click.style(f"{one.verdict:<{WIDE}}", fg=COLOURS[one.verdict], bold=one.verdict == "failed")
    what = f"{one.subject}: {one.found}" if one.subject else one.found
    first, *further = _wrapped(what)
    if one.subject and first.startswith(f"{one.subject}: "):
        first = click.style(one.subject, bold=True) + first.removeprefix(one.subject)
    left = " " * (WIDE + NAME + 6)
    lines = [f"  {mark}  {name:<{NAME}}  {first}", *(left + line for line in further)]
    for detail in one.details:
        lines += [left + click.style(line, dim=True) for line in _wrapped(detail)]
    if one.fix:
        lines += [left + click.style(line, fg="cyan") for line in _wrapped(one.fix, "-> ")]
    return "\n".join(lines)


def _wrapped(text: str, mark: str = "") -> list[str]:
    """What it prints was not all written by us: nothing in it may command the terminal."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    room = max(40, _width() - (WIDE + NAME + 6))
    return textwrap.wrap(
        plain,
        room,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _width() -> int:
    return min(140, shutil.get_terminal_size().columns)


def summary(findings: list[Finding], seconds: float) -> str:
    """The last line: how many of which."""
    counts = count(findings)
    words = [
        click.style(f"{number} {verdict}", fg=COLOURS[verdict], bold=verdict == "failed")
        for verdict, number in counts.items()
        if number
    ]
    verdict = "Nothing failed" if not counts["failed"] else "Something failed"
    return f"{click.style(verdict, bold=True)}: {', '.join(words)}; in {seconds:.1f} s"


# --- what programs see


def count(findings: list[Finding]) -> dict[str, int]:
    """How often each verdict was given."""
    return {verdict: sum(one.verdict == verdict for one in findings) for verdict in COLOURS}


def report(case: Case, outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    """The document that docs/doctor.md describes."""
    findings = [finding for _, finding, _ in outcomes]
    counts = count(findings)
    return {
        "edged": __version__,
        "good": not counts["failed"],
        "caller": {"name": case.caller.name, "uid": case.caller.uid},
        "service_user": {"name": case.account.name, "uid": case.account.uid},
        "config": str(case.config_path) if case.config_path else None,
        "seconds": round(seconds, 2),
        "counts": {verdict.replace(" ", "_"): number for verdict, number in counts.items()},
        "findings": [
            {
                "check": check.name,
                "group": check.group,
                "subject": finding.subject or None,
                "verdict": finding.verdict,
                "found": finding.found,
                "details": list(finding.details),
                "fix": finding.fix or None,
                "seconds": round(took, 2),
                "facts": finding.facts,
            }
            for check, finding, took in outcomes
        ],
    }
