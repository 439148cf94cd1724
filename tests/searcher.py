"""Looks for known bytes wherever processes may have left them: files, memory, traces, swap.

Millions of eight-byte windows are looked for at once: every aligned word of what is searched is held against
a table of all of them, and what fits is compared in full. So some forty bytes in a row of a picture, and a
hundred or two of one that was written down as text, are found wherever they begin, in a second or so for a
hundred megabytes.
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
ODD: Final = np.uint64(0x9E3779B97F4A7C15)
BITS: Final = 26


class Hit(NamedTuple):
    """Where something of which sample was found."""

    place: str
    sample: str


class Searcher:
    """Knows the samples; ``hits`` looks for them."""

    def __init__(self, samples: Iterable[tuple[str, bytes]]) -> None:
        self._samples = list(samples)
        windows = [_windows(data) for _, data in self._samples]
        self._table = np.sort(np.concatenate(windows))
        self._filter = np.zeros(1 << BITS, np.bool_)
        self._filter[_place(self._table)] = True

    def hits(self, place: str, pieces: Iterable[bytes]) -> list[Hit]:
        """Every sample of which something is in one of the pieces, once for each piece."""
        return [Hit(place, name) for piece in pieces for name in self.names(piece)]

    def names(self, data: bytes) -> list[str]:
        """The samples of which something is in ``data``."""
        words = np.frombuffer(data, np.uint64, len(data) // 8)
        there = np.flatnonzero(self._filter[_place(words)])
        there = there[self._known(words[there])]
        there = there[:-1][np.diff(there) == 1]  # two in a row: what is found is longer than a window
        found: list[str] = []
        for at in there.tolist():
            name = self._name(data[8 * at : 8 * at + LONGEST])
            if name is not None and name not in found:
                found.append(name)
            if len(found) >= 3:
                break
        return found

    def _known(self, words: Words) -> NDArray[np.bool_]:
        at = np.minimum(np.searchsorted(self._table, words), len(self._table) - 1)
        return self._table[at] == words

    def _name(self, part: bytes) -> str | None:
        """The sample that ``part`` begins with a piece of, of the length that tells it from other things."""
        for name, data in self._samples:
            piece = part[: telling(name)]
            if len(piece) == telling(name) and piece in data:
                return name if len(set(piece)) >= TELLING else None
        return None


def telling(name: str) -> int:
    """Bytes that must be the same. Text holds less in each: four of its characters may be one byte; and most
    coefficients are nearly 0, of which programs have rows of their own.
    """
    if ", in " in name:
        return LONGEST if "blocks" in name else 96
    return 64 if "blocks" in name else FOUND


def _windows(data: bytes) -> Words:
    """Every window of eight bytes that is not everywhere."""
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
    return np.ascontiguousarray(sliding[distinct >= DISTINCT]).view(np.uint64).reshape(-1)


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
