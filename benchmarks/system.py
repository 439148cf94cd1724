"""The whole system, run as its users run it: ``edged run CONFIG`` in a process of its own, watched from
outside.

Nothing in it is replaced: real worker, wall, aggregation, SQLCipher store with real commits. Frames come
from the synthetic source, drawn beforehand and held in memory, so that drawing is not measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bare import pss_mb
from edged.control_client import ask

SHARED = Path(os.environ.get("EDGED_SHARED", "../shared")).resolve()
SSD = SHARED / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
TINY = SHARED / "models/mobilenet_v1_0.25_128_quant.tflite"
TICKS = os.sysconf("SC_CLK_TCK")


def require(*paths: Path) -> None:
    """Raise ``FileNotFoundError`` with a reason where a real model or clip is not here."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"{path.name} is not here; EDGED_SHARED names the folder of real models and media"
            )


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Sample(NamedTuple):
    """A moment of the running system."""

    at: float
    frames: int
    worker_cpu: float
    daemon_cpu: float
    wall_bytes: int


class Running:
    """A daemon at work on one pipeline named ``p``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, began: float) -> None:
        self.process, self._folder, self._began = process, folder, began
        self.start_s = self._wait_for_ready()

    def status(self) -> dict[str, Any]:
        """Of the daemon."""
        return ask(str(self._folder), "status")

    def pipeline(self) -> dict[str, Any]:
        """Status of the pipeline."""
        return self.status()["pipelines"][0]  # type: ignore[no-any-return]

    def _wait_for_ready(self) -> float:
        """Seconds from exec to the first inference, by the daemon's own line about it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if b"started" in line:
                os.set_blocking(self.process.stderr.fileno(), False)
                return time.monotonic() - self._began
        raise RuntimeError(f"the daemon did not start: exit status {self.process.wait()}")

    def sample(self) -> Sample:
        """Now."""
        one = self.pipeline()
        worker, daemon = cpu_s(one["pid"]), cpu_s(self.process.pid)
        return Sample(time.monotonic(), one["analysed"], worker, daemon, one["wall_bytes"])

    def pss(self) -> tuple[float, float]:
        """(daemon, worker) in MB."""
        return pss_mb(self.process.pid), pss_mb(self.pipeline()["pid"])


CONFIG = """
[daemon]
state_dir = "."
runtime_dir = "."
[clock]
trust = "always"
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
    """The daemon on one pipeline; ended at the end, which must go well."""
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as name:
        folder = Path(name)
        config = folder / "edged.toml"
        config.write_text(CONFIG.format(model=model, rate=rate, source=source, pipeline=pipeline))
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
