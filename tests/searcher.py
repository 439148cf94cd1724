"""Looks for known bytes wherever processes may have left them: files, memory, traces, swap.

Millions of windows of sixteen bytes are looked for at once: every two aligned words in a row of what is
searched are held against a table of all of them, and what fits is compared in full. So some forty bytes in a
row of a picture, and a hundred or two of one that was written down as text, are found wherever they begin, in
a second or so for a hundred megabytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

FOUND, LONGEST = 24, 160  # bytes that must be the same, at least and at most; see ``telling``
DISTINCT, TELLING = 3, 6  # different bytes in a window, and in what was found: others are everywhere
PIECE: Final = 16 << 20  # bytes looked at at a time
ODD, OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
BITS: Final = 27


class Hit(NamedTuple):
    """Where something of which sample was found."""

    place: str
    sample: str


class Searcher:
    """Knows the samples; ``hits`` looks for them. ``needles`` are looked for as a whole, not for pieces."""

    def __init__(
        self, samples: Iterable[tuple[str, bytes]], needles: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        self._samples, self._needles = list(samples), list(needles)
        self.looked = 0  # bytes
        windows = [_windows(data) for _, data in self._samples]
        self._table = np.sort(np.concatenate(windows))
        self._filter = np.zeros(1 << BITS, np.bool_)
        self._filter[_place(self._table)] = True

    def hits(self, place: str, pieces: Iterable[bytes]) -> list[Hit]:
        """Every sample of which something is in one of the pieces, once for each piece."""
        return [Hit(place, name) for piece in pieces for name in self.names(piece)]

    def finds(self, pieces: Iterable[bytes]) -> bool:
        """Whether there is anything at all."""
        return any(self.names(piece) for piece in pieces)

    def names(self, data: bytes) -> list[str]:
        """The samples of which something is in ``data``."""
        self.looked += len(data)
        return [name for name, needle in self._needles if needle in data] + self._pieces_of(data)

    def _pieces_of(self, data: bytes) -> list[str]:
        words = np.frombuffer(data, np.uint64, len(data) // 8)
        pairs = _pairs(words[:-1], words[1:])
        there = np.flatnonzero(self._filter[_place(pairs)])
        there = there[self._known(pairs[there])]
        found: dict[str, bytes] = {}
        for at in there.tolist():
            part = data[8 * at : 8 * at + LONGEST]
            if any(_tells(part, name, sample) for name, sample in found.items()):
                continue  # more of the same
            found.update(self._sample(part))
            if len(found) >= 3:
                break
        return list(found)

    def _known(self, pairs: Words) -> NDArray[np.bool_]:
        at = np.minimum(np.searchsorted(self._table, pairs), len(self._table) - 1)
        return self._table[at] == pairs

    def _sample(self, part: bytes) -> list[tuple[str, bytes]]:
        """The sample that ``part`` begins with a piece of, of the length that tells it from other things."""
        return next(([(name, data)] for name, data in self._samples if _tells(part, name, data)), [])


def _tells(part: bytes, name: str, data: bytes) -> bool:
    piece = part[: telling(name)]
    return len(piece) == telling(name) and piece in data and len(set(piece)) >= TELLING


def telling(name: str) -> int:
    """Bytes that must be the same. Text holds less in each: four of its characters may be one byte, and four
    bytes of wide text are one character; so are four bytes of a colour that was made a number with a point,
    and most coefficients are nearly 0: of small numbers programs have rows of their own.
    """
    if ", in " in name or "wide" in name:
        return LONGEST if "blocks" in name else 96
    return 64 if "blocks" in name or "colours" in name else FOUND


def _windows(data: bytes) -> Words:
    """Every window of sixteen bytes of which neither half is everywhere, as a number."""
    values = np.frombuffer(data, np.uint8)
    count = values.size - 7
    if values.size < FOUND:
        return np.empty(0, np.uint64)
    distinct = np.full(count, 8, np.uint8)
    for at in range(1, 8):
        again = np.zeros(count, np.bool_)
        for before in range(at):
            again |= values[at : at + count] == values[before : before + count]
        distinct -= again
    sliding = np.lib.stride_tricks.sliding_window_view(values, 8)
    words = np.ascontiguousarray(sliding).view(np.uint64).reshape(-1)
    rare = distinct >= DISTINCT
    return _pairs(words[:-8], words[8:])[rare[:-8] & rare[8:]]


def _pairs(words: Words, next_words: Words) -> Words:
    """Two words as one number; few pairs have the same."""
    return words * ODD + next_words * OTHER


def _place(words: Words) -> NDArray[np.intp]:
    return ((words * ODD) >> np.uint64(64 - BITS)).astype(np.intp)


# --- what is searched


def of_file(path: Path) -> Iterator[bytes]:
    """A file, or a device, piece by piece; nothing where it may not be read."""
    try:
        with path.open("rb") as file:
            yield from _pieces(file.read)
    except OSError:
        return


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    kept = b""
    while data := read(PIECE):
        yield kept + data
        kept = data[-2 * LONGEST :]


def of_folder(folder: Path, since: float, but: Iterable[Path] = ()) -> Iterator[tuple[Path, Iterator[bytes]]]:
    """What was changed below ``folder`` since a moment (epoch seconds), names and links included."""
    left_out = {os.fspath(one) for one in but}
    for top, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if f"{top}/{one}" not in left_out]
        for name in (*files, *folders):
            with suppress(OSError):
                # Hundreds of thousands may lie there that are older: nothing is made for those.
                if os.lstat(f"{top}/{name}").st_ctime < since or f"{top}/{name}" in left_out:
                    continue
                path = Path(top, name)
                yield path, iter((os.fsencode(path.name).ljust(FOUND, b"\0"),))
                if path.is_symlink():
                    yield path, iter((os.fsencode(path.readlink()),))
                elif path.is_file():
                    yield path, of_file(path)


def of_memory(pid: int) -> Iterator[bytes]:
    """All that a process's memory holds, mapping by mapping. Raises ``PermissionError`` where that is not
    ours to read; what ends meanwhile ends the search of it.
    """
    with suppress(ProcessLookupError, FileNotFoundError), Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            assert match, line
            start, end = int(match[1], 16), int(match[2], 16)
            if match[4] in ("[vvar]", "[vsyscall]", "[vvar_vclock]") or match[3].startswith("---"):
                continue
            for at in range(start, end, PIECE):
                with suppress(OSError, OverflowError):
                    memory.seek(at)
                    yield memory.read(min(PIECE, end - at))


def swaps() -> list[Path]:
    """Where this machine keeps swapped pages."""
    lines = Path("/proc/swaps").read_text().splitlines()[1:]
    return [Path(line.split()[0]) for line in lines]
