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
    from edged.store import keys

    try:
        with keys.ring(case.config) as ring:
            where, rotating = ring.where, ring.rotating
    except KeyRefusedError as error:
        yield _refused(case, error)
        return
    seal = _seal(where)
    facts = {"where": where, "rotating": rotating, "sealed_by": seal or None}
    if rotating:
        yield Finding(
            "warning",
            f"{where}: a rotation is under way; the store may be under either of two keys",
            fix="sudo edged keys rotate finishes it",
            facts=facts,
        )
    elif on_same_disk(case) and not seal:
        said = f"{where} is right; it lies beside the store, so whoever takes the disk can read both"
        yield Finding(
            "note",
            said,
            fix=f"a sealed key (docs/keys.md), or key_file on another medium; {ESCROW}",
            facts=facts,
        )
    else:
        sealed = f", sealed by {seal}" if seal else ""
        yield Finding("ok", f"{where} is right{sealed}. {ESCROW.capitalize()}", facts=facts)


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


def _seal(where: str) -> str:
    """What it takes to unseal the key, "" for one that lies in the clear."""
    if "sealed" not in where:
        return ""
    from edged.store import sealed

    return sealed.sealed_by()


def on_same_disk(case: Case) -> bool:
    """Whether the key's file and the store are on one file system."""
    try:
        key, store = (Path(one).stat().st_dev for one in (case.config.store.key_file, case.config.store.file))
    except OSError:
        return False
    return key == store
