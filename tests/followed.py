"""People and cars for meters: boxes of a script, or of the scripted scene, and what a meter makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from edged.config.shape import Line, Measure, Pipeline, Synthetic
from edged.series import series_of
from edged.worker.measure import Happenings, Memory, meter
from edged.worker.observation import Detections
from edged.worker.source.scene import Scene, in_view

LABELS = ("person", "car")
#: (label, score, x and y of the foot, height); the width is a third of the height.
Thing = tuple[str, float, float, float, float]
Script = Callable[[float], Iterable[Thing]]


def detections(things: Iterable[Thing], labels: tuple[str, ...] = LABELS) -> Detections:
    """Boxes of things, cut at the picture's edges."""
    found = list(things)
    boxes = np.array([[y - h, x - h / 6, y, x + h / 6] for _, _, x, y, h in found], np.float32).reshape(-1, 4)
    return Detections(
        np.clip(boxes, 0.0, 1.0),
        np.array([labels.index(one[0]) for one in found], np.int64),
        np.array([one[1] for one in found], np.float32),
    )


def of_scene(scene: Scene, at: float) -> Detections:
    """What a perfect detector finds."""
    shown = [thing for thing in scene.truth(at) if in_view(thing)]
    return Detections(
        np.array([thing.box for thing in shown], np.float32).reshape(-1, 4),
        np.array([LABELS.index(thing.kind) for thing in shown], np.int64),
        np.full(len(shown), 0.9, np.float32),
    )


class Watched:
    """A pipeline's meter, and all that it has told."""

    def __init__(
        self,
        *measures: Measure,
        lines: dict[str, Line] | None = None,
        zones: dict[str, object] | None = None,
        labels: tuple[str, ...] = LABELS,
    ) -> None:
        self.pipeline = Pipeline(source=Synthetic(), lines=lines or {}, zones=zones or {}, measures=measures)  # type: ignore[arg-type]
        self.series = series_of("p", self.pipeline)
        self.memory = Memory(self.pipeline, self.series)
        self.labels = labels
        self.meter = self.rung(labels)
        self.values = np.zeros(len(self.series))
        self._told: Counter[tuple[int, int]] = Counter()

    def rung(self, labels: tuple[str, ...], min_score: float = 0.5):  # type: ignore[no-untyped-def]
        """The meter of another model."""
        return meter(self.pipeline, self.series, Detections, labels, min_score, self.memory)

    def look(self, observation: Detections, at: float) -> None:
        """A frame."""
        self.take(self.meter(observation, self.values, at))

    def take(self, happened: Happenings) -> None:
        """What a meter told."""
        for one in happened:
            self._told[one.series, one.bin] += one.times

    def stop(self, at: float) -> None:
        """Nothing is seen from now on."""
        self.take(self.meter.interrupt(at))

    def run(self, script: Script, times: Iterable[float]) -> Watched:
        """Look at a script at these times."""
        for at in times:
            self.look(detections(script(at), self.labels), at)
        return self

    @property
    def told(self) -> dict[str, int]:
        """Events by "measure/label/zone", those of any number."""
        made: Counter[str] = Counter()
        for (index, bin), count in self._told.items():
            if bin <= 168:
                one = self.series[index]
                made[f"{one.measure}/{one.label}/{one.zone}"] += count
        return dict(made)

    def bins(self, measure: str) -> dict[int, int]:
        """Counts by bin of all series of a measure."""
        made: Counter[int] = Counter()
        for (index, bin), count in self._told.items():
            if self.series[index].measure == measure:
                made[bin] += count
        return dict(made)


def every(seconds: float, start: float, end: float) -> Iterator[float]:
    """Times from ``start`` to ``end``, so many ``seconds`` apart."""
    for number in range(int((end - start) / seconds) + 1):
        yield start + number * seconds
