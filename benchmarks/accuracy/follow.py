"""The tracker alone: MOTA and IDF1 of its tracks, and crossings by the plainest rule there is.

Any object with ``update(at, boxes, kinds, scores)`` that gives things with ``number``, ``kind``, ``box``,
``seen`` and ``sure`` can be judged: ADR 0024 compares libraries by this.

MOTA: Bernardin and Stiefelhagen, EURASIP JIVP 2008; IDF1: Ristani et al., ECCV Workshops 2016; both as
py-motmetrics computes them, a box being right from an intersection over union of 0.5 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.detector import Seen
from benchmarks.accuracy.street import BACKWARD, FORWARD, LINES, Event
from edged.worker.source.scene import Box, Thing, in_view

RIGHT: Final = 0.5  # intersection over union
#: The plain rule's hysteresis, in pictures.
BAND: Final = 0.01


class Tracker(Protocol):
    """What is judged."""

    def update(
        self, at: float, boxes: NDArray[np.float32], kinds: Sequence[str], scores: NDArray[np.float32]
    ) -> Sequence[Any]:
        """The tracks at ``at``."""


class Frame(NamedTuple):
    """What is truly in view (``truth``: number, kind, box of each; ``of`` their places among all things), and
    what a detector makes of it.
    """

    truth: tuple[tuple[int, str, Box], ...]
    of: frozenset[int]
    seen: Seen


class Followed(NamedTuple):
    """``crossings`` are by the plain rule."""

    mota: float
    idf1: float
    switches: int
    crossings: tuple[Event, ...]


def frame(things: Sequence[Thing], seen: Seen) -> Frame:
    """Of things at least half in view; numbers are unique over kinds."""
    places = [place for place, one in enumerate(things) if in_view(one)]
    chosen = [things[place] for place in places]
    truth = tuple((2 * one.number + (one.kind == "car"), one.kind, one.box) for one in chosen)
    return Frame(truth, frozenset(places), seen)


def followed(frames: Iterable[Frame], make: Callable[[], Tracker]) -> Followed:
    """Run a new tracker over all ``frames``."""
    import motmetrics  # type: ignore[import-untyped]

    tracker, book, plain = make(), motmetrics.MOTAccumulator(auto_id=True), Plain()
    for frame in frames:
        seen = frame.seen
        tracks = [one for one in tracker.update(seen.time, seen.boxes, seen.kinds, seen.scores) if one.sure]
        plain(seen.time, tracks)
        shown = [one for one in tracks if one.seen]
        away = distances([box for _, _, box in frame.truth], [one.box for one in shown])
        book.update([number for number, *_ in frame.truth], [one.number for one in shown], away)
    wanted = ["mota", "idf1", "num_switches"]
    row = motmetrics.metrics.create().compute(book, metrics=wanted, name="all").loc["all"]
    return Followed(float(row["mota"]), float(row["idf1"]), int(row["num_switches"]), tuple(plain.found))


def distances(truth: Sequence[Box], found: Sequence[Box]) -> NDArray[np.float64]:
    """[n, m] of 1 - intersection over union, NaN where a pair is out of the question."""
    if not truth or not found:
        return np.zeros((len(truth), len(found)))
    a, b = np.array(truth)[:, None], np.array(found)[None]
    span = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.maximum(span, 0.0).prod(axis=2)
    sizes = [(one[..., 2:] - one[..., :2]).prod(axis=2) for one in (a, b)]
    ratio = both / np.maximum(sizes[0] + sizes[1] - both, 1e-12)
    made: NDArray[np.float64] = np.where(ratio >= RIGHT, 1.0 - ratio, np.nan)
    return made


class Plain:
    """Crossings of the street's lines by the middle of a track's lower edge, once it is past by ``BAND``."""

    def __init__(self) -> None:
        self._side: dict[tuple[int, str], bool] = {}
        self.found: list[Event] = []

    def __call__(self, time: float, tracks: Sequence[Any]) -> None:
        """One frame's tracks."""
        for one in tracks:
            x = (one.box[1] + one.box[3]) / 2
            for name, at in LINES.items():
                if abs(x - at) < BAND:
                    continue
                before = self._side.setdefault((one.number, name), x > at)
                if before != (x > at):
                    self._side[one.number, name] = x > at
                    way = FORWARD if x > at else BACKWARD
                    self.found.append(Event(time, f"{name}:{way}", one.kind, one.number))
