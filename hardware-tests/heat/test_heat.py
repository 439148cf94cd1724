"""The real board, heated: what edged reads of it moves as it must. Started by ``heat.sh``.

It prints a line every ten seconds, which is what a thermal model of the board can be fitted to.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from stove import Stove

from edged.board import opened
from edged.board.host import Host
from edged.board.telemetry import Telemetry
from edged.board.vitals import Vitals

REST, WARMING, COOLING = 30.0, 300.0, 180.0  # seconds
BELOW_LIMIT, UNKNOWN_LIMIT = 5.0, 80.0  # °C


@pytest.fixture(scope="module")
def board() -> Iterator[Telemetry]:
    one = opened("auto")
    assert isinstance(one, Telemetry)
    if not one.thermal:
        pytest.skip("nothing here tells how hot the processor is: heat.sh is for a board")
    one.look(time.monotonic())
    yield one
    one.close()


def watched(board: Telemetry, seconds: float, stove: Stove | None = None) -> list[Vitals]:
    """One look a second for so long."""
    looks: list[Vitals] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if stove:
            stove.heat(1.0)
        else:
            time.sleep(1.0)
        looks.append(one := board.look(time.monotonic()))
        if len(looks) % 10 == 1:
            print(line(one), flush=True)
    return looks


def line(one: Vitals) -> str:
    told = {"°C": one.temperature, "busy": one.busy, "clock": one.clock, "W": one.power, "V": one.voltage}
    numbers = " ".join(f"{value:.2f} {unit}" for unit, value in told.items() if value is not None)
    return f"{one.time:.0f} s: {numbers} word {one.word if one.word is None else hex(one.word)}"


def mean(looks: list[Vitals], field: str) -> float:
    values = [value for one in looks if (value := getattr(one, field)) is not None]
    assert values, f"nothing told {field}"
    return float(sum(values) / len(values))


def test_it_warms_under_work_and_cools_without(board: Telemetry) -> None:
    limit = board.look(time.monotonic()).limit or UNKNOWN_LIMIT
    cap = float(os.environ.get("EDGED_CAP", limit - BELOW_LIMIT))
    abort = float(os.environ.get("EDGED_ABORT", limit))
    rest = watched(board, REST)
    with Stove(lambda: board.look(time.monotonic()).temperature, cap, abort) as stove:
        warm = watched(board, WARMING, stove)
    cool = watched(board, COOLING)
    assert stove.hottest < abort
    assert all(one.temperature is not None for one in rest + warm + cool)
    assert mean(warm[-30:], "temperature") > mean(rest, "temperature") + 2.0
    assert mean(cool[-30:], "temperature") < mean(warm[-30:], "temperature") - 1.0
    assert mean(warm[2:10], "busy") > 0.9
    assert mean(warm[-30:], "own") > 0.5 * mean(warm[-30:], "busy")
    if warm[0].power is not None and rest[0].power is not None:
        assert mean(warm[5:20], "power") > mean(rest, "power")


@pytest.mark.skipif(
    not shutil.which("vcgencmd"), reason="no Raspberry Pi: there is no vcgencmd to compare with"
)
def test_what_the_firmware_says_is_what_its_own_program_says(board: Telemetry) -> None:
    def asked(*words: str) -> float:
        said = subprocess.check_output(["vcgencmd", *words], text=True)
        return float(
            int(found[1], 16) if (found := re.search(r"=0x(\w+)", said)) else re.search(r"=([\d.]+)", said)[1]
        )

    time.sleep(1.0)
    vitals = board.look(time.monotonic())
    assert vitals.temperature == pytest.approx(asked("measure_temp"), abs=3.0)
    assert vitals.word is not None and vitals.word & 0xF == int(asked("get_throttled")) & 0xF
    assert vitals.core_voltage == pytest.approx(asked("measure_volts", "core"), abs=0.15)
    if Host().pi() >= 5:
        assert vitals.voltage == pytest.approx(asked("pmic_read_adc", "EXT5V_V"), abs=0.2)
        assert 1.0 < (vitals.rails or 0.0) < 30.0


def test_what_a_look_costs(board: Telemetry) -> None:
    """Told, not judged."""
    now, began = time.monotonic() + 100.0, time.process_time()
    for second in range(200):
        board.look(now + second)
    print(f"a look: {(time.process_time() - began) / 200 * 1e6:.0f} us of CPU, with the firmware's trip")
