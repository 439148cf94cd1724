"""Is the config right, and is it the one that the daemon runs by?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.doctor.words import several, span


def examine(case: Case) -> Iterator[Finding]:
    """One finding for the file, one for what is in force."""
    if case.config_path is None:
        yield _none(case)
        return
    facts: dict[str, object] = {"file": str(case.config_path)}
    if case.problems:
        yield _wrong(case, facts)
    elif case.config_error is not None:
        yield _unreadable(case, facts)
    else:
        yield _right(case, facts)
    if case.status is not None and not case.config_error:
        yield _in_force(case)


def _none(case: Case) -> Finding:
    fix = "name one with --config FILE; config/edged.toml shows every key"
    if case.unit.installed:
        return Finding("failed", "the service has no config: /etc/edged/edged.toml is not there", fix=fix)
    return Finding("note", "there is no config here: the checks look at the usual places", fix=fix)


def _wrong(case: Case, facts: dict[str, object]) -> Finding:
    return Finding(
        "failed",
        f"{case.config_path}: {several(len(case.problems), 'problem')}",
        fix=f"edged check {case.config_path}",
        details=tuple(map(str, case.problems[:20])),
        facts=facts | {"problems": [str(one) for one in case.problems]},
    )


def _unreadable(case: Case, facts: dict[str, object]) -> Finding:
    assert case.config_error is not None
    if case.config_path and _forbidden(case):
        return Finding(
            "cannot tell",
            f"{case.config_path} is not for this user to read; the checks look at the usual places",
            fix=f"{case.again}, or join the group edged: sudo adduser {case.caller.name} edged",
            facts=facts,
        )
    return Finding("failed", case.config_error.message, fix=case.config_error.hint, facts=facts)


def _forbidden(case: Case) -> bool:
    try:
        with case.config_path.open("rb"):  # type: ignore[union-attr]
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def _right(case: Case, facts: dict[str, object]) -> Finding:
    enabled, every = len(case.pipelines()), len(case.config.pipelines)
    idle = "" if enabled == every else f", {enabled} of them enabled"
    return Finding(
        "ok" if enabled else "warning",
        f"{case.config_path} is right: {several(every, 'pipeline')}{idle}",
        fix="" if enabled else "set enabled = true in one of them",
        facts=facts | {"problems": [], "pipelines": every, "enabled": enabled},
    )


def _in_force(case: Case) -> Finding:
    """The daemon tells when it last read the file, and what of it waits or was refused."""
    assert case.status is not None and case.config_path is not None
    told = case.status.get("config", {})
    fix = case.reload
    if told.get("file", str(case.config_path.absolute())) != str(case.config_path.absolute()):
        return Finding(
            "note",
            f"the daemon runs by another file: {told['file']}",
            "in force",
            fix=f"edged doctor --config {told['file']}",
            facts={"file": told["file"]},
        )
    if refused := told.get("refused"):
        return Finding(
            "failed",
            f"the daemon has refused it and runs by the one before: {refused}",
            "in force",
            fix=f"edged check {case.config_path}, mend it, then {fix}",
            facts={"refused": refused},
        )
    if waiting := told.get("waits_for_restart"):
        return Finding(
            "warning",
            f"in force only after a restart: {', '.join(waiting)}",
            "in force",
            fix=case.restart,
            facts={"waits_for_restart": waiting},
        )
    read_age = told.get("read_age_s", told.get("loaded_age_s", case.status["uptime_s"]))
    changed_age = time.time() - case.config_path.stat().st_mtime
    facts = {"read_age_s": read_age, "changed_age_s": round(changed_age, 1)}
    if changed_age > read_age - 0.3:
        return Finding(
            "ok",
            "the daemon runs by it: it was not changed since it was read",
            "in force",
            facts=facts,
            minor=True,
        )
    said = f"the file was changed {span(changed_age)} ago, after the daemon had read it"
    return Finding("warning", said, "in force", fix=fix, facts=facts)
