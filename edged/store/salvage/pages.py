"""All pages of a store as they were when it was last written whole: the newest version of each, from the
log or the file, each verified by itself.

A page whose newest version does not verify is damaged; an older version of it would be out of date, and is
not taken in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from edged.errors import WrongKeyError
from edged.store import diagnosis, wal
from edged.store.database import PAGE
from edged.store.salvage.cipher import Cipher
from edged.store.secret import Key

STEP: Final = 512  # pages between two words of progress
CACHED: Final = 64  # decrypted pages in memory

#: Hears how many pages are done, of how many.
Told = Callable[[int, int], None]


class Pages:
    """A store's pages by number, from 1. ``with`` it: the key is overwritten at the end."""

    def __init__(self, path: Path, key: Key) -> None:
        self.path = path
        self.files = (path, path.with_name(path.name + "-wal"))
        self.salt = diagnosis.salt(path, key, PAGE)
        self._cipher = Cipher(key, self.salt)
        self._file = path.open("rb")
        self._log = wal.read(self.files[1], PAGE)
        self.dropped = wal.dropped(self._log, path, PAGE)
        self._newest: dict[int, bytes] = {}
        self.damaged: set[int] = set()
        self.untold = 0  # pages of the log of which nobody can tell which ones they are
        self.count = path.stat().st_size // PAGE
        self._take_log()
        self._cache: dict[int, bytes | None] = {}

    @property
    def salt_damaged(self) -> bool:
        """Whether the file's own is not the one that its pages were written with."""
        self._file.seek(0)
        return not self._file.read(PAGE).startswith(self.salt)

    def close(self) -> None:
        """Forget the key."""
        self._cipher.close()
        self._file.close()

    # --- the log

    def _take_log(self) -> None:
        """Frames that belong to whole commits, those behind a damaged one too."""
        taken = wal.committed(self._log, self.dropped)
        for frame in taken:
            number = frame.page
            if not self._cipher.verifies(frame.content, number):
                number = self._which(frame.content)
            if number:
                self._newest[number] = frame.content
                self.damaged.discard(number)
            elif frame.salts == self._log.salts and 0 < frame.page <= self.count:
                self._newest.pop(frame.page, None)
                self.damaged.add(frame.page)
            else:
                self.untold += 1
            self.count = frame.pages or max(self.count, number)

    def _which(self, content: bytes) -> int:
        """The number under which a page of the log verifies: its own was damaged. 0 when there is none."""
        numbers = range(1, self.count + len(self._log.frames) + 1)
        return next((one for one in numbers if self._cipher.verifies(content, one)), 0)

    # --- pages

    def raw(self, number: int) -> bytes:
        """As it lies on the disk, encrypted; b"" beyond the end."""
        if number in self._newest:
            return self._newest[number]
        self._file.seek((number - 1) * PAGE)
        try:
            return self._file.read(PAGE)
        except OSError:  # a sector that cannot be read at all
            return b""

    def whole(self, number: int) -> bool:
        """Whether the page is there and verifies."""
        if number in self.damaged or not 1 <= number <= self.count:
            return False
        page = self.raw(number)
        if number == 1 and self.salt:
            page = self.salt + page[len(self.salt) :]
        return len(page) == PAGE and self._cipher.verifies(page, number)

    def verify(self, told: Told) -> None:
        """Look at every page: fills ``damaged``. Raises ``WrongKeyError`` when the key fits none."""
        if not self.salt:
            raise WrongKeyError(
                f"the key fits no page of {self.path}",
                "another key, or its first 16 bytes are destroyed: without them no page can be verified",
            )
        for number in range(1, self.count + 1):
            if number % STEP == 0:
                told(number, self.count)
            if not self.whole(number):
                self.damaged.add(number)
        told(self.count, self.count)

    def get(self, number: int) -> bytes | None:
        """The decrypted content (without the reserved end), None if it is damaged."""
        if number not in self._cache:
            if len(self._cache) >= CACHED:
                del self._cache[next(iter(self._cache))]
            whole = self.whole(number)
            self._cache[number] = self._cipher.decrypted(self.raw(number), number) if whole else None
        return self._cache[number]

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
