"""The thing to compare with: a process that has only an interpreter, and calls ``invoke()`` in a loop.

``python -m benchmarks.bare MODEL SECONDS PERIOD BEGAN [COUNTER]`` prints one JSON line: start_s (from exec,
at ``BEGAN``, to the first inference), frames per second, CPU milliseconds per frame, and PSS at the end.
With PERIOD it invokes once per so many seconds. COUNTER is a file whose first 8 bytes count the frames, for
who watches from outside.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Bare(NamedTuple):
    """What the bare process did."""

    start_s: float
    fps: float
    cpu_ms: float
    pss_mb: float


class Sample(NamedTuple):
    """A moment of something that works: when, frames and CPU seconds so far."""

    at: float
    frames: int
    cpu: float


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, all of its threads, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in tasks) / 1e9


def pss_mb(pid: int | str = "self") -> float:
    """Proportional set size in MB (10^6 bytes): what the process costs, shared pages divided among those
    who share them.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"no Pss of {pid}")


def run(model: Path, seconds: float, period: float = 0.0) -> Bare:
    """Start such a process and wait for it."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.bare",
        str(model),
        str(seconds),
        str(period),
        str(time.monotonic()),
    ]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return Bare(**json.loads(done.stdout))


class Endless:
    """Such a process that runs until it is ended; ``frames`` may be read at any time."""

    def __init__(self, model: Path) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._file.truncate(8)
        self._counter = mmap.mmap(self._file.fileno(), 8)
        descriptor = self._file.fileno()
        command = [sys.executable, "-m", "benchmarks.bare", str(model), "1e9", "0", "0", str(descriptor)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, env=environment, pass_fds=[descriptor], stderr=subprocess.DEVNULL
        )
        self.pids = (self._process.pid,)
        while not self._frames():
            time.sleep(0.05)

    def sample(self) -> Sample:
        """Now, or half a millisecond later."""
        time.sleep(0.05)
        before = self._frames()
        while self._frames() == before:
            time.sleep(0.0002)
        return Sample(time.monotonic(), before + 1, cpu_s(self._process.pid))

    def _frames(self) -> int:
        return int(struct.unpack("q", self._counter)[0])

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._counter.close()
        self._file.close()


def main(model: str, seconds: float, period: float, began: float, descriptor: int = -1) -> None:
    """Be the bare process."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    rng = np.random.default_rng(1)
    interpreter.set_tensor(detail["index"], rng.integers(0, 256, detail["shape"]).astype(detail["dtype"]))
    interpreter.invoke()
    start = time.monotonic() - began
    counter = mmap.mmap(descriptor, 8) if descriptor >= 0 else bytearray(8)
    frames, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < seconds:
        interpreter.invoke()
        frames += 1
        struct.pack_into("q", counter, 0, frames)
        if period:
            time.sleep(max(0.0, began + frames * period - time.monotonic()))
    took, used = time.monotonic() - began, time.process_time() - cpu
    print(json.dumps(Bare(start, frames / took, used / frames * 1e3, pss_mb())._asdict()))


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:5]), *map(int, sys.argv[5:6]))
