"""The outline of what a source sees, for its owner to draw zones on: ``python -m edged.worker.outline``, a
question in MessagePack on its input, the answer in JSON on its output.

A process of its own that makes one sketch and ends: it opens the source as the pipeline's worker would,
locks itself like one, looks for a few seconds and says which of at most 160 x 160 cells an edge runs through.
That is all that leaves it. What moves is left out: a cell is dark or bright as it was most of the time. What
a sketch tells of people is in docs/security.md.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edged import wall
from edged.config import shape
from edged.errors import EdgedError, EndOfSource, RefusedError, UnavailableError, fault

#: Cells of the longer side: a line of 80 characters of braille, and no face unless it fills the picture.
SIDE: Final = 160
#: The share of cells that may be edges: a bound on what a sketch can tell.
MOST: Final = 0.1
#: Grey levels per cell that an edge has at least: what sensors make of darkness stays below.
LEAST: Final = 6.0
#: Pictures of which each cell's middle brightness is taken.
FRAMES: Final = 9
LARGEST: Final = 8192  # pixels a side; no video is larger
FIRST_FRAME: Final = 20.0  # seconds that a camera may take to start

Grey = NDArray[np.floating[Any]]
Sketch = NDArray[np.bool_]


class Question(msgspec.Struct):
    """Which pipeline, its models as the worker gets them, and for how many ``seconds`` to look."""

    name: str
    pipeline: shape.Pipeline
    models: tuple[shape.Model, ...]
    seconds: float = 3.0


class Answer(msgspec.Struct):
    """``bits``: the cells row by row, eight to a byte, the first one highest, in hexadecimal. Or why not.
    ``lacking`` is what this kernel lacks of the sandbox, as a worker tells it.
    """

    columns: int = 0
    rows: int = 0
    bits: str = ""
    refused: str = ""
    hint: str = ""
    exit_code: int = 0
    lacking: tuple[str, ...] = ()


def shrunk(picture: NDArray[np.uint8], side: int = SIDE) -> Grey:
    """uint8 [H, W, C] -> float32 [rows, columns, C], each the mean of its part of the picture."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    rows, columns = max(4, round(height * scale)), max(4, round(width * scale))
    down, across = _edges(height, rows), _edges(width, columns)
    # Colour by colour: a whole picture in floats is four times as large as it is.
    parts = [_means(picture[..., one].astype(np.float32), down, across) for one in range(picture.shape[2])]
    return np.stack(parts, axis=2)


def _means(picture: Grey, down: NDArray[np.intp], across: NDArray[np.intp]) -> Grey:
    sums = np.add.reduceat(np.add.reduceat(picture, down[:-1], axis=0), across[:-1], axis=1)
    made: Grey = sums / np.outer(np.diff(down), np.diff(across)).astype(np.float32)
    return made


def _edges(size: int, parts: int) -> NDArray[np.intp]:
    """Where each part begins, and the end; a picture smaller than its sketch has as many parts as pixels."""
    return np.linspace(0, size, min(parts, size) + 1).round().astype(np.intp)


def sketch(picture: Grey) -> Sketch:
    """Where edges run in [rows, columns, colours]: Sobel's gradient in the colour in which it is steepest,
    thinned to its ridges, the strongest ``MOST`` of all cells, and none without a neighbour (I. Sobel, G.
    Feldman, 1968; J. Canny, "A computational approach to edge detection", 1986).
    """
    p = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:] - p[:-2, :-2] - 2 * p[1:-1, :-2] - p[2:, :-2]) / 8
    down = (p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:] - p[:-2, :-2] - 2 * p[:-2, 1:-1] - p[:-2, 2:]) / 8
    strengths = np.hypot(across, down)
    steepest = strengths.argmax(axis=2)[..., None]
    strength, across, down = (
        np.take_along_axis(one, steepest, 2)[..., 0] for one in (strengths, across, down)
    )
    strength[~_ridges(strength, across, down)] = 0.0
    kept = int(strength.size * MOST)
    least = max(LEAST, float(np.partition(strength, -kept, axis=None)[-kept]))
    found: Sketch = strength >= least
    found = _cut(found, strength, kept)
    return found & (_neighbours(found) > 0)


def _ridges(strength: Grey, across: Grey, down: Grey) -> Sketch:
    """Cells that are no weaker than the two beside them in the direction of the gradient."""
    p = np.pad(strength, 1)
    flat, steep = np.abs(across) >= 2 * np.abs(down), np.abs(down) >= 2 * np.abs(across)
    falling = across * down > 0
    middle = np.s_[1:-1]
    pairs = (
        (flat, p[middle, :-2], p[middle, 2:]),
        (steep, p[:-2, middle], p[2:, middle]),
        (~flat & ~steep & falling, p[:-2, :-2], p[2:, 2:]),
        (~flat & ~steep & ~falling, p[:-2, 2:], p[2:, :-2]),
    )
    found: Sketch = np.zeros(strength.shape, np.bool_)
    for of, before, after in pairs:
        found |= of & (strength >= before) & (strength > after)
    return found


def _cut(found: Sketch, strength: Grey, most: int) -> Sketch:
    """No more than ``most`` of them, whatever is equally strong."""
    if np.count_nonzero(found) <= most:
        return found
    order = np.argsort(-strength, axis=None, kind="stable")[:most]
    left = np.zeros(found.size, np.bool_)
    left[order] = True
    return found & left.reshape(found.shape)


def _neighbours(found: Sketch) -> NDArray[np.int_]:
    p = np.pad(found, 1).astype(np.int_)
    rows = p[:-2] + p[1:-1] + p[2:]
    made: NDArray[np.int_] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] - p[1:-1, 1:-1]
    return made


def packed(found: Sketch) -> Answer:
    """As it is told."""
    return Answer(found.shape[1], found.shape[0], np.packbits(found).tobytes().hex())


# --- looking


def answer(question: Question, answers: int) -> Answer:
    """The outline, or why there is none."""
    try:
        seen, lacking = _looked(question, answers)
        return msgspec.structs.replace(packed(seen), lacking=lacking)
    except EdgedError as error:
        return Answer(refused=error.message, hint=error.hint, exit_code=error.exit_code)
    except Exception as error:
        found = fault(error, "the outline")
        return Answer(refused=found.message, hint=found.hint, exit_code=found.exit_code)


def _looked(question: Question, answers: int) -> tuple[Sketch, tuple[str, ...]]:
    """The sketch, and what this kernel lacks of the sandbox. Nothing is looked at before the lock."""
    from edged.worker import sandbox
    from edged.worker.source import Source, Want, opened

    source = question.pipeline.source
    if not isinstance(source, shape.Pictures):
        raise RefusedError(
            f"{question.name}: a source of kind {type(source).__name__.lower()} gives no pictures",
            "zones and lines are for pictures",
        )
    task = wall.Assignment(wall.PROTOCOL, question.name, question.pipeline, question.models, ())
    lacking = list(sandbox.narrow(task))
    rate = FRAMES / max(0.1, question.seconds)
    reader: Source = opened(_at_once(source), Want(*_size(source, question.models), rate))
    try:
        _median([shrunk(np.zeros((48, 64, 3), np.uint8))])  # what NumPy brings in later it brings in now
        frames, seen = _frames(reader), list[Grey]()
        purposes = frozenset((type(source).__name__.lower(),))
        locked = sandbox.shut(answers, purposes, lambda: seen.append(shrunk(next(frames))))
        if "seccomp" in locked.lacking:
            raise RefusedError(
                "this kernel has no filters, and without them nothing holds a process that looks",
                "edged doctor says what the kernel lacks; zones can be written into the config by hand",
            )
        seen += map(shrunk, itertools.islice(frames, FRAMES - 1))
        return _median(seen), (*lacking, *locked.lacking)
    finally:
        reader.close()


def _median(seen: list[Grey]) -> Sketch:
    """The sketch of what stood still."""
    return sketch(np.median(seen, axis=0).astype(np.float32))


def _at_once(source: shape.Pictures) -> shape.Pictures:
    """A recording need not be waited for."""
    if isinstance(source, shape.File | shape.Synthetic):
        return msgspec.structs.replace(source, pace="fast")
    return source


def _size(source: shape.Pictures, models: tuple[shape.Model, ...]) -> tuple[int, int, int]:
    """What to ask the source for. A video comes in its own size, and so with its own shape. A camera is asked
    for what the worker would ask it for: another size may be of another part of what the sensor sees.
    """
    if isinstance(source, shape.File):
        return LARGEST, LARGEST, 3
    width, height, channels = _wanted(models)
    if isinstance(source, shape.V4l2):
        return width, height, channels
    finer = max(1, -(-SIDE // max(width, height)))  # of the same shape, and so of the same part
    return width * finer, height * finer, channels


def _wanted(models: tuple[shape.Model, ...]) -> tuple[int, int, int]:
    """The dearest model's picture, as (width, height, channels)."""
    from edged.worker.intake import Picture
    from edged.worker.runtime.plan import planned

    for one in models:
        with suppress(UnavailableError, RefusedError):
            found = planned(one, one.file).intake
            if isinstance(found, Picture):
                return found.width, found.height, found.channels
    return SIDE, SIDE, 3


def _frames(source: Any) -> Iterator[NDArray[np.uint8]]:
    """Raises ``UnavailableError`` when none comes."""
    deadline = time.monotonic() + FIRST_FRAME
    with suppress(EndOfSource):
        while time.monotonic() < deadline:
            if (frame := source.read(1.0)) is not None:
                deadline = time.monotonic() + FIRST_FRAME
                yield frame.data
        raise UnavailableError(
            f"the source gave no picture within {FIRST_FRAME:.0f} s", "is the camera plugged in and free?"
        )


def main() -> int:
    """Answer the question on stdin. What libraries print goes to stderr, so that stdout is the answer's
    alone.
    """
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    out = os.dup(1)
    os.dup2(2, 1)
    os.write(out, msgspec.json.encode(answer(question, out)))
    return 0


if __name__ == "__main__":
    os._exit(main())
