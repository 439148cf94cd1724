"""In which unit a sensor's numbers are: by what its owner says, else by how the kernel names its channels.

Both sides of the wall need it: the worker makes numbers of that unit, the daemon knows it from the config
alone.
"""

from __future__ import annotations

import re
from typing import Final

from edged.config.shape import Feed, Hwmon, Iio, OneWire, Pictures, Serial, Source, Sysfs

#: The model that is none: the source's numbers as they are.
NO_MODEL: Final = "builtin:none"

#: Documentation/ABI/testing/sysfs-bus-iio: what (raw + offset) x scale is of each type of channel, as our
#: unit and how many of the kernel's make one of ours.
IIO: Final = {
    "accel": ("m/s²", 1.0),
    "gravity": ("m/s²", 1.0),
    "anglvel": ("rad/s", 1.0),
    "angl": ("rad", 1.0),
    "incli": ("°", 1.0),
    "magn": ("G", 1.0),
    "voltage": ("V", 1e3),
    "altvoltage": ("V", 1e3),
    "current": ("A", 1e3),
    "altcurrent": ("A", 1e3),
    "power": ("W", 1e3),
    "energy": ("J", 1.0),
    "capacitance": ("nF", 1.0),
    "resistance": ("Ω", 1.0),
    "temp": ("°C", 1e3),
    "pressure": ("kPa", 1.0),
    "humidityrelative": ("%", 1e3),
    "illuminance": ("lx", 1.0),
    "concentration": ("%", 1.0),
    "electricalconductivity": ("S/m", 1.0),
    "ph": ("pH", 1.0),
    "distance": ("m", 1.0),
    "velocity": ("m/s", 1.0),
}
#: Documentation/hwmon/sysfs-interface.rst, in the same way.
HWMON: Final = {
    "temp": ("°C", 1e3),
    "in": ("V", 1e3),
    "curr": ("A", 1e3),
    "power": ("W", 1e6),
    "energy": ("J", 1e6),
    "humidity": ("%", 1e3),
    "fan": ("rpm", 1.0),
    "freq": ("Hz", 1.0),
}
#: w1_therm's attribute ``temperature``.
ONEWIRE: Final = ("°C", 1e3)
NONE: Final = ("", 1.0)


def family(channel: str) -> str:
    """What kind of channel it is: "accel" of "accel_x", "voltage" of "voltage0", "temp" of "temp1"."""
    found = re.match("[a-z]+", channel)
    return found[0] if found else ""


def unit_of(source: Source, channel: str) -> str:
    """The unit of a source's channel, "" when nobody knows."""
    match source:
        case Sysfs() | Serial() | Feed():
            found = source.channels.get(channel)
            return found.unit if found else ""
        case Iio():
            return IIO.get(family(channel), NONE)[0]
        case Hwmon():
            return HWMON.get(family(channel), NONE)[0]
        case OneWire():
            return ONEWIRE[0]
    return ""


def channels_of(source: Source) -> tuple[str, ...]:
    """The channels that a config names, () when it leaves that to the device."""
    return () if isinstance(source, Pictures) else tuple(getattr(source, "channels", ()))


def irregular(source: Source) -> bool:
    """Whether nobody knows beforehand how often it speaks: then a number holds for its ``timeout``."""
    return isinstance(source, Feed | Serial) and not source.sample_rate


def least_hold(source: Source) -> float:
    """Seconds that a number holds whatever the rate is."""
    return source.timeout if isinstance(source, Feed | Serial) and not source.sample_rate else 0.0
