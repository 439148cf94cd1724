"""Reading a flatbuffer without trusting it: every offset is held against the bytes before it is followed.

A model comes from anywhere, and the interpreters follow its offsets in C++ without looking. So the bytes pass
through here first. Only what edged asks of a model and its metadata is read; nothing is built.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_I32: Final = struct.Struct("<i")

#: Little-endian scalars as ``struct`` spells them, with their sizes in bytes.
SIZES: Final = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}

Bytes = bytes | memoryview


class MalformedError(ValueError):
    """The bytes are no flatbuffer of that kind: the message says what does not hold."""


def root(data: Bytes, identifier: bytes) -> Table:
    """The root table of ``data``, whose bytes 4 to 8 must be ``identifier``. Raises ``MalformedError``."""
    if len(data) < 16:
        raise MalformedError(f"{len(data)} bytes are too few")
    if bytes(data[4:8]) != identifier:
        raise MalformedError(f"bytes 4 to 8 are not {identifier.decode('ascii')!r}")
    return Table(data, _U32.unpack_from(data, 0)[0])


class Table:
    """One table. Fields are numbered as in the schema, from 0; an absent one gives the default."""

    __slots__ = ("_data", "_fields", "_position", "_size")

    def __init__(self, data: Bytes, position: int) -> None:
        if not 0 <= position <= len(data) - 4:
            raise MalformedError(f"a table lies at {position}, outside of the {len(data)} bytes")
        vtable = position - _I32.unpack_from(data, position)[0]
        if not 0 <= vtable <= len(data) - 4:
            raise MalformedError(f"the table at {position} has its layout outside of the {len(data)} bytes")
        length, size = struct.unpack_from("<HH", data, vtable)
        if length < 4 or length % 2 or vtable + length > len(data) or size < 4 or position + size > len(data):
            raise MalformedError(f"the table at {position} is cut off")
        self._fields: tuple[int, ...] = struct.unpack_from(f"<{(length - 4) // 2}H", data, vtable + 4)
        if any(offset and not 4 <= offset < size for offset in self._fields):
            raise MalformedError(f"the table at {position} has a field outside of itself")
        self._data, self._position, self._size = data, position, size

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return field < len(self._fields) and self._fields[field] != 0

    def _at(self, field: int, size: int) -> int:
        """Where a field of ``size`` bytes lies, 0 when it is absent."""
        if not self.has(field):
            return 0
        offset = self._fields[field]
        if offset + size > self._size:
            raise MalformedError(f"the table at {self._position} has a field that is cut off")
        return self._position + offset

    def _target(self, field: int) -> int:
        """Where a reference points, 0 when it is absent."""
        at = self._at(field, 4)
        if not at:
            return 0
        return int(at + _U32.unpack_from(self._data, at)[0])

    def number(self, field: int, kind: str, default: float = 0) -> int | float:
        """A scalar; ``kind`` as ``struct`` spells it."""
        at = self._at(field, SIZES[kind])
        value: int | float = struct.unpack_from("<" + kind, self._data, at)[0] if at else default
        return value

    def integer(self, field: int, kind: str, default: int = 0) -> int:
        """A whole number."""
        return int(self.number(field, kind, default))

    def table(self, field: int) -> Table | None:
        """A table that the field refers to, None when absent."""
        at = self._target(field)
        return Table(self._data, at) if at else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """(where the elements begin, how many), (0, 0) when absent."""
        at = self._target(field)
        if not at:
            return 0, 0
        if at > len(self._data) - 4:
            raise MalformedError(f"the table at {self._position} refers to what is outside of the file")
        count = _U32.unpack_from(self._data, at)[0]
        if at + 4 + count * size > len(self._data):
            raise MalformedError(f"a vector at {at} is cut off: it says that it has {count} elements")
        return at + 4, count

    def numbers(self, field: int, kind: str) -> tuple[int, ...]:
        """A vector of whole numbers."""
        at, count = self._vector(field, SIZES[kind])
        return struct.unpack_from(f"<{count}{kind}", self._data, at)

    def floats(self, field: int) -> tuple[float, ...]:
        """A vector of float32."""
        at, count = self._vector(field, 4)
        return struct.unpack_from(f"<{count}f", self._data, at)

    def blob(self, field: int) -> memoryview:
        """A vector of bytes, not copied."""
        at, count = self._vector(field, 1)
        return memoryview(self._data)[at : at + count]

    def text(self, field: int) -> str:
        """A string, "" when absent. What is no UTF-8 is shown as such."""
        return bytes(self.blob(field)).decode("utf-8", "replace")

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables."""
        at, count = self._vector(field, 4)
        for place in range(at, at + 4 * count, 4):
            yield Table(self._data, place + _U32.unpack_from(self._data, place)[0])
