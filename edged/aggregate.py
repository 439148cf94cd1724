"""Ticks become buckets. Pure: stamps and clock readings are passed in, so a year of days is one fast test.

    aggregator = Aggregator(width)               # 1 when seconds are kept, else 60
    aggregator.add(pipeline, tick, coverage, reading)
    aggregator.blind(pipeline, start, end, reading)      # no worker ran
    store.write(aggregator.flush(), series, reading)     # once per commit: what is there, finished or not

A bucket that is handed out unfinished is continued by the next one of the same start: the store adds them up. So a
commit, a restart and a late tick are the same thing.
"""

from __future__ import annotations

from typing import Literal

from edged.clock import Reading
from edged.nouns import Bucket, Coverage
from edged.wall import Tick


class Aggregator:
    """Adds up ticks of any number of pipelines. ``len()`` is the number of buckets it holds."""

    def __init__(self, width: Literal[1, 60] = 60) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def add(self, pipeline: str, tick: Tick, coverage: Coverage, reading: Reading) -> None:
        """Count a tick. ``coverage`` is the daemon's account of the tick's whole stretch.

        Each second of a pipeline is counted once: what was counted before is left out, whatever the order ticks come in.
        Raises ``WallError`` when the tick's times cannot be.
        """
        raise NotImplementedError

    def blind(self, pipeline: str, start: float, end: float, reading: Reading) -> None:
        """Nobody looked from ``start`` to ``end`` (stamps of the same clock as the ticks')."""
        raise NotImplementedError

    def closed(self, reading: Reading) -> list[Bucket]:
        """The buckets that are over, oldest first; they are forgotten here."""
        raise NotImplementedError

    def flush(self) -> list[Bucket]:
        """All buckets, finished or not, oldest first; they are forgotten here."""
        raise NotImplementedError
