"""What a folder on the disk gives away: shown, not claimed."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

#: How files of pictures and films begin, at an offset.
PICTURES: Final = {
    "JPEG": (0, b"\xff\xd8\xff"),
    "PNG": (0, b"\x89PNG\r\n"),
    "GIF": (0, b"GIF8"),
    "WebP": (8, b"WEBP"),
    "AVI": (8, b"AVI "),
    "BMP": (0, b"BM"),
    "TIFF": (0, b"II*\0"),
    "PNM": (0, b"P6\n"),
    "PGM": (0, b"P5\n"),
    "MP4": (4, b"ftyp"),
    "Matroska": (0, b"\x1aE\xdf\xa3"),
    "NumPy": (0, b"\x93NUMPY"),
}
#: Bits a byte: what is ciphered or random has more, text and plain databases have less. Small files cannot
#: show it.
NOISE: Final = 7.5
ENOUGH: Final = 4096


class Finding(NamedTuple):
    """One file: how large, how disordered (bits a byte), and what it is as far as it shows."""

    path: Path
    size: int
    entropy: float
    kind: str


def findings(folder: Path) -> list[Finding]:
    """Every file in a folder, and in the folders within."""
    return [_finding(path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _finding(path: Path) -> Finding:
    content = path.read_bytes()
    return Finding(path, len(content), entropy(content), kind(content))


def kind(content: bytes) -> str:
    """A picture's or film's format, "plain SQLite", "noise", "text", or "" for what is none of them."""
    for name, (offset, start) in PICTURES.items():
        if content[offset:].startswith(start):
            return name
    if content.startswith(b"SQLite format 3\0"):
        return "plain SQLite"
    if len(content) >= ENOUGH and entropy(content) > NOISE:
        return "noise"
    try:
        return "text" if content.decode().isprintable() or b"\n" in content else ""
    except UnicodeDecodeError:
        return ""


def entropy(content: bytes) -> float:
    """Shannon's, in bits a byte: 8 for noise, about 4.5 for text."""
    total = len(content)
    return sum(-count / total * math.log2(count / total) for count in Counter(content).values())


def refusal(path: Path) -> str:
    """What plain SQLite says to the file; "" when it opens it, which must not be."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as plain:
        try:
            plain.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            return str(error)
    return ""


def dump(content: bytes, columns: int = 16) -> list[str]:
    """Bytes as ``xxd`` shows them."""
    rows = [(at, content[at : at + columns]) for at in range(0, len(content), columns)]
    return [f"{at:08x}  {row.hex(' '):{3 * columns}} {_visible(row)}" for at, row in rows]


def _visible(row: bytes) -> str:
    return "".join(chr(one) if 32 <= one < 127 else "." for one in row)
