"""A damaged store does not stop the counting: it is put aside as it is, and a new one begun.

Damage is known at a start in two ways: the store does not open (its first page, or commits in its log, do
not verify), or the last life left word that a page did not verify while it wrote (``-suspect``): then every
page is looked at first. What was put aside is never touched again; ``edged store salvage`` saves what is
whole of it.
"""

from __future__ import annotations

import datetime
import errno
from pathlib import Path
from typing import Final, NamedTuple

from edged.config.shape import Keep
from edged.errors import DamagedError, StoreError
from edged.store import rotation
from edged.store.database import Database, suspicion, sync_folder
from edged.store.keys import Keyring
from edged.store.rotation import Opened, Told, quiet

MOST: Final = 3  # damaged stores kept; a card that spoils a fourth is no place for a fifth


class Begun(NamedTuple):
    """The store that was opened; where a damaged one lies since just now, and what was wrong with it."""

    opened: Opened
    aside: Path | None = None
    damage: str = ""


def begun(
    path: Path, ring: Keyring, *, keep: Keep | None = None, zone: datetime.tzinfo, told: Told = quiet
) -> Begun:
    """Open the store to write it, a new one if it is damaged. Raises as ``rotation.opened`` does."""
    damage = _confirmed(path, ring, told)
    if not damage:
        try:
            return Begun(rotation.opened(path, ring, keep=keep, zone=zone, told=told))
        except DamagedError as error:
            damage = error.message
    aside = put_aside(path)
    return Begun(rotation.opened(path, ring, keep=keep, zone=zone, told=told), aside, damage)


def _confirmed(path: Path, ring: Keyring, told: Told) -> str:
    """What is wrong with a store that is under suspicion; "" when nothing is, or no suspicion."""
    mark = suspicion(path)
    if not mark.exists():
        return ""
    told("verifying", 0, max(1, path.stat().st_size // 1024) if path.exists() else 1)
    damage = _wrong(path, ring)
    if not damage:
        mark.unlink(missing_ok=True)
    return damage


def _wrong(path: Path, ring: Keyring) -> str:
    try:
        database = Database(path, ring[rotation.fitting(path, ring)], read_only=True)
    except DamagedError as error:
        return error.message
    except StoreError:
        return ""  # opening it to write will say the same
    try:
        return next(iter(database.verify()), "")
    except StoreError as error:  # a sector that cannot be read at all
        return error.message
    finally:
        database.close()


def kept(path: Path) -> list[Path]:
    """The damaged stores that lie beside it, oldest first."""
    found = (_name(path, number) for number in range(1, MOST + 1))
    return [one for one in found if one.exists()]


def _name(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.damaged-{number}")


def put_aside(path: Path) -> Path:
    """Give the damaged file and its log another name; where it is now. Raises ``DamagedError`` when there are
    too many already.

    At each instant either name leads to both: they get their new names before they lose the old ones, and the
    log goes last (a new file beside an old log takes none of it: SQLite removes a log beside an empty file).
    """
    free = [one for number in range(1, MOST + 1) if not (one := _name(path, number)).exists()]
    if not free:
        raise DamagedError(
            f"{path} is damaged, and {MOST} damaged stores lie beside it already",
            f"replace the card or disk; save what is whole (edged store salvage {_name(path, 1)}), "
            "then move them away",
        )
    log = path.with_name(path.name + "-wal")
    new_log = free[0].with_name(free[0].name + "-wal")
    try:
        _renamed(path, free[0], log, new_log)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be put aside: {error.strerror}", "check the card or disk"
        ) from None
    suspicion(path).unlink(missing_ok=True)
    return free[0]


def _renamed(path: Path, new: Path, log: Path, new_log: Path) -> None:
    new_log.unlink(missing_ok=True)
    if log.exists():
        _link(log, new_log)
    _link(path, new)
    sync_folder(path)
    path.unlink(missing_ok=True)
    sync_folder(path)
    log.unlink(missing_ok=True)
    sync_folder(path)


def _link(old: Path, new: Path) -> None:
    try:
        new.hardlink_to(old)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        old.rename(new)  # FAT has no second names
