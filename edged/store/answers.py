"""What readers of the store ask with, and what they get. Values only."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

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
        return all(not some or one in some for some, one in zip(asked, has, strict=True))


class Row(NamedTuple):
    """One series over ``[start, end)``, epoch seconds. ``seconds`` of it were observed; the numbers go over
    these.

    ``coverage`` is its pipeline's over the same stretch.
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
