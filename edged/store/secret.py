"""Secret bytes: held in as few places as Python allows, and overwritten when they are done with.

A ``bytes`` or ``str`` cannot be overwritten, and whatever makes one (``hex``, ``fromhex``, a slice) leaves
a copy on the heap until something else happens to lie there. So a key lives in ``bytearray``\\ s, is read
into one by ``readv`` and turned into digits and back by the byte. What this cannot do is told in
docs/keys.md.
"""

from __future__ import annotations

import os
from typing import Final

Key = bytes | bytearray

BYTES: Final = 32  # of a key
TEXT: Final = 2 * BYTES  # its digits
DIGITS: Final = b"0123456789abcdef"
_VALUES: Final = {digit: value for value, digit in enumerate(DIGITS)} | {
    digit: value for value, digit in enumerate(b"ABCDEF", 10)
}


def wipe(secret: bytearray | None) -> None:
    """Overwrite it."""
    if secret is not None:
        secret[:] = bytes(len(secret))


def fresh() -> bytearray:
    """A new key: random bits of the kernel's."""
    key = bytearray(BYTES)
    with open("/dev/urandom", "rb", buffering=0) as source:  # noqa: PTH123 - getrandom() would return bytes
        if source.readinto(key) != BYTES:
            raise OSError("the kernel gives no random bytes")
    return key


def write_digits(key: Key, text: bytearray, at: int = 0) -> None:
    """Write the key's hexadecimal digits into ``text`` from ``at`` on."""
    for place, byte in enumerate(key):
        text[at + 2 * place] = DIGITS[byte >> 4]
        text[at + 2 * place + 1] = DIGITS[byte & 15]


def digits(key: Key) -> bytearray:
    """The key as it is written down: 64 hexadecimal digits and a newline."""
    text = bytearray(TEXT + 1)
    write_digits(key, text)
    text[TEXT] = ord("\n")
    return text


def parsed(text: bytearray) -> bytearray | None:
    """The key that 64 hexadecimal digits, with or without a newline, are; None when they are none."""
    if len(text) not in (TEXT, TEXT + 1) or (len(text) > TEXT and text[TEXT] != ord("\n")):
        return None
    key = bytearray(BYTES)
    for place in range(BYTES):
        high, low = _VALUES.get(text[2 * place]), _VALUES.get(text[2 * place + 1])
        if high is None or low is None:
            wipe(key)
            return None
        key[place] = high << 4 | low
    return key


def read(descriptor: int, most: int = TEXT + 2) -> bytearray:
    """Up to ``most`` bytes until the end, into memory of our own."""
    text, got = bytearray(most), 0
    while got < most:
        piece = memoryview(text)[got:]
        count = os.readv(descriptor, [piece])
        piece.release()
        if not count:
            break
        got += count
    del text[got:]
    return text
