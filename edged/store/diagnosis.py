"""Was it the key or the file? Checks single pages as SQLCipher 4 does, when SQLCipher itself cannot get past
the first.

A page ends in 80 bytes: 16 of IV, then HMAC-SHA512 over what is before (without the file's 16 bytes of salt
in page 1) and the page's number, little-endian. The HMAC's key is PBKDF2-HMAC-SHA512 of the raw key, 2
rounds, salt = the file's salt with each byte xor 0x3a (SQLCipher's design document, "Database File
Encryption").
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from edged.store import wal
from edged.store.secret import Key

SALT: Final = 16
DIGEST: Final = 64
BLANK: Final = 512  # bytes: the least that a card writes
SAMPLE: Final = 16  # pages looked at, at each end of the file


def first_page_verifies(path: Path, key: Key, page: int) -> bool:
    """Whether the file begins with a page that was written with ``key`` (32 bytes)."""
    with path.open("rb") as file:
        salt, rest = file.read(SALT), file.read(page - SALT)
    return len(rest) == page - SALT and _verifies(rest, 1, _mac_key(salt, key))


def any_page_verifies(path: Path, key: Key, page: int) -> bool:
    """Whether a page but the first was written with ``key`` (32 bytes). Looks at a few at both ends."""
    return bool(salt(path, key, page))


def salt(path: Path, key: Key, page: int) -> bytes:
    """The file's salt, if pages of it were written with ``key``: its own, the one that a first page in the
    WAL has, or one that differs from its own in one byte (it is in no page's HMAC, and without it none
    verifies). b"" when none of them fits.
    """
    own = _read(path, 0, SALT)
    frames = [
        one for one in wal.read(path.with_name(path.name + "-wal"), page, sums=False).frames if one.page
    ]
    known = [own, *(one.content[:SALT] for one in frames if one.page == 1)]
    near = (
        own[:place] + bytes((value,)) + own[place + 1 :] for place in range(len(own)) for value in range(256)
    )
    logged = [(one.page, one.content) for one in (*frames[:SAMPLE], *frames[-SAMPLE:])]
    for candidates, many in ((known, SAMPLE), (near, 2)):
        pages = [*_samples(path, page, many), *logged[: 2 * many]]
        for one in candidates:
            mac_key = _mac_key(one, key)
            if any(_verifies(_signed(content, number), number, mac_key) for number, content in pages):
                return one
    return b""


def _signed(content: bytes, number: int) -> bytes:
    """The part of a page that its HMAC is made of, and the HMAC."""
    return content[SALT:] if number == 1 else content


def _samples(path: Path, page: int, many: int) -> list[tuple[int, bytes]]:
    """Some pages at both ends of the file."""
    count = path.stat().st_size // page
    numbers = {*range(1, 2 + many), *range(count - many, count + 1)}
    return [(one, _read(path, (one - 1) * page, page)) for one in sorted(numbers) if 1 <= one <= count]


def blank(path: Path) -> bool:
    """Whether the file begins with one and the same byte over and over, which no key ever wrote."""
    start = _read(path, 0, BLANK)
    return len(start) == BLANK and len(set(start)) == 1


def _read(path: Path, at: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)


def _mac_key(salt: bytes, key: Key) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", key, bytes(one ^ 0x3A for one in salt), 2, 32)


def _verifies(page: bytes, number: int, mac_key: bytes) -> bool:
    content, found = page[:-DIGEST], page[-DIGEST:]
    expected = hmac.digest(mac_key, content + number.to_bytes(4, "little"), "sha512")
    return hmac.compare_digest(expected, found)
