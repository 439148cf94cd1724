"""What a board tells of itself in one second. Values only."""

from __future__ import annotations

import msgspec


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the board. None: it has no such sensor, or the sensor failed now.

    ``time`` is ``CLOCK_MONOTONIC`` seconds, ``temperature`` and ``limit`` (where the firmware or the kernel
    throttles) °C, ``busy`` the share of all cores at work, ``clock`` a fraction of the full one, ``power``
    watts, ``charge`` a fraction, ``pressure`` the share of time in which something waited for a CPU (PSI
    some avg10).
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
