"""Nothing is looked at or heard before the lock: each kind of source is opened by the worker's own code, and
what was read of it by the time of the lock is counted.
"""

from __future__ import annotations

import ctypes.util
import os
import pty
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import media
import msgspec
import pytest
import sounds
from stage import Stage

from edged import wall
from edged.config import shape
from edged.config.shape import Channel, Measure, Model, Pipeline
from edged.series import series_of
from edged.worker import ladder, loop, source
from edged.worker.sandbox import Locked
from edged.worker.shelf import shelf

NONE, ACTIVITY = Model(file="builtin:none"), Model(file="builtin:activity")
PRESENCE, LEVEL = Measure(kind="presence"), Measure(kind="level", labels=("a",))


def ear(folder: Path) -> tuple[Model, Measure]:
    file = folder / "ear.tflite"
    file.write_bytes(sounds.ear([(2000.0, 5000.0), (30.0, 400.0)]))
    model = Model(file=str(file), labels=("song", "hum"), sample_rate=16000.0)
    return model, Measure(kind="presence", labels=("song",))


def microphone(folder: Path) -> tuple[Any, ...]:
    if ctypes.util.find_library("asound") is None:
        pytest.skip("ALSA's library is not here")
    return shape.Microphone(device="null"), *ear(folder)


def serial(folder: Path) -> tuple[Any, ...]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.write(ours, b"1\n2\n3\n")
    return shape.Serial(device=os.ttyname(theirs), channels={"a": Channel()}), NONE, LEVEL


def attribute(folder: Path) -> tuple[Any, ...]:
    (folder / "value").write_text("21\n")
    return shape.Sysfs(channels={"a": Channel(path=str(folder / "value"))}), NONE, LEVEL


KINDS: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    "synthetic": lambda _: (shape.Synthetic(), ACTIVITY, PRESENCE),
    "synthetic-fast": lambda _: (shape.Synthetic(pace="fast"), ACTIVITY, PRESENCE),
    "video": lambda folder: (shape.File(path=str(media.movie(folder / "a.avi"))), ACTIVITY, PRESENCE),
    "album": lambda folder: (shape.File(path=str(media.folder(folder / "f"))), ACTIVITY, PRESENCE),
    "microphone": microphone,
    "serial": serial,
    "sysfs": attribute,
}


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process keeps nothing open of what a worker would."""
    monkeypatch.setattr(shelf, "_held", found := dict[str, int | OSError]())
    yield
    for one in found.values():
        if isinstance(one, int):
            os.close(one)


class LockedHere(Exception):
    """Where a worker would be locked."""


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_read_before_the_lock(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else was tried by then, once, and what meters remember knows nothing of it."""
    config, model, measure = KINDS[kind](tmp_path)
    pipeline = Pipeline(source=config, model="m", measures=(measure,))
    read: list[str] = []
    memories: list[Any] = []
    counted: list[Any] = []
    really, really_meter = source.opened, ladder.meter

    def meter(*given: Any) -> Any:
        made, memory = really_meter(*given), given[-1]
        memories.append(memory)

        def count(*observed: Any) -> Any:
            counted.append(memory)
            return made(*observed)

        return count

    def opened(*given: Any) -> Any:
        made = really(*given)
        reading = made.read
        made.read = lambda timeout: (read.append("read"), reading(timeout))[1]
        return made

    def lock(*given: Any) -> Locked:
        threads = [one for one in threading.enumerate() if one.name == "reader"]
        assert (read, threads) == ([], []), "a source is read before the lock"
        assert len(counted) == 1 and counted[0] is not memories[0]
        raise LockedHere

    monkeypatch.setattr(source, "opened", opened)
    monkeypatch.setattr(ladder, "meter", meter)
    monkeypatch.setattr(loop, "narrow", lambda task: ())
    monkeypatch.setattr(loop, "lock", lock)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    task = wall.Assignment(wall.PROTOCOL, "p", pipeline, (model,), series_of("p", pipeline), examine=False)
    with ours, theirs, pytest.raises(LockedHere):
        loop._work(wall.Channel(theirs, wall.Down), task)


@pytest.mark.parametrize("kind", ["video", "album"])
def test_a_recording_is_decoded_by_a_locked_worker(kind: str, tmp_path: Path, stage: Stage) -> None:
    config, model, measure = KINDS[kind](tmp_path)
    config = msgspec.structs.replace(config, pace="real", loop=True)
    keeper = stage.keep(source=config, model=model, measure=measure)
    stage.until(lambda: any(one.analysed for _, one in stage.heard.ticks))
    assert (keeper.restarts, stage.events("replaced"), stage.events("worker-broke-out")) == (0, [], [])
