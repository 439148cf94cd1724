"""Observations -> the values of series. One rule for each kind of measure and observation; all of them
pure.

A detection is *in* a zone when the middle of its box's lower edge is: that is where a person or a car
touches the ground, and what the field's counters use. A cell of a grid is in a zone when the cell's centre
is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edged import rounding
from edged.config.shape import Measure, Pipeline, Polygon
from edged.errors import RefusedError
from edged.nouns import Entry, Series
from edged.worker.observation import Classes, Detections, Grid, Observation, Values

Value = Callable[[Observation], float]


class Meter(Protocol):
    """Fills ``values``, float64 [number of series], in the order of the series, from one observation."""

    def __call__(self, observation: Observation, values: NDArray[np.float64]) -> None:
        """Fill ``values``."""


def inside(x: float, y: float, polygon: Polygon) -> bool:
    """Whether (x, y) is in the polygon: the even-odd rule, by counting the edges that a ray to the right
    crosses.
    """
    odd = False
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
        x1, y1 = x2, y2
    return odd


def meter(
    pipeline: Pipeline, series: tuple[Series, ...], gives: type, labels: tuple[str, ...], min_score: float
) -> Meter:
    """The meter of a pipeline whose model ``gives`` observations of one type. Raises ``RefusedError`` for
    what it cannot give.
    """
    _check_kinds(pipeline, gives, labels)
    if gives is Detections:
        return DetectionMeter(pipeline, series, labels, min_score)
    if gives is Grid:
        return GridMeter(pipeline, series)
    return ListMeter(pipeline, series, labels, min_score)


#: What may be asked of each kind of observation.
KINDS: Mapping[type, tuple[str, ...]] = {
    Detections: ("occupancy", "presence"),
    Grid: ("presence", "activity"),
    Classes: ("presence",),
    Values: ("level",),
}
#: Labels that are named to who asked for one that is not there.
FEW = 8
_PLAIN = {Detections: "detections", Grid: "an activity grid", Classes: "classes", Values: "plain values"}


def _check_kinds(pipeline: Pipeline, gives: type, labels: tuple[str, ...]) -> None:
    for number, one in enumerate(pipeline.measures, 1):
        if one.kind not in KINDS[gives]:
            raise RefusedError(
                f"measure {number} asks for {one.kind}, but the model gives {_PLAIN[gives]}",
                f"with this model a measure can be {' or '.join(KINDS[gives])}",
            )
        if one.zones and gives in (Classes, Values):
            raise RefusedError(
                f"measure {number} names a zone, but the model judges the whole picture",
                "leave zones out, or take a detector",
            )
        _check_labels(number, one, gives, labels)


def _check_labels(number: int, one: Measure, gives: type, labels: tuple[str, ...]) -> None:
    if one.labels and gives is Grid:
        raise RefusedError(
            f"measure {number} names labels, but the model recognises nothing and nobody",
            "leave labels out, or take a detector: edged models list",
        )
    for label in one.labels:
        if label not in labels:
            raise RefusedError(
                f'measure {number} asks for "{label}", which the model does not know',
                f"it knows {_several(labels, label)}",
            )


def _several(labels: tuple[str, ...], wanted: str) -> str:
    """A few of the labels, those that hold the ``wanted`` one first: a line of a label file is one label,
    whatever commas are in it.
    """
    near = [one for one in labels if wanted.lower() in one.lower()]
    first = list(dict.fromkeys((*near, *labels)))[:FEW]
    more = f" … ({len(labels)} in all)" if len(labels) > len(first) else ""
    return ", ".join(f'"{one}"' for one in first) + more


def _indices(labels: tuple[str, ...], label: str) -> frozenset[int]:
    """Where a label stands; some label files have one name twice."""
    return frozenset(index for index, one in enumerate(labels) if one == label)


def measure_of(pipeline: Pipeline, series: Series) -> Measure:
    """The measure that a series comes from."""
    return next(
        one
        for one in pipeline.measures
        if one.kind == series.measure
        and (series.label in one.labels if series.label else not one.labels)
        and (series.zone in one.zones if series.zone else not one.zones)
    )


class DetectionMeter:
    """Counts boxes by label and zone."""

    def __init__(
        self, pipeline: Pipeline, series: tuple[Series, ...], labels: tuple[str, ...], min_score: float
    ) -> None:
        self._zones = dict(pipeline.zones)
        self._series = [
            (
                index,
                one.measure == "presence",
                _indices(labels, one.label) if one.label else None,
                one.zone,
                _score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]
        self._lowest = min((score for *_, score in self._series), default=0.0)

    def __call__(self, observation: Observation, values: NDArray[np.float64]) -> None:
        """Fill ``values`` from ``Detections``."""
        assert isinstance(observation, Detections)
        values[:] = 0.0
        kept = int(np.count_nonzero(observation.scores >= self._lowest))
        if kept:
            self._count(observation, values)

    def _count(self, found: Detections, values: NDArray[np.float64]) -> None:
        things = [
            (kind, score, self._zones_of(box))
            for kind, score, box in zip(
                found.classes.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True
            )
            if score >= self._lowest
        ]
        for index, presence, kinds, zone, least in self._series:
            count = sum(
                score >= least and (kinds is None or kind in kinds) and (not zone or zone in zones)
                for kind, score, zones in things
            )
            values[index] = min(count, 1) if presence else count

    def _zones_of(self, box: list[float]) -> set[str]:
        _, left, bottom, right = box
        # A box that is cut off by the picture's edge still stands on the ground that is in view.
        x, y = min(max((left + right) / 2, 0.0), 1.0), min(max(bottom, 0.0), 1.0)
        return {
            name
            for name, polygon in self._zones.items()
            if inside(min(x, 1 - 1e-9), min(y, 1 - 1e-9), polygon)
        }


def _score(one: Measure, of_model: float) -> float:
    return of_model if one.min_score is None else one.min_score


class GridMeter:
    """Presence (is any cell of the zone occupied) and activity (the share of its cells that move)."""

    def __init__(self, pipeline: Pipeline, series: tuple[Series, ...]) -> None:
        self._zones = dict(pipeline.zones)
        self._series = [
            (index, one.measure == "presence", one.zone, _score(measure_of(pipeline, one), 0.5))
            for index, one in enumerate(series)
        ]
        self._masks: dict[str, NDArray[np.bool_]] = {}

    def __call__(self, observation: Observation, values: NDArray[np.float64]) -> None:
        """Fill ``values`` from a ``Grid``."""
        assert isinstance(observation, Grid)
        for index, presence, zone, least in self._series:
            cells = observation.presence if presence else observation.movement
            chosen = cells[self._mask(zone, cells.shape)] if zone else cells
            hits = np.count_nonzero(chosen >= least)
            values[index] = float(hits > 0) if presence else hits / chosen.size

    def _mask(self, zone: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        if zone not in self._masks:
            self._masks[zone] = cells_inside(self._zones[zone], shape)
        return self._masks[zone]


def cells_inside(polygon: Polygon, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool [GH, GW]: the cells whose centre is in the polygon; a zone smaller than a cell gets the cell
    that its middle is in.
    """
    rows, columns = shape
    mask = np.array(
        [
            [inside((column + 0.5) / columns, (row + 0.5) / rows, polygon) for column in range(columns)]
            for row in range(rows)
        ]
    )
    if not mask.any():
        x, y = (sum(axis) / len(polygon) for axis in zip(*polygon, strict=True))
        mask[min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)] = True
    return mask


class ListMeter:
    """Presence of a class (its score, or any class's, is high enough) and level of a value."""

    def __init__(
        self, pipeline: Pipeline, series: tuple[Series, ...], labels: tuple[str, ...], min_score: float
    ) -> None:
        self._series = [
            (
                index,
                one.measure == "presence",
                np.array(sorted(_indices(labels, one.label)), np.intp) if one.label else None,
                _score(measure_of(pipeline, one), min_score),
            )
            for index, one in enumerate(series)
        ]

    def __call__(self, observation: Observation, values: NDArray[np.float64]) -> None:
        """Fill ``values`` from ``Classes`` or ``Values``."""
        numbers = observation.scores if isinstance(observation, Classes) else observation[0]
        for index, presence, chosen, least in self._series:
            value = float(numbers.max() if chosen is None else numbers[chosen].max())
            values[index] = float(value >= least) if presence else value


class Left:
    """Tells amounts coarsely, one after another, and keeps what rounding leaves for the next."""

    def __init__(self, coarse: Callable[[float], float]) -> None:
        self._coarse = coarse
        self._left = 0.0

    def told(self, exact: float) -> float:
        """The amount to tell; together they are what the exact ones are."""
        wanted = self._left + exact
        amount = self._coarse(max(0.0, wanted))
        self._left = wanted - amount
        return amount


class Sums:
    """Adds up the values of all series over time: each frame's values hold until the next frame's, at most
    for ``hold`` seconds. ``units`` are the series'.

    Time that no frame speaks for is *blind*. Because every value weighs the time that it stood for, the
    frame rate may change at any moment without biasing a mean.

    Nothing finer than ``edged.rounding`` allows goes up. Times are counted in whole 64ths of a second. What
    rounding takes from a sum stays here and is added to the next, so that it never adds up.
    """

    def __init__(self, units: tuple[str, ...], start: float, hold: float) -> None:
        self._units = units
        self._largest = np.array([rounding.largest(unit) for unit in units])
        self.hold = hold
        self.until = self._started = rounding.earlier(start)
        self._seen: float | None = None
        self._values = np.zeros(len(units))
        self._left, self._left_squares = np.zeros(len(units)), np.zeros(len(units))
        self._clear()

    def _clear(self) -> None:
        count = len(self._units)
        self.observed, self._paused = 0.0, False
        self._sum, self._sumsq = np.zeros(count), np.zeros(count)
        self._min, self._max = np.full(count, np.inf), np.full(count, -np.inf)

    def add(self, time: float, values: NDArray[np.float64]) -> None:
        """From ``time`` on (seconds) these values hold. A time that has been told of already counts from
        now. Raises ``RefusedError`` for what is no number.
        """
        if not np.isfinite(values).all():
            raise RefusedError(
                "the model gave a number that is none (NaN or infinite)",
                "it is broken, or was given what it is not made for: edged models examine",
            )
        self.advance(time)
        self._seen = max(rounding.earlier(time), self.until)
        np.clip(values, -self._largest, self._largest, out=self._values)

    def advance(self, time: float, paused: bool = False) -> None:
        """Count the values that hold up to ``time``. While paused, time that no frame speaks for is not
        blind.
        """
        time = rounding.earlier(time)
        span = time - self.until
        if span <= 0.0:
            return
        left = 0.0 if self._seen is None else self._seen + self.hold - self.until
        observed = min(span, max(0.0, rounding.earlier(left)))
        if observed:
            self._weigh(observed)
        self.observed += observed
        self._paused = self._paused or paused
        self.until = time

    def forget(self) -> None:
        """What was seen last holds no longer: from ``until`` on nothing is observed before the next frame."""
        self._seen = None

    @property
    def started(self) -> float:
        """Since when there are sums that were not taken."""
        return self._started

    def _weigh(self, seconds: float) -> None:
        weighted = self._values * seconds
        self._sum += weighted
        self._sumsq += weighted * self._values
        np.minimum(self._min, self._values, out=self._min)
        np.maximum(self._max, self._values, out=self._max)

    def taken(self) -> tuple[float, float, float, float, tuple[Entry, ...]]:
        """(start, end, observed seconds, blind seconds, entries) since the last call, and begin anew.

        Where there was a pause nothing is called blind: the daemon knows when it asked for one.
        """
        entries = self._entries() if self.observed else (Entry(),) * len(self._units)
        blind = 0.0 if self._paused else self.until - self._started - self.observed
        result = (self._started, self.until, self.observed, blind, entries)
        self._started = self.until
        self._clear()
        return result

    def _entries(self) -> tuple[Entry, ...]:
        wanted, squares = self._sum + self._left, self._sumsq + self._left_squares
        numbers = zip(
            wanted.tolist(),
            self._min.tolist(),
            self._max.tolist(),
            squares.tolist(),
            self._units,
            strict=True,
        )
        told = tuple(
            rounding.rounded(Entry(self.observed, total, low, high, squared), unit, self.observed)
            for total, low, high, squared, unit in numbers
        )
        self._left = wanted - np.array([one.sum for one in told])
        self._left_squares = squares - np.array([one.sumsq for one in told])
        return told
