"""The real detector on the real clip: what the simulated one's figures are taken from.

``python -m benchmarks.accuracy --measure-detector`` prints them anew. Frames in which a person is in view are
those that the clip's README names (by eye); *inner* ones are a second away from both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.detector import Seen, overlap
from benchmarks.system import SHARED, SSD, require
from edged.config import shape
from edged.errors import EndOfSource
from edged.worker.ladder import preparation
from edged.worker.observation import Detections
from edged.worker.runtime import open_network
from edged.worker.source import Want
from edged.worker.source.file import FileSource

CLIP: Final = SHARED / "media/one-by-one-person-detection.mp4"
FPS: Final = 10.0
#: Frames in which somebody is in view, by eye, to within a few frames: the clip's README.
VISITS: Final = ((61, 196), (229, 445), (504, 695), (745, 865), (922, 1196), (1236, 1358))
EDGE: Final = 10  # frames


def detections(rate: float, model: Path = SSD, clip: Path = CLIP) -> Iterator[Seen]:
    """What the real detector sees, at most ``rate`` frames a second (0: all), as a worker's source and
    network give it. Raises ``FileNotFoundError`` where clip or model are not here.
    """
    require(model, clip)
    network = open_network(shape.Model(file=str(model)), "")
    picture, prepare = network.picture, preparation(network.intake)
    want = Want(picture.width, picture.height, picture.channels, rate)
    source = FileSource(shape.File(path=str(clip), pace="fast"), want)
    try:
        while (frame := source.read(1.0)) is not None:
            found = network.infer(prepare(frame.data), 0.0)
            assert isinstance(found, Detections)
            kinds = tuple(network.labels[one] for one in found.classes.tolist())
            yield Seen(frame.time, found.boxes.copy(), kinds, found.scores.copy(), (-1,) * len(kinds))
    except EndOfSource:
        pass
    finally:
        source.close()


def figures() -> dict[str, float]:
    """``detector.*``: shares of frames, spreads of logits, jitter in shares of the box."""
    seen = [people(one) for one in detections(0.0)]
    best = np.array([scores[0] if len(scores) else 0.0 for _, scores in seen])
    second = np.array([scores[1] if len(scores) > 1 else 0.0 for _, scores in seen])
    there, inner = frames(0, len(seen)), frames(EDGE, len(seen))
    made = {
        "missed_at_0.5": float((best[there] < 0.5).mean()),
        "missed_at_0.5_inner": float((best[inner] < 0.5).mean()),
        "missed_at_0.3": float((best[there] < 0.3).mean()),
        "false_at_0.5": float((best[~there] >= 0.5).mean()),
        "false_at_0.3": float((best[~there] >= 0.3).mean()),
        "double_at_0.5": float((second[there] >= 0.5).mean()),
        "double_at_0.3": float((second[there] >= 0.3).mean()),
        "double_overlap_most": doubles(seen, there),
    }
    return {f"detector.{name}": value for name, value in {**made, **score(best), **jitter(seen)}.items()}


def people(seen: Seen) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes and scores of persons, best first."""
    mine = [place for place, kind in enumerate(seen.kinds) if kind == "person"]
    return seen.boxes[mine], seen.scores[mine]


def frames(edge: int, count: int) -> NDArray[np.bool_]:
    """Those of all visits, without ``edge`` at either end."""
    made = np.zeros(count, np.bool_)
    for first, last in VISITS:
        made[first + edge : last + 1 - edge] = True
    return made


def doubles(
    seen: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], there: NDArray[np.bool_]
) -> float:
    """The largest overlap (intersection over union) of the two best boxes of a frame with one person."""
    pairs = [
        boxes[:2].tolist() for (boxes, _), one in zip(seen, there, strict=True) if one and len(boxes) > 1
    ]
    return max(overlap(tuple(a), tuple(b)) for a, b in pairs)


def score(best: NDArray[np.float64]) -> dict[str, float]:
    """The parts of its spread, as logits: between visits, slow, and of each frame; and how fast the slow part
    forgets (seconds, from the correlation of neighbouring frames).
    """
    parts = [best[first + EDGE : last + 1 - EDGE] for first, last in VISITS]
    logits = [np.log(one / (1.0 - one)) for one in (np.clip(part, 0.05, 0.95) for part in parts)]
    means = np.array([one.mean() for one in logits])
    steps = np.array([np.diff(one, 2).std() / np.sqrt(6.0) for one in logits])
    spreads = np.array([one.std() for one in logits])
    alike = np.array([np.corrcoef(one[:-3], one[3:])[0, 1] for one in logits])
    return {
        "logit_mean": float(means.mean()),
        "logit_between": float(means.std(ddof=1)),
        "logit_slow_most": float(spreads.max()),
        "logit_frame": float(steps.mean()),
        "tau_s": float(-3.0 / FPS / np.log(np.median(alike))),
    }


def jitter(seen: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> dict[str, float]:
    """What a box's middle across, lower edge, width and height are off from the mean of the frames before and
    after, in widths and heights: standard deviations (of one box: what the other two add is taken off).
    """
    rows = []
    for first, last in VISITS:
        boxes = np.array([seen[number][0][0] for number in range(first + EDGE, last + 1 - EDGE)])
        width, height = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
        four = np.stack(((boxes[:, 1] + boxes[:, 3]) / 2, boxes[:, 2], width, height), axis=1)
        scale = np.stack((width, height, width, height), axis=1)
        rows.append(((four[1:-1] - (four[:-2] + four[2:]) / 2) / scale[1:-1]) / np.sqrt(1.5))
    spread = np.concatenate(rows).std(axis=0).tolist()
    return dict(zip(("jitter_x", "jitter_foot", "jitter_width", "jitter_height"), spread, strict=True))
