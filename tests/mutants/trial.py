"""One mutant, tried: by the daemon's keeper as a pipeline, and, if it is a model, as `edged doctor` would."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import warm

from edged import wall
from edged.config.shape import File, Measure, Model, Pipeline, Synthetic
from edged.reactor import Reactor
from edged.series import series_of
from edged.supervise import Keeper
from edged.worker import examine

#: Seconds until a worker that says nothing has to go; the daemon gives it 90 on a slow board.
PATIENCE = 20.0
ENOUGH = 20  # ticks after which a recording has been seen to work
SCENE = Synthetic(width=96, height=96, fps=5.0, pace="fast", duration=4.0)
SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".opus")
BANDS = ((200.0, 800.0), (2000.0, 4000.0))
BUNDLED = Model(file="builtin:activity")


class Outcome(NamedTuple):
    """``kind``: ran, refused, unavailable, fault, crashed, stalled, wall-broken, broke-out or lost."""

    kind: str
    said: str


class Ear:
    """The daemon's part of listening."""

    def __init__(self) -> None:
        self.ticks = 0
        self.events: list[tuple[str, str]] = []

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        self.ticks += 1

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        self.events.append((event, text))


class Trial:
    """A keeper with one file that is not to be trusted."""

    def __init__(self, reactor: Reactor, pipeline: Pipeline, model: Model) -> None:
        self._ear = Ear()
        self._began = time.monotonic()
        self._keeper = Keeper(reactor, self._ear, "p", pipeline, (model,), series_of("p", pipeline))
        self._keeper.start()
        self._outcome: Outcome | None = None

    def outcome(self) -> Outcome | None:
        """What came of it; None while it goes on, or while its worker has not gone yet."""
        if self._outcome is None:
            self._outcome = self._judged()
            if self._outcome is not None:
                self._keeper.stop()
        return None if self._keeper.alive else self._outcome

    def _judged(self) -> Outcome | None:
        keeper, events = self._keeper, dict(self._ear.events)
        for kind in ("wall-broken", "worker-broke-out", "refused"):
            if kind in events:
                return Outcome(kind.removeprefix("worker-"), events[kind])
        if keeper.state in ("backoff", "quarantined"):
            return Outcome(_kind(keeper.why), keeper.why)
        if keeper.state == "ended" or self._ear.ticks >= ENOUGH:
            return Outcome("ran", f"{self._ear.ticks} ticks")
        if time.monotonic() - self._began > PATIENCE and keeper.state == "starting":
            return Outcome("stalled", "no first inference")
        return None


def _kind(why: str) -> str:
    if "ended by SIG" in why or "ended by itself" in why:
        return "crashed"
    if why.startswith("no progress"):
        return "stalled"
    return "fault" if why.startswith("a fault in") else "unavailable"


def of_model(
    reactor: Reactor, path: Path, kind: str, decoder: str = "auto", source: File | Synthetic = SCENE
) -> Trial:
    """A model under a scene that is drawn, or a recording, measured as its seed could be."""
    measure = Measure(kind=kind)  # type: ignore[arg-type]
    pipeline = Pipeline(source=source, rate=0.0, measures=(measure,))
    return Trial(reactor, pipeline, Model(file=str(path), decoder=decoder))  # type: ignore[arg-type]


def of_media(reactor: Reactor, path: Path) -> Trial:
    """A video or picture, read as fast as it goes, under the bundled model; sound under one that hears."""
    source = File(path=str(path), pace="fast")
    if path.suffix in SOUNDS:
        heard = Pipeline(source=source, rate=0.0, measures=(Measure(kind="presence"),))
        return Trial(reactor, heard, ear(path.parent))
    return Trial(reactor, Pipeline(source=source, rate=5.0, measures=(Measure(kind="presence"),)), BUNDLED)


def ear(folder: Path) -> Model:
    """A model that hears two bands, made on the spot."""
    import sounds

    path = folder / "ear.tflite"
    if not path.exists():
        path.write_bytes(sounds.ear(BANDS))
    return Model(file=str(path), labels=("low", "high"), sample_rate=16000)


def examined(path: Path) -> Outcome:
    """What `edged doctor` would hear of a model: in a process of its own, by the worker's own examiner."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        warm.become(theirs, lambda: _answer(path))
    os.close(theirs)
    said = _read(ours)
    os.close(ours)
    if said is None:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said is None:
        return Outcome("stalled", "no answer")
    if status < 0:
        return Outcome("crashed", signal.Signals(-status).name)
    if status:
        return Outcome("fault", f"exit status {status}")
    answer = msgspec.json.decode(said)
    return Outcome("refused", answer["refused"]) if "refused" in answer else Outcome("ran", "examined")


def _answer(path: Path) -> int:
    question = examine.OfModel(Model(file=str(path)))
    os.write(3, msgspec.json.encode(examine.answer(question)))
    return 0


def _read(end: int) -> bytes | None:
    """All until the other end closes; None when it takes too long."""
    deadline, said = time.monotonic() + PATIENCE, b""
    while select.select([end], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (more := os.read(end, 65536)):
            return said
        said += more
    return None


def until_done(reactor: Reactor, trial: Trial) -> Outcome:
    """Wait for one."""
    while (outcome := trial.outcome()) is None:
        reactor.turn(0.05)
    return outcome


Begin = Callable[[Reactor, Path], Trial]


def gist(said: str) -> str:
    """What was said without its numbers and names of files: for counting."""
    return re.sub(r"/[^\s:,;]+", "FILE", re.sub(r"-?\d[\d.e+-]*", "#", said))[:100]
