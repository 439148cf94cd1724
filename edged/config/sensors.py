"""What does not go together about sensors and ``model = "none"``. Rules as in ``consistency``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from edged.config import duration, shape
from edged.config.lines import Path
from edged.config.problem import Problem, likely, listed, shown
from edged.rounding import LARGEST_VALUE
from edged.units import channels_of

#: Speeds that termios(3) has a name for.
BAUDS: Final = (
    *(50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200),
    *(230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000),
    *(3000000, 3500000, 4000000),
)  # fmt: skip
#: The names of models that need no definition; an owner may define another one under them.
NONE, ACTIVITY = "none", "activity"


def contradictions(
    pipeline: shape.Pipeline, path: Path, models: Mapping[str, shape.Model], paths: Mapping[int, Path]
) -> Iterator[Problem]:
    """All of one pipeline."""
    source = pipeline.source
    ours = pipeline.model not in models
    if isinstance(source, shape.Sensor):
        yield from _source(source, (*path, "source"))
        if ours and pipeline.model == ACTIVITY:
            yield Problem(
                (*path, "model"),
                f"{shown(ACTIVITY)}, which looks at pictures; a source of kind "
                f"{shown(type(source).__name__.lower())} has none",
                f"{shown(NONE)} (its numbers as they are), or a model of samples",
            )
    if not ours or pipeline.model != NONE:
        return
    if not isinstance(source, shape.Sensor):
        yield Problem(
            (*path, "model"),
            f"{shown(NONE)}, which is for a sensor's numbers",
            "a model, or a source that is a sensor: iio, hwmon, onewire, sysfs, serial, feed",
        )
        return
    if pipeline.ladder:
        yield Problem(
            (*path, "ladder"), shown(pipeline.ladder), "none: there is nothing cheaper than no model"
        )
    for measure in pipeline.measures:
        if id(measure) in paths:  # else none was asked for, which is told as a whole
            yield from _measure(measure, source, paths[id(measure)])


def _measure(measure: shape.Measure, source: shape.Sensor, path: Path) -> Iterator[Problem]:
    """Its labels are the source's channels."""
    channels = channels_of(source)
    if not measure.labels and len(channels) != 1:
        allowed = listed(channels) if channels else "the channels to keep; edged doctor shows what there is"
        yield Problem((*path, "labels"), "none", allowed)
    for at, label in enumerate(measure.labels):
        if channels and label not in channels:
            found = f"{shown(label)}, which is no channel of the source"
            yield Problem((*path, "labels", at), found, listed(channels), likely(label, channels))


def _source(source: shape.Sensor, path: Path) -> Iterator[Problem]:
    if isinstance(source, shape.Sysfs | shape.Serial | shape.Feed):
        for name, channel in source.channels.items():
            yield from _channel(channel, isinstance(source, shape.Sysfs), (*path, "channels", name))
    else:
        for at, name in enumerate(source.channels):
            if name in source.channels[:at]:
                yield Problem((*path, "channels", at), f"{shown(name)} a second time", "each once")
    if isinstance(source, shape.Serial) and source.baud not in BAUDS:
        near = sorted(sorted(BAUDS, key=lambda one: abs(math.log(one / source.baud)))[:3])
        yield Problem(
            (*path, "baud"),
            str(source.baud),
            f"a speed of serial lines, such as {', '.join(map(str, near))}",
        )
    if source.sample_rate and source.timeout < 1.0 / source.sample_rate:
        yield Problem(
            (*path, "timeout"),
            f"{duration.text(source.timeout)}, and a sample comes every {1.0 / source.sample_rate:g} s",
            "more than that",
        )


def _channel(channel: shape.Channel, from_file: bool, path: Path) -> Iterator[Problem]:
    if from_file and not channel.path:
        yield Problem((*path, "path"), "no such key", "required here: the file that holds the number")
    if not from_file and channel.path:
        yield Problem((*path, "path"), shown(channel.path), "none: it is for sources of kind sysfs")
    for key, number in (("scale", channel.scale), ("offset", channel.offset)):
        if not math.isfinite(number) or (key == "scale" and not number):
            yield Problem(
                (*path, key), f"{number:g}", "a number" + (" other than 0" if key == "scale" else "")
            )
    if channel.unit in LARGEST_VALUE:
        yield Problem(
            (*path, "unit"),
            shown(channel.unit),
            "the unit of a level; this word is kept for what edged counts",
        )
