"""Fans: how fast they turn, and how much of their power they are given (hwmon: gpio-fan, pwmfan, others)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edged.board.attribute import Attribute
from edged.board.host import Host
from edged.board.shelf import Shelf, largest

FASTEST: Final = 50_000  # revolutions per minute
FULL: Final = 255  # of a pwm file


class Fans:
    """Every fan that the machine has."""

    def __init__(self, host: Host, shelf: Shelf) -> None:
        chips = host.sys / "class/hwmon"
        self._turns = _opened(shelf, sorted(chips.glob("hwmon*/fan[0-9]*_input")))
        self._duty = _opened(shelf, sorted(chips.glob("hwmon*/pwm[0-9]")))

    def read(self) -> dict[str, float | None]:
        """The fields of ``Vitals`` that it knows: of the fastest."""
        return {
            "fan": largest([_within(one.number(), FASTEST) for one in self._turns]),
            "fan_duty": _share(largest([_within(one.number(), FULL) for one in self._duty])),
        }


def _opened(shelf: Shelf, files: list[Path]) -> list[Attribute]:
    return [one for file in files if (one := shelf.open(file))]


def _within(read: int | None, most: int) -> float | None:
    return float(read) if read is not None and 0 <= read <= most else None


def _share(read: float | None) -> float | None:
    return None if read is None else read / FULL
