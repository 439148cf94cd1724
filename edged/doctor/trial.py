"""Asks a worker-like process (``edged.worker.examine``) to try something, as the service's user where we
may.
"""

from __future__ import annotations

import subprocess
from typing import Any, Final

import msgspec

from edged.doctor.case import Case
from edged.enquiry import asked

#: What a service's process finds around it: no settings of the caller's.
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}

LONGEST: Final = 1 << 20  # bytes of an answer


class Answer(msgspec.Struct, frozen=True):
    """``refused`` is why not, "" when it worked; ``errno`` is the kernel's word, 0 for another reason.
    ``untried``: the process that was to try could not even begin.
    """

    facts: dict[str, Any] = {}
    refused: str = ""
    hint: str = ""
    errno: int = 0
    untried: bool = False


def ask(case: Case, what: str, patience: float, **question: object) -> Answer:
    """The answer to a question of ``edged.worker.examine``."""
    worded = msgspec.json.encode({"type": what, **question})
    command = [case.interpreter, "-I", "-m", "edged.worker.examine"]
    try:
        said = asked(
            command, worded, patience, LONGEST, complaints=True, env=ENVIRONMENT, cwd="/", **_as(case)
        )
    except subprocess.TimeoutExpired:
        return Answer(refused=f"it took more than {patience:.0f} s")
    except OSError as error:
        return Answer(
            refused=f"{case.interpreter} cannot be started as {case.account.name}: {error.strerror}",
            untried=True,
        )
    if said.signal:
        return Answer(refused=f"it ended its process ({said.signal})")
    try:
        found = msgspec.json.decode(said.answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        return Answer(refused=f"it could not be tried: {said.last_line[:160]}", untried=True)
    return Answer(found, found.get("refused", ""), found.get("hint", ""), found.get("errno", 0))


def _as(case: Case) -> dict[str, Any]:
    """How to become the service's user: root can, everybody else stays who they are."""
    if case.caller.uid or not case.account.uid:
        return {}
    account = case.account
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}


def whose(case: Case) -> str:
    """A remark when what was tried is not what the service may: "" when it is."""
    return "" if case.may_be_account else f"tried as {case.caller.name}, not as {case.account.name}"
