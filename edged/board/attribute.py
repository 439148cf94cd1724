"""Reading one attribute of sysfs, procfs or the device tree: a short file that drivers may refuse in any
way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

LONGEST: Final = 4096  # bytes: sysfs gives a page at most


def text(file: Path) -> str:
    """The text without what ends it (in the device tree a zero byte); "" when it cannot be read."""
    try:
        with file.open("rb", buffering=0) as opened:
            content = opened.read(LONGEST) or b""
    except OSError:
        return ""
    return content.decode("utf-8", errors="replace").strip("\0\n\t ")


def number(file: Path) -> int | None:
    """A whole number, decimal or as 0x…; None when it cannot be read or is none."""
    try:
        return int(text(file), 0)
    except ValueError:
        return None
