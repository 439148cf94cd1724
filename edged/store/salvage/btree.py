"""SQLite's B-trees, one page at a time: cells, records, free pages (SQLite's file format, "B-tree Pages").

``U`` there is ``USABLE`` here: what SQLCipher leaves of a page.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from edged.store.database import PAGE
from edged.store.salvage.cipher import RESERVED

USABLE: Final = PAGE - RESERVED
INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
KINDS: Final = (INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF)
_LEAST: Final = (USABLE - 12) * 32 // 255 - 23
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

#: A page's decrypted content by its number, None if it is damaged.
Get = Callable[[int], "bytes | None"]
Record = tuple[Any, ...]


class UnreadableError(Exception):
    """A page verifies but is none of a B-tree, or a row goes on on a page that is damaged."""


class Cell(NamedTuple):
    """A row, or the way to rows: ``child`` holds the keys up to and including ``key`` (of a table), or those
    before ``record`` (of an index). ``record`` None: of a row that goes on on a damaged page.
    """

    child: int
    key: int
    record: Record | None


class Node(NamedTuple):
    """A page of a B-tree. ``last``: the child behind the last cell, 0 in a leaf."""

    kind: int
    cells: tuple[Cell, ...]
    last: int

    @property
    def leaf(self) -> bool:
        """Whether there are only rows in it."""
        return self.kind in (TABLE_LEAF, INDEX_LEAF)


def kind_of(page: bytes, number: int) -> int:
    """What kind of page it is, if it is one of a B-tree."""
    return page[100 if number == 1 else 0]


def node(page: bytes, number: int, get: Get, use: Callable[[int], None]) -> Node:
    """Read a page. ``use`` hears of each page that its rows go on on. Raises ``UnreadableError``."""
    start = 100 if number == 1 else 0
    kind = page[start]
    if kind not in KINDS:
        raise UnreadableError
    inner = kind in (TABLE_INNER, INDEX_INNER)
    try:
        (many,) = struct.unpack_from(">H", page, start + 3)
        last = struct.unpack_from(">I", page, start + 8)[0] if inner else 0
        places = struct.unpack_from(f">{many}H", page, start + (12 if inner else 8))
        return Node(kind, tuple(_cell(page, place, kind, get, use) for place in places), last)
    except (struct.error, IndexError, ValueError):
        raise UnreadableError from None


def _cell(page: bytes, at: int, kind: int, get: Get, use: Callable[[int], None]) -> Cell:
    child = key = 0
    if kind in (TABLE_INNER, INDEX_INNER):
        (child,) = struct.unpack_from(">I", page, at)
        at += 4
    if kind == TABLE_INNER:
        key, _ = varint(page, at)
        return Cell(child, _signed(key), None)
    length, at = varint(page, at)
    if kind == TABLE_LEAF:
        key, at = varint(page, at)
    try:
        payload = _payload(page, at, length, kind, get, use)
    except UnreadableError:
        return Cell(child, _signed(key), None)
    return Cell(child, _signed(key), record(payload))


def _payload(page: bytes, at: int, length: int, kind: int, get: Get, use: Callable[[int], None]) -> bytes:
    most = USABLE - 35 if kind == TABLE_LEAF else (USABLE - 12) * 64 // 255 - 23
    if length <= most:
        return page[at : at + length]
    local = _LEAST + (length - _LEAST) % (USABLE - 4)
    if local > most:
        local = _LEAST
    content = page[at : at + local]
    (following,) = struct.unpack_from(">I", page, at + local)
    pages = list[int]()
    while following and len(content) < length:
        if following in pages:
            raise UnreadableError
        pages.append(following)
        use(following)
        more = get(following)
        if more is None:
            raise UnreadableError
        (following,) = struct.unpack_from(">I", more)
        content += more[4:]
    if len(content) < length:
        raise UnreadableError
    return content[:length]


def record(payload: bytes) -> Record:
    """The values of a row. Raises ``ValueError``, ``IndexError`` and ``struct.error`` for what is none."""
    end, at = varint(payload, 0)
    kinds, values = [], []
    while at < end:
        kind, at = varint(payload, at)
        kinds.append(kind)
    at = end
    for kind in kinds:
        value, length = _value(payload, at, kind)
        values.append(value)
        at += length
    if at > len(payload):
        raise ValueError("a row that is cut off")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, 0
    if kind in _INTEGERS:
        length = _INTEGERS[kind]
        return int.from_bytes(payload[at : at + length], "big", signed=True), length
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], 8
    if kind in (8, 9):
        return kind - 8, 0
    if kind < 12:
        raise ValueError(f"a value of kind {kind}")
    length = (kind - 12) // 2
    content = payload[at : at + length]
    return (content.decode() if kind % 2 else content), length


def varint(page: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(8):
        byte = page[at + place]
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at + place + 1
    return value << 8 | page[at + 8], at + 9


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def free(get: Get) -> tuple[set[int], bool]:
    """The free pages, and whether all of them are known."""
    pages, head = set[int](), get(1)
    if head is None:
        return pages, False
    trunk, _ = struct.unpack_from(">II", head, 32)
    while trunk:
        page = get(trunk)
        if page is None or trunk in pages:
            return pages, False
        pages.add(trunk)
        following, many = struct.unpack_from(">II", page)
        if many > USABLE // 4 - 2:
            return pages, False
        pages |= set(struct.unpack_from(f">{many}I", page, 8))
        trunk = following
    return pages, True
