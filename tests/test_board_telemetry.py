"""The composite over whole machines: what it says, what it does not say, and that nothing makes it raise."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from boards import Files, Firmware, planted, zone
from contracts.test_board import check
from sensors import ADC, ALWAYS, INA219, INA219_IIO, MACHINES, PI3BP, POWER, Machine, hwmon, processor, supply

from edged.board import attribute
from edged.board.attribute import Attribute
from edged.board.host import Host
from edged.board.telemetry import Telemetry
from edged.board.vitals import Vitals
from edged.board.voltage import Word

#: What a driver, a bus or a broken card may leave in a file.
BAD = {
    "empty": b"", "blank": b"\n", "garbage": b"warm\n", "bytes": b"\xff\xfe\x00\x80", "nan": b"nan\n",
    "infinite": b"inf\n", "negative": b"-987654321\n", "huge": b"9" * 400 + b"\n",
    "larger than 63 bits": b"18446744073709551616\n", "fraction": b"1.5\n", "a page": b"x" * 5000,
    "two": b"51608 51608\n", "minus one": b"-1\n", "zero": b"0\n",
}  # fmt: skip
STRANGE = {"absent": None, "a folder": "folder"}


def known(vitals: Vitals) -> dict[str, object]:
    """What is not None, without the time."""
    fields = msgspec.structs.asdict(vitals)
    return {name: value for name, value in fields.items() if value is not None and name != "time"}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_says_what_it_has_and_no_more(tmp_path: Path, name: str) -> None:
    board = MACHINES[name].opened(tmp_path)
    assert known(board.look(100.0)) == pytest.approx({**ALWAYS, **MACHINES[name].says}, abs=1e-6)
    board.close()


@pytest.mark.parametrize("bad", [*BAD, *STRANGE])
@pytest.mark.parametrize("name", MACHINES)
def test_nothing_in_any_file_makes_it_raise(tmp_path: Path, name: str, bad: str) -> None:
    machine = MACHINES[name]
    board = machine.opened(tmp_path)
    now = 1.0
    check(board.look(now))
    for path in machine.files or processor(100, 900):
        file = tmp_path / path
        was = file.read_bytes()
        spoil(file, bad)
        check(board.look(now := now + 1.0))
        (tmp_path / f"sys/class/hwmon/hwmon{now + 100:.0f}").mkdir(parents=True)  # all is looked for anew
        check(board.look(now := now + 1.0))
        if file.is_dir():
            file.rmdir()
        file.write_bytes(was)
    board.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def spoil(file: Path, how: str) -> None:
    if how in BAD:
        file.write_bytes(BAD[how])
        return
    file.unlink()
    if how == "a folder":
        file.mkdir()  # reading it fails, for root too


@pytest.mark.parametrize("bad", BAD)
def test_a_temperature_that_fails_is_none_and_never_cold(tmp_path: Path, bad: str) -> None:
    board = MACHINES["pi4"].opened(tmp_path)
    file = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    assert board.look(1.0).temperature == 51.608
    file.write_bytes(BAD[bad])
    if bad != "minus one":  # a thousandth below freezing
        assert board.look(2.0).temperature is None
    file.write_text("52000\n")
    assert board.look(3.0).temperature == 52.0


def test_one_of_two_that_fails_may_be_the_hotter(tmp_path: Path) -> None:
    board = MACHINES["rock5"].opened(tmp_path)
    assert board.look(1.0).temperature == 43.461
    (tmp_path / "sys/class/thermal/thermal_zone1/temp").write_text("")
    assert board.look(2.0).temperature is None
    board.close()
    again = Telemetry(Host(tmp_path))  # but one that has never spoken is no sensor
    assert again.look(1.0).temperature == 41.615
    again.close()


def test_a_sensor_beside_the_processor_never_stands_in_for_it(tmp_path: Path) -> None:
    planted(tmp_path, hwmon(0, "lm75", temp1_input=21000))
    board = Telemetry(Host(tmp_path))
    assert (board.look(1.0).temperature, board.look(1.0).case, board.thermal) == (None, 21.0, False)
    board.close()


def test_sensors_come_and_go(tmp_path: Path) -> None:
    board = MACHINES["pi4 with an INA219"].opened(tmp_path)
    meter, away = tmp_path / "sys/class/hwmon/hwmon3", tmp_path / "away"
    assert board.look(1.0).power == 4.032
    meter.rename(away)
    assert board.look(2.0).power is None
    assert board.look(3.0).voltage is None
    away.rename(meter)
    assert board.look(4.0).power == 4.032
    board.close()


def test_a_number_given_to_another_sensor(tmp_path: Path) -> None:
    """A zone that goes and comes back as another kind."""
    board = MACHINES["pi4 without its firmware"].opened(tmp_path)
    folder = tmp_path / "sys/class/thermal"
    board.look(1.0)
    shutil.move(folder / "thermal_zone0", tmp_path / "gone")
    assert board.look(2.0).temperature is None
    planted(tmp_path, zone(0, "iwlwifi_1", "90000", "sys/class"))
    assert board.look(3.0).temperature is None
    board.close()


def test_it_opens_no_descriptor_twice(tmp_path: Path) -> None:
    board = MACHINES["laptop"].opened(tmp_path)
    board.look(0.0)
    before = descriptors()
    for second in range(1, 20):
        (tmp_path / f"sys/class/hwmon/hwmon{second + 50}").mkdir()  # each looks for everything anew
        board.look(float(second))
    assert descriptors() == before
    board.close()
    assert descriptors() < before


# --- what is counted between two looks


def test_busy_and_our_own_part_of_it(tmp_path: Path) -> None:
    planted(tmp_path, processor(100, 900))
    board = Telemetry(Host(tmp_path))
    assert (board.look(1.0).busy, board.look(1.0).own) == (None, None)
    planted(tmp_path, processor(130, 970))
    vitals = board.look(2.0)
    assert vitals.busy == pytest.approx(0.3)
    assert vitals.own == pytest.approx(min(1.0, 0.3 / (os.cpu_count() or 1)))
    planted(tmp_path, processor(120, 980))  # a counter that goes back
    assert known(board.look(3.0)).get("busy", 0.0) == 0.0
    board.close()


def test_a_group_that_is_shared_is_not_ours(tmp_path: Path) -> None:
    planted(tmp_path, processor(100, 900) | {"proc/self/cgroup": "0::/user.slice/user-1000.slice\n"})
    board = Telemetry(Host(tmp_path))
    began = board.look(0.0)
    assert began.own is None
    sum(range(10**6))  # our own seconds are counted instead
    assert board.look(1.0).own is not None
    board.close()


# --- the supply


def test_a_dip_between_two_looks_leaves_a_trace(tmp_path: Path) -> None:
    firmware = Firmware()
    board = MACHINES["pi4"].opened(tmp_path, firmware)
    words = []
    for second, word in enumerate([0x0, 0x10000, 0x10000, 0x0, 0x1, 0x10000, 0x20000]):
        firmware.word = word
        vitals = board.look(float(second))
        words.append((vitals.under_voltage, Word(vitals.word or 0).under_voltage_before))
    assert words == [
        (False, False), (True, True), (False, True), (False, True), (True, True), (True, True), (False, True),
    ]  # fmt: skip
    assert Word(board.look(9.0).word or 0).slowed_before
    board.close()


def test_what_happened_before_we_began_is_not_news(tmp_path: Path) -> None:
    board = MACHINES["pi4"].opened(tmp_path, Firmware(0x50000))
    vitals = board.look(1.0)
    assert (vitals.under_voltage, vitals.word) == (False, 0)
    board.close()


def test_the_kernels_alarm_is_told_within_the_second_and_at_the_next_look(tmp_path: Path) -> None:
    board = MACHINES["pi4"].opened(tmp_path)
    alarm = tmp_path / "sys/class/hwmon/hwmon1/in0_lcrit_alarm"
    assert board.look(1.0).under_voltage is False
    alarm.write_text("1\n")
    vitals = board.look(1.2)
    assert (vitals.time, vitals.under_voltage, vitals.word) == (1.0, True, 0x10001)
    alarm.write_text("0\n")
    assert board.look(2.0).under_voltage is True
    assert board.look(3.0).under_voltage is False
    assert board.look(3.0).word == 0x10000
    board.close()


@pytest.mark.parametrize("files", [INA219, INA219_IIO], ids=["hwmon", "IIO"])
def test_a_meter_sees_its_rail_sag(tmp_path: Path, files: Files) -> None:
    board = Machine(PI3BP | files, {}).opened(tmp_path)
    assert board.look(1.0).under_voltage is False
    for file, sagging, dead in (
        (tmp_path / "sys/class/hwmon/hwmon3/in1_input", "4500\n", "12\n"),
        (tmp_path / "sys/bus/iio/devices/iio:device0/in_voltage1_raw", "1125\n", "3\n"),
    ):
        if file.exists():
            file.write_text(sagging)
            assert (board.look(2.0).under_voltage, board.look(2.0).voltage) == (True, 4.5)
            file.write_text(dead)  # nothing runs on that: the meter is wrong
            assert (board.look(3.0).under_voltage, board.look(3.0).voltage) == (None, None)
    board.close()


def test_a_meter_on_a_cell_is_no_weak_supply(tmp_path: Path) -> None:
    """A lithium cell is never seen at five volts."""
    board = Machine(hwmon(3, "ina219", in1_input=3700, curr1_input=900), {}).opened(tmp_path)
    vitals = board.look(1.0)
    assert (vitals.under_voltage, vitals.voltage, vitals.power) == (None, None, pytest.approx(3.33))
    board.close()


def test_a_firmware_that_fails_is_left_alone_for_a_while(tmp_path: Path) -> None:
    firmware = Firmware()
    board = MACHINES["pi4 without its firmware"].opened(tmp_path, firmware)
    assert board.look(1.0).under_voltage is False
    firmware.broken = OSError(errno.ETIMEDOUT, "Connection timed out")
    assert (board.look(2.0).under_voltage, board.look(2.0).clock) == (None, 0.5)
    firmware.broken, trips = None, firmware.trips
    assert board.look(8.0).word is None
    assert firmware.trips == trips
    assert board.look(13.0).under_voltage is False
    board.close()


@pytest.mark.parametrize("place", range(20))
@pytest.mark.parametrize("word", [0, 1, 0x80000000, 0x80000008, 0xFFFFFFFF])
def test_an_answer_of_the_firmware_that_is_spoilt(tmp_path: Path, place: int, word: int) -> None:
    """Any word of three answers in one frame: a fault is told by nothing but None."""
    firmware = Firmware(0x50005)
    board = MACHINES["pi4"].opened(tmp_path, firmware)
    board.look(1.0)
    firmware.spoil = {place: word} if place < 16 else {2: word, place - 16: 0}
    check(board.look(2.0))
    board.close()


def test_all_questions_are_one_trip(tmp_path: Path) -> None:
    firmware = Firmware()
    board = MACHINES["pi4"].opened(tmp_path, firmware)
    trips = firmware.trips
    board.look(1.0)
    assert firmware.trips == trips + 1
    board.look(1.5)
    assert firmware.trips == trips + 1
    board.close()


def test_a_tag_that_the_firmware_does_not_know_is_asked_once(tmp_path: Path) -> None:
    firmware = Firmware(ignorant=frozenset({0x00030047}))
    board = MACHINES["pi4"].opened(tmp_path, firmware)
    for second in range(5):
        assert board.look(float(second)).core_voltage == 0.86
    assert [tag for tag, _ in firmware.asked].count(0x00030047) == 1
    board.close()


def test_a_firmware_that_comes_later_than_we_do(tmp_path: Path) -> None:
    firmware = Firmware()
    firmware.broken = OSError(errno.EACCES, "Permission denied")
    board = MACHINES["pi4"].opened(tmp_path, firmware)
    assert board.look(0.0).word is None
    firmware.broken = None
    assert board.look(30.0).word is None
    board.look(61.0)
    assert (board.look(200.0).word, board.look(200.0).limit) == (0, 80.0)
    board.close()


def test_rails_that_fail_are_asked_for_again(tmp_path: Path) -> None:
    commands = {"pmic_read_adc": ADC}
    board = MACHINES["pi5"].opened(tmp_path, Firmware(commands=commands))
    assert board.look(0.0).voltage == 5.05716
    commands.clear()
    assert (board.look(4.0).voltage, board.look(6.0).voltage) == (5.05716, None)
    commands["pmic_read_adc"] = ADC.replace("volt(24)=5.05716000V", "volt(24)=4.51000000V")
    assert board.look(20.0).voltage is None
    assert (board.look(72.0).voltage, board.look(72.0).under_voltage) == (4.51, True)
    board.close()


def test_a_battery_that_is_taken_out(tmp_path: Path) -> None:
    board = MACHINES["laptop"].opened(tmp_path)
    (tmp_path / POWER / "BAT0/present").write_text("0\n")
    vitals = board.look(1.0)
    assert (vitals.charge, vitals.power) == (None, None)
    board.close()


@pytest.mark.parametrize(
    ("about", "charge", "draining"),
    [
        ({"capacity": 101, "status": "Full"}, 1.0, False),
        ({"capacity": 200, "status": "Charging"}, None, False),
        ({"capacity": 40, "status": "Not charging"}, 0.4, False),
        ({"capacity": 40, "status": "Unknown"}, 0.4, None),
        ({"capacity": 40, "status": "Unknown", "current_now": -1000}, 0.4, True),
        ({"energy_now": 30, "energy_full": 40}, 0.75, None),
        ({"energy_now": 30, "energy_full": 0}, None, None),
        ({"charge_now": -30, "charge_full": 40}, None, None),
    ],
)
def test_gauges_differ_in_what_they_tell(
    tmp_path: Path, about: dict[str, object], charge: float | None, draining: bool | None
) -> None:
    planted(tmp_path, supply("gauge", type="Battery", **about))
    board = Telemetry(Host(tmp_path))
    vitals = board.look(1.0)
    assert (vitals.charge, vitals.draining) == (charge, draining)
    board.close()


# --- attributes, with the kernel's own files


def test_a_device_that_has_gone_is_lost() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    one = Attribute(Path(f"/proc/{child.pid}/stat"))
    assert one.text()
    child.communicate(b"\n")
    assert (one.text(), one.lost, one.fileno()) == ("", True, None)
    assert one.text() == ""


def test_a_sensor_that_hangs_is_asked_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temp").write_text("85000\n")
    clock, calls = [0.0], []

    def hanging(*_: object) -> bytes:
        clock[0] += 0.75
        calls.append(clock[0])
        return b"21000\n"

    one = Attribute(tmp_path / "temp")
    monkeypatch.setattr(attribute.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(attribute.os, "pread", hanging)
    for _ in range(100):
        clock[0] += 1.0
        assert one.number() == 21000
    assert len(calls) == 3  # twice, then after 75 s
    one.close()


PROGRAM = """
import select, socket, sys
from pathlib import Path
from edged.board.attribute import Attribute
from edged.board.voltage import Watch
socket.sethostname("0")
watch, alarm = Watch(), Attribute(Path("/proc/sys/kernel/hostname"))
watch.follow(alarm)
ready = lambda: bool(select.select([watch], [], [], 0)[0])
said = [ready(), watch.read()]
for word in "10":
    socket.sethostname(word)
    said += [ready(), watch.read(), ready()]
print(*said)
"""


def test_the_watch_wakes_when_the_kernel_notifies() -> None:
    """The host's name, in a namespace of its own: a file that notifies by POLLPRI, as rpi_volt's does."""
    for alone in (["unshare", "--uts"], ["unshare", "-r", "--uts"]):
        done = subprocess.run(
            [*alone, sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
        )
        if "Operation not permitted" not in done.stderr:
            assert done.stdout.split() == [
                "False",
                "False",
                "True",
                "True",
                "False",
                "True",
                "False",
                "False",
            ], done.stderr
            return
    pytest.skip("no namespace may be made here")
