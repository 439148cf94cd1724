"""What the doctor says of sensors, on made-up machines: there, not there, not for the service to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from boards import Files
from test_doctor_board import case_of

from edged.config import shape
from edged.doctor import sensors
from edged.doctor.case import Account
from edged.doctor.checks import model, source
from edged.doctor.finding import Finding
from edged.doctor.service import Unit
from edged.errors import RefusedError
from edged.worker.source import WantWindow
from edged.worker.source.serial import SerialSource

CONFIG = """
[daemon]
state_dir = "/var/lib/edged"
runtime_dir = "/run/edged-of-a-test"
[pipelines.room]
model = "none"
source = {{ {source} }}
measures = [{{ kind = "level", labels = ["{label}"] }}]
"""
LM75: Files = {
    "sys/class/hwmon/hwmon0/name": "acpitz\n",
    "sys/class/hwmon/hwmon2/name": "lm75\n",
    "sys/class/hwmon/hwmon2/temp1_input": "21500\n",
    "sys/class/hwmon/hwmon2/temp1_max": "80000\n",
}
DEVICE = "sys/bus/iio/devices/iio:device0"
BME280: Files = {
    f"{DEVICE}/name": "bme280\n",
    f"{DEVICE}/in_temp_input": "21500\n",
    f"{DEVICE}/in_pressure_raw": "1\n",
}
BUFFERED: Files = BME280 | {f"{DEVICE}/buffer/enable": "1\n", "dev/iio:device0": ""}
BUS: Files = {"sys/bus/w1/devices/28-01/temperature": "21500\n", "sys/bus/w1/devices/w1_bus_master1/x": ""}


def told(root: Path, files: Files, what: str, label: str = "temp1") -> Finding:
    case = case_of(root, files, config=CONFIG.format(source=what, label=label))
    (found,) = [one for one in source.examine(case) if isinstance(one, Finding)]
    return found


@pytest.mark.parametrize(
    ("files", "what", "label", "said"),
    [
        (LM75, 'kind = "hwmon", device = "lm75"', "temp1", "lm75 (hwmon2): temp1"),
        (BME280, 'kind = "iio", device = "bme280"', "temp", "bme280 (iio:device0): pressure, temp"),
        (BUS, 'kind = "onewire"', "28-01", "the 1-wire bus: 28-01"),
        (
            {"sys/a": "1"},
            'kind = "sysfs", channels = { a = { path = "/sys/a" } }',
            "a",
            "sysfs: a can be read",
        ),
        ({}, 'kind = "feed", channels = { a = {} }', "a", "who is in the group edged may write to it"),
    ],
)
def test_a_sensor_that_is_there(tmp_path, files, what, label, said):
    found = told(tmp_path, files, what, label)
    assert found.verdict == "ok"
    assert said in found.found


@pytest.mark.parametrize(
    ("files", "what", "label", "said"),
    [
        (
            LM75,
            'kind = "hwmon", device = "lm76"',
            "temp1",
            'no "lm76"; it knows acpitz (hwmon0), lm75 (hwmon2)',
        ),
        (
            LM75,
            'kind = "hwmon", device = "lm75", channels = ["temp2"]',
            "temp2",
            "has no channel temp2; it has temp1",
        ),
        ({}, 'kind = "iio", device = "bme280"', "temp", 'iio knows no "bme280"; it knows none'),
        (BUS, 'kind = "onewire", channels = ["28-02"]', "28-02", "no 28-02 on the 1-wire bus; it has 28-01"),
        ({}, 'kind = "onewire"', "28-01", "no thermometer on a 1-wire bus"),
        ({}, 'kind = "sysfs", channels = { a = { path = "/sys/a" } }', "a", "/sys/a is not there"),
        (
            {},
            'kind = "serial", device = "/dev/ttyACM0", channels = { a = {} }',
            "a",
            "serial lines on USB: none",
        ),
    ],
)
def test_one_that_is_not(tmp_path, files, what, label, said):
    found = told(tmp_path, files, what, label)
    assert found.verdict == "failed"
    assert said in found.found
    assert found.fix


@pytest.mark.parametrize(("mode", "verdict"), [("auto", "note"), ("buffered", "failed"), ("polled", "ok")])
def test_a_buffer_that_the_service_may_not_read(tmp_path, mode, verdict):
    what = f'kind = "iio", device = "bme280", mode = "{mode}"'
    case = case_of(tmp_path, BUFFERED, config=CONFIG.format(source=what, label="temp"))
    case.account = Account("edged", 12345, 12345, ())
    (tmp_path / "dev/iio:device0").chmod(0o600)
    (found,) = [one for one in source.examine(case) if isinstance(one, Finding)]
    assert found.verdict == verdict
    assert ("buffer" in found.facts) is (mode != "polled")


def test_a_buffer_that_it_may_read(tmp_path):
    assert told(tmp_path, BUFFERED, 'kind = "iio", device = "bme280"', "temp").facts["buffer"] is True


LINE = 'kind = "serial", device = "/dev/ttyACM0", channels = { a = {} }'
NUMBERS_OF: Files = {"sys/dev/char/1:3/uevent": ""}


@pytest.fixture
def line():
    """A real one: a pseudo terminal."""
    ours, theirs = os.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def examined(root: Path, device: str, *files: Files) -> Finding:
    config = CONFIG.format(source=LINE, label="a")
    case = case_of(root, *files, links={"dev/ttyACM0": device}, config=config)
    (found,) = [one for one in source.examine(case) if isinstance(one, Finding)]
    return found


def test_a_line_that_is_there(tmp_path, line):
    found = examined(tmp_path, line, NUMBERS_OF)
    assert (found.verdict, "there, 9600 baud" in found.found) == ("ok", True)


@pytest.mark.parametrize("device", ["/dev/null", "/etc/passwd", "/etc"])
def test_what_is_no_line_is_told_as_the_worker_tells_it(tmp_path, device):
    found = examined(tmp_path, device, NUMBERS_OF)
    assert (found.verdict, found.found) == ("failed", "/dev/ttyACM0 is no serial line")
    with pytest.raises(RefusedError, match="is no serial line"):
        SerialSource(shape.Serial(device=device, channels={"a": shape.Channel()}), WantWindow(0, 1, 0.0, 0.0))


def test_a_line_that_the_kernel_has_among_its_terminals(tmp_path):
    links = {"dev/ttyACM0": "/dev/null", "sys/dev/char/1:3/subsystem": "/sys/class/tty"}
    case = case_of(tmp_path, links=links, config=CONFIG.format(source=LINE, label="a"))
    (found,) = [one for one in source.examine(case) if isinstance(one, Finding)]
    assert found.verdict == "ok"


def test_a_line_that_the_service_or_its_unit_may_not_read(tmp_path, line):
    links = {"dev/ttyACM0": line}
    case = case_of(tmp_path, links=links, config=CONFIG.format(source=LINE, label="a"))
    case.account = Account("edged", 12345, 12345, ())
    (found,) = [one for one in source.examine(case) if isinstance(one, Finding)]
    assert (found.verdict, found.fix) == (
        "failed",
        "sudo adduser edged dialout, then sudo systemctl restart edged",
    )


@pytest.mark.parametrize(
    ("allowed", "said"), [("char-188 r", ""), ("char-81 rw", "without DeviceAllow=char-188")]
)
def test_a_unit_that_lets_a_line_through(tmp_path, monkeypatch, allowed, said):
    case = case_of(tmp_path, {"dev/ttyUSB0": ""})
    case.unit = Unit({"LoadState": "loaded", "DevicePolicy": "closed", "DeviceAllow": allowed})
    monkeypatch.setattr(os, "major", lambda _: 188)
    assert said in sensors._shut(case, tmp_path / "dev/ttyUSB0")
    assert bool(sensors._shut(case, tmp_path / "dev/ttyUSB0")) is bool(said)


def test_no_model_needs_no_trial(tmp_path):
    case = case_of(tmp_path, config=CONFIG.format(source='kind = "feed", channels = { a = {} }', label="a"))
    (found,) = [one for one in model.examine(case) if isinstance(one, Finding)]
    assert (found.verdict, found.found) == ("ok", "no model: a sensor's numbers as they are")
