"""The tracker: boxes of one frame after another in, tracks out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edged.worker.track import motion
from edged.worker.track.assignment import Pair, assigned
from edged.worker.track.motion import SIZE, SPEEDS, Floats
from edged.worker.track.pairing import Boxes, looked_at, paired, vague
from edged.worker.track.track import Record, Track

#: A box whose score is lower keeps nothing alive.
LOWEST = 0.2
#: Unseen for longer, a track ends: in the open, and behind another.
PATIENCE, HIDDEN = 1.6, 5.0  # seconds
#: Seen for so long only as another's shadow, it is that shadow.
SHADOWED = 2.5  # seconds
#: But no track ends before so many frames have missed it, as long as it is sure.
FRAMES = 2
#: From that share of its box on a track is hidden behind another.
BEHIND = 0.5
#: Of an unseen track's box so much has to be in the picture.
IN_PICTURE = 0.25
#: A box that shares so much of the smaller of both with one of its own kind, or (intersection over union)
#: with one of another kind, is no second thing: detectors put several boxes around one.
SAME, TWIN = 0.5, 0.85
#: How fast things are before anything is known of their kind, in sizes a second.
PACE = 0.6
#: A speed is learnt of tracks with so many hits that move: faster than so many sizes a second, and of what is
#: beyond belief no more than that. Each weighs so much.
KNOWN, SLOW, FAST, LEARN = 5, 0.1, 3.0, 0.04
EVERY = 4  # frames
#: A track begins with a box of that share of the score that makes it sure.
FIRST = 0.7
#: A box that nobody expected and that overlaps where an unseen track should be by so much (intersection over
#: union) is that track's.
AGAIN = 0.4
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
        self._stood = 0.0  # seconds since the frame before
        self._number = self._updates = 0
        self._codes: dict[str, int] = {}
        self._squares: dict[str, float] = {}
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

        Only a track that has had a box with ``least`` is sure; lower ones keep it alive (as in ByteTrack:
        Zhang et al., ECCV 2022), so give all that there are. A gap of more than ``LONGEST_GAP`` ends all.
        """
        self.ended = []
        motion.advance(self._state, self._elapsed(at))
        found = np.asarray(boxes, np.float64).reshape(-1, 4)
        weights = np.asarray(scores, np.float64).reshape(-1)
        good = weights >= min(LOWEST, least)
        if not math.isfinite(found.sum()):
            good &= np.isfinite(found).all(axis=1)
        if len(good) > MOST or not good.all():
            chosen = np.flatnonzero(good)[:MOST]
            found, weights = found[chosen], weights[chosen]
            kinds = [kinds[one] for one in chosen.tolist()]
        codes = np.array([self._codes.setdefault(one, len(self._codes)) for one in kinds], np.intp)
        seen = looked_at(found, codes, weights, least)
        edges = motion.edges(self._state)
        pairs = self._matched(at, edges, seen, kinds)
        pairs += self._found_again(at, edges, seen, kinds, least, pairs)
        self._end(at, edges, {row for row, _ in pairs})
        self._begin(at, seen, kinds, least, [column for _, column in pairs])
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
        self._at, self._stood = at, seconds
        return seconds

    def _matched(self, at: float, edges: Floats, found: Boxes, kinds: Sequence[str]) -> list[Pair]:
        """Bring the tracks together with their boxes; (row, box) of each."""
        if not len(found.boxes) or not self._records:
            return []
        mine = np.array([self._codes[one.kind] for one in self._records])
        judged = paired(self._state, edges, mine, found)
        pairs = assigned(judged.worth)
        if pairs:
            rows, columns = np.array(pairs).T
            turned, moved, grown, hidden = judged.chosen(rows, columns)
            state = self._state[rows]
            if turned.any():
                motion.doubt(state, turned)
            motion.correct(state, moved, grown, hidden, vague(found.scores[columns]))
            cut = found.cut[columns]
            if cut.any():
                motion.reach(state, cut[:, 1::-1], cut[:, 3:1:-1])
            self._state[rows] = state
            scores, weak, shadow = found.scores.tolist(), found.weak.tolist(), found.shadow.tolist()
            for row, column in pairs:
                clear = not weak[column]
                self._records[row].hit(at, kinds[column], scores[column], clear, self._stood)
                if not shadow[column]:
                    self._records[row].clear = at
            self._learn()
        return pairs

    def _found_again(
        self,
        at: float,
        edges: Floats,
        seen: Boxes,
        kinds: Sequence[str],
        least: float,
        pairs: list[Pair],
    ) -> list[Pair]:
        """Boxes that would begin a track where one is that was not seen: it did what nobody expected, and all
        that is known of its motion is wrong.
        """
        if len(pairs) in (len(seen.boxes), len(self._records)):
            return []
        matched = {row for row, _ in pairs}
        rows = [row for row in range(len(self._records)) if row not in matched]
        good = self._free(seen, least, [column for _, column in pairs])
        if not good:
            return []
        made: list[Pair] = []
        edges = edges[rows]
        for one in good:
            ratio = _ratio(seen.boxes[one], edges)
            best = int(ratio.argmax())
            row = rows[best]
            if ratio[best] >= AGAIN and self._records[row].kind == kinds[one]:
                self._state[row] = self._started(seen, [one], kinds)[0]
                score, clear = float(seen.scores[one]), not seen.weak[one]
                self._records[row].hit(at, kinds[one], score, clear, self._stood)
                self._records[row].clear = at
                edges[best] = 0.0
                made.append((row, one))
        return made

    def _free(self, seen: Boxes, least: float, taken: list[int]) -> list[int]:
        """Boxes that are nobody's and good enough to begin a track, best first."""
        good = ~seen.shadow & (seen.scores >= FIRST * least)
        good[taken] = False
        free: list[int] = np.flatnonzero(good).tolist()
        return sorted(free, key=lambda index: -float(seen.scores[index]))

    def _started(self, seen: Boxes, chosen: list[int], kinds: Sequence[str]) -> Floats:
        """States of the ``chosen`` boxes, seen for the first time."""
        found, cut = seen.boxes[chosen], seen.cut[chosen]
        low, high = found[:, 1::-1], found[:, 3:1:-1]
        return motion.begun(
            (low + high) / 2,
            np.maximum(high - low, motion.LEAST),
            cut[:, 1::-1] | cut[:, 3:1:-1],
            [self._pace(kinds[one]) for one in chosen],
        )

    def _learn(self) -> None:
        """How fast things of each kind move, from those that are well known."""
        self._updates += 1
        if self._updates % EVERY:
            return
        squares = (self._state[:, SPEEDS] ** 2).sum(axis=1) / self._state[:, SIZE].max(axis=1) ** 2
        for record, square in zip(self._records, squares.tolist(), strict=True):
            if record.hits >= KNOWN and not record.misses and square >= SLOW**2:
                before = self._squares.get(record.kind, PACE**2)
                self._squares[record.kind] = before + LEARN * (min(square, FAST**2) - before)
        self._state[:, motion.PACE] = [self._pace(one.kind) for one in self._records]

    def _pace(self, kind: str) -> float:
        return math.sqrt(self._squares.get(kind, PACE**2))

    def _end(self, at: float, edges: Floats, seen: set[int]) -> None:
        """Count the misses and end what has been out of sight for too long; ``edges`` are where the unseen
        are.
        """
        gone = []
        for row, record in enumerate(self._records):
            if row in seen:
                if at - record.clear > SHADOWED:
                    gone.append(row)
                continue
            record.miss()
            if self._is_over(at, row, edges[row], seen):
                gone.append(row)
        if gone:
            self.ended += self._told(at, gone)
            kept = [row for row in range(len(self._records)) if row not in set(gone)]
            self._state, self._records = self._state[kept], [self._records[row] for row in kept]

    def _is_over(self, at: float, row: int, box: Floats, seen: set[int]) -> bool:
        record, (top, left, bottom, right) = self._records[row], box.tolist()
        size = (bottom - top) * (right - left)
        shown = max(0.0, min(bottom, 1.0) - max(top, 0.0)) * max(0.0, min(right, 1.0) - max(left, 0.0))
        if shown < IN_PICTURE * size:
            return True
        if not record.sure:
            return record.misses >= FRAMES or at - record.last > PATIENCE
        if record.misses < FRAMES or at - record.last <= PATIENCE:
            return False
        if at - record.last > HIDDEN:
            return True
        return not _covered(box, motion.edges(self._state[sorted(seen)]))

    def _begin(self, at: float, seen: Boxes, kinds: Sequence[str], least: float, taken: list[int]) -> None:
        """Tracks of the boxes that are nobody's, best first."""
        if len(taken) == len(seen.boxes):
            return
        found = seen.boxes
        new: list[int] = []
        for one in self._free(seen, least, taken):
            if len(self._records) + len(new) < MOST and not _twin(one, [*taken, *new], found, kinds):
                new.append(one)
        if not new:
            return
        state = self._started(seen, new, kinds)
        self._state = np.concatenate((self._state, state))
        for one in new:
            self._number += 1
            record = Record(self._number, at)
            score = float(seen.scores[one])
            record.hit(at, kinds[one], score, score >= least, self._stood)
            self._records.append(record)

    def _told(self, at: float, rows: Sequence[int] | None = None) -> list[Track]:
        boxes = np.minimum(np.maximum(motion.edges(self._state), 0.0), 1.0).tolist()
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
        record.good,
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


def _ratio(box: Floats, others: Floats) -> Floats:
    """Intersection over union of ``box`` [4] and each of ``others`` [k, 4]."""
    shared = _shared(box, others)
    sizes = (others[:, 2:] - others[:, :2]).prod(axis=1)
    made: Floats = shared / np.maximum(sizes + (box[2:] - box[:2]).prod() - shared, 1e-12)
    return made


def _twin(one: int, others: list[int], found: Floats, kinds: Sequence[str]) -> bool:
    """Whether a box is another's double: it overlaps it too much to begin a second thing."""
    if not others:
        return False
    rest = found[others]
    shared = _shared(found[one], rest)
    area = (rest[:, 2:] - rest[:, :2]).prod(axis=1)
    mine = float((found[one, 2:] - found[one, :2]).prod())
    same = np.array([kinds[other] == kinds[one] for other in others])
    within = shared / np.maximum(np.minimum(area, mine), 1e-12)
    ratio = shared / np.maximum(area + mine - shared, 1e-12)
    return bool(np.where(same, within >= SAME, ratio >= TWIN).any())
