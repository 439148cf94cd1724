"""Locked workers behind real drivers: what the chips say is what is told over the wall, in the right unit,
and what goes away is blind. ``sensors.sh`` runs it in the emulated machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from chips import Chips
from ds9490 import plugged
from stage import Stage

from edged import supervise, wall
from edged.config.shape import Hwmon, Iio, Measure, Model, OneWire, Pipeline, Source
from edged.nouns import Entry
from edged.series import series_of
from edged.supervise import Keeper

LAB = os.environ.get("EDGED_LAB", "")
#: The worker; -I, as everywhere: nothing is inherited.
PROGRAM = """
import os, sys
sys.path[:0] = {paths!r}
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from edged.worker.loop import main
os._exit(main(sys.argv[1]))
"""
PATIENCE = 120.0  # seconds; the machine is emulated
NONE = Model(file="builtin:none")

pytestmark = pytest.mark.skipif(LAB != "sensors", reason="EDGED_LAB names no sensors")


@pytest.fixture(scope="session")
def chips() -> Chips:
    return Chips.fitted()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    program = PROGRAM.format(paths=[one for one in sys.path if one])
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-I", "-c", program))
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 60.0)
    made = Stage()
    yield made
    made.end()


def kept(stage: Stage, source: Source, *labels: str, rate: float = 5.0) -> Keeper:
    pipeline = Pipeline(
        source=source, model="none", rate=rate, measures=(Measure(kind="level", labels=labels),)
    )
    keeper = Keeper(stage.reactor, stage.heard, "p", pipeline, (NONE,), series_of("p", pipeline))
    stage.keepers.append(keeper)
    keeper.start()
    return keeper


def told(stage: Stage, true: Callable[[tuple[Entry, ...]], bool]) -> tuple[Entry, ...]:
    """The entries of the first tick from now on of which that is true."""
    seen = len(stage.heard.ticks)

    def found() -> list[wall.Tick]:
        later = [tick for _, tick in stage.heard.ticks[seen:]]
        return [one for one in later if one.observed and true(one.entries)]

    stage.until(lambda: bool(found()), PATIENCE)
    return found()[0].entries


def about(value: float, within: float) -> Callable[[tuple[Entry, ...]], bool]:
    return lambda entries: entries[0].min == pytest.approx(value, abs=within)


def never_caught(stage: Stage) -> None:
    assert stage.events("worker-broke-out") == []
    assert stage.events("wall-broken") == []


def test_a_chip_of_hwmon(chips: Chips, stage: Stage) -> None:
    chips.bench.case(30.0)
    keeper = kept(stage, Hwmon(device="lm75", channels=("temp1",)), "temp1")
    assert [one.unit for one in keeper.series] == ["°C"]
    told(stage, about(30.0, 0.2))
    chips.bench.case(-7.5)
    told(stage, about(-7.5, 0.1))
    never_caught(stage)


def test_a_chip_that_is_unplugged_is_looked_for_until_it_is_back(chips: Chips, stage: Stage) -> None:
    kept(stage, Hwmon(device="lm75"), "temp1")
    told(stage, lambda _: True)
    with chips.bench.unplugged("case"):
        stage.until(lambda: any("is not there" in one for one in stage.events("replaced")), PATIENCE)
    chips.bench.case(41.0)
    told(stage, about(41.0, 0.3))
    never_caught(stage)


def test_iio_one_by_one(chips: Chips, stage: Stage) -> None:
    chips.buffer(False)
    chips.bench.sag(4.8, 1.2)
    keeper = kept(stage, Iio(device="ina219", sample_rate=5.0), "voltage1", "current3", "power2")
    assert [one.unit for one in keeper.series] == ["V", "A", "W"]
    _, amperes, watts = told(stage, about(4.8, 0.05))
    assert amperes.mean == pytest.approx(1.2, abs=0.02)
    assert watts.mean == pytest.approx(5.76, abs=0.05)
    never_caught(stage)


def test_iio_through_its_buffer(chips: Chips, stage: Stage) -> None:
    chips.bench.sag(5.0, 0.8)
    chips.buffer(True)
    try:
        keeper = kept(stage, Iio(device="ina219"), "current3", "voltage1")
        _, volts = told(stage, about(0.8, 0.02))
        assert volts.mean == pytest.approx(5.0, abs=0.05)
        assert keeper.ready is not None
        assert keeper.ready.fps > 100.0  # the device's own rate, not one of polling
        chips.bench.sag(4.4, 1.5)
        told(stage, about(1.5, 0.02))
        never_caught(stage)
    finally:
        chips.buffer(False)


def test_a_buffer_that_is_switched_off_is_lost(chips: Chips, stage: Stage) -> None:
    chips.buffer(True)
    kept(stage, Iio(device="ina219", mode="buffered", timeout=3.0), "voltage1")
    told(stage, lambda _: True)
    chips.buffer(False)
    stage.until(lambda: any("switched o" in one for one in stage.events("replaced")), PATIENCE)
    chips.buffer(True)
    told(stage, lambda _: True)
    chips.buffer(False)
    never_caught(stage)


def stays_silent(stage: Stage) -> None:
    """A worker gives up, and the one after it too; between them nothing is told."""

    def given_up() -> int:
        return sum("gave no number" in one for one in stage.events("replaced"))

    stage.until(lambda: given_up() == 1, PATIENCE)
    seen = len(stage.heard.ticks)
    stage.until(lambda: given_up() == 2, PATIENCE)
    assert not [tick for _, tick in stage.heard.ticks[seen:] if tick.observed]


def test_a_thermometer_on_a_1_wire_bus(stage: Stage) -> None:
    with plugged() as thermometer:
        thermometer.celsius = 21.5
        keeper = kept(stage, OneWire(sample_rate=0.5, timeout=10.0), thermometer.name)
        assert [one.unit for one in keeper.series] == ["°C"]
        told(stage, about(21.5, 0.01))
        thermometer.celsius = -10.125
        told(stage, about(-10.125, 0.01))
        thermometer.damaged = True  # nothing is told, least of all 0 °C
        stays_silent(stage)
        thermometer.damaged = False
        told(stage, about(-10.125, 0.01))
        assert not any("hangs" in one for one in stage.events("replaced"))  # its driver asks again and again
        never_caught(stage)


def test_a_thermometer_without_power_says_85_and_that_is_not_told(stage: Stage) -> None:
    with plugged() as thermometer:
        kept(stage, OneWire(sample_rate=0.5, timeout=10.0), thermometer.name)
        told(stage, about(20.0, 0.01))
        thermometer.powered = False
        stays_silent(stage)
        assert not any(entry.max > 84.0 for _, tick in stage.heard.ticks for entry in tick.entries)
        never_caught(stage)


def test_a_bus_that_is_held_down_says_0_and_that_is_not_told(stage: Stage) -> None:
    with plugged() as thermometer:
        kept(stage, OneWire(sample_rate=0.5, timeout=10.0), thermometer.name)
        told(stage, about(20.0, 0.01))
        thermometer.held = True
        stays_silent(stage)
        thermometer.held = False
        thermometer.celsius = 0.0  # as it may be in winter, also for who has just begun to look
        told(stage, about(0.0, 0.01))
        assert not any("hangs" in one for one in stage.events("replaced"))
        never_caught(stage)


def test_a_1_wire_adapter_that_is_unplugged_is_looked_for_until_it_is_back(stage: Stage) -> None:
    with plugged() as thermometer:
        kept(stage, OneWire(sample_rate=0.5, timeout=10.0), thermometer.name)
        told(stage, about(20.0, 0.01))
    stage.until(lambda: any("is not there" in one for one in stage.events("replaced")), PATIENCE)
    thermometer.celsius = 62.5
    with plugged(thermometer):
        told(stage, about(62.5, 0.01))
        never_caught(stage)
