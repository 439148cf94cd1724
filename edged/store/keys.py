"""The store's key: 256 random bits in a file that only its owner can read. It is never logged, printed or passed as an argument."""

from __future__ import annotations

from pathlib import Path


def create(path: Path) -> None:
    """Make a new key file (mode 0400, its folder 0700 if new). Raises ``KeyRefusedError`` when anything is there already."""
    raise NotImplementedError


def load(path: Path) -> bytes:
    """The 32 bytes of the key. Raises ``KeyRefusedError`` when the file is absent, malformed, or not this user's alone."""
    raise NotImplementedError
