"""What a check found: a verdict, one line with numbers, and what to do about it."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

Verdict = Literal["ok", "note", "cannot tell", "warning", "failed"]
#: From the lightest to the gravest. Only "failed" makes the exit code 1.
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "note", "cannot tell", "warning", "failed")


class Finding(msgspec.Struct, frozen=True, tag="finding"):
    """``subject`` names the pipeline, model or file where there are several. ``fix`` is a command to type
    or a page to read. ``details`` are further lines. ``facts`` are for programs: docs/doctor.md names
    their keys. ``minor``: when all is well it is not worth a line.
    """

    verdict: Verdict
    found: str
    subject: str = ""
    fix: str = ""
    details: tuple[str, ...] = ()
    facts: dict[str, Any] = {}
    minor: bool = False


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """What a check that takes long is at. ``size``: so many bytes are to be read; 0 where nothing is
    counted.
    """

    text: str
    size: int = 0
