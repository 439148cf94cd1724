"""Opens the store with whichever of two keys fits, and finishes a rotation that was begun.

A rotation has four steps, and at each instant the store is one whole file under one key that is on the disk:

- *Begun*: the next key is made beside the key (``edged keys rotate``). The store is under the key.
- *Copied*: whoever opens the store to write it next finds two keys, writes every page into a new file under
  the next one, proves that this is whole, and syncs it. A cut leaves a file that is thrown away.
- *Exchanged*: the new file takes the old one's name: one ``rename``, then the folder is synced. The store is
  under the next key.
- *Promoted*: the next key becomes the key (``edged keys rotate`` again, or what is left of it), only after it
  was seen to open the store and the folder was synced once more: this step destroys the old key.

The order in which things reach the disk is the whole argument:

- The old file's WAL is folded into it and *removed, and the folder synced*, before the rename: a WAL of the
  old key's beside the file of the new one would be taken for its own and destroy it.
- The new file's content is synced before the rename: else its name could be on the disk before its content.
- The old file stays open, and locked, until the rename is done: no other edged may write into what goes away.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edged.config.shape import Keep
from edged.errors import DamagedError, StoreError, WrongKeyError
from edged.store import Store
from edged.store.database import PAGE, Database, sync_folder
from edged.store.keys import KEY, NEXT, Keyring
from edged.store.secret import Key

#: Hears what is done of a copy, in pages: (what, done, of).
Told = Callable[[str, int, int], None]

ROOM: Final = 1 << 20  # bytes beyond a second copy: the WAL of the daemon that goes on afterwards


class Opened(NamedTuple):
    """The store, and the name of the key that it is under. ``rotated``: since just now; ``failed``: why it
    is not.
    """

    store: Store
    which: str
    rotated: bool = False
    failed: str = ""


def quiet(what: str, done: int, of: int) -> None:
    """For who need not be told."""


def opened(
    path: Path, ring: Keyring, *, keep: Keep | None = None, zone: datetime.tzinfo, told: Told = quiet
) -> Opened:
    """Open the store to write it, under the next key if there is one. Raises as ``Store.open`` does.

    A rotation that cannot be finished now (no room) is no reason not to count: the store stays under its key.
    """
    which, rotated, failed = settled(path, ring, told)
    store = Store.open(path, ring[which], keep=keep, zone=zone)
    if which == NEXT:
        sync_folder(path)
    return Opened(store, which, rotated, failed)


def reading(
    path: Path, ring: Keyring, *, keep: Keep | None = None, zone: datetime.tzinfo = datetime.UTC
) -> Store:
    """Open the store to read it, under whichever key it is. Raises as ``Store.open`` does."""
    return Store.open(path, ring[fitting(path, ring)], keep=keep, zone=zone, read_only=True)


def settled(path: Path, ring: Keyring, told: Told = quiet) -> tuple[str, bool, str]:
    """Finish a rotation: (the name of the key that the store is under, whether that is since now, why it is
    not).

    Raises ``StoreError`` when neither key fits, or another edged has the store.
    """
    which = fitting(path, ring)
    if which == KEY and ring.rotating:
        try:
            rekey(path, ring.key, ring[NEXT], told)
        except WrongKeyError:
            raise
        except StoreError as error:
            return KEY, False, error.message
        return NEXT, True, ""
    discard(_beside(path))
    return which, False, ""


def opens(path: Path, key: Key) -> bool:
    """Whether the store at ``path`` is under ``key``, whatever else may be wrong with it."""
    from edged.store.diagnosis import any_page_verifies, first_page_verifies

    return first_page_verifies(path, key, PAGE) or any_page_verifies(path, key, PAGE)


def fitting(path: Path, ring: Keyring) -> str:
    """Which of the two keys the store is under; a store that is not there yet will be under the newer one."""
    if not ring.rotating:
        return KEY
    from edged.store.diagnosis import first_page_verifies  # with hashlib a megabyte, seldom needed

    try:
        if not path.exists() or path.stat().st_size == 0:
            return NEXT
        for name in (NEXT, KEY):
            if first_page_verifies(path, ring[name], PAGE):
                return name
    except OSError:
        return KEY  # opening it will say why
    return _tried(path, ring)


def _tried(path: Path, ring: Keyring) -> str:
    """The first page is torn; the WAL may mend it for the one who has the key, as only SQLCipher can tell."""
    try:
        Database(path, ring.key, read_only=True).close()
    except WrongKeyError:
        return NEXT
    except StoreError:
        return KEY
    return KEY


def rekey(path: Path, old: Key, new: Key, told: Told = quiet) -> None:
    """Encrypt the store with another key. It is under one of the two at each instant, and whole.

    Raises ``StoreError`` (no room, in use, damaged) with everything as it was.
    """
    fresh = _beside(path)
    discard(fresh)
    refuse_small_disk(path)
    source = Database(path, old, as_it_is=True)
    try:
        pages = max(1, path.stat().st_size // PAGE)
        told("folding", 0, pages)
        source.fold()
        source.copy_to(fresh, new, lambda done, of: told("writing", done, of))
        told("checking", 0, pages)
        _prove(source, fresh, new)
        _like(fresh, path)
        _sync(fresh)
        sync_folder(fresh)
        fresh.rename(path)
        sync_folder(path)
        told("checking", pages, pages)
    except BaseException as error:
        discard(fresh)
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreError(f"{path} cannot be written anew: {error.strerror}", "check its disk") from None
        raise
    finally:
        source.close()


def _prove(source: Database, fresh: Path, key: Key) -> None:
    """Every page of the copy verifies, its trees are whole, and it has every table and row."""
    copy = Database(fresh, key, read_only=True)
    try:
        wrong = copy.verify()
        if not wrong and copy.summary() != source.summary():
            wrong = ["it is not the same"]
    finally:
        copy.close()
        _discard_beside(fresh)
    if wrong:
        raise DamagedError(
            f"a copy of {source.path} is not whole: {wrong[0]}",
            "stop edged and look with `edged doctor`: the store itself may be damaged; nothing was changed",
        )


def refuse_small_disk(path: Path) -> None:
    """Raise ``StoreError`` with figures when there is no room for a second copy."""
    needed, free = room(path)
    if needed > free:
        raise StoreError(
            f"a second copy of {path} needs {needed / 1e6:.0f} MB, and its disk has {free / 1e6:.0f} MB free",
            "free some room; nothing was changed",
        )


def room(path: Path) -> tuple[int, int]:
    """Bytes that a second copy takes, and bytes that are free where the store lies."""
    files = (path, path.with_name(path.name + "-wal"))
    needed = sum(one.stat().st_size for one in files if one.exists()) + ROOM
    disk = os.statvfs(path.parent)
    return needed, disk.f_bavail * disk.f_frsize


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-next")


def discard(fresh: Path) -> None:
    """Remove what is left of a copy that was not finished."""
    with suppress(OSError):  # then whoever makes the next one finds it, and says so
        fresh.unlink()
    _discard_beside(fresh)


def _discard_beside(fresh: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        with suppress(OSError):
            fresh.with_name(fresh.name + end).unlink()


def sync(path: Path) -> None:
    """The file's content is on the disk, and its name."""
    _sync(path)
    sync_folder(path)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _like(fresh: Path, path: Path) -> None:
    """Root works for the store's owner."""
    if os.geteuid() == 0:
        owner = path.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid, follow_symlinks=False)
