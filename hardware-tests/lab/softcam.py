"""Lets an unmodified picamera2 run on libcamera's software camera. A pytest plugin; import it before
picamera2.

libcamera's ``virtual`` pipeline differs from a Pi's in five ways, each made good here at the seam where it
shows:

- no DRM preview: ``pykms`` is replaced by an empty module;
- no dma-heap: buffers are memfds;
- no raw modes to list;
- requests complete as fast as they are queued, and are lost if that happens before ``start`` is done:
  ``Gate`` hands them over one at a time, on a clock, and can hold them back (a stall) or swallow them (what a
  dead frontend does);
- NV12 of a few sizes only: the Pi ISP's scaled RGB and YUV420 outputs with their padded rows are made from
  it, and FrameDurationLimits are kept by ``Gate``.
"""

from __future__ import annotations

import collections
import mmap
import os
import sys
import threading
import time
import types
from typing import Any, ClassVar

import numpy as np

PADDING = 64  # bytes that rows are padded to on a Pi 5 (32 on a Pi 4)


class Gate:
    """What comes through from the camera, and when."""

    fps = 30.0
    open = threading.Event()  # cleared: nothing comes any more
    swallow = False  # True: requests come back cancelled and are never seen

    waiting: ClassVar[collections.deque[Any]] = collections.deque()
    #: What nobody sees any more. libcamera looks once more at a request that it has said is complete, so none
    #: may be freed at once; a Pi's are kept by picamera2.
    kept: ClassVar[collections.deque[Any]] = collections.deque(maxlen=16)
    due = 0.0


Gate.open.set()

if "pykms" not in sys.modules:
    stub = types.ModuleType("pykms")
    stub.PixelFormat = type("PixelFormat", (), {"__getattr__": lambda _, name: name})()  # type: ignore[attr-defined]
    sys.modules["pykms"] = stub

import libcamera  # noqa: E402
import picamera2.picamera2 as library  # noqa: E402
from picamera2 import Picamera2  # noqa: E402
from picamera2.allocators.allocator import Allocator  # noqa: E402
from picamera2.request import CompletedRequest  # noqa: E402


class Mapping:
    """Stands for picamera2's DmaSync: a buffer's memory, with nothing to synchronise."""

    def __init__(self, allocator: MemfdAllocator, buffer: Any, write: bool) -> None:
        del write
        self._allocator, self._buffer = allocator, buffer

    def __enter__(self) -> mmap.mmap:
        return self.get_buffer()

    def __exit__(self, *error: object) -> None:
        pass

    def get_buffer(self) -> mmap.mmap:
        return self._allocator.shown.get(self._buffer) or self._allocator.mapped[self._buffer]


class MemfdAllocator(Allocator):
    """NV12 buffers in memfds; ``shown`` are their pictures as a Pi's ISP would have written them."""

    def __init__(self) -> None:
        super().__init__()
        self.sync = Mapping
        self.mapped: dict[Any, mmap.mmap] = {}
        self.shown: dict[Any, mmap.mmap] = {}
        self._streams: dict[Any, list[Any]] = {}
        self._descriptors: list[int] = []

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        del use_case
        self.close()
        for stream in libcamera_config:
            assert str(stream.pixel_format) == "NV12", stream.pixel_format
            sizes = (stream.stride * stream.size.height, stream.stride * stream.size.height // 2)
            self._streams[stream.stream] = [self._buffer(sizes) for _ in range(stream.buffer_count)]

    def buffers(self, stream: Any) -> list[Any]:
        return self._streams[stream]

    def close(self) -> None:
        self.mapped, self.shown, self._streams = {}, {}, {}
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _buffer(self, sizes: tuple[int, ...]) -> Any:
        descriptor = os.memfd_create("frame")
        os.ftruncate(descriptor, sum(sizes))
        self._descriptors.append(descriptor)
        planes, offset = [], 0
        for size in sizes:
            plane = libcamera.FrameBuffer.Plane()
            plane.fd, plane.offset, plane.length = descriptor, offset, size
            planes.append(plane)
            offset += size
        buffer = libcamera.FrameBuffer(planes)
        self.mapped[buffer] = mmap.mmap(descriptor, sum(sizes))
        return buffer


def raw_modes(camera: Any) -> list[dict[str, Any]]:
    """The modes that the camera has instead of raw ones."""
    formats = camera.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
    return [
        {"format": str(form), "size": (size.width, size.height)}
        for form in formats.pixel_formats
        for size in formats.sizes(form)
    ]


def handle_request(manager: Any, flushed: int | None = None) -> None:
    """Hands completed requests on, one at a time, when their time has come.

    Called by picamera2's listener thread.
    """
    with manager._lock:
        Gate.waiting.extend(manager.cms.get_ready_requests())
        if flushed is not None:
            kept = [request for request in Gate.waiting if request.cookie != flushed]
            Gate.waiting.clear()
            Gate.waiting.extend(kept)
            return
    while manager.running and Gate.waiting:
        pause = 0.02 if not Gate.open.is_set() else Gate.due - time.monotonic()
        if pause > 0:
            time.sleep(min(0.02, pause))
            continue
        Gate.due = max(Gate.due + 1 / Gate.fps, time.monotonic())
        if not hand_over(manager):
            time.sleep(0.002)


def hand_over(manager: Any) -> bool:
    """The oldest request to its camera; False when that is not started yet."""
    with manager._lock:
        if not Gate.waiting:
            return True
        request = Gate.waiting[0]
        camera = manager.cameras.get(request.cookie)
        if camera is not None and not camera.started:
            return False
        Gate.waiting.popleft()
        if Gate.swallow or camera is None or request.status != libcamera.Request.Status.Complete:
            Gate.kept.append(request)
            return True
        with camera._requestslock:
            camera._requests += [CompletedRequest(request, camera)]
        os.write(camera.notifyme_w, b"\0")
        return True


def padded(size: int) -> int:
    return -(-size // PADDING) * PADDING


_update_stream_config = Picamera2._update_stream_config
_completed = CompletedRequest.__init__
_set_controls = Picamera2.set_controls


def update_stream_config(camera: Any, stream: dict[str, Any], libcamera_stream: Any) -> None:
    """The layout that a Pi would have given the wanted format."""
    wanted, (width, height) = stream.get("format"), stream["size"]
    _update_stream_config(camera, stream, libcamera_stream)
    if wanted in ("BGR888", "YUV420") and stream["format"] == "NV12":
        camera.native = stream["size"]
        stream["size"] = (width, height)
        stream["format"] = wanted
        stream["stride"] = padded(width * (3 if wanted == "BGR888" else 1))
        stream["framesize"] = stream["stride"] * height * (2 if wanted == "BGR888" else 3) // 2


def completed(request: Any, libcamera_request: Any, camera: Any) -> None:
    """Writes the picture as a Pi's ISP would have, before anybody looks at it."""
    buffer = next(iter(libcamera_request.buffers.values()))
    layout = camera.camera_config["main"]
    width, height = layout["size"]
    native = scaled(camera.allocator.mapped[buffer], *camera.native, width, height)
    shown = camera.allocator.shown.get(buffer)
    if shown is None:
        shown = camera.allocator.shown[buffer] = mmap.mmap(-1, layout["stride"] * height * 2)
    rows = np.frombuffer(shown, np.uint8)[: layout["stride"] * height].reshape(height, -1)
    rows[:] = 0xA5  # what padding holds is nobody's business; a constant shows where it is taken for pixels
    if layout["format"] == "BGR888":
        rows[:, : 3 * width] = rgb(native).reshape(height, -1)
    else:
        rows[:, :width] = np.clip((native[..., 0] - 16) * 255 / 219, 0, 255)
    del rows
    _completed(request, libcamera_request, camera)


def scaled(data: mmap.mmap, native_width: int, native_height: int, width: int, height: int) -> Any:
    """The nearest pixels of an NV12 picture: float32 [height, width, 3] of Y, U and V."""
    planes = np.frombuffer(data, np.uint8)[: native_width * native_height * 3 // 2].reshape(-1, native_width)
    down, across = np.arange(height) * native_height // height, np.arange(width) * native_width // width
    luma = planes[:native_height][np.ix_(down, across)]
    chroma = planes[native_height:].reshape(-1, native_width // 2, 2)[np.ix_(down // 2, across // 2)]
    return np.concatenate((luma[..., None], chroma), axis=2).astype(np.float32)


def rgb(native: Any) -> Any:
    """R, G, B in memory, which picamera2 calls BGR888 (BT.601, limited range)."""
    luma, u, v = (native[..., 0] - 16) * 1.1644, native[..., 1] - 128, native[..., 2] - 128
    return np.clip(np.stack((luma + 1.596 * v, luma - 0.3918 * u - 0.813 * v, luma + 2.0172 * u), -1), 0, 255)


def set_controls(camera: Any, controls: Any) -> None:
    """The virtual camera has one rate; the gate keeps the one that was asked for."""
    _set_controls(camera, controls)
    limits = camera.controls.make_dict().get("FrameDurationLimits")
    if limits:
        Gate.fps = 1e6 / limits[1]


library.DmaAllocator = MemfdAllocator
library.CameraManager.handle_request = handle_request
Picamera2._get_raw_modes = raw_modes
Picamera2._update_stream_config = update_stream_config
Picamera2.set_controls = set_controls
CompletedRequest.__init__ = completed
