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

from edged.store.secret import Key

SALT: Final = 16
DIGEST: Final = 64
SAMPLE: Final = 16  # pages looked at, at each end of the file


def first_page_verifies(path: Path, key: Key, page: int) -> bool:
    """Whether the file begins with a page that was written with ``key`` (32 bytes)."""
    with path.open("rb") as file:
        salt, rest = file.read(SALT), file.read(page - SALT)
    return len(rest) == page - SALT and _verifies(rest, 1, _mac_key(salt, key))


def any_page_verifies(path: Path, key: Key, page: int) -> bool:
    """Whether a page but the first was written with ``key`` (32 bytes). Looks at a few at both ends."""
    count = path.stat().st_size // page
    with path.open("rb") as file:
        mac_key = _mac_key(file.read(SALT), key)
        for number in {*range(2, 2 + SAMPLE), *range(count - SAMPLE, count + 1)}:
            if 2 <= number <= count:
                file.seek((number - 1) * page)
                if _verifies(file.read(page), number, mac_key):
                    return True
    return False


def _mac_key(salt: bytes, key: Key) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", key, bytes(one ^ 0x3A for one in salt), 2, 32)


def _verifies(page: bytes, number: int, mac_key: bytes) -> bool:
    content, found = page[:-DIGEST], page[-DIGEST:]
    expected = hmac.digest(mac_key, content + number.to_bytes(4, "little"), "sha512")
    return hmac.compare_digest(expected, found)
