"""A TOML file -> a ``Config`` that can be believed, or every reason why not. Reads that one file and nothing
else.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from edged.config.consistency import contradictions
from edged.config.lines import located, nearest
from edged.config.problem import Problem
from edged.config.shape import Config
from edged.config.validation import Walk
from edged.errors import ConfigError

LARGEST: Final = 1024 * 1024  # bytes; a config of a megabyte is another file
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: Path) -> Config:
    """The config in ``path``, its paths absolute and its store's files named.

    Raises ``ConfigError`` whose ``problems`` are all that is wrong with it.
    """
    config, problems = examined(path)
    if config is None or problems:
        raise refusal(path, problems)
    return config


def examined(path: Path) -> tuple[Config | None, tuple[Problem, ...]]:
    """What can be made of ``path``, and every problem in the order of its lines. Raises ``ConfigError`` when
    it cannot be read.
    """
    text = _read(path)
    raw, broken = _parsed(text)
    if broken:
        return None, (msgspec.structs.replace(broken, file=str(path)),)
    folder = PurePosixPath(path.absolute().parent)
    config, problems = judged(raw, folder)
    return config, _placed(problems, text, str(path)) if problems else ()


def judged(raw: dict[str, Any], folder: PurePosixPath) -> tuple[Config | None, list[Problem]]:
    """A parsed document as a ``Config``, and its problems without file and line. Pure, but for time zones'
    names.
    """
    walk = Walk(folder)
    config = walk.struct(raw, Config)
    if not isinstance(config, Config):
        return None, walk.problems
    known = {one.path for one in walk.problems}
    known |= {path[:-1] for path in known if path and isinstance(path[-1], int)}
    # What was wrong is left out of the config: that it lacks there is no second problem.
    further = [one for one in contradictions(config, raw, walk.paths) if one.path not in known]
    return _named(config), walk.problems + further


def refusal(path: Path, problems: tuple[Problem, ...]) -> ConfigError:
    """All problems as one error."""
    several = f"{len(problems)} problems" if len(problems) != 1 else "a problem"
    lines = "".join(f"\n  {one}" for one in problems)
    return ConfigError(f"{path} has {several}:{lines}", f"edged check {path} tells more", problems)


def misfit(path: Path, problems: list[Problem]) -> ConfigError:
    """What the models named in ``path`` do not give, told as any other problem of its. Raises ``ConfigError``
    where the file has gone meanwhile.
    """
    told = refusal(path, _placed(problems, _read(path), str(path)))
    return ConfigError(told.message, "edged doctor model tries each model", told.problems)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: the config cannot be read: {error.strerror or error}",
            "name one with --config FILE; config/edged.toml shows every key",
        ) from None
    if len(content) > LARGEST:
        raise ConfigError(
            f"{path}: more than {LARGEST // 1024} KiB are no config", "name another file with --config FILE"
        )
    try:
        return content.decode("utf-8-sig")  # some editors begin with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem((), f"the byte 0x{content[error.start]:02x}", "text in UTF-8", "", str(path), line)
        raise refusal(path, (problem,)) from None


def _parsed(text: str) -> tuple[dict[str, Any], Problem | None]:
    try:
        return tomllib.loads(text), None
    except tomllib.TOMLDecodeError as error:
        return {}, _broken(str(error), text)
    except RecursionError:
        return {}, Problem((), "arrays within arrays without end", "TOML", line=1)
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        return {}, Problem((), "a number of thousands of digits", "a shorter one", line=_longest(text))


def _longest(text: str) -> int:
    """The number of the longest line."""
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda number: len(lines[number])) + 1


def _broken(message: str, text: str) -> Problem:
    """tomllib tells the place only within its message."""
    place = _PLACE.search(message)
    line, column = (int(place[1]), int(place[2])) if place and place[1] else (text.count("\n") + 1, 0)
    what = _PLACE.sub("", message)
    return Problem(
        (), f"something that is not TOML ({what})", "TOML: https://toml.io", line=line, column=column
    )


def _placed(problems: list[Problem], text: str, file: str) -> tuple[Problem, ...]:
    places = located(text)
    placed = (msgspec.structs.replace(one, file=file, line=nearest(places, one.path)) for one in problems)
    return tuple(sorted(placed, key=lambda one: one.line))


def _named(config: Config) -> Config:
    """The store's files, which live in the state directory unless somebody says otherwise."""
    store, state = config.store, PurePosixPath(config.daemon.state_dir)
    store = msgspec.structs.replace(
        store, file=store.file or str(state / "edged.db"), key_file=store.key_file or str(state / "key")
    )
    return msgspec.structs.replace(config, store=store)
