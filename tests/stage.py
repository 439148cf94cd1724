"""A reactor with keepers of real workers, and someone who listens: what the daemon is to them."""

from __future__ import annotations

import time
from collections.abc import Callable

from edged import wall
from edged.config.shape import Blindness, Measure, Model, Pipeline, Source, Synthetic
from edged.reactor import Reactor
from edged.roster import finish
from edged.series import series_of
from edged.supervise import Keeper

ACTIVITY = Model(file="builtin:activity")
SCENE = Synthetic(width=96, height=96, fps=10.0)


class Heard:
    """A daemon that only listens."""

    def __init__(self) -> None:
        self.ticks: list[tuple[str, wall.Tick]] = []
        self.events: list[tuple[str, str, str]] = []

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        self.ticks.append((keeper.name, tick))

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        self.events.append((keeper.name, event, text))

    def count(self, name: str) -> int:
        return sum(one == name for one, _ in self.ticks)


class Stage:
    """A reactor and its keepers, ended at the end."""

    def __init__(self) -> None:
        self.reactor, self.heard = Reactor(), Heard()
        self.keepers: list[Keeper] = []

    def keep(
        self,
        name: str = "p",
        source: Source = SCENE,
        model: Model = ACTIVITY,
        rate: float = 10.0,
        measure: Measure | None = None,
        ladder: tuple[Model, ...] = (),
        blind_when: tuple[Blindness, ...] | None = None,
    ) -> Keeper:
        """``ladder`` is instead of ``model``: all of it, dearest first."""
        measures = (measure or Measure(kind="presence"),)
        pipeline = Pipeline(source=source, rate=rate, measures=measures, blind_when=blind_when)
        keeper = Keeper(
            self.reactor, self.heard, name, pipeline, ladder or (model,), series_of(name, pipeline)
        )
        self.keepers.append(keeper)
        keeper.start()
        return keeper

    def until(self, condition: Callable[[], bool], patience: float = 30.0) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f"not within {patience} s; heard {self.heard.events}"
            self.reactor.turn(0.05)

    def events(self, kind: str) -> list[str]:
        return [text for _, event, text in self.heard.events if event == kind]

    def end(self) -> None:
        finish(self.reactor, self.keepers)
        self.reactor.close()
