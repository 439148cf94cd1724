"""The v4l2 source: cameras of the kernel's own kind, such as USB cameras and capture sticks.

``videodev`` talks to the kernel and ``yuv`` and ``jpeg`` make pictures; here is what to ask the camera for,
which frame to take, and what its troubles mean. The device itself is slowed to the wanted rate where it can
be, so that cost follows the rate.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, LostError, Want, videodev
from edged.worker.source.rate import Due
from edged.worker.source.yuv import BT601, BT709, BT2020, Converter, Raw

#: Bytes per pixel through the bus and the converter: what a format costs. MJPEG is small on the bus and dear
#: to decode.
COST: Final = {"GREY": 1.0, "NV12": 1.5, "YUYV": 2.0, "MJPG": 6.0}
BUFFERS: Final = 4  # one being filled, one filled, one being read, and one to spare
ENOUGH: Final = 15.0  # frames per second that are wanted of a camera when the rate is "all"
UNKNOWN_RATE: Final = 30.0

# linux/videodev2.h: v4l2_colorspace, v4l2_ycbcr_encoding, v4l2_quantization
COLORSPACE_REC709, COLORSPACE_JPEG, COLORSPACE_BT2020 = 3, 7, 10
ENCODINGS: Final = {1: BT601, 2: BT709, 3: BT601, 4: BT709, 6: BT2020, 7: BT2020}
FULL_RANGE: Final = 1

#: What an errno of the kernel means: (what was found, hint).
TROUBLES: Final = {
    errno.ENOENT: ("there is no device {}", "is it plugged in? /dev/v4l/by-id has names that stay"),
    errno.ENODEV: (
        "the camera at {} was unplugged",
        "plug it in again; it is looked for under the same name",
    ),
    errno.ENXIO: ("there is no camera behind {}", "is it plugged in?"),
    errno.EACCES: ("{} may not be opened", "the user edged must be in the group video"),
    errno.EPERM: ("{} may not be opened", "the user edged must be in the group video"),
    errno.EBUSY: ("another program uses the camera at {}", "stop it: a camera has one reader"),
    errno.ENOSPC: ("the USB bus has no room for the camera at {}", "take a smaller size, or another port"),
}


T = TypeVar("T")


class Mode(NamedTuple):
    """One way to run the camera."""

    form: str
    width: int
    height: int
    fps: float


class V4l2Source:
    """Frames of a camera, uint8 [H, W, C], the newest one due; what came before it is dropped and counted."""

    def __init__(self, config: shape.V4l2, want: Want) -> None:
        self.recorded = False
        self.dropped = 0
        self._config, self._want = config, want
        self._maps: list[memoryview] = []
        self._sequence, self._silence = -1, 0.0  # of the last frame; seconds waited in vain
        self.rate = want.rate
        self._device = self._call(lambda: videodev.Device(config.device))
        try:
            self._mode = self._call(self._chosen)
            self.fps = self._call(self._prepared)
            self._call(self._start)
        except BaseException:
            self.close()
            raise

    def read(self, timeout: float) -> Frame | None:
        """The newest frame that is due; see ``Source``."""
        deadline = time.monotonic() + timeout
        self._call(self._retune)
        while True:
            filled = self._awaited(deadline)
            frame = self._judged(filled) if filled is not None else None
            if frame is not None or time.monotonic() >= deadline:
                return frame

    def close(self) -> None:
        """Give the device back. May be called twice."""
        self._release()
        device = getattr(self, "_device", None)
        if device is not None:
            device.close()

    def rest(self) -> None:
        """See ``Resting``. The bus stays powered while the device is open: waking must not need its path."""
        self._release()
        self._call(self._device.stop)

    def wake(self) -> None:
        """See ``Resting``. Somebody else may have set another format meanwhile."""
        self.fps = self._call(self._prepared)
        self._call(self._start)

    def regain(self, descriptor: int) -> None:
        """See ``Lendable``. It may be another device, or one that gives another picture now: a locked worker
        has its model's pictures prepared for this one.
        """
        self._device, before = videodev.Device(descriptor), self._mode
        try:
            self._mode = self._call(self._chosen)
            if self._mode[:3] == before[:3]:
                self.fps = self._call(self._prepared)
            if self._mode[:3] != before[:3]:
                raise UnavailableError(
                    f"what is at {self._config.device} now gives other pictures",
                    "a new worker opens it as it is",
                )
            self._call(self._start)
        except RefusedError as error:
            self.close()
            raise UnavailableError(error.message, error.hint) from None
        except BaseException:
            self.close()
            raise

    def _awaited(self, deadline: float) -> videodev.Filled | None:
        """The newest whole frame, None when none came; raises ``UnavailableError`` after too long without
        one.
        """
        began = time.monotonic()
        if self._call(lambda: self._device.wait(deadline - began)):
            return self._call(self._newest)
        self._silence += time.monotonic() - began
        if self._silence >= self._config.timeout:
            raise UnavailableError(
                f"the camera at {self._config.device} gave no frame for {self._silence:.0f} s",
                "if this comes again and again, plug it in anew",
            )
        return None

    def _judged(self, filled: videodev.Filled) -> Frame | None:
        """The frame if it is due and whole; its buffer goes back to the driver in any case."""
        self._silence = 0.0
        try:
            points = self._due.pick(filled.time)
            if not points:
                return None
            picture = self._convert(self._maps[filled.number][: filled.size])
            if picture is None:
                self.dropped += 1
                return None
            self.dropped += min(points - 1, max(0, filled.sequence - self._sequence - 1))
            self._sequence = filled.sequence
            return Frame(picture, filled.time)
        finally:
            self._call(lambda: self._device.give(filled.number))

    def _newest(self) -> videodev.Filled | None:
        """The newest whole frame of those waiting; the others go back. None when there was none, or only an
        old one.

        When every buffer is full the driver had none left to fill: the newest is as old as that, and a fresh
        one comes at once.
        """
        newest, count = None, 0
        while (filled := self._device.take()) is not None:
            count += 1
            if newest is not None:
                self._device.give(newest.number)
            newest = filled
        if newest is None:
            return None
        late = count >= len(self._maps) and time.monotonic() - newest.time > 2.0 / (self.fps or UNKNOWN_RATE)
        if newest.damaged or late:
            self._device.give(newest.number)
            return None
        return newest

    def _chosen(self) -> Mode:
        name, can = self._device.capabilities()
        if not can & videodev.CAN_CAPTURE or not can & videodev.CAN_STREAM:
            planes = " in one piece" if can & videodev.CAN_CAPTURE_PLANES else ""
            raise RefusedError(
                f"{self._config.device} ({name}) cannot capture pictures{planes}",
                "cameras have several device nodes, mostly it is the first: see v4l2-ctl --list-devices",
            )
        offered = list(self._device.formats())
        forms = [form for form in COST if videodev.fourcc(form) in offered]
        if self._config.format != "auto":
            forms = [form for form in forms if form == self._config.format]
        if not forms:
            names = ", ".join(code.to_bytes(4, "little").decode(errors="replace") for code in offered)
            raise RefusedError(
                f"{self._config.device} ({name}) does not offer the format "
                f"{self._config.format}: it has {names or 'none'}",
                f"format is auto or one of {', '.join(COST)}",
            )
        return best(list(self._modes(forms)), self._want, self._config)

    def _modes(self, forms: list[str]) -> Iterable[Mode]:
        """What the camera offers, with the slowest rate that is enough at each size."""
        wide, high = self._config.width or self._want.width, self._config.height or self._want.height
        for form in forms:
            code = videodev.fourcc(form)
            for size in self._device.sizes(code):
                width, height = (
                    size if len(size) == 2 else (stepped(wide, *size[:3]), stepped(high, *size[3:]))
                )
                rates = list(self._device.rates(code, width, height))
                yield Mode(form, width, height, slowest(rates, self.rate))

    def _prepared(self) -> float:
        """Sets the mode; returns the frame rate in force.

        Raises ``RefusedError`` when the driver does otherwise.
        """
        mode = self._mode
        code = videodev.fourcc(mode.form)
        pix = self._device.set_format(code, mode.width, mode.height)
        if pix.pixelformat != code:
            raise RefusedError(
                f"{self._config.device} offers {mode.form} and then does not give it",
                'set "format" to another one',
            )
        self._mode = Mode(mode.form, pix.width, pix.height, mode.fps)
        self._convert = converter(self._mode.form, pix, self._want)
        return self._device.set_rate(mode.fps)

    def _start(self) -> None:
        self._maps = [one.view() for one in self._device.start(BUFFERS)]
        self._due = Due(self.rate, 1.0 / (self.fps or UNKNOWN_RATE))
        self._sequence, self._silence = -1, 0.0

    def _retune(self) -> None:
        """A change of the rate: the device itself follows where it can, which it only does while it stands
        still.
        """
        if self.rate == self._due.rate:
            return
        mode = self._mode
        rates = list(self._device.rates(videodev.fourcc(mode.form), mode.width, mode.height))
        fps = slowest(rates, self.rate)
        if fps and abs(fps - self.fps) > 0.01 * fps:
            self._release()
            self._device.stop()
            self.fps = self._device.set_rate(fps)
            self._start()
        else:
            self._due.rate = self.rate

    def _release(self) -> None:
        while self._maps:
            self._maps.pop().release()

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as error:
            if isinstance(error, UnavailableError):
                raise
            self._troubled(error)

    def _troubled(self, error: OSError) -> NoReturn:
        """Raise what an error of the kernel means."""
        path = self._config.device
        if error.errno in (errno.ENOTTY, errno.EISDIR):
            raise RefusedError(
                f"{path} is no camera of the kernel's video interface",
                "v4l2-ctl --list-devices shows the cameras; the Pi's own is a source of kind camera",
            ) from None
        found, hint = TROUBLES.get(
            error.errno or 0, ("the camera at {} failed: " + str(error.strerror), "plug it in anew")
        )
        if error.errno == errno.ENODEV:
            self.close()  # while we hold it its name is not free for the one that is plugged in again
            raise LostError(found.format(path), hint) from None
        raise UnavailableError(found.format(path), hint) from None


def converter(
    form: str, pix: videodev.PixelFormat, want: Want
) -> Callable[[memoryview], NDArray[np.uint8] | None]:
    """What makes pictures of the buffers; it gives None for a damaged one."""
    if form == "MJPG":
        from edged.worker.source.jpeg import frame

        return lambda data: frame(data, want)
    raw = layout(form, pix)
    convert = Converter(raw, want)
    least = raw.stride * raw.height + (raw.stride * (raw.height // 2) if form == "NV12" else 0)
    return lambda data: convert(data) if len(data) >= least else None


def layout(form: str, pix: videodev.PixelFormat) -> Raw:
    """A raw format as the driver describes it; where it says "default", as V4L2 defines the default.

    The defaults: V4L2_MAP_YCBCR_ENC_DEFAULT and V4L2_MAP_QUANTIZATION_DEFAULT. Only GREY without a word on it
    is taken as full range: the infrared cameras that have it are.
    """
    default = {COLORSPACE_REC709: BT709, COLORSPACE_BT2020: BT2020}.get(pix.colorspace, BT601)
    full = pix.quantization == FULL_RANGE if pix.quantization else pix.colorspace == COLORSPACE_JPEG
    if form == "GREY" and not pix.quantization:
        full = True
    smallest = pix.width * (2 if form == "YUYV" else 1)
    stride = max(smallest, pix.bytesperline)
    return Raw(form, pix.width, pix.height, stride, ENCODINGS.get(pix.ycbcr_enc, default), full)


def slowest(rates: list[tuple[float, ...]], wanted: float) -> float:
    """The lowest rate offered that is enough, else the highest; 0 when the device offers none."""
    wanted = wanted or ENOUGH
    if rates and len(rates[0]) == 2:
        low, high = rates[0]
        return min(max(low, wanted), high)
    offered = sorted(rate for (rate,) in rates)
    return next((rate for rate in offered if rate >= 0.99 * wanted), offered[-1] if offered else 0.0)


def stepped(wanted: int, least: int, most: int, step: int) -> int:
    """The smallest size that a range has and that is not below the wanted one."""
    step = max(1, step)
    above = least + -(-max(0, wanted - least) // step) * step
    return min(above, most)


def best(modes: list[Mode], want: Want, config: shape.V4l2) -> Mode:
    """Fast enough, then not smaller than wanted (or the size that the config names), then the cheapest.

    Raises ``RefusedError``.
    """
    if config.width or config.height:
        named = [
            mode for mode in modes if config.width in (0, mode.width) and config.height in (0, mode.height)
        ]
        if not named:
            sizes = ", ".join(sorted({f"{mode.width}x{mode.height}" for mode in modes}))
            raise RefusedError(
                f"{config.device} has no size {config.width or 'any'} x {config.height or 'any'}",
                f"it has {sizes or 'none that it tells of'}; 0 leaves the choice to edged",
            )
        modes = named
    if not modes:  # a driver that cannot enumerate: it takes the nearest to what it is asked for
        form = "MJPG" if config.format == "auto" else config.format
        return Mode(form, config.width or max(640, want.width), config.height or max(480, want.height), 0.0)
    enough = 0.99 * (want.rate or ENOUGH)

    def rank(mode: Mode) -> tuple[bool, float, float]:
        slow = bool(mode.fps) and mode.fps < enough
        lacking = max(0, want.width - mode.width) + max(0, want.height - mode.height)
        return slow, lacking, mode.width * mode.height * COST[mode.form]

    return min(modes, key=rank)
