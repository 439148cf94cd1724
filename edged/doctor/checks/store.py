"""Does the key open the store, is every page of it whole, and is it written?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edged.doctor.case import Case
from edged.doctor.finding import Finding, Progress
from edged.doctor.words import several, size, span
from edged.errors import KeyRefusedError, StoreError

if TYPE_CHECKING:
    from edged.store import Store

LATE: Final = 3.0  # commit intervals without a commit


def examine(case: Case) -> Iterator[Finding | Progress]:
    """One finding for the file, one for how fresh it is."""
    if case.status is not None:
        yield _freshness(case, case.status["store"])
    path = Path(case.config.store.file)
    try:
        there = path.exists()
    except PermissionError:  # the service's own folder: opening it says what that means
        there = True
    if not there:
        yield _absent(case, path)
        return
    try:
        yield from _opened(case, path)
    except KeyRefusedError as error:
        yield _not_ours(case, path, error)
    except StoreError as error:
        if case.may_be_account:
            yield Finding("failed", error.message, fix=error.hint, facts={"file": str(path), "whole": False})
        else:
            yield _not_ours(case, path, error)


def _absent(case: Case, path: Path) -> Finding:
    facts = {"file": str(path), "bytes": 0}
    if case.status is not None:
        return Finding(
            "failed",
            f"the daemon runs, and its store {path} is not there",
            fix=case.log,
            facts=facts,
        )
    return Finding("ok", f"there is no store yet: {path} is made at the first start", facts=facts)


def _opened(case: Case, path: Path) -> Iterator[Finding | Progress]:
    """As `edged report` reads it: the daemon is not disturbed and waits for nothing."""
    from edged.store import keys, rotation

    with keys.ring(case.config) as ring, rotation.reading(path, ring, keep=case.config.store.keep) as store:
        facts: dict[str, Any] = {"file": str(path), "bytes": store.size(), "span": _span(store)}
        if case.quick:
            yield Finding(
                "ok",
                f"{_found(path, facts)}; the key opens it, its pages were not read (--quick)",
                facts=facts,
            )
            return
        yield Progress("store: every page is read", 2 * store.size())  # its seals first, then its trees
        damage = store.verify()
    facts |= {"whole": not damage, "damage": len(damage)}
    if damage:
        # What SQLite says may hold names of tables, never what is in them.
        yield Finding(
            "failed",
            f"{path} is damaged: {several(len(damage), 'place')}",
            facts=facts,
            details=tuple(damage[:5]),
            fix="docs/store.md#sentences-and-what-to-do; and look at the card: edged doctor card",
        )
    else:
        yield Finding("ok", f"{_found(path, facts)}; the key opens it and every page is whole", facts=facts)


def _span(store: Store) -> list[int] | None:
    found = store.span()
    return list(found) if found else None


def _found(path: Path, facts: dict[str, Any]) -> str:
    if not facts["span"]:
        return f"{path}: {size(facts['bytes'])}, nothing counted yet"
    first, last = facts["span"]
    since = time.strftime("%Y-%m-%d", time.localtime(first))
    return f"{path}: {size(facts['bytes'])} since {since}, newest {span(max(0.0, time.time() - last))} ago"


def _freshness(case: Case, told: dict[str, Any]) -> Finding:
    age, pending = told["last_commit_age_s"], told["pending_buckets"]
    every = case.config.store.commit_every
    facts = {"last_commit_age_s": age, "pending_buckets": pending}
    waiting = f"{several(pending, 'bucket')} waiting"
    uptime = float((case.status or {}).get("uptime_s", 0.0))
    if age is None and uptime < LATE * every + 60:
        return Finding(
            "ok",
            f"nothing was committed yet: the daemon is new; {waiting}",
            "commits",
            facts=facts,
            minor=True,
        )
    if age is None or age > LATE * every + 60:
        said = "nothing was committed yet" if age is None else f"the last commit was {span(age)} ago"
        return Finding(
            "failed",
            f"{said}, of one every {span(every)}; {waiting}",
            "commits",
            facts=facts,
            fix=f"edged doctor card; {case.log}",
        )
    return Finding(
        "ok",
        f"last commit {span(age)} ago, one every {span(every)}; {waiting}",
        "commits",
        facts=facts,
        minor=True,
    )


def _not_ours(case: Case, path: Path, error: StoreError) -> Finding:
    facts = {"file": str(path), "refused": error.message}
    if case.caller.uid == 0 or (case.caller.uid == case.account.uid and not case.unit.installed):
        return Finding(
            "cannot tell", f"{path} cannot be opened: {error.message}", fix="edged doctor key", facts=facts
        )
    return Finding(
        "cannot tell", f"{path} is not for this user to read, as it should be", fix=case.again, facts=facts
    )
