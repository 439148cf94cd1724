"""What happened to which series, and how sure that is: where the counters of tracks put their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edged.amounts import DOUBTFUL, MISSED
from edged.config.shape import Measure, Pipeline
from edged.nouns import Series
from edged.worker.measure.chance import Detectability, Parts
from edged.worker.measure.evidence import none, traceless
from edged.worker.measure.meter import Happening, measure_of
from edged.worker.track import Track

#: Seconds in a zone, or of standing still, where the owner names none.
LEAST: Final = {"visits": 1.0, "dwell": 1.0, "flow": 0.0, "queue": 3.0}
#: What is as likely to be an event as not.
HALF: Final = 0.5
#: 16ths that are told at once: an eighth of an event, two value-seconds.
LUMP, LUMP_SECONDS = 2, 32


@dataclass(frozen=True, slots=True)
class Asked:
    """One series: its index, what it asks for, and ``least``, the seconds of its measure."""

    index: int
    series: Series
    measure: Measure
    least: float


def asked(pipeline: Pipeline, series: tuple[Series, ...], kind: str) -> list[Asked]:
    """The series of one kind of measure."""
    found = []
    for index, one in enumerate(series):
        if one.measure == kind:
            measure = measure_of(pipeline, one)
            least = LEAST.get(kind, 0.0) if measure.least_dwell is None else measure.least_dwell
            found.append(Asked(index, one, measure, least))
    return found


class Ledger:
    """Takes events of tracks. ``least`` is the score that each series wants, as of the model that works."""

    def __init__(self) -> None:
        self.least: Mapping[int, float] = {}
        self.beat = 0.0  # seconds between the last two frames
        self._detectability, self._parts = Detectability(), Parts()
        self._told: list[Happening] = []

    def means(self, one: Asked, track: Track) -> bool:
        """Whether the series is about such a track: its label, and a score that was high enough once."""
        return one.series.label in ("", track.kind) and track.peak >= self.least[one.index]

    def count(
        self,
        one: Asked,
        track: Track,
        doubtful: float = 0.0,
        bin: int = 0,
        on_the_line: bool = False,
        length: float = 1.0,
    ) -> None:
        """An event of a track that ``means`` the series, ``doubtful`` beyond what its scores say. ``length``
        is that of where it had to be found, in pictures.
        """
        self._told.append(Happening(one.index, bin))
        chance = self._detectability.of(track.hits, track.chances)
        self.guess(one, MISSED, traceless(track, chance, self.beat, length))
        self.guess(one, DOUBTFUL, max(doubtful, none(track, on_the_line)))

    def guess(self, one: Asked, bin: int, share: float) -> None:
        """So much of an event was missed, or was none."""
        self._told += self._parts.add(one.index, bin, share, LUMP)

    def guess_seconds(self, one: Asked, bin: int, value_seconds: float) -> None:
        """So much of a value was missed, or was none, for so long."""
        self._told += self._parts.add(one.index, bin, value_seconds, LUMP_SECONDS)

    def over(self, track: Track) -> None:
        """A track has ended: what it shows of the detector."""
        if track.sure:
            self._detectability.add(track.hits, track.chances)

    def taken(self) -> list[Happening]:
        """Since the last call."""
        told, self._told = self._told, []
        return told
