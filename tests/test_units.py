"""The unit, its user and its folders: what systemd says of them, and that systemd/README.md gives every
line's reason.

What they do on a running system is tried by hardware-tests/lab/unit.sh.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parent.parent / "systemd"
UNIT = SYSTEMD / "edged.service"
DROP_INS = sorted((SYSTEMD / "edged.service.d").glob("*.conf"))
PAGE = (SYSTEMD / "README.md").read_text()
MOST_EXPOSURE = 1.1
#: The sections of the page that list what is on; the last one lists what is off.
ON, OFF = PAGE.split("## What is off")
ROW = re.compile(r"^\| (`.+?`) \| (.+) \|$", re.MULTILINE)


def lines(path: Path) -> list[str]:
    """The assignments of a unit's file, as they stand there."""
    text = [line.strip() for line in path.read_text().splitlines()]
    return [line for line in text if line and line[0] not in "#;["]


def told(section: str) -> dict[str, str]:
    """Each directive that a section names at the beginning of a row -> the reason."""
    return {
        name: reason
        for names, reason in ROW.findall(section)
        for name in re.findall(r"`([^`]+)`", names)
        if re.match(r"[A-Z][A-Za-z]+=", name)
    }


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed here; the lab's suite asks it on both Debians")
    return found


@pytest.fixture
def startable(tmp_path: Path) -> Path:
    """The unit with programs that are there: those of an installed system are not, in a checkout."""
    text = re.sub(r"^(Exec\w+)=.*$", r"\1=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    path = tmp_path / UNIT.name
    path.write_text(text)
    return path


def security(analyze: str, unit: Path) -> list[dict[str, str]]:
    """What systemd holds against the unit."""
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--json=short", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.startswith("["):
        pytest.skip(f"this systemd-analyze cannot judge a file: {done.stderr.strip()}")
    found: list[dict[str, str]] = json.loads(done.stdout)
    return [one for one in found if one["exposure"]]


def test_every_line_has_its_reason_and_every_reason_its_line() -> None:
    there = {line for path in (UNIT, *DROP_INS) for line in lines(path)}
    assert set(told(ON)) == there


def test_what_is_off_is_not_on() -> None:
    off = set(told(OFF))
    assert off
    assert off & {line for path in (UNIT, *DROP_INS) for line in lines(path)} == set()
    on = {line.partition("=")[0] for line in lines(UNIT)}
    assert not {name.partition("=")[0] for name in off if name.endswith("=")} & on - {"DeviceAllow"}


def test_no_reason_is_empty() -> None:
    assert all(len(reason) >= 8 for reason in {**told(ON), **told(OFF)}.values())


def test_the_exposure_is_small(analyze: str, startable: Path) -> None:
    assert exposure(analyze, startable) <= MOST_EXPOSURE


def test_whatever_systemd_marks_has_its_reason(analyze: str, startable: Path) -> None:
    marked = {one["name"] for one in security(analyze, startable)}
    assert marked
    assert marked - set(told(OFF)) == set()


def test_the_owners_drop_ins_of_the_page_stay_within_it(analyze: str, startable: Path) -> None:
    """As systemd puts a unit and its drop-ins together: one after the other."""
    drop_ins = re.findall(r"^  ```ini\n(.*?)^  ```", PAGE, re.MULTILINE | re.DOTALL)
    drop_ins += [path.read_text() for path in DROP_INS if path.name.startswith("with-")]
    assert any("AF_NETLINK" in one for one in drop_ins)
    for one in drop_ins:
        worse = startable.with_name("worse.service")
        worse.write_text(startable.read_text().replace("[Install]", one.replace("  ", "") + "[Install]"))
        assert exposure(analyze, worse) <= MOST_EXPOSURE, one


def exposure(analyze: str, unit: Path) -> float:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if not found:
        pytest.skip(f"this systemd-analyze cannot judge a file: {done.stderr.strip()}")
    return float(found[1])


def test_a_worse_unit_is_worse(analyze: str, startable: Path) -> None:
    """The judge judges: without one wall more is marked."""
    before = {one["name"] for one in security(analyze, startable)}
    startable.write_text(startable.read_text().replace("PrivateNetwork=yes", ""))
    assert {one["name"] for one in security(analyze, startable)} - before == {"PrivateNetwork="}


def test_systemd_finds_nothing_wrong(analyze: str, startable: Path) -> None:
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(startable)], capture_output=True, text=True, check=False
    )
    own = [line for line in done.stderr.splitlines() if "edged" in line or str(startable.parent) in line]
    assert own == [], done.stderr


def test_systemd_finds_a_misspelt_line(analyze: str, startable: Path) -> None:
    startable.write_text(startable.read_text().replace("PrivateNetwork=", "PrivateNetwrk="))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(startable)], capture_output=True, text=True, check=False
    )
    assert "PrivateNetwrk" in done.stderr


def test_drop_ins_say_which_systemd_they_are_for() -> None:
    assert DROP_INS
    for path in DROP_INS:
        if path.name.startswith("with-"):  # for machines with something, whatever their systemd
            continue
        number = re.match(r"(\d{3})-[a-z-]+\.conf$", path.name)
        assert number and int(number[1]) > 252, f"{path.name}: what 252 knows belongs in the unit"


def test_the_oldest_systemd_gets_nothing_that_it_would_misread() -> None:
    newer = {"notify-reload", "RestartSteps", "RestartMaxDelaySec", "PrivatePIDs", "MemoryZSwapMax"}
    assert not [line for line in lines(UNIT) for word in newer if word in line]


def test_the_start_outlasts_the_workers() -> None:
    from edged.supervise import START_DEADLINE, STOP_PATIENCE

    assert seconds("TimeoutStartSec") > START_DEADLINE
    assert STOP_PATIENCE + 2.0 < seconds("TimeoutStopSec") <= 5.0


def seconds(name: str) -> float:
    [value] = [line.partition("=")[2] for line in lines(UNIT) if line.startswith(name + "=")]
    number, unit = re.fullmatch(r"(\d+)(s|min)", value).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1.0, "min": 60.0}[unit]


def test_each_class_of_device_has_a_group_that_may_open_it() -> None:
    """And no group is taken whose devices the unit refuses."""
    groups = {line.split()[2] for line in lines(SYSTEMD / "sysusers.d/edged.conf") if line.startswith("m ")}
    assert groups == {"video", "audio", "dialout", "iio", "plugdev", "apex"}
    classes = {line.split("=")[1].split()[0] for line in lines(UNIT) if line.startswith("DeviceAllow=")}
    of_groups = {
        "video": {"char-81", "char-video4linux", "char-media", "char-dma_heap", "/dev/vcio"},
        "audio": {"char-116", "char-alsa"},
        "dialout": {"char-188", "char-166", "char-204", "/dev/ttyS0"},
        "iio": {"char-iio"},
        "plugdev": {"char-189", "char-usb_device"},
        "apex": {"char-apex"},
    }
    assert classes == set().union(*(of_groups[group] for group in groups))


def test_every_folder_that_the_unit_takes_for_granted_is_made() -> None:
    made = {line.split()[1]: line.split()[2:5] for line in lines(SYSTEMD / "tmpfiles.d/edged.conf")}
    assert made["/etc/edged/credentials"] == ["0700", "root", "root"]
    assert made["/etc/edged"] == ["0750", "root", "edged"]
    assert made["/var/lib/edged"] == made["/var/lib/edged/models"] == ["0700", "edged", "edged"]
