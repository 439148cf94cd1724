"""What every board promises: made-up ones, simulated ones, and the one under us."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from sensors import MACHINES

from edged.board import opened, simulated
from edged.board.telemetry import Telemetry
from edged.board.vitals import Board, Vitals
from edged.errors import ConfigError

SIMULATED = [*simulated.names(), "simulated:pi4-bare,heatwave,battery,meter,noisy,weak"]
if "heatwave" not in simulated.SKIES:
    SIMULATED[-1] = "simulated:pi4-bare,battery,meter,noisy,weak"
#: What each field may be, its ends included.
RANGES = {
    "temperature": (-45.0, 155.0), "limit": (30.0, 120.0), "busy": (0.0, 1.0), "clock": (0.0, 1.0),
    "power": (0.0, 3000.0), "charge": (0.0, 1.0), "pressure": (0.0, 1.0), "word": (0, 0xF000F),
    "voltage": (0.0, 10.0), "core_voltage": (0.1, 2.0), "rails": (0.0, 50.0), "case": (-40.0, 150.0),
    "accelerator": (-40.0, 150.0), "fan": (0.0, 50_000.0), "fan_duty": (0.0, 1.0), "own": (0.0, 1.0),
    "memory": (0, 1 << 60), "memory_pressure": (0.0, 1.0), "io_pressure": (0.0, 1.0),
}  # fmt: skip
TRUTHS = {"under_voltage", "draining", "plugged"}


def check(vitals: Vitals) -> None:
    """Types, units and ranges."""
    for name, value in msgspec.structs.asdict(vitals).items():
        if name == "time" or value is None:
            continue
        if name in TRUTHS:
            assert isinstance(value, bool), name
        else:
            least, most = RANGES[name]
            assert isinstance(value, float | int) and not isinstance(value, bool), name
            assert math.isfinite(value) and least <= value <= most, (name, value)


@pytest.fixture(params=[*MACHINES, *SIMULATED, "auto"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    name = request.param
    one: Board = MACHINES[name].opened(tmp_path) if name in MACHINES else opened(name)
    yield one
    one.close()


def test_every_field_has_a_range() -> None:
    assert set(Vitals.__struct_fields__) == set(RANGES) | TRUTHS | {"time"}


def test_a_look_is_in_range_and_its_time_goes_on(board: Board) -> None:
    now = time.monotonic()
    looks = [board.look(now + seconds) for seconds in (0.0, 0.4, 1.0, 2.0, 2.1, 3.3, 60.0, 4000.0)]
    for one in looks:
        check(one)
    assert all(before.time <= after.time for before, after in pairwise(looks))
    assert all(one.time <= now + 4000.0 for one in looks)


def test_within_the_second_nothing_is_read_again(board: Board) -> None:
    now = time.monotonic()
    first = board.look(now)
    again = board.look(now + 0.5)
    assert msgspec.structs.replace(again, time=0.0) == msgspec.structs.replace(first, time=0.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e6, 1e7])
def test_no_leap_of_time_is_too_large(board: Board, seconds: float) -> None:
    now = time.monotonic()
    board.look(now)
    check(board.look(now + seconds))
    check(board.look(now + seconds + 1.0))


def test_what_wakes_is_a_descriptor_that_stays(board: Board) -> None:
    descriptor = board.watch()
    board.look(time.monotonic())
    assert board.watch() == descriptor
    if descriptor is not None:
        os.fstat(descriptor)


def test_it_can_be_closed_twice(board: Board) -> None:
    board.look(time.monotonic())
    board.close()
    board.close()


def test_the_board_under_us_is_the_automatic_one() -> None:
    board = opened("auto")
    assert isinstance(board, Telemetry)
    board.close()


@pytest.mark.parametrize("name", ["", "automatic", "pi4-bare", "simulated", "simulated:", "simulated:pi9"])
def test_another_name_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(name)
    assert "simulated:pi4-bare" in refused.value.hint
