"""The iio source: sensors of the kernel's industrial I/O (acceleration, air, light, volts).

Documentation/ABI/testing/sysfs-bus-iio: value = (raw + offset) x scale, or a file that has the value already.
Polled, each channel's file is read when its turn comes. Buffered, the kernel collects samples by itself and a
character device hands them over; who has switched its buffer on is the owner (docs/sensors.md), since a
worker writes nothing.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged import units
from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Source, WantWindow, device
from edged.worker.source.polled import PolledSource, opened, trouble
from edged.worker.source.samples import Gathering, agreed
from edged.worker.source.streamed import StreamedSource

CHANNEL: Final = re.compile(r"in_(.+)_(raw|input)\Z")
ENABLED: Final = re.compile(r"in_(.+)_en\Z")
#: "le:s12/16>>4": byte order, sign, bits that count / bits stored, shift to the right.
FORM: Final = re.compile(r"(le|be):([su])([0-9]+)/(8|16|32|64)(X[0-9]+)?>>([0-9]+)\Z")
TIMESTAMP: Final = "timestamp"
BLOCK: Final = 256  # records that are read at once
DEVICES: Final = Path("/dev")
#: A stamp that is later by more than so many sample times was preceded by lost ones.
GAP: Final = 1.5


class Form(NamedTuple):
    """How a channel's sample lies in a record: numpy's type of what is stored, and what of it counts."""

    dtype: str
    signed: bool
    bits: int
    shift: int

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.dtype[2:])


class Element(NamedTuple):
    """One channel of a record: where it lies, and what makes of it a number in our unit."""

    name: str
    form: Form
    place: int
    scale: float = 1.0
    offset: float = 0.0


def opened_iio(
    config: shape.Iio, want: WantWindow, sys: Path | None = None, devices: Path = DEVICES
) -> Source:
    """Polled or buffered, as the config says; "auto" takes the buffer where it is switched on and may be
    read. Raises ``UnavailableError``, ``RefusedError``.
    """
    folder = _folder(config, sys)
    running = device.said(folder / "buffer/enable") == "1"
    if config.mode == "buffered" and not running:
        raise UnavailableError(
            f"the buffer of {config.device} is switched off", "docs/sensors.md shows how to switch it on"
        )
    node = devices / folder.name
    if running and (config.mode == "buffered" or (config.mode == "auto" and os.access(node, os.R_OK))):
        return BufferedSource(config, want, folder, node)
    return IioPolledSource(config, want, folder)


def channels(config: shape.Iio, sys: Path | None = None) -> tuple[str, ...]:
    """Those that are named, else all that the device has; of one that is read through its buffer those that
    are switched on. Raises ``UnavailableError``, ``RefusedError``.
    """
    folder = _folder(config, sys)
    buffered = config.mode != "polled" and device.said(folder / "buffer/enable") == "1"
    if buffered and (config.mode == "buffered" or os.access(DEVICES / folder.name, os.R_OK)):
        there = [one.name for one in elements(folder) if one.name != TIMESTAMP]
    else:
        there = list(_pollable(folder))
    return device.selected(config.channels, iter(there), config.device)


def _folder(config: shape.Iio, sys: Path | None) -> Path:
    return device.chosen(config.device, (sys or device.SYS) / "bus/iio/devices", "iio:device*")


# --- one by one


class IioPolledSource(PolledSource):
    """In our units."""

    def __init__(self, config: shape.Iio, want: WantWindow, folder: Path) -> None:
        names = device.selected(config.channels, _pollable(folder), config.device)
        probes = opened(_probe(folder, name) for name in names)
        super().__init__(probes, want, config.sample_rate, config.timeout, config.device)


def _pollable(folder: Path) -> Iterator[str]:
    return iter(sorted({found[1] for one in folder.iterdir() if (found := CHANNEL.match(one.name))}))


def _probe(folder: Path, name: str) -> tuple[str, Path, float, float]:
    """(name, file, scale, offset) as a ``Probe`` takes them."""
    ours = units.IIO.get(units.family(name), units.NONE)[1]
    done = folder / f"in_{name}_input"
    if done.exists():
        return name, done, 1.0 / ours, 0.0
    scale, offset = conversion(folder, name)
    return name, folder / f"in_{name}_raw", scale, offset


def conversion(folder: Path, name: str) -> tuple[float, float]:
    """(scale, offset) such that value = raw x scale + offset is in our unit."""
    scale, offset = _shared(folder, name, "scale", 1.0), _shared(folder, name, "offset", 0.0)
    ours = units.IIO.get(units.family(name), units.NONE)[1]
    return scale / ours, offset * scale / ours


def _shared(folder: Path, name: str, what: str, otherwise: float) -> float:
    """A channel's own attribute, else that of its kind, else that of all."""
    for one in (f"in_{name}_{what}", f"in_{units.family(name)}_{what}", f"in_{what}"):
        with suppress(ValueError):
            return float(device.said(folder / one))
    return otherwise


# --- through the buffer


def elements(folder: Path) -> tuple[Element, ...]:
    """What a record holds, in its order. Each sample lies at a multiple of its own size (the kernel's
    iio_compute_scan_bytes). Raises ``RefusedError``.
    """
    scan = folder / "scan_elements"
    names = [found[1] for one in scan.glob("in_*_en") if (found := ENABLED.match(one.name))]
    enabled = [one for one in names if device.said(scan / f"in_{one}_en") == "1"]
    made, place = [], 0
    for name in sorted(enabled, key=lambda one: int(device.said(scan / f"in_{one}_index") or 0)):
        form = parsed(device.said(scan / f"in_{name}_type"), name)
        place = -(-place // form.size) * form.size
        scale = (1.0, 0.0) if name == TIMESTAMP else conversion(folder, name)
        made.append(Element(name, form, place, *scale))
        place += form.size
    return tuple(made)


def parsed(text: str, name: str = "") -> Form:
    """A channel's ``type``. Raises ``RefusedError``."""
    found = FORM.match(text)
    if not found or found[5] or int(found[3]) + int(found[6]) > int(found[4]) or not int(found[3]):
        raise RefusedError(
            f'the channel {name} comes as "{text}", which edged does not read', "leave it out, or poll it"
        )
    order = "<" if found[1] == "le" else ">"
    return Form(f"{order}u{int(found[4]) // 8}", found[2] == "s", int(found[3]), int(found[6]))


def record_size(of: tuple[Element, ...]) -> int:
    """Bytes of a record: whole multiples of its largest sample."""
    largest = max(one.form.size for one in of)
    return -(-(of[-1].place + of[-1].form.size) // largest) * largest


def numbers(records: NDArray[np.uint8], element: Element) -> NDArray[np.int64]:
    """The raw samples of one channel, of uint8 [records, bytes]."""
    form = element.form
    column = np.ascontiguousarray(records[:, element.place : element.place + form.size])
    stored = column.view(form.dtype)[:, 0].astype(np.uint64) >> np.uint64(form.shift)
    unused = np.uint64(64 - form.bits)
    lifted = stored << unused
    if form.signed:
        signed: NDArray[np.int64] = lifted.view(np.int64) >> np.int64(unused)
        return signed
    return (lifted >> unused).astype(np.int64)


class BufferedSource(StreamedSource):
    """Samples as the kernel's buffer hands them over."""

    def __init__(self, config: shape.Iio, want: WantWindow, folder: Path, node: Path) -> None:
        self._config = config
        everything = elements(folder)
        there = {one.name: one for one in everything}
        names = device.selected(
            config.channels, (one for one in there if one != TIMESTAMP), f"the buffer of {config.device}"
        )
        self._elements = [there[one] for one in names]
        self._stamp = there.get(TIMESTAMP)
        self._size = record_size(everything)
        own = _frequency(folder)
        per_second = agreed(want, config.sample_rate or own, config.device)
        self._period = 1.0 / per_second if per_second else 0.0
        self._rest, self._last, self._lost = b"", 0, 0
        gathering = Gathering(want, names)
        super().__init__(gathering, per_second, _opened(node, config.device), config.timeout)

    @property
    def dropped(self) -> int:
        """See ``Source``; samples that the kernel's buffer had no room for too, where it stamps them."""
        return self._lost + super().dropped

    def _silence(self, seconds: float) -> UnavailableError:
        return UnavailableError(
            f"{self._config.device} gave no sample for {seconds:.0f} s", "is its buffer still switched on?"
        )

    def _take(self) -> None:
        try:
            said = os.read(self._descriptor, BLOCK * self._size)
        except BlockingIOError:
            said = b""
        except OSError as error:
            raise UnavailableError(
                f"{self._config.device} is gone: {os.strerror(error.errno or errno.EIO)}",
                "is the sensor plugged in, and its buffer switched on?",
            ) from None
        data = self._rest + said
        whole = len(data) // self._size * self._size
        self._rest = data[whole:]
        if not whole:
            time.sleep(0.001)  # an end of file is readable for ever
            return
        self._heard = time.monotonic()
        records = np.frombuffer(data, np.uint8, whole).reshape(-1, self._size)
        columns = [numbers(records, one) * one.scale + one.offset for one in self._elements]
        samples, first = np.stack(columns, axis=1).astype(np.float32), 0
        for place, lost in self._gaps(records):
            self._gathering.add(samples[first:place], self._heard)
            self._gathering.lost(lost)
            self._lost, first = self._lost + lost, place
        self._gathering.add(samples[first:], self._heard)

    def _gaps(self, records: NDArray[np.uint8]) -> list[tuple[int, int]]:
        """Before which records samples are missing, and how many: a full buffer loses them silently, and the
        stamps (ns) tell.
        """
        if self._stamp is None or not self._period:
            return []
        stamps = numbers(records, self._stamp)
        apart = np.diff(stamps, prepend=self._last or stamps[0]) / 1e9
        self._last = int(stamps[-1])
        late = np.flatnonzero(apart > GAP * self._period)
        return [(int(one), round(float(apart[one]) / self._period - 1.0)) for one in late]


def _opened(node: Path, what: str) -> int:
    """The buffer's character device. Raises ``UnavailableError``."""
    try:
        return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise UnavailableError(
                f"another program reads {node}", "stop it: a buffer has one reader"
            ) from None
        raise trouble(what, node, error) from None


def _frequency(folder: Path) -> float:
    """Samples a second as the device says itself, 0 if it does not."""
    kinds = sorted(folder.glob("in_*_sampling_frequency"))
    for one in (folder / "in_sampling_frequency", folder / "sampling_frequency", *kinds):
        with suppress(ValueError):
            return float(device.said(one))
    return 0.0
