"""A disk without mercy: from a record of what a process did, what could be on it if the power failed then.

What was synced is there. Of the rest each write may be there, or not, or in parts, in any order: a write of
several sectors may have reached the disk with any of them; what lies between may be zeros or whatever was
there before. A name is on the disk once its folder was synced; until then it may be there, with or without
its content. After a failed sync what was to be synced may be lost for good, though the next sync succeeds.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

SECTOR: Final = 512
HEAD: Final = struct.Struct("iiiiqq")
OPEN, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, LINK, MARK, UNSYNCED = range(1, 10)


class Record(NamedTuple):
    """One thing that a process did."""

    kind: int
    process: int
    file: int
    flags: int
    offset: int
    data: bytes


def records(log: bytes) -> Iterator[Record]:
    """What interposer.c wrote."""
    at = 0
    while at < len(log):
        kind, process, file, flags, offset, length = HEAD.unpack_from(log, at)
        at += HEAD.size
        yield Record(kind, process, file, flags, offset, log[at : at + length])
        at += length


class Change(NamedTuple):
    """A write, or (``data`` None) a new length ``offset``, of which nobody knows yet whether it lasts."""

    order: int
    offset: int
    data: bytes | None


@dataclass
class Inode:
    """A file's content: what lasts, and what may."""

    lasting: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)
    doomed: list[Change] = field(default_factory=list)

    def sync(self, dice: Random) -> None:
        """Everything lasts, but what an earlier sync failed to write may be gone."""
        for change in self.changes:
            if change not in self.doomed or dice.random() < 0.5:
                apply(self.lasting, change)
        self.changes, self.doomed = [], []


class Named(NamedTuple):
    """A name that was given (to ``inode``) or (None) taken away, in order ``order``."""

    order: int
    name: str
    inode: Inode | None


class Disk:
    """Follows the records; ``cut`` says what a power cut would leave now."""

    def __init__(self, folder: str, dice: Random) -> None:
        self._folder, self._dice = folder, dice
        self._now: dict[str, Inode] = {}
        self._lasting: dict[str, Inode] = {}
        self._names: list[Named] = []
        self._open: dict[tuple[int, int], Inode | None] = {}
        self._order = 0
        self.acknowledged = -1

    def follow(self, one: Record) -> None:
        """Take in what was done next."""
        self._order += 1
        where = one.process, one.file
        if one.kind == OPEN:
            self._opened(where, one.data.decode(), one.flags)
        elif one.kind == MARK:
            self.acknowledged = one.flags
        elif one.kind in (UNLINK, RENAME, LINK):
            self._named(one)
        elif (inode := self._open.get(where)) is not None:
            self._written(inode, one)
        elif one.kind == SYNC:  # of the folder
            self._keep_names(len(self._names))

    def _opened(self, where: tuple[int, int], path: str, flags: int) -> None:
        if path == self._folder or flags & os.O_DIRECTORY:
            self._open[where] = None
            return
        if path not in self._now:
            self._name(path, Inode())
        self._open[where] = self._now[path]
        if flags & os.O_TRUNC:
            self._now[path].changes.append(Change(self._order, 0, None))

    def _name(self, path: str, inode: Inode | None) -> None:
        self._names.append(Named(self._order, path, inode))
        if inode is None:
            self._now.pop(path, None)
        else:
            self._now[path] = inode

    def _named(self, one: Record) -> None:
        if one.kind == UNLINK:
            self._name(one.data.decode(), None)
            return
        old, new = one.data.decode().split("\0")
        self._name(new, self._now[old])
        if one.kind == RENAME:
            self._name(old, None)

    def _keep_names(self, many: int) -> None:
        for one in self._names[:many]:
            keep_name(self._lasting, one)
        del self._names[:many]

    def _written(self, inode: Inode, one: Record) -> None:
        if one.kind == WRITE:
            inode.changes.append(Change(self._order, one.offset, one.data))
        elif one.kind == TRUNCATE:
            inode.changes.append(Change(self._order, one.offset, None))
        elif one.kind == UNSYNCED:
            inode.doomed = list(inode.changes)
        elif one.kind == SYNC:
            inode.sync(self._dice)

    # --- the cut

    def cut(self, dice: Random, mercy: str) -> dict[str, bytes]:
        """What is on the disk afterwards. ``mercy``: "none" (only what was synced), "all", "order" (a part in
        the order in which it was written, the last torn), "any" (any part of it, torn), "names" (all names,
        any contents), "sizes" (the lengths of everything, any contents; the rest is zeros or noise).
        """
        names = dict(self._lasting)
        most = self._order + 1 if mercy in ("all", "names", "sizes") else dice.randint(0, self._order + 1)
        for one in self._names:
            last = one.order < most if mercy != "any" else dice.random() < 0.5
            if mercy != "none" and last:
                keep_name(names, one)
        return {path: self._content(inode, dice, mercy, most) for path, inode in names.items()}

    def _content(self, inode: Inode, dice: Random, mercy: str, most: int) -> bytes:
        content = bytearray(inode.lasting)
        if mercy == "none":
            return bytes(content)
        if mercy == "sizes":
            self._grow(content, inode.changes, dice)
        changes = inode.changes
        if mercy in ("any", "names", "sizes"):
            changes = [one for one in changes if dice.random() < 0.5]
            dice.shuffle(changes)
        elif mercy == "order":
            changes = [one for one in changes if one.order < most]
        for number, change in enumerate(changes):
            last = number == len(changes) - 1
            for part in (
                torn(change, dice)
                if mercy not in ("all", "order") or (last and mercy == "order")
                else [change]
            ):
                apply(content, part)
        return bytes(content)

    @staticmethod
    def _grow(content: bytearray, changes: list[Change], dice: Random) -> None:
        longest = max((one.offset + len(one.data) for one in changes if one.data is not None), default=0)
        missing = max(0, longest - len(content))
        content += dice.randbytes(missing) if dice.random() < 0.5 else bytes(missing)


def apply(content: bytearray, change: Change) -> None:
    """Make a change, as the kernel does: what lies between is zeros."""
    if change.data is None:
        del content[change.offset :]
        content += bytes(change.offset - len(content))
        return
    content += bytes(max(0, change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


def keep_name(names: dict[str, Inode], one: Named) -> None:
    """A name lasts."""
    if one.inode is None:
        names.pop(one.name, None)
    else:
        names[one.name] = one.inode


def torn(change: Change, dice: Random) -> list[Change]:
    """The parts of a write that reached the disk: all, its beginning, or any of its sectors."""
    if change.data is None or dice.random() < 0.3:
        return [change]
    if dice.random() < 0.3:
        return [change._replace(data=change.data[: dice.randrange(len(change.data) + 1)])]
    edges = range(-(change.offset % SECTOR), len(change.data), SECTOR)
    return [
        change._replace(offset=change.offset + max(0, edge), data=change.data[max(0, edge) : edge + SECTOR])
        for edge in edges
        if dice.random() < 0.5
    ]


def lay_out(content: dict[str, bytes], folder: str, place: Path) -> None:
    """Write what a cut left into ``place``, as if that were ``folder``."""
    for path, data in content.items():
        file = place / path.removeprefix(folder).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
