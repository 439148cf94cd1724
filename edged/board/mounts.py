"""What is mounted where: which file system a path lies in (proc(5), mountinfo)."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Mount(NamedTuple):
    """One mounted file system. ``device`` is its number, as in "179:2"; ``options`` are the mount's and the
    file system's together.
    """

    point: str
    kind: str
    source: str
    device: str
    options: frozenset[str]

    @property
    def read_only(self) -> bool:
        """Nothing can be written here."""
        return "ro" in self.options

    def option(self, name: str) -> str:
        """The value of an option such as upperdir, "" without one."""
        return next((one.partition("=")[2] for one in self.options if one.startswith(name + "=")), "")


def mounts(proc: Path) -> list[Mount]:
    """Everything that is mounted, in the order in which it was. Empty when the kernel does not tell."""
    try:
        table = (proc / "self/mountinfo").read_text("utf-8", errors="replace")
    except OSError:
        return []
    return [one for one in map(_parsed, table.splitlines()) if one]


def holder(path: str | PurePosixPath, table: list[Mount]) -> Mount | None:
    """The file system that ``path`` (absolute, without links) lies in."""
    wanted = PurePosixPath(path)
    found = None
    for one in table:  # what was mounted later over the same place hides the earlier
        if wanted.is_relative_to(one.point) and (found is None or len(one.point) >= len(found.point)):
            found = one
    return found


def _parsed(line: str) -> Mount | None:
    head, found, tail = line.partition(" - ")
    left, right = head.split(" "), tail.split(" ")
    if not found or len(left) < 6 or len(right) < 3:
        return None
    options = frozenset([*left[5].split(","), *right[2].split(",")])
    return Mount(_plain(left[4]), right[0], _plain(right[1]), left[2], options)


def _plain(text: str) -> str:
    r"""Spaces and the like are written as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
