"""Whether a camera can see at all: dark, covered, out of focus, or turned away. What it counts then is not
"nothing", it is not known.

Looked at once a second, on the picture as it came, with statistics that cost a fraction of a millisecond:

- a *sketch*: block means, 24 rows of 32, less the mean of their neighbours. Light that changes everywhere
  alike is not in it, edges are.
- *detail*: how much neighbouring pixels differ, against how much pixels ``FAR`` apart do. A lens out of focus
  takes the first and leaves the second (the idea of no-reference blur metrics: F. Crete et al., SPIE
  Electronic Imaging 2007).

"dark" and "covered" are judged by the picture alone. "blurred" and "moved" are judged against what this
camera has shown so far, as it was learnt in the worker's memory while all was well; a view that stays
another for long is the new one.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.wall import Sight

ROWS, COLUMNS = 24, 32
TILES: Final = 4  # by four: each judged by itself, so that what stands in front of some of them moves nothing
FAR: Final = 8  # pixels
SAMPLED: Final = 75  # rows: more of a large picture tell the same
FAINT: Final = 12.0  # grey levels; of edges that are all weaker nothing can be said
EVERY: Final = 1.0  # seconds
#: 95 % of the blocks are below this grey level at night without light; a street lamp lifts it far above.
DARK: Final = 26.0
#: Grey levels that blocks differ from their surroundings, on average, when something stands before the lens.
PLAIN: Final = 1.3
#: A part of the detail that was learnt: a lens a little out of focus has still more.
BLURRED: Final = 0.5
#: Correlation from which on a tile shows what it has shown, and the share of tiles that must.
ALIKE: Final = 0.4
STILL_THERE: Final = 0.25
#: A tile with less structure than this is no witness: sky, road, wall.
STRUCTURE: Final = 2.0
#: Seconds of one kind of trouble before it counts: a bus, a hand, a blink of the exposure.
PATIENCE: Final[dict[Sight, float]] = {"dark": 5.0, "covered": 5.0, "blurred": 15.0, "moved": 15.0}
RECOVERY: Final = 2.0  # seconds without trouble until it is over
#: Seconds after which a changed view is this camera's view.
ADOPTED: Final[dict[Sight, float]] = {"blurred": 6 * 3600.0, "moved": 3600.0}
MEMORY: Final = 600.0  # seconds in which the view that was learnt follows: the sun moves, the camera does not
DEW: Final = 24 * 3600.0  # seconds, the same for detail that becomes less
FIRST: Final = 10.0  # seconds of learning before anything is compared


class Look(NamedTuple):
    """What one picture shows: the blocks' 95th percentile (grey levels), ``sketch`` float32 [24, 32] and
    ``detail``, NaN when nothing differs.
    """

    light: float
    sketch: NDArray[np.float32]
    detail: float


class Watch:
    """Judges one camera. ``heeded`` are the kinds of trouble that count."""

    def __init__(self, heeded: Collection[str]) -> None:
        self._heeded = frozenset(heeded)
        self._next = -math.inf
        self._known: NDArray[np.float32] | None = None
        self._detail = math.nan
        self._learnt = 0.0
        self._before = -math.inf
        self._suspect: Sight = ""
        self._since = -math.inf
        self._verdict: Sight = ""

    def __call__(self, picture: NDArray[np.uint8], time: float) -> Sight:
        """Why this picture (uint8 [H, W, C]) of ``time`` (seconds) is not to be counted, "" if it is."""
        if not self._heeded or time < self._next:
            return self._verdict
        self._next = time + EVERY
        passed = min(max(time - self._before, 0.0), 60.0) if math.isfinite(self._before) else 0.0
        self._before = time
        look = looked(picture)
        if look is None:
            return self._verdict
        self._judge(self._trouble(look), look, time, passed)
        return self._verdict

    def wipe(self) -> None:
        """Overwrite what was learnt of the view."""
        if self._known is not None:
            self._known.fill(0)

    def _judge(self, trouble: Sight, look: Look, time: float, passed: float) -> None:
        if trouble != self._suspect:
            self._suspect, self._since = trouble, time
        lasted = time - self._since
        if not trouble:
            if lasted >= RECOVERY or not self._verdict:
                self._verdict = ""
                self._learn(look, passed)
            return
        if lasted >= PATIENCE[trouble]:
            self._verdict = trouble
        if lasted >= ADOPTED.get(trouble, math.inf):
            self._known, self._detail, self._learnt = None, math.nan, 0.0

    def _trouble(self, look: Look) -> Sight:
        found: Sight = ""
        if look.light < DARK:
            found = "dark"
        elif float(np.abs(look.sketch).mean()) < PLAIN:
            found = "covered"
        elif self._known is not None and self._learnt >= FIRST:
            found = self._changed(look, self._known)
        return found if found in self._heeded else ""

    def _changed(self, look: Look, known: NDArray[np.float32]) -> Sight:
        """The two are told apart by the sketch: a blurred picture has its large shapes where they were."""
        if not still_there(known, look.sketch):
            return "moved"
        if look.detail < BLURRED * self._detail:
            return "blurred"
        return ""

    def _learn(self, look: Look, passed: float) -> None:
        if self._known is None:
            self._known, self._detail = look.sketch.copy(), look.detail
            return
        if math.isnan(self._detail):
            self._detail = look.detail
        self._learnt += passed
        part = passed / (min(self._learnt, MEMORY) + 1.0)
        self._known += np.float32(min(1.0, part)) * (look.sketch - self._known)
        if not math.isnan(look.detail):
            # Dew comes slowly: what is learnt must not follow it down.
            pace = passed / DEW if look.detail < self._detail else part
            self._detail += min(1.0, pace) * (look.detail - self._detail)


def looked(picture: NDArray[np.uint8]) -> Look | None:
    """The statistics of one picture; None of one that is too small to tell."""
    height, width = picture.shape[:2]
    down, across = height // ROWS, width // COLUMNS
    if not (down and across):
        return None
    grey = picture[..., picture.shape[2] // 2]  # green carries most of the luminance
    whole = grey[: ROWS * down, : COLUMNS * across].reshape(ROWS, down, COLUMNS, across)
    # Rows first: they are added up as they lie in memory, in a third of the time; 257 of them fit 16 bits.
    columns = whole.sum(axis=1, dtype=np.uint16 if down <= 257 else np.uint32)
    blocks = columns.sum(axis=2, dtype=np.uint32).astype(np.float32) / np.float32(down * across)
    light = float(np.partition(blocks.ravel(), int(0.95 * blocks.size))[int(0.95 * blocks.size)])
    return Look(light, blocks - _surroundings(blocks), _detail(grey))


def _surroundings(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the 5 by 5 blocks around each one, those at the edge repeated."""
    padded = np.pad(blocks, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    made: NDArray[np.float32] = windows.mean(axis=(2, 3))
    return made


def _detail(grey: NDArray[np.uint8]) -> float:
    """How steep the steepest edges are: the difference of neighbours over that of pixels ``FAR`` apart, of
    some ``SAMPLED`` rows, each exceeded by one in fifty. Noise is in both, and small beside either.
    """
    rows = grey[:: max(4, len(grey) // SAMPLED)].astype(np.int16)
    if rows.shape[1] <= FAR:
        return math.nan
    far = _steepest(rows[:, FAR:] - rows[:, :-FAR])
    return _steepest(rows[:, 1:] - rows[:, :-1]) / far if far >= FAINT else math.nan


def _steepest(differences: NDArray[np.int16]) -> float:
    flat = np.abs(differences).ravel()
    place = int(0.98 * flat.size)
    return float(np.partition(flat, place)[place])


def still_there(known: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    """Whether enough of the tiles that have a structure show the one that they had."""
    before, after = _tiles(known), _tiles(now)
    strength = np.sqrt((before**2).mean(axis=1))
    witnesses = strength >= STRUCTURE
    if witnesses.sum() < TILES:
        return True  # a fog, a meadow: nothing to hold on to
    products = (before * after).sum(axis=1)
    norms = np.sqrt((before**2).sum(axis=1) * (after**2).sum(axis=1)) + 1e-6
    return bool((products / norms >= ALIKE)[witnesses].mean() >= STILL_THERE)


def _tiles(sketch: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [16, 48]: each tile's blocks, less their mean."""
    parts = sketch.reshape(TILES, ROWS // TILES, TILES, COLUMNS // TILES).transpose(0, 2, 1, 3)
    flat = parts.reshape(TILES * TILES, -1)
    made: NDArray[np.float32] = flat - flat.mean(axis=1, keepdims=True)
    return made
