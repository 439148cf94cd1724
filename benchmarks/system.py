"""The whole system, run as its users run it: ``edged run CONFIG`` in a process of its own, watched from
outside.

Nothing in it is replaced: real worker, wall, aggregation, SQLCipher store with real commits. Frames come
from the synthetic source, drawn beforehand and held in memory, so that drawing is not measured.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bare import Sample, cpu_s, pss_mb
from edged.control_client import ask

SHARED = Path(os.environ.get("EDGED_SHARED", "../shared")).resolve()
SSD = SHARED / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
TINY = SHARED / "models/mobilenet_v1_0.25_128_quant.tflite"


def require(*paths: Path) -> None:
    """Raise ``FileNotFoundError`` with a reason where a real model or clip is not here."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"{path.name} is not here; EDGED_SHARED names the folder of real models and media"
            )


class Running:
    """A daemon at work on one pipeline named ``p``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, began: float) -> None:
        self.process, self._folder = process, folder
        self._changed = threading.Condition()
        self._last: Sample | None = None
        self._up = 0.0
        threading.Thread(target=self._listen, daemon=True).start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._up or process.poll() is not None, 60) or not self._up:
                raise RuntimeError(f"the daemon did not start: exit status {process.poll()}")
        self.start_s = self._up - began

    def _listen(self) -> None:
        """Take every line the moment that it is said."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                if b"started" in line:
                    self._up = time.monotonic()
                elif found := TICK.search(line):
                    self._last = Sample(time.monotonic(), int(found[1]), sum(map(cpu_s, self.pids)))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def status(self) -> dict[str, Any]:
        """Of the daemon."""
        return ask(str(self._folder), "status")

    def pipeline(self) -> dict[str, Any]:
        """Status of the pipeline."""
        return self.status()["pipelines"][0]  # type: ignore[no-any-return]

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the daemon and its worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return (self.process.pid, *map(int, children))

    def sample(self) -> Sample:
        """The moment of the next tick: between ticks nobody outside the worker knows the number of frames."""
        with self._changed:
            before = self._last
            if not self._changed.wait_for(lambda: self._last is not before, 30):
                raise RuntimeError("the daemon ticks no longer")
            assert self._last is not None
            return self._last

    def watched(self, seconds: float) -> tuple[Sample, Sample]:
        """The moments of two ticks, at least so many seconds apart."""
        first = last = self.sample()
        while last.at - first.at < seconds:
            last = self.sample()
        return first, last

    def pss(self) -> tuple[float, float]:
        """(daemon, worker) in MB."""
        return pss_mb(self.process.pid), pss_mb(self.pipeline()["pid"])


#: The daemon's own word, at log level debug.
TICK = re.compile(rb"tick \d+: (\d+) frames")

CONFIG = """
[daemon]
log_level = "debug"
state_dir = "."
runtime_dir = "."
[clock]
trust = "always"
[governor]
enabled = {governed}
[models.m]
file = "{model}"
min_score = 0.5
[pipelines.p]
model = "m"
rate = {rate}
{pipeline}
[pipelines.p.source]
{source}
"""


def held(width: int, height: int, pace: str = "fast") -> str:
    """A synthetic source with its frames held in memory."""
    fps = 240 if pace == "fast" else 30
    return f'kind = "synthetic"\nwidth = {width}\nheight = {height}\nfps = {fps}\npace = "{pace}"\nheld = 2'


TWENTY = """zones.a = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
zones.b = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]
measures = [
  { kind = "occupancy", labels = ["person", "car", "bicycle", "dog", "bus"] },
  { kind = "occupancy", labels = ["person", "car", "bicycle", "dog", "bus"], zones = ["a", "b"] },
  { kind = "presence", labels = ["person", "car", "bicycle", "dog", "bus"] },
]"""
PRESENCE = 'measures = [{ kind = "presence" }]'


@contextmanager
def running(model: Path | str, rate: float, source: str, pipeline: str = PRESENCE) -> Iterator[Running]:
    """The daemon on one pipeline; ended at the end, which must go well.

    What is read as fast as it goes is held against other programs that make way for nobody and heed no
    heat, so it is not governed then. What that costs is a figure of its own (`governor.cpu_share`).
    """
    governed = "false" if 'pace = "fast"' in source else "true"
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as name:
        folder = Path(name)
        config = folder / "edged.toml"
        config.write_text(
            CONFIG.format(model=model, rate=rate, source=source, pipeline=pipeline, governed=governed)
        )
        edged = [sys.executable, "-m", "edged"]
        subprocess.run([*edged, "keys", "init", str(folder / "key")], check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        process = subprocess.Popen([*edged, "run", "--config", str(config)], stderr=subprocess.PIPE)
        try:
            yield Running(process, folder, began)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(20)
        if status:
            raise RuntimeError(f"the daemon ended with status {status}")
