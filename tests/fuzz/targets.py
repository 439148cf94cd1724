"""What strangers' bytes reach, one function each: it takes bytes and raises ``AssertionError`` when what
comes back is neither an answer nor a sentence with a next step. Anything else that it raises is a fault
of edged's.

Both drive them: hypothesis in the suite, and atheris, which is led by the code that is reached (``make
fuzz``).
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from edged import report
from edged.amounts import MISSED
from edged.changes import tasks
from edged.clock import Reading
from edged.config.loading import examined, load
from edged.config.shape import Keep
from edged.errors import ControlError, EdgedError
from edged.models import catalogue
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.report import answered
from edged.series import series_of
from edged.store import Store

LONGEST = 100_000  # characters of a message: a config may have many problems
BEGIN = 1_767_225_600  # 2026-01-01 00:00 UTC


def check_sentence(error: EdgedError) -> None:
    """It can be shown to the owner."""
    assert error.message and error.hint, f"no sentence or no next step: {error!r}"
    assert len(error.message) < LONGEST
    assert "Traceback" not in error.message and "object at 0x" not in error.message


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="edged-fuzz-"))


def config(content: bytes) -> bool:
    """A config file: whether it is one."""
    path = _folder() / "edged.toml"
    path.write_bytes(content)
    try:
        found, problems = examined(path)
    except EdgedError as error:
        check_sentence(error)
        return False
    assert problems or found is not None
    for problem in problems:
        assert str(problem) and "\n" not in str(problem).strip(), f"no line: {problem}"
    if problems:
        try:
            load(path)
        except EdgedError as error:
            check_sentence(error)
            return False
        raise AssertionError("it has problems and was loaded")
    assert found is not None
    for name, line in found.pipelines.items():
        assert len({(one.measure, one.label, one.zone) for one in series_of(name, line)}) > 0
    tasks(found)
    return True


def models(content: bytes) -> bool:
    """The catalogue of models: whether it is one."""
    path = _folder() / "catalogue.toml"
    path.write_bytes(content)
    try:
        every = catalogue.catalogue(path)
    except EdgedError as error:
        check_sentence(error)
        return False
    assert all(isinstance(one, catalogue.Entry) for one in every.values())
    return True


@cache
def _store() -> Store:
    series = (
        Series("yard", "occupancy", "person", unit="count"),
        Series("yard", "level", unit="g"),
        Series("yard", "crossings", "person", "gate:in", "crossings"),
        Series("yard", "dwell", "person", unit="s"),
    )
    happened = (Amount(0, 5, MISSED), Amount(2, 3), Amount(3, 1, 40), Amount(3, 2, 77))
    store = Store.open(_folder() / "edged.db", bytes(32), keep=Keep(), zone=datetime.UTC)
    entries = (Entry(60.0, 60.0, 0.0, 2.0, 90.0), Entry(60.0, -5.0, -1.0, 2.0, 90.0))
    for hour in range(BEGIN, BEGIN + 6 * 3600, 3600):
        minutes = [
            Bucket("yard", at, 60, entries, Coverage(300.0, 300, 60.0), amounts=happened[: at // 60 % 5])
            for at in range(hour, hour + 3600, 60)
        ]
        store.write(minutes, {"yard": series}, Reading(hour + 3600, 0.0, 0.0, True, "this boot"))
    return store


def question(content: bytes) -> bool:
    """The arguments of a report, as a line of JSON: whether there is an answer."""
    try:
        request: Any = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    request.pop("verb", None)
    try:
        found = answered(_store(), request, datetime.UTC)
    except ControlError as error:
        assert error.message
        return False
    assert len(msgspec.json.encode(found)) and set(found) >= {"series", "coverage"}
    assert sum(len(one["rows"]) for one in found["series"]) <= report.MOST_ROWS
    return True


TARGETS: dict[str, Callable[[bytes], bool]] = {"config": config, "models": models, "question": question}
