"""The thing to compare with: a process that has only an interpreter, and calls ``invoke()`` in a loop.

``python -m benchmarks.bare MODEL SECONDS [PERIOD]`` prints one JSON line: start_s (from exec to the first
inference), frames per second, CPU milliseconds per frame, and PSS at the end. With PERIOD it invokes once
per so many seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Bare(NamedTuple):
    """What the bare process did."""

    start_s: float
    fps: float
    cpu_ms: float
    pss_mb: float


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


def main(model: str, seconds: float, period: float, began: float) -> None:
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
    frames, cpu, began = 0, time.process_time(), time.monotonic()
    while time.monotonic() - began < seconds:
        interpreter.invoke()
        frames += 1
        if period:
            time.sleep(max(0.0, began + frames * period - time.monotonic()))
    took, used = time.monotonic() - began, time.process_time() - cpu
    print(json.dumps(Bare(start, frames / took, used / frames * 1e3, pss_mb())._asdict()))


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:5]))
