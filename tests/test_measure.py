"""Measures: what is counted where, and how long it counts."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config.shape import Measure, Pipeline, Synthetic
from edged.errors import RefusedError
from edged.series import series_of
from edged.worker.measure import Sums, meter
from edged.worker.measure.geometry import cells_inside, inside
from edged.worker.observation import Classes, Detections, Grid, Values

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
LABELS = ("person", "car", "bicycle")


def pipeline(*measures: Measure) -> Pipeline:
    return Pipeline(source=Synthetic(), zones={"left": LEFT}, measures=measures)


def values(line: Pipeline, observation: object, labels: tuple[str, ...] = LABELS) -> dict[str, float]:
    series = series_of("p", line)
    out = np.full(len(series), np.nan)
    meter(line, series, type(observation), labels, 0.5)(observation, out, 0.0)  # type: ignore[arg-type]
    return {
        f"{one.measure}/{one.label}/{one.zone}": float(value) for one, value in zip(series, out, strict=True)
    }


def detections(*things: tuple[int, float, float, float]) -> Detections:
    """(class, score, x, y of the foot point)."""
    boxes = np.array([[y - 0.2, x - 0.05, y, x + 0.05] for _, _, x, y in things], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.array([t[0] for t in things], np.int64), np.array([t[1] for t in things], np.float32)
    )


def test_detections_are_counted_by_label_and_zone() -> None:
    line = pipeline(
        Measure(kind="occupancy", labels=("person", "car")),
        Measure(kind="occupancy", labels=("person",), zones=("left",)),
        Measure(kind="presence", labels=("bicycle",)),
        Measure(kind="occupancy"),
    )
    seen = detections((0, 0.9, 0.2, 0.5), (0, 0.8, 0.8, 0.5), (1, 0.7, 0.3, 0.9), (2, 0.4, 0.3, 0.9))
    assert values(line, seen) == {
        "occupancy/person/": 2.0,
        "occupancy/car/": 1.0,
        "occupancy/person/left": 1.0,
        "presence/bicycle/": 0.0,
        "occupancy//": 3.0,
    }


def test_a_measure_may_have_a_threshold_of_its_own() -> None:
    line = pipeline(Measure(kind="occupancy"), Measure(kind="presence", labels=("bicycle",), min_score=0.3))
    assert values(line, detections((2, 0.4, 0.3, 0.9))) == {"occupancy//": 0.0, "presence/bicycle/": 1.0}


def test_values_of_the_frame_before_do_not_stay() -> None:
    line = pipeline(Measure(kind="occupancy"))
    out = np.array([5.0])
    meter(line, series_of("p", line), Detections, LABELS, 0.5)(detections(), out, 0.0)
    assert out[0] == 0.0


def test_a_box_cut_off_by_the_lower_edge_stands_in_the_picture() -> None:
    line = pipeline(Measure(kind="occupancy", zones=("left",)))
    assert values(line, detections((0, 0.9, 0.2, 1.2))) == {"occupancy//left": 1.0}


def test_grid_presence_and_activity_by_zone() -> None:
    line = pipeline(
        Measure(kind="presence"),
        Measure(kind="presence", zones=("left",)),
        Measure(kind="activity"),
        Measure(kind="activity", zones=("left",)),
    )
    movement, presence = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.float32)
    presence[1, 3] = 0.9
    movement[0, 0] = movement[0, 1] = 0.6
    assert values(line, Grid(movement, presence), ()) == {
        "presence//": 1.0,
        "presence//left": 0.0,
        "activity//": 2 / 16,
        "activity//left": 2 / 8,
    }


def test_a_zone_smaller_than_a_cell_has_the_cell_it_is_in() -> None:
    tiny = ((0.3, 0.6), (0.31, 0.6), (0.3, 0.61))
    mask = cells_inside(tiny, (4, 4))
    assert mask.sum() == 1 and mask[2, 1]


def test_classes_and_values() -> None:
    line = pipeline(Measure(kind="presence", labels=("car", "person")), Measure(kind="presence"))
    scores = Classes(np.array([0.1, 0.8, 0.1], np.float32))
    assert values(line, scores) == {"presence/car/": 1.0, "presence/person/": 0.0, "presence//": 1.0}
    line = pipeline(Measure(kind="level", labels=("b",), unit="g"))
    assert values(line, Values(np.array([1.5, -2.5], np.float32)), ("a", "b")) == {"level/b/": -2.5}


@pytest.mark.parametrize(
    ("measure", "gives", "message"),
    [
        (Measure(kind="occupancy"), Grid, "activity grid"),
        (Measure(kind="activity"), Detections, "detections"),
        (Measure(kind="level"), Classes, "classes"),
        (Measure(kind="presence", labels=("person",)), Grid, "names labels"),
        (Measure(kind="presence", zones=("left",)), Classes, "names a zone"),
        (Measure(kind="presence", labels=("persn",)), Detections, '"persn"'),
    ],
)
def test_what_a_model_cannot_give_is_refused(measure: Measure, gives: type, message: str) -> None:
    line = pipeline(measure)
    with pytest.raises(RefusedError, match=message):
        meter(line, series_of("p", line), gives, LABELS, 0.5)


def test_who_asks_for_part_of_a_label_is_shown_the_whole() -> None:
    """Label files have lines such as "tench, Tinca tinca": that is one label."""
    labels = (*tuple(f"fish {number}" for number in range(1000)), "tench, Tinca tinca")
    line = pipeline(Measure(kind="presence", labels=("Tench",)))
    with pytest.raises(RefusedError) as told:
        meter(line, series_of("p", line), Classes, labels, 0.5)
    assert told.value.hint.startswith('it knows "tench, Tinca tinca", "fish 0", ')
    assert told.value.hint.endswith('"fish 6" … (1001 in all: edged models show FILE --labels)')


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_inside_a_triangle_is_what_geometry_says(x: float, y: float) -> None:
    expected = x + y < 1.0
    if abs(x + y - 1.0) > 1e-9:
        assert inside(x, y, ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))) is expected


def sums(*frames: tuple[float, float], until: float, hold: float = 1.0) -> Sums:
    total = Sums(("count",), 0.0, hold)
    for at, value in frames:
        total.add(at, np.array([value]))
    total.advance(until)
    return total


def test_a_value_weighs_the_time_that_it_holds() -> None:
    start, end, observed, blind, (entry,) = sums((0.0, 1.0), (0.25, 3.0), until=1.0).taken()
    assert (start, end, observed, blind) == (0.0, 1.0, 1.0, 0.0)
    assert msgspec.structs.astuple(entry) == (1.0, 0.25 + 2.25, 1.0, 3.0, 0.25 + 6.75)


def test_the_mean_is_the_same_at_any_frame_rate() -> None:
    def truth(t: float) -> float:
        return 1.0 if 0.0 <= t % 4.0 < 1.0 else 0.0

    means = [
        sums(*((n / rate, truth(n / rate)) for n in range(20 * rate)), until=20.0).taken()[4][0].mean
        for rate in (1, 2, 5, 10)
    ]
    swinging = [n / 10 for n in range(100)] + [10 + n / 2 for n in range(20)]
    means.append(sums(*((t, truth(t)) for t in swinging), until=20.0).taken()[4][0].mean)
    assert means == pytest.approx([0.25] * 5)


def test_time_that_no_frame_speaks_for_is_blind() -> None:
    _, _, observed, blind, (entry,) = sums((0.0, 2.0), until=5.0, hold=1.5).taken()
    assert (observed, blind, entry.seconds, entry.sum) == (1.5, 3.5, 1.5, 3.0)


def test_paused_time_is_not_blind() -> None:
    total = sums((0.0, 2.0), until=1.0)
    total.advance(5.0, paused=True)
    assert total.taken()[2:4] == (1.0, 0.0)


def test_a_frame_that_comes_late_counts_from_now() -> None:
    total = sums((0.0, 1.0), until=1.0)
    total.taken()
    total.add(0.9, np.array([4.0]))
    total.advance(1.5)
    start, end, observed, _, (entry,) = total.taken()
    assert (start, end, observed, entry.min, entry.sum) == (1.0, 1.5, 0.5, 4.0, 2.0)


def test_a_stretch_without_a_frame_has_no_numbers() -> None:
    total = Sums(("count", "share"), 0.0, 1.0)
    total.advance(1.0)
    assert total.taken()[4] == (msgspec.convert([0.0] * 5, type=type(total.taken()[4][0])),) * 2
