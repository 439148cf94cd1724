"""Puts a ladder into the owner's config: a line exchanged or added here and there, everything else as it was.

What the file would say afterwards is read again before it takes the file's place; where a value spans lines
or the outcome is not what was meant, nothing is written and the owner pastes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from edged.config.lines import located
from edged.errors import ConfigError, UnavailableError
from edged.tune.advice import Pick

PASTE: Final = "put the lines that edged tune prints into it by hand"


def write(path: Path, pipeline: str, rungs: Sequence[Pick]) -> bool:
    """Write the ladder into the config at ``path``; whether that changed anything.

    Raises ``ConfigError`` when the file is laid out so that it cannot be, ``UnavailableError`` when it may
    not be written.
    """
    from edged.store import files

    try:
        text = path.read_text("utf-8")
        after = edited(text, pipeline, rungs)
        if after == text:
            return False
        mode = path.stat().st_mode & 0o777
        part = path.with_name(f".{path.name}.new")
        files.replace(path.resolve(), after.encode(), mode, part)
    except OSError as error:
        raise UnavailableError(
            f"{path}: cannot be written: {error.strerror}", "sudo edged tune --apply"
        ) from None
    return True


def edited(text: str, pipeline: str, rungs: Sequence[Pick]) -> str:
    """The config's text with the ladder in it. Raises ``ConfigError``."""
    first, *rest = rungs
    wanted: list[tuple[tuple[str, ...], str, Any]] = [
        (("pipelines", pipeline), "model", first.model),
        (("pipelines", pipeline), "ladder", [one.model for one in rest]),
        *((("models", one.model), "threads", one.threads) for one in rungs),
    ]
    before = tomllib.loads(text)
    for table, key, value in wanted:
        if _asked(before, table, key) != value:
            text = _set(text, table, key, value)
    after = tomllib.loads(text)
    for table, key, value in wanted:
        if _asked(after, table, key) != value:
            raise ConfigError(f"[{'.'.join(table)}] {key} is laid out so that it cannot be exchanged", PASTE)
    return text


def _asked(raw: dict[str, Any], table: Sequence[str], key: str) -> Any:
    """What stands there; what is meant where nothing does."""
    for one in table:
        raw = raw.get(one, {})
    meant = {"model": "activity", "ladder": [], "threads": 1}
    return raw.get(key, meant[key])


def _set(text: str, table: tuple[str, ...], key: str, value: Any) -> str:
    lines, places = text.split("\n"), located(text)
    said = f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')
    if (*table, key) in places:
        at = places[(*table, key)] - 1
        changed = re.sub(rf"^(\s*{key}\s*=\s*).*$", rf"\g<1>{said}", lines[at])
        if changed == lines[at] or not _whole(lines[at]):
            raise ConfigError(f"[{'.'.join(table)}] {key} is laid out so that it cannot be exchanged", PASTE)
        lines[at] = changed
    elif table in places and lines[places[table] - 1].lstrip().startswith("["):
        lines.insert(places[table], f"{key} = {said}")
    else:
        raise ConfigError(f"there is no [{'.'.join(table)}] to write {key} into", PASTE)
    return "\n".join(lines)


def _whole(line: str) -> bool:
    """Whether a line is a key with all of its value."""
    try:
        return len(tomllib.loads(line)) == 1
    except tomllib.TOMLDecodeError:
        return False
