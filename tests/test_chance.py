"""Events of classes, and how sure events are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from followed import LABELS, detections
from hypothesis import given
from hypothesis import strategies as st

from edged import wall
from edged.amounts import DOUBTFUL, MISSED, PARTS
from edged.config.shape import Line, Measure, Model, Pipeline, Synthetic
from edged.series import series_of
from edged.worker.ladder import Ladder
from edged.worker.measure import Memory, meter
from edged.worker.measure.chance import Detectability, Parts, doubt, missed
from edged.worker.observation import Classes, Detections

SOUNDS = ("Silence", "Bird", "Dog")
EVENTS = Pipeline(
    source=Synthetic(),
    measures=(Measure(kind="events", labels=("Bird", "Dog")), Measure(kind="presence", labels=("Bird",))),
)


class Heard:
    """A meter of classes, told one class's score at a time."""

    def __init__(self, hop: float = 0.5) -> None:
        self.series = series_of("p", EVENTS)
        self._meter = meter(EVENTS, self.series, Classes, SOUNDS, 0.5, Memory(EVENTS, self.series))
        self._at, self._hop = 0.0, hop
        self.events: list[tuple[float, str]] = []
        self.parts: dict[int, int] = {}
        self.values = np.zeros(len(self.series))

    def hear(self, *scores: float, label: str = "Bird") -> Heard:
        for score in scores:
            wanted = np.zeros(len(SOUNDS), np.float32)
            wanted[SOUNDS.index(label)] = score
            self._take(self._meter(Classes(wanted), self.values, self._at))
            self._at += self._hop
        return self

    def stop(self) -> None:
        self._take(self._meter.interrupt(self._at))

    def _take(self, told: object) -> None:
        for one in told:  # type: ignore[attr-defined]
            if one.bin:
                self.parts[one.bin] = self.parts.get(one.bin, 0) + one.times
            else:
                self.events.append((self._at, self.series[one.series].label))


def test_an_event_is_a_beginning() -> None:
    heard = Heard().hear(0.1, 0.9, 0.9, 0.8, 0.1, 0.1, 0.1, 0.1, 0.7, 0.1)
    assert heard.events == [(0.5, "Bird"), (4.0, "Bird")]
    assert heard.hear(*[0.1] * 5, 0.9, label="Dog").events[2:] == [(7.5, "Dog")]


def test_a_score_that_wavers_about_the_threshold_is_one_event() -> None:
    assert len(Heard().hear(0.55, 0.45, 0.52, 0.41, 0.6, 0.3, 0.6, 0.1, 0.55).events) == 1
    assert len(Heard().hear(0.55, 0.2, 0.2, 0.2, 0.55).events) == 2
    assert len(Heard().hear(0.55, *[0.45] * 8, 0.55).events) == 1
    assert Heard().hear(*[0.49] * 10).events == []


def test_a_pause_ends_an_event() -> None:
    heard = Heard().hear(0.9, 0.9)
    heard.stop()
    assert len(heard.hear(0.9, 0.9).events) == 2


def test_presence_beside_events_is_as_before() -> None:
    heard = Heard().hear(0.9)
    assert heard.values[-1] == 1.0
    assert heard.hear(0.2).values[-1] == 0.0


def test_brief_and_faint_events_are_doubtful() -> None:
    faint, loud = Heard(), Heard()
    for _ in range(40):
        faint.hear(0.5, 0.0, 0.0, 0.0, 0.0)
        loud.hear(0.95, 0.95, 0.95, 0.95, 0.0, 0.0, 0.0, 0.0)
    assert len(faint.events) == len(loud.events) == 40
    assert faint.parts[DOUBTFUL] == pytest.approx(16 * 40 * 0.5, abs=16)
    assert DOUBTFUL not in loud.parts
    assert faint.parts[MISSED] > loud.parts.get(MISSED, 0)


def test_who_is_seen_half_of_the_time_stands_for_more_than_one() -> None:
    assert missed(0.5, 2, 2) == pytest.approx(0.5 / 0.5)  # no less than half is believed to be noticed
    assert missed(0.9, 2, 2) == pytest.approx(0.19 / 0.81)
    assert missed(0.9, 3, 2) == pytest.approx(0.028 / 0.972)
    assert missed(0.9, 1, 1) == pytest.approx(0.1 / 0.9)
    assert missed(1.0, 50, 2) == pytest.approx(0.0, abs=1e-6)


def test_doubt_falls_with_score_and_hits_and_no_further() -> None:
    assert doubt(0.6, 1) == pytest.approx(0.4)
    assert doubt(0.6, 3) == doubt(0.6, 300) == pytest.approx(0.4**3)
    assert doubt(1.2, 1) == 0.0


def test_detectability_learns_and_forgets() -> None:
    of = Detectability()
    assert of.of(0, 0) == pytest.approx(0.8)
    for _ in range(100):
        of.add(50, 100)
    assert of.of(0, 0) == pytest.approx(0.5, abs=0.01)
    assert of.of(100, 100) == pytest.approx(1.0, abs=0.03)


@given(st.lists(st.floats(0.0, 3.0), max_size=60), st.integers(1, 160))
def test_parts_lose_nothing(shares: list[float], lump: int) -> None:
    parts = Parts()
    told = [one for share in shares for one in parts.add(3, MISSED, share, lump)]
    assert all((one.series, one.bin) == (3, MISSED) and one.times >= lump for one in told)
    assert 0.0 <= sum(shares) * PARTS - sum(one.times for one in told) + 1e-6 < lump + 1.0


def test_both_models_of_a_ladder_follow_the_same_people() -> None:
    line = Pipeline(
        source=Synthetic(),
        lines={"gate": Line(points=((0.5, 1.0), (0.5, 0.0)))},
        measures=(Measure(kind="crossings", labels=("person",)),),
    )
    models = (Model(file="a.tflite"), Model(file="b.tflite"))
    series = series_of("p", line)
    ladder = Ladder(wall.Assignment(wall.PROTOCOL, "p", line, models, series))
    nets = [
        SimpleNamespace(gives=Detections, labels=LABELS),
        SimpleNamespace(gives=Detections, labels=LABELS[::-1]),
    ]
    first, second = (ladder._meter(rung, net) for rung, net in enumerate(nets))  # type: ignore[arg-type]
    values, told = np.zeros(len(series)), []
    for frame in range(40):
        look, labels = (first, LABELS) if frame < 20 else (second, LABELS[::-1])
        seen = detections([("person", 0.9, 0.02 + 0.024 * frame, 0.8, 0.3)], labels)
        told += look(seen, values, 0.2 * frame)
    assert [(series[one.series].zone, one.bin) for one in told] == [("gate:in", 0)]
