"""Saves what is whole of a damaged store into a new one beside it. The damaged one is only read.

Every page is verified by itself, whatever became of the others, and the rows on it are taken: through the
tables' trees, around what is damaged, and from leaves that nothing leads to any more. What cannot be told
for certain (a page of which it is not clear whose it is, a row of a series whose name is lost) is counted
as lost.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from edged.errors import DamagedError, NewerSchemaError, StoreError
from edged.store import rotation, schema
from edged.store.database import Database
from edged.store.salvage import btree, marks
from edged.store.salvage.pages import Pages
from edged.store.salvage.trees import Gap, Tree, orphans
from edged.store.secret import Key

AT_ONCE: Final = 5000  # rows in one commit
LEVELS: Final = tuple(level.name for level in schema.LEVELS)
TABLES: Final = ("meta", "series", "boot", *LEVELS, "pending", "event")
WITHOUT_ROWID: Final = ("meta", "pending")
#: The index that holds all of a table but what can be made again.
COPIES: Final = {"series": "sqlite_autoindex_series_1", "boot": "sqlite_autoindex_boot_1"}

#: Hears what is done: (what, done, of).
Told = Callable[[str, int, int], None]
Row = tuple[Any, ...]


class Saved(NamedTuple):
    """A table's rows: saved, and about how many were lost; ``spans``: where (epoch seconds, from and to)."""

    rows: int
    lost: int
    spans: tuple[tuple[int, int], ...] = ()


class Report(NamedTuple):
    """What became of a store. ``pages`` and ``damaged`` count pages; ``tables`` is by name."""

    source: Path
    into: Path
    pages: int
    damaged: int
    tables: dict[str, Saved]


def salvage(source: Path, key: Key, into: Path, told: Told, zone: datetime.tzinfo = datetime.UTC) -> Report:
    """Write what is whole of ``source`` into ``into``, a new file. ``zone`` is whose days it has, where that
    is lost.

    Raises ``WrongKeyError`` when no page was written with ``key``, ``StoreError`` when ``into`` is there or
    cannot be written; nothing is left of it then.
    """
    if into.exists():
        raise StoreError(f"{into} is there already", "name another file with --output, or move it away")
    unfinished = into.with_name(into.name + "-partial")
    rotation.discard(unfinished)
    try:
        with Pages(source, key) as pages:
            pages.verify(lambda done, of: told("verifying", done, of))
            tables = _copied(pages, Database(unfinished, key), told, zone)
            _finish(unfinished, key, into, source)
            return Report(source, into, pages.count, len(pages.damaged) + pages.untold, tables)
    except OSError as error:
        raise _sentence(error, into) from None
    finally:
        rotation.discard(unfinished)


def _sentence(error: OSError, into: Path) -> StoreError:
    if isinstance(error, StoreError):  # those about keys are errors of the system's as well
        return error
    return StoreError(f"{into} cannot be written: {error.strerror}", "name another file with --output")


def _finish(unfinished: Path, key: Key, into: Path, source: Path) -> None:
    """It is read once more, and gets its name when it is on the disk."""
    copy = Database(unfinished, key, read_only=True)
    try:
        if wrong := copy.verify():
            raise DamagedError(f"what was written does not verify: {wrong[0]}", "check the disk; try again")
    finally:
        copy.close()
    rotation.sync(unfinished)
    if os.geteuid() == 0:
        owner = source.stat()
        os.chown(unfinished, owner.st_uid, owner.st_gid)
    unfinished.rename(into)
    rotation.sync(into)


def _copied(pages: Pages, made: Database, told: Told, zone: datetime.tzinfo) -> dict[str, Saved]:
    try:
        made.rows(
            "PRAGMA synchronous = OFF"
        )  # what is cut off is thrown away; all of it is synced at the end
        return _Copy(pages, made, told).done(zone)
    finally:
        made.close()


class _Copy:
    """Copies table by table: names first, then what they are the names of."""

    def __init__(self, pages: Pages, made: Database, told: Told) -> None:
        self._pages, self._made, self._told = pages, made, told
        roots = _roots(pages, made)
        self._trees = {name: Tree(pages, root) for name, root in roots.items()}
        self._count: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        self._adopted: dict[str, int] = {}
        self._series: set[int] = set()

    def done(self, zone: datetime.tzinfo) -> dict[str, Saved]:
        """Copy everything."""
        for name in TABLES:
            rows = self._rows(name)
            self._count[name] = self._insert(name, rows)
            if name == "series":
                self._series = {row[0] for row in self._made.rows("SELECT id FROM series")}
        self._adopt()
        marks.mend(self._made, zone)
        self._told("copying", self._pages.count, self._pages.count)
        return {name: self._saved(name) for name in TABLES}

    def _rows(self, name: str) -> Iterator[Row]:
        tree = self._trees.get(name)
        if tree is None:
            return
        for cell in tree.rows():
            found = cell.record or ()
            yield found if name in WITHOUT_ROWID else (cell.key, *found[1:])
        if tree.gaps and name in COPIES:
            yield from self._from_index(name)
        if tree.gaps and name == "series":  # without them no number can be told: also where both trees end
            for fits, cells in orphans(self._pages, {name: tree}):
                yield from ((cell.key, *(cell.record or ())[1:]) for cell in cells if fits)

    def _from_index(self, name: str) -> Iterator[Row]:
        """Series' and boots' names are there a second time."""
        for cell in self._trees[COPIES[name]].rows():
            *names, number = cell.record or (0,)
            if name == "boot":
                yield number, *names, None, None
            else:
                yield number, *names, marks.scale(*names)

    def _insert(self, name: str, rows: Iterable[Row]) -> int:
        """A row that is there already is there from a better source."""
        before = self._inserted()
        waiting = iter(rows)
        while some := list(islice(waiting, AT_ONCE)):
            self._told("copying", sum(len(tree.used) for tree in self._trees.values()), self._pages.count)
            fitting = [one for one in some if self._named(name, one)]
            self._lost[name] = self._lost.get(name, 0) + len(some) - len(fitting)
            if fitting:
                places = ", ".join("?" * len(fitting[0]))
                with self._made.transaction():
                    self._made.write_many(f"INSERT OR IGNORE INTO {name} VALUES ({places})", fitting)
        return self._inserted() - before

    def _named(self, name: str, row: Row) -> bool:
        """Whether the row's series is known: else nobody can tell what its numbers are."""
        if name in LEVELS:
            return row[0] & schema.SERIES_MASK in self._series
        return name != "pending" or row[3] in self._series

    def _inserted(self) -> int:
        return int(self._made.value("SELECT total_changes()"))

    def _adopt(self) -> None:
        """Take in the leaves below damaged pages."""
        tables = {name: self._trees[name] for name in (*LEVELS, "event") if name in self._trees}
        for name, cells in orphans(self._pages, tables):
            if not name:
                continue
            since = marks.since(self._made, name)
            rows = [(cell.key, *(cell.record or ())[1:]) for cell in cells if cell.key >= since]
            more = self._insert(name, rows)
            self._count[name] += more
            self._adopted[name] = self._adopted.get(name, 0) + more

    def _strays(self) -> int:
        """Damaged pages of which nobody can tell whose they are."""
        free, _ = btree.free(self._pages.get)
        used = set[int]().union(*(tree.used for tree in self._trees.values()))
        return len(self._pages.damaged - used - free) + self._pages.untold

    def _saved(self, name: str) -> Saved:
        tree = self._trees.get(name)
        if tree is None:
            return Saved(0, 0)
        saved = self._count[name]
        found = bool(self._adopted.get(name)) and not self._strays()
        missing = tree.cut if saved and name in COPIES else tree.lost(found)
        lost = self._lost.get(name, 0) + missing
        spans = tuple(_span(gap) for gap in tree.gaps) if name in LEVELS else ()
        return Saved(saved, lost, spans)


def _span(gap: Gap) -> tuple[int, int]:
    """From when to when its rows were, as far as the page above tells; 0 and ``LAST`` where not."""
    low, high = gap.low >> schema.SERIES_BITS, gap.high >> schema.SERIES_BITS
    return max(0, low), min(schema.LAST, high)


def _roots(pages: Pages, made: Database) -> dict[str, int]:
    """Where each tree begins. Every store makes its tables in one order, so one whose own list is lost is
    read by a new store's.
    """
    if (head := pages.get(1)) is not None:
        version = int.from_bytes(head[60:64], "big")
        if version > schema.VERSION:
            raise NewerSchemaError(
                f"{pages.path} was written by a newer edged: its schema is {version}, ours {schema.VERSION}",
                "install that edged again",
            )
    roots = {name: root for name, root in made.rows("SELECT name, rootpage FROM sqlite_master") if root}
    listed = Tree(pages, 1)
    for cell in listed.rows():
        _, name, _, root, *_ = cell.record or (None,) * 5
        if isinstance(name, str) and isinstance(root, int):
            roots[name] = root
    return roots
