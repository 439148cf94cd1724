"""A feed as its owner has it: a real daemon, a real worker, lines that are none, and a daemon that goes away
while somebody feeds it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import edged

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
[pipelines.tank]
model = "none"
rate = 0
source = { kind = "feed", timeout = "1s", channels = { level = {}, warmth = {} } }
measures = [{ kind = "level", labels = ["level", "warmth"] }]
"""
PATIENCE = 60.0


class House:
    """A daemon that is started and stopped, and asked."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "edged.toml"
        self.config.write_text(CONFIG)
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "edged", "run", "--init-key", str(self.config)]
        self._daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until(lambda tank: tank["state"] == "running")

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(PATIENCE)
            self._daemon = None

    def tank(self) -> dict[str, Any]:
        done = edged("status", "--config", str(self.config), "--json")
        return dict(json.loads(done.stdout)["pipelines"][0]) if not done.returncode else {"state": ""}

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while not condition(tank := self.tank()):
            assert time.monotonic() < deadline, tank
        return tank


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.start()
    yield made
    made.stop()


def piped(house: House, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edged", "feed", "--config", str(house.config), "tank", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def level(tank: dict[str, Any]) -> float | None:
    found: float | None = tank["series"][0]["now"]
    return found


def test_lines_that_are_none_are_counted_for_good_and_said_to_be_none(house: House) -> None:
    process = piped(house, "-")
    for _ in range(12):
        say(process, "depth=3 warmth=seven")
    tank = house.until(lambda tank: tank["dropped_total"] == 12)
    tank = house.until(lambda tank: tank["sight"] == "malformed")
    assert tank["state"] == "running"
    assert "depth" not in json.dumps(tank) and "seven" not in json.dumps(tank)
    text = edged("status", "--config", str(house.config)).stdout
    assert "12 since it began" in text
    assert "none gives each channel a number (malformed): the time is blind" in text

    def told(tank: dict[str, Any]) -> bool:
        say(process, "3.5 18")
        return level(tank) == 3.5

    tank = house.until(told)
    assert (tank["sight"], tank["dropped_total"]) == ("", 12)
    process.communicate(timeout=PATIENCE)


def test_who_feeds_it_without_end_outlives_the_daemon(house: House) -> None:
    process = piped(house, "-")

    def told(number: float) -> Callable[[dict[str, Any]], bool]:
        def again(tank: dict[str, Any]) -> bool:
            say(process, f"{number} 18")
            return bool(tank["state"]) and level(tank) == number

        return again

    house.until(told(1.5))
    house.stop()
    for number in range(20):
        say(process, f"{number} 18")
    assert process.poll() is None
    house.start()
    house.until(told(2.5))
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    lines = said.splitlines()
    assert len(lines) == 2
    assert "lines are dropped until somebody reads them" in lines[0]
    assert "dropped meanwhile" in lines[1]
