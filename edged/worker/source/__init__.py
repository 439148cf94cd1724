"""Sources: what yields frames. One file per kind, each the only importer of its device's library.

``Source`` is the seam that every kind keeps to; ``tests/contracts/test_source.py`` is what it promises.
``opened`` picks the kind and imports only that one.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import RefusedError, UnavailableError


class LostError(UnavailableError):
    """The device has gone, and what was open of it is closed: lend it anew (``Lendable``), or open another
    source.
    """


class Frame(NamedTuple):
    """One picture or one window of samples, C-contiguous, and valid until the next ``read``. ``data`` of a
    picture is uint8 [H, W, C], C = 3 (R, G, B) or 1 (grey); of a window float32 [samples, channels].

    ``time`` is in seconds: ``CLOCK_MONOTONIC`` of the exposure (or its arrival) when live, seconds from the
    beginning of the recording for one that is read as fast as it goes.
    """

    data: NDArray[Any]
    time: float


class Want(msgspec.Struct, frozen=True):
    """What the model takes: ``height`` x ``width`` pixels of ``channels`` (1 or 3), at most ``rate`` frames a
    second (0: all).

    A source gives this very size where its device or decoder can make it cheaply and well, else the nearest
    larger one.
    """

    width: int
    height: int
    channels: int
    rate: float


class WantWindow(msgspec.Struct, frozen=True):
    """What a model of samples takes: windows of ``length`` samples (0: no windows, but the mean of those that
    came since the last frame, as one) of ``channels`` numbers each (0: as many as the source has),
    ``sample_rate`` of them a second (0: the source's own), at most ``rate`` windows a second (0: as many as
    there are). Windows may overlap; the last sample of a window is the newest.
    """

    length: int
    channels: int
    sample_rate: float
    rate: float


class Source(Protocol):
    """A stream of frames, newest first to come: what is not read in time is dropped and counted."""

    fps: float  #: frames per second that it delivers at most, 0 if unknown
    recorded: bool  #: True: its own clock from 0, every frame due is delivered, however slowly it is read
    rate: float  #: frames per second wanted, 0 for all; may be set at any time

    @property
    def dropped(self) -> int:
        """Frames that were due but came too late to be read, since it was opened; of a sensor also lines that
        were none, and samples that it did not give.
        """

    def read(self, timeout: float) -> Frame | None:
        """The next frame due, None when none came within ``timeout`` seconds (then try again).

        Blocks without polling. Raises ``UnavailableError`` when the device is lost (close, wait, open again),
        ``EndOfSource`` at a recording's end, ``RefusedError`` when it can never work.
        """

    def close(self) -> None:
        """Give the device back. May be called twice."""


@runtime_checkable
class Resting(Protocol):
    """A live source that can rest while nothing is wanted of it for long, and stays open."""

    def rest(self) -> None:
        """Stop the sensor and give its buffers back."""

    def wake(self) -> None:
        """Go on. Raises ``UnavailableError`` when the device has gone meanwhile."""


@runtime_checkable
class Lendable(Protocol):
    """A source that goes on with another descriptor of its device once ``read`` has raised ``LostError``."""

    def regain(self, descriptor: int) -> None:
        """Take it over, and stream again as before. Raises ``LostError`` when it has gone again,
        ``UnavailableError`` for another device or another picture than before: then it has to be opened anew.
        """


@runtime_checkable
class Lined(Protocol):
    """A source that is told lines."""

    @property
    def malformed(self) -> bool:
        """Whether lines came since the last sample, and none of them made one."""


def suited(config: shape.Source, want: Want | WantWindow) -> None:
    """Raise ``RefusedError`` where no source of such a kind gives what is wanted; nothing is opened."""
    if isinstance(want, Want):
        if not isinstance(config, shape.Pictures):
            raise _without_pictures(config)
    elif not isinstance(config, shape.File | shape.Microphone | shape.Sensor):
        raise without_samples(config, want)


def without_samples(config: shape.Source, want: WantWindow) -> RefusedError:
    """That such a source gives pictures."""
    kind = type(config).__name__.lower()
    return RefusedError(
        f"the model takes {want.length} samples at a time, and a source of kind {kind} gives pictures",
        "take a model of pictures, or a source of samples",
    )


def _without_pictures(config: shape.Source) -> RefusedError:
    return RefusedError(
        f"the model takes pictures, and a source of kind {type(config).__name__.lower()} gives none",
        'take a model of sound or of samples, or model = "none"',
    )


def opened(config: shape.Source, want: Want | WantWindow) -> Source:
    """The source that ``config`` names, open. Raises ``UnavailableError``, ``RefusedError``."""
    suited(config, want)
    return _of_pictures(config, want) if isinstance(want, Want) else _of_samples(config, want)


def _of_samples(config: shape.Source, want: WantWindow) -> Source:
    match config:
        case shape.File():
            from edged.worker.source.file import FileSource

            return FileSource(config, want)
        case shape.Microphone():
            from edged.worker.source.microphone import MicrophoneSource

            return MicrophoneSource(config, want)
    from edged.worker.source import sensor

    return sensor.opened(config, want)


def _of_pictures(config: shape.Source, want: Want) -> Source:
    match config:
        case shape.Synthetic():
            from edged.worker.source.synthetic import SyntheticSource

            return SyntheticSource(config, want)
        case shape.File():
            from edged.worker.source.file import FileSource

            return FileSource(config, want)
        case shape.V4l2():
            from edged.worker.source.v4l2 import V4l2Source

            return V4l2Source(config, want)
        case shape.Camera():
            from edged.worker.source.camera import CameraSource

            return CameraSource(config, want)
    raise _without_pictures(config)
