"""What edged makes of the same things, written down to be compared with another architecture's.

``python architectures.py FOLDER`` runs the whole of edged on a recording whose every frame is scripted, and
the models on pictures that are the same everywhere; ``test_architectures.py`` compares. What cannot be made
(real models and media are not part of a checkout) is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.errors import EndOfSource
from edged.store.database import PAGE
from edged.worker import source
from edged.worker.prepare import Preparation
from edged.worker.runtime import open_network

ROOT: Final = Path(__file__).resolve().parents[2]
SHARED: Final = Path(os.environ.get("EDGED_SHARED", ROOT.parent / "shared"))

#: Half a minute with people and cars, the first ones after 6 s; noise, zones, and a day that begins within
#: it.
CONFIG: Final = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[store.keep]
second = "forever"
[clock]
trust = "always"
timezone = "Europe/Berlin"
[pipelines.street]
rate = 5.0
[pipelines.street.source]
kind = "synthetic"
width = 320
height = 240
fps = 10.0
seed = 20
pace = "fast"
people = 20.0
cars = 10.0
empty = "6s"
duration = "30s"
start = "{start}"
[pipelines.street.zones]
left = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
[[pipelines.street.measures]]
kind = "presence"
zones = ["left"]
[[pipelines.street.measures]]
kind = "activity"
"""
START: Final = "2026-03-28T23:59:50+01:00"
LATER: Final = "2026-03-29T00:01:00+01:00"

#: What real models are shown. On the clip's second look, ten seconds in, somebody stands at the table.
DETECTOR: Final = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
CLASSIFIERS: Final = ("mobilenet_v1_0.25_224_quant.tflite", "mobilenet_v1_0.25_128_quant.tflite")
CLIP, STILL = "one-by-one-person-detection.mp4", "burger.jpg"
LOOKS: Final = 2


def make(folder: Path) -> None:
    """All of it, into a new folder."""
    folder.mkdir(parents=True)
    recording(folder, START)
    np.savez(folder / "frames.npz", frames=np.stack(list(scene(40))))
    np.savez(folder / "activity.npz", **grids())
    if (SHARED / "models").is_dir():
        np.savez(folder / "real.npz", **real_models())


def recording(folder: Path, start: str) -> None:
    """Count the scripted recording into the store of ``folder``, a new one if there is none."""
    (folder / "edged.toml").write_text(CONFIG.replace("{start}", start))
    edged(folder, "run", "--init-key", "edged.toml")
    (folder / "report.json").write_text(edged(folder, "report", "--all", "--every", "1s", "--json"))


def edged(folder: Path, *arguments: str) -> str:
    """What a command says. Raises ``CalledProcessError`` with what it complained of."""
    command = [sys.executable, "-m", "edged", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} left with {done.returncode}: {done.stderr}")
    return done.stdout


def scene(number: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of the recording, uint8 [120, 160, 1], from just before the first comes."""
    config = shape.Synthetic(width=160, height=120, seed=20, pace="fast", people=20.0, cars=10.0, empty=1.0)
    return looks(config, source.Want(width=160, height=120, channels=1, rate=5.0), number)


def looks(config: shape.Source, want: source.Want, number: int) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a source, each an array of its own."""
    one = source.opened(config, want)
    try:
        for _ in range(number):
            frame = one.read(60.0)
            assert frame is not None
            yield frame.data.copy()
    except EndOfSource:
        return
    finally:
        one.close()


def grids() -> dict[str, NDArray[np.float32]]:
    """What the bundled model makes of the scene, frame after frame, its state fed back."""
    network = open_network(shape.Model(file="builtin:activity"))
    prepare = Preparation(network.picture)
    seen = [network.infer(prepare(frame), 0.2) for frame in scene(40)]
    return {
        "movement": np.stack([one.movement for one in seen]),  # type: ignore[union-attr]
        "presence": np.stack([one.presence for one in seen]),  # type: ignore[union-attr]
    }


def real_models() -> dict[str, NDArray[Any]]:
    """Detections and scores of real models on real pictures, and the pictures as they were decoded."""
    made: dict[str, NDArray[Any]] = {}
    made["clip"] = np.stack([*clip()])
    (made["still"],) = looks(shape.File(path=str(SHARED / "media" / STILL)), source.Want(224, 224, 3, 0.0), 1)
    network = open_network(shape.Model(file=str(SHARED / "models" / DETECTOR)))
    prepare = Preparation(network.picture)
    for number, picture in enumerate(made["clip"]):
        found = network.infer(prepare(picture), 0.0)
        made[f"boxes{number}"], made[f"classes{number}"], made[f"scores{number}"] = found  # type: ignore[misc]
    for name in CLASSIFIERS:
        network = open_network(shape.Model(file=str(SHARED / "models" / name)))
        made[name] = network.infer(Preparation(network.picture)(made["still"]), 0.0)[0]
    return made


def clip() -> Iterator[NDArray[np.uint8]]:
    """A few frames of the clip, some seconds apart."""
    config = shape.File(path=str(SHARED / "media" / CLIP), pace="fast")
    yield from list(looks(config, source.Want(300, 300, 3, 0.1), LOOKS))


def rows(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a store but what tells of its own making, read with SQLCipher alone."""
    import sqlcipher3

    key = (folder / "state" / "key").read_text().strip()
    store = sqlcipher3.connect(f"file:{folder / 'state' / 'edged.db'}?mode=ro", uri=True)
    store.execute(f"PRAGMA key = \"x'{key}'\"")
    store.execute(f"PRAGMA cipher_page_size = {PAGE}")
    tables = [
        name for (name,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    ]
    found = {name: store.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    # When, in which boot and by which version: a second run on one machine differs in these too.
    return {name: some for name, some in found.items() if name not in ("meta", "boot", "event")}


def report(folder: Path) -> dict[str, Any]:
    """A store's report as the one who made it saw it."""
    answer: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return answer


if __name__ == "__main__":
    make(Path(sys.argv[1]))
