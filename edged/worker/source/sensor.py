"""Which sensor's module opens a source. Each is imported where it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from edged.config import shape
from edged.errors import RefusedError
from edged.worker.source import Source, WantWindow, without_samples

#: Kind of source -> (module here, what opens it there).
OPENERS: Final[dict[type, tuple[str, str]]] = {
    shape.Iio: ("iio", "opened_iio"),
    shape.Hwmon: ("hwmon", "HwmonSource"),
    shape.OneWire: ("onewire", "OneWireSource"),
    shape.Sysfs: ("sysfs", "SysfsSource"),
    shape.Serial: ("serial", "SerialSource"),
    shape.Feed: ("feed", "FeedSource"),
}


def opened(config: shape.Source, want: WantWindow) -> Source:
    """The sensor. Raises ``UnavailableError``, ``RefusedError``."""
    if type(config) not in OPENERS:
        raise without_samples(config, want)
    module, name = OPENERS[type(config)]
    make: Callable[[Any, WantWindow], Source] = getattr(_module(module), name)
    return make(config, want)


def channels(config: shape.Source) -> tuple[str, ...]:
    """What a source's numbers are called, in their order. Raises ``RefusedError`` for one that has none,
    ``UnavailableError`` when the device that must say so is not there.
    """
    match config:
        case shape.Iio() | shape.Hwmon() | shape.OneWire():
            found: tuple[str, ...] = _module(OPENERS[type(config)][0]).channels(config)
            return found
        case shape.Sysfs() | shape.Serial() | shape.Feed():
            return tuple(config.channels)
    raise RefusedError(
        f'model = "none" takes the numbers of a sensor, and a source of kind {type(config).__name__.lower()} '
        "gives none",
        "take a model of pictures or of sound",
    )


def _module(name: str) -> Any:
    return import_module(f"edged.worker.source.{name}")
