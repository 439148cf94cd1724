"""Does edged run, and does it count?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.doctor.words import several, span
from edged.errors import ControlError
from edged.view import WORDS

#: What a kernel needs for each part of a worker's sandbox.
WITHOUT: Final = {
    "landlock": "CONFIG_SECURITY_LANDLOCK, and landlock in lsm=",
    "early-landlock": "the program, its models and its recordings on a disk of its own, not on 9p",
    "seccomp": "CONFIG_SECCOMP_FILTER",
    "notification": "no other listener of seccomp around edged",
    "mm-map": "CONFIG_CHECKPOINT_RESTORE",
}
#: What helps one that gives nothing to be counted, by the word that status has for why.
REMEDIES: Final = {
    "dark": "light; if it is only night, nothing",
    "covered": "look at the lens: a cap, a hand, dew, a spider's web",
    "blurred": "wipe the lens, or focus it again",
    "moved": "turn it back, or draw its zones and lines anew: edged zones",
    "silent": "look at the microphone's switch, its cable, and alsamixer",
    "malformed": "look at what writes the lines: the numbers, their order, the channels' names",
}
RESTARTS: Final = 3  # of one worker, from which on it is worth a word


def examine(case: Case) -> Iterator[Finding]:
    """One finding for the service, one for each pipeline of it that does not run."""
    yield _service(case)
    for one in (case.status or {}).get("pipelines", ()):
        if trouble := _pipeline(case, one):
            yield trouble
        if lacks := one.get("sandbox_lacks"):
            yield _less_locked(one["name"], lacks)


def _service(case: Case) -> Finding:
    facts = {
        "installed": case.unit.installed,
        "active": case.unit["ActiveState"] or None,
        "enabled": case.unit["UnitFileState"] or None,
        "pid": case.daemon.pid if case.daemon else None,
        "restarts": int(case.unit["NRestarts"] or 0),
        "answers": case.status is not None,
    }
    if case.status is not None:
        return _running(case, case.status, facts)
    if case.unit.pid:
        return _silent(case, facts)
    if case.unit.installed:
        return _stopped(case, facts)
    if case.silent:
        error = case.status_error.message if case.status_error else ""
        return Finding("cannot tell", f"a daemon seems to run: {error}", fix=case.again, facts=facts)
    why = "there is no service edged.service here" if case.unit.systemd else "systemd does not run here"
    return Finding(
        "note",
        f"no daemon runs, and {why}",
        fix="edged run FILE; or install the service: sudo ./install.sh",
        facts=facts,
    )


def _running(case: Case, status: dict[str, Any], facts: dict[str, Any]) -> Finding:
    how = "as edged.service" if case.unit.pid == status["pid"] else "in the foreground"
    pipelines = status["pipelines"]
    at_work = sum(one["state"] in ("running", "ended") for one in pipelines)
    counted = f"{at_work} of {several(len(pipelines), 'pipeline')} at work"
    found = f"runs {how} for {span(status['uptime_s'])}, {counted}"
    facts |= {"uptime_s": status["uptime_s"], "pipelines": len(pipelines), "at_work": at_work}
    if facts["restarts"]:
        found += f"; systemd has restarted it {several(facts['restarts'], 'time')}"
        return Finding("warning", found, fix=case.log, facts=facts)
    if case.unit.installed and case.unit["NeedDaemonReload"] == "yes":
        return Finding(
            "warning",
            f"{found}; the unit's file was changed since",
            facts=facts,
            fix="sudo systemctl daemon-reload && sudo systemctl restart edged",
        )
    return Finding("ok", found, facts=facts)


def _silent(case: Case, facts: dict[str, Any]) -> Finding:
    """It runs, and does not answer us."""
    error = case.status_error or ControlError("it does not answer")
    if case.unit["ActiveState"] == "activating":
        return Finding(
            "note",
            f"starting: {case.unit['StatusText'] or case.unit['SubState']}",
            fix="ask again in a moment",
            facts=facts,
        )
    said = f"runs as edged.service (pid {case.unit.pid}); {case.unit['StatusText'] or 'it has no status'}"
    if case.shut_out:
        return Finding("ok", said, facts=facts)
    return Finding(
        "failed", f"{said}; but {error.message}", fix=f"{case.log}; then {case.restart}", facts=facts
    )


def _stopped(case: Case, facts: dict[str, Any]) -> Finding:
    state = case.unit["ActiveState"]
    if state == "failed" or case.unit["SubState"] == "auto-restart":
        said = f"edged.service fails: {case.unit['Result']}, exit status {case.unit['ExecMainStatus']}"
        return Finding("failed", said, fix=case.log, facts=facts)
    if case.unit["UnitFileState"] == "enabled":
        return Finding("warning", "edged.service is stopped", fix="sudo systemctl start edged", facts=facts)
    return Finding(
        "warning",
        "edged.service is stopped, and will be after a reboot",
        facts=facts,
        fix="sudo systemctl enable --now edged",
    )


def _less_locked(name: str, lacks: list[str]) -> Finding:
    """What the kernel cannot do for the worker's sandbox."""
    return Finding(
        "warning",
        f"its worker's sandbox lacks {' and '.join(lacks)}: this kernel has none",
        name,
        fix=f"a kernel with {' and '.join(WITHOUT.get(one, one) for one in lacks)}",
        facts={"sandbox_lacks": lacks},
    )


def _blind(case: Case, name: str, why: str, facts: dict[str, Any]) -> Finding:
    """Frames come, and are not counted: that is no lack of speed."""
    return Finding(
        "warning",
        f"{WORDS.get(why, 'it is')} ({why}): the time is blind, nothing is counted",
        name,
        fix=REMEDIES.get(why, case.log),
        facts=facts | {"sight": why},
    )


def _pipeline(case: Case, one: dict[str, Any]) -> Finding | None:
    """What is wrong with a pipeline, None when nothing is."""
    facts = {"state": one["state"], "why": one["why"], "restarts": one["restarts"]}
    if one["state"] == "refused":
        return Finding(
            "failed",
            f"refused: {one['why']}",
            one["name"],
            fix=f"mend that, then {case.reload}",
            facts=facts,
        )
    if one["state"] == "quarantined":
        return Finding(
            "failed",
            f"is set aside, {span(one['aside_s'])} left: {one['why']}",
            one["name"],
            fix=f"edged doctor source model; {case.log}; {case.reload} tries it at once",
            facts=facts,
        )
    if one["state"] in ("backoff", "lost"):
        lost = one["state"] == "lost"
        lacks, fix = ("camera", "plug it in again") if lost else ("worker", "edged doctor source model")
        return Finding(
            "failed",
            f"has no {lacks} now: {one['why']}",
            one["name"],
            facts=facts,
            fix=f"{fix}; {case.log}",
        )
    return _at_work(case, one, facts)


def _at_work(case: Case, one: dict[str, Any], facts: dict[str, Any]) -> Finding | None:
    """What is wrong with a pipeline that runs."""
    if one["restarts"] >= RESTARTS:
        return Finding(
            "warning",
            f"its worker was replaced {several(one['restarts'], 'time')}",
            one["name"],
            fix=case.log,
            facts=facts,
        )
    if why := one.get("sight"):
        return _blind(case, one["name"], why, facts)
    if one["state"] == "running" and one["fps"] is not None and one["fps"] < 0.8 * one["expected_fps"]:
        return Finding(
            "warning",
            f"{one['fps']:g} of {round(one['expected_fps'], 2):g} frames a second",
            one["name"],
            facts=facts,
            fix="a lower rate, a smaller model, or a cooler board: edged doctor temperature model",
        )
    return None
