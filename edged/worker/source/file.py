"""The file source: any video, animated picture, picture, folder of pictures, or recording of sound; at its
own pace or as fast as it goes.

It paces and picks; ``movie`` (FFmpeg), ``album`` (pictures at rest) and ``sound`` decode, and only the one
needed is imported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from edged.config import shape
from edged.errors import EndOfSource, RefusedError, UnavailableError
from edged.worker.source import Frame, Want, WantWindow
from edged.worker.source import album as pictures_at_rest
from edged.worker.source.rate import Due

BEHIND: Final = 1.0  # seconds that decoding may lag behind the clock before the clock gives way


class Reel(Protocol):
    """What can be read from its beginning again and again.

    A frame becomes a picture only when it is wanted.
    """

    fps: float

    def frames(self, due: Due, offset: float) -> Iterator[tuple[float, Any]]:
        """(seconds from the beginning, frame) in order; those ``due`` has no use for may be left out."""

    def picture(self, frame: Any) -> NDArray[Any]:
        """uint8 [H, W, C], or of sound float32 [samples, 1]."""

    def close(self) -> None:
        """Close the file."""


class FileSource:
    """Frames of a recording whose times fall on the wanted rate.

    Pace "fast": one after the other, with the recording's times. Pace "real": each when its time has come;
    those that nobody read in time are dropped and counted, and if even decoding is too slow, the recording
    plays slower than it was filmed.
    """

    def __init__(self, config: shape.File, want: Want | WantWindow) -> None:
        self.recorded = config.pace == "fast"
        self.dropped = 0
        self._path = Path(config.path)
        self._loop = config.loop
        self._reel = reel(self._path, want, config.fps)
        self.fps = self._reel.fps
        self._due = Due(want.rate, 1.0 / self.fps)
        self._offset = self._last = 0.0  # of the current round's beginning; of the frame read last
        self._frames = self._reel.frames(self._due, 0.0)
        self._empty = True  # nothing read in this round
        self._pending: tuple[float, Any] | None = None  # picked, and its time is to come
        self._began: float | None = None  # CLOCK_MONOTONIC of the recording's 0

    @property
    def rate(self) -> float:
        """Frames per second wanted, 0 for all."""
        return self._due.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._due.rate = rate

    def read(self, timeout: float) -> Frame | None:
        """The next frame due; see ``Source``."""
        if self.recorded:
            moment, frame = self._picked()
            return Frame(self._reel.picture(frame), moment)
        return self._paced(timeout)

    def close(self) -> None:
        """Close the file."""
        self._reel.close()

    def _paced(self, timeout: float) -> Frame | None:
        entered = time.monotonic()
        while True:
            moment, frame = self._pending or self._picked()
            self._pending = (moment, frame)
            now = time.monotonic()
            self._began = now - moment if self._began is None else self._began
            wait = self._began + moment - now
            if wait > timeout - (now - entered):
                time.sleep(max(0.0, timeout - (now - entered)))
                return None
            self._pending = None
            if wait > 0:
                time.sleep(wait)
            elif -wait >= self._step() and now - entered < BEHIND:
                self.dropped += 1  # the next one is due already
                continue
            elif -wait > BEHIND:
                self._began -= wait
            return Frame(self._reel.picture(frame), self._began + moment)

    def _step(self) -> float:
        return 1.0 / min(self.rate or self.fps, self.fps)

    def _picked(self) -> tuple[float, Any]:
        """The next frame of which the rate wants a picture, with its time. Raises ``EndOfSource``."""
        while True:
            for moment, frame in self._frames:
                self._empty = False
                self._last = self._offset + moment
                if self._due.pick(self._last):
                    return self._last, frame
            if not self._loop or self._empty:
                raise EndOfSource(f"{self._path} was read to its end")
            self._offset, self._empty = self._last + 1.0 / self.fps, True
            self._frames = self._reel.frames(self._due, self._offset)


def reel(path: Path, want: Want | WantWindow, fps: float) -> Reel:
    """What is at ``path``, as pictures or as sound. Raises ``RefusedError``, ``UnavailableError``."""
    try:
        there, folder = path.exists(), path.is_dir()
    except PermissionError:
        raise UnavailableError(
            f"{path} lies where this user may not look",
            "as a service edged sees no /home, /root or /tmp: put the file into /var/lib/edged",
        ) from None
    if folder and isinstance(want, Want):
        return pictures_at_rest.Album(pictures_at_rest.pictures(path), want, fps)
    if not there:
        raise UnavailableError(
            f"there is no file {path}",
            "a relative path begins at the config's folder",
        )
    if not path.is_file():
        kind = "v4l2" if isinstance(want, Want) else "microphone"
        raise RefusedError(f"{path} is no file", f"a device is a source of kind {kind}")
    file = _begun(path)
    if isinstance(want, Want):
        return _pictures(path, file, want, fps)
    if fps:
        file.close()
        raise RefusedError(f"fps is {fps:g}, and the model hears", "leave fps out: sound has no frames")
    from edged.worker.source.sound import Recording

    return Recording(path, file, want)


def _begun(path: Path) -> BufferedReader:
    """The file, open, and not empty."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be read: {error.strerror}", "let the user edged read it"
        ) from None
    if not file.peek(1):
        file.close()
        raise RefusedError(f"{path} is empty", "copy it again from where it came")
    return file


def _pictures(path: Path, file: BufferedReader, want: Want, fps: float) -> Reel:
    head = file.peek(3)[:3]
    if head == pictures_at_rest.JPEG and path.suffix.lower() not in (".mjpeg", ".mjpg"):
        file.close()
        return pictures_at_rest.Album((path,), want, fps)
    from edged.worker.source.movie import Movie

    movie = Movie(path, file, want, fps)
    if not movie.still:
        return movie
    movie.close()
    return pictures_at_rest.Album((path,), want, fps)
