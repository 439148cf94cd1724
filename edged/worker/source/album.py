"""Pictures at rest: one, or a folder of them, in full size so that the worker's own exact resize follows.

JPEG goes through libjpeg-turbo (``simplejpeg``), whose colours are those of other decoders to the bit; the
rest through FFmpeg.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.errors import EdgedError, RefusedError, UnavailableError
from edged.worker.source import Want
from edged.worker.source.rate import Due

FPS: Final = 1.0  # pictures a second unless the config says otherwise
SUFFIXES: Final = frozenset((".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
JPEG: Final = b"\xff\xd8\xff"
MOST: Final = 30_000  # pictures: each is a mapping, of which a process may have 65,530

Mapped = mmap.mmap | EdgedError


class Album:
    """A folder's pictures by name (numbers in their order: 2 before 10), or a single one."""

    def __init__(self, paths: tuple[Path, ...], want: Want, fps: float) -> None:
        self._paths, self._want = paths, want
        if len(paths) > MOST:
            raise RefusedError(
                f"there are {len(paths)} pictures", f"an album holds up to {MOST}; make several of it"
            )
        self._mapped = {path: mapped(path) for path in paths}
        photographs = [is_jpeg(one) for one in self._mapped.values()]
        # A locked worker imports nothing.
        if any(photographs):
            import edged.worker.source.jpeg  # noqa: F401
        if want.channels == 1 or not all(photographs):
            from edged.worker.source import movie

            movie.begin()
        self.fps = fps or FPS
        self._last: tuple[Path, NDArray[np.uint8]] | None = None

    def frames(self, due: Due, offset: float) -> Iterator[tuple[float, Path]]:
        """(seconds from the beginning, path) in their order."""
        del due, offset
        return ((number / self.fps, path) for number, path in enumerate(self._paths))

    def picture(self, path: Path) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] in its own size, or grey [H, W, 1] averaged to the wanted size.

        Raises ``RefusedError``, ``UnavailableError``.
        """
        if self._last is None or self._last[0] != path:
            self._last = None
            self._last = (path, decoded(path, self._mapped[path], self._want))
        return self._last[1]

    def close(self) -> None:
        """Give the files back. May be called twice."""
        for one in self._mapped.values():
            if isinstance(one, mmap.mmap):
                one.close()


def pictures(folder: Path) -> tuple[Path, ...]:
    """The pictures in a folder, in order.

    Raises ``RefusedError`` when there is none, ``UnavailableError`` when it cannot be read.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
    except OSError as error:
        raise UnavailableError(
            f"the folder {folder} cannot be read: {error.strerror}", "let the user edged read it"
        ) from None
    if not found:
        raise RefusedError(
            f"there is no picture in the folder {folder}",
            f"put some in; their names end in one of {' '.join(sorted(SUFFIXES))}",
        )
    return tuple(sorted(found, key=in_order))


def in_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sorts names as people count: ``p2`` before ``p10``."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def mapped(path: Path) -> Mapped:
    """The file's bytes, none of them read yet: a locked worker opens no file. What stands against it is
    told when the picture's turn comes.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        return RefusedError(f"{path} is empty", "copy it again from where it came")
    except OSError as error:
        return UnavailableError(
            f"the picture {path} cannot be read: {error.strerror}", "let the user edged read it"
        )


def is_jpeg(data: Mapped) -> bool:
    """By its first bytes."""
    return isinstance(data, mmap.mmap) and data[: len(JPEG)] == JPEG


def decoded(path: Path, file: Mapped, want: Want) -> NDArray[np.uint8]:
    """The picture in a file; see ``Album.picture``."""
    if isinstance(file, EdgedError):
        raise file
    data = file[:]
    file.madvise(mmap.MADV_DONTNEED)
    if data.startswith(JPEG):
        return jpeg(path, data, want)
    if data[8:16] == b"WEBPVP8X" and data[20] & 2:  # RFC 9649, 2.7: the animation flag
        raise RefusedError(
            f"{path} is an animated WebP, which this FFmpeg cannot decode", "convert it to GIF or MP4"
        )
    from edged.worker.source.movie import still

    return still(path, data, want)


def jpeg(path: Path, data: bytes, want: Want) -> NDArray[np.uint8]:
    """A JPEG picture; see ``Album.picture``."""
    from edged.worker.source.jpeg import photograph

    try:
        picture = photograph(data, want.channels)
    except ValueError as error:
        raise RefusedError(
            f"{path} is a damaged or cut off JPEG picture: {error}", "copy it again from where it came"
        ) from None
    if want.channels == 3:
        return picture
    from edged.worker.source.movie import scaled

    return scaled(picture, want)
