"""The real board, heated: what edged reads of it moves as it must. Started by ``heat.sh``.

It says first what it is going to do, then prints a line every ten seconds, which is what a thermal model of
the board can be fitted to. ``EDGED_REHEARSE`` names a simulated board: there a second takes a twentieth.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest
from stove import Aborted, Stove

from edged.board import opened
from edged.board.host import Host
from edged.board.simulated import SimulatedBoard
from edged.board.telemetry import Telemetry
from edged.board.vitals import Vitals

REST, WARMING, COOLING = 30.0, 300.0, 180.0  # seconds
BELOW_LIMIT, UNKNOWN_LIMIT = 5.0, 80.0  # °C
MOST = 90.0  # °C: an abort temperature that nobody may go beyond
NEAR = 3.0  # °C under the cap at which there is nothing left to heat
REHEARSED = os.environ.get("EDGED_REHEARSE", "")
HURRY = 20.0 if REHEARSED else 1.0


class Rehearsed:
    """A simulated board that is heated as long as the stove burns."""

    thermal = True

    def __init__(self, name: str) -> None:
        one = opened(name)
        assert isinstance(one, SimulatedBoard), f"EDGED_REHEARSE={name} is no simulated board"
        self._board, self.stove = one, None

    stove: Stove | None

    def look(self, now: float) -> Vitals:
        burns = self.stove is not None and self.stove.burning > 0 and not self.stove.stopped
        self._board.demand = 1.0 if burns else 0.0
        return self._board.look(now * HURRY)

    def close(self) -> None:
        self._board.close()


Heated = Telemetry | Rehearsed


@pytest.fixture(scope="module")
def board() -> Iterator[Heated]:
    one = Rehearsed(REHEARSED) if REHEARSED else opened("auto")
    assert isinstance(one, Heated)
    if not one.thermal:
        pytest.skip("nothing here tells how hot the processor is: heat.sh is for a board")
    one.look(time.monotonic())
    yield one
    one.close()


def bounds(board: Heated) -> tuple[float, float]:
    """The cap and the abort temperature, °C. What cannot be meant ends the whole of it."""
    first = board.look(time.monotonic())
    limit = first.limit or UNKNOWN_LIMIT
    cap, abort = asked("EDGED_CAP", limit - BELOW_LIMIT), asked("EDGED_ABORT", limit)
    if not cap < abort <= MOST:
        refuse(
            f"the cap is {cap:g} °C, the abort temperature {abort:g}: the cap is to be the lower one, and "
            f"{MOST:g} the highest"
        )
    if first.temperature is None:
        refuse("nothing tells how hot it is")
    elif first.temperature > cap - NEAR:
        refuse(f"it is at {first.temperature:.1f} °C already, and the cap is {cap:g}: let it cool down first")
    return cap, abort


def asked(name: str, default: float) -> float:
    said = os.environ.get(name, "")
    try:
        return float(said) if said else default
    except ValueError:
        refuse(f"{name} is {said!r}, to be °C, as 75")


def refuse(why: str) -> NoReturn:
    pytest.exit(f"heat.sh: {why}; nothing was heated", returncode=2)


def watched(board: Heated, what: str, seconds: float, stove: Stove | None = None) -> list[Vitals]:
    """One look a second for so long."""
    looks: list[Vitals] = []
    began = time.monotonic()
    until = began + seconds / HURRY
    while time.monotonic() < until:
        if stove:
            stove.heat(1.0 / HURRY)
        else:
            time.sleep(1.0 / HURRY)
        looks.append(one := board.look(time.monotonic()))
        if len(looks) % 10 == 1:
            spent = (time.monotonic() - began) * HURRY
            paused = "  (paused at the cap)" if stove and stove.stopped else ""
            print(f"  {what} {spent:4.0f} s: {line(one)}{paused}", flush=True)
    return looks


def temperature(board: Heated) -> float | None:
    """What the stove goes by. A supply that gives way costs cards: it is a reason to end at once."""
    vitals = board.look(time.monotonic())
    if vitals.under_voltage:
        raise Aborted("under-voltage: this supply does not bear all cores at work")
    return vitals.temperature


def line(one: Vitals) -> str:
    told = {"°C": one.temperature, "busy": one.busy, "clock": one.clock, "W": one.power, "V": one.voltage}
    numbers = " ".join(f"{value:.2f} {unit}" for unit, value in told.items() if value is not None)
    return numbers if one.word is None else f"{numbers} word {one.word:#x}"


def mean(looks: list[Vitals], field: str) -> float:
    values = [value for one in looks if (value := getattr(one, field)) is not None]
    assert values, f"nothing told {field}"
    return float(sum(values) / len(values))


def test_it_warms_under_work_and_cools_without(board: Heated) -> None:
    cap, abort = bounds(board)
    cores = 1 if REHEARSED else os.cpu_count() or 1
    print(
        f"\n{REHEARSED or Host().model() or 'this machine'}: {REST:.0f} s at rest, {WARMING:.0f} s of work on"
        f" {'all' if REHEARSED else cores} cores, {COOLING:.0f} s to cool down;"
        f" pauses at {cap:g} °C, ends at {abort:g} °C; Ctrl-C ends it"
    )
    rest = watched(board, "rest", REST)
    stove = Stove(lambda: temperature(board), cap, abort, cores)
    if isinstance(board, Rehearsed):
        board.stove = stove
    try:
        with stove:
            warm = watched(board, "work", WARMING, stove)
    except Aborted as error:
        pytest.fail(f"ended at once, nothing works any more: {error}", pytrace=False)
    cool = watched(board, "cool", COOLING)
    print(f"  hottest {stove.hottest:.1f} °C, paused {stove.stops} times at the cap; nothing is left running")
    assert stove.burning == 0
    assert stove.hottest < abort
    assert all(one.temperature is not None for one in rest + warm + cool)
    assert mean(warm[-30:], "temperature") > mean(rest, "temperature") + 2.0
    assert mean(cool[-30:], "temperature") < mean(warm[-30:], "temperature") - 1.0
    assert mean(warm[2:10], "busy") > 0.9
    if not REHEARSED:
        assert mean(warm[-30:], "own") > 0.5 * mean(warm[-30:], "busy")
    if warm[0].power is not None and rest[0].power is not None:
        assert mean(warm[5:20], "power") > mean(rest, "power")


@pytest.mark.skipif(
    bool(REHEARSED) or not shutil.which("vcgencmd"), reason="no Raspberry Pi: no vcgencmd to compare with"
)
def test_what_the_firmware_says_is_what_its_own_program_says(board: Heated) -> None:
    def told(*words: str) -> float:
        said = subprocess.check_output(["vcgencmd", *words], text=True)
        return float(
            int(found[1], 16) if (found := re.search(r"=0x(\w+)", said)) else re.search(r"=([\d.]+)", said)[1]
        )

    time.sleep(1.0)
    vitals = board.look(time.monotonic())
    assert vitals.temperature == pytest.approx(told("measure_temp"), abs=3.0)
    assert vitals.word is not None and vitals.word & 0xF == int(told("get_throttled")) & 0xF
    assert vitals.core_voltage == pytest.approx(told("measure_volts", "core"), abs=0.15)
    if Host().pi() >= 5:
        assert vitals.voltage == pytest.approx(told("pmic_read_adc", "EXT5V_V"), abs=0.2)
        assert 1.0 < (vitals.rails or 0.0) < 30.0


def test_what_a_look_costs(board: Heated) -> None:
    """Told, not judged."""
    now, began = time.monotonic() + 100.0, time.process_time()
    for second in range(200):
        board.look(now + second)
    print(f"a look: {(time.process_time() - began) / 200 * 1e6:.0f} us of CPU, with the firmware's trip")
