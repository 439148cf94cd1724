"""What sound costs: a recording of 48 kHz in stereo at its own pace, through the real chain to YAMNet, every
window of it. What a microphone does instead of decoding costs less.
"""

from __future__ import annotations

import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from benchmarks import bare
from benchmarks.system import SHARED, require, running

YAMNET = SHARED / "models/yamnet_audio_classifier_with_metadata.tflite"
SECONDS = 20.0
HOP = 0.4875  # seconds from window to window
MEASURES = 'measures = [{ kind = "presence", labels = ["Speech", "Bird", "Silence"] }]'


def measure() -> dict[str, float]:
    """``sound.overhead``: cores that daemon and worker take beyond a bare process that calls ``invoke()`` as
    often. ``sound.cpu``: cores in all. ``sound.pss_mb``: memory of both. ``sound.wakeups``: how often a
    second the worker is woken up.
    """
    require(YAMNET)
    with tempfile.TemporaryDirectory() as folder:
        path = noise(Path(folder) / "noise.wav")
        source = f'kind = "file"\npath = "{path}"\nloop = true\n'
        with running(YAMNET, 0.0, source, MEASURES) as system:
            time.sleep(3.0)
            woken = wakeups(system.pids[1])
            first, last = system.watched(SECONDS)
            woken = wakeups(system.pids[1]) - woken
            pss = sum(system.pss())
    alone = bare.run(YAMNET, SECONDS, HOP)
    seconds, frames = last.at - first.at, last.frames - first.frames
    cpu = (last.cpu - first.cpu) / seconds
    return {
        "sound.overhead": cpu - frames * alone.cpu_ms / 1e3 / seconds,
        "sound.cpu": cpu,
        "sound.windows_s": frames / seconds,
        "sound.pss_mb": pss,
        "sound.wakeups": woken / seconds,
    }


def noise(path: Path) -> Path:
    """Half a minute, in stereo."""
    shown = np.random.default_rng(1).normal(0.0, 1000.0, (30 * 48_000, 2)).astype("<i2")
    with wave.open(str(path), "w") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(shown.tobytes())
    return path


def wakeups(pid: int) -> int:
    """How often a process's threads have gone to sleep of their own will, and woken up again."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found += next(int(one.split()[1]) for one in lines if one.startswith("voluntary_ctxt_switches"))
    return found


if __name__ == "__main__":
    print(measure())
