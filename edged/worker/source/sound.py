"""Recorded sound, decoded by FFmpeg through PyAV: WAV, FLAC, MP3, the sound of a video.

A reel of windows for ``file``, which paces and picks. A window's time is that of its first sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.source import WantWindow, movie
from edged.worker.source.hops import Hops
from edged.worker.source.rate import Due
from edged.worker.source.resampling import Resampler

#: What makes an integer sample a number of -1..1: (what is taken off, what it is divided by).
FULL: Final = {"u8": (128.0, 128.0), "s16": (0.0, 32768.0), "s32": (0.0, 2147483648.0)}
#: Decoded this many seconds at a time: a call for each packet would cost more than its work.
CHUNK: Final = 0.25


class Recording:
    """The sound of one file, read from its beginning as often as asked."""

    def __init__(self, path: Path, file: BinaryIO, want: WantWindow) -> None:
        """Takes ``file`` over. Raises ``RefusedError``."""
        self._path, self._file, self._want = path, file, want
        self._hops = Hops(want.length)
        self.fps = want.sample_rate / self._hops.hop
        self._container, self._stream = self._opened()
        # Recordings are read behind the lock, where nothing can be imported any more.
        Resampler(self._stream.codec_context.sample_rate, want.sample_rate)
        self._fresh = True

    def frames(self, due: Due, offset: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """(seconds from the beginning, float32 [length, 1]) in order. ``due`` may leave any out."""
        if not self._fresh:
            self._container.close()
            self._file.seek(0)
            self._container, self._stream = self._opened()
        self._fresh = False
        self._hops.clear()
        return self._windows()

    def picture(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """The window as it is."""
        return frame

    def close(self) -> None:
        """Close the file, and overwrite what was kept. May be called twice."""
        self._hops.clear()
        self._container.close()
        self._file.close()

    def _opened(self) -> tuple[InputContainer, AudioStream]:
        container = movie.opened(self._path, self._file, sound=True)
        if not container.streams.audio:
            kinds = sorted({stream.type for stream in container.streams})
            container.close()
            raise RefusedError(
                f"{self._path} holds no sound, only: {', '.join(kinds) or 'nothing'}",
                f"name {movie.NAMES[True]}",
            )
        stream = container.streams.audio[0]
        if stream.codec_context is None or not stream.codec_context.sample_rate:
            container.close()
            raise RefusedError(
                f"{self._path} is in a format of sound that cannot be decoded here",
                "convert it, for example to FLAC",
            )
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        return container, stream

    def _windows(self) -> Iterator[tuple[float, NDArray[np.float32]]]:
        period, number = self._hops.hop / self._want.sample_rate, 0
        for samples in self._resampled():
            for window in self._hops.add(samples):
                yield number * period, window
                number += 1
        if (last := self._hops.padded()) is not None:
            yield number * period, last

    def _resampled(self) -> Iterator[NDArray[np.float32]]:
        """All of it at the wanted rate, some at a time."""
        rate = self._stream.codec_context.sample_rate
        resample = Resampler(rate, self._want.sample_rate)
        try:
            for samples in _gathered(self._decoded(rate), int(CHUNK * rate)):
                yield resample(samples)
            yield resample(np.zeros(0, np.float32), last=True)
        finally:
            resample.wipe()

    def _decoded(self, rate: int) -> Iterator[NDArray[np.float32]]:
        """All that can be decoded, in order, as one channel."""
        found, bad = False, 0
        for frames in self._frames():
            bad = bad + 1 if frames is None else 0
            if bad >= movie.GIVE_UP:
                break
            for frame in frames or ():
                if frame.sample_rate == rate and frame.samples:  # a change of rate is another recording
                    found = True
                    yield mono(frame)
        if not found:
            raise RefusedError(
                f"{self._path} holds no sound that can be decoded: it is damaged or cut off",
                "copy it again from where it came",
            )

    def _frames(self) -> Iterator[list[AudioFrame] | None]:
        """What each packet holds; None of a damaged one. Ends where the file ends or is cut off."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield packet.decode()
                except av.error.FFmpegError:
                    if packet.size == 0:  # it was to empty the decoder
                        return
                    yield None
        except av.error.FFmpegError:
            return


def mono(frame: AudioFrame) -> NDArray[np.float32]:
    """float32 [n] in -1..1: the mean of a frame's channels."""
    kind, channels = frame.format.name.removesuffix("p"), len(frame.layout.channels)
    numbers = frame.to_ndarray()
    by_channel = numbers if frame.format.is_planar else numbers.reshape(-1, channels).T
    made = by_channel.astype(np.float32)
    if kind in FULL:
        less, full = FULL[kind]
        made = (made - np.float32(less)) / np.float32(full)
    return np.ascontiguousarray(made.mean(axis=0, dtype=np.float32) if channels > 1 else made[0])


def _gathered(parts: Iterator[NDArray[np.float32]], least: int) -> Iterator[NDArray[np.float32]]:
    """The same, in pieces of at least so many samples."""
    waiting: list[NDArray[np.float32]] = []
    number = 0
    for part in parts:
        waiting.append(part)
        number += part.size
        if number >= least:
            yield np.concatenate(waiting)
            waiting, number = [], 0
    if waiting:
        yield np.concatenate(waiting)
