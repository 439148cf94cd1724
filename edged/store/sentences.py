"""What SQLite's errors mean for the owner of a store. They are told without their text where that could hold
what is in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edged.errors import DamagedError, StoreError, WrongKeyError
from edged.store.secret import Key

# sqlite3.h: primary result codes
BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 8, 10, 11, 13, 14, 26
#: What a copy (``backup``) fails with has no code, only SQLite's own words for it.
_CODES: Final = {
    "attempt to write a readonly database": READONLY,
    "disk I/O error": IOERR,
    "database disk image is malformed": CORRUPT,
    "database or disk is full": FULL,
    "file is not a database": NOTADB,
}
HINT_OWNER: Final = "run this as the user that owns it, or name another [store] file"
HINT_DISK: Final = "check the card or disk, and the kernel's messages"
HINT_DAMAGED: Final = (
    "at its next start edged puts it aside and goes on with a new one; `edged store salvage` saves what is "
    "whole; check the card or disk that it lies on"
)


def code(error: object) -> int:
    """The primary result code of an error of SQLite's, 0 when it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF or _CODES.get(str(error), 0)


def damaged(path: Path) -> DamagedError:
    """A page of it was read that is not what was written."""
    return DamagedError(f"{path} is damaged: a page of it does not verify", HINT_DAMAGED)


def plain(path: Path, code: int, error: object) -> StoreError:
    """Of an error that says nothing of what is in the file."""
    known = {
        BUSY: (
            f"{path} is in use by another edged",
            "only one edged run may write it: stop the other",
        ),
        FULL: (f"there is no room left for {path}", "free some room on its disk"),
        READONLY: (
            f"{path} may not be written",
            "check who owns it and whether its disk is read-only",
        ),
        CANTOPEN: (f"{path} cannot be opened", "check who owns it and its folder"),
        IOERR: (f"the disk fails under {path}", HINT_DISK),
    }
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    message, hint = known.get(code, (f"{path}: SQLite says {name}: {error}", "report this as a bug"))
    return StoreError(message, hint)


def wrong_or_damaged(path: Path, key: Key, page: int) -> StoreError:
    """The first page does not verify. If another does, the key is right and the file is damaged. ``page`` is
    a page's size in bytes.
    """
    from edged.store import diagnosis

    try:
        damaged = bool(diagnosis.salt(path, key, page)) or diagnosis.blank(path)
    except OSError as error:
        return StoreError(f"the disk fails under {path}: {error.strerror}", HINT_DISK)
    if damaged:
        return DamagedError(f"{path} is damaged: its first page does not verify", HINT_DAMAGED)
    return WrongKeyError(
        f"the key does not open {path}",
        "put back the key file that it was made with ([store] key_file); the store was not changed",
    )
