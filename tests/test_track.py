"""The tracker: who is who from one frame to the next."""

from __future__ import annotations

import numpy as np

from edged.worker.track import Track, Tracker

Box = tuple[float, float, float, float]


def person(x: float, foot: float = 0.9, height: float = 0.4) -> Box:
    """Somebody whose feet are at (x, foot), wholly in the picture."""
    return foot - height, x - 0.06, foot, x + 0.06


def fed(tracker: Tracker, at: float, *boxes: Box, kinds: str = "person", score: float = 0.8) -> list[Track]:
    """One frame of equals."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return tracker.update(at, array, [kinds] * len(boxes), np.full(len(boxes), score, np.float32))


def test_who_walks_stays_one_track_at_any_rate() -> None:
    for rate in (10.0, 5.0, 2.0, 1.0):
        tracker = Tracker()
        seen = {
            track.number
            for step in range(int(6 * rate))
            for track in fed(tracker, step / rate, person(0.1 + 0.14 * step / rate))
        }
        assert seen == {1}
