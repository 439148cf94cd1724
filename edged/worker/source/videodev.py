"""The kernel's video capture interface (V4L2): the few calls that streaming from a camera takes, and nothing
else.

Layouts and numbers are those of ``linux/videodev2.h``; ``ctypes`` lays the structures out as the machine's
own ABI does. Every call raises ``OSError`` as the kernel says it; what that means for the owner is for
``v4l2`` to say. No library is used: ``linuxpy`` costs 11 MB (it brings asyncio), copies every frame and is
under the GPL (``docs/adr/0008``).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import time
from collections.abc import Iterator
from ctypes import c_int32, c_long, c_uint8, c_uint32
from typing import Final, NamedTuple

CAPTURE: Final = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
MMAP: Final = 1  # V4L2_MEMORY_MMAP
CAN_CAPTURE: Final = 0x00000001  # V4L2_CAP_VIDEO_CAPTURE
CAN_CAPTURE_PLANES: Final = 0x00001000  # V4L2_CAP_VIDEO_CAPTURE_MPLANE
CAN_STREAM: Final = 0x04000000  # V4L2_CAP_STREAMING
OWN_CAPABILITIES: Final = 0x80000000  # V4L2_CAP_DEVICE_CAPS
CAN_SET_RATE: Final = 0x1000  # V4L2_CAP_TIMEPERFRAME
DAMAGED: Final = 0x0040  # V4L2_BUF_FLAG_ERROR
CLOCK: Final = 0xE000  # V4L2_BUF_FLAG_TIMESTAMP_MASK
CLOCK_MONOTONIC: Final = 0x2000  # V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
PROGRESSIVE: Final = 1  # V4L2_FIELD_NONE
DISCRETE: Final = 1  # V4L2_FRMSIZE_TYPE_DISCRETE, V4L2_FRMIVAL_TYPE_DISCRETE


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_ = (
        ("driver", c_uint8 * 16),
        ("card", c_uint8 * 32),
        ("bus_info", c_uint8 * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_uint8 * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class SizeDescription(ctypes.Structure):
    """struct v4l2_frmsizeenum; ``values`` are width, height, or min, max and step of both."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("values", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class IntervalDescription(ctypes.Structure):
    """struct v4l2_frmivalenum; ``values`` are one fraction of a second, or min, max and step."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("values", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class PixelFormat(ctypes.Structure):
    """struct v4l2_pix_format."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            *("width", "height", "pixelformat", "field", "bytesperline", "sizeimage", "colorspace", "priv"),
            *("flags", "ycbcr_enc", "quantization", "xfer_func"),
        )
    )


class _FormatUnion(ctypes.Union):
    _fields_ = (("pix", PixelFormat), ("raw", c_uint8 * 200), ("align", ctypes.c_void_p))


class Format(ctypes.Structure):
    """struct v4l2_format."""

    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class CaptureParameters(ctypes.Structure):
    """struct v4l2_streamparm with its v4l2_captureparm."""

    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("rest", c_uint8 * 176),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_ = (("count", c_uint32), ("type", c_uint32), ("memory", c_uint32), ("rest", c_uint32 * 2))


class _Memory(ctypes.Union):
    _fields_ = (("offset", c_uint32), ("userptr", ctypes.c_ulong))


class Buffer(ctypes.Structure):
    """struct v4l2_buffer."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("seconds", c_long),
        ("microseconds", c_long),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _Memory),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


def _request(direction: int, number: int, structure: type) -> int:
    """The request's code, after ``asm-generic/ioctl.h``: x86 and Arm."""
    return direction << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


WRITE, READ, BOTH = 1, 2, 3
QUERYCAP: Final = _request(READ, 0, Capability)
ENUM_FMT: Final = _request(BOTH, 2, FormatDescription)
S_FMT: Final = _request(BOTH, 5, Format)
REQBUFS: Final = _request(BOTH, 8, RequestBuffers)
QUERYBUF: Final = _request(BOTH, 9, Buffer)
QBUF: Final = _request(BOTH, 15, Buffer)
DQBUF: Final = _request(BOTH, 17, Buffer)
STREAMON: Final = _request(WRITE, 18, c_int32)
STREAMOFF: Final = _request(WRITE, 19, c_int32)
G_PARM: Final = _request(BOTH, 21, CaptureParameters)
S_PARM: Final = _request(BOTH, 22, CaptureParameters)
ENUM_FRAMESIZES: Final = _request(BOTH, 74, SizeDescription)
ENUM_FRAMEINTERVALS: Final = _request(BOTH, 75, IntervalDescription)


class Mapping:
    """A buffer of the driver's, mapped to be read. By the C library itself: Python's ``mmap`` looks at the
    file and keeps a descriptor of its own, which a locked worker may not.
    """

    def __init__(self, descriptor: int, length: int, offset: int) -> None:
        """Raises ``OSError``."""
        none, size, at = None, ctypes.c_size_t(length), ctypes.c_long(offset)
        address = _libc.mmap(none, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, at)
        if address in (None, FAILED):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._address, self._length = address, length

    def view(self) -> memoryview:
        """Its bytes, valid until ``close``."""
        return memoryview((ctypes.c_ubyte * self._length).from_address(self._address)).cast("B").toreadonly()

    def close(self) -> None:
        """Unmap it. No view may be used any more."""
        _libc.munmap(ctypes.c_void_p(self._address), ctypes.c_size_t(self._length))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
FAILED: Final = ctypes.c_void_p(-1).value  # MAP_FAILED


class Filled(NamedTuple):
    """One filled buffer. ``time`` is CLOCK_MONOTONIC; ``sequence`` counts the frames the device made, lost
    ones too.
    """

    number: int  #: of the buffer
    size: int
    time: float
    sequence: int
    damaged: bool


def fourcc(name: str) -> int:
    """The code of a format's four letters."""
    return int.from_bytes(name.encode(), "little")


class Device:
    """One open device node: by its path, or a descriptor that is taken over. Every method may raise
    ``OSError``.
    """

    def __init__(self, node: str | int) -> None:
        opens = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = node if isinstance(node, int) else os.open(node, opens)
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)
        self._maps: list[Mapping] = []

    def capabilities(self) -> tuple[str, int]:
        """The device's name and what this very node can do."""
        about = Capability()
        fcntl.ioctl(self.fd, QUERYCAP, about)
        own = about.device_caps if about.capabilities & OWN_CAPABILITIES else about.capabilities
        return bytes(about.card).split(b"\0")[0].decode(errors="replace"), own

    def formats(self) -> Iterator[int]:
        """The pixel formats offered."""
        for index in range(256):
            one = FormatDescription(index=index, type=CAPTURE)
            if not self._enumerated(ENUM_FMT, one):
                return
            yield one.pixelformat

    def sizes(self, pixelformat: int) -> Iterator[tuple[int, ...]]:
        """(width, height) for each size offered, or once min, max, step of width and the same of height."""
        for index in range(256):
            one = SizeDescription(index=index, pixel_format=pixelformat)
            if not self._enumerated(ENUM_FRAMESIZES, one):
                return
            yield tuple(one.values)[: 2 if one.type == DISCRETE else 6]
            if one.type != DISCRETE:
                return

    def rates(self, pixelformat: int, width: int, height: int) -> Iterator[tuple[float, ...]]:
        """(frames per second,) for each rate offered, or once (slowest, fastest)."""
        for index in range(256):
            one = IntervalDescription(index=index, pixel_format=pixelformat, width=width, height=height)
            if not self._enumerated(ENUM_FRAMEINTERVALS, one):
                return
            a, b, c, d = tuple(one.values)[:4]
            if one.type != DISCRETE:
                yield (d / c if c else 0.0, b / a if a else 0.0)
                return
            yield (b / a if a else 0.0,)

    def set_format(self, pixelformat: int, width: int, height: int) -> PixelFormat:
        """Ask for a format; returns what the driver made of it."""
        wish = Format(type=CAPTURE)
        wish.fmt.pix.width, wish.fmt.pix.height = width, height
        wish.fmt.pix.pixelformat, wish.fmt.pix.field = pixelformat, PROGRESSIVE
        fcntl.ioctl(self.fd, S_FMT, wish)
        pix: PixelFormat = wish.fmt.pix
        return pix

    def set_rate(self, fps: float) -> float:
        """Ask for a frame rate (0: leave it); returns the one in force, 0 when the driver does not tell."""
        wish = CaptureParameters(type=CAPTURE)
        try:
            fcntl.ioctl(self.fd, G_PARM, wish)
            if fps and wish.capability & CAN_SET_RATE:
                wish.numerator, wish.denominator = 1000, round(fps * 1000)
                fcntl.ioctl(self.fd, S_PARM, wish)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):  # it has no such thing
                raise
        return wish.denominator / wish.numerator if wish.numerator else 0.0

    def start(self, count: int) -> list[Mapping]:
        """Map about ``count`` buffers (the driver decides) and start streaming."""
        wish = RequestBuffers(count=count, type=CAPTURE, memory=MMAP)
        fcntl.ioctl(self.fd, REQBUFS, wish)
        for index in range(wish.count):
            one = Buffer(index=index, type=CAPTURE, memory=MMAP)
            fcntl.ioctl(self.fd, QUERYBUF, one)
            self._maps.append(Mapping(self.fd, one.length, one.m.offset))
            self.give(index)
        fcntl.ioctl(self.fd, STREAMON, c_int32(CAPTURE))
        return self._maps

    def stop(self) -> None:
        """Stop streaming and give the buffers back. No view on them may be left."""
        fcntl.ioctl(self.fd, STREAMOFF, c_int32(CAPTURE))
        self._unmap()
        fcntl.ioctl(self.fd, REQBUFS, RequestBuffers(count=0, type=CAPTURE, memory=MMAP))

    def wait(self, timeout: float) -> bool:
        """Sleep until a buffer is filled; False when none was within ``timeout`` seconds."""
        for _, events in self._poll.poll(max(0.0, timeout) * 1000.0):
            if not events & select.POLLIN:  # asking again at once would turn in circles
                gone = events & select.POLLHUP
                raise OSError(errno.ENODEV if gone else errno.EIO, "the driver reports an error")
            return True
        return False

    def take(self) -> Filled | None:
        """The oldest filled buffer, None when there is none. It is ours until it is given back."""
        one = Buffer(type=CAPTURE, memory=MMAP)
        try:
            fcntl.ioctl(self.fd, DQBUF, one)
        except BlockingIOError:
            return None
        at, now = one.seconds + one.microseconds / 1e6, time.monotonic()
        if one.flags & CLOCK != CLOCK_MONOTONIC or at > now:  # vivid stamps the middle of what is to come
            at = now
        return Filled(one.index, one.bytesused, at, one.sequence, bool(one.flags & DAMAGED))

    def give(self, index: int) -> None:
        """Let the driver fill a buffer."""
        fcntl.ioctl(self.fd, QBUF, Buffer(index=index, type=CAPTURE, memory=MMAP))

    def close(self) -> None:
        """Close the node; streaming ends with it. May be called twice."""
        self._unmap()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _unmap(self) -> None:
        while self._maps:
            self._maps.pop().close()

    def _enumerated(self, request: int, one: ctypes.Structure) -> bool:
        """Fill in ``one``; False after the last one, and for drivers that cannot enumerate."""
        try:
            fcntl.ioctl(self.fd, request, one)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return False
            raise
        return True
