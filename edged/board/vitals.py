"""What a board tells of itself in one second. Values only, and what every board promises."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the board. None: it has no such sensor, or the sensor failed now.

    ``time`` is ``CLOCK_MONOTONIC`` seconds, ``temperature`` and ``limit`` (where the firmware or the kernel
    throttles) °C, ``busy`` the share of all cores at work, ``clock`` a fraction of the full one, ``power``
    watts, ``charge`` a fraction, ``pressure`` the share of time in which something waited for a CPU (PSI
    some avg10).

    ``under_voltage`` is true when the supply is too weak now, or was since the look before. ``word`` has the
    bits of ``voltage.Word``, those of "before" since we began to look. ``voltage`` is the supply's volts at
    the board, ``core_voltage`` the processor's; ``rails`` watts behind a Pi 5's regulators, less than
    ``power``. ``plugged`` says whether a charger or the mains feeds it.

    ``case`` is the hottest of the sensors that are not the processor's, ``accelerator`` a Coral's on PCIe
    (°C); ``fan`` revolutions per minute, ``fan_duty`` its share of full power. ``own`` is the share of all
    cores that this daemon and its workers take. ``memory`` is bytes that can be had without swapping,
    ``memory_pressure`` and ``io_pressure`` like ``pressure``.
    """

    time: float
    temperature: float | None = None
    limit: float | None = None
    busy: float | None = None
    clock: float | None = None
    under_voltage: bool | None = None
    power: float | None = None
    charge: float | None = None
    draining: bool | None = None
    pressure: float | None = None
    word: int | None = None
    voltage: float | None = None
    core_voltage: float | None = None
    rails: float | None = None
    plugged: bool | None = None
    case: float | None = None
    accelerator: float | None = None
    fan: float | None = None
    fan_duty: float | None = None
    own: float | None = None
    memory: int | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None


class Board(Protocol):
    """What is under us, or what is simulated in its place. Nothing here raises for a sensor."""

    def look(self, now: float) -> Vitals:
        """The board at ``now`` (``CLOCK_MONOTONIC`` seconds). It is asked once a second at most: within the
        second the last answer comes again, but for under-voltage, which is always told.
        """

    def watch(self) -> int | None:
        """A descriptor that is readable when the supply has become weak or well: ``look`` then. None where
        nothing tells. It stays the same for as long as the board is open.
        """

    def close(self) -> None:
        """Give descriptors back. It may come twice."""
