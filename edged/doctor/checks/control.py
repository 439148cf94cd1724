"""Can the daemon be asked, and by whom?"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged.doctor.case import Case
from edged.doctor.finding import Finding

MODE: Final = 0o660


def examine(case: Case) -> Iterator[Finding]:
    """One finding."""
    path = case.socket
    facts: dict[str, object] = {"path": str(path), "answers": case.status is not None}
    try:
        about = path.stat()
    except PermissionError:
        yield _outside(case, path.parent, facts)
        return
    except OSError:
        yield _absent(case, path, facts)
        return
    group = _group(about.st_gid)
    mode = stat.S_IMODE(about.st_mode)
    facts |= {
        "mode": f"{mode:04o}",
        "group": group,
        "owner": about.st_uid,
        "member": _member(case, about.st_gid),
    }
    if case.status is None and case.shut_out:
        yield _outside(case, path, facts)
    elif case.status is None:
        said = case.status_error.message if case.status_error else "it does not answer"
        yield Finding("failed", said, fix=f"{case.restart}; {case.log}", facts=facts)
    elif mode & 0o007:
        yield Finding(
            "failed",
            f"{path} has mode {mode:04o}: everybody may ask, not only the group {group}",
            fix=f"sudo chmod {MODE:04o} {path}; edged makes it so: who has changed it?",
            facts=facts,
        )
    else:
        yield Finding("ok", f"{path} answers; mode {mode:04o}: {_who(case, about, group)}", facts=facts)


def _who(case: Case, about: os.stat_result, group: str) -> str:
    others = f"root and {case.account.name}" if case.account.uid else "root"
    may = f"the group {group} may ask, {others} may change things"
    if case.caller.uid == 0:
        return may
    return (
        f"{may}; you ({case.caller.name}) are its owner"
        if case.caller.uid == about.st_uid
        else f"{may}; you are in it"
    )


def _absent(case: Case, path: Path, facts: dict[str, object]) -> Finding:
    if case.unit.pid:
        return Finding(
            "failed",
            f"the service runs without {path}",
            facts=facts,
            fix="is runtime_dir in the config /run/edged? sudo systemctl restart edged",
        )
    return Finding(
        "note",
        f"there is no {path}, as no daemon runs by this config",
        facts=facts,
        fix="sudo systemctl start edged, or edged run FILE" if case.unit.installed else "edged run FILE",
    )


def _outside(case: Case, path: Path, facts: dict[str, object]) -> Finding:
    """A stranger, perhaps one who has joined the group and not logged in since."""
    name = _group_of(path)
    joined = name and case.caller.name in _members(name)
    if joined:
        fix = f"you are in the group {name}, but not since you logged in: log out and in, or: newgrp {name}"
    elif name in ("", "root"):
        fix = case.again
    else:
        fix = f"sudo adduser {case.caller.name} {name}, then log out and in; or {case.again}"
    return Finding(
        "cannot tell",
        f"this user ({case.caller.name}) may not ask the daemon",
        fix=fix,
        facts=facts | {"joined": joined},
    )


def _member(case: Case, gid: int) -> bool:
    return gid in (case.caller.gid, *case.caller.groups)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_of(path: Path) -> str:
    try:
        return _group(path.stat().st_gid)
    except OSError:
        return ""


def _members(group: str) -> list[str]:
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return []
