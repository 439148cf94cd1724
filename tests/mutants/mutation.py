"""One seed file, one number: one mutant, always the same. Pure.

Of models half of the mutants change one to three numbers that an interpreter follows (``flatbuffer_sites``),
the rest are blind: bits, bytes, blocks, a file cut off, two files grown together. Videos and pictures are
mutated blindly, with a preference for where containers keep their lengths and times.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

from flatbuffer_sites import Site, sites

Mutate = Callable[[random.Random, bytearray], str]

#: Chances of each kind of number. Offsets and lengths are mostly seen through before an interpreter gets
#: them; indices, shapes and options are where a model is whole and still not what it seems.
WEIGHTS: Final = {
    "root": 1,
    "vtable": 4,
    "layout": 8,
    "offset": 10,
    "length": 8,
    "scalar": 36,
    "element": 36,
    "data": 6,
}
EDGES: Final = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000)


class Models:
    """Mutants of one model; what can be hit is found once."""

    def __init__(self, seed: bytes, name: str) -> None:
        self._seed, self._name = seed, name
        self._by_kind: dict[str, list[Site]] = {}
        for one in sites(seed):
            self._by_kind.setdefault(one.kind, []).append(one)

    def mutant(self, number: int) -> tuple[bytes, str]:
        """Its bytes, and what was done to it."""
        chance = random.Random(f"{self._name}#{number}")
        made = bytearray(self._seed)
        if chance.random() < 0.6:
            said = "; ".join(self._aim(chance, made) for _ in range(chance.choice((1, 1, 1, 2, 3))))
        else:
            said = chance.choice(BLIND)(chance, made)
        return bytes(made), said

    def _aim(self, chance: random.Random, made: bytearray) -> str:
        kinds = [kind for kind in WEIGHTS if kind in self._by_kind]
        kind = chance.choices(kinds, [WEIGHTS[one] for one in kinds])[0]
        site = chance.choice(self._by_kind[kind])
        if kind == "data":
            at = site.at + chance.randrange(max(1, site.size))
            at = min(at, len(made) - 1)
            made[at] ^= chance.randrange(1, 256)
            return f"data at {at}"
        before = int.from_bytes(made[site.at : site.at + site.size], "little")
        after = self._number(chance, before, site, made)
        made[site.at : site.at + site.size] = after.to_bytes(site.size, "little")
        return f"{site.kind} {site.path} at {site.at}: {before} -> {after}"

    def _number(self, chance: random.Random, before: int, site: Site, made: bytearray) -> int:
        most = 1 << 8 * site.size
        way = chance.randrange(6)
        if way == 0:
            after = before + chance.choice((-4, -2, -1, 1, 2, 4))
        elif way == 1:
            after = chance.choice(EDGES)
        elif way == 2:
            after = before ^ 1 << chance.randrange(8 * site.size)
        elif way == 3:
            after = chance.randrange(most)
        elif way == 4:  # another number of its kind: an index, a shape, a reference to another table
            other = chance.choice(self._by_kind[site.kind])
            after = int.from_bytes(made[other.at : other.at + min(site.size, other.size)], "little")
        else:
            after = before * chance.choice((2, 16, 1000, 65536))
        return after % most


class Media:
    """Mutants of one video or picture."""

    def __init__(self, seed: bytes, name: str) -> None:
        self._seed, self._name = seed, name

    def mutant(self, number: int) -> tuple[bytes, str]:
        """Its bytes, and what was done to it."""
        chance = random.Random(f"{self._name}#{number}")
        made = bytearray(self._seed)
        ways = (*BLIND, _header, _header, _box)
        said = chance.choice(ways)(chance, made)
        return bytes(made), said


def _bits(chance: random.Random, made: bytearray) -> str:
    count = chance.choice((1, 2, 8, 64))
    for _ in range(count):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return f"{count} bits flipped"


def _bytes(chance: random.Random, made: bytearray) -> str:
    count = chance.choice((1, 4, 32, 256))
    for _ in range(count):
        made[chance.randrange(len(made))] = chance.randrange(256)
    return f"{count} bytes changed"


def _cut(chance: random.Random, made: bytearray) -> str:
    del made[chance.randrange(1, len(made)) :]
    return f"cut off at {len(made)}"


def _block(chance: random.Random, made: bytearray) -> str:
    size = min(len(made) // 2, chance.choice((4, 64, 1024, 16384)))
    at, source = (chance.randrange(len(made) - size) for _ in range(2))
    what = chance.choice(("zeros", "ones", "another block"))
    made[at : at + size] = {"zeros": bytes(size), "ones": b"\xff" * size}.get(what) or made[
        source : source + size
    ]
    return f"{what} of {size} bytes at {at}"


def _gone(chance: random.Random, made: bytearray) -> str:
    size = min(len(made) // 2, chance.choice((1, 3, 4, 64, 1024)))
    at = chance.randrange(len(made) - size)
    del made[at : at + size]
    return f"{size} bytes gone at {at}"


def _grown(chance: random.Random, made: bytearray) -> str:
    at = chance.randrange(len(made))
    more = chance.randbytes(chance.choice((1, 4, 1000)))
    made[at:at] = more
    return f"{len(more)} bytes more at {at}"


def _header(chance: random.Random, made: bytearray) -> str:
    """Containers keep sizes, counts and times in their first kilobytes."""
    count = chance.choice((1, 2, 4))
    for _ in range(count):
        at = chance.randrange(min(len(made), 4096) - 4)
        made[at : at + 4] = struct.pack(">I", chance.choice((*EDGES, chance.randrange(1 << 32))))
    return f"{count} numbers in the first 4 KiB"


#: MP4's boxes with tables of sizes and times, and the markers of JPEG and PNG.
NAMES: Final = (
    b"stsz",
    b"stco",
    b"stts",
    b"ctts",
    b"stsc",
    b"mvhd",
    b"tkhd",
    b"mdhd",
    b"avcC",
    b"stsd",
    b"trak",
)
NAMES_OF_PICTURES: Final = (b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"IHDR", b"IDAT", b"Exif")


def _box(chance: random.Random, made: bytearray) -> str:
    """A number in one of those, wherever it lies."""
    there = [name for name in (*NAMES, *NAMES_OF_PICTURES) if name in made]
    if not there:
        return _header(chance, made)
    name = chance.choice(there)
    at = made.index(name) + len(name) + chance.randrange(-8, 64)
    at = max(0, min(at, len(made) - 4))
    made[at : at + 4] = struct.pack(">I", chance.choice((*EDGES, chance.randrange(1 << 32))))
    return f"a number in {name!r} at {at}"


BLIND: Final[Sequence[Mutate]] = (_bits, _bytes, _cut, _block, _gone, _grown)
