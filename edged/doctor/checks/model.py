"""Does each model load for the service, and how long does one inference take here?"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from edged.config.shape import Model
from edged.doctor.case import Case, ladder
from edged.doctor.finding import Finding, Progress, Verdict
from edged.doctor.trial import ask, whose
from edged.doctor.unconfigured import unconfigured
from edged.doctor.visibility import MOVE, hidden
from edged.doctor.words import size
from edged.numerals import short
from edged.units import NO_MODEL

PATIENCE: Final = 60.0  # seconds for one model; the catalogue's largest needs six on a Pi 3
DEARER: Final = 1.1  # times as slow as the rung above: no timing error any more


def examine(case: Case) -> Iterator[Finding | Progress]:
    """One finding for each model that an enabled pipeline uses or may step down to, one for each pipeline
    whose measures it cannot give, and one for each ladder that is in the wrong order.
    """
    if not case.models():
        yield unconfigured(case, "no model is tried")
    times: dict[str, float] = {}
    for name, model in case.models().items():
        yield Progress(f"model {name}")
        found = _model(case, name, model)
        if "seconds" in found.facts:
            times[name] = found.facts["seconds"]
        unsuited = found.facts.pop("unsuited", {})
        yield found
        for pipeline, (said, fix) in unsuited.items():
            yield Finding("failed", said, pipeline, fix=fix, facts={"model": name})
    for name, pipeline in case.pipelines().items():
        if pipeline.ladder:
            yield from _ordered(name, ladder(pipeline), times)


def _ordered(name: str, names: tuple[str, ...], times: dict[str, float]) -> Iterator[Finding]:
    """A rung that is slower than the one above it brings nothing and costs quality."""
    known = [one for one in names if one in times]
    wrong = [
        f"{below} is slower than {above}: {slower} and {faster} ms a frame"
        for above, below in itertools.pairwise(known)
        if times[below] > DEARER * times[above]
        for slower, faster in [[short(times[one] * 1e3, 3) for one in (below, above)]]
    ]
    facts = {"ladder": {one: times.get(one) for one in names}}
    if wrong:
        said = f"its ladder is not dearest first: {'; '.join(wrong)}"
        yield Finding("warning", said, name, fix=f"edged tune --pipeline {name}", facts=facts)
    elif len(known) == len(names):
        yield Finding("ok", f"ladder {' -> '.join(names)}, each faster", name, facts=facts, minor=True)


def _model(case: Case, name: str, model: Model) -> Finding:
    facts: dict[str, Any] = {"file": model.file}
    if model.file == NO_MODEL:
        return Finding("ok", "no model: a sensor's numbers as they are", name, facts=facts, minor=True)
    if not model.file.startswith("builtin:") and (why := hidden(case, model.file)):
        return Finding(
            "failed", f"{model.file}: {why}", name, fix=MOVE.format(case.account.name), facts=facts
        )
    measures = {
        one: msgspec.to_builtins(pipeline.measures)
        for one, pipeline in case.pipelines().items()
        if name in ladder(pipeline)
    }
    found = ask(case, "model", PATIENCE, model=msgspec.to_builtins(model), measures=measures)
    if found.refused:
        facts["refused"] = found.refused
        if found.errno and not case.may_be_account:
            return Finding(
                "cannot tell", f"{model.file}: not for this user to try", name, fix=case.again, facts=facts
            )
        said = found.refused if model.file in found.refused else f"{model.file}: {found.refused}"
        verdict: Verdict = "cannot tell" if found.untried else "failed"
        return Finding(verdict, said, name, fix=found.hint or f"edged models show {model.file}", facts=facts)
    facts |= found.facts
    return _loaded(case, name, model, facts)


def _loaded(case: Case, name: str, model: Model, facts: dict[str, Any]) -> Finding:
    decoder = facts["gives"]
    milliseconds = facts["seconds"] * 1000
    threads = f", {model.threads} threads" if model.threads > 1 else ""
    labels = f", {facts['labels']} labels" if facts["labels"] else ""
    pace = f"{short(milliseconds, 3)} ms a frame on the CPU ({facts['runtime']}{threads})"
    found = f"{pace}, {decoder}{labels}, {size(facts['memory'])} of memory"
    if lacks := facts.get("lacking"):
        found += f"; tried less locked up: this kernel has no {' and '.join(lacks)}"
    facts |= {"decoder": decoder, "catalogue": known_as(facts["sha256"])}
    if wrong := _changed(model.file, facts):
        return Finding("failed", wrong, name, fix=f"edged models get {facts['meant']}", facts=facts)
    if facts["catalogue"]:
        found += f"; the catalogue's {facts['catalogue']}"
    if slow := _slow(case, name, facts["seconds"]):
        return Finding(
            "warning",
            f"{found}; {slow}",
            name,
            fix="a lower rate, more threads, or a smaller model",
            facts=facts,
        )
    if (remark := whose(case)) and not _readable(case, model.file):
        return Finding("note", f"{found}; {remark}", name, fix=case.again, facts=facts)
    return Finding("ok", found, name, facts=facts)


def _readable(case: Case, file: str) -> bool:
    """Whether the modes let the service's user read it."""
    return file.startswith("builtin:") or case.account_may(case.host.place(file), os.R_OK)


def known_as(sha256: str) -> str:
    """The catalogue's name for these very bytes, "" for a model that is not from there."""
    from edged.models.catalogue import catalogue

    return next((name for name, one in catalogue().items() if one.sha256 == sha256), "")


def _changed(file: str, facts: dict[str, Any]) -> str:
    """A file that has a name of the catalogue's and other bytes: damaged, or exchanged."""
    from edged.models.catalogue import catalogue

    meant = next((name for name, one in catalogue().items() if one.file == file.rpartition("/")[2]), "")
    if meant in ("", facts["catalogue"]):
        return ""
    facts["meant"] = meant
    return f"{file} is not the catalogue's {meant}: it has other bytes (SHA-256 {facts['sha256'][:12]}…)"


def _slow(case: Case, name: str, seconds: float) -> str:
    """Whether a pipeline asks for more than this board can do. A model that has cheaper ones below it on a
    ladder may be slower than the rate, but not than the least rate: it would never be used.
    """
    asked = [
        (one.rate if ladder(one)[-1] == name else one.least_rate, pipeline)
        for pipeline, one in case.pipelines().items()
        if name in ladder(one)
    ]
    rate, pipeline = max(asked, default=(0.0, ""))
    if rate * seconds < 0.9:
        return ""
    return f"too slow for the {rate:g} frames a second of {pipeline}: {1 / seconds:.2g} at most"
