"""The file, and the only importer of SQLCipher: encrypted or refused, whole or refused, one writer, any
number of readers.

The writer holds the file alone (``locking_mode=EXCLUSIVE``): SQLite then keeps the WAL's index on its heap.
The shared index that it would need otherwise is a mapped file that the kernel writes to the card every
minute: more bytes than the data (docs/adr/0007). So readers come without locks, through SQLite's
``unix-none`` file system, which for reading alone keeps such an index of its own. What they may not do is
read while the writer writes; they look at both files' stamps before and after, and read again when those
differ. The writer never waits and never knows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlcipher3 import dbapi2 as sqlcipher  # type: ignore[import-untyped]

from edged.errors import DamagedError, NewerSchemaError, NotEncryptedError, StoreError
from edged.store import schema, sentences
from edged.store.secret import Key, wipe, write_digits
from edged.store.sentences import CORRUPT, HINT_DAMAGED, HINT_OWNER, NOTADB

T = TypeVar("T")
Values = Sequence[Any]

PAGE: Final = 1024  # bytes; what a commit of 20 series writes is smallest with it (docs/adr/0007)
CHECKPOINT: Final = 1000  # pages in the WAL before they are copied: about a quarter of a day
WAL_LIMIT: Final = 4 << 20  # bytes that the WAL's file keeps after a large transaction
CACHE: Final = 512  # KiB of pages in memory
PLAIN_HEADER: Final = b"SQLite format 3\0"
QUIET: Final = 0.05  # seconds without a write; file stamps tick every 10 ms at the coarsest
TRIES: Final = 100
COPIED_AT_ONCE: Final = 2048  # pages between two words of a copy's progress: half a second on a Pi Zero


class Database:
    """An open file. ``read_only`` ones may be opened while another process writes."""

    def __init__(self, path: Path, key: Key, read_only: bool = False, as_it_is: bool = False) -> None:
        """``as_it_is`` takes the file to write but leaves its schema at the version that it has."""
        self.path, self._key, self._read_only = path, bytearray(key), read_only
        self._connection: Any = None
        self._file = -1
        self._seen: tuple[object, ...] = ()
        if read_only:
            self.consistently(self._check_version)
        else:
            self._open_to_write(as_it_is)

    # --- opening

    def _open_to_write(self, as_it_is: bool) -> None:
        if _make(self.path):
            self._sync_name()
        try:
            self._look_into()
            self._refuse_plain()
            self._refuse_broken_wal()
            self._connect(f"file:{quote(str(self.path))}?mode=rw")
            with self._told():
                self._hold()
                self._refuse_exchanged()
                if not as_it_is:
                    self._migrate()
            self._refuse_plain()
        except BaseException:
            self.close()
            raise
        wipe(self._key)  # SQLCipher has it now; nothing else needs it again
        self._key = bytearray()

    def _look_into(self) -> None:
        """Open the file for a look at its first bytes. For a writer it stays open as long as the
        connection: a process that closes any descriptor of a file loses all its locks on it, SQLite's
        too (fcntl(2)).
        """
        try:
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error.strerror}", HINT_OWNER) from None

    def _refuse_plain(self) -> None:
        try:
            start = os.pread(self._file, len(PLAIN_HEADER), 0)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error.strerror}", HINT_OWNER) from None
        if start == PLAIN_HEADER:
            raise NotEncryptedError(
                f"{self.path} is a plain SQLite database, not encrypted",
                "edged never writes into one: move it away, or name another [store] file",
            )

    def _refuse_broken_wal(self) -> None:
        """SQLite would drop the commits behind a damaged frame in silence, and write over them."""
        log = self._files()[1]
        if _length(log) == 0:
            return
        from edged.store import wal  # seldom needed: only after a crash

        try:
            commits = wal.dropped(wal.read(log, PAGE), self.path, PAGE)
        except OSError as error:
            raise StoreError(f"{log} cannot be read: {error.strerror}", HINT_OWNER) from None
        if commits:
            raise DamagedError(
                f"{self.path} is damaged: {commits} commits in its write-ahead log cannot be read",
                HINT_DAMAGED,
            )

    def _sync_name(self) -> None:
        """Before anything is in it."""
        try:
            sync_folder(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.path.parent} cannot be synced: {error.strerror}", "check the card or disk"
            ) from None

    def _refuse_exchanged(self) -> None:
        """Another process may have put a new file here (a rotation) between our opening it and our lock."""
        ours, found = os.fstat(self._file), self.path.stat()
        if (ours.st_dev, ours.st_ino) != (found.st_dev, found.st_ino):
            raise StoreError(
                f"{self.path} is in use by another edged", "only one edged run may write it: stop the other"
            )

    def _connect(self, uri: str) -> None:
        with self._told():
            self._connection = sqlcipher.connect(
                uri, uri=True, isolation_level=None, timeout=0.0, cached_statements=64
            )
            _unlock(self._connection, self._key)
            self._prove_cipher()

    def _prove_cipher(self) -> None:
        """A SQLite without SQLCipher takes every one of these pragmas in silence, and writes in the clear."""
        if not self.cipher() or self.value("PRAGMA cipher_status") != "1":
            raise StoreError("this SQLite has no SQLCipher in it: it would not encrypt", "reinstall edged")
        self.value("SELECT count(*) FROM sqlite_master")

    def _hold(self) -> None:
        """Take the file for good, and set how it is written."""
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        self._connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        self._connection.execute(
            "PRAGMA secure_delete = FAST"
        )  # what is dropped is overwritten where that is free
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("ROLLBACK")

    def _migrate(self) -> None:
        found = self._check_version()
        for version, statements in enumerate(schema.MIGRATIONS[found:], found + 1):
            with self.transaction():
                for statement in statements:
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version = {version}")

    def _check_version(self) -> int:
        """The schema's version; 0 for a new file. Raises for another program's file and for one from the
        future.
        """
        version, whose = self.value("PRAGMA user_version"), self.value("PRAGMA application_id")
        if whose != schema.APPLICATION_ID and (
            whose or version or self.value("SELECT count(*) FROM sqlite_master")
        ):
            raise StoreError(f"{self.path} is another program's database", "name another [store] file")
        if version > schema.VERSION:
            raise NewerSchemaError(
                f"{self.path} was written by a newer edged: its schema is {version}, ours {schema.VERSION}",
                "install that edged again, or name another [store] file",
            )
        if self._read_only and version < schema.VERSION:
            raise StoreError(
                f"{self.path} was written by an older edged: its schema is {version}, ours {schema.VERSION}",
                "start edged run once: it brings the file up to date",
            )
        return int(version)

    def close(self) -> None:
        """Close the file; the writer copies its WAL into it and removes that. Closing twice is fine."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlcipher.Error):
                connection.close()
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    # --- asking

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._told():
            found: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        self._refuse_spoilt()
        return found

    def _refuse_spoilt(self) -> None:
        """SQLCipher hands out a page that does not verify as zeros, and its error only with the next page:
        the end of a long text, if that is the last page of a query, would be told as zeros. From then on
        it refuses every page, with errors of several kinds.
        """
        if self._spoilt():
            raise self._damaged()

    def _spoilt(self) -> bool:
        return bool(self._connection.execute("PRAGMA cipher_status").fetchone() == ("0",))

    def _damaged(self) -> DamagedError:
        return sentences.damaged(self.path)

    def value(self, sql: str, values: Values = ()) -> Any:
        """The first number of the first row, None when there is no row."""
        found = self.rows(sql, values)
        return found[0][0] if found else None

    def consistently(self, ask: Callable[[], T]) -> T:
        """What ``ask`` finds by ``rows`` and ``value``, all of it from the same commit."""
        if not self._read_only:
            return ask()
        for _ in range(TRIES):
            try:
                self._look()
                answer = ask()
            except StoreError:
                if not self._written_since():
                    raise
            else:
                if not self._written_since():
                    return answer
            self.close()
        raise StoreError(f"{self.path} was written to without a pause", "try again")

    def _look(self) -> None:
        """Open the file as it is now, once nobody writes, unless what is open is that already."""
        if self._connection is not None and not self._written_since():
            return
        self.close()
        self._seen = self._stamps()
        if not self.path.exists():
            raise StoreError(
                f"there is no store {self.path}", "edged run makes it; is it this config's [store] file?"
            )
        self._look_into()
        self._refuse_plain()
        while max(abs(time.time() - one) for one in self._times()) < QUIET:
            time.sleep(QUIET)
            self._seen = self._stamps()
        # With nothing in the WAL, all that there is is in the file, and SQLite must not look for a WAL: one
        # that it finds empty it removes when it closes; the writer would go on writing to a nameless file.
        has_wal = len(self._seen) > 1
        self._refuse_broken_wal()
        self._connect(f"file:{quote(str(self.path))}?mode=ro&{'vfs=unix-none' if has_wal else 'immutable=1'}")

    def _files(self) -> tuple[Path, Path]:
        return self.path, self.path.with_name(self.path.name + "-wal")

    def _stats(self) -> Iterator[os.stat_result]:
        for file in self._files():
            with suppress(OSError):
                yield file.stat()

    def _times(self) -> list[float]:
        return [one.st_mtime for one in self._stats()] or [0.0]

    def _stamps(self) -> tuple[object, ...]:
        # An empty WAL is none: the reader's own SQLite may make one.
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in self._stats() if one.st_size)

    def _written_since(self) -> bool:
        return self._stamps() != self._seen

    # --- writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed together and is on the disk afterwards, or none of it ever was."""
        with self._told():
            if self._spoilt():
                self._suspect()
                raise self._damaged()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._refuse_spoilt()
                self._connection.execute("COMMIT")
                self._keep_what_lost_its_name()
            except BaseException as error:
                if (
                    isinstance(error, DamagedError)
                    or sentences.code(error) in (CORRUPT, NOTADB)
                    or self._spoilt()
                ):
                    self._suspect()
                # A full disk has rolled back already, and so may say that there is nothing to roll back.
                with suppress(sqlcipher.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _suspect(self) -> None:
        """Leave word for the next start, which then looks at every page."""
        with suppress(OSError):
            suspicion(self.path).touch(0o600)

    def _keep_what_lost_its_name(self) -> None:
        """Somebody has removed the WAL: what is committed to it is gone with the next power cut, so it goes
        into the file now, and so does each commit until the next start.
        """
        if not self._files()[1].exists():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def write(self, sql: str, values: Values = ()) -> int:
        """Run one statement, within a transaction; the number of rows it changed."""
        with self._told():
            return int(self._connection.execute(sql, values).rowcount)

    def write_many(self, sql: str, rows: Iterable[Values]) -> None:
        """Run one statement for each row, within a transaction."""
        with self._told():
            self._connection.executemany(sql, rows)

    # --- a copy under another key

    def fold(self) -> None:
        """Copy the WAL into the file and remove it for good. For a writer that writes nothing afterwards."""
        if self.value("PRAGMA wal_checkpoint(TRUNCATE)") != 0:
            raise StoreError(f"{self.path} is read by another program", "stop that one, then try again")
        self._files()[1].unlink(missing_ok=True)
        sync_folder(self.path)

    def copy_to(self, path: Path, key: Key, told: Callable[[int, int], None]) -> None:
        """Write every page into a new file at ``path``, encrypted with ``key``; ``told(done, of)`` hears
        how many.

        Pages are what is copied, not rows: nothing that is in the file can be forgotten. Nothing is synced:
        a copy that was cut short is thrown away, and one that is whole is synced by who puts it in its
        place.
        """
        if not _make(path):
            raise StoreError(f"{path} is there already", "move it away")
        with self._told():
            copy = sqlcipher.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
            try:
                _unlock(copy, key)
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")
                self._connection.backup(
                    copy, pages=COPIED_AT_ONCE, progress=lambda _, left, of: told(of - left, of), sleep=0.0
                )
            finally:
                copy.close()

    def summary(self) -> tuple[object, ...]:
        """What a copy must have in common with the file: its marks, its pages, its tables, how many rows of
        each.
        """
        marks = ("user_version", "application_id", "page_size", "page_count", "freelist_count", "auto_vacuum")
        tables = self.rows("SELECT name, type, sql FROM sqlite_master ORDER BY name")
        counts = [self.value(f'SELECT count(*) FROM "{name}"') for name, kind, _ in tables if kind == "table"]
        return (*(self.value(f"PRAGMA {mark}") for mark in marks), tables, counts)

    # --- facts

    def cipher(self) -> str:
        """SQLCipher's version, "" if it is not there."""
        return str(self.value("PRAGMA cipher_version") or "")

    def size(self) -> int:
        """Bytes on the disk, of the file and its WAL."""
        return sum(one.st_size for one in self._stats())

    def verify(self) -> list[str]:
        """Read all of the file; a sentence for each page that does not verify and each tree that is not
        whole.
        """
        # This looks at the file alone. A page that a cut left torn there is whole in the WAL, from which
        # the next writer mends it and any reader reads it: while there is one, what is read through it
        # decides.
        pages = [str(row[0]) for row in self.rows("PRAGMA cipher_integrity_check")]
        if pages and not _length(self._files()[1]):
            return pages
        return [str(row[0]) for row in self.rows("PRAGMA integrity_check(20)") if row[0] != "ok"]

    # --- errors

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as ours. They are told without their text where that could hold what is in the
        file.
        """
        try:
            yield
        except sqlcipher.Error as error:
            raise self._sentence(error) from None

    def _sentence(self, error: Any) -> StoreError:
        code = sentences.code(error)
        if code == NOTADB and self._key:
            return sentences.wrong_or_damaged(self.path, self._key, PAGE)
        if code in (CORRUPT, NOTADB) or (self._connection is not None and self._spoilt()):
            return self._damaged()
        return sentences.plain(self.path, code, error)


def suspicion(path: Path) -> Path:
    """The mark of a store that could not be written because a page of it did not verify."""
    return path.with_name(path.name + "-suspect")


def _unlock(connection: Any, key: Key) -> None:
    """Key first: nothing may be read before it. It goes in by a call, never as a part of an SQL text."""
    connection.execute("PRAGMA cipher_log_level = NONE")  # it writes to standard error otherwise
    text = bytearray(b"x'" + b"0" * (2 * len(key)) + b"'")
    write_digits(key, text, 2)
    connection.set_key(text)
    wipe(text)
    connection.execute(f"PRAGMA cipher_page_size = {PAGE}")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA cache_size = -{CACHE}")
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing in the clear on the disk
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA trusted_schema = OFF")


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _make(path: Path) -> bool:
    """Make an empty file that only its owner can read, its folder too; False when it is there already."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be made: {error.strerror}", HINT_OWNER) from None
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}", HINT_OWNER) from None
    return True


def sync_folder(path: Path) -> None:
    """A new file's name is on the disk only once its folder is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def cipher_version() -> str:
    """SQLCipher's version without a file, "" if it is not in this SQLite."""
    connection = sqlcipher.connect(":memory:")
    try:
        found = connection.execute("PRAGMA cipher_version").fetchone()
    finally:
        connection.close()
    return str(found[0]) if found else ""
