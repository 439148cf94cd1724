"""Videos and animated pictures, decoded by FFmpeg through PyAV. The only importer of ``av``.

Made for one analysed frame in many: one decoding thread (each further one keeps its own frames in memory),
frames on which no other depends are not decoded unless they are due, and colour conversion, scaling and
averaging are one pass of swscale straight to the model's size.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import av
import av.error
import av.subtitles.stream  # PyAV does so with the first container, which may come behind the lock
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edged.errors import RefusedError
from edged.worker.source import Want
from edged.worker.source.rate import Due

UNKNOWN_FPS: Final = 25.0  # FFmpeg's own assumption for streams that carry no times
MOST_FPS: Final = 1000.0  # a header that says more is damaged; the wall lets no more pass
#: Packets in a row that hold nothing decodable: the rest is no video, or no sound, any more.
GIVE_UP: Final = 100
#: Packets to look back for a frame's predecessor: H.264 and HEVC reorder over 16 at most.
REORDERED: Final = 32

#: A black picture of 8 x 8 pixels, a PNG.
BLACK: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000008000000080800000000e164e1570000000c4944415478da6360a00e00"
    "00004800011045efd20000000049454e44ae426082"
)

#: What can be named, of pictures and of sound.
NAMES: Final = (
    "a video, an animated picture, a picture or a folder of pictures",
    "a recording of sound, or a video that has some",
)
#: A title in an old encoding is no reason to refuse a video. From PyAV 19 on that cannot be said any more.
_TOLERANT: Final[dict[str, Any]] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class Movie:
    """One video or animated picture, read from its beginning as often as asked."""

    def __init__(self, path: Path, file: BinaryIO, want: Want, fps: float) -> None:
        """Takes ``file`` over. ``fps`` 0: the movie's own times. Raises ``RefusedError``."""
        self._path, self._file, self._want, self._fps = path, file, want, fps
        self._reformatter = VideoReformatter()
        self._container, self._stream = self._opened()
        own = self._stream.average_rate or self._stream.base_rate
        self.fps = fps or (float(own) if own and own <= MOST_FPS else UNKNOWN_FPS)
        self.still = self._container.format.name.endswith("_pipe")  # FFmpeg's names for one picture alone
        self._fresh = True

    def frames(self, due: Due, offset: float) -> Iterator[tuple[float, VideoFrame]]:
        """(seconds from the beginning, frame) in their order; those of which ``due`` wants nothing may be
        left out.

        ``offset`` is what ``due``'s clock is ahead of the movie's. Ends where the movie ends or is cut off.
        """
        if not self._fresh:
            self._container.close()
            self._file.seek(0)
            self._container, self._stream = self._opened()
        self._fresh = False
        return self._timed(self._decoded(due, offset))

    def picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """uint8 [H, W, C]: at the wanted size, or at the movie's own where that is smaller in any direction.

        swscale's AREA: averages over what a pixel covers, as a resize that only looks at two neighbours does
        not; its scores with ssd_mobilenet differ from those of the full-size picture by 0.010 on average,
        BILINEAR's by 0.012.
        """
        turns = round(frame.rotation / 90) % 4  # counter-clockwise; phones film upright this way
        across, down = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
        width, height = (self._want.width, self._want.height)
        if width > across or height > down:
            width, height = across, down
        if turns % 2:
            width, height = height, width
        return upright(converted(self._reformatter, frame, width, height, self._want.channels), turns)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()
        self._file.close()

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        container = opened(self._path, self._file)
        if not container.streams.video:
            kinds = sorted({stream.type for stream in container.streams})
            container.close()
            raise RefusedError(
                f"{self._path} holds no pictures, only: {', '.join(kinds) or 'nothing'}",
                f"name {NAMES[False]}",
            )
        stream = container.streams.video[0]
        if stream.codec_context is None:  # this build of FFmpeg has no decoder for it
            container.close()
            raise RefusedError(
                f"{self._path} is in a video format that cannot be decoded here",
                "convert it, for example to H.264",
            )
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        return container, stream

    def _timed(self, frames: Iterator[VideoFrame]) -> Iterator[tuple[float, VideoFrame]]:
        """Gives each frame its time: its own, unless it has none or the config spaces them."""
        period, last, origin = 1.0 / self.fps, -1.0, None
        for number, frame in enumerate(frames):
            if self._fps or frame.time is None:
                time = number * period if self._fps else last + period
            else:
                origin = frame.time if origin is None else origin
                time = frame.time - origin
            last = max(time, last + 1e-4) if number else 0.0  # times never stand still or go back
            yield last, frame

    def _decoded(self, due: Due, offset: float) -> Iterator[VideoFrame]:
        """All frames that can be decoded, in order of presentation."""
        found, bad = False, 0
        for packet in self._packets(due, offset):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                bad += 1
                if bad >= GIVE_UP or packet.size == 0:  # an empty one was to empty the decoder
                    break
                continue
            bad = 0 if frames else bad
            for frame in frames:
                if isinstance(frame, VideoFrame) and not frame.is_corrupt:
                    found = True
                    yield frame
        if not found:
            raise RefusedError(
                f"{self._path} holds no picture that can be decoded: it is damaged or cut off",
                "copy it again from where it came",
            )

    def _packets(self, due: Due, offset: float) -> Iterator[Packet[VideoStream]]:
        """The stream's packets; marks those to skip that are neither due nor needed."""
        codec, base = self._stream.codec_context, float(self._stream.time_base or 0)
        skipping = base > 0 and not self._fps and 0 < due.rate < 0.9 * self.fps
        seen: deque[int] = deque(maxlen=REORDERED)
        start = self._stream.start_time or 0
        try:
            for packet in self._container.demux(self._stream):
                if skipping and packet.pts is not None:
                    before = max((pts for pts in seen if pts < packet.pts), default=None)
                    seen.append(packet.pts)
                    needless = before is not None and not due.between(
                        offset + (before - start) * base, offset + (packet.pts - start) * base
                    )
                    codec.skip_frame = "NONREF" if needless else "DEFAULT"
                yield packet
        except av.error.FFmpegError:
            return  # cut off in the middle of a packet: it played to where it goes


def opened(path: Path, file: BinaryIO, sound: bool = False) -> InputContainer:
    """The container in an open file, of which pictures are wanted, or ``sound``.

    Nothing else is ever opened: a playlist cannot name other files or hosts.
    """
    try:
        container: InputContainer = av.open(file, "r", io_open=_nothing_else, **_TOLERANT)
    except (av.error.FFmpegError, PermissionError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = "sound" if sound else "video and no picture"
        raise RefusedError(
            f"{path} is no {what} that can be read: {reason}",
            f"name {NAMES[sound]}; a file cut off in copying looks like this too",
        ) from None
    return container


def _nothing_else(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(f"it refers to another file: {url}")


def begin() -> None:
    """PyAV imports some of itself with the first picture: have it do so now, on one of ours."""
    for channels in (1, 3):
        still(Path("ours"), BLACK, Want(8, 8, channels, 0.0))


def still(path: Path, data: bytes, want: Want) -> NDArray[np.uint8]:
    """One picture of any format but JPEG, in full size: uint8 [H, W, 3]; grey ones averaged to the wanted
    size, [H, W, 1].
    """
    file = io.BytesIO(data)
    movie = Movie(path, file, want, 0.0)
    try:
        for _, frame in movie.frames(Due(0.0), 0.0):
            turns = round(frame.rotation / 90) % 4
            if want.channels == 1:
                return movie.picture(frame)
            return upright(converted(VideoReformatter(), frame, frame.width, frame.height, 3), turns)
    finally:
        movie.close()
    raise AssertionError("frames() yields a frame or raises")


def scaled(picture: NDArray[np.uint8], want: Want) -> NDArray[np.uint8]:
    """A grey picture [H, W, 1] averaged down to the wanted size (not up: a smaller one stays as it is)."""
    height, width, _ = picture.shape
    if width <= want.width or height <= want.height:
        return picture
    frame = VideoFrame.from_ndarray(picture[:, :, 0], format="gray")
    return converted(VideoReformatter(), frame, want.width, want.height, 1)


def converted(
    reformatter: VideoReformatter, frame: VideoFrame, width: int, height: int, channels: int
) -> NDArray[np.uint8]:
    """RGB or full-range grey of a frame, scaled: uint8 [height, width, channels], contiguous."""
    form = "rgb24" if channels == 3 else "gray"
    made = reformatter.reformat(frame, width, height, form, interpolation=Interpolation.AREA, threads=1)
    return np.ascontiguousarray(made.to_ndarray().reshape(height, width, channels))


def upright(picture: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    """The picture turned counter-clockwise by so many right angles."""
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
