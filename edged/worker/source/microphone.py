"""The microphone source: sound, through ALSA, as windows that overlap by half.

``alsa`` talks to the library; here is what to ask the device for, which window to take, and what its troubles
mean. Nothing of the sound is kept but what the next window needs. The process sleeps from one window to the
next: two wake-ups a second with a model of one second.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, WantWindow, alsa
from edged.worker.source.hops import Hops
from edged.worker.source.rate import Due
from edged.worker.source.resampling import Resampler

DEFAULT: Final = "default"
#: Seconds that ALSA keeps for a reader that comes late: a slow model, another rung that is opened.
HELD: Final = 4.0
#: What most sound chips were made for: 48 kHz, and 44.1.
COMMON: Final = (48_000, 44_100, 96_000)
MOST_RATE: Final = 192_000
#: ALSA stops a stream that nobody reads; the machine slept; a stream is not running.
INTERRUPTED: Final = (errno.EPIPE, errno.ESTRPIPE)

#: What is seen of a device that is just being taken away, and also of one that only fails.
DOUBTFUL: Final = (errno.EIO, errno.EBADFD)
#: What an errno of ALSA means while the device is opened: (what was found, hint).
REFUSALS: Final = {
    errno.ENOENT: ("there is no microphone {}", "is it plugged in? {}"),
    errno.ENODEV: ("there is no microphone {}", "is it plugged in? {}"),
    errno.ENXIO: ("there is no microphone behind {}", "{}"),
    errno.EIO: ("the microphone {} gives nothing", "plug it in anew; {}"),
    errno.EACCES: ("{} may not be opened", "the user edged must be in the group audio"),
    errno.EPERM: ("{} may not be opened", "the user edged must be in the group audio"),
    errno.EBUSY: ("another program uses the microphone {}", "stop it: sudo fuser -v /dev/snd/pcm*c"),
}

T = TypeVar("T")


class MicrophoneSource:
    """Windows of sound, float32 [length, 1] in -1..1, the newest one due. What was due before it, and what
    was lost because nobody came in time, is counted as dropped.

    A frame's time is that of its newest sample.
    """

    def __init__(self, config: shape.Microphone, want: WantWindow) -> None:
        _check(want)
        self.recorded, self.dropped = False, 0
        self._config, self._want = config, want
        self._device = named(config.device)
        self._hops = Hops(want.length)
        self.fps = want.sample_rate / self._hops.hop
        self._due = Due(want.rate, 1.0 / self.fps)
        self._silent, self._heard = 0.0, 0.0  # seconds waited in vain; when the newest sample was recorded
        self._records = False
        self._pcm = self._call(lambda: alsa.Pcm(self._device))
        try:
            self._set = self._call(self._prepared)
            self._resample = Resampler(self._set.rate, want.sample_rate)
            self._call(self._pcm.start)
        except BaseException:
            self.close()
            raise
        self._records = True

    @property
    def rate(self) -> float:
        """Windows per second wanted, 0 for all."""
        return self._due.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._due.rate = rate

    def read(self, timeout: float) -> Frame | None:
        """The newest window due; see ``Source``."""
        deadline = time.monotonic() + timeout
        while deadline >= time.monotonic():
            if (frame := self._call(lambda: self._next(deadline - time.monotonic()))) is not None:
                return frame
        return None

    def close(self) -> None:
        """Give the device back, and overwrite what was kept of the sound. May be called twice."""
        self._hops.clear()
        if hasattr(self, "_raw"):
            self._raw[:] = 0
        if hasattr(self, "_resample"):
            self._resample.wipe()
        if hasattr(self, "_pcm"):
            self._pcm.close()

    def rest(self) -> None:
        """See ``Resting``."""
        self._call(self._pcm.stop)
        self._forget()

    def wake(self) -> None:
        """See ``Resting``."""
        self._forget()
        self._call(self._pcm.start)

    def _prepared(self) -> alsa.Setting:
        rate = round(self._want.sample_rate)
        hop = self._hops.hop / self._want.sample_rate
        one = self._config.channel
        made = self._pcm.set(max(1, one), [*_rates(rate), rate], hop / 4.0, HELD)
        if one > made.channels:
            raise RefusedError(
                f"the microphone {self._device} has {made.channels} channels",
                f"channel can be 1 to {made.channels}, or 0 for all of them",
            )
        self._raw = np.zeros(made.buffer * made.channels * alsa.FORMATS[made.format][1], np.uint8)
        self._wake_at = min(int(hop * made.rate), made.buffer // 2)
        self._pcm.wake_at(self._wake_at)
        return made

    def _next(self, timeout: float) -> Frame | None:
        """A window that is due among what has come by ``timeout``."""
        began = time.monotonic()
        try:
            if not self._pcm.wait(timeout):
                self._nothing(time.monotonic() - began)
                return None
            return self._newest(self._read())
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            if error.errno not in INTERRUPTED:
                raise
            self._restart()
            return None

    def _read(self) -> NDArray[np.float32]:
        """All that waits, in the device's rate."""
        number = self._pcm.read(self._raw, min(self._pcm.there(), self._set.buffer))
        self._heard = time.monotonic() - self._pcm.behind() / self._set.rate
        self._silent = 0.0
        form, channels = self._set.format, self._set.channels
        raw = self._raw[: number * channels * alsa.FORMATS[form][1]]
        return alsa.real(raw, form, channels, self._config.channel)

    def _newest(self, samples: NDArray[np.float32]) -> Frame | None:
        """The last window due that these fill; those before it came too late."""
        wanted, found = self._resample(samples), None
        before = self._hops.ended
        fresh = self._heard - self._resample.behind
        came = wanted.size - self._hops.lacking  # behind the end of the first window that they fill
        for number, window in enumerate(self._hops.add(wanted)):
            at = fresh - (came - number * self._hops.hop) / self._want.sample_rate
            if points := self._due.pick(at):
                self.dropped += (found is not None) + (min(points - 1, 1) if not before else 0)
                found = Frame(window.copy(), at)  # the next step moves what it is cut from
        return found

    def _nothing(self, waited: float) -> None:
        self._silent += waited
        if self._silent >= self._config.timeout:
            raise UnavailableError(
                f"the microphone {self._device} gave no sound for {self._silent:.0f} s",
                "if this comes again and again, plug it in anew",
            )

    def _restart(self) -> None:
        """Samples were lost: no window may have a seam. Those that are missing for it were dropped."""
        self._forget()
        before = self._heard
        self._pcm.start()
        if before:
            rate = min(filter(None, (self.rate, self.fps)))
            self.dropped += max(1, int((time.monotonic() - before) * rate))

    def _forget(self) -> None:
        self._hops.clear()
        if hasattr(self, "_resample"):
            self._resample.clear()

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as error:
            if isinstance(error, UnavailableError):
                raise
            self._troubled(error)

    def _troubled(self, error: OSError) -> NoReturn:
        """Raise what an error of ALSA means."""
        if self._records:
            raise self._lost(error) from None
        if error.errno == errno.EINVAL:
            raise RefusedError(
                f"the microphone {self._device} takes none of the formats that edged knows",
                f'try device = "plug{self._device}": ALSA then converts them',
            ) from None
        failed = f"the microphone {{}} failed: {error.strerror}", ""
        found, hint = REFUSALS.get(error.errno or 0, failed)
        raise UnavailableError(found.format(self._device), hint.format(here())) from None

    def _lost(self, error: OSError) -> UnavailableError:
        """Why it records no more. Nothing is looked up for it: by now the worker is locked, and whoever opens
        a file there is taken for one that breaks out.
        """
        if error.errno == errno.ENODEV or (error.errno in DOUBTFUL and self._is_gone()):
            return UnavailableError(f"the microphone {self._device} was unplugged", "plug it in again")
        why = "gives nothing" if error.errno == errno.EIO else f"failed: {error.strerror}"
        return UnavailableError(f"the microphone {self._device} {why}", "plug it in anew")

    def _is_gone(self) -> bool:
        """Whether ALSA knows it no more: the request after a doubtful one tells."""
        try:
            self._pcm.behind()
        except OSError as error:
            return error.errno == errno.ENODEV
        return False


def _check(want: WantWindow) -> None:
    """Raises ``RefusedError`` for a model that hears nothing."""
    if want.channels > 1:
        raise RefusedError(
            f"the model takes {want.channels} numbers a sample, and sound has one",
            "take a model of sound, such as YAMNet, or a source of kind iio",
        )
    if not 0 < want.sample_rate <= MOST_RATE:
        raise RefusedError(
            "the model does not say how many samples a second it wants",
            "sample_rate of the model: 16000 for YAMNet, 48000 for BirdNET",
        )


def _rates(wanted: int) -> list[int]:
    """What to ask the device for, the best first: the model's own rate, then multiples of it, which keep all
    of its band; then what chips were made for.
    """
    multiples = [wanted * times for times in (1, 2, 3, 4, 6) if wanted * times <= MOST_RATE]
    return [*multiples, *(one for one in COMMON if one > wanted)]


def named(device: str) -> str:
    """ALSA's name of the device. "default" is the only one that records: a card's number says little, and
    ALSA's own default is, on most boards, an output. Raises ``UnavailableError``, ``RefusedError``.
    """
    if device != DEFAULT:
        return device
    found = alsa.listed()
    if not found:
        raise UnavailableError("there is no microphone on this machine", "plug one in: arecord -l lists them")
    if len(found) > 1:
        raise RefusedError(
            f"there are {len(found)} microphones on this machine", f"name one of them as device: {here()}"
        )
    return found[0].device


def here() -> str:
    """What records on this machine, in a sentence."""
    found = [f"{one.device} ({one.name})" for one in alsa.listed()[:4]]
    return f"microphones here: {', '.join(found)}" if found else "there is no microphone on this machine"
