"""Work that root does for somebody else: in a child that is that user and nobody else.

Root must not open files by name in a folder of another user's, who could put a link there in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from edged.errors import EdgedError, StoreError, fault


def as_owner(uid: int, gid: int, work: Callable[[], Any], what: str) -> Any:
    """Do ``work`` as that user if we are root; what it returns, as JSON keeps it. Its error becomes ours;
    ``what`` it is, for the error of a bug.
    """
    if os.geteuid() != 0 or uid == 0:
        return json.loads(json.dumps(work()))
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as said:
            told = said.read()
        _, status = os.waitpid(child, 0)
        return _heard(told, status)
    _be(uid, gid, work, what, writing)
    return None


def _heard(told: bytes, status: int) -> Any:
    if not told:
        raise StoreError(f"the work was cut off ({status})", "run this again")
    answer = json.loads(told)
    if "message" in answer:
        raise StoreError(answer["message"], answer["hint"])
    return answer["result"]


def _be(uid: int, gid: int, work: Callable[[], Any], what: str, writing: int) -> None:
    answer: dict[str, Any]
    try:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        answer = {"result": work()}
    except EdgedError as error:
        answer = {"message": error.message, "hint": error.hint}
    except PermissionError as error:
        where = f"{error.filename} or a folder above it" if error.filename else "what it needs"
        message = (
            f"{what} is done as user {uid}, whose files these are, and {where} is not that user's to use"
        )
        answer = {"message": message, "hint": "see to the owners and modes of the folders on the way to it"}
    except BaseException as error:
        bug = fault(error, what) if isinstance(error, Exception) else EdgedError("interrupted")
        answer = {"message": bug.message, "hint": bug.hint}
    try:
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(answer).encode())
    finally:
        os._exit(0)
