"""Finding a sensor among the folders that the kernel has for each of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edged.errors import RefusedError, UnavailableError

SYS: Final = Path("/sys")


def said(file: Path) -> str:
    """A short text attribute, "" when it cannot be read."""
    try:
        return file.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def place(folder: Path) -> str:
    """Where its chip is: "1-0048" for one on the second I²C bus; "" when nothing tells."""
    link = folder / "device"
    parent = link.resolve() if link.is_symlink() else folder.resolve().parent
    return parent.name if parent != folder.parent.resolve() else ""


def chosen(wanted: str, of_kind: Path, pattern: str) -> Path:
    """The folder of the device that is ``wanted``: by its folder's name, by its own ("lm75"), or, where there
    are several of one name, with its place ("lm75@1-0048"). Raises ``UnavailableError`` when there is none
    now, ``RefusedError`` when there are several.
    """
    known = [(one, said(one / "name")) for one in sorted(of_kind.glob(pattern))]
    found = [folder for folder, name in known if wanted in (folder.name, name, f"{name}@{place(folder)}")]
    if not found:
        here = ", ".join(_called(*one) for one in known) or "none"
        raise UnavailableError(f'there is no "{wanted}" here; there are: {here}', "is the sensor plugged in?")
    if len(found) > 1:
        names = ", ".join(f"{said(one / 'name')}@{place(one)}" for one in found)
        raise RefusedError(f'there are {len(found)} of the name "{wanted}"', f"say which: {names}")
    return found[0]


def _called(folder: Path, name: str) -> str:
    return f"{name} ({folder.name})" if name else folder.name


def selected(wanted: tuple[str, ...], there: Iterator[str], what: str) -> tuple[str, ...]:
    """The channels to read: those that are named, else all. Raises ``RefusedError`` for one that it does not
    have, and when there is none at all.
    """
    known = tuple(there)
    for one in wanted:
        if one not in known:
            raise RefusedError(
                f'{what} has no channel "{one}"', f"it has {', '.join(known) or 'none that can be read'}"
            )
    if not known:
        raise RefusedError(f"{what} has no channel that can be read", "name another device")
    return wanted or known
