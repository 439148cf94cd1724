"""What the config check says about sensors: each rule once, and that what is right is left alone."""

from __future__ import annotations

import tomllib
from pathlib import PurePosixPath

import pytest

from edged.config.loading import judged

HEAD = """
[pipelines.room]
model = "none"
[pipelines.room.source]
{source}
[[pipelines.room.measures]]
kind = "level"
{labels}
"""
HWMON = 'kind = "hwmon"\ndevice = "lm75"\nchannels = ["temp1", "in0"]'
FEED = 'kind = "feed"\nchannels = {{ level = {} }}'


def problems(text: str) -> list[str]:
    _, found = judged(tomllib.loads(text), PurePosixPath("/etc/edged"))
    return [str(one) for one in found]


def room(source: str, labels: str = "", before: str = "") -> list[str]:
    return problems(before + HEAD.format(source=source, labels=labels))


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        (HWMON, 'labels = ["temp1", "in0"]'),
        ('kind = "hwmon"\ndevice = "lm75"\nchannels = ["temp1"]', ""),
        ('kind = "iio"\ndevice = "bme280"', 'labels = ["temp"]'),
        ('kind = "onewire"', 'labels = ["28-0316a2795e5f"]'),
        ('kind = "sysfs"\nchannels = { a = { path = "/sys/a", scale = 0.001, unit = "V" } }', ""),
        (
            'kind = "serial"\ndevice = "/dev/ttyACM0"\nbaud = 115200\nchannels = { a = {}, b = {} }',
            'labels = ["b"]',
        ),
        (FEED.format("{}"), ""),
    ],
)
def test_what_is_right(source, labels):
    assert room(source, labels) == []


@pytest.mark.parametrize(
    ("source", "labels", "said"),
    [
        (HWMON, "", 'measures[0].labels: found none; allowed: "temp1" or "in0"'),
        (
            HWMON,
            'labels = ["temp2"]',
            'found "temp2", which is no channel of the source; allowed: "temp1" or "in0"',
        ),
        ('kind = "iio"\ndevice = "x"', "", "labels: found none; allowed: the channels to keep"),
        ('kind = "hwmon"\ndevice = "x"\nchannels = ["a", "a"]', 'labels = ["a"]', 'found "a" a second time'),
        (
            'kind = "sysfs"\nchannels = { a = {} }',
            "",
            "channels.a.path: found no such key; allowed: required here",
        ),
        (FEED.format('{ path = "/sys/a" }'), "", "none: it is for sources of kind sysfs"),
        (FEED.format("{ scale = 0.0 }"), "", "channels.level.scale: found 0; allowed: a number other than 0"),
        (FEED.format("{ offset = inf }"), "", "channels.level.offset: found inf"),
        (FEED.format('{ unit = "count" }'), "", 'channels.level.unit: found "count"'),
        (
            'kind = "serial"\ndevice = "x"\nbaud = 9601\nchannels = { a = {} }',
            "",
            "such as 4800, 9600, 19200",
        ),
        (
            'kind = "hwmon"\ndevice = "x"\nsample_rate = 0.1',
            'labels = ["temp1"]',
            "and a sample comes every 10 s",
        ),
    ],
)
def test_what_does_not_go_together(source, labels, said):
    found = room(source, labels)
    assert len(found) == 1
    assert said in found[0]


def test_a_sensor_without_a_word_on_the_model():
    [found] = problems('[pipelines.room.source]\nkind = "onewire"\nchannels = ["28-1"]')
    assert 'found "activity", which looks at pictures; a source of kind "onewire" has none' in found
    assert 'allowed: "none"' in found


def test_no_model_is_for_sensors():
    [found] = problems(
        '[pipelines.a]\nmodel = "none"\nmeasures = [{ kind = "level" }]\n[pipelines.a.source]\nkind = "v4l2"'
    )
    assert 'pipelines.a.model: found "none", which is for a sensor\'s numbers' in found


def test_no_model_has_no_ladder():
    ladder = HEAD.format(source=FEED.format("{}"), labels="").replace(
        '"none"\n', '"none"\nladder = ["activity"]\n', 1
    )
    assert any("there is nothing cheaper than no model" in one for one in problems(ladder))


def test_no_model_has_levels_only():
    text = HEAD.format(source=FEED.format("{}"), labels="").replace('"level"', '"presence"')
    assert any('found "presence"; allowed: "level"' in one for one in problems(text))


@pytest.mark.parametrize(
    ("source", "device", "shared"),
    [
        ('kind = "serial"\ndevice = "/dev/ttyACM0"\nchannels = { a = {} }', "/dev/ttyACM0", False),
        ('kind = "iio"\ndevice = "lis3dh"\nmode = "buffered"\nchannels = ["temp"]', "lis3dh", False),
        ('kind = "iio"\ndevice = "lis3dh"\nmode = "polled"\nchannels = ["temp"]', "lis3dh", True),
    ],
    ids=["serial", "buffered", "polled"],
)
def test_a_line_and_a_buffer_have_one_reader(source, device, shared):
    one = HEAD.format(source=source, labels="")
    told = problems(one + one.replace("room", "hall"))
    assert any(f"{device}, which room has already" in text for text in told) is not shared
