"""The board under us, looked at once a second: every sensor that it has, in one ``Vitals``.

Sensors are found at the start, their files stay open, and a look reads each by one call. They are looked
for anew when a class of sysfs has another list of devices, or when a device that was read has gone; what
fails otherwise is None this time. What is remembered from look to look is the supply's (what was latched)
and the processor's (what was counted): new sensors do not make it forget.

Nothing is judged here: whether a reading can be believed is the governor's to say.
"""

from __future__ import annotations

import os
from typing import Any, Final

import msgspec

from edged.board.battery import Batteries
from edged.board.fan import Fans
from edged.board.firmware import Mailbox
from edged.board.host import Host
from edged.board.meter import UNDER, Meters
from edged.board.pi import Pi
from edged.board.processor import Processor
from edged.board.shelf import Shelf
from edged.board.thermometer import Thermometer
from edged.board.vitals import Vitals
from edged.board.voltage import Watch, alarm_file

EVERY: Final = 1.0  # seconds between two real readings
EARLY: Final = 0.1  # seconds that a timer's second may be short of one
RESCAN: Final = 5.0  # seconds, where a device is listed and yet gone
CLASSES: Final = ("class/thermal", "class/hwmon", "class/power_supply", "class/apex", "bus/iio/devices")
UNDER_VOLTAGE: Final = 1  # the bit of ``voltage.Word``


class Telemetry:
    """The real board. ``look`` may be called as often as one likes."""

    def __init__(self, host: Host | None = None, mailbox: Mailbox | None = None) -> None:
        self._host = host or Host()
        self._classes = tuple(str(self._host.sys / one) for one in CLASSES)
        self._watch = Watch()
        self._pi = Pi(self._host, mailbox)
        self._standing = Shelf()  # what does not come and go
        self._processor = Processor(self._host, self._standing)
        self._shelf = Shelf()
        self._dipped = False
        self._last: Vitals | None = None
        self._scanned = float("-inf")
        self._scan()

    @property
    def thermal(self) -> bool:
        """Whether anything here tells of the processor's heat: a container has nothing that does."""
        return self._thermometer.there

    def look(self, now: float) -> Vitals:
        """The board at ``now``."""
        alarm = self._alarm()
        if self._last is not None and 0.0 <= now - self._last.time < EVERY - EARLY:
            if alarm and not self._last.under_voltage:
                word = None if self._last.word is None else self._last.word | UNDER_VOLTAGE | self._pi.latched
                self._last = msgspec.structs.replace(self._last, under_voltage=True, word=word)
            return self._last
        if self._changed(now):
            self._scan()
            self._scanned = now
            alarm = self._alarm()
        self._last = self._read(now, alarm)
        self._dipped = False
        return self._last

    def watch(self) -> int | None:
        """Readable when the kernel's alarm of under-voltage changes."""
        return self._watch.fileno()

    def close(self) -> None:
        """Give every descriptor back."""
        self._shelf.close()
        self._standing.close()
        self._watch.close()

    def _alarm(self) -> bool | None:
        """The kernel's alarm; what was seen of it is told at the next look even if it is over."""
        alarm = self._watch.read()
        if alarm:
            self._dipped = True
            self._pi.latch(UNDER_VOLTAGE)
        return alarm

    def _read(self, now: float, alarm: bool | None) -> Vitals:
        told = self._pi.tell(now)
        rail, watts = self._meters.read()
        store = self._batteries.read()
        fields: dict[str, Any] = self._processor.read(now) | self._thermometer.read(self._pi.limit)
        fields |= self._fans.read()
        if told.clock is not None:  # what the firmware gives, not what the kernel asked it for
            fields["clock"] = told.clock
        volts = told.voltage if told.voltage is not None else rail
        return Vitals(
            time=now,
            **fields,
            under_voltage=self._under(told.word, told.dipped, alarm, volts),
            word=told.word,
            voltage=volts,
            core_voltage=told.core_voltage,
            power=watts if watts is not None else store.watts,
            rails=told.rails,
            charge=store.charge,
            draining=store.draining,
            plugged=store.plugged,
        )

    def _under(self, word: int | None, dipped: bool, alarm: bool | None, volts: float | None) -> bool | None:
        """One witness that says so is enough; None where there is none."""
        witnesses = [None if word is None else bool(word & UNDER_VOLTAGE) or dipped, alarm]
        witnesses += [None if volts is None else volts < UNDER]
        if self._dipped or True in witnesses:
            return True
        return False if False in witnesses else None

    def _changed(self, now: float) -> bool:
        if self._listed() != self._list:
            return True
        return self._shelf.lost and now >= self._scanned + RESCAN

    def _listed(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(_names, self._classes))

    def _scan(self) -> None:
        """Look for every sensor that may come and go."""
        self._shelf.close()
        self._list = self._listed()
        self._thermometer = Thermometer(self._host, self._shelf)
        self._batteries = Batteries(self._host, self._shelf)
        self._meters = Meters(self._host, self._shelf)
        self._fans = Fans(self._host, self._shelf)
        file = alarm_file(self._host.sys)
        self._watch.follow(self._shelf.open(file) if file else None)


def _names(folder: str) -> tuple[str, ...]:
    """In the kernel's own order, which stays while nothing comes or goes."""
    try:
        return tuple(os.listdir(folder))  # noqa: PTH208 - five times a second: no paths are made
    except OSError:
        return ()
