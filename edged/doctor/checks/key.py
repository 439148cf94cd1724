"""Is the store's key there, is it only the service's, and is there a copy of it somewhere else?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged.doctor.case import Case
from edged.doctor.finding import Finding
from edged.errors import KeyRefusedError

ESCROW: Final = "keep a copy where the board is not: sudo edged keys export --to-recipient age1…"


def examine(case: Case) -> Iterator[Finding]:
    """One finding. Of the key itself nothing is told, not even to programs."""
    from edged.store import places

    try:
        place = places.in_force(case.config)
        with place.ring() as ring:
            rotating = ring.rotating
    except KeyRefusedError as error:
        yield _refused(case, error)
        return
    said = f"{place.where}, protected by {place.protected_by()}"
    facts = {"where": str(place.where), "kind": place.kind, "rotating": rotating}
    if rotating:
        said = f"{place.where}: a rotation is under way; the store may be under either of two keys"
        yield Finding("warning", said, fix="sudo edged keys rotate finishes it", facts=facts)
    elif place.kind == "file" and on_same_disk(case):
        said = f"{place.where} lies beside the store: whoever takes the disk can read both"
        yield Finding(
            "note",
            said,
            fix=f"let install.sh seal one, or put key_file on another medium; {ESCROW}",
            facts=facts,
        )
    else:
        yield Finding("ok", f"{said}; have a copy elsewhere: edged keys export", facts=facts)


def _refused(case: Case, error: KeyRefusedError) -> Finding:
    """For a stranger a key that cannot be read is as it should be."""
    facts = {"where": None, "refused": error.message}
    if case.caller.uid == 0 or (case.caller.uid == case.account.uid and not case.unit.installed):
        fresh = not Path(case.config.store.file).exists() and not case.status
        verdict = "note" if fresh and not case.unit.installed else "failed"
        return Finding("note" if verdict == "note" else "failed", error.message, fix=error.hint, facts=facts)
    opened = " (the daemon has opened the store with it)" if case.status else ""
    return Finding(
        "cannot tell",
        f"the key is not for this user to read, as it should be{opened}",
        fix=case.again,
        facts=facts,
    )


def on_same_disk(case: Case) -> bool:
    """Whether the key's file and the store are on one file system."""
    try:
        key, store = (Path(one).stat().st_dev for one in (case.config.store.key_file, case.config.store.file))
    except OSError:
        return False
    return key == store
