"""What readers of the store ask with, and what they get. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from edged import amounts
from edged.nouns import Coverage, Series


class Filter(msgspec.Struct, frozen=True):
    """Which series are meant; an empty tuple is any.

    ``labels=("",)`` is "any label as one", ``zones=("",)`` the whole picture.
    """

    pipelines: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()

    def takes(self, series: Series) -> bool:
        """Whether the series is meant."""
        asked = (self.pipelines, self.measures, self.labels, self.zones)
        has = (series.pipeline, series.measure, series.label, series.zone)
        return all(not some or one in some for some, one in zip(asked, has, strict=True)) or (
            # Each way over a line is in the line's name: "gate" means "gate:north" too.
            ":" in series.zone
            and series.zone.partition(":")[0] in self.zones
            and self.takes(msgspec.structs.replace(series, zone=series.zone.partition(":")[0]))
        )


NOTHING: Final[Mapping[int, int]] = MappingProxyType({})


class Row(NamedTuple):
    """One series over ``[start, end)``, epoch seconds. ``seconds`` of it were observed; the numbers go over
    these.

    ``coverage`` is its pipeline's over the same stretch. What a counted series has is ``counts``, the events
    by bin (0: that have no number), and its other numbers are NaN. ``parts`` are the estimates of either kind
    of series, in 16ths of events or of value-seconds, by ``amounts.MISSED`` and ``DOUBTFUL``.
    """

    start: int
    end: int
    series: Series
    seconds: float
    mean: float
    min: float
    max: float
    stddev: float
    coverage: Coverage
    counts: Mapping[int, int] | None = None
    parts: Mapping[int, int] = NOTHING

    @property
    def events(self) -> int:
        """How many events there were."""
        return sum((self.counts or NOTHING).values())

    @property
    def missed(self) -> float:
        """Events, or value-seconds, that are thought to have been missed."""
        return self.parts.get(amounts.MISSED, 0) / amounts.PARTS

    @property
    def doubtful(self) -> float:
        """Of those counted, how many are thought to have been none."""
        return self.parts.get(amounts.DOUBTFUL, 0) / amounts.PARTS


class Ran(NamedTuple):
    """So many seconds were observed by that model, "" where its name is not known, as that rung."""

    rung: int
    model: str
    seconds: float


class Covered(NamedTuple):
    """How a pipeline was observed over ``[start, end)``, epoch seconds; also where it was only blind.

    ``ran`` divides what was observed by the models that did, dearest first; empty where it was the dearest
    all the time. A rung has several models where the ladder was changed.
    """

    start: int
    end: int
    pipeline: str
    coverage: Coverage
    ran: tuple[Ran, ...] = ()


class Event(NamedTuple):
    """Something that happened. ``at`` is epoch seconds, or None while its time is not known."""

    at: float | None
    kind: str
    pipeline: str
    text: str


class Undated(NamedTuple):
    """Buckets of a boot whose time is not known: from ``first`` to ``last`` second of that boot."""

    boot: str
    first: int
    last: int
    buckets: int


class Facts(NamedTuple):
    """What the store is: ``rows`` and ``spans`` (oldest, newest start) per resolution, ``size`` in bytes."""

    path: str
    size: int
    schema: int
    cipher: str
    rows: dict[str, int]
    spans: dict[str, tuple[int, int] | None]
    series: int
    events: int
    undated: tuple[Undated, ...]
