"""Tracking: which box of this frame is the same thing as one of the frame before.

Boxes come in, tracks go out, and neither ever crosses the wall. Who a thing *is* is never asked: a track is
told from another by where it is, how large, and how it moves, never by how it looks, and its number is
forgotten with it. Pure: time is given, nothing is read.

Follow ``tracker.Tracker.update``: motion is predicted in seconds (``motion``), each pair of a track and a box
gets the likelihood that it belongs together (``pairing``), and the best set of pairs is taken
(``assignment``). See ``docs/adr/0024-tracking.md``.
"""

from __future__ import annotations

from edged.worker.track.track import Track
from edged.worker.track.tracker import Tracker

__all__ = ["Track", "Tracker"]
