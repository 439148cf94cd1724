"""The bundled model `activity`: movement now, and presence of what differs from the learned empty scene.

`python -m edged.models.activity [OUT]` writes the `.tflite` file; the same source gives the same bytes.
Nothing is trained and nobody is recognised: the graph is a background model, written out as tensors.

One frame, in the order of the code below (docs/activity.md explains each step and its limits):

1. `_light`: the grey picture becomes log brightness, where a change of exposure is an offset.
2. `_illumination`: what a change of exposure, contrast and smooth light explains of the difference.
3. `_evidence`: how far what remains exceeds the noise learned at that place.
4. `_presence`, `_movement`: evidence needs area; the results per cell of a 12 x 12 grid.
5. `_patience`: how long a standing thing may count before it belongs to the scene; ghosts go at once.
6. `_learn`: the next state.

Planes are [48, 48], cells [12, 12]; every time constant is in seconds and every rate is made from the
`elapsed` seconds, so the model behaves alike at 1 and at 30 frames a second.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edged.models.graph import Graph, Tensor

Matrix = npt.NDArray[np.float32]

PICTURE = 96  # pixels, each side of the input
SIDE = 48  # pixels, each side of a plane: halves the noise of a pixel and forgives aliased subsampling
CELLS = 12  # cells, each side of the output grid

# -- light (log brightness: 0.1 is about 10 %) --------------------------------------------------------
DARK = 12.0  # grey levels added before the logarithm: below it a camera shows mostly its own noise
CLIPPED = 235.0  # grey level from which the true brightness is unknown
MODE_WIDTH = 0.12  # blocks this close support each other when the scene votes on its change of exposure
AGREE = 0.30  # blocks this close to the vote take part in the fit of contrast
SMOOTH_LIGHT = 0.25  # blocks this close to the fit take part in the field of slow, local light
CONTRAST_LIMIT = 0.4  # largest change of contrast (tone curve) that is believed

# -- evidence -------------------------------------------------------------------------------------------
FLOOR_TEXTURE = 0.025  # log brightness; texture that differs by less is compression or subsampling
FLOOR_LEVEL = 0.30  # a smooth difference must exceed the depth of ordinary soft shadows
TEXTURE_LIMIT = 6.0  # variances; 9 samples of pure noise stay below it with p > 0.9999
SURE = (0.7, 1.3)  # of a limit: from nothing to certainty
DOUBTFUL = (0.3, 0.7)
STRAY = 0.8  # of learning given up where a pixel differs and no cell is occupied
TEXTURED = 0.04  # RMS texture of a background that can tell a shadow (keeps it) from a thing (hides it)
FIRST_SPREAD = 0.03  # noise assumed before any was seen
NEARBY = 0.9  # of learning given up around an occupied cell
SPREAD_CAP = 0.12  # most noise that may be learned while something is present
BEHIND = 0.95  # share of that learning given up while something is present
SPREAD_GROWTH = 12.0  # one frame counts for at most so many times the noise learned so far

# -- area -------------------------------------------------------------------------------------------------
ON, OFF = 0.28, 0.25  # share of 2 x 2 cells that must differ for a cell to become, and stay, occupied
MARGIN = 12.0  # pixels of a plane; nearer to the border evidence counts less: a leg on its way out, a shadow
MOVING = 0.25  # share of 2 x 2 cells that must move
FLOOR_MOVEMENT = 0.04  # log brightness, as FLOOR_TEXTURE, between a picture and the recent ones
FLOOR_MOVEMENT_LEVEL = 0.25
MICRO = (4.0, 8.0)  # variances of a texture that stirs: breath and sway move edges by a tenth of a pixel
FLOOR_MICRO = 0.012

# -- time (seconds) -----------------------------------------------------------------------------------------
LONGEST_STEP = 60.0  # a longer pause between frames counts as this
FIRST_STEP = 1e-3  # weight of the first frame, which has no duration
LEARN = 4.0  # of stillness until a place is trusted
YOUNG = (15.0, 20.0)  # movement restarts learning only while the model is this young
KNOWN = (1.0, 2.0)  # of learning before anything can be present
MEMORY = 25.0  # time constant of the background where nothing is present
NOISE_MEMORY = 30.0
RECENT = 0.3  # movement is against the picture this long ago
LATELY = 2.0  # micro-movement is against the picture this long ago
LIVELY = 20.0  # how long one micro-movement tells a living being from a thing
PATIENCE = 600.0  # a thing with no movement at all belongs to the scene after this
LIVING = 0.1  # speed at which patience runs out where there is micro-movement: 100 minutes
GHOST = 4.0  # patience with what is plainly a hole in the background
DOUBT = 30.0  # patience with what may be one, and never stirs
ABSORB = 1.0  # time constant of becoming the scene, once patience is over
FORGET = 2.0  # patience is restored this fast where nothing is present
UPSET = 2.0  # of a picture that differs nearly everywhere (camera moved, lamp off) before learning anew

# -- ghosts (share of edge energy, -1: all in the picture, 1: all in the background) ----------------------
GHOST_EDGES = (0.06, 0.10)
DOUBT_EDGES = (-0.01, 0.05)
SCENE_EDGES = (0.10, 0.15)  # a moved camera changes edges everywhere, with no preference
SCENE_AREA = (0.20, 0.32)  # share of occupied cells from which that is asked
EVERYWHERE = (0.65, 0.75)  # share of differing pixels from which it is not even asked


# -- filters as matrices ------------------------------------------------------------------------------------
def _box(size: int, side: int = SIDE) -> Matrix:
    """The mean of `size` neighbours; at a border of those that exist."""
    near = np.abs(np.subtract.outer(np.arange(side), np.arange(side))) <= size // 2
    return np.asarray(near / near.sum(1, keepdims=True), np.float32)


def _windows(size: int) -> Matrix:
    """[CELLS, SIDE]: the mean of the `size` pixels around each cell's centre."""
    step = SIDE // CELLS
    centre = np.arange(CELLS)[:, None] * step + (step - 1) / 2
    near = np.abs(centre - np.arange(SIDE)) <= size / 2
    return np.asarray(near / near.sum(1, keepdims=True), np.float32)


def _enlarge() -> Matrix:
    """[SIDE, CELLS]: linear interpolation between the centres of cells."""
    place = (np.arange(SIDE) + 0.5) * CELLS / SIDE - 0.5
    near = 1 - np.abs(np.clip(place, 0, CELLS - 1)[:, None] - np.arange(CELLS))
    return np.asarray(np.maximum(near, 0), np.float32)


def _slope() -> Matrix:
    """The central difference; zero at the borders."""
    made = (np.eye(SIDE, k=1) - np.eye(SIDE, k=-1)) / 2
    made[[0, -1]] = 0
    return np.asarray(made, np.float32)


def _margin() -> Matrix:
    """[SIDE, 1]: the weight of evidence by its distance from the border."""
    distance = np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) + 0.5
    return np.asarray(np.clip(distance / MARGIN, 0, 1)[:, None], np.float32)


BOX3, BOX5, BOX7 = _box(3), _box(5), _box(7)
CELL, OVERLAP, ENLARGE = _windows(4), _windows(8), _enlarge()
AROUND5, AROUND7 = _box(5, CELLS), _box(7, CELLS)


@dataclass(frozen=True)
class State:
    """What the model remembers: inputs `state/NAME`; all zeros is "nothing learned"."""

    background: Tensor  # log brightness of the empty scene
    spread: Tensor  # variance of its texture
    seen: Tensor  # seconds for which a place was learned, up to MEMORY
    recent: Tensor  # log brightness RECENT ago
    lately: Tensor  # log brightness LATELY ago
    occupied: Tensor  # cells: presence of the last frame
    held: Tensor  # cells: patience used up, in seconds
    lively: Tensor  # cells: 1 at a micro-movement, fading
    age: Tensor  # seconds since learning began
    upset: Tensor  # seconds for which the whole picture has differed


#: Of the fields of `State`, in the order of the file's inputs.
SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("background", "spread", "seen", "recent", "lately"), (SIDE, SIDE)),
    **dict.fromkeys(("occupied", "held", "lively"), (CELLS, CELLS)),
    **dict.fromkeys(("age", "upset"), (1,)),
}


@dataclass(frozen=True)
class Evidence:
    """What differs from the background, in one frame."""

    light: Tensor
    explained: Tensor  # the part of light - background that exposure and slow light explain
    residual: Tensor  # the part that they do not
    texture: Tensor  # its fine structure, squared
    different: Tensor  # 0..1 per pixel
    doubtful: Tensor  # 0..1 per pixel, from half the evidence: enough to learn with care


@dataclass(frozen=True)
class Motion:
    """What differs from the recent pictures, in one frame."""

    texture: Tensor  # fine structure of the difference, squared
    moving: Tensor  # 0..1 per pixel
    cells: Tensor  # the output
    micro: Tensor  # cells: a texture that stirs, now
    lively: Tensor  # cells: the next `lively`


class Activity:
    """The model under construction. `build` is the reading order."""

    def __init__(self) -> None:
        self.graph = Graph("edged activity: movement and presence per cell, from a learned background")
        self.picture = self.graph.input("picture", (1, PICTURE, PICTURE, 1), "UINT8")
        self.step = self._clamp(self.graph.input("elapsed", (1,)), 0, LONGEST_STEP)
        self.state = State(
            **{name: self.graph.input(f"state/{name}", shape) for name, shape in SHAPES.items()}
        )
        self.first = self._positive(1 - self.state.age / FIRST_STEP)

    def build(self) -> bytes:
        """The file's bytes."""
        light = self._light()
        evidence = self._evidence(light, self._illumination(light))
        presence = self._presence(evidence.different)
        motion = self._motion(light)
        occupied = self._ramp(presence, (0.45, 0.5))
        self.graph.output("movement", self._grid(motion.cells))
        self.graph.output("presence", self._grid(presence))
        self._next(light, evidence, motion, occupied)
        return self.graph.pack()

    # -- arithmetic ---------------------------------------------------------------------------------
    def _clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        return self.graph.minimum(self.graph.maximum(x, low), high)

    def _positive(self, x: Tensor) -> Tensor:
        return self.graph.maximum(x, 0.0)

    def _size(self, x: Tensor) -> Tensor:
        return self.graph.maximum(x, 0 - x)

    def _ramp(self, x: Tensor, between: tuple[float, float]) -> Tensor:
        """0 below, 1 above, straight between: every decision of the model is one of these."""
        low, high = between
        return self._clamp((x - low) / (high - low), 0, 1)

    def _rate(self, seconds: float) -> Tensor:
        """The share by which a first-order filter with this time constant moves in this frame."""
        return 1 - self.graph.exp(self.step * (-1 / seconds))

    def _fine(self, x: Tensor) -> Tensor:
        """What remains of a plane without its local mean: light that varies slowly in space is gone."""
        return x - self.graph.separable(x, BOX5)

    def _energy(self, x: Tensor) -> Tensor:
        return self.graph.separable(x * x, BOX3)

    def _cells(self, x: Tensor) -> Tensor:
        return self.graph.separable(x, CELL)

    def _pixels(self, x: Tensor) -> Tensor:
        return self.graph.separable(x, ENLARGE)

    def _grid(self, x: Tensor) -> Tensor:
        return self.graph.reshape(x, (1, CELLS, CELLS, 1))

    # -- light --------------------------------------------------------------------------------------
    def _light(self) -> Tensor:
        halved = self.graph.average(self.graph.float(self.picture), PICTURE // SIDE)
        return self.graph.log(self.graph.reshape(halved, (SIDE, SIDE)) + DARK)

    def _vote(self, blocks: Tensor) -> Tensor:
        """The mode of a difference over the scene: every block votes for the values near its own.

        A mean would follow whoever steps in front of the camera; the mode does so only when they fill
        most of the picture.
        """
        count = CELLS * CELLS
        apart = self.graph.reshape(blocks, (count, 1)) - self.graph.reshape(blocks, (1, count))
        near = apart / MODE_WIDTH
        votes = self.graph.mean(self._positive(1 - near * near), (1,))
        weight = votes * votes
        weight = weight * weight
        weight = weight * weight + 1e-9
        every = self.graph.reshape(blocks, (count, 1))
        mode = self.graph.mean(weight * every) / self.graph.mean(weight)
        return self.graph.reshape(mode, (1,))

    def _illumination(self, light: Tensor) -> Tensor:
        """The part of light - background that is exposure, tone curve and smooth light.

        Three fits, each on the blocks that agree with the one before: an offset, a slope on the
        background's brightness, and a field that is smooth over five cells.
        """
        g, background = self.graph, self.state.background
        change, level = self._cells(light - background), self._cells(background)
        near = (change - self._vote(change)) / AGREE
        weight = self._positive(1 - near * near) + 1e-4
        total = g.mean(weight)
        middle, offset = g.mean(weight * level) / total, g.mean(weight * change) / total
        centred = level - middle
        slope = g.mean(weight * centred * (change - offset)) / (g.mean(weight * centred * centred) + 0.02)
        slope = self._clamp(slope, -CONTRAST_LIMIT, CONTRAST_LIMIT)
        rest = change - offset - slope * centred
        near = rest / SMOOTH_LIGHT
        weight = self._positive(1 - near * near)
        field = g.separable(weight * rest, AROUND5) / (g.separable(weight, AROUND5) + 0.1)
        self.offset = offset
        return offset + slope * (background - middle) + self._pixels(field)

    # -- evidence -----------------------------------------------------------------------------------
    def _shadow(self, texture: Tensor) -> Tensor:
        """1 where the background has texture and the picture still shows it: light changed, nothing came."""
        g = self.graph
        fine = self._fine(self.state.background)
        there = g.separable(fine * fine, BOX5)
        lost = g.separable(texture, BOX5) / (there + 1e-6)
        noise = g.separable(self.state.spread, BOX5) * 4 + TEXTURED**2
        return self._ramp(there / noise, (0.5, 1.5)) * (1 - self._ramp(lost, (0.2, 0.5)))

    def _evidence(self, light: Tensor, explained: Tensor) -> Evidence:
        g, state = self.graph, self.state
        white = math.log(255 + DARK)
        residual = light - g.minimum(state.background + explained, white)
        unsure = self._ramp(state.background, (math.log(CLIPPED + DARK), white))
        unsure = unsure * g.minimum(self._size(self.offset), 0.5)
        fine = self._fine(residual)
        texture = fine * fine
        noise = g.separable(state.spread, BOX3)
        floor = unsure * 0.3 + FLOOR_TEXTURE
        by_texture = g.separable(texture, BOX3) / (noise + floor * floor) / TEXTURE_LIMIT
        level, floor = g.separable(residual, BOX3), unsure + FLOOR_LEVEL
        by_level = level * level / (floor * floor + 4 * state.spread) * (1 - self._shadow(texture))
        exceeds, known = g.maximum(by_texture, by_level), self._ramp(state.seen, KNOWN)
        different, doubtful = self._ramp(exceeds, SURE) * known, self._ramp(exceeds, DOUBTFUL) * known
        return Evidence(light, explained, residual, texture, different, doubtful)

    # -- area ---------------------------------------------------------------------------------------
    def _presence(self, different: Tensor) -> Tensor:
        """Cells: 0.5 where enough of the neighbourhood differs.

        A region must begin away from the border (MARGIN); from there it extends to border cells.
        """
        g = self.graph
        needed = ON - (ON - OFF) * self.state.occupied

        def score(x: Tensor) -> Tensor:
            return self._clamp((g.separable(x, OVERLAP) - needed) * 2.5 + 0.5, 0, 1)

        seed = score(different * g.constant(_margin()) * g.constant(_margin().T))
        return g.maximum(seed, g.minimum(score(different), g.largest(seed, 5)))

    def _against(self, light: Tensor, past: Tensor) -> Tensor:
        """light - past without the change of exposure; zero on the first frame."""
        change = (light - past) * (1 - self.first)
        return change - self._vote(self._cells(change))

    def _motion(self, light: Tensor) -> Motion:
        g, state = self.graph, self.state
        change = self._against(light, state.recent)
        fine = self._fine(change)
        noise = g.separable(state.spread, BOX3) * 2
        by_texture = self._energy(fine) / (noise + FLOOR_MOVEMENT**2) / TEXTURE_LIMIT
        level = g.separable(change, BOX3) / FLOOR_MOVEMENT_LEVEL
        moving = self._ramp(g.maximum(by_texture, level * level), SURE)
        cells = self._clamp((g.separable(moving, OVERLAP) - MOVING) * 2.5 + 0.5, 0, 1)
        stir = self._energy(self._fine(self._against(light, state.lately))) / (noise + FLOOR_MICRO**2)
        micro = self._ramp(self._cells(self._ramp(stir, MICRO)), (0.05, 0.15))
        lively = g.maximum(micro, state.lively * (1 - self._rate(LIVELY)))
        return Motion(fine * fine, moving, cells, micro, lively)

    # -- patience -----------------------------------------------------------------------------------
    def _edges(self, different: Tensor, light: Tensor) -> Tensor:
        """Cells: the strength of edges in `light` across the outline of what differs."""
        g, along = self.graph, _slope()
        outline, smooth = g.separable(different, BOX7), g.separable(light, BOX3)
        down = g.down(outline, along) * g.down(smooth, along)
        right = g.dense(outline, along) * g.dense(smooth, along)
        return g.separable(self._cells(g.sqrt(self._size(down + right))), AROUND7)

    def _patience(self, evidence: Evidence, occupied: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
        """Cells: patience used up; and how far the whole scene has changed, 0..1.

        Whoever came in brought edges; whoever left a background that had learned them took edges away.
        """
        g, state = self.graph, self.state
        came = self._edges(evidence.different, evidence.light)
        gone = self._edges(evidence.different, state.background + evidence.explained)
        balance = (gone - came) / (gone + came + 1e-6)
        alive = self._ramp(g.largest(motion.lively, 5), (0.4, 0.6))
        large = self._ramp(g.mean(occupied), SCENE_AREA)  # perhaps another scene: `_changed` is asked first
        ghost = self._ramp(balance, GHOST_EDGES) * (1 - 0.8 * motion.micro) * (1 - 0.7 * large)
        doubt = self._ramp(balance, DOUBT_EDGES) * (1 - alive)
        speed = 1 - (1 - LIVING) * alive + ghost * (PATIENCE / GHOST) + doubt * (PATIENCE / DOUBT)
        held = (state.held + self.step * speed * occupied) * (1 - (1 - occupied) * self._rate(FORGET))
        return g.minimum(held, PATIENCE * 1.1), self._changed(evidence, occupied, came, gone, motion.micro)

    def _changed(
        self, evidence: Evidence, occupied: Tensor, came: Tensor, gone: Tensor, micro: Tensor
    ) -> Tensor:
        """1 where the whole picture is another: much of it differs, and edges came and went alike."""
        g = self.graph
        before, after, area = g.mean(occupied * gone), g.mean(occupied * came), g.mean(occupied)
        balance = self._size((before - after) / (before + after + 1e-6))
        living = self._ramp(g.mean(occupied * micro) / (area + 1e-3), (0.05, 0.15))
        scene = self._ramp(area, SCENE_AREA) * (1 - self._ramp(balance, SCENE_EDGES)) * (1 - living)
        whole = g.maximum(self._ramp(g.mean(evidence.different), EVERYWHERE), scene)
        return g.reshape(whole, (1,))

    # -- state --------------------------------------------------------------------------------------
    def _next(self, light: Tensor, evidence: Evidence, motion: Motion, occupied: Tensor) -> None:
        g, state = self.graph, self.state
        held, changed = self._patience(evidence, occupied, motion)
        upset = (state.upset + self.step * changed) * (1 - self._rate(5.0) * (1 - changed))
        keep = 1 - self._ramp(upset, (UPSET, UPSET + 1e-3))
        values = self._learn(evidence, motion, occupied, held, keep) | {
            "recent": state.recent + g.maximum(self._rate(RECENT), self.first) * (light - state.recent),
            "lately": state.lately + g.maximum(self._rate(LATELY), self.first) * (light - state.lately),
            "occupied": occupied,
            "held": held,
            "lively": motion.lively,
            "age": g.minimum((state.age + self.step) * keep + FIRST_STEP, 1e4),
            "upset": upset * keep,
        }
        for name, value in values.items():
            g.output(f"next/{name}", value)

    def _learn(
        self, evidence: Evidence, motion: Motion, occupied: Tensor, held: Tensor, keep: Tensor
    ) -> dict[str, Tensor]:
        """The next background, spread and seen.

        Light is followed everywhere, so that a place behind somebody keeps up with the day; the rest is
        learned only where nothing is present.
        """
        g, state, step = self.graph, self.state, self.step + FIRST_STEP
        mature = self._ramp(state.seen, (LEARN - 1, LEARN))
        around = self._clamp(g.separable(evidence.doubtful, BOX3) * 3, 0, 1)
        near = self._pixels(g.largest(occupied, 3))
        covered = self._pixels(occupied)
        frozen = g.maximum(g.maximum(around * (STRAY + (1 - STRAY) * near), NEARBY * near), covered) * mature
        rate = step / (state.seen + step)
        absorb = self._rate(ABSORB) * self._pixels(self._ramp(held, (PATIENCE * 0.99, PATIENCE)))
        learned = g.maximum(rate * (1 - frozen), absorb)
        background = state.background + rate * evidence.explained + learned * evidence.residual
        restless = motion.moving * (1 - mature) * (1 - self._ramp(state.age, YOUNG))
        seen = g.minimum((state.seen + step) * (1 - restless) * keep, MEMORY)
        return {"background": background, "spread": self._spread(evidence, motion, covered), "seen": seen}

    def _spread(self, evidence: Evidence, motion: Motion, covered: Tensor) -> Tensor:
        """The next variance: against the background where it shows, else only what plainly moves (a tree)."""
        g, state = self.graph, self.state
        behind = g.maximum(evidence.different, covered)
        moved = g.minimum(motion.texture * 0.5, SPREAD_CAP**2)
        flicker = state.spread + motion.moving * (moved - state.spread)
        sample = evidence.texture + behind * (flicker - evidence.texture)
        sample = g.minimum(sample, SPREAD_GROWTH * state.spread + 1e-5)
        rate = self.step / (state.seen * (NOISE_MEMORY / MEMORY) + (self.step + 2.0)) * (1 - BEHIND * behind)
        return state.spread + self.first * FIRST_SPREAD**2 + rate * (sample - state.spread)


def build() -> bytes:
    """The model file's bytes."""
    return Activity().build()


def main(arguments: list[str]) -> int:
    """Write the model to the path given, or beside this file."""
    out = Path(arguments[0]) if arguments else Path(__file__).with_suffix(".tflite")
    out.write_bytes(build())
    print(f"{out}: {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
