"""The checks of the ground on boards that are not at hand: Pi 4, Pi 5, Rock, PC; worn, hot, full and
thirsty ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from boards import PC, PI4, PI5, ROCK5, ROOT_ON_CARD, Files, Firmware, card, chip, mounted, planted, zone

from edged.board.firmware import Mailbox
from edged.board.host import Host
from edged.doctor.case import Account, Case
from edged.doctor.checks import card as card_check
from edged.doctor.checks import clock, governor, memory, temperature, voltage
from edged.doctor.finding import Finding
from edged.doctor.service import Unit
from edged.governor import profile
from edged.governor.profile import Cost, Profile

CONFIG = """
[daemon]
state_dir = "/var/lib/edged"
runtime_dir = "/run/edged-of-a-test"
[pipelines.scene]
source = { kind = "synthetic" }
"""


def case_of(root: Path, *files: Files, links: dict[str, str] | None = None, config: str = CONFIG) -> Case:
    """A case on a made-up machine."""
    for one in files:
        planted(root, one)
    planted(root, {}, links)
    root.mkdir(exist_ok=True)
    path = root / "edged.toml"
    path.write_text(config)
    return Case(path, host=Host(root))


def by_subject(findings: Any) -> dict[str, Finding]:
    return {one.subject: one for one in findings if isinstance(one, Finding)}


# --- temperature


@pytest.mark.parametrize(
    ("board", "verdict", "limit"),
    [
        (PI4, "ok", 80.0),  # the firmware slows it down long before the trip point at 110
        (PI5, "warning", 80.0),  # 74 °C
        (ROCK5, "ok", 75.0),  # its hottest zone has no trip points, another one has
        (PC, "ok", 100.0),
    ],
    ids=["Pi 4", "Pi 5", "Rock 5", "PC"],
)
def test_how_far_from_the_limit(tmp_path: Path, board: Files, verdict: str, limit: float) -> None:
    (found,) = temperature.examine(case_of(tmp_path, board))
    assert (found.verdict, found.facts["limit"]) == (verdict, limit)


def test_too_hot(tmp_path: Path) -> None:
    (found,) = temperature.examine(case_of(tmp_path, PI4, zone(0, "cpu-thermal", "82300", "sys/class")))
    assert found.verdict == "warning"
    assert "82.3 °C" in found.found
    assert found.fix


def test_a_3b_plus_has_a_softer_limit(tmp_path: Path) -> None:
    about: Files = {
        "proc/device-tree/model": b"Raspberry Pi 3 Model B Plus Rev 1.3\0",
        "proc/device-tree/compatible": b"raspberrypi,3-model-b-plus\0brcm,bcm2837\0",
    }
    (found,) = temperature.examine(case_of(tmp_path, about, zone(0, "cpu-thermal", "55000", "sys/class")))
    assert (found.verdict, found.facts["limit"]) == ("warning", 60.0)


def test_no_sensor_and_a_broken_one_differ(tmp_path: Path) -> None:
    (none,) = temperature.examine(case_of(tmp_path / "a"))
    (broken,) = temperature.examine(case_of(tmp_path / "b", zone(0, "cpu-thermal", "", "sys/class")))
    assert (none.verdict, broken.verdict) == ("cannot tell", "warning")


# --- voltage


def volts(case: Case, firmware: Firmware) -> dict[str, Finding]:
    device = planted(case.host.root, {"dev/vcio": ""}) / "dev/vcio"
    return by_subject(voltage.examine(case, Mailbox(device, firmware)))


def test_enough_volts(tmp_path: Path) -> None:
    found = volts(case_of(tmp_path, PI4, {"dev/kmsg": ""}), Firmware())[""]
    assert found.verdict == "ok"
    assert found.found == "no under-voltage now nor since boot; core 0.86 V"
    assert found.facts["throttled"] == 0


@pytest.mark.parametrize(
    ("word", "verdict"),
    [(0x1, "failed"), (0x50005, "failed"), (0x10000, "warning"), (0x4, "warning"), (0x40000, "ok")],
)
def test_the_firmwares_word(tmp_path: Path, word: int, verdict: str) -> None:
    assert volts(case_of(tmp_path, PI4, {"dev/kmsg": ""}), Firmware(word=word))[""].verdict == verdict


def test_what_the_kernel_has_seen_before_counts_though_the_firmware_forgot(tmp_path: Path) -> None:
    log = "2,9,84211304,-;hwmon hwmon1: Undervoltage detected!\n" * 3
    found = volts(case_of(tmp_path, PI4, {"dev/kmsg": log}), Firmware())[""]
    assert found.verdict == "warning"
    assert "3 times" in found.found


def test_the_kernels_alarm_alone(tmp_path: Path) -> None:
    hwmon: Files = {
        "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
    }
    (found,) = voltage.examine(case_of(tmp_path, PI4, hwmon))
    assert found.verdict == "failed"


def test_an_answer_that_is_none_is_told_and_not_believed(tmp_path: Path) -> None:
    found = volts(case_of(tmp_path, PI4), Firmware(spoil={1: 0x80000001}))[""]
    assert found.verdict == "cannot tell"
    assert "0x80000001" in found.found


def test_a_voltage_that_is_none_leaves_the_word(tmp_path: Path) -> None:
    found = volts(case_of(tmp_path, PI4, {"dev/kmsg": ""}), Firmware(volts=0))[""]
    assert (found.verdict, found.facts["core_volts"]) == ("ok", None)


def test_another_board_has_nothing_to_tell(tmp_path: Path) -> None:
    (found,) = voltage.examine(case_of(tmp_path, ROCK5))
    assert (found.verdict, found.facts) == ("ok", {"pi": False})


def test_a_pi_5_tells_of_its_supply(tmp_path: Path) -> None:
    found = volts(case_of(tmp_path, PI5, {"dev/kmsg": ""}), Firmware())
    assert found["supply"].verdict == "note"
    assert found["supply"].facts == {"milliamperes": 3000}


# --- card


def cards(root: Path, made: Any, *files: Files, mounts: Files = ROOT_ON_CARD) -> dict[str, Finding]:
    disk, links = made
    uptime: Files = {"proc/uptime": "864000.00 1.0\n", "dev/kmsg": ""}
    return by_subject(card_check.examine(case_of(root, disk, mounts, uptime, *files, links=links)))


def test_a_good_card(tmp_path: Path) -> None:
    found = cards(tmp_path, card())
    assert found[""].found.startswith(
        "SD card mmcblk0: SanDisk SC32G, 31.9 GB, made 04/2023, does not tell its wear"
    )
    assert {one.verdict for one in found.values()} == {"ok"}
    assert found["writes"].facts["per_day"] == round(2000000 * 512 / 10)


@pytest.mark.parametrize(("sectors", "verdict"), [(30_000_000, "ok"), (200_000_000, "warning")])
def test_a_card_that_is_written_to_death(tmp_path: Path, sectors: int, verdict: str) -> None:
    """1 GB and 10 GB a day, on 32 GB that are taken to bear 3.2 TB: 8.5 years and 10 months."""
    disk, links = card()
    disk[next(name for name in disk if name.endswith("/stat"))] = f"0 0 0 0 0 0 {sectors} 0 0 0 0\n"
    found = cards(tmp_path, (disk, links))["writes"]
    assert found.verdict == verdict
    assert found.facts["years"] == pytest.approx(31.9e9 * 100 / (sectors * 512 / 10) / 365.25, abs=0.1)


@pytest.mark.parametrize(
    ("life", "spare", "verdict"),
    [
        ("0x01 0x02", "0x01", "ok"),
        ("0x09 0x01", "0x01", "warning"),
        ("0x03 0x03", "0x02", "warning"),
        ("0x0b 0x0b", "0x01", "failed"),
        ("0x03 0x03", "0x03", "failed"),
    ],
)
def test_an_emmc_wears(tmp_path: Path, life: str, spare: str, verdict: str) -> None:
    assert cards(tmp_path, chip(life, spare))[""].verdict == verdict


def test_a_locked_card(tmp_path: Path) -> None:
    found = cards(tmp_path, card(csd="400e00325b590000edc87f800a406013"))[""]
    assert found.verdict == "failed"
    assert "locked itself" in found.found


@pytest.mark.parametrize(
    "mounts",
    [
        mounted("0:24 / tmpfs tmpfs rw"),
        mounted(
            "0:31 / overlay overlay rw,lowerdir=/lower,upperdir=/upper"
        ),  # Raspberry Pi OS: it hides them
        mounted("0:31 / overlay overlay rw,upperdir=/rw/up", "0:32 /rw tmpfs tmpfs rw"),
    ],
    ids=["tmpfs", "raspi-config", "overlayroot"],
)
def test_a_state_that_is_lost_at_a_reboot(tmp_path: Path, mounts: Files) -> None:
    found = cards(tmp_path, card(), mounts=mounts)[""]
    assert (found.verdict, found.facts["volatile"]) == ("warning", True)
    assert "lost at a reboot" in found.found


def test_an_overlay_on_a_card_is_the_card(tmp_path: Path) -> None:
    mounts = mounted("0:31 / overlay overlay rw,upperdir=/rw/up", "179:2 /rw ext4 /dev/mmcblk0p2 rw")
    assert cards(tmp_path, card(), mounts=mounts)[""].found.startswith("SD card mmcblk0")


def test_errors_of_the_file_system_and_of_the_kernels(tmp_path: Path) -> None:
    noted: Files = {"sys/fs/ext4/mmcblk0p2/errors_count": "3\n"}
    assert cards(tmp_path / "a", card(), noted)["errors"].verdict == "failed"
    said: Files = {
        "dev/kmsg": "3,9,1,-;mmcblk0: I/O error, dev mmcblk0, sector 123\n3,9,1,-;sda: I/O error\n"
    }
    found = cards(tmp_path / "b", card(), said)["errors"]
    assert (found.verdict, found.facts["kernel_messages"]) == ("failed", 1)


def test_read_only(tmp_path: Path) -> None:
    found = cards(tmp_path, card(), mounts=mounted("179:2 / ext4 /dev/root ro"))["room"]
    assert found.verdict == "failed"
    assert "read-only" in found.found


def test_room_for_a_year(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_check, "year_of", lambda _: 1e18)
    assert cards(tmp_path, card())["room"].verdict == "warning"


def test_the_growth_of_a_year_is_the_measured_one(tmp_path: Path) -> None:
    """docs/store.md: 20 series take 101 MB after a year kept as configured."""
    labels = ", ".join(f'"l{number}"' for number in range(20))
    counted = f'[[pipelines.scene.measures]]\nkind = "occupancy"\nlabels = [{labels}]\n'
    model = '[models.m]\nfile = "m.tflite"\n'
    scene = CONFIG.replace("[pipelines.scene]", '[pipelines.scene]\nmodel = "m"')
    case = case_of(tmp_path, config=scene + counted + model)
    assert case.problems == ()
    assert card_check.year_of(case) == pytest.approx(101e6, rel=0.02)
    gate = scene + counted.replace('"occupancy"', '"visits"') + model
    of_events = card_check.year_of(case_of(tmp_path, config=gate))
    assert 100e6 < of_events == pytest.approx(22.0 * 2 * 138_731 * 20, rel=0.02)


def test_swap_on_the_card_and_in_memory(tmp_path: Path) -> None:
    head = "Filename Type Size Used Priority\n"
    on_card: Files = {"proc/swaps": head + "/var/swap file 204796 1024 -2\n"}
    found = cards(tmp_path / "a", card(), on_card)["swap"]
    assert (found.verdict, found.facts["used"]) == ("note", 1024 * 1024)
    in_memory: Files = {"proc/swaps": head + "/dev/zram0 partition 204796 1024 100\n"}
    assert "swap" not in cards(tmp_path / "b", card(), in_memory)


def test_nothing_is_mounted_at_all(tmp_path: Path) -> None:
    (found,) = card_check.examine(case_of(tmp_path))
    assert found.verdict == "cannot tell"


# --- clock


def test_a_pi_5_without_its_battery(tmp_path: Path) -> None:
    found = by_subject(clock.examine(case_of(tmp_path, PI5)))["battery"]
    assert found.facts["battery_volts"] == pytest.approx(0.006048)
    assert "no battery" in found.found


def test_a_clock_that_is_wrong(tmp_path: Path) -> None:
    rtc: Files = {"sys/class/rtc/rtc0/name": "rtc-ds1307\n", "sys/class/rtc/rtc0/since_epoch": "1000000\n"}
    found = by_subject(clock.examine(case_of(tmp_path, rtc)))["battery"]
    assert found.verdict == "note"
    assert found.fix


def test_who_sets_it(tmp_path: Path) -> None:
    comm: Files = {
        "proc/301/comm": "chronyd\n",
        "proc/302/comm": "sh\n",
        "proc/303/comm": "systemd-timesyn\n",
    }
    found = by_subject(clock.examine(case_of(tmp_path, comm)))[""]
    assert found.facts["setters"] == ["chrony", "systemd-timesyncd"]


def test_the_configs_zone(tmp_path: Path) -> None:
    config = CONFIG + '[clock]\ntimezone = "Europe/Berlin"\n'
    found = by_subject(clock.examine(case_of(tmp_path, config=config)))["zone"]
    assert found.facts == {"zone": "Europe/Berlin", "by_config": True}


# --- memory

SMALL = "MemTotal:  474916 kB\nMemAvailable:  301200 kB\nSwapTotal:  0 kB\nSwapFree:  0 kB\n"


def test_a_small_board_with_one_model(tmp_path: Path) -> None:
    found = by_subject(memory.examine(case_of(tmp_path, {"proc/meminfo": SMALL})))[""]
    assert (found.verdict, found.facts["measured"]) == ("ok", False)


def test_more_models_than_a_small_board_bears(tmp_path: Path) -> None:
    many = "".join(f'[pipelines.p{number}]\nsource = {{ kind = "synthetic" }}\n' for number in range(12))
    found = by_subject(memory.examine(case_of(tmp_path, {"proc/meminfo": SMALL}, config=CONFIG + many)))[""]
    assert found.verdict == "failed"


def test_nearly_nothing_left(tmp_path: Path) -> None:
    tight = SMALL.replace("301200", "20000")
    found = by_subject(memory.examine(case_of(tmp_path, {"proc/meminfo": tight})))[""]
    assert found.verdict == "warning"


def limited(root: Path, most: int, controllers: str) -> dict[str, Finding]:
    case = case_of(root, {"proc/meminfo": SMALL, "sys/fs/cgroup/cgroup.controllers": controllers})
    case.unit = Unit({"LoadState": "loaded", "MemoryMax": str(most), "User": "nobody"})
    return by_subject(memory.examine(case))


def test_the_units_limit(tmp_path: Path) -> None:
    assert limited(tmp_path / "a", 280_000_000, "cpu io memory pids")["limit"].verdict == "ok"
    assert limited(tmp_path / "b", 30_000_000, "cpu io memory pids")["limit"].verdict == "failed"
    unkept = limited(tmp_path / "c", 280_000_000, "cpu io pids")["limit"]
    assert unkept.verdict == "note"
    assert "cgroup_enable=memory" in unkept.fix


def test_processes_that_were_killed_for_memory(tmp_path: Path) -> None:
    pid = os.getpid()
    files: Files = {
        "proc/meminfo": SMALL,
        f"proc/{pid}/status": f"Name:\tedged\nPid:\t{pid}\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n",
        f"proc/{pid}/cgroup": "0::/system.slice/edged.service\n",
        "sys/fs/cgroup/cgroup.controllers": "memory",
        "sys/fs/cgroup/system.slice/edged.service/memory.events": "low 0\nhigh 3\nmax 9\noom 2\noom_kill 2\n",
    }
    case = case_of(tmp_path, files)
    case.unit = Unit({"LoadState": "loaded", "MemoryMax": "280000000", "MainPID": str(pid)})
    found = by_subject(memory.examine(case))["limit"]
    assert (found.verdict, found.facts["killed"]) == ("failed", 2)


LADDER = """
[models.big]
file = "/models/big.tflite"
[models.small]
file = "/models/small.tflite"
[pipelines.street]
source = { kind = "synthetic" }
model = "big"
ladder = ["small"]
"""


def test_two_models_are_open_while_one_is_exchanged(tmp_path: Path) -> None:
    """Of a ladder both files count, of a single model nothing is added."""
    files: Files = {
        "proc/meminfo": SMALL,
        "models/big.tflite": b"x" * 40_000_000,
        "models/small.tflite": b"x" * 30_000_000,
    }
    alone = CONFIG + LADDER.replace('ladder = ["small"]', "")
    one = by_subject(memory.examine(case_of(tmp_path / "a", files, config=alone)))[""]
    two = by_subject(memory.examine(case_of(tmp_path / "b", files, config=CONFIG + LADDER)))[""]
    assert (one.facts["switching"], two.facts["switching"]) == (0, memory.ARENA * 30_000_000)
    assert two.facts["needed"] == one.facts["needed"] + memory.ARENA * 30_000_000
    assert (one.verdict, two.verdict) == ("ok", "warning") and "while it changes models" in two.found


def test_a_daemon_on_a_cheap_rung_may_go_back_to_the_dear_one(tmp_path: Path) -> None:
    files: Files = {
        "proc/meminfo": SMALL,
        "models/big.tflite": b"x" * 4000,
        "models/small.tflite": b"x" * 100,
    }
    case = case_of(tmp_path, files, config=CONFIG + LADDER)
    case.status = {"pipelines": [{"name": "street", "course": {"rung": 1, "model": "small"}}]}
    assert memory.while_switching(case, True) == memory.ARENA * 4000
    assert memory.while_switching(case, False) == memory.ARENA * 100


# --- what the governor goes by


def governs(root: Path, *files: Files, keys: str = "", config: str = CONFIG) -> dict[str, Finding]:
    case = case_of(root, *files, config=f"{config}\n[governor]\n{keys}\n")
    return by_subject(governor.examine(case, Mailbox(case.host.place("dev/vcio"), Firmware())))


@pytest.mark.parametrize(
    ("board", "limit", "target"),
    [(PI4, 80.0, 78.0), (PI5, 80.0, 78.0), (ROCK5, 75.0, 73.0), (PC, 85.0, 83.0)],
    ids=["Pi 4", "Pi 5", "Rock 5", "PC"],
)
def test_what_it_will_keep_to(tmp_path: Path, board: Files, limit: float, target: float) -> None:
    files = board | ({"dev/vcio": ""} if board in (PI4, PI5) else {})
    found = governs(tmp_path, files)[""]
    assert (found.verdict, found.facts["limit"], found.facts["target"]) == ("ok", limit, target)
    assert f"under {target:g} °C" in found.found


def test_a_target_above_the_boards_limit_comes_too_late(tmp_path: Path) -> None:
    found = governs(tmp_path, PI4, {"dev/vcio": ""}, keys="target = 85")[""]
    assert (found.verdict, found.facts["target"]) == ("warning", 85.0)


def test_without_a_sensor_nothing_is_promised(tmp_path: Path) -> None:
    found = governs(tmp_path)[""]
    assert (found.verdict, found.facts["target"]) == ("note", None)
    assert "nothing is done against heat" in found.found


def test_what_is_switched_off_is_told(tmp_path: Path) -> None:
    found = governs(tmp_path, PI4, {"dev/vcio": ""}, keys="enabled = false")[""]
    assert (found.verdict, found.fix) == ("note", "enabled = true in [governor]")


def test_who_tells_of_a_weak_supply(tmp_path: Path) -> None:
    told = governs(tmp_path / "a", PI4, {"dev/vcio": ""})["supply"]
    assert (told.verdict, told.facts["witnesses"]) == ("ok", ["the firmware"])
    alarm: Files = {
        "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
    }
    assert governs(tmp_path / "b", ROCK5, alarm)["supply"].facts["witnesses"] == ["the kernel's alarm"]
    assert governs(tmp_path / "c", ROCK5)["supply"].facts["under_voltage"] is None


def test_a_pi_whose_firmware_the_service_may_not_ask(tmp_path: Path) -> None:
    case = case_of(tmp_path, PI4, {"dev/vcio": ""})
    (tmp_path / "dev/vcio").chmod(0)
    case.__dict__["account"] = Account("edged", 990, 990)
    refusing = Mailbox(case.host.place("dev/nothing"), Firmware())
    found = by_subject(governor.examine(case, refusing))["supply"]
    assert found.verdict == "warning" and "sudo adduser edged video" in found.fix


def test_who_waits_for_the_processor(tmp_path: Path) -> None:
    waits: Files = {"proc/pressure/cpu": "some avg10=1.50 avg60=0 avg300=0 total=0\n"}
    assert governs(tmp_path / "a", waits)["others"].facts["pressure"] == 0.015
    without = governs(tmp_path / "b")["others"]
    assert without.verdict == "note" and "psi=1" in without.fix


def test_energy_and_battery_where_they_matter(tmp_path: Path) -> None:
    plain = governs(tmp_path / "a", keys='board = "simulated:pi4-bare,hot"')
    assert set(plain) == {"", "supply", "others", "profile"}
    keys = 'board = "simulated:pi4-bare,battery,meter"\nwatt_hours = 40'
    full = governs(tmp_path / "b", keys=keys)
    assert set(full) == {"", "supply", "others", "energy", "battery", "profile"}
    assert full["energy"].verdict == "ok" and full["energy"].facts["watts"] is not None
    bare = governs(tmp_path / "c", keys='board = "simulated:pi4-bare"\nwatt_hours = 40')["energy"]
    assert (bare.verdict, bare.facts["watts"]) == ("note", None)


def measured(root: Path, board: str, *models: str) -> Finding:
    costs = tuple(Cost(one, f"/models/{one}.tflite", 1, 0.1, 0.1) for one in models)
    state = root / "var/lib/edged"
    state.mkdir(parents=True)
    profile.save(
        state, Profile(edged="1", measured="2026-01-01T00:00:00Z", board=board, cores=4, costs=costs)
    )
    keys = 'board = "simulated:pi4-bare"'
    return governs(root, config=CONFIG + LADDER, keys=keys)["profile"]


def test_the_profile_is_of_this_board_and_of_these_models(tmp_path: Path) -> None:
    here = "simulated:pi4-bare"
    whole = measured(tmp_path / "a", here, "big", "small")
    assert (whole.verdict, whole.facts["unmeasured"]) == ("ok", [])
    part = measured(tmp_path / "b", here, "big")
    assert (part.verdict, part.facts["unmeasured"]) == ("note", ["small"])
    other = measured(tmp_path / "c", "Raspberry Pi 3 Model B Rev 1.2", "big", "small")
    assert other.verdict == "warning" and 'this is "simulated:pi4-bare"' in other.found
