"""Draws the scripted scene: sprites onto a cached background, then a sensor's noise.

Every grey level drawn is kept ``NOISE`` away from 0 and 255, so noise is one wrapping addition of bytes over
the picture (0.1 ms at 640x480 RGB), with nothing to clip.
"""

from __future__ import annotations

import random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.worker.source.scene import PERSON, Thing

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

NOISE: Final = 40  # grey levels; what is further out of the bell is cut off
#: The noise is longer than a picture by so many values, so that each frame takes another part of it.
SPARE: Final = 1 << 16
CHUNK: Final = 1 << 16  # values worked on at a time when a canvas is made
WALL, ROAD = 0.36, 0.58  # where the wall and the road end, from the top
SPRITES: Final = 96  # kept; a person takes 8 phases of a gait at one size

#: What the parts of a sprite look like: 0 is transparent, 1 and 2 are the thing's own two colours.
SKIN, DARK, GLASS, LIGHT = 3, 4, 5, 6
FIXED: Final = {SKIN: (206, 164, 138), DARK: (44, 44, 48), GLASS: (96, 112, 124), LIGHT: (214, 210, 190)}
#: Clothes and paint, all far from the pavement's grey level (138) and the bright ones from the road's (96)
#: too.
BRIGHT: Final = ((215, 205, 80), (214, 214, 210), (168, 206, 215), (215, 180, 172))
SOMBRE: Final = ((48, 62, 120), (46, 50, 46), (130, 40, 42), (44, 74, 52), (96, 40, 84))
GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601 luma


class Canvas:
    """Draws the things of a moment.

    One picture, drawn over again and again: valid until the next ``drawn``.
    """

    def __init__(self, config: shape.Synthetic, width: int, height: int, channels: int) -> None:
        self._shape = (height, width, channels)
        self._seed = config.seed
        self._background = background(config.seed, height, width, channels)
        self._noise = (
            noise(config.seed, self._background.size + SPARE, config.noise) if config.noise else None
        )
        self._picture = np.empty_like(self._background)
        self._sprites: dict[tuple[str, int, int, int], Pixels] = {}

    def drawn(self, things: list[Thing], number: int) -> Pixels:
        """The picture of ``things`` (farthest first): uint8 [H, W, C]. ``number`` of the frame picks its
        noise.
        """
        np.copyto(self._picture, self._background)
        for thing in things:
            self._draw(thing)
        if self._noise is not None:
            at = number * 40_503 % SPARE  # odd, so that all offsets come by before one repeats
            flat = self._picture.reshape(-1)
            np.add(flat, self._noise[at : at + flat.size], out=flat)
        return self._picture

    def _draw(self, thing: Thing) -> None:
        height, width, _ = self._shape
        top, left, bottom, right = thing.body
        tall, wide = max(2, round((bottom - top) * height)), max(2, round((right - left) * width))
        y, x = round(bottom * height) - tall, round(left * width)
        parts = self._sprite(thing, tall, wide)[max(0, -y) : height - y, max(0, -x) : max(0, width - x)]
        y, x = max(0, y), max(0, x)
        region = self._picture[y : y + parts.shape[0], x : x + parts.shape[1]]
        np.copyto(region, self._palette(thing)[parts], where=(parts != 0)[..., None])

    def _sprite(self, thing: Thing, tall: int, wide: int) -> Pixels:
        """The parts [tall, wide] of a thing, mirrored by a person's other step."""
        phase = int(thing.stride * 10) % 8 if thing.kind == PERSON and thing.moving else 0
        key = (thing.kind, phase, tall, wide)
        parts = self._sprites.get(key)
        if parts is None:
            if len(self._sprites) >= SPRITES:
                self._sprites.clear()
            draw = person if thing.kind == PERSON else car
            parts = self._sprites[key] = draw(tall, wide, phase)
        return parts

    def _palette(self, thing: Thing) -> Pixels:
        """Colours [7, C] of a thing's parts; each visit has its own."""
        dice = random.Random(f"{self._seed} paint {thing.kind} {thing.number}")
        paints = BRIGHT + SOMBRE if thing.kind == PERSON else BRIGHT
        colours = [(0, 0, 0), *dice.sample(paints, 2), *(FIXED[part] for part in sorted(FIXED))]
        return coloured(np.array(colours, np.float32), self._shape[2])


def coloured(rgb: Floats, channels: int) -> Pixels:
    """float32 [..., 3] as uint8 [..., channels], kept off the ends by ``NOISE``."""
    levels = rgb if channels == 3 else (rgb @ GREY)[..., None]
    return np.asarray(np.clip(levels, NOISE, 255 - NOISE), np.uint8)


def noise(seed: int, size: int, sigma: float) -> Pixels:
    """Bytes [size] of normal noise of ``sigma`` grey levels, in two's complement: adding them wraps to the
    right level.
    """
    dice = random.Random(f"{seed} noise")
    bell = [max(-NOISE, min(NOISE, round(dice.gauss(0.0, sigma)))) % 256 for _ in range(4096)]
    table, made = np.array(bell, np.uint8), np.empty(size, np.uint8)
    for at in range(0, size, CHUNK):
        part = made[at : at + CHUNK]
        part[:] = table[np.frombuffer(dice.randbytes(2 * part.size), np.uint16) & 4095]
    return made


def cloud(dice: random.Random, width: int, cells: int) -> Floats:
    """Columns [cells + 1, width] of a smooth random field in -1..1 with about ``cells`` bumps along each
    side.
    """
    knots = np.frombuffer(dice.randbytes((cells + 1) ** 2), np.uint8).reshape(cells + 1, cells + 1)
    along = np.linspace(0, cells, width, dtype=np.float32)
    rows = np.stack([np.interp(along, np.arange(cells + 1), row) for row in knots])
    return np.asarray(rows / 127.5 - 1.0, np.float32)


def height_of(cloud: Floats, v: Floats) -> Floats:
    """The field of ``cloud`` in the rows at ``v`` [N, 1] in 0..1: [N, width]."""
    cells = len(cloud) - 1
    down = v[:, 0] * cells
    at = np.minimum(down.astype(np.intp), cells - 1)
    share = (down - at)[:, None]
    return np.asarray(cloud[at] * (1 - share) + cloud[at + 1] * share, np.float32)


def background(seed: int, height: int, width: int, channels: int) -> Pixels:
    """The empty scene: a brick wall with windows, a road, a pavement of slabs; uint8 [height, width,
    channels].

    In bands of rows: what is freed in one large piece, malloc keeps for the process.
    """
    dice = random.Random(f"{seed} background")
    coarse, fine = cloud(dice, width, 6), cloud(dice, width, 48)
    made = np.empty((height, width, channels), np.uint8)
    rows = max(1, CHUNK // (4 * width))
    for top in range(0, height, rows):
        v = np.asarray((np.arange(top, min(height, top + rows)) + 0.5) / height, np.float32)[:, None]
        level: Floats = street(v, width) + 9 * height_of(coarse, v) + 7 * height_of(fine, v)
        tint = np.where(v < WALL, (1.06, 0.97, 0.92), np.where(v < ROAD, (0.98, 1.0, 1.04), (1.0, 1.0, 1.0)))
        made[top : top + rows] = coloured(np.asarray(level[..., None] * tint[:, None], np.float32), channels)
    return made


def street(v: Floats, width: int) -> Floats:
    """Grey levels [N, width] of the rows at ``v`` [N, 1] in 0..1."""
    u = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
    wall, road, pavement = v < WALL, (v >= WALL) & (v < ROAD), v >= ROAD
    level = np.where(wall, 150.0, np.where(road, 96.0, 138.0)) + 0.0 * u
    course = (v * 40).astype(np.int32)
    joint = ((v * 40) % 1 < 0.2) | ((u * 24 + 0.5 * (course % 2)) % 1 < 0.1)
    level -= 22.0 * (wall & joint)
    level -= 52.0 * (wall & (abs((u * 4) % 1 - 0.5) < 0.22) & (abs(v - 0.17) < 0.09))
    level += 70.0 * (road & (abs(v - 0.47) < 0.008) & ((u * 8) % 1 < 0.5))
    slab = ((v - ROAD) * 14) % 1 < 0.09
    seam = ((u - 0.5) / (v + 0.15) * 6) % 1 < 0.06  # runs towards a vanishing point
    level -= 20.0 * (pavement & (slab | seam))
    return np.asarray(level, np.float32)


def person(tall: int, wide: int, phase: int) -> Pixels:
    """The parts [tall, wide] of someone upright; ``phase`` 0..7 of the gait, 0 stands."""
    v = ((np.arange(tall, dtype=np.float32) + 0.5) / tall)[:, None]
    u = (((np.arange(wide, dtype=np.float32) + 0.5) / wide - 0.5) * 0.3)[None, :]  # in body heights
    swing = 0.0 if phase == 0 else 0.085 * float(np.sin(2 * np.pi * phase / 8 + 0.2))
    parts = np.zeros((tall, wide), np.uint8)
    reach = np.clip((v - 0.5) / 0.5, 0, 1)  # down a leg
    for side in (-1, 1):
        hip, way = 0.035 * side * (phase == 0) + 0.02 * side, swing * side
        leg = (v >= 0.5) & (abs(u - hip - way * reach) < 0.036)
        parts[leg] = 2
        parts[leg & (v > 0.955)] = DARK
        arm = (
            (v > 0.19)
            & (v < 0.52)
            & (abs(u - 0.088 * side + way * 1.2 * np.clip((v - 0.19) / 0.33, 0, 1)) < 0.022)
        )
        parts[arm] = 1
        parts[arm & (v > 0.475)] = SKIN
    parts[(v >= 0.165) & (v < 0.53) & (abs(u) < 0.082 - 0.05 * abs(v - 0.2))] = 1
    head = (u / 0.055) ** 2 + ((v - 0.085) / 0.082) ** 2
    parts[head < 1] = SKIN
    parts[(head < 1) & (v < 0.06)] = DARK
    return parts


def car(tall: int, wide: int, phase: int) -> Pixels:
    """The parts [tall, wide] of a car from the side; it has no gait."""
    del phase
    v = ((np.arange(tall, dtype=np.float32) + 0.5) / tall)[:, None]
    u = ((np.arange(wide, dtype=np.float32) + 0.5) / wide)[None, :]
    parts = np.zeros((tall, wide), np.uint8)
    cabin = (v < 0.5) & (abs(u - 0.5) < 0.2 + 0.22 * v)
    parts[cabin] = 1
    parts[cabin & (v > 0.08) & (v < 0.44) & (abs(u - 0.5) > 0.015) & (abs(u - 0.5) < 0.15 + 0.2 * v)] = GLASS
    parts[(v >= 0.42) & (v < 0.84) & (abs(u - 0.5) < 0.49)] = 1
    parts[(v > 0.74) & (v < 0.84) & (abs(u - 0.5) < 0.49)] = 2
    parts[(v > 0.5) & (v < 0.62) & (abs(u - 0.5) > 0.455) & (abs(u - 0.5) < 0.49)] = LIGHT
    for hub in (0.22, 0.78):
        wheel = ((u - hub) * wide / tall) ** 2 + (v - 0.8) ** 2
        parts[wheel < 0.04] = DARK
        parts[wheel < 0.008] = LIGHT
    return parts
