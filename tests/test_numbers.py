"""Sensors one by one: what lines, files and buffers say, what is no number, what is lost; and the way of a
feed's socket from the daemon into a locked worker. What all kinds promise is in ``contracts/test_sensors``.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drafts
import numpy as np
import pytest
from numpy.typing import NDArray
from rigs import BufferRig, SerialRig, planted, replaced
from stage import Heard, Stage

from edged import feeds, supervise, units, wall
from edged.changes import Task
from edged.config import shape
from edged.config.shape import Channel, Measure, Model, Pipeline
from edged.errors import RefusedError, UnavailableError
from edged.notation import LONGEST
from edged.roster import Roster
from edged.series import series_of
from edged.supervise import Keeper
from edged.tally import _coverage
from edged.worker.source import Source, WantWindow, device, hwmon, iio, onewire, sensor
from edged.worker.source.feed import FeedSource
from edged.worker.source.hwmon import HwmonSource
from edged.worker.source.lines import Lines
from edged.worker.source.onewire import OneWireSource, Thermometer
from edged.worker.source.samples import Gathering
from edged.worker.source.serial import SerialSource, speed
from edged.worker.source.streamed import StreamedSource
from edged.worker.source.sysfs import SysfsSource
from edged.worker.straight import Straight, asked, mean

NUMBERS = WantWindow(0, 1, 0.0, 0.0)
NONE = Model(file="builtin:none")


# --- lines


@pytest.fixture
def lines() -> Lines:
    return Lines({"level": Channel(), "warmth": Channel(scale=0.1, offset=-5.0)}, timeout=10.0)


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        (b"3.2 184", (3.2, 13.4)),
        (b"3.2,184\r", (3.2, 13.4)),
        (b" 3.2 ;\t184 # as it rains", (3.2, 13.4)),
        (b"warmth=184 level=3.2", (3.2, 13.4)),
        (b"level:3.2,warmth:184", (3.2, 13.4)),
        (b"-.5 +1e2", (-0.5, 5.0)),
        (b"3. 0", (3.0, -5.0)),
    ],
)
def test_a_line_of_numbers(lines, line, numbers):
    sample = lines.sample(line, 1.0)
    assert sample.shape == (1, 2)
    assert sample[0] == pytest.approx(numbers, rel=1e-6)
    assert lines.bad == 0


@pytest.mark.parametrize(
    "line",
    [
        *(b"3.2", b"1 2 3", b"1 x", b"nan 1", b"inf 1", b"1_0 2", b"0x10 2", b"1e999 2", b"1e10 2"),
        *(b"level=1 2", b"depth=1 level=2", b"level=1=2 warmth=3", b"level= warmth=3", b"\xff\xfe 1"),
        b"\xd9\xa1 \xd9\xa2",  # digits of another alphabet
        b"1 " * LONGEST,
        b"level=" + b"9" * LONGEST,
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_counted(lines, line):
    assert lines.sample(line, 1.0) is None
    assert lines.bad == 1


def test_lines_that_make_no_sample_are_told_apart_from_none(lines):
    assert not lines.malformed
    lines.sample(b"# a remark", 0.0)
    assert not lines.malformed
    lines.sample(b"depth=1", 1.0)
    assert lines.malformed
    lines.sample(b"level=1 warmth=2", 2.0)
    assert not lines.malformed
    lines.sample(b"level=1", 20.0)  # the other one has not been told of for too long
    assert lines.malformed and lines.bad == 1
    lines.sample(b"warmth=1", 20.0)
    lines.spoil()
    assert lines.malformed and lines.bad == 2


@pytest.mark.parametrize("line", [b"", b"   ", b"# only a remark", b"\r", b"\0"])
def test_an_empty_line_is_nothing(lines, line):
    assert lines.sample(line, 1.0) is None
    assert lines.bad == 0


def test_a_channel_that_a_line_leaves_out_keeps_its_number_for_the_timeout(lines):
    assert lines.sample(b"level=1", 0.0) is None
    assert lines.sample(b"warmth=50", 4.0)[0] == pytest.approx((1.0, 0.0))
    assert lines.sample(b"warmth=60", 10.0)[0] == pytest.approx((1.0, 1.0))
    assert lines.sample(b"warmth=60", 10.5) is None
    assert lines.sample(b"level=2", 10.6)[0] == pytest.approx((2.0, 1.0))


# --- samples to frames


def fed(gathering: Gathering, *samples: float, since: float = 0.0, apart: float = 1.0) -> None:
    for number, one in enumerate(samples):
        gathering.add(np.full((1, 1), one, np.float32), since + number * apart)


def test_without_a_model_a_frame_is_the_mean_of_what_came_since_the_last():
    gathering = Gathering(WantWindow(0, 1, 0.0, 0.5), ["a"])
    fed(gathering, 1.0)
    assert gathering.wait(0.0) == 0.0
    assert gathering.taken(0.0).data.tolist() == [[1.0]]
    fed(gathering, 2.0, 3.0, since=0.5, apart=0.5)
    assert gathering.wait(1.0) == pytest.approx(0.5)  # at 2.0, or a quarter of that earlier
    frame = gathering.taken(2.0)
    assert (frame.data.tolist(), frame.time) == ([[2.5]], 1.0)
    assert gathering.wait(9.0) is None


def test_a_window_that_nobody_fetched_is_dropped_and_counted():
    gathering = Gathering(WantWindow(4, 1, 0.0, 0.0), ["a"])
    fed(gathering, *range(4))
    assert gathering.taken(3.0).data[:, 0].tolist() == [0, 1, 2, 3]
    fed(gathering, 4, 5, since=4.0)
    assert gathering.taken(5.0).data[:, 0].tolist() == [2, 3, 4, 5]
    assert gathering.dropped == 0
    fed(gathering, *range(6, 12), since=6.0)
    assert gathering.taken(11.0).data[:, 0].tolist() == [8, 9, 10, 11]
    assert gathering.dropped == 2


def test_no_window_goes_over_a_gap():
    gathering = Gathering(WantWindow(4, 1, 0.0, 0.0), ["a"])
    fed(gathering, 1, 1, 1)
    gathering.forget()
    fed(gathering, 2, 2, 2)
    assert gathering.wait(9.0) is None
    fed(gathering, 2)
    assert gathering.taken(9.0).data[:, 0].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("length", "lost", "goes_over"), [(4, 1, True), (4, 2, False), (100, 5, True), (100, 6, False)]
)
def test_a_window_goes_over_no_more_than_a_twentieth_of_it(length: int, lost: int, goes_over: bool) -> None:
    gathering = Gathering(WantWindow(length, 1, 0.0, 0.0), ["a"])
    fed(gathering, *[1] * (length - 1))
    for _ in range(lost):
        gathering.lost(1)
    fed(gathering, 2, since=float(length))
    assert (gathering.wait(1e3) == 0.0) is goes_over
    fed(gathering, *[2] * (length - 1), since=length + 1.0)
    assert gathering.wait(1e3) == 0.0
    assert (1.0 in gathering.taken(1e3).data) is False


def test_single_samples_that_are_lost_now_and_then_are_no_gap() -> None:
    gathering = Gathering(WantWindow(4, 1, 0.0, 0.0), ["a"])
    for _ in range(4):
        fed(gathering, 1)
        gathering.lost(1)
    assert gathering.wait(9.0) == 0.0


def test_a_mean_of_samples_does_not_mind_a_gap() -> None:
    gathering = Gathering(WantWindow(0, 1, 0.0, 0.0), ["a"])
    fed(gathering, 1.0)
    gathering.lost(1000)
    fed(gathering, 3.0, since=9.0)
    assert gathering.taken(9.0).data.tolist() == [[2.0]]


# --- files


def test_a_file_that_says_no_number_is_dropped_and_a_silent_one_is_lost(tmp_path):
    file = tmp_path / "a"
    replaced(file, "7\n")
    config = shape.Sysfs(channels={"a": Channel(path=str(file))}, sample_rate=100.0, timeout=0.3)
    source = SysfsSource(config, NUMBERS)
    assert source.read(1.0).data[0, 0] == 7.0
    replaced(file, "seven")
    with pytest.raises(UnavailableError, match=r"sysfs: a gave no number for \d+ s"):
        for _ in range(100):
            source.read(0.1)
    assert source.dropped >= 10
    source.close()


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("warm 7", "says a text that is no number"),
        ("\0\1", "says a text that is no number"),
        ("nan", "says a number that is not finite"),
        ("-inf", "says a number that is not finite"),
    ],
)
def test_what_a_file_says_instead_of_a_number_is_told_by_its_kind(tmp_path, says, kind):
    file = tmp_path / "a"
    file.write_text(says)
    config = shape.Sysfs(channels={"depth": Channel(path=str(file))}, sample_rate=100.0, timeout=0.1)
    source = SysfsSource(config, NUMBERS)
    with pytest.raises(UnavailableError) as found:
        for _ in range(100):
            source.read(0.1)
    assert re.fullmatch(f"sysfs: depth gave no number for \\d+ s: {file} {kind}", found.value.message)
    source.close()


def test_samples_that_went_by_unread_are_counted(tmp_path):
    replaced(tmp_path / "a", "7")
    channels = {"a": Channel(path=str(tmp_path / "a"))}
    source = SysfsSource(shape.Sysfs(channels=channels, sample_rate=100.0), NUMBERS)
    assert source.read(5.0) is not None
    before = source.dropped
    time.sleep(0.5)
    while source.read(5.0) is None:
        pass
    source.read(5.0)
    assert source.dropped - before >= 40
    source.close()


@pytest.mark.parametrize("text", ["", "\n", "nan", "inf", "--", "12abc"])
def test_what_is_no_finite_number_is_none(tmp_path, text):
    (tmp_path / "a").write_text(text)
    source = SysfsSource(
        shape.Sysfs(channels={"a": Channel(path=str(tmp_path / "a"))}, timeout=60.0), NUMBERS
    )
    assert source.read(0.1) is None
    assert source.dropped == 1
    source.close()


def test_a_file_that_is_not_there_is_waited_for_and_a_folder_is_refused(tmp_path):
    missing = shape.Sysfs(channels={"a": Channel(path=str(tmp_path / "none"))})
    with pytest.raises(UnavailableError, match=r"a: .*none is not there"):
        SysfsSource(missing, NUMBERS)
    folder = shape.Sysfs(channels={"a": Channel(path=str(tmp_path))})
    with pytest.raises(RefusedError, match="is a folder"):
        SysfsSource(folder, NUMBERS)


def test_none_stays_open_when_one_cannot_be_opened(tmp_path):
    (tmp_path / "a").write_text("1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    channels = {"a": Channel(path=str(tmp_path / "a")), "b": Channel(path=str(tmp_path / "b"))}
    with pytest.raises(UnavailableError):
        SysfsSource(shape.Sysfs(channels=channels), WantWindow(0, 2, 0.0, 0.0))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(("wanted", "found"), [("bmp280", "iio:device1"), ("iio:device0", "iio:device0")])
def test_a_device_is_found_by_its_name_or_its_folder_s(tmp_path, wanted, found):
    planted(tmp_path / "iio:device0", name="lis3dh")
    planted(tmp_path / "iio:device1", name="bmp280")
    assert device.chosen(wanted, tmp_path, "iio:device*").name == found


def test_of_two_of_one_name_the_place_says_which(tmp_path):
    for number, place in enumerate(("1-0048", "1-0049")):
        chip = planted(tmp_path / f"devices/{place}/hwmon/hwmon{number}", name="lm75")
        (tmp_path / "class").mkdir(exist_ok=True)
        (chip / "device").symlink_to(tmp_path / "devices" / place)
        (tmp_path / f"class/hwmon{number}").symlink_to(chip)
    with pytest.raises(RefusedError) as error:
        device.chosen("lm75", tmp_path / "class", "hwmon*")
    assert error.value.hint == "say which: lm75@1-0048, lm75@1-0049"
    assert device.chosen("lm75@1-0049", tmp_path / "class", "hwmon*").name == "hwmon1"
    with pytest.raises(
        UnavailableError, match=r'no "lm76" here; there are: lm75 \(hwmon0\), lm75 \(hwmon1\)'
    ):
        device.chosen("lm76", tmp_path / "class", "hwmon*")


def test_a_channel_that_the_chip_does_not_have_is_refused_with_those_it_has(tmp_path):
    planted(tmp_path / "class/hwmon/hwmon0", name="lm75", temp1_input=1, temp1_max=2, in0_input=3)
    with pytest.raises(RefusedError) as error:
        HwmonSource(shape.Hwmon(device="lm75", channels=("temp2",)), NUMBERS, tmp_path)
    assert (error.value.message, error.value.hint) == (
        'hwmon lm75 has no channel "temp2"',
        "it has in0, temp1",
    )


def test_a_power_meter_that_only_has_an_average(tmp_path):
    planted(tmp_path / "class/hwmon/hwmon0", name="meter", power1_average=4_020_000)
    source = HwmonSource(shape.Hwmon(device="meter"), NUMBERS, tmp_path)
    assert source.read(1.0).data[0, 0] == pytest.approx(4.02)
    source.close()


def test_85_degrees_out_of_nowhere_is_no_temperature(tmp_path):
    said = Thermometer(tmp_path)
    with pytest.raises(ValueError, match="no power"):
        said(b"85000\n")
    assert said(b"21500\n") == 21500.0
    with pytest.raises(ValueError, match="no power"):
        said(b"85000\n")
    assert said(b"84000\n") == 84000.0
    assert said(b"85000\n") == 85000.0


@pytest.mark.parametrize("beyond", [b"127937\n", b"-55063\n", b"-1518000\n"])
def test_what_no_thermometer_can_measure_is_no_temperature(beyond, tmp_path):
    said = Thermometer(tmp_path)
    with pytest.raises(ValueError, match="no thermometer can measure"):
        said(beyond)
    assert (said(b"-55000\n"), said(b"125000\n")) == (-55000.0, 125000.0)


NOTHING = b"00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n"
ZERO = b"00 00 4b 46 7f ff 10 10 ad : crc=ad YES\n00 00 4b 46 7f ff 10 10 ad t=0\n"
WARMER = b"01 00 4b 46 7f ff 0f 10 65 : crc=65 YES\n01 00 4b 46 7f ff 0f 10 65 t=62\n"
DAMAGED = b"00 00 4b 46 7f ff 10 10 00 : crc=ad NO\n00 00 4b 46 7f ff 10 10 00 t=0\n"


@pytest.mark.parametrize(
    ("report", "degrees"), [(NOTHING, None), (DAMAGED, None), (ZERO, 0.0), (WARMER, 62.0)]
)
def test_0_degrees_out_of_nowhere_must_have_been_said_by_the_thermometer(report, degrees, tmp_path):
    """A bus that is held down says nothing but zeros, and their check sum is right."""
    planted(tmp_path, w1_slave=report.decode())
    said = Thermometer(tmp_path)
    if degrees is None:
        with pytest.raises(ValueError, match="its bytes on the bus do not"):
            said(b"0\n")
    else:
        assert said(b"0\n") == degrees
    said.close()


def test_0_degrees_in_winter_are_not_asked_about(tmp_path):
    planted(tmp_path, w1_slave=NOTHING.decode())
    said = Thermometer(tmp_path)
    assert [said(one) for one in (b"62\n", b"0\n", b"-62\n")] == [62.0, 0.0, -62.0]
    said.close()
    said.close()


def test_a_bus_without_a_thermometer(tmp_path):
    planted(tmp_path / "bus/w1/devices/w1_bus_master1")
    with pytest.raises(RefusedError, match="the 1-wire bus has no channel"):
        OneWireSource(shape.OneWire(), NUMBERS, tmp_path)


# --- industrial I/O


@pytest.mark.parametrize(
    ("text", "stored", "number"),
    [
        ("le:s12/16>>4", b"\xf5\xff", -1),
        ("le:s12/16>>4", b"\x00\x80", -2048),
        ("be:u12/16>>0", b"\xf1\x02", 0x102),
        ("le:u13/16>>3", b"\x10\x27", 1250),
        ("be:s24/32>>8", b"\xff\xff\xfe\x77", -2),
        ("le:s64/64>>0", b"\xff" * 8, -1),
        ("le:u8/8>>0", b"\x80", 128),
        ("le:s8/8>>0", b"\x80", -128),
    ],
)
def test_a_sample_as_the_kernel_describes_it(text, stored, number):
    form = iio.parsed(text)
    records = np.frombuffer(stored * 2, np.uint8).reshape(2, -1)
    assert iio.numbers(records, iio.Element("a", form, 0)).tolist() == [number, number]


@pytest.mark.parametrize(
    "text", ["", "le:s12/16", "le:s12/16X4>>4", "pe:s12/16>>4", "le:s14/16>>4", "le:u0/8>>0"]
)
def test_a_sample_that_cannot_be_read_is_refused(text):
    with pytest.raises(RefusedError, match="which edged does not read"):
        iio.parsed(text, "accel_x")


def test_samples_lie_at_multiples_of_their_own_size(tmp_path):
    rig = BufferRig(tmp_path)
    try:
        elements = iio.elements(tmp_path / "bus/iio/devices/iio:device0")
        assert [(one.name, one.place) for one in elements] == [("accel_x", 0), ("temp", 4), ("timestamp", 8)]
        assert iio.record_size(elements) == 16
        assert iio.record_size(elements[:1]) == 2
    finally:
        rig.close()


def test_samples_that_the_buffer_had_no_room_for_are_counted(tmp_path):
    rig = BufferRig(tmp_path)
    try:
        source = rig.opened(WantWindow(0, 2, 0.0, 0.0))
        while source.read(1.0) is None:
            pass
        assert source.dropped == 0
        rig.skip(25)
        deadline = time.monotonic() + 30.0
        while source.dropped == 0 and time.monotonic() < deadline:
            source.read(1.0)
        assert source.dropped == 25
        source.close()
    finally:
        rig.close()


def test_no_window_goes_over_samples_that_the_buffer_had_no_room_for(tmp_path: Path) -> None:
    """What was said before the gap is another number than what was said after it."""
    rig = BufferRig(tmp_path)
    rig._talker.close()
    try:
        source = rig.opened(WantWindow(10, 2, 0.0, 0.0))
        for _ in range(9):
            rig._say((1.0, 0.0))
        rig.skip(25)
        for _ in range(5):
            rig._say((2.0, 0.0))
        assert source.read(0.2) is None and source.dropped == 25
        for _ in range(5):
            rig._say((2.0, 0.0))
        frame = source.read(5.0)
        assert frame is not None
        assert set(np.round(frame.data[:, 0], 2).tolist()) == {2.0}
        source.close()
    finally:
        os.close(rig._ours)


def test_no_window_goes_over_a_time_in_which_a_file_was_not_read(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("1")
    channels = {"a": Channel(path=str(file))}
    source = sensor.opened(shape.Sysfs(channels=channels, sample_rate=50.0), WantWindow(20, 1, 0.0, 0.0))
    following(source)
    time.sleep(0.5)  # as while a pipeline pauses
    file.write_text("2")
    assert set(following(source)[:, 0].tolist()) == {2.0}
    source.close()


def test_a_buffer_that_is_off_is_polled_unless_it_was_asked_for(tmp_path):
    folder = planted(tmp_path / "bus/iio/devices/iio:device0", name="lis3dh", in_accel_x_raw=5)
    planted(folder / "buffer", enable=0)
    source = iio.opened_iio(shape.Iio(device="lis3dh"), NUMBERS, tmp_path)
    assert source.read(1.0).data[0, 0] == 5.0
    source.close()
    with pytest.raises(UnavailableError, match="the buffer of lis3dh is switched off"):
        iio.opened_iio(shape.Iio(device="lis3dh", mode="buffered"), NUMBERS, tmp_path)


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        ({"in_temp_input": 21500}, 21.5),
        ({"in_temp_raw": 100, "in_temp_scale": 10, "in_temp_offset": 50}, 1.5),
        ({"in_temp_raw": 100, "in_temp_scale": 10}, 1.0),
        ({"in_temp_raw": 100}, 0.1),
        ({"in_temp_raw": 100, "in_scale": 20}, 2.0),
    ],
)
def test_a_value_is_raw_plus_offset_times_scale_in_our_unit(tmp_path, attributes, value):
    planted(tmp_path / "bus/iio/devices/iio:device0", name="a", **attributes)
    source = iio.opened_iio(shape.Iio(device="a"), NUMBERS, tmp_path)
    assert source.read(1.0).data[0, 0] == pytest.approx(value)
    source.close()


#: Of which the kernel documents thousandths, or millionths; everything else comes in the unit that we tell.
THOUSANDTHS = {"voltage", "altvoltage", "current", "altcurrent", "power", "temp", "humidityrelative"}
CHIPS = {"temp": 1e3, "in": 1e3, "curr": 1e3, "humidity": 1e3, "power": 1e6, "energy": 1e6}


def test_the_kernel_s_thousandths_are_made_whole() -> None:
    assert {name for name, (_, of) in units.IIO.items() if of != 1.0} == THOUSANDTHS
    assert {units.IIO[name][1] for name in THOUSANDTHS} == {1e3}
    assert {name: of for name, (_, of) in units.HWMON.items() if of != 1.0} == CHIPS


def test_of_all_on_a_bus_only_thermometers_are_read(tmp_path: Path) -> None:
    bus = tmp_path / "bus/w1/devices"
    for name, told in (("28-01", 21500), ("10-02", -3250), ("01-03", 7), ("w1_bus_master1", 7)):
        planted(bus / name, temperature=told)
    assert onewire.channels(shape.OneWire(), tmp_path) == ("10-02", "28-01")
    source = OneWireSource(shape.OneWire(sample_rate=50.0), WantWindow(0, 2, 0.0, 0.0), tmp_path)
    assert following(source).tolist() == [[-3.25, 21.5]]
    source.close()


def test_a_power_meter_s_average_is_read_where_it_has_no_input(tmp_path: Path) -> None:
    chip = tmp_path / "class/hwmon/hwmon0"
    planted(chip, name="meter", power1_average=2_500_000, power2_average=1, power2_input=4_000_000)
    config = shape.Hwmon(device="meter", sample_rate=50.0)
    assert hwmon.channels(config, tmp_path) == ("power1", "power2")
    source = HwmonSource(config, WantWindow(0, 2, 0.0, 0.0), tmp_path)
    assert following(source).tolist() == [[2.5, 4.0]]
    source.close()


@pytest.mark.parametrize(
    ("mode", "names"),
    [("polled", ("accel_x", "accel_y")), ("buffered", ("accel_y",)), ("auto", ("accel_x", "accel_y"))],
)
def test_the_channels_of_a_buffer_are_those_that_are_switched_on(
    tmp_path: Path, mode: Any, names: tuple[str, ...]
) -> None:
    """ "auto" polls here: there is no device behind the buffer that could be read."""
    made = planted(
        tmp_path / "bus/iio/devices/iio:device77", name="lis3dh", in_accel_x_raw=5, in_accel_y_raw=6
    )
    planted(made / "buffer", enable=1)
    planted(
        made / "scan_elements",
        in_accel_x_en=0, in_accel_x_index=0, in_accel_x_type="le:s16/16>>0",
        in_accel_y_en=1, in_accel_y_index=1, in_accel_y_type="le:s16/16>>0",
    )  # fmt: skip
    assert iio.channels(shape.Iio(device="lis3dh", mode=mode), tmp_path) == names


def following(source: Source) -> NDArray[np.float32]:
    """The next frame's data."""
    while (frame := source.read(1.0)) is None:
        pass
    return frame.data


# --- a serial line


def test_the_first_line_may_be_half_of_one_and_a_line_without_end_is_one_bad_line(tmp_path):
    rig = SerialRig(tmp_path)
    rig._talker.close()
    try:
        source = rig.opened(WantWindow(0, 2, 0.0, 0.0))
        os.write(rig._ours, b"99 99\n2 4\n")
        assert source.read(5.0).data.tolist() == [[1.0, 2.0]]
        for _ in range(5):
            os.write(rig._ours, b"7" * 600)
            source.read(0.1)
        assert source.malformed
        os.write(rig._ours, b" 4\n6 8\n")
        assert source.read(5.0).data.tolist() == [[3.0, 4.0]]
        assert (source.dropped, source.malformed) == (1, False)
        source.close()
    finally:
        os.close(rig._theirs)
        os.close(rig._ours)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_ends_as_its_device_ends_it(tmp_path, end):
    rig = SerialRig(tmp_path)
    rig._talker.close()
    try:
        source = rig.opened(WantWindow(0, 2, 0.0, 0.0))
        os.write(rig._ours, end.join((b"9 9", b"2 4", b"4 6", b"")))
        assert source.read(5.0).data.tolist() == [[1.5, 2.5]]
        assert (source.dropped, source.malformed) == (0, False)
        source.close()
    finally:
        os.close(rig._theirs)
        os.close(rig._ours)


def test_bytes_among_which_no_line_ends_are_malformed_long_before_they_are_too_many(tmp_path):
    rig = SerialRig(tmp_path)
    rig._talker.close()
    config = shape.Serial(device=rig._name, channels={"a": Channel()}, timeout=1.0)
    try:
        source = SerialSource(config, NUMBERS)
        for _ in range(200):
            os.write(rig._ours, b"\xf8\0")
            assert source.read(0.05) is None
            if source.malformed:
                break
        assert (source.dropped, source.malformed) == (1, True)
        os.write(rig._ours, b"\n7\n")
        assert source.read(5.0).data.tolist() == [[7.0]]
        assert not source.malformed
        source.close()
    finally:
        os.close(rig._theirs)
        os.close(rig._ours)


def test_a_line_that_was_unplugged_is_lost(tmp_path):
    rig = SerialRig(tmp_path)
    source = rig.opened(WantWindow(0, 2, 0.0, 0.0))
    while source.read(1.0) is None:
        pass
    rig.close()
    with pytest.raises(UnavailableError, match="was unplugged"):
        for _ in range(50):
            source.read(0.1)
    source.close()


def test_a_silent_line_is_lost(tmp_path):
    rig = SerialRig(tmp_path)
    rig._talker.close()
    source = SerialSource(shape.Serial(device=rig._name, channels={"a": Channel()}, timeout=0.2), NUMBERS)
    with pytest.raises(UnavailableError, match=r"said nothing for \d+ s"):
        for _ in range(20):
            source.read(0.1)
    source.close()
    os.close(rig._theirs)
    os.close(rig._ours)


#: A sentence on a line of numbers: whole, with numbers behind it, longer than a line may be, unfinished.
TOLD = (b"door code 4711\n", b"4711 1 2 3\n", b"4711" * 500 + b"\n", b"4711 4711 47")


@pytest.mark.parametrize("end", ["silence", "unplugged"])
def test_what_is_said_on_a_line_is_quoted_nowhere(tmp_path: Path, stage: Stage, end: str) -> None:
    """Neither by the source nor by the worker that reads it: the daemon hears numbers, or that there are
    none.
    """
    rig = SerialRig(tmp_path)
    rig._talker.close()
    channels = {"a": Channel(), "b": Channel()}
    config = shape.Serial(device=rig._name, channels=channels, timeout=3.0)
    keeper = stage.keep(source=config, model=NONE, measure=Measure(kind="level", labels=("a",)))
    stage.until(lambda: keeper.state == "running")
    for line in (b"1 2\n", b"1 2\n", *TOLD):
        os.write(rig._ours, line)
    stage.until(lambda: stage.heard.ticks and stage.heard.ticks[-1][1].dropped > 0)
    if end == "unplugged":
        rig.close()
    stage.until(lambda: stage.events("lost") or stage.events("replaced"))
    if end == "silence":
        rig.close()
    words = {"silence": "said nothing", "unplugged": "was unplugged"}
    assert words[end] in keeper.why, "it was lost for another reason"
    assert keeper.restarts <= 1 and "4711" not in f"{stage.heard.events} {keeper.why}"


def test_what_is_fed_is_quoted_nowhere(feed, out):
    channels = {"a": Channel(), "b": Channel()}
    source = FeedSource(shape.Feed(channels=channels), WantWindow(0, 2, 0.0, 0.0), os.dup(feed.open()))
    source.read(0.01)
    for line in TOLD:
        out.send(line)
    assert source.read(0.2) is None
    assert source.dropped >= 3
    out.send(b"1 2")
    assert source.read(5.0).data.tolist() == [[1.0, 2.0]]
    source.close()


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("/dev/null", RefusedError, "no serial line"),
        ("/dev/no-such-line", UnavailableError, "there is no device"),
    ],
)
def test_what_is_no_line(path, error, said):
    with pytest.raises(error, match=said):
        SerialSource(shape.Serial(device=path, channels={"a": Channel()}), NUMBERS)


def test_speeds_are_those_of_termios():
    from edged.config.sensors import BAUDS

    assert all(speed(one) for one in BAUDS)
    with pytest.raises(RefusedError, match="12345 baud"):
        speed(12345)


def test_what_can_be_read_without_end_and_makes_no_sample_holds_no_read_up():
    class Babbling(StreamedSource):
        def _take(self) -> None:
            os.read(self._descriptor, 64)

    source = Babbling(Gathering(NUMBERS, ["level"]), 0.0, os.open("/dev/zero", os.O_RDONLY))
    assert source.read(0.05) is None and source.dropped == 0
    source.close()
    source.close()


# --- a feed


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[feeds.Feed]:
    made = feeds.Feed(feeds.path(tmp_path, "tank"))
    made.open()
    yield made
    made.close()


@pytest.fixture
def out(feed: feeds.Feed) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        made.connect(str(feed.place))
        yield made


def test_a_feed_s_socket_is_a_one_way_street_for_its_group(feed, out):
    about = feed.place.stat()
    assert stat.S_ISSOCK(about.st_mode)
    assert stat.S_IMODE(about.st_mode) == 0o660
    assert stat.S_IMODE(feed.place.parent.stat().st_mode) == 0o750
    with (
        socket.socket(fileno=os.dup(feed.open())) as ours,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as theirs,
    ):
        theirs.bind(str(feed.place.with_name("other")))
        with pytest.raises(BrokenPipeError):
            ours.sendto(b"a word", str(feed.place.with_name("other")))
    assert feed.open() > wall.FEED
    feed.close()
    feed.close()
    assert not feed.place.exists()


def test_a_socket_that_a_dead_daemon_left_behind_is_replaced(feed):
    another = feeds.Feed(feed.place)
    another.open()
    another.close()


def test_what_waited_before_anybody_read_is_thrown_away_and_counted(feed, out):
    out.send(b"1")
    out.send(b"2")
    source = FeedSource(shape.Feed(channels={"a": Channel()}), NUMBERS, os.dup(feed.open()))
    assert source.read(0.05) is None
    assert source.dropped == 2
    out.send(b"3")
    assert source.read(5.0).data.tolist() == [[3.0]]
    source.close()


def test_a_datagram_may_be_several_lines_but_no_novel(feed, out):
    source = FeedSource(
        shape.Feed(channels={"a": Channel()}), WantWindow(3, 1, 0.0, 0.0), os.dup(feed.open())
    )
    source.read(0.05)
    out.send(b"1\n2\n\nbogus\n3\n")
    assert source.read(5.0).data[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert source.dropped == 1
    out.send(b"1\n" * 100)
    out.send((b"1".ljust(80) + b"\n") * 60)  # short lines, and not many, but too much for one datagram
    assert source.read(0.1) is None
    assert source.dropped == 3 and source.malformed
    source.close()


def test_without_a_socket_nothing_is_fed(tmp_path):
    config = shape.Feed(channels={"a": Channel()})
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    for descriptor in (opened, 999):
        with pytest.raises(UnavailableError, match="nothing is fed here"):
            FeedSource(config, NUMBERS, descriptor)
    os.close(opened)


# --- no model, units, time


def test_no_model_imports_no_interpreter(tmp_path):
    (tmp_path / "a").write_text("1")
    program = f"""
import sys
from edged.config.shape import *
from edged.wall import Assignment
from edged.worker.ladder import Ladder
source = Sysfs(channels={{"a": Channel(path={str(tmp_path / "a")!r})}})
pipeline = Pipeline(source=source, model="none", measures=(Measure(kind="level"),))
from edged.series import series_of
ladder = Ladder(Assignment(3, "p", pipeline, (Model(file="builtin:none"),), series_of("p", pipeline)))
footing = ladder.footing(0, 1)
ladder.hold()
print(footing.network.labels, [one for one in sys.modules if "litert" in one or "tflite" in one])
"""
    import subprocess

    told = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert told == "('a',) []\n"


def test_it_is_the_mean_of_the_samples():
    samples = np.array([[1.0, 10.0], [2.0, 20.0]], np.float32)
    assert Straight(("a", "b")).infer(mean(samples), 0.0).values.tolist() == [1.5, 15.0]


def test_channels_are_those_that_measures_name_where_the_source_names_none():
    measures = (
        Measure(kind="level", labels=("temp1", "in0")),
        Measure(kind="level", labels=("in0",), zones=()),
    )
    pipeline = Pipeline(source=shape.Hwmon(device="x"), model="none", measures=measures)
    assert asked(pipeline).channels == ("temp1", "in0")
    own = msgspec_replaced(pipeline, shape.Hwmon(device="x", channels=("fan1",)))
    assert asked(own).channels == ("fan1",)


def msgspec_replaced(pipeline: Pipeline, source: shape.Source) -> Pipeline:
    return Pipeline(source=source, model=pipeline.model, measures=pipeline.measures)


def test_a_camera_has_no_numbers():
    with pytest.raises(RefusedError, match='model = "none" takes the numbers of a sensor'):
        sensor.channels(shape.V4l2())
    with pytest.raises(RefusedError, match="a source of kind v4l2 gives pictures"):
        sensor.opened(shape.V4l2(), NUMBERS)


@pytest.mark.parametrize(
    ("source", "channel", "unit"),
    [
        (shape.Iio(device="x"), "accel_x", "m/s²"),
        (shape.Iio(device="x"), "voltage0-voltage1", "V"),
        (shape.Iio(device="x"), "humidityrelative", "%"),
        (shape.Iio(device="x"), "count0", ""),
        (shape.Hwmon(device="x"), "in0", "V"),
        (shape.Hwmon(device="x"), "temp12", "°C"),
        (shape.OneWire(), "28-0316a2795e5f", "°C"),
        (shape.Feed(channels={"a": Channel(unit="hPa")}), "a", "hPa"),
        (shape.Feed(channels={"a": Channel(unit="hPa")}), "b", ""),
        (shape.V4l2(), "a", ""),
    ],
)
def test_units_are_known_from_the_config(source, channel, unit):
    assert units.unit_of(source, channel) == unit


def test_a_series_has_its_channel_s_unit_unless_its_owner_names_another():
    source = shape.Feed(channels={"a": Channel(unit="hPa"), "b": Channel(unit="m")})
    both, named = Measure(kind="level", labels=("a", "b")), Measure(kind="level", labels=("a",), unit="mbar")
    pipeline = Pipeline(source=source, model="none", measures=(both, named))
    assert [one.unit for one in series_of("p", pipeline)] == ["hPa", "m", "mbar"]
    single = Pipeline(
        source=shape.Hwmon(device="x", channels=("temp1",)), model="none", measures=(Measure(kind="level"),)
    )
    assert [one.unit for one in series_of("p", single)] == ["°C"]


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        (shape.Feed(channels={"a": Channel()}, timeout=60.0), 60.0),
        (shape.Feed(channels={"a": Channel()}, timeout=60.0, sample_rate=1.0), 0.0),
        (shape.Serial(device="x", channels={"a": Channel()}), 10.0),
        (shape.Hwmon(device="x"), 0.0),
        (shape.V4l2(), 0.0),
    ],
)
def test_a_number_holds_until_the_next_or_for_the_timeout(source, seconds):
    assert units.least_hold(source) == seconds
    assert units.irregular(source) is (seconds > 0.0)


# --- in a locked worker


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.end()


def kept(
    stage: Stage,
    source: shape.Source,
    feed: feeds.Feed | None = None,
    model: Model = NONE,
    measure: Measure | None = None,
) -> Keeper:
    name = "none" if model is NONE else "ours"
    pipeline = Pipeline(source=source, model=name, measures=(measure or Measure(kind="level"),))
    keeper = Keeper(stage.reactor, stage.heard, "tank", pipeline, (model,), series_of("tank", pipeline), feed)
    stage.keepers.append(keeper)
    keeper.start()
    return keeper


def test_a_file_is_read_on_after_the_lock(stage, tmp_path):
    file = tmp_path / "a"
    replaced(file, "21500")
    channels = {"a": Channel(path=str(file), scale=0.001)}
    kept(stage, shape.Sysfs(channels=channels, sample_rate=10.0))
    stage.until(lambda: any(tick.observed and tick.entries[0].max == 21.5 for _, tick in stage.heard.ticks))
    replaced(file, "-4000")
    stage.until(lambda: any(tick.observed and tick.entries[0].max == -4.0 for _, tick in stage.heard.ticks))
    assert [event for _, event, _ in stage.heard.events] == ["started"]


def test_a_feed_that_is_silent_is_blind_and_speaks_when_it_is_fed(stage, feed, out):
    """It is ready without a number; then one holds for longer than a frame."""
    keeper = kept(stage, shape.Feed(channels={"a": Channel(unit="m")}), feed)
    stage.until(lambda: stage.heard.count("tank") >= 2)
    assert all((tick.observed, tick.analysed) == (0.0, 0) for _, tick in stage.heard.ticks)
    assert not any(tick.entries[0].seconds for _, tick in stage.heard.ticks)
    out.send(b"2.5 # m")
    out.send(b"-- none of your business")
    stage.until(lambda: sum(tick.observed for _, tick in stage.heard.ticks) > 3.0)
    seen = [tick for _, tick in stage.heard.ticks if tick.observed]
    assert sum(tick.analysed for tick in seen) == 1
    assert all(tick.entries[0].mean == 2.5 for tick in seen)
    assert sum(tick.dropped for _, tick in stage.heard.ticks) == 1
    assert [event for _, event, _ in stage.heard.events] == ["started"]
    coverage = [_coverage(keeper, tick) for tick in seen]
    assert sum(one.expected for one in coverage) == 1.0  # nobody knows how many lines to expect


def test_a_feed_outlives_its_workers_and_not_its_pipeline(stage, feed, out):
    keeper = kept(stage, shape.Feed(channels={"a": Channel()}), feed)
    stage.until(lambda: stage.heard.count("tank") >= 1)
    os.kill(keeper.pid, 9)
    stage.until(lambda: keeper.restarts == 1 and keeper.state == "running")
    out.send(b"7")
    stage.until(lambda: any(tick.observed and tick.entries[0].max == 7.0 for _, tick in stage.heard.ticks))
    gone: list[bool] = []
    keeper.retire(lambda: gone.append(True))
    stage.until(lambda: bool(gone))
    assert not feed.place.exists()


def test_a_socket_that_cannot_be_made_is_a_worker_that_cannot_start(stage, tmp_path):
    (tmp_path / "feed").write_text("no folder")
    keeper = kept(stage, shape.Feed(channels={"a": Channel()}), feeds.Feed(tmp_path / "feed/tank"))
    stage.until(lambda: keeper.state == "backoff")
    assert os.strerror(errno.EEXIST) in keeper.why or os.strerror(errno.ENOTDIR) in keeper.why


class Told(Heard):
    """A daemon that only listens."""

    def came(self, keeper: Keeper) -> None:
        pass

    def left(self, keeper: Keeper) -> None:
        pass


def test_a_changed_pipeline_is_fed_on_and_a_removed_one_is_not(tmp_path):
    def task(*channels: str) -> Task:
        source = shape.Feed(channels={one: Channel() for one in channels})
        return Task(
            Pipeline(source=source, model="none", measures=(Measure(kind="level", labels=channels),)), (NONE,)
        )

    stage = Stage()
    heard = stage.heard = Told()
    roster = Roster(stage.reactor, heard)
    roster.runtime_dir = tmp_path
    place = feeds.path(tmp_path, "tank")
    roster.assign({"tank": task("a")}, ())
    stage.until(lambda: all(one.state == "running" for one in roster))
    roster.assign({"tank": task("a", "b")}, {"tank"})
    stage.until(lambda: all(one.state == "running" and len(one.series) == 2 for one in roster))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(b"1 2", str(place))
    stage.until(lambda: any(tick.observed and len(tick.entries) == 2 for _, tick in heard.ticks))
    roster.assign({}, ())
    stage.until(lambda: not place.exists())
    roster.finish()


def test_one_that_never_started_leaves_no_socket_behind(stage, feed, monkeypatch):
    monkeypatch.setattr(supervise, "COMMAND", ("/bin/false",))
    keeper = kept(stage, shape.Feed(channels={"a": Channel()}), feed)
    stage.until(lambda: keeper.state == "backoff")
    assert feed.place.exists()
    keeper.stop()
    assert not feed.place.exists()


# --- windows into a model


def shaken(path: Path, classes: bool) -> Model:
    """float32 [1, 16, 2] -> the mean square of its numbers, or the scores of "calm" and "shaking" by it."""
    draft = drafts.Draft()
    given, squares = draft.tensor("samples", [1, 16, 2]), draft.tensor("squares", [1, 16, 2])
    draft.operator("MUL", [given, given], [squares], "MulOptions")
    axes, energy = draft.tensor("axes", [2], "int32", data=[1, 2]), draft.tensor("energy", [1])
    draft.operator("MEAN", [squares, axes], [energy], "ReducerOptions", keepDims=False)
    if not classes:
        path.write_bytes(draft.packed([given], [energy]))
        return Model(file=str(path), decoder="values", labels=("energy",))
    row, scores = draft.tensor("row", [1, 1]), draft.tensor("scores", [1, 2])
    draft.reshape(energy, row, [1, 1])
    weights = draft.tensor("weights", [2, 1], data=[[-8.0], [8.0]])
    bias = draft.tensor("bias", [2], data=[4.0, -4.0])
    logits = draft.tensor("logits", [1, 2])
    draft.operator("FULLY_CONNECTED", [row, weights, bias], [logits], "FullyConnectedOptions")
    draft.operator("LOGISTIC", [logits], [scores])
    path.write_bytes(draft.packed([given], [scores]))
    return Model(file=str(path), decoder="classifier", labels=("calm", "shaking"))


def said(number: float) -> bytes:
    """A window of it, in one datagram."""
    return f"{number} {-number}\n".encode() * 16


def mean_is(stage: Stage, value: float) -> None:
    """In the last tick that saw anything."""

    def last() -> float:
        seen = [tick for _, tick in stage.heard.ticks if tick.observed == 1.0]
        return seen[-1].entries[0].mean if seen else -1.0

    stage.until(lambda: last() == pytest.approx(value, abs=0.01))


def test_an_anomaly_s_score_of_windows(stage, feed, out, tmp_path):
    """The model is locked in before the first window is there."""
    source = shape.Feed(channels={"x": Channel(), "y": Channel()})
    kept(
        stage,
        source,
        feed,
        shaken(tmp_path / "score.tflite", classes=False),
        Measure(kind="level", labels=("energy",)),
    )
    stage.until(lambda: stage.heard.count("tank") >= 1)
    out.send(said(0.5))
    mean_is(stage, 0.25)
    out.send(said(2.0))
    mean_is(stage, 4.0)
    assert [event for _, event, _ in stage.heard.events] == ["started"]


def test_no_window_of_a_worker_s_goes_over_a_gap(stage, feed, out, tmp_path):
    """Either side of it is as it was said, and nothing lies between."""
    source = shape.Feed(channels={"x": Channel(), "y": Channel()}, sample_rate=40.0)
    model = shaken(tmp_path / "score.tflite", classes=False)
    kept(stage, source, feed, model, Measure(kind="level", labels=("energy",)))
    stage.until(lambda: stage.heard.count("tank") >= 1)
    turns = 0

    def speak() -> None:
        """40 lines a second; for a second of each three nothing, and then it is another number."""
        nonlocal turns
        turns += 1
        if turns % 30 < 20 and turns <= 130:
            out.send(f"{1.0 + turns // 30 % 2} 0\n".encode() * 4)

    stage.reactor.every(0.1, speak)
    stage.until(lambda: turns > 130)
    seen = [tick.entries[0] for _, tick in stage.heard.ticks if tick.analysed]
    assert {round(one, 2) for entry in seen for one in (entry.min, entry.max)} == {0.5, 2.0}
    assert sum(tick.dropped for _, tick in stage.heard.ticks) >= 40
    assert [event for _, event, _ in stage.heard.events] == ["started"]


def test_classes_of_windows(stage, feed, out, tmp_path):
    source = shape.Feed(channels={"x": Channel(), "y": Channel()})
    model = shaken(tmp_path / "classes.tflite", classes=True)
    kept(stage, source, feed, model, Measure(kind="presence", labels=("shaking",)))
    stage.until(lambda: stage.heard.count("tank") >= 1)
    out.send(said(0.9))
    mean_is(stage, 1.0)
    out.send(said(0.1))
    mean_is(stage, 0.0)


def test_a_model_of_other_channels_is_refused(stage, feed, tmp_path):
    model = shaken(tmp_path / "score.tflite", classes=False)
    keeper = kept(stage, shape.Feed(channels={"x": Channel()}), feed, model)
    stage.until(lambda: keeper.state == "refused")
    assert "takes 2 numbers a sample, and the source has 1: x" in keeper.why
