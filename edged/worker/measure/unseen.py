"""What the tracks know better than a frame: who is there and was not found, and what was found and is nobody.
Of values that a frame tells by itself, and of queues; in value-seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.amounts import DOUBTFUL, MISSED
from edged.config.shape import Pipeline
from edged.nouns import Series
from edged.worker.measure.geometry import held, inside
from edged.worker.measure.ledger import Asked, Ledger, asked
from edged.worker.measure.person import Person

#: So likely is what was found, and is not sure to be there yet, nobody: ``benchmarks.accuracy.certainty``.
UNSURE: Final = 0.3
#: Of a queue so much is of those who have just gone: whoever trembles on a zone's side is not yet out of it.
#: And so much is not counted yet: boxes tremble, and whoever has come to stand seems to do so a little later.
GONE: Final = 0.12
COME: Final = 0.04


class Unseen:
    """Compares the values of each frame with the tracks, and tells for how long they differed."""

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...], labels: Collection[str]) -> None:
        """``labels`` are those that are followed, none: all."""
        self._zones = dict(pipeline.zones)
        momentary = [*asked(pipeline, series, "occupancy"), *asked(pipeline, series, "presence")]
        self._momentary = [one for one in momentary if not labels or one.series.label in labels]
        self._queues = asked(pipeline, series, "queue")
        self._off: list[tuple[Asked, int, float]] = []

    def look(
        self,
        people: Iterable[Person],
        lost: Iterable[Person],
        values: NDArray[np.float64],
        ledger: Ledger,
    ) -> None:
        """By how much the ``values`` of this frame are off, as far as the tracks tell."""
        self._off = []
        people = list(people)
        places = [(one, held(one.track.foot)) for one in people]
        for one in self._momentary:
            zone = self._zones.get(one.series.zone)
            there = [
                person.track
                for person, place in places
                if ledger.means(one, person.track) and (zone is None or inside(*place, zone))
            ]
            sure = sum(track.sure for track in there)
            self._compare(one, float(values[one.index]), sure, len(there) - sure)
        for one in self._queues:
            unseen = sum(one.index in each.waits and not each.track.seen for each in people)
            waiting = float(values[one.index])
            self._note(one, MISSED, COME * waiting + sum(one.index in person.waits for person in lost))
            self._note(one, DOUBTFUL, GONE * waiting + unseen)

    def add(self, seconds: float, ledger: Ledger) -> None:
        """For so long it was like that."""
        for one, bin, off in self._off:
            ledger.guess_seconds(one, bin, off * seconds)

    def _compare(self, one: Asked, value: float, sure: int, unsure: int) -> None:
        most = 1 if one.series.measure == "presence" else sure + unsure
        certain, possible = min(sure, most), min(sure + unsure, most)
        self._note(one, MISSED, certain - value)
        self._note(one, DOUBTFUL, value - possible)
        self._note(one, DOUBTFUL, UNSURE * (min(value, possible) - certain))

    def _note(self, one: Asked, bin: int, off: float) -> None:
        if off > 0.0:
            self._off.append((one, bin, off))
