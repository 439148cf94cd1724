"""Walks a table's tree around what is damaged, and finds the leaves that nothing leads to any more."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from edged.store import schema
from edged.store.salvage import btree
from edged.store.salvage.btree import Cell, Node, UnreadableError
from edged.store.salvage.pages import Pages

LOWEST, HIGHEST = -(1 << 63), 1 << 63
DEEPEST: Final = 40
WIDEST: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 25 * 3600}


class Gap(NamedTuple):
    """A damaged page: the rows with keys beyond ``low`` and up to ``high`` were on it or below it. ``leaf``:
    its neighbours are leaves, so nothing was below it.
    """

    page: int
    low: int
    high: int
    leaf: bool


class Tree:
    """One table or index, as far as it can be reached from its root."""

    def __init__(self, pages: Pages, root: int) -> None:
        self._pages = pages
        self.root = root
        self.gaps: list[Gap] = []
        self.used: set[int] = set()
        self.leaves = self.read = 0
        self.cut = 0  # rows that go on on a damaged page

    def rows(self) -> Iterator[Cell]:
        """Every row that can be reached."""
        yield from self._below(self.root, LOWEST, HIGHEST, False, 0)

    def _node(self, number: int) -> Node | None:
        page = self._pages.get(number)
        if page is None or number in self.used:
            return None
        self.used.add(number)
        try:
            return btree.node(page, number, self._pages.get, self.used.add)
        except UnreadableError:
            return None

    def _below(self, number: int, low: int, high: int, leaf: bool, depth: int) -> Iterator[Cell]:
        found = self._node(number) if depth < DEEPEST else None
        if found is None:
            self.used.add(number)
            self.gaps.append(Gap(number, low, high, leaf))
            return
        if found.leaf:
            self.leaves += 1
            yield from self._told(found.cells)
            return
        leaves = self._leaves_below(found)
        for cell in found.cells:
            yield from self._below(cell.child, low, cell.key, leaves, depth + 1)
            if found.kind == btree.INDEX_INNER:
                yield from self._told((cell,))
            low = cell.key
        yield from self._below(found.last, low, high, leaves, depth + 1)

    def _leaves_below(self, found: Node) -> bool:
        """Whether its children are leaves, by the first that can be read."""
        for number in (*(cell.child for cell in found.cells), found.last):
            page = self._pages.get(number)
            if page is not None:
                return btree.kind_of(page, number) in (btree.TABLE_LEAF, btree.INDEX_LEAF)
        return False

    def _told(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        for cell in cells:
            if cell.record is None:
                self.cut += 1
            else:
                self.read += 1
                yield cell

    def lost(self, found: bool) -> int:
        """About how many rows are gone: those of a leaf are as many as on the others. ``found``: what was
        below other damaged pages was found.
        """
        each = max(1, round(self.read / self.leaves)) if self.leaves else 1
        return self.cut + each * sum(gap.leaf or not found for gap in self.gaps)


def orphans(pages: Pages, trees: dict[str, Tree]) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Leaves below a damaged page: (the table that they belong to, their rows). The table is "" where it
    cannot be told for certain. A free page is none: its rows were dropped.
    """
    wanted = {name: [gap for gap in tree.gaps if not gap.leaf] for name, tree in trees.items()}
    if not any(wanted.values()):
        return
    used = set[int]().union(*(tree.used for tree in trees.values()))
    free, _ = btree.free(pages.get)
    for number in range(2, pages.count + 1):
        if number in used or number in free:
            continue
        page = pages.get(number)
        if page is None or btree.kind_of(page, number) != btree.TABLE_LEAF:
            continue
        try:
            cells = btree.node(page, number, pages.get, lambda _: None).cells
        except UnreadableError:
            continue
        cells = tuple(cell for cell in cells if cell.record is not None)
        if cells:
            fitting = [name for name, gaps in wanted.items() if _fits(name, cells, gaps)]
            yield (fitting[0] if len(fitting) == 1 else _of_several(fitting, cells)), cells


def _fits(name: str, cells: tuple[Cell, ...], gaps: list[Gap]) -> bool:
    if not any(gap.low < cells[0].key and cells[-1].key <= gap.high for gap in gaps):
        return False
    if name not in WIDEST:
        return all({"event": _is_event, "series": _is_series}[name](cell) for cell in cells)
    return all(_is_bucket(cell, WIDEST[name]) for cell in cells)


def _is_event(cell: Cell) -> bool:
    found = cell.record or ()
    return len(found) == 6 and all(isinstance(one, str) for one in found[3:])


def _is_series(cell: Cell) -> bool:
    """No other table has seven columns."""
    found = cell.record or ()
    return len(found) == 7 and all(isinstance(one, str) for one in found[1:6]) and isinstance(found[6], int)


def _is_bucket(cell: Cell, width: int) -> bool:
    found = cell.record or ()
    if len(found) != 6 or not all(isinstance(one, int | float) for one in found[1:]):
        return False
    step = min(width, 900)  # hours and days begin on a quarter of an hour, in every zone
    return (cell.key >> schema.SERIES_BITS) % step == 0 and found[1] <= width * 1000


def _of_several(fitting: list[str], cells: tuple[Cell, ...]) -> str:
    """Two starts on one page are neighbours in their table, so the shorter buckets leave no room for longer
    ones; a page with one start may be of either.
    """
    starts = sorted({cell.key >> schema.SERIES_BITS for cell in cells})
    if len(starts) < 2:
        return ""
    apart = min(later - one for one, later in itertools.pairwise(starts))
    possible = [name for name in fitting if WIDEST.get(name, 0) <= apart]
    best = max(possible, key=WIDEST.__getitem__, default="")
    return best if best and apart < 2 * WIDEST[best] else ""
