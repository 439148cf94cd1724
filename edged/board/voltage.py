"""Under-voltage and throttling of a Raspberry Pi: the firmware's word, and the kernel's alarm.

The kernel's driver (hwmon ``rpi_volt``) asks the firmware every 2 s and clears its memory of "since boot"
each time, so that where it runs those bits tell of the last 2 s only: what happened since boot is then in
the kernel's log (``kernel_log``). The "now" bits are always true.
"""

from __future__ import annotations

import select
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edged.board.attribute import Attribute, number, text

#: What the kernel's driver says when it sees the firmware's bit, in this order of versions.
SAID: Final = ("Undervoltage detected!", "Under-voltage detected!")


class Word(NamedTuple):
    """The firmware's word (``get_throttled``): bits 0-3 are now, bits 16-19 the same since they were
    cleared.
    """

    word: int

    def _has(self, bit: int) -> bool:
        return bool(self.word >> bit & 1)

    @property
    def under_voltage(self) -> bool:
        """Below 4.63 V (+-5 %) now."""
        return self._has(0)

    @property
    def under_voltage_before(self) -> bool:
        """Since the bits were cleared."""
        return self._has(16)

    @property
    def slowed(self) -> bool:
        """The frequency is capped, or it is throttled, or the soft temperature limit acts."""
        return bool(self.word >> 1 & 0b111)

    @property
    def slowed_before(self) -> bool:
        """Since the bits were cleared."""
        return bool(self.word >> 17 & 0b111)


def alarm(sys: Path) -> bool | None:
    """Whether the kernel's driver sees under-voltage; None where there is no such driver."""
    file = alarm_file(sys)
    read = number(file) if file else None
    return None if read is None else bool(read)


def alarm_file(sys: Path) -> Path | None:
    """The driver's alarm. poll(2) on it wakes (POLLPRI) when it changes."""
    for name in sorted((sys / "class/hwmon").glob("hwmon*/name")):
        if text(name) == "rpi_volt":
            return name.with_name("in0_lcrit_alarm")
    return None


class Watch:
    """Wakes when an alarm changes. One descriptor for whoever waits, whatever comes and goes behind it.

    A file of sysfs is always readable; what is new shows as POLLPRI, until it is read. So it is in an epoll
    set that asks for nothing else, and the set's own descriptor is readable when there is news.
    """

    def __init__(self) -> None:
        self._set = select.epoll()
        self._alarm: Attribute | None = None

    def fileno(self) -> int:
        """The descriptor."""
        return self._set.fileno()

    def follow(self, alarm: Attribute | None) -> None:
        """Watch this alarm from now on. The one before is gone: closing it took it from the set."""
        self._alarm = alarm
        descriptor = alarm.fileno() if alarm else None
        if alarm is not None and descriptor is not None:
            alarm.number()  # what there was is no news
            with suppress(OSError):  # a made-up board's plain file cannot be polled
                self._set.register(descriptor, select.EPOLLPRI)

    def read(self) -> bool | None:
        """Whether the alarm is on. Reading it makes the descriptor unreadable until there is news."""
        read = self._alarm.number() if self._alarm else None
        return None if read is None else read != 0

    def close(self) -> None:
        """Give the descriptor back."""
        self._set.close()


def supply_milliamperes(proc: Path) -> int | None:
    """What the supply of a Pi 5 says it can give, in mA; None where the firmware does not tell."""
    try:
        content = (proc / "device-tree/chosen/power/max_current").read_bytes()
    except OSError:
        return None
    return int.from_bytes(content, "big") if len(content) == 4 else None
