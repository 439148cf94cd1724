"""One thing that is wrong with a config, and how it is told."""

from __future__ import annotations

import datetime
import json
from typing import Final

import msgspec

LONGEST: Final = 60  # characters of a value that are shown


class Problem(msgspec.Struct, frozen=True):
    """``found`` at ``path`` is not what is ``allowed`` there. ``file`` and ``line`` are known only at the end
    of a check.
    """

    path: tuple[str | int, ...]
    found: str
    allowed: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def key(self) -> str:
        """``pipelines.hall.measures[0].kind``"""
        return dotted(self.path)

    @property
    def place(self) -> str:
        """``edged.toml:12``, which editors and terminals turn into a link."""
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")

    def __str__(self) -> str:
        """One line."""
        key = f"{self.key}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.place}: {key}found {self.found}; allowed: {self.allowed}{hint}"


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as TOML would spell it, with indices from 0 in brackets."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_bare(part)}"
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value as TOML spells it, short, and with nothing in it that a terminal would obey."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case dict():
            return "a table"
        case list() | tuple():
            return f"an array of {len(value)}"
        case datetime.datetime() | datetime.date() | datetime.time():
            return f"the date or time {value.isoformat()}"
    return str(value)[:LONGEST]


def likely(word: str, known: tuple[str, ...]) -> str:
    """``did you mean "source"?``, or nothing when none of the ``known`` is near."""
    import difflib

    near = difflib.get_close_matches(word.lower(), known, 1, 0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def listed(words: tuple[str, ...], empty: str = "none") -> str:
    """``"a", "b" or "c"``; no more than a dozen of them."""
    if not words:
        return empty
    quoted = [_quoted(word) for word in words[:12]]
    if len(words) > 12:
        return f"{', '.join(quoted)} … ({len(words)} in all)"
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _quoted(text: str) -> str:
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(
        one if one.isprintable() else ascii(one)[1:-1] for one in json.dumps(short, ensure_ascii=False)
    )


def _bare(key: str) -> str:
    bare = key and all(one.isascii() and (one.isalnum() or one in "-_") for one in key)
    return key if bare else _quoted(key)
