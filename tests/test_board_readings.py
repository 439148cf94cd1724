"""Further readings of a board: the kernel's log, memory, names, alarms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from boards import PC, PI4, PI5, ROCK5, Files, planted

from edged.board import kernel_log, memory, voltage
from edged.board.attribute import number, text
from edged.board.host import Host

KMSG = (
    "6,1,0,-;Linux version 6.6.51\n"
    " SUBSYSTEM=cpu\n"
    "2,1233,84211304,-;hwmon hwmon1: Undervoltage detected!\n"
    "6,1234,86211304,-;hwmon hwmon1: Voltage normalised\n"
    "torn line without a head\n"
    "a,b,c;no number\n"
)


def test_the_kernels_log(tmp_path: Path) -> None:
    log = planted(tmp_path, {"kmsg": KMSG}) / "kmsg"
    found = list(kernel_log.lines(log))
    assert [one.seconds for one in found] == [0.0, 84.211304, 86.211304]
    assert found[1].text == "hwmon hwmon1: Undervoltage detected!"


def test_a_log_longer_than_one_read(tmp_path: Path) -> None:
    line = "6,1,1000000,-;" + "x" * 99 + "\n"
    log = planted(tmp_path, {"kmsg": line * 1000}) / "kmsg"
    assert len(list(kernel_log.lines(log))) == 1000


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="the kernel's log is not for this user here")
def test_the_real_log_ends() -> None:
    """It never says that it ends: what is not there yet must not be waited for."""
    try:
        assert all(one.seconds >= 0 for one in kernel_log.lines())
    except PermissionError:
        pytest.skip("the kernel's log is for root alone here (dmesg_restrict)")


@pytest.mark.parametrize(
    ("board", "model", "pi"),
    [
        (PI4, "Raspberry Pi 4 Model B Rev 1.4", 4),
        (PI5, "Raspberry Pi 5 Model B Rev 1.0", 5),
        (ROCK5, "Radxa ROCK 5B", 0),
        (PC, "LENOVO 20KH", 0),
        ({}, "", 0),
    ],
    ids=["Pi 4", "Pi 5", "Rock 5", "PC", "nothing"],
)
def test_boards_have_names(tmp_path: Path, board: Files, model: str, pi: int) -> None:
    host = Host(planted(tmp_path, board))
    assert (host.model(), host.pi()) == (model, pi)


def test_the_systems_name(tmp_path: Path) -> None:
    about = 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\n'
    assert Host(planted(tmp_path, {"etc/os-release": about})).system() == "Debian GNU/Linux 13 (trixie)"
    assert Host(tmp_path / "none").system() == ""


def test_uptime(tmp_path: Path) -> None:
    assert Host(planted(tmp_path, {"proc/uptime": "3600.51 9000.1\n"})).uptime() == 3600.51
    assert Host(tmp_path / "none").uptime() == 0.0


@pytest.mark.parametrize(("said", "alarm"), [("0\n", False), ("1\n", True), ("", None)])
def test_the_kernels_alarm(tmp_path: Path, said: str, alarm: bool | None) -> None:
    files: Files = {
        "class/hwmon/hwmon0/name": "cpu_thermal\n",
        "class/hwmon/hwmon1/name": "rpi_volt\n",
        "class/hwmon/hwmon1/in0_lcrit_alarm": said,
    }
    assert voltage.alarm(planted(tmp_path, files)) is alarm


def test_no_alarm_without_the_driver(tmp_path: Path) -> None:
    assert voltage.alarm(tmp_path) is None


def test_what_a_pi_5_supply_offers(tmp_path: Path) -> None:
    assert voltage.supply_milliamperes(planted(tmp_path, PI5) / "proc") == 3000
    assert voltage.supply_milliamperes(tmp_path / "none") is None


MEMINFO = "MemTotal:  474916 kB\nMemFree:  90000 kB\nMemAvailable:  301200 kB\nSwapTotal:  204796 kB\n"
SWAPS = (
    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    "/var/swap                               file\t\t204796\t\t1024\t\t-2\n"
    "/dev/zram0                              partition\t400000\t\t0\t\t100\n"
)


def test_memory(tmp_path: Path) -> None:
    found = memory.memory(planted(tmp_path, {"meminfo": MEMINFO}))
    assert (found.total, found.available, found.swap) == (474916 * 1024, 301200 * 1024, 204796 * 1024)
    assert memory.memory(tmp_path / "none").total == 0


def test_swap(tmp_path: Path) -> None:
    on_card, in_memory = memory.swaps(planted(tmp_path, {"swaps": SWAPS}))
    assert (on_card.path, on_card.used, on_card.compressed) == ("/var/swap", 1024 * 1024, False)
    assert in_memory.compressed


def test_our_own_memory_is_some(tmp_path: Path) -> None:
    share = memory.resident(Path("/proc"), os.getpid())
    assert share is not None
    assert share > 1_000_000
    assert memory.resident(Path("/proc"), 2**30) is None


@pytest.mark.parametrize(
    ("content", "said", "value"),
    [
        (b"42\n", "42", 42),
        (b"0x2a\0", "0x2a", 42),
        (b"\xff\n", "\ufffd", None),
        (b"", "", None),
        (b"1e3", "1e3", None),
    ],
)
def test_an_attribute(tmp_path: Path, content: bytes, said: str, value: int | None) -> None:
    file = planted(tmp_path, {"a": content}) / "a"
    assert (text(file), number(file)) == (said, value)


def test_an_attribute_that_cannot_be_read(tmp_path: Path) -> None:
    assert (text(tmp_path), number(tmp_path / "none")) == ("", None)
