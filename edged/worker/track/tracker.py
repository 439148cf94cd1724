"""The tracker: boxes of one frame after another in, tracks out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edged.worker.track import motion
from edged.worker.track.assignment import Pair, assigned
from edged.worker.track.motion import SPEEDS, Floats
from edged.worker.track.pairing import gains, residuals, touching
from edged.worker.track.track import Record, Track

#: A box whose score is lower keeps nothing alive.
LOWEST = 0.1
#: Unseen for longer, a track ends: in the open, and behind another.
PATIENCE, HIDDEN = 1.6, 5.0  # seconds
#: But no track ends before so many frames have missed it, as long as it is sure.
FRAMES = 2
#: From that share of its box on a track is hidden behind another.
BEHIND = 0.5
#: Of an unseen track's box so much has to be in the picture.
IN_PICTURE = 0.25
#: A box that overlaps one of its own kind (of another kind) so much is no second thing.
SAME, TWIN = 0.6, 0.85
#: No two frames that lie farther apart are compared.
LONGEST_GAP = 10.0  # seconds
#: No more are followed: a detector gives some ten to a hundred boxes.
MOST = 100


class Tracker:
    """Follows things through frames that may come at any and a changing rate.

    ``ended`` are the tracks that the last ``update`` or ``drop`` ended, as they were.
    """

    def __init__(self) -> None:
        self._state = np.zeros((0, motion.COLUMNS))
        self._records: list[Record] = []
        self._at: float | None = None
        self._number = 0
        self.ended: list[Track] = []

    def update(
        self,
        at: float,
        boxes: NDArray[np.float32],
        kinds: Sequence[str],
        scores: NDArray[np.float32] | Sequence[float],
        least: float = 0.5,
    ) -> list[Track]:
        """All tracks at ``at`` (seconds), given this frame's ``boxes`` [N, 4] (top, left, bottom, right in
        fractions of the picture), what each is taken for, and its score in 0..1.

        Only a box with ``least`` may begin a track; a lower one may keep one alive (as in ByteTrack: Zhang
        et al., ECCV 2022), so give all that there are. A gap of more than ``LONGEST_GAP`` ends everything.
        """
        self.ended = []
        seconds = self._elapsed(at)
        motion.advance(self._state, seconds)
        found = np.asarray(boxes, np.float64).reshape(-1, 4)
        weights = np.asarray(scores, np.float64).reshape(-1)
        chosen = np.flatnonzero(weights >= min(LOWEST, least))[:MOST]
        if chosen.size != weights.size:
            found, weights = found[chosen], weights[chosen]
            kinds = [kinds[one] for one in chosen.tolist()]
        pairs = self._matched(at, found, kinds, weights)
        self._end(at, {row for row, _ in pairs})
        self._begin(at, found, kinds, weights, least, [column for _, column in pairs])
        return self._told(at)

    def drop(self) -> list[Track]:
        """Forget all of them (a pause, a covered lens): who comes next is somebody else."""
        self.ended = self._told(self._at or 0.0)
        self._state, self._records, self._at = self._state[:0], [], None
        return self.ended

    def _elapsed(self, at: float) -> float:
        seconds = 0.0 if self._at is None else max(0.0, at - self._at)
        if seconds > LONGEST_GAP:
            self.drop()
            seconds = 0.0
        self._at = at
        return seconds

    def _matched(self, at: float, found: Floats, kinds: Sequence[str], scores: Floats) -> list[Pair]:
        """Bring the tracks together with their boxes; (row, box) of each."""
        pairs: list[Pair] = []
        if len(found) and self._records:
            residual = residuals(motion.edges(self._state), found, touching(found))
            spread = motion.spread(self._state)
            mine = np.array([one.kind for one in self._records])
            same = mine[:, None] == np.array(kinds)[None]
            worth, turned = gains(residual, self._state, spread, same, scores)
            pairs = assigned(worth)
        if pairs:
            rows, columns = (list(one) for one in zip(*pairs, strict=True))
            self._state[rows] = motion.correct(
                self._state[rows], residual[rows, columns], spread[rows], turned[rows, columns]
            )
            for row, column in pairs:
                self._records[row].hit(at, kinds[column], float(scores[column]))
        return pairs

    def _end(self, at: float, seen: set[int]) -> None:
        """Count the misses and end what has been out of sight for too long."""
        if len(seen) == len(self._records):
            return
        boxes = motion.edges(self._state)
        gone = []
        for row, record in enumerate(self._records):
            if row not in seen:
                record.miss()
                if self._is_over(at, row, boxes, seen):
                    gone.append(row)
        if gone:
            self.ended += self._told(at, gone)
            kept = [row for row in range(len(self._records)) if row not in set(gone)]
            self._state, self._records = self._state[kept], [self._records[row] for row in kept]

    def _is_over(self, at: float, row: int, boxes: Floats, seen: set[int]) -> bool:
        record, (top, left, bottom, right) = self._records[row], boxes[row].tolist()
        size = (bottom - top) * (right - left)
        shown = max(0.0, min(bottom, 1.0) - max(top, 0.0)) * max(0.0, min(right, 1.0) - max(left, 0.0))
        if shown < IN_PICTURE * size:
            return True
        if not record.sure:
            return record.misses >= FRAMES or at - record.last > PATIENCE
        if record.misses < FRAMES or at - record.last <= PATIENCE:
            return False
        return at - record.last > HIDDEN or not _covered(boxes[row], boxes[sorted(seen)])

    def _begin(
        self,
        at: float,
        found: Floats,
        kinds: Sequence[str],
        scores: Floats,
        least: float,
        taken: list[int],
    ) -> None:
        """Tracks of the boxes that are nobody's, best first."""
        if len(taken) == len(found):
            return
        free = [one for one in np.flatnonzero(scores >= least).tolist() if one not in set(taken)]
        new: list[int] = []
        for one in sorted(free, key=lambda index: -float(scores[index])):
            if len(self._records) + len(new) < MOST and not _twin(one, [*taken, *new], found, kinds):
                new.append(one)
        if not new:
            return
        chosen = found[new]
        low, high = chosen[:, 1::-1], chosen[:, 3:1:-1]
        cut = touching(chosen)
        state = motion.begun(
            (low + high) / 2, np.maximum(high - low, motion.LEAST), cut[:, 1::-1] | cut[:, 3:1:-1]
        )
        self._state = np.concatenate((self._state, state))
        for one in new:
            self._number += 1
            record = Record(self._number, at)
            record.hit(at, kinds[one], float(scores[one]))
            self._records.append(record)

    def _told(self, at: float, rows: Sequence[int] | None = None) -> list[Track]:
        boxes = np.clip(motion.edges(self._state), 0.0, 1.0).tolist()
        speeds = self._state[:, SPEEDS].tolist()
        return [
            _track(self._records[row], boxes[row], speeds[row])
            for row in (range(len(self._records)) if rows is None else rows)
        ]


def _track(record: Record, box: list[float], speed: list[float]) -> Track:
    return Track(
        record.number,
        record.kind,
        (box[0], box[1], box[2], box[3]),
        (speed[0], speed[1]),
        not record.misses,
        record.began,
        record.last,
        record.hits,
        record.chances,
        record.total / record.hits,
        record.peak,
        record.sure,
    )


def _covered(box: Floats, others: Floats) -> bool:
    """Whether one of the ``others`` [k, 4] covers a good part of the ``box`` [4]."""
    size = (box[2] - box[0]) * (box[3] - box[1])
    return bool(len(others)) and bool((_shared(box, others) >= BEHIND * size).any())


def _shared(box: Floats, others: Floats) -> Floats:
    """Areas that ``box`` [4] has in common with each of ``others`` [k, 4]."""
    span = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    made: Floats = np.maximum(span, 0.0).prod(axis=1)
    return made


def _twin(one: int, others: list[int], found: Floats, kinds: Sequence[str]) -> bool:
    """Whether a box is another's double: it overlaps it too much to be a second thing (by intersection over
    union).
    """
    if not others:
        return False
    rest = found[others]
    shared = _shared(found[one], rest)
    area = (rest[:, 2:] - rest[:, :2]).prod(axis=1)
    mine = float((found[one, 2:] - found[one, :2]).prod())
    ratio = shared / np.maximum(area + mine - shared, 1e-12)
    limit = np.array([SAME if kinds[other] == kinds[one] else TWIN for other in others])
    return bool((ratio >= limit).any())
