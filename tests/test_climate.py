"""The example of a room's climate, as its owner runs it: a real daemon, real workers, a real store. Only the
kernel's files are made up; the feed is fed as from any script.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import edged
from rigs import planted

from edged.config.shipped import folder as shipped

#: A second a bucket, and a bus that is faster than the real one.
AROUND = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[store]
commit_every = "1s"
keep = { second = "1d", minute = "90d", hour = "5y", day = "forever" }
[clock]
trust = "always"
"""
WORKER = """
import os, sys
from pathlib import Path
sys.path[:0] = {paths!r}
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from edged.worker.sandbox import outlook
from edged.worker.source import device
device.SYS = Path({sys!r})
outlook.SYSTEM = (*outlook.SYSTEM, {sys!r})
from edged.worker.loop import main
os._exit(main(sys.argv[1]))
"""
DAEMON = """
import sys
from pathlib import Path
from edged import daemon, supervise
supervise.COMMAND = (sys.executable, "-I", "-c", {worker!r})
sys.exit(daemon.run(Path({config!r})))
"""
THERMOMETER = "28-0316a2795e5f"
PATIENCE = 60.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Path]:
    """The example running, with its sensors: 21.5 °C, 48 % and 101.325 kPa indoors, -3.25 °C outdoors."""
    kernel = tmp_path / "sys"
    planted(
        kernel / "bus/iio/devices/iio:device0",
        name="bme280", in_temp_input=21500, in_humidityrelative_input=48000, in_pressure_input=101.325,
    )  # fmt: skip
    planted(kernel / "bus/w1/devices" / THERMOMETER, temperature=-3250)
    text = (shipped() / "climate.toml").read_text().replace("sample_rate = 0.2", "sample_rate = 2.0")
    config = tmp_path / "edged.toml"
    config.write_text(AROUND + text)
    assert edged("keys", "init", "--config", str(config)).returncode == 0
    worker = WORKER.format(paths=[one for one in sys.path if one], sys=str(kernel))
    program = DAEMON.format(worker=worker, config=str(config))
    running = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    yield tmp_path
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == 0


def means(config: Path) -> dict[str, Any]:
    """Of every series: (mean, unit) of a second that was observed as a whole."""
    done = edged("report", "--config", str(config), "--all", "--json")
    if done.returncode:
        return {}
    found = {}
    for one in json.loads(done.stdout)["series"]:
        rows = [row for row in one["rows"] if row["seconds"] == 1.0]
        if rows:
            found[one["label"]] = (rows[-1]["mean"], one["unit"])
    return found


def test_the_climate_is_what_the_sensors_say(house: Path) -> None:
    config = house / "edged.toml"
    deadline = time.monotonic() + PATIENCE
    fed = 0
    while len(found := means(config)) < 6:
        assert time.monotonic() < deadline, found
        done = edged("feed", "--config", str(config), "bed", "moisture=31.5", "battery=2.875")
        fed += done.returncode == 0
        time.sleep(0.5)
    assert fed
    assert found == {
        "temp": (pytest.approx(21.5, abs=0.01), "°C"),
        "humidityrelative": (pytest.approx(48.0, abs=0.01), "%"),
        "pressure": (pytest.approx(101.325, abs=0.05), "kPa"),
        THERMOMETER: (pytest.approx(-3.25, abs=0.01), "°C"),
        "moisture": (pytest.approx(31.5, abs=0.01), "%"),
        "battery": (pytest.approx(2.875, abs=0.01), "V"),
    }
