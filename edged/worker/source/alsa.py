"""ALSA's library, called by its C interface: recording from one PCM. The only importer of ``libasound``.

By ctypes, because nothing that has a wheel for these boards is smaller: the library is a Debian package of
its own (libasound2), is there on Raspberry Pi OS, and takes 0.3 MB (docs/adr/0027-sound.md). Numbers and
signatures: alsa/pcm.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.errors import RefusedError

LIBRARY: Final = "libasound.so.2"
CAPTURE, NONBLOCK, INTERLEAVED = 1, 1, 3
#: snd_pcm_format_t: the number, bytes a sample, NumPy's type of a sample (of S24_3LE: of its bytes). What
#: costs least to read comes first; all but the last have what a microphone's 16 bits hold.
FORMATS: Final = {
    "S16_LE": (2, 2, "<i2"),
    "S32_LE": (10, 4, "<i4"),
    "S24_LE": (6, 4, "<i4"),
    "S24_3LE": (32, 3, "u1"),
    "FLOAT_LE": (14, 4, "<f4"),
    "U8": (1, 1, "u1"),
}
#: What makes a sample a number of -1..1; others are of 32 bits.
SCALES: Final = {"U8": 2.0**-7, "S16_LE": 2.0**-15, "FLOAT_LE": 1.0}
PROC: Final = Path("/proc/asound")


class Setting(NamedTuple):
    """How a PCM was set: ``format`` is a key of ``FORMATS``, ``rate`` in Hz, ``buffer`` in samples of all
    channels together (ALSA's frames).
    """

    format: str
    channels: int
    rate: int
    buffer: int


class Listed(NamedTuple):
    """A PCM of this machine that records, and what it is called."""

    device: str
    name: str


def listed(root: Path = PROC) -> list[Listed]:
    """What records here, in the kernel's order. A name with the card's id stays when others are plugged."""
    try:
        lines = (root / "pcm").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        numbers, _, rest = line.partition(":")
        if "capture" not in rest:
            continue
        card, device = (int(one) for one in numbers.split("-"))
        name = rest.split(":")[0].strip()
        found.append(Listed(f"hw:CARD={_id(root, card)},DEV={device}", name))
    return found


def _id(root: Path, card: int) -> str:
    try:
        return (root / f"card{card}" / "id").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return str(card)


@cache
def library() -> Any:
    """libasound. Raises ``RefusedError`` when it is not here."""
    try:
        made = ctypes.CDLL(LIBRARY)
    except OSError:
        raise RefusedError(
            f"{LIBRARY} cannot be loaded, and without it there is no sound",
            "sudo apt install libasound2 (libasound2t64 from Debian 13 on)",
        ) from None
    for name in ("snd_pcm_avail_update", "snd_pcm_readi"):
        getattr(made, name).restype = c_long
    made.snd_pcm_readi.argtypes = (c_void_p, c_void_p, c_ulong)
    return made


class Pcm:
    """A PCM that records, opened and not set yet. All methods raise ``OSError`` with the kernel's errno."""

    def __init__(self, device: str) -> None:
        self._library = library()
        self._pcm: c_void_p | None = None
        made = c_void_p()
        _checked(self._library.snd_pcm_open(byref(made), c_char_p(device.encode()), CAPTURE, NONBLOCK))
        self._pcm = made

    def close(self) -> None:
        """Give it back. May be called twice."""
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            self._library.snd_pcm_close(pcm)

    def set(self, channels: int, rates: Sequence[int], wake: float, hold: float) -> Setting:
        """As near as it can: at least ``channels`` of them, the first of ``rates`` that it has (else what is
        nearest to the first), woken up every ``wake`` seconds, ``hold`` seconds kept for whoever comes late.
        """
        parameters = c_void_p()
        _checked(self._library.snd_pcm_hw_params_malloc(byref(parameters)))
        try:
            return self._set(parameters, channels, rates, wake, hold)
        finally:
            self._library.snd_pcm_hw_params_free(parameters)

    def _set(
        self, parameters: c_void_p, channels: int, rates: Sequence[int], wake: float, hold: float
    ) -> Setting:
        self._hw("any", parameters)
        self._hw("set_access", parameters, INTERLEAVED)
        form = next(
            (name for name, (number, _, _) in FORMATS.items() if self._can("format", parameters, number)), ""
        )
        if not form:
            raise OSError(errno.EINVAL, "no format that is known")
        self._hw("set_format", parameters, FORMATS[form][0])
        number = c_uint(channels)
        self._hw("set_channels_near", parameters, byref(number))
        wanted = next((one for one in rates if self._can("rate", parameters, one, 0)), rates[0])
        rate = c_uint(wanted)
        self._hw("set_rate_near", parameters, byref(rate), None)
        buffer, period = c_ulong(int(hold * rate.value)), c_ulong(int(wake * rate.value))
        self._hw("set_buffer_size_near", parameters, byref(buffer))
        self._hw("set_period_size_near", parameters, byref(period), None)
        _checked(self._library.snd_pcm_hw_params(self._pcm, parameters))
        self._hw_get("get_buffer_size", parameters, byref(buffer))
        return Setting(form, number.value, rate.value, buffer.value)

    def _hw(self, name: str, parameters: c_void_p, *arguments: object) -> None:
        _checked(getattr(self._library, f"snd_pcm_hw_params_{name}")(self._pcm, parameters, *arguments))

    def _hw_get(self, name: str, parameters: c_void_p, *arguments: object) -> None:
        _checked(getattr(self._library, f"snd_pcm_hw_params_{name}")(parameters, *arguments))

    def _can(self, what: str, parameters: c_void_p, *arguments: int) -> bool:
        test = getattr(self._library, f"snd_pcm_hw_params_test_{what}")
        return bool(test(self._pcm, parameters, *arguments) == 0)

    def wake_at(self, samples: int) -> None:
        """``wait`` comes back when so many are there."""
        parameters = c_void_p()
        _checked(self._library.snd_pcm_sw_params_malloc(byref(parameters)))
        try:
            _checked(self._library.snd_pcm_sw_params_current(self._pcm, parameters))
            set_avail = self._library.snd_pcm_sw_params_set_avail_min
            _checked(set_avail(self._pcm, parameters, c_ulong(max(1, samples))))
            _checked(self._library.snd_pcm_sw_params(self._pcm, parameters))
        finally:
            self._library.snd_pcm_sw_params_free(parameters)

    def start(self) -> None:
        """Record from now on."""
        _checked(self._library.snd_pcm_prepare(self._pcm))
        _checked(self._library.snd_pcm_start(self._pcm))

    def stop(self) -> None:
        """Record no more; what was recorded is gone."""
        _checked(self._library.snd_pcm_drop(self._pcm))

    def wait(self, seconds: float) -> bool:
        """Whether there are as many as ``wake_at`` said, before ``seconds`` are over."""
        return _checked(self._library.snd_pcm_wait(self._pcm, c_int(max(0, int(seconds * 1000))))) > 0

    def there(self) -> int:
        """How many samples (of each channel) wait to be read."""
        return _checked(self._library.snd_pcm_avail_update(self._pcm))

    def read(self, into: NDArray[np.uint8], samples: int) -> int:
        """Read at most so many into ``into``, contiguous bytes; how many it were."""
        return _checked(self._library.snd_pcm_readi(self._pcm, into.ctypes.data, samples))

    def behind(self) -> int:
        """How many samples ago was recorded what is read next."""
        found = c_long(0)
        _checked(self._library.snd_pcm_delay(self._pcm, byref(found)))
        return max(0, found.value)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def real(raw: NDArray[np.uint8], form: str, channels: int, channel: int) -> NDArray[np.float32]:
    """Interleaved bytes -> float32 [n], -1..1: one channel (from 1), or with 0 the mean of all."""
    numbers = _numbers(raw, form).reshape(-1, channels)
    only = 1 if channels == 1 else channel
    made: NDArray[np.float32] = (numbers[:, only - 1] if only else numbers).astype(np.float32)
    if form == "U8":
        made -= np.float32(128.0)
    made *= np.float32(SCALES.get(form, 2.0**-31))
    return made if only else made.mean(axis=1, dtype=np.float32)


def _numbers(raw: NDArray[np.uint8], form: str) -> NDArray[Any]:
    """As the format has them; of 24 bits in the upper ones of 32, where the sign comes by itself."""
    _, width, kind = FORMATS[form]
    if form == "S24_3LE":
        wide = np.zeros((raw.size // width, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, width)
        return wide.view("<i4")
    numbers = raw.view(kind)
    return numbers << 8 if form == "S24_LE" else numbers  # its upper byte is nobody's
