"""Real kernel drivers and the telemetry over them: it follows heat, a weak supply, an empty battery, and
sensors that come and go, within two seconds. Runs as root in the machine of ``drivers.sh``.

Times are told as the number of looks: one a second, as the governor looks.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drivers import Bench, within
from stove import Aborted, Stove

from edged.board import opened
from edged.board.attribute import Attribute
from edged.board.telemetry import Telemetry
from edged.board.thermal import temperature
from edged.board.vitals import Vitals
from edged.board.voltage import Watch

ROOT = Path(__file__).resolve().parents[2]
LOOKS = 3  # the first may come before what was done has shown: two seconds


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench.fitted()


@pytest.fixture
def board(bench: Bench) -> Iterator[Telemetry]:
    bench.restore()
    one = opened("auto")
    assert isinstance(one, Telemetry)
    one.look(time.monotonic())
    yield one
    one.close()


def follows(board: Telemetry, true: Callable[[Vitals], bool]) -> Vitals:
    """The first look that it is true at, of those of two seconds."""
    for _ in range(LOOKS):
        vitals = board.look(time.monotonic())
        if true(vitals):
            return vitals
        time.sleep(1.0)
    raise AssertionError(f"after {LOOKS} looks: {vitals}")


def test_everything_is_seen(board: Telemetry) -> None:
    vitals = follows(
        board, lambda one: one.temperature == pytest.approx(45.0, abs=0.1) and one.busy is not None
    )
    assert vitals.case == pytest.approx(30.0)
    assert vitals.voltage == pytest.approx(5.04, abs=0.004)
    assert vitals.power == pytest.approx(4.02, abs=0.03)
    assert (vitals.charge, vitals.draining, vitals.under_voltage) == (0.8, False, False)
    assert (
        vitals.limit == 95.0
    )  # below the critical 110: without a device to slow down the kernel drops the passive
    assert None not in (
        vitals.pressure,
        vitals.memory_pressure,
        vitals.io_pressure,
        vitals.memory,
        vitals.own,
    )


@pytest.mark.parametrize("celsius", [60.0, 79.5, 95.0, -10.0])
def test_it_follows_heat(bench: Bench, board: Telemetry, celsius: float) -> None:
    bench.heat(celsius)
    follows(board, lambda one: one.temperature is not None and abs(one.temperature - celsius) < 0.1)


def test_a_battery_that_is_warm_is_no_warm_processor(bench: Bench, board: Telemetry) -> None:
    """Its gauge makes a thermal zone and a hwmon chip of its own: 0x08 is in tenths of a kelvin."""
    bench._write(0x0B, 0x08, 3632)
    try:
        time.sleep(1.0)
        assert follows(board, lambda one: one.temperature is not None).temperature == pytest.approx(
            45.0, abs=0.1
        )
        assert temperature() == pytest.approx(45.0, abs=0.1)  # the doctor's
    finally:
        bench._write(0x0B, 0x08, 2982)


def test_it_follows_the_air_in_the_case(bench: Bench, board: Telemetry) -> None:
    bench.case(52.5)
    follows(board, lambda one: one.case == pytest.approx(52.5))
    bench.case(-7.5)
    follows(board, lambda one: one.case == pytest.approx(-7.5))


def test_it_follows_a_supply_that_sags_and_recovers(bench: Bench, board: Telemetry) -> None:
    follows(board, lambda one: one.under_voltage is False)
    bench.sag(4.5, 1.2)
    vitals = follows(board, lambda one: one.under_voltage is True)
    assert (vitals.voltage, vitals.power) == (pytest.approx(4.5), pytest.approx(5.4, abs=0.02))
    bench.sag(5.04)
    follows(board, lambda one: one.under_voltage is False)


def test_it_follows_a_battery_that_drains(bench: Bench, board: Telemetry) -> None:
    for percent in (60, 21, 3):
        bench.drain(percent)
        follows(board, lambda one, wanted=percent: one.charge == wanted / 100 and one.draining is True)
    bench.charge(4)
    follows(board, lambda one: one.charge == 0.04 and one.draining is False)


def test_a_battery_tells_the_power_where_no_meter_does(bench: Bench, board: Telemetry) -> None:
    with bench.unplugged("meter"):
        bench.drain(50, 0.65)
        follows(board, lambda one: one.power == pytest.approx(7.4 * 0.65, abs=0.01))


@pytest.mark.parametrize(("name", "field"), [("case", "case"), ("meter", "voltage"), ("battery", "charge")])
def test_sensors_go_and_come_back(bench: Bench, board: Telemetry, name: str, field: str) -> None:
    follows(board, lambda one: getattr(one, field) is not None)
    for _ in range(2):
        with bench.unplugged(name):
            follows(board, lambda one: getattr(one, field) is None)
            assert board.look(time.monotonic()).temperature is not None
        follows(board, lambda one: getattr(one, field) is not None)


def test_a_driver_that_is_unloaded_leaves_no_descriptor(bench: Bench, board: Telemetry) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with bench.unplugged("case"):
        follows(board, lambda one: one.case is None)
        subprocess.run(["modprobe", "-r", "lm75"], check=True)  # refused while a file of it is open
        subprocess.run(["modprobe", "lm75"], check=True)
    follows(board, lambda one: one.case is not None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_watch_wakes_by_a_file_of_the_kernels_own_file_system(tmp_path: Path) -> None:
    """A control group's file notifies as sysfs's does: it is the same code (kernfs)."""
    group = Path("/sys/fs/cgroup/edged-watch")
    group.mkdir()
    child = subprocess.Popen(["sleep", "1000"])
    watch, alarm = Watch(), Attribute(group / "cgroup.events")

    def ready(seconds: float) -> bool:
        return bool(select.select([watch], [], [], seconds)[0])

    try:
        watch.follow(alarm)
        assert not ready(0.5)
        (group / "cgroup.procs").write_text(str(child.pid))
        assert ready(10.0)
        watch.read()
        assert not ready(0.5)
        Path("/sys/fs/cgroup/cgroup.procs").write_text(str(child.pid))
        assert ready(10.0)
    finally:
        child.kill()
        child.wait()
        watch.close()
        alarm.close()
        group.rmdir()


# --- in the service's sandbox

LOOK = """
import json, os, sys, time, msgspec
from edged.board import opened
def opens(device):
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError as error:
        return error.strerror
    return "open"
board = opened("auto")
board.look(time.monotonic())
time.sleep(1.0)
seen = msgspec.structs.asdict(board.look(time.monotonic()))
json.dump(seen | {"mailbox": opens("/dev/vcio"), "beside": opens("/dev/vcio-beside")}, sys.stdout)
"""
#: What only a whole installation has, or what a look is not.
LEFT_OUT = (
    "Type",
    "NotifyAccess",
    "Exec",
    "Watchdog",
    "Restart",
    "LoadCredential",
    "Wants",
    "After",
    "WantedBy",
)


def test_the_units_sandbox_hides_none_of_it(board: Telemetry) -> None:
    """The shipped unit's own lines around one look: what it sees is what root sees outside. Of the kernel's
    many little devices it may open the firmware's mailbox alone, and by its path alone.
    """
    subprocess.run(["systemd-sysusers", str(ROOT / "systemd/sysusers.d/edged.conf")], check=True)
    stand_in("vcio", "cpu_dma_latency")
    stand_in("vcio-beside", "vga_arbiter")
    unit = (ROOT / "systemd/edged.service").read_text()
    seen = seen_inside(unit)
    outside = follows(board, lambda one: one.busy is not None)
    missing = {
        name
        for name in outside.__struct_fields__
        if getattr(outside, name) is not None and seen[name] is None
    }
    assert missing == set()
    assert (seen["temperature"], seen["charge"]) == (outside.temperature, outside.charge)
    assert seen["own"] is not None
    refused = "Operation not permitted"
    assert (seen["mailbox"], seen["beside"]) == ("open", refused)
    by_class = unit.replace("DeviceAllow=/dev/vcio ", "DeviceAllow=char-vcio ")
    assert by_class != unit
    assert seen_inside(by_class)["mailbox"] == refused


def seen_inside(unit: str) -> dict[str, Any]:
    """What ``LOOK`` tells when it is started by such a unit."""
    program, told = Path("/opt/look.py"), Path("/opt/look.json")
    program.write_text(LOOK)
    lines = [one for one in unit.splitlines() if not one.startswith(LEFT_OUT)]
    lines += ["[Service]", "Type=oneshot", "Environment=PYTHONPATH=/project"]
    lines += [f"ExecStart={sys.executable} -B {program}", f"StandardOutput=truncate:{told}"]
    Path("/run/systemd/system/edged-look.service").write_text("\n".join(lines) + "\n")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", "edged-look.service"], check=True)
    seen: dict[str, Any] = json.loads(told.read_text())
    return seen


def stand_in(name: str, of: str) -> None:
    """A device node that is called ``name`` and opens another driver of the kernel's class "misc", which a
    Raspberry Pi's mailbox is of as well: whoever is in the group video may open it, if the unit lets him.
    """
    found = dict(line.split()[::-1] for line in Path("/proc/misc").read_text().splitlines())
    node = Path("/dev", name)
    node.unlink(missing_ok=True)
    os.mknod(node, stat.S_IFCHR | 0o660, os.makedev(10, int(found[of])))
    shutil.chown(node, "root", "video")
    node.chmod(0o660)


# --- the stove that heats a real board (../heat) keeps to its cap


class Hotplate:
    """The thermal zone warms with what burns, as a board would, but within seconds."""

    def __init__(self, bench: Bench, board: Telemetry, most: float) -> None:
        self._bench, self._board, self._most = bench, board, most
        self._celsius, self._stop = 45.0, threading.Event()
        self._thread = threading.Thread(target=self._warm, daemon=True)

    def __enter__(self) -> Hotplate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _warm(self) -> None:
        while not self._stop.wait(0.2):
            states = subprocess.run(
                ["ps", "-o", "stat=", "-C", "python"], capture_output=True, text=True, check=False
            )
            burns = sum(one.startswith("R") for one in states.stdout.split())
            self._celsius += (
                min(self._most - self._celsius, 3.0) * 0.3 if burns else (40.0 - self._celsius) * 0.3
            )
            self._bench.heat(self._celsius)


def current(board: Telemetry) -> float | None:
    """Without waiting for the next second: a stove looks often."""
    return temperature()


def test_a_stove_pauses_at_its_cap(bench: Bench, board: Telemetry) -> None:
    with Hotplate(bench, board, 90.0), Stove(lambda: current(board), 60.0, 75.0) as stove:
        stove.heat(25.0)
        assert stove.burning == os.cpu_count()
    assert stove.stops > 0
    assert stove.hottest < 75.0
    assert stove.burning == 0


def test_a_stove_is_put_out_at_its_abort_temperature(bench: Bench, board: Telemetry) -> None:
    with Stove(lambda: current(board), 60.0, 75.0) as stove:
        bench.heat(80.0)
        with pytest.raises(Aborted, match="80"):
            stove.heat(30.0)
        assert stove.burning == 0


def test_a_stove_is_put_out_when_it_is_blind(bench: Bench) -> None:
    said: list[float | None] = [50.0, 50.0]
    with Stove(lambda: said.pop() if said else None, 60.0, 75.0) as stove:
        with pytest.raises(Aborted, match="nothing tells"):
            stove.heat(30.0)
        assert stove.burning == 0


def test_a_stove_is_put_out_when_its_sensor_says_no_number() -> None:
    said = iter([50.0])
    with Stove(lambda: next(said, math.nan), 60.0, 75.0, 1) as stove:
        with pytest.raises(Aborted, match="nothing tells"):
            stove.heat(30.0)
        assert stove.burning == 0


def test_a_stove_goes_out_by_itself_while_nobody_looks() -> None:
    """A sensor that hangs: whoever would put it out waits for it."""
    said: list[float] = []

    def hangs() -> float:
        said.append(50.0)
        if len(said) == 3:
            within(120.0, lambda: stove.burning == 0)
        return 50.0

    with Stove(hangs, 60.0, 75.0, 1) as stove:
        with pytest.raises(Aborted, match="not looked at"):
            stove.heat(300.0)
        assert stove.burning == 0


def test_a_stove_goes_out_when_whoever_heats_is_killed_even_while_it_pauses() -> None:
    """By a signal that leaves nobody the time to clean up."""
    heats = "from stove import Stove\nwith Stove(lambda: 60.5, 60.0, 75.0, 1) as one:"
    heats += "\n    print(one._burners[0].pid, flush=True)\n    one.heat(300.0)"
    whoever = subprocess.Popen([sys.executable, "-c", heats], stdout=subprocess.PIPE, text=True)
    assert whoever.stdout
    burner = Path("/proc", whoever.stdout.readline().strip())
    assert within(30.0, lambda: "(python" in (stat := (burner / "stat").read_text()) and ") T" in stat)
    whoever.kill()
    whoever.wait()
    assert within(30.0, lambda: not burner.exists())


def test_what_a_look_costs(board: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """Told, not judged: the machine is emulated."""
    now = time.monotonic() + 100.0
    began = resource.getrusage(resource.RUSAGE_SELF)
    for second in range(200):
        board.look(now + second)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    spent = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    with capsys.disabled():
        print(
            f"\na look at every sensor: {spent / 200 * 1e6:.0f} us of CPU, emulated; {os.cpu_count()} cores"
        )
        for part in ("_processor", "_thermometer", "_meters", "_batteries", "_fans"):
            one, began_at = getattr(board, part), time.process_time()
            for second in range(100):
                one.read(now + 1000.0 + second) if part == "_processor" else one.read()
            print(f"    {part[1:]}: {(time.process_time() - began_at) / 100 * 1e6:.0f} us")
