"""Attributes that are kept open together, until the sensors are looked for anew."""

from __future__ import annotations

from pathlib import Path

from edged.board.attribute import Attribute


class Shelf:
    """Opens attributes and remembers them."""

    def __init__(self) -> None:
        self._all: list[Attribute] = []

    def open(self, path: Path) -> Attribute | None:
        """The attribute at ``path``; None where there is no such file or device. One that may not be read
        answers nothing.
        """
        one = Attribute(path)
        if one.lost:
            return None
        self._all.append(one)
        return one

    @property
    def lost(self) -> bool:
        """Whether a device has gone since its attribute was opened."""
        return any(one.lost for one in self._all)

    def close(self) -> None:
        """Give every descriptor back."""
        for one in self._all:
            one.close()
        self._all.clear()


def number(one: Attribute | None) -> int | None:
    """The attribute's number, None where there is no attribute."""
    return None if one is None else one.number()


def largest(found: list[float | None]) -> float | None:
    """The largest that is known."""
    return max((one for one in found if one is not None), default=None)
