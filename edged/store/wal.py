"""Is the write-ahead log whole? SQLite takes it up to the first frame whose checksum does not fit, and says
nothing: after a power cut that is right, after damage it drops every commit from there on.

A header of 32 bytes (magic, version, page size, count of checkpoints, two salts, two sums), then frames: a
header of 24 (page number; pages in the file if the frame ends a commit, else 0; the salts; two sums) and a
page. Sums go on from one frame to the next, so each frame can be checked against what the frame before says
its own are (SQLite's file format, "WAL Format").

A commit is synced before the next is written. So a power cut spoils nothing but the last commit; frames that
end two commits, in one unbroken row after the first frame that does not fit, are damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

HEADER: Final = struct.Struct(">8I")
FRAME: Final = struct.Struct(">6I")
MAGIC: Final = 0x377F0682  # its last bit says that sums are taken of big-endian words
MASK: Final = 0xFFFFFFFF

Sums = tuple[int, int]


class Frame(NamedTuple):
    """``pages`` is the file's length if the frame ends a commit, else 0; ``fits``: its sums follow from those
    that the frame before says it has.
    """

    number: int
    page: int
    pages: int
    salts: Sums
    sums: Sums
    fits: bool
    content: bytes


class Log(NamedTuple):
    """A log as it lies on the disk. ``whole``: SQLite takes its header."""

    whole: bool
    salts: Sums
    frames: tuple[Frame, ...]

    def taken(self) -> int:
        """How many frames SQLite takes: up to the end of the last commit before one that does not fit."""
        taken = 0
        for frame in self.frames if self.whole else ():
            if not frame.fits or frame.salts != self.salts:
                break
            if frame.pages:
                taken = frame.number + 1
        return taken


def read(path: Path, page: int, sums: bool = True) -> Log:
    """The log of a database, with pages of ``page`` bytes; without looking at ``sums`` no frame fits. Raises
    ``OSError``.
    """
    content = path.read_bytes() if path.exists() else b""
    if len(content) < HEADER.size:
        return Log(False, (0, 0), ())
    magic, _, size, _, one, two, *told = HEADER.unpack_from(content)
    order = ">" if magic & 1 else "<"
    found = _sums(content[:24], (0, 0), order)
    whole = magic | 1 == MAGIC | 1 and size == page and list(found) == told
    before, wanted = (found, (one, two)) if whole else (None, None)
    return Log(whole, (one, two), tuple(_frames(content, page, order, before, wanted, sums)))


def _frames(
    content: bytes, page: int, order: str, before: Sums | None, wanted: Sums | None, look: bool
) -> Iterator[Frame]:
    step = FRAME.size + page
    for number in range((len(content) - HEADER.size) // step):
        at = HEADER.size + number * step
        name, pages, *rest = FRAME.unpack_from(content, at)
        salts, sums = (rest[0], rest[1]), (rest[2], rest[3])
        data = content[at + FRAME.size : at + step]
        wanted = wanted or salts  # others are left over from the log before: nobody takes them
        fits = look and before is not None and salts == wanted
        fits = fits and _sums(content[at : at + 8] + data, before or (0, 0), order) == sums
        yield Frame(number, name, pages, salts, sums, fits, data)
        before = sums


def _sums(data: bytes, before: Sums, order: str) -> Sums:
    first, second = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word, other in zip(words, words, strict=True):
        first = (first + word + second) & MASK
        second = (second + other + first) & MASK
    return first, second


def dropped(log: Log, file: Path, page: int) -> int:
    """How many commits of the log were synced and would be dropped in silence; 0 for a log that is whole or
    was cut off.
    """
    if not log.frames:
        return 0
    if not log.whole:
        return _not_in_file(log, file, page)
    taken = log.taken()
    return max((ends for ends in _rows(log, taken) if ends > 1), default=0)


def _rows(log: Log, first: int) -> Iterator[int]:
    """How many commits end in each unbroken row of frames behind frame ``first``."""
    ends = 0
    for frame in log.frames[first:]:
        if frame.salts != log.salts:
            yield ends
            ends = 0
            continue
        if not frame.fits:
            yield ends
            ends = 0
        ends += bool(frame.pages)
    yield ends


def _not_in_file(log: Log, file: Path, page: int) -> int:
    """The header does not fit. It is written anew only once all frames are in the file: then nothing is
    lost.
    """
    latest, ends = dict[int, bytes](), 0
    pending = dict[int, bytes]()
    for frame in log.frames:
        if (frame.number and not frame.fits) or frame.salts != log.frames[0].salts:
            break
        pending[frame.page] = frame.content
        if frame.pages:
            latest, ends = {**latest, **pending}, ends + 1
    with file.open("rb") as opened:
        for number, content in latest.items():
            opened.seek((number - 1) * page)
            if opened.read(page) != content:
                return ends
    return 0


def committed(log: Log, dropped_: int) -> list[Frame]:
    """The frames of whole commits: those that SQLite takes, and with ``dropped_`` those behind the damage."""
    if not dropped_:
        return list(log.frames[: log.taken()])
    salts = log.salts if log.whole else log.frames[0].salts
    first = log.taken() if log.whole else 0
    last = first
    for frame in log.frames[first:]:
        if frame.salts != salts and frame.salts in _others(log, first, salts):
            break  # of the log before this one
        if frame.pages and frame.salts == salts:
            last = frame.number + 1
    return list(log.frames[:last])


def _others(log: Log, first: int, salts: Sums) -> set[Sums]:
    """Salts, but these, that several frames share: a single one is a damaged header."""
    seen: dict[Sums, int] = {}
    for frame in log.frames[first:]:
        seen[frame.salts] = seen.get(frame.salts, 0) + 1
    return {one for one, many in seen.items() if many > 1 and one != salts}
