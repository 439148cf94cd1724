"""Damage at rest: bits, sectors and pages of a store are spoilt, in every region that its files have.

Each case asks four things. *Reading*: what is served was committed, or an error is told. *Check*: it sees the
damage. *Starting*: the daemon counts on, into the same store or a new one, and what it then serves is true.
*Salvage*: nothing false is saved, and nothing is missing that was not on a spoilt page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from edged.errors import DamagedError, StoreError, WrongKeyError
from edged.store import Store, examination, quarantine, salvage, wal
from edged.store.database import PAGE, suspicion
from edged.store.keys import Keyring
from edged.store.salvage import btree
from edged.store.salvage.pages import Pages
from edged.store.salvage.trees import Tree
from faults import workload
from faults.cuts import child
from faults.workload import FalseError, LostError, Writer

COMMITS: Final = 330
KINDS: Final = {
    btree.TABLE_LEAF: "leaf",
    btree.TABLE_INNER: "inner page",
    btree.INDEX_LEAF: "index leaf",
    btree.INDEX_INNER: "index inner page",
}
DAMAGES: Final = ("one bit", "one byte", "16 bytes", "a sector of zeros", "a page of zeros", "a page of ones")
MORE: Final = ("a page of noise", "another page's content", "4 KiB of zeros")
WAL_PARTS: Final = ("header", "page number", "commit mark", "salts", "sums", "body", "IV", "HMAC")
NAMED: Final = ("series", "sqlite_autoindex_series_1")  # the names of series are there, and there again
LAST: Final = 2  # commits whose frames at the log's end cannot be told from those of a power cut


class Kind(NamedTuple):
    """A store to be spoilt: which pages have which role, what is on each, and the pages that each series is
    named on.
    """

    folder: Path
    roles: dict[str, list[int]]
    rows: dict[int, set[tuple[str, Any]]]
    named: dict[workload.Name, set[int]]


class Spoilt(NamedTuple):
    """What was done: ``pages`` are those whose newest version was hit; ``log``: its end may be dropped."""

    region: str
    pages: set[int]
    log: bool
    salt: bool
    outside: bool = False


class Bench:
    """Whole stores, and one to spoil."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self.path = folder / "state" / "edged.db"
        self.stores = {name: self._made(name) for name in ("stopped", "killed")}

    def _made(self, name: str) -> Kind:
        folder = self._folder / name

        def work() -> None:
            writer = Writer.opened(folder / "edged.db")
            for number in range(COMMITS):
                assert writer.commit(number)
                if number == COMMITS - 40:
                    _free_some(writer.store)
            if name == "stopped":
                writer.close()

        assert child(work) == 0
        return Kind(folder, *_map(folder / "edged.db"))

    def case(self, number: int) -> str:
        """Spoil a store and ask everything."""
        dice = Random(f"{self._seed} flip {number}")
        store = dice.choice(("stopped", "killed"))
        shutil.rmtree(self.path.parent, ignore_errors=True)
        shutil.copytree(self.stores[store].folder, self.path.parent)
        spoilt = _spoil(self.path, self.stores[store], dice)
        _calm(self.path)
        try:
            self._ask(spoilt, self.stores[store])
        except Exception as error:
            error.add_note(f"{store}: {spoilt}")
            raise
        return f"{store}: {spoilt.region}"

    def _ask(self, spoilt: Spoilt, store: Kind) -> None:
        told = self._read(spoilt)
        self._check(spoilt, told)
        missing = self._salvage(spoilt, store)
        self._start(spoilt)
        assert missing >= 0

    # --- the four questions

    def _read(self, spoilt: Spoilt) -> bool:
        """Whether an error was told."""
        try:
            with Store.open(self.path, workload.KEY, read_only=True) as store:
                found, errors = _all(store)
                errors += _reports(store)
        except StoreError:
            return True
        _true(found)
        if not errors:
            least = COMMITS - 1 - (LAST if spoilt.log else 0)
            workload.judge(found, least, COMMITS - 1)
        return bool(errors)

    def _check(self, spoilt: Spoilt, told: bool) -> None:
        try:
            found = examination.examined(self.path, workload.KEY, lambda *_: None)
        except WrongKeyError:
            assert spoilt.salt, "no page fits the key"
            return
        if found.whole and not (spoilt.log or spoilt.outside):
            raise FalseError("the check says that all is whole")
        assert not (found.whole and told), "reading finds damage that the check does not"

    def _salvage(self, spoilt: Spoilt, store: Kind) -> int:
        into = self.path.with_name("saved.db")
        before = {one.name: one.read_bytes() for one in self.path.parent.iterdir()}
        try:
            report = salvage.salvage(self.path, workload.KEY, into, lambda *_: None)
        except WrongKeyError:
            assert spoilt.salt, "no page fits the key"
            return 0
        after = {one.name: one.read_bytes() for one in self.path.parent.iterdir()}
        assert {**before, into.name: after[into.name]} == after, "what is damaged was changed"
        _calm(into)
        with Store.open(into, workload.KEY, read_only=True) as saved:
            found = workload.content(saved._database.rows)
        _true(found)
        gone = set(_rows_of(_whole())) - set(_rows_of(found))
        may_go = set[tuple[str, Any]]().union(*(store.rows.get(page, set()) for page in spoilt.pages))
        nameless = {name for name, pages in store.named.items() if pages <= spoilt.pages}
        may_go |= {one for one in gone if one[0] != "event" and one[1][1] in nameless}
        if spoilt.log:
            may_go |= set(_rows_of(_whole())) - set(_rows_of(_whole(COMMITS - 1 - LAST)))
        if excess := gone - may_go:
            raise LostError(f"salvage: {len(excess)} rows of whole pages, as {min(excess, key=str)}")
        if gone and not any(one.lost for one in report.tables.values()) and not spoilt.log:
            raise LostError(f"salvage says nothing of {len(gone)} rows that are gone")
        into.unlink()
        return len(gone)

    def _start(self, spoilt: Spoilt) -> None:
        """Two lives; in the first a page that is needed for writing may turn out to be damaged."""
        number, lost = COMMITS, range(0)
        for _ in range(3):
            ring = Keyring("here", bytearray(workload.KEY))
            try:
                begun = quarantine.begun(self.path, ring, keep=workload.KEEP, zone=_UTC)
            except WrongKeyError:
                assert spoilt.salt, "no page fits the key"
                return
            assert begun.aside is None or begun.damage
            writer = Writer(begun.opened.store)
            try:
                if spoilt.log and number == COMMITS and not begun.aside:
                    lost = range(workload.newest(_all(begun.opened.store)[0]) + 1, COMMITS)
                    assert len(lost) <= LAST, f"commits {lost} are gone"
                done = writer.commit(number)
                _true(_all(begun.opened.store)[0], number, lost)
            except DamagedError:
                assert suspicion(self.path).exists(), "the next start does not know"
                continue
            finally:
                writer.close()
            assert done, "the commit is held back"
            number += 1
        assert number > COMMITS, "it never counts again"


_UTC: Final = __import__("datetime").UTC


def _free_some(store: Store) -> None:
    """As after a long time without a clock: many rows, dropped again, whose pages are free since."""
    rows = [(1, one, 60, one % 9, 1, 0.0, 0.0, 0.0, 0.0) for one in range(10**6, 10**6 + 3000)]
    with store._database.transaction():
        store._database.write_many("INSERT INTO pending VALUES (?,?,?,?,?,?,?,?,?)", rows)
    with store._database.transaction():
        store._database.write("DELETE FROM pending WHERE start >= 1000000")


def _calm(path: Path) -> None:
    """Long since written, so that readers need not wait."""
    for one in path.parent.iterdir():
        os.utime(one, (workload.NOON, workload.NOON))


# --- what is there


def _map(
    path: Path, free: bool = True
) -> tuple[dict[str, list[int]], dict[int, set[tuple[str, Any]]], dict[workload.Name, set[int]]]:
    """Every page's role, the rows that are on it, and where each series is named."""
    roles: dict[str, list[int]] = {"first page": [1]}
    rows: dict[int, set[tuple[str, Any]]] = {}
    named: dict[workload.Name, set[int]] = {}
    with Pages(path, workload.KEY) as pages:
        unused, known = btree.free(pages.get)
        assert known
        assert unused or not free, "there should be free pages"
        owner = _owners(pages, rows, named)
        for number in range(2, pages.count + 1):
            page = pages.get(number)
            assert page is not None
            role = "free page" if number in unused else owner.get(number, "")
            roles.setdefault(role, []).append(number)
    assert "" not in roles, roles[""]
    return roles, rows, named


def _owners(
    pages: Pages, rows: dict[int, set[tuple[str, Any]]], named: dict[workload.Name, set[int]]
) -> dict[int, str]:
    """The role of each page in a tree; fills ``rows`` and ``named``."""
    owner: dict[int, str] = {}
    listed = [cell.record or () for cell in Tree(pages, 1).rows()]
    roots = {"sqlite_master": 1, **{one[1]: one[3] for one in listed}}
    names = {cell.key: _name(cell.record or ()) for cell in Tree(pages, roots["series"]).rows()}
    for table, root in roots.items():
        tree = Tree(pages, root)
        list(tree.rows())
        for number in tree.used:
            page = pages.get(number)
            assert page is not None
            overflow = set[int]()
            try:
                node = btree.node(page, number, pages.get, overflow.add)
            except btree.UnreadableError:
                continue  # an overflow page: told of by the leaf that leads to it
            owner[number] = KINDS[node.kind]
            found = {one for cell in node.cells if (one := _row(table, cell, names))}
            rows.setdefault(number, set()).update(found)
            if table in NAMED:
                for name in _names(node, table):
                    named.setdefault(name, set()).add(number)
            for one in overflow:
                owner[one] = "overflow page"
                rows.setdefault(one, set()).update(found)
        for number in tree.used - set(owner):
            owner[number] = "overflow page"
    return owner


def _name(record: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(record[1:4])


def _names(node: btree.Node, table: str) -> Iterator[workload.Name]:
    """The series that a page names; an index holds what follows the number, and some in its inner pages."""
    for cell in node.cells:
        if cell.record:
            pipeline, measure, label = cell.record[1:4] if table == NAMED[0] else cell.record[:3]
            yield pipeline, measure, label


def _row(table: str, cell: btree.Cell, names: dict[int, tuple[Any, ...]]) -> tuple[str, Any] | None:
    found = cell.record
    if found is None:
        return None
    if table in ("minute", "hour", "day"):
        return table, (cell.key >> 16, names[cell.key & 65535])
    if table == "event":
        return table, found[5]
    return (table, (found[1], names[found[3]])) if table == "pending" else None


def _whole(last: int = COMMITS - 1) -> dict[str, Any]:
    """What was committed, and is not too old to be kept."""
    found: dict[str, Any] = {
        name: {
            key: numbers
            for key, numbers in rows.items()
            if key[0] >= workload.start(last) + 60 - workload.KEPT.get(name, float("inf"))
        }
        for name, rows in workload.expected(last).items()
    }
    return {**found, "event": [workload.text(one) for one in range(last + 1)]}


def _rows_of(found: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((name, one) for name in ("minute", "hour", "day", "event", "pending") for one in found[name])


def _all(store: Store) -> tuple[dict[str, Any], int]:
    """What can be read, table by table; how many could not be."""
    errors = 0

    def ask(sql: str) -> list[tuple[Any, ...]]:
        nonlocal errors
        try:
            return store._database.consistently(lambda: store._database.rows(sql))
        except StoreError:
            errors += 1
            return []

    return workload.content(ask), errors


def _reports(store: Store) -> int:
    """What the owner would ask; how often that was refused."""
    errors = 0
    questions: tuple[Callable[[], object], ...] = (
        lambda: list(store.report(0, 2e9, 3600)),
        lambda: list(store.coverage(0, 2e9)),
        store.latest,
        store.events,
        store.facts,
    )
    for ask in questions:
        try:
            ask()
        except StoreError:
            errors += 1
    return errors


def _true(found: dict[str, Any], last: int = COMMITS, lost: range = range(0)) -> None:
    """Everything that is told was committed, with these numbers; the ``lost`` commits are in none of them."""
    wanted = [workload.expected(one, lost) for one in range(last, COMMITS - 2 - LAST, -1)]
    texts = {workload.text(one) for one in range(last + 3)}
    for name in ("minute", "hour", "day", "pending"):
        for key, numbers in found[name].items():
            if key[1] is None and numbers:
                continue  # of a series whose name could not be read: it has no name to be told by
            if not any(one[name].get(key) == numbers for one in wanted):
                raise FalseError(f"{name}: {key} was told as {numbers}")
    if wrong := set(found["event"]) - texts:
        raise FalseError(f"an event that never was: {min(wrong)[:40]}")


# --- damage


def _spoil(path: Path, store: Kind, dice: Random) -> Spoilt:
    log = path.with_name(path.name + "-wal")
    if log.exists() and dice.random() < 0.5:
        return _spoil_log(log, dice)
    role = dice.choice(sorted(store.roles))
    number = dice.choice(store.roles[role])
    content = bytearray(path.read_bytes())
    if number * PAGE > len(content):  # it is in the log only
        return _spoil_log(log, dice)
    area, first, length = _area(role, dice)
    damage = dice.choice((*DAMAGES[:3], area) if area != "anywhere" else (*DAMAGES, *MORE))
    begin, end = _change(content, (number - 1) * PAGE, first, length, damage, dice)
    path.write_bytes(content)
    pages = set(range(begin // PAGE + 1, (end - 1) // PAGE + 2))
    newer = {one.page for one in wal.committed(wal.read(log, PAGE), 0)} if log.exists() else set()
    salt = begin < 16 and (end - begin > 1 or newer != set())
    return Spoilt(f"{role}, {damage} in {area}", pages, False, salt, pages <= newer and begin >= 16)


def _area(role: str, dice: Random) -> tuple[str, int, int]:
    areas = [("anywhere", 0, PAGE), ("the body", 16, PAGE - 96), ("the IV", PAGE - 80, 16)]
    areas.append(("the HMAC", PAGE - 64, 64))
    if role == "first page":
        areas += [("the salt", 0, 16), ("SQLite's header", 16, 84)]
    return dice.choice(areas)


def _change(
    content: bytearray, page: int, first: int, length: int, damage: str, dice: Random
) -> tuple[int, int]:
    """Spoil it; which bytes are other ones now."""
    before = bytes(content)
    at = page + first + dice.randrange(length)
    sector = at // 512 * 512
    if damage == "one byte":
        content[at] ^= dice.randrange(1, 256)
    elif damage == "16 bytes":
        at = min(at, page + first + length - 16)
        content[at : at + 16] = dice.randbytes(16)
    elif damage == "a sector of zeros":
        content[sector : sector + 512] = bytes(512)
    elif damage == "a page of zeros":
        content[page : page + PAGE] = bytes(PAGE)
    elif damage == "a page of ones":
        content[page : page + PAGE] = b"\xff" * PAGE
    elif damage == "a page of noise":
        content[page : page + PAGE] = dice.randbytes(PAGE)
    elif damage == "another page's content":
        other = (page + PAGE * dice.randrange(1, len(content) // PAGE)) % len(content)
        content[page : page + PAGE] = content[other : other + PAGE]
    elif damage == "4 KiB of zeros":
        first = page // 4096 * 4096
        end = min(first + 4096, len(content))
        content[first:end] = bytes(end - first)
    else:
        content[at] ^= 1 << dice.randrange(8)
    places = [place for place in range(len(content)) if content[place] != before[place]]
    return places[0], places[-1] + 1


def _spoil_log(log: Path, dice: Random) -> Spoilt:
    frames = wal.committed(wal.read(log, PAGE), 0)
    part = dice.choice(WAL_PARTS)
    content = bytearray(log.read_bytes())
    frame = dice.choice(frames)
    start = 32 + frame.number * (24 + PAGE)
    first, length = {
        "header": (0, 32),
        "page number": (start, 4),
        "commit mark": (start + 4, 4),
        "salts": (start + 8, 8),
        "sums": (start + 16, 8),
        "body": (start + 24, PAGE - 80),
        "IV": (start + 24 + PAGE - 80, 16),
        "HMAC": (start + 24 + PAGE - 64, 64),
    }[part]
    at = first + dice.randrange(length)
    content[at] ^= 1 << dice.randrange(8)
    log.write_bytes(content)
    whole = part in ("header", "page number", "commit mark", "salts", "sums")
    commits = sum(1 for one in frames[frame.number :] if one.pages)
    newest = all(one.page != frame.page for one in frames[frame.number + 1 :])
    spoilt = set() if whole or not newest else {frame.page}
    return Spoilt(f"log, {part}", spoilt, commits <= LAST, False)
