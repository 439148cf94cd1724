"""The real measures on boxes that come from anywhere: what is counted of each series, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np

from benchmarks.accuracy.detector import Seen
from benchmarks.accuracy.street import Event
from edged.amounts import DOUBTFUL, MISSED, PARTS
from edged.config import shape
from edged.nouns import Series
from edged.series import series_of
from edged.worker.measure import Happening, Memory, meter
from edged.worker.measure import counters as measures
from edged.worker.observation import Detections

#: The model's own threshold, as ``min_score`` has it where the owner names none.
LEAST: Final = 0.5
#: What puts a dwell or a speed into its bin.
NUMBER: Final = "bin_of"


class Counted(NamedTuple):
    """``events`` of each measure's kind, in order; ``numbers`` are the dwells and speeds as they were before
    they were put into bins; ``missed`` and ``doubtful`` by series, in events.
    """

    events: dict[str, list[Event]]
    numbers: list[float]
    missed: dict[str, float]
    doubtful: dict[str, float]

    def of(self, measure: str) -> list[Event]:
        """The events of one kind of measure."""
        return self.events.get(measure, [])

    @staticmethod
    def thought(book: dict[str, float], measure: str) -> float:
        """What a ``book`` (``missed``, ``doubtful``) holds of all series of a kind."""
        return sum(share for key, share in book.items() if key.partition(" ")[0] == measure)


def pipeline(
    measures: Sequence[shape.Measure],
    lines: dict[str, shape.Line] | None = None,
    zones: dict[str, shape.Polygon] | None = None,
) -> shape.Pipeline:
    """One of these measures; its source is of no account here."""
    return shape.Pipeline(
        source=shape.Synthetic(), lines=lines or {}, zones=zones or {}, measures=tuple(measures)
    )


def counted(config: shape.Pipeline, frames: Iterable[Seen], labels: tuple[str, ...]) -> Counted:
    """What a new meter makes of all ``frames``, the end of the recording included."""
    series = series_of("p", config)
    with exact() as numbers:
        made = Counted({}, numbers, {}, {})
        look = meter(config, series, Detections, labels, LEAST, Memory(config, series))
        values, at = np.zeros(len(series)), 0.0
        for seen in frames:
            at = seen.time
            told = look(Detections(seen.boxes, classes(seen.kinds, labels), seen.scores), values, at)
            _add(made, at, series, told)
        _add(made, at, series, look.interrupt(at))
    return made


def classes(kinds: Sequence[str], labels: tuple[str, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Indices of labels."""
    return np.array([labels.index(one) for one in kinds], np.int64)


def _add(made: Counted, at: float, series: tuple[Series, ...], told: Sequence[Happening]) -> None:
    for one in told:
        about = series[one.series]
        key = f"{about.measure} {about.label} {about.zone}".replace("  ", " ").strip()
        if one.bin in (MISSED, DOUBTFUL):
            book = made.missed if one.bin == MISSED else made.doubtful
            book[key] = book.get(key, 0.0) + one.times / PARTS
        else:
            event = Event(at, about.zone, about.label, one.bin)
            made.events.setdefault(about.measure, []).extend([event] * one.times)


@contextmanager
def exact() -> Iterator[list[float]]:
    """The numbers that go into bins meanwhile, in order, before they are coarse."""
    numbers: list[float] = []
    real: Callable[[float], int] = getattr(measures, NUMBER)

    def noted(number: float) -> int:
        numbers.append(number)
        return real(number)

    setattr(measures, NUMBER, noted)
    try:
        yield numbers
    finally:
        setattr(measures, NUMBER, real)
