"""The camera source: cameras of the Raspberry Pi's connector, through libcamera. The only importer of
``picamera2``.

The image processor itself scales the whole field of view to the model's size: the full picture never exists
in memory, and a colour model's frame costs one copy of a small picture. Grey models get the Y plane of
YUV420, half the bytes. What is odd below has a reason in picamera2 or libcamera, said where it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import EdgedError, RefusedError, UnavailableError
from edged.worker.source import Frame, Want
from edged.worker.source.rate import Due

FPS: Final = 30.0  # wanted when the rate is "all", and assumed of a camera that does not tell
BUFFERS: Final = 4
LOST: Final = "the camera {} gave no frame for {:.0f} s"
LOST_HINT: Final = "mind its cable; if the kernel lost it (see dmesg), only a reboot brings it back"
MISSING_HINT: Final = (
    "on Raspberry Pi OS: apt install python3-picamera2, and an environment made with --system-site-packages"
)
#: It gives up where it hears of no devices and no driver of a camera was ever loaded.
NO_DRIVER: Final = "is a camera connected? no driver of one seems to be loaded (ls /sys/bus/media/devices)"


class CameraSource:
    """Frames of a camera at the model's own size, uint8 [H, W, C], the newest one due."""

    def __init__(self, config: shape.Camera, want: Want) -> None:
        self.recorded = False
        self.dropped = 0
        self.rate = want.rate
        self._config, self._want = config, want
        self._sequence, self._silence = -1, 0.0  # of the last frame; seconds waited in vain
        self._camera: Any = opened(config.number)
        try:
            self._guarded(self._configure)
            self.fps = self._set_rate()
            self._due = Due(self.rate, 1.0 / self.fps)
            self._guarded(self._camera.start)
        except BaseException:
            self.close()
            raise

    def read(self, timeout: float) -> Frame | None:
        """The newest frame that is due; see ``Source``."""
        deadline = time.monotonic() + timeout
        if self.rate != self._due.rate:
            self.fps = self._set_rate()
            self._due.rate = self.rate
        while True:
            request = self._awaited(max(0.0, deadline - time.monotonic()))
            if request is None:
                return None
            try:  # a request that is not released is a buffer that the camera lacks for ever
                frame = self._judged(request)
            finally:
                request.release()
            if frame is not None or time.monotonic() >= deadline:
                return frame

    def close(self) -> None:
        """Give the camera back. May be called twice."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.cancel_all_and_flush()
            camera.close()  # not stop(): that waits for an event thread which may be dead

    def rest(self) -> None:
        """See ``Resting``."""
        self._camera.cancel_all_and_flush()
        self._guarded(self._camera.stop)

    def wake(self) -> None:
        """See ``Resting``."""
        self._guarded(self._camera.start)
        self._sequence, self._silence = -1, 0.0

    def _configure(self) -> None:
        from libcamera import ColorSpace, Transform  # type: ignore[import-not-found]

        camera, want = self._camera, self._want
        # picamera2's BGR888 is R, G, B in memory.
        form = "BGR888" if want.channels == 3 else "YUV420"
        main = {"size": (want.width, want.height), "format": form, "preserve_ar": False}
        turned = Transform(hflip=self._config.hflip, vflip=self._config.vflip)
        config = camera.create_video_configuration(
            main=main,
            lores=None,
            transform=turned,
            colour_space=ColorSpace.Sycc(),  # full range: Y is grey as it is
            buffer_count=BUFFERS,
            controls=self._controls(),
            **self._sensor(),
        )
        camera.configure(config)
        layout = camera.camera_config["main"]
        self._size = layout["size"]
        self._stride = layout["stride"]

    def _sensor(self) -> dict[str, Any]:
        """The sensor's smallest mode with the whole field of view: a small ``main`` alone may choose a
        cropped one.
        """
        if "ColorFilterArrangement" not in self._camera.camera_properties:
            return {}  # not one of the Pi's own cameras: it has no sensor modes
        modes = [mode for mode in self._camera.sensor_modes if "crop_limits" in mode]
        mode = fitting(modes, self._want)
        return {"sensor": {"output_size": mode["size"], "bit_depth": mode["bit_depth"]}} if mode else {}

    def _controls(self) -> dict[str, Any]:
        """The config's controls in libcamera's own types, and the whole field of view.

        Raises ``RefusedError``.
        """
        known = self._camera.camera_controls
        made: dict[str, Any] = {"ScalerCrop": known["ScalerCrop"][1]} if "ScalerCrop" in known else {}
        for name, value in self._config.controls.items():
            if name not in known:
                raise RefusedError(
                    f"the camera {self._config.number} has no control {name!r}",
                    f"it has {', '.join(sorted(known))}",
                )
            low = known[name][0]
            whole = isinstance(low, int) and not isinstance(low, bool) and not isinstance(value, bool)
            made[name] = int(value) if whole else value
        return made

    def _set_rate(self) -> float:
        """Slow the camera itself to the wanted rate, live; returns the rate in force. USB cameras cannot."""
        wanted = self.rate or FPS
        limits = self._camera.camera_controls.get("FrameDurationLimits")
        if limits is None:
            return FPS
        shortest, longest = limits[0], limits[1]  # microseconds
        if shortest:
            wanted = min(wanted, 1e6 / shortest)
        if longest:
            wanted = max(wanted, 1e6 / longest)
        self._guarded(lambda: self._camera.set_controls({"FrameRate": wanted}))
        return float(wanted)

    def _awaited(self, timeout: float) -> Any:
        """The next completed request, None when there was none within ``timeout`` seconds."""
        began = time.monotonic()
        job = self._guarded(lambda: self._camera.capture_request(wait=False))
        try:
            return self._camera.wait(job, timeout)
        except FutureTimeoutError:
            request = self._late(job)
        if request is None:
            self._silence += time.monotonic() - began
            if self._silence >= self._config.timeout:
                raise UnavailableError(LOST.format(self._config.number, self._silence), LOST_HINT)
        return request

    def _late(self, job: Any) -> Any:
        """Withdraw a job that timed out: left queued it would take a buffer later, and nobody would release
        it.

        It may have been done in this very moment; then its request is ours.
        """
        self._camera.cancel_all_and_flush()
        try:
            return self._camera.wait(job, 1.0)
        except (CancelledError, FutureTimeoutError):
            return None

    def _judged(self, request: Any) -> Frame | None:
        self._silence = 0.0
        moment, sequence = stamp(request), int(request.request.sequence)
        points = self._due.pick(moment)
        if not points:
            return None
        self.dropped += min(points - 1, max(0, sequence - self._sequence - 1))
        self._sequence = sequence
        return Frame(self._picture(request), moment)

    def _picture(self, request: Any) -> NDArray[np.uint8]:
        """A copy of the picture without the padding of its rows: 32 bytes on a Pi 4, 64 on a Pi 5."""
        from picamera2 import MappedArray

        width, height = self._size
        channels = self._want.channels
        with MappedArray(request, "main", reshape=False, write=False) as mapped:
            rows = mapped.array[: self._stride * height].reshape(height, self._stride)
            picture: NDArray[np.uint8] = rows[:, : width * channels].reshape(height, width, channels).copy()
        return picture

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """What libcamera's troubles mean; it has no classes for them."""
        try:
            return call()
        except EdgedError:
            raise
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            failed(self._config.number, error)


def listed() -> list[dict[str, Any]]:
    """The cameras that libcamera knows, with their ``Num`` and ``Model``. Raises ``RefusedError``,
    ``UnavailableError``.
    """
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise RefusedError(f"the library of the Pi's cameras is not here: {error}", MISSING_HINT) from None
    try:
        found: list[dict[str, Any]] = Picamera2.global_camera_info()
    except RuntimeError as error:
        raise UnavailableError(f"libcamera does not begin: {error}", NO_DRIVER) from None
    return found


def opened(number: int) -> Any:
    """A ``Picamera2``. Raises ``RefusedError``, ``UnavailableError``."""
    found = listed()
    from picamera2 import Picamera2

    if number >= len(found):
        names = ", ".join(f"{one['Num']}: {one['Model']}" for one in found) or "none"
        raise UnavailableError(
            f"there is no camera {number}; found: {names}",
            "mind the cable; a USB camera may be better off as a source of kind v4l2",
        )
    try:
        return Picamera2(number)
    except (RuntimeError, OSError, IndexError) as error:
        failed(number, error)


def failed(number: int, error: Exception) -> NoReturn:
    """Raise ``UnavailableError``: most of what libcamera says only comes and goes with other programs and
    cables.
    """
    raise UnavailableError(
        f"the camera {number} cannot be used: {error}", "stop other programs that use it; mind its cable"
    ) from None


def fitting(modes: list[dict[str, Any]], want: Want) -> dict[str, Any] | None:
    """The smallest mode not below the wanted size among those with the widest view, None without any."""
    if not modes:
        return None

    def view(mode: dict[str, Any]) -> float:
        _, _, width, height = mode["crop_limits"]
        return float(width * height)

    widest = max(map(view, modes))
    whole = [mode for mode in modes if view(mode) >= 0.98 * widest]
    enough = [mode for mode in whole if mode["size"][0] >= want.width and mode["size"][1] >= want.height]

    def pixels(mode: dict[str, Any]) -> tuple[int, int]:
        return mode["size"][0] * mode["size"][1], mode["bit_depth"]

    return min(enough, key=pixels) if enough else max(whole, key=pixels)


def stamp(request: Any) -> float:
    """When a frame was exposed, CLOCK_MONOTONIC.

    ``SensorTimestamp`` is said to be CLOCK_BOOTTIME, which is the same on a machine that never sleeps; where
    it is anything else the time of arrival stands in.
    """
    now = time.monotonic()
    at = request.get_metadata().get("SensorTimestamp", 0) / 1e9
    return float(at) if now - 2.0 <= at <= now else now
