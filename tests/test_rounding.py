"""Rounding at the wall: what passes is coarse, and what is counted stays right."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import amounts, covert, rounding
from edged.config.shape import File, Measure, Model, Pipeline
from edged.errors import WallError
from edged.inspector import check_amounts, check_entry
from edged.nouns import Amount, Entry, Series
from edged.series import series_of
from edged.worker.measure import Left, Sums, meter
from edged.worker.prepare import Preparation
from edged.worker.runtime import open_network
from edged.worker.source import Want, opened

UNITS = ("share", "fraction", "count", "")
VALUES = {
    "share": st.sampled_from([0.0, 1.0]),
    "fraction": st.integers(0, 144).map(lambda hits: hits / 144),
    "count": st.integers(0, 90).map(float),
    "": st.floats(-1e6, 1e6) | st.floats(-1.0, 1.0),
}


class Exact:
    """What ``Sums`` adds up, without any rounding but of the whole: the yardstick."""

    def __init__(self, frames: list[tuple[float, float]], hold: float) -> None:
        self._frames, self._hold = frames, hold

    def totals(self, start: float, end: float) -> tuple[float, float, float]:
        """Seconds observed, sum and sum of squares from ``start`` to ``end``."""
        seconds = total = squares = 0.0
        ends = [time for time, _ in self._frames[1:]] + [math.inf]
        for (time, value), until in zip(self._frames, ends, strict=True):
            held = min(until, time + self._hold, end) - max(time, start)
            if held > 0.0:
                seconds, total, squares = seconds + held, total + value * held, squares + value**2 * held
        return seconds, total, squares


def told(frames: Iterable[tuple[float, float]], unit: str, hold: float = 1.0) -> list[Entry]:
    """An entry for each second."""
    sums, entries, until = Sums((unit,), 0.0, hold), [], 1.0
    for time, value in frames:
        while time >= until:
            sums.advance(until)
            entries.append(sums.taken()[4][0])
            until += 1.0
        sums.add(time, np.array([value]))
    sums.advance(until)
    return [*entries, sums.taken()[4][0]]


@given(st.data(), st.sampled_from(UNITS), st.sampled_from([1.0, 5.0, 7.3, 30.0]))
def test_whatever_is_seen_passes_and_nothing_is_lost(data: st.DataObject, unit: str, rate: float) -> None:
    values = data.draw(st.lists(VALUES[unit], min_size=2, max_size=60))
    frames = [(number / rate, value) for number, value in enumerate(values)]
    entries = told(frames, unit)
    for entry in entries:
        check_entry(entry, entry.seconds, unit)
    # Against the same frames at whole 64ths: what is lacking is the rounding of one second.
    even = [(rounding.earlier(time), value) for time, value in frames]
    seconds, total, squares = Exact(even, 1.0).totals(0.0, float(len(entries)))
    assert sum(one.seconds for one in entries) == pytest.approx(seconds, abs=1 / 64)
    spread = max(rounding.above(one, unit) for one in values) - min(
        rounding.below(one, unit) for one in values
    )
    largest = max(map(abs, values))
    assert sum(one.sum for one in entries) == pytest.approx(total, abs=spread / 16 + 1e-6 * largest)
    assert sum(one.sumsq for one in entries) == pytest.approx(
        squares, abs=(spread + 2 * largest + 1) * spread
    )


@given(st.data(), st.sampled_from(UNITS))
def test_extremes_lie_around_what_was_seen(data: st.DataObject, unit: str) -> None:
    value = data.draw(VALUES[unit])
    low, high = rounding.below(value, unit), rounding.above(value, unit)
    assert low <= value <= high
    assert (rounding.below(low, unit), rounding.above(high, unit)) == (low, high)
    if unit in ("share", "count") and value <= 64:
        assert low == value == high
    assert high - low <= {"fraction": 1 / 64, "count": 2.0}.get(unit, max(2.0**-24, abs(value) / 64))


@pytest.mark.parametrize("unit", UNITS)
def test_what_never_changes_is_told_exactly(unit: str) -> None:
    for entry in told([(number / 5, 1.0) for number in range(50)], unit):
        assert (entry.mean, entry.min, entry.max) == (1.0, 1.0, 1.0)
        assert entry.sumsq == entry.seconds


def test_an_activity_that_is_finer_than_the_grid_has_its_mean() -> None:
    """One cell of 144 for ten minutes: each second is rounded, their mean is not."""
    entries = told([(number / 5, 1 / 144) for number in range(3000)], "fraction")
    mean = sum(one.sum for one in entries) / sum(one.seconds for one in entries)
    assert mean == pytest.approx(1 / 144, rel=1e-3)


@given(st.lists(st.floats(0.0, 10.0), max_size=50))
def test_what_is_told_coarsely_adds_up(amounts: list[float]) -> None:
    work, drops = Left(rounding.coarse_work), Left(rounding.coarse_drops)
    assert sum(map(work.told, amounts)) == pytest.approx(sum(amounts), abs=1.0)
    frames = [int(one) for one in amounts]
    late = sum(map(drops.told, frames)) + sum(drops.told(0) for _ in range(10))
    assert late == sum(frames)


@given(st.floats(0.0, 60.0))
def test_a_duration_is_near_and_rounded_once(seconds: float) -> None:
    rounded = rounding.duration(seconds)
    assert rounded == pytest.approx(seconds, rel=1 / 32, abs=1e-6)
    assert rounding.duration(rounded) == rounded


@pytest.mark.parametrize("unit", UNITS)
def test_the_grid_is_counted_as_it_is(unit: str) -> None:
    grid = covert.grid(unit)
    assert grid == sorted(set(grid)) and grid[-1] == rounding.largest(unit)
    assert all(rounding.below(one, unit) == one == rounding.above(one, unit) for one in grid)
    assert len(grid) == {"share": 2, "fraction": 65, "count": 193}.get(unit, len(grid))


def test_entries_are_counted_as_they_are() -> None:
    """Of presence: all of one second, by trying every number that could be one."""
    found = set()
    for low in (0.0, 1.0):
        for high in (0.0, 1.0):
            for place in range(4 * rounding.PLACES + 1):
                total = place / (4 * rounding.PLACES)
                entry = Entry(1.0, total, low, high, total)
                if low <= high and low <= total <= high and rounding.rounded(entry, "share", 1.0) == entry:
                    found.add(entry.sum + 10 * low + 100 * high)
    assert len(found) == covert.entries("share")


@pytest.mark.parametrize(
    "units", [["an event"], ["an event with a number"], ["an event", "share"], ["an event with a number"] * 2]
)
def test_amounts_are_counted_as_they_are(units: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With few bins and few 16ths: by trying every list of amounts that could be one."""
    monkeypatch.setattr(amounts, "BINS", 2)
    monkeypatch.setattr(amounts, "MOST_EVENTS", 2)
    monkeypatch.setattr(amounts, "MOST_PARTS", 2)
    monkeypatch.setattr(covert, "_POWERS", 2)
    measures = {"an event": "visits", "an event with a number": "dwell", "share": "presence"}
    series = tuple(Series("p", measures[unit]) for unit in units)
    bins = (0, 1, 2, amounts.MISSED, amounts.DOUBTFUL)
    every = [(number, bin) for number in range(len(units)) for bin in bins]
    places = every if len(units) < 2 else [one for one in every if amounts.fits(series[one[0]], one[1])]
    found = 0
    for counts in product(range(4), repeat=len(places)):
        each = zip(places, counts, strict=True)
        told = tuple(Amount(one, count, bin) for (one, bin), count in each if count)
        with suppress(WallError):
            check_amounts(told, series)
            found += 1
    assert math.log2(found) == pytest.approx(covert.happened(units))


#: Seconds of the clip that the detector looks at; EDGED_EXPLORE=1 has it look at all of it, as for the
#: figures of
#: docs/security.md.
LOOKED = 300.0 if os.environ.get("EDGED_EXPLORE") else 30.0


def values_of(shared: Path) -> dict[str, list[tuple[float, float]]]:
    """What the bundled model and a detector see on the shared clip at 5 fps, frame by frame."""
    found: dict[str, list[tuple[float, float]]] = {}
    coco = str(shared / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite")
    labels = str(shared / "models/coco_labels.txt")
    for name, model, measures in (
        ("activity", Model(file="builtin:activity"), (Measure(kind="activity"), Measure(kind="presence"))),
        ("detector", Model(file=coco, labels_file=labels), (Measure(kind="occupancy"),)),
    ):
        clip = File(path=str(shared / "media/one-by-one-person-detection.mp4"), pace="fast")
        pipeline = Pipeline(source=clip, measures=measures)
        series = series_of("p", pipeline)
        network = open_network(model)
        count = meter(pipeline, series, network.gives, network.labels, 0.5)
        prepare = Preparation(network.picture)
        for time, observation in looked(clip, network, prepare):
            if name == "detector" and time > LOOKED:
                break
            values = np.zeros(len(series))
            count(observation, values, time)
            for one, value in zip(series, values.tolist(), strict=True):
                found.setdefault(f"{name} {one.measure} {one.unit}", []).append((time, value))
    return found


def looked(clip: File, network: Any, prepare: Preparation) -> Iterable[tuple[float, Any]]:
    """The time of each frame, and what the model made of it."""
    from edged.errors import EndOfSource

    source, last = opened(clip, Want(network.picture.width, network.picture.height, 3, 5.0)), None
    try:
        while True:
            frame = source.read(1.0)
            if frame is None:
                continue
            yield (
                frame.time,
                network.infer(prepare(frame.data), frame.time - last if last is not None else 0.0),
            )
            last = frame.time
    except EndOfSource:
        return
    finally:
        source.close()


def test_a_real_clip_is_counted_as_without_rounding(shared: Path) -> None:
    for name, frames in values_of(shared).items():
        unit = name.rpartition(" ")[2]
        entries = told(frames, unit)
        seconds, total, _ = Exact(frames, 1.0).totals(0.0, float(len(entries)))
        mean = sum(one.sum for one in entries) / sum(one.seconds for one in entries)
        exact = [Exact(frames, 1.0).totals(float(n), n + 1.0) for n in range(len(entries))]
        worst = max(
            abs(e.mean - x[1] / x[0]) for e, x in zip(entries, exact, strict=True) if e.seconds and x[0]
        )
        print(
            f"{name}: mean {total / seconds:.5f}, rounded {mean:.5f}; a second is off by {worst:.3f} at most"
        )
        assert mean == pytest.approx(total / seconds, rel=2e-3)
        assert max(one.max for one in entries) == pytest.approx(max(v for _, v in frames), abs=1 / 64)
