"""The real daemon over real drivers: a camera (vivid), a thermal zone, an LM75, an INA219 and a battery are
heated, sagged, drained and unplugged, and it holds itself back, says why, and comes back. Runs as root in
the machine of ``drivers.sh``; the bundled model, the store, the wall and the worker are the real ones.

Nothing here says how long anything takes: the machine is emulated. Four of the governor's patiences are
shortened. With ``EDGED_LAB_UNGOVERNED`` set the governor is off, and all that it is to do must be missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from drivers import Bench

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/integration"))
test_service = pytest.importorskip("test_service")
pytest.importorskip("ai_edge_litert")

CAMERA = Path("/sys/bus/platform/drivers/vivid")
EYE = '[pipelines.eye]\nrate = 4.0\nsource = { kind = "v4l2", device = "/dev/video0", timeout = "60s" }\n'
OFF = "enabled = false\n" if os.environ.get("EDGED_LAB_UNGOVERNED") else ""
GOVERNOR = f"[governor]\n{OFF}target = 70\nbattery_reserve = 0.2\nbattery_comfort = 0.5\n"
PATIENCE = 30.0 if OFF else 120.0
IMPATIENT = """
import sys
from edged.governor import governor, supply
supply.HOLD, supply.RECOVERY, supply.FORGIVING, governor.STEADY = 2.0, 0.2, 0.1, 2.0
from edged import service
sys.exit(service.serve(sys.argv[1]))
"""
HEALTHY = 45.0  # °C


class Die:
    """The thermal zone as a living sensor has it: it trembles by some tenths of a degree."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self.celsius, self.trembles = bench, HEALTHY, True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tremble, daemon=True)
        self._thread.start()

    def _tremble(self) -> None:
        more = 0.0
        while not self._stop.wait(0.5):
            if self.trembles:
                more = 0.3 - more
            self._bench.heat(self.celsius + more)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def bench() -> Bench:
    modules = ("vivid", "n_devs=1", "node_types=0x1", "input_types=0x0")
    subprocess.run(["modprobe", *modules], check=True)
    subprocess.run(["udevadm", "settle"], check=True)
    return Bench.fitted()


@pytest.fixture(scope="module")
def die(bench: Bench) -> Iterator[Die]:
    one = Die(bench)
    yield one
    one.end()


@pytest.fixture(scope="module")
def daemon(bench: Bench, die: Die, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    one = test_service.Managed(tmp_path_factory.mktemp("governed"))
    one.start(GOVERNOR, EYE, program=IMPATIENT)
    one.ready()
    counts_on(one)
    yield one
    one.end()


@pytest.fixture(autouse=True)
def healthy(bench: Bench, die: Die) -> Iterator[None]:
    def mend() -> None:
        bench.restore()
        die.celsius, die.trembles = HEALTHY, True

    mend()
    yield
    mend()


def board(daemon: Any) -> dict[str, Any]:
    found = daemon.status()["board"]
    assert isinstance(found, dict)
    return found


def course(daemon: Any) -> dict[str, Any]:
    (eye,) = daemon.status()["pipelines"]
    return eye["course"] or {"share": 1.0, "because": ""}


def waits(daemon: Any, condition: Callable[[], object]) -> None:
    try:
        daemon.until(condition, PATIENCE)
    except AssertionError:
        print(daemon.status())
        raise


def counts_on(daemon: Any) -> None:
    counted = daemon.counted("eye")
    waits(daemon, lambda: daemon.counted("eye") > counted + 3)


def recovers(daemon: Any) -> None:
    """It may do all that was asked, and counts."""
    waits(daemon, lambda: course(daemon)["share"] == 1.0)
    counts_on(daemon)


def holds_back(daemon: Any, by_what: str, *words: str) -> None:
    """That binds, the pipeline is slower for it or rests, and whoever asks is told so."""
    waits(daemon, lambda: board(daemon)["concern"] == by_what and course(daemon)["share"] < 1.0)
    waits(daemon, lambda: all(one in daemon.edged("status").stdout for one in ("held back", *words)))


@contextmanager
def without_thermal_zone() -> Iterator[None]:
    """The driver of the thermal zone lets it go: the kernel has none any more."""
    driver = Path("/sys/bus/acpi/drivers/thermal")
    (device,) = driver.glob("LNXTHERM:*")
    (driver / "unbind").write_text(device.name)
    try:
        yield
    finally:
        (driver / "bind").write_text(device.name)


def test_it_sees_every_sensor(bench: Bench, daemon: Any) -> None:
    bench.case(31.5)
    waits(daemon, lambda: board(daemon)["case"] == 31.5)
    told = board(daemon)
    assert told["celsius"] == pytest.approx(HEALTHY, abs=0.5)
    assert told["target"] == 70.0
    assert told["voltage"] == pytest.approx(5.04, abs=0.01)
    assert told["watts"] == pytest.approx(4.03, abs=0.05)
    assert (told["battery"], told["draining"], told["under_voltage"]) == (0.8, False, False)
    assert "case 31.5 °C" in daemon.edged("status").stdout


def test_heat(daemon: Any, die: Die) -> None:
    for celsius in (55.0, 65.0, 72.0, 75.0):
        die.celsius = celsius
        waits(daemon, lambda wanted=celsius: abs(board(daemon)["celsius"] - wanted) < 0.5)
    holds_back(daemon, "heat", "°C")
    for celsius in (60.0, 50.0, HEALTHY):
        die.celsius = celsius
        waits(daemon, lambda wanted=celsius: abs(board(daemon)["celsius"] - wanted) < 0.5)
    recovers(daemon)


def test_a_case_that_warms_is_told_and_holds_nothing_back(bench: Bench, daemon: Any) -> None:
    """The LM75 is beside the processor: it is seen, and nothing is done for it."""
    bench.case(85.0)
    waits(daemon, lambda: board(daemon)["case"] == 85.0)
    assert board(daemon)["celsius"] == pytest.approx(HEALTHY, abs=0.5)
    assert board(daemon)["concern"] != "heat"


def test_a_supply_that_sags(bench: Bench, daemon: Any) -> None:
    bench.sag(4.5)
    holds_back(daemon, "supply", "under-voltage")
    assert board(daemon)["voltage"] == pytest.approx(4.5, abs=0.01)
    bench.restore()
    recovers(daemon)


def test_a_meter_that_is_unplugged_while_the_supply_sags(bench: Bench, daemon: Any) -> None:
    """Then nothing tells of it any more. Back again, it is a witness once it was seen at 5 V."""
    bench.sag(4.5)
    holds_back(daemon, "supply")
    with bench.unplugged("meter"):
        waits(daemon, lambda: board(daemon)["voltage"] is None)
        recovers(daemon)
    bench.restore()
    waits(daemon, lambda: board(daemon)["under_voltage"] is False)
    bench.sag(4.5)
    waits(daemon, lambda: board(daemon)["under_voltage"] is True)


def test_a_battery_that_drains(bench: Bench, daemon: Any) -> None:
    bench.drain(35)
    waits(daemon, lambda: board(daemon)["battery"] == 0.35 and board(daemon)["budget"] <= 0.5)
    bench.drain(20)
    holds_back(daemon, "battery", "battery 20 % and draining")
    waits(daemon, lambda: daemon.states()["eye"] == "paused")
    bench.charge(80)
    recovers(daemon)


def test_a_gauge_that_is_unplugged_is_no_full_battery(bench: Bench, daemon: Any) -> None:
    """What it said last is believed for a minute, and then it is the floor: not all, and not nothing."""
    bench.drain(20)
    waits(daemon, lambda: daemon.states()["eye"] == "paused")
    with bench.unplugged("battery"):
        waits(daemon, lambda: board(daemon)["battery"] is None)
        holds_back(daemon, "battery")
    bench.restore()
    recovers(daemon)


def test_a_thermal_zone_that_goes_is_blind_and_blind_is_hot(daemon: Any) -> None:
    """Neither the case's thermometer nor the battery's own stands in for it."""
    with without_thermal_zone():
        holds_back(daemon, "blind", "the temperature cannot be read")
        assert board(daemon)["celsius"] is None and board(daemon)["case"] == 30.0
        assert course(daemon)["share"] > 0.0  # the floor is the least, not nothing
        counts_on(daemon)
    waits(daemon, lambda: board(daemon)["celsius"] is not None)
    recovers(daemon)
    assert not board(daemon)["blind"]


def test_a_reading_that_leaps_is_not_believed_until_it_is_quiet(daemon: Any, die: Die) -> None:
    for celsius in (HEALTHY - 40.0, HEALTHY):
        die.celsius = celsius
        waits(daemon, lambda: "leaps" in board(daemon)["blind"] and board(daemon)["concern"] == "blind")
        recovers(daemon)


def test_a_camera_that_is_unplugged(daemon: Any) -> None:
    (CAMERA / "unbind").write_text("vivid.0")
    try:
        waits(daemon, lambda: daemon.states()["eye"] not in ("running", "paused"))
    finally:
        (CAMERA / "bind").write_text("vivid.0")
        subprocess.run(["udevadm", "settle"], check=True)
    waits(daemon, lambda: daemon.states()["eye"] == "running")
    counts_on(daemon)


def test_the_end_tells_the_whole_story(daemon: Any, capsys: pytest.CaptureFixture[str]) -> None:
    said = daemon.stop()
    rows = daemon.rows()["coverage"]
    seconds = {
        key: sum(row[key] for one in rows for row in one["rows"])
        for key in ("observed_s", "throttled_s", "paused_s", "blind_s", "analysed")
    }
    with capsys.disabled():
        print("\nthe journal:", *(one for one in said.splitlines() if ": " in one), sep="\n  ")
        print("the store:", *(f"{key} {value:.1f}" for key, value in seconds.items()))
    for words in (
        "eye: throttled: ",
        "°C",
        "under-voltage: the supply is too weak",
        "power-steady: no under-voltage",
        "eye: paused: the battery is at 20 %",
        "eye: resumed: ",
        "sensor-blind: the temperature cannot be read",
        "sensor-blind: the temperature sensor leaps",
        "sensor-back: ",
    ):
        assert words in said
    assert "Traceback" not in said
    assert min(seconds.values()) > 0.0
