"""Keypoints of people -> poses, by rules that can be said in a sentence each; docs/models.md says them.

No keypoint leaves the decoder: what it gives are ``Detections`` whose labels are the poses, so that persons
are counted by what they do.

The rules measure in *trunks*: the distance from the middle of the shoulders to the middle of the hips. By
body proportions (R. Drillis, R. Contini, "Body segment parameters", 1966: trunk 0.288, thigh 0.245, shank
0.246 of a body's height) a thigh that hangs straight down is 0.85 trunks.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.worker.decode import Output, Raw, finite, real
from edged.worker.observation import Detections

POSES: Final = ("standing", "sitting", "lying", "arms raised", "unclear")
STANDING, SITTING, LYING, ARMS_RAISED, UNCLEAR = range(len(POSES))

#: Keypoints of the COCO set, in the order of MoveNet and its kin.
POINTS: Final = 17
NOSE: Final = 0
SHOULDERS, WRISTS, HIPS, KNEES, ANKLES = (5, 6), (9, 10), (11, 12), (13, 14), (15, 16)
#: A keypoint with this score is seen. MoveNet's model card calls 0.3 confident.
SEEN: Final = 0.3
#: Fewer keypoints are nobody: hands and chairs get some.
LEAST_SEEN: Final = 5
#: A person's score is the mean of so many best keypoints: half a body in view is enough.
BEST: Final = 9
#: Models look at a squeezed picture and do not know its shape: as if it were 3:2. At 4:3 the trunk counts as
#: lying from 42° off the vertical on, at 16:9 from 50°.
ASPECT: Final = 1.5
#: So many trunks a thigh drops at least when somebody stands: 54° off the vertical.
THIGH: Final = 0.5
#: So many trunks a shank drops at least when somebody stands, if it is seen: who kneels does not.
SHANK: Final = 0.35
#: Pictures from the corner that a keypoint may lie: one that is farther off is of nobody's body.
FARTHEST: Final = 8.0
#: Numbers of a row of the model for several people: 17 keypoints, four edges, a score.
ROW: Final = POINTS * 3 + 5

Points = NDArray[np.float32]
Point = tuple[float, float]  # y, x
#: A trunk shorter than that, as a part of the picture, is none.
LEAST_TRUNK: Final = 1e-3


class Poser:
    """MoveNet's outputs: ``[1, 1, 17, 3]`` for one person, ``[1, N, 56]`` for several; (y, x, score) each."""

    gives: type = Detections
    name = "pose"
    labels = POSES

    def __init__(self, output: Output) -> None:
        self.tensors: tuple[int, ...] = (output.number,)
        self._real = real(output)
        self._several = output.shape[-1] == ROW

    def __call__(self, *raw: Raw) -> Detections:
        """The people who are seen, best first."""
        numbers = np.clip(finite(self._real(raw[0])), -FARTHEST, FARTHEST)
        if self._several:
            rows = numbers.reshape(-1, ROW)
            people = rows[:, : POINTS * 3].reshape(-1, POINTS, 3)
            return _sorted(people, rows[:, POINTS * 3 :])
        return _sorted(numbers.reshape(1, POINTS, 3), None)


def fits(output: Output) -> bool:
    """Whether these are the keypoints of one person or of several."""
    one = output.shape == (1, 1, POINTS, 3)
    return one or (len(output.shape) == 3 and output.shape[0] == 1 and output.shape[-1] == ROW)


def _sorted(people: Points, instances: Points | None) -> Detections:
    """``people`` [N, 17, 3]; ``instances`` [N, 5] (top, left, bottom, right, score) where the model gives
    them.
    """
    seen = people[:, :, 2] >= SEEN
    there = np.flatnonzero(seen.sum(axis=1) >= LEAST_SEEN)
    scores = np.array([_score(people[one]) for one in there], np.float32)
    best = np.argsort(-scores, kind="stable")
    there, scores = there[best], scores[best]
    boxes = np.array([_box(people[one], seen[one]) for one in there], np.float32).reshape(-1, 4)
    if instances is not None:
        boxes = instances[there, :4]
    poses = np.array([pose(people[one]) for one in there], np.int64)
    return Detections(np.clip(boxes, 0.0, 1.0), poses, np.clip(scores, 0.0, 1.0))


def _score(points: Points) -> float:
    """The mean of the ``BEST`` keypoints."""
    return float(np.partition(points[:, 2], POINTS - BEST)[POINTS - BEST :].mean())


def _box(points: Points, seen: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Around the keypoints that are seen."""
    found = points[seen]
    return (
        float(found[:, 0].min()),
        float(found[:, 1].min()),
        float(found[:, 0].max()),
        float(found[:, 1].max()),
    )


def pose(points: Points) -> int:
    """The index of a person's pose: one of ``POSES``. ``points`` float32 [17, 3] as (y, x, score)."""
    shoulders, hips = _middle(points, SHOULDERS), _middle(points, HIPS)
    if shoulders is None or hips is None:
        return UNCLEAR
    down, across = hips[0] - shoulders[0], (hips[1] - shoulders[1]) * ASPECT
    trunk = float(np.hypot(down, across))
    knees, ankles = _middle(points, KNEES), _middle(points, ANKLES)
    thigh = _drop(hips, knees, trunk)
    if trunk < LEAST_TRUNK or (down < 0 and abs(across) <= -down):
        return UNCLEAR
    if abs(across) > abs(down):
        # Who bends over has a trunk that lies, and thighs that stand.
        return UNCLEAR if thigh is not None and thigh >= THIGH else LYING
    if _arms_raised(points, float(shoulders[0]), trunk):
        return ARMS_RAISED
    return _on_legs(thigh, _drop(knees, ankles, trunk))


def _on_legs(thigh: float | None, shank: float | None) -> int:
    """With an upright trunk: by how much of it thigh and shank drop, None where that is not seen."""
    if thigh is None:
        return UNCLEAR
    return STANDING if thigh >= THIGH and (shank is None or shank >= SHANK) else SITTING


def _drop(upper: Point | None, lower: Point | None, trunk: float) -> float | None:
    """How far the one is below the other, in trunks."""
    return None if upper is None or lower is None else (lower[0] - upper[0]) / max(trunk, LEAST_TRUNK)


def _middle(points: Points, pair: tuple[int, int]) -> Point | None:
    """The middle of those of a pair that are seen."""
    found = points[list(pair)]
    found = found[found[:, 2] >= SEEN]
    return (float(found[:, 0].mean()), float(found[:, 1].mean())) if len(found) else None


def _arms_raised(points: Points, shoulders: float, trunk: float) -> bool:
    """Every wrist that is seen is above the nose; where no nose is seen, half a trunk above the shoulders."""
    level = float(points[NOSE, 0]) if points[NOSE, 2] >= SEEN else shoulders - 0.5 * trunk
    wrists = [points[one, 0] for one in WRISTS if points[one, 2] >= SEEN]
    return bool(wrists) and all(one < level for one in wrists)
