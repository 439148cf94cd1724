"""Looks at every page of a store that nobody writes, and says what is wrong. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edged.errors import StoreError
from edged.store.database import Database
from edged.store.salvage import TABLES, Told
from edged.store.salvage.pages import Pages
from edged.store.secret import Key


class Examined(NamedTuple):
    """What was found. ``damaged``: numbers of pages that do not verify; ``dropped``: commits in the log
    behind a damaged frame; ``wrong``: sentences about trees; ``rows``: by table, where it can be told.
    """

    path: Path
    bytes: int
    pages: int
    damaged: tuple[int, ...]
    dropped: int
    wrong: tuple[str, ...]
    rows: dict[str, int]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.damaged or self.dropped or self.wrong)


def examined(path: Path, key: Key, told: Told) -> Examined:
    """Look at every page, and at every tree if the pages are whole. Raises ``WrongKeyError`` when no page was
    written with ``key``, ``StoreError`` when it cannot be read.
    """
    with Pages(path, key) as pages:
        pages.verify(lambda done, of: told("verifying", done, of))
        damaged = tuple(sorted(pages.damaged)) or ((1,) if pages.salt_damaged else ())
        size = sum(one.stat().st_size for one in pages.files if one.exists())
        count, dropped = pages.count, pages.dropped
    wrong, rows = ((), {}) if damaged or dropped else _read(path, key, told)
    return Examined(path, size, count, damaged, dropped, wrong, rows)


def _read(path: Path, key: Key, told: Told) -> tuple[tuple[str, ...], dict[str, int]]:
    told("reading", 0, 1)
    database = None
    try:
        database = Database(path, key, read_only=True)
        wrong = tuple(database.verify())
        rows = {name: int(database.value(f"SELECT count(*) FROM {name}")) for name in TABLES}
    except StoreError as error:
        return (error.message,), {}
    finally:
        if database is not None:
            database.close()
        told("reading", 1, 1)
    return wrong, rows
