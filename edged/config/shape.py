"""The config as frozen structs: every key, its type, its default and its limits. No I/O, no other import.

The docstring of a struct and the comment of a field are for readers of the code; what owners read is
``config/edged.toml``, which a test holds equal to this file. Limits live in ``Meta`` so that the check, the
JSON Schema and the worker (which gets its part of these structs over the wall) agree.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeGuard

import msgspec
from msgspec import Meta

#: Seconds; an owner may also write "250ms", "60s", "5m", "2h", "90d", "5y" or "forever" (infinity).
Duration = Annotated[float, Meta(ge=0, extra={"duration": True})]
Rate = Annotated[float, Meta(ge=0, le=240)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
#: From the picture's left, or from its top.
Place = Annotated[float, Meta(ge=0, le=1, extra={"place": True})]
#: Pixels; 0 leaves the choice to the source.
AnySize = Annotated[int, Meta(ge=0, le=8192)]
#: A silence after which a device counts as lost.
Timeout = Annotated[float, Meta(ge=0.1, le=3600, extra={"duration": True})]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z",
        description="a name of 1 to 32 of a-z, 0-9, - and _, a letter or digit first",
    ),
]
#: Absolute, or from the config file's own folder; ``load`` makes it absolute.
PathText = Annotated[str, Meta(max_length=4096, extra={"path": True})]
#: RFC 3339 with its offset, quoted or as TOML's own date-time; "" for none.
Moment = Annotated[str, Meta(extra={"moment": True})]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
#: A polygon's corners, (x, y) as fractions of the picture from its top left corner.
Polygon = Annotated[tuple[tuple[Place, Place], ...], Meta(min_length=3, max_length=64)]


Point = tuple[Place, Place]
#: What a sensor calls one of its numbers.
ChannelName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z",
        description="a name of 1 to 32 of A-Z, a-z, 0-9, _, . and -, a letter or digit first",
    ),
]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common ground: frozen, keywords only, unknown keys are errors."""


class Daemon(Shape, frozen=True):
    """Where the daemon lives and what it says."""

    state_dir: PathText = "/var/lib/edged"
    runtime_dir: PathText = "/run/edged"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Keep(Shape, frozen=True):
    """How long buckets of each length are kept; 0 makes none of that length."""

    second: Duration = 0.0
    minute: Duration = 90 * 86400.0
    hour: Duration = 5 * 365.25 * 86400.0
    day: Duration = float("inf")


class Store(Shape, frozen=True):
    """The encrypted store. An empty ``file`` is ``edged.db`` in the state directory; an empty ``key_file`` is
    the service's sealed credential, and where there is none ``key`` in the state directory.
    """

    file: PathText = ""
    key_file: PathText = ""
    commit_every: Annotated[float, Meta(ge=1, le=3600, extra={"duration": True})] = 60.0
    keep: Keep = Keep()


class Clock(Shape, frozen=True):
    """When the time is believed, and whose days are meant. An empty ``timezone`` is the system's."""

    trust: Literal["synchronised", "always"] = "synchronised"
    timezone: str = ""


#: From and to in local time, such as "22:00-06:00"; it may go over midnight.
Hours = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]\Z",
        description='hours such as "22:00-06:00", in local time',
    ),
]


Board = Annotated[
    str,
    Meta(
        pattern=r"^(auto|simulated:[a-z0-9+,-]{1,100})\Z",
        description='"auto", or a board that is not there, such as "simulated:pi5-bare"',
    ),
]


class Governor(Shape, frozen=True):
    """What the governor is to keep to. ``board`` "auto" is the one under us, "simulated:..." one that is not
    there (see ``edged.board.simulated``). ``target`` in °C, 0: two below the board's own limit.
    ``watt_hours`` per day, 0: any number.
    """

    enabled: bool = True
    board: Board = "auto"
    target: Annotated[float, Meta(ge=0, le=110)] = 0.0
    quiet: Annotated[tuple[Hours, ...], Meta(max_length=16)] = ()
    watt_hours: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    battery_reserve: Fraction = 0.2
    battery_comfort: Fraction = 0.5


#: One of our own decoders, or one that was installed (docs/decoders.md).
Decoder = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z",
        description='"auto", "detector", "classifier", "values", "activity", "pose", "segmentation", or the '
        "name of one that was installed",
    ),
]


class Model(Shape, frozen=True):
    """A ``.tflite`` file (or ``builtin:activity``, or ``builtin:none``: the source's numbers as they are) and
    what its own metadata does not say.

    ``threads`` is how many one inference may have at most. ``quality`` compares the models of a ladder, on
    any scale; 0: by their places.
    """

    file: Annotated[PathText, Meta(min_length=1)]
    edgetpu_file: PathText = ""
    runtime: Literal["auto", "litert", "tflite-runtime"] = "auto"
    delegate: Literal["auto", "cpu", "edgetpu"] = "auto"
    delegate_library: str = ""
    threads: Annotated[int, Meta(ge=1, le=16)] = 1
    quality: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    decoder: Decoder = "auto"
    labels_file: PathText = ""
    labels: tuple[Label, ...] = ()
    min_score: Fraction = 0.5
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    sample_rate: Annotated[float, Meta(ge=0, le=192_000)] = 0.0
    outputs: tuple[str, ...] = ()


class Synthetic(Shape, frozen=True, tag_field="kind", tag="synthetic"):
    """The scripted scene: its true counts are known. A product, never chosen silently.

    ``width`` and ``height`` 0: the model's own size. ``people`` and ``cars`` enter that many times a minute,
    the first ones after ``empty`` seconds. ``noise`` is the sensor's, one standard deviation in grey levels.
    ``duration`` ends it. ``held`` frames are drawn beforehand and cycled (a load test). ``start`` labels the
    time of pace "fast" (RFC 3339).
    """

    width: AnySize = 0
    height: AnySize = 0
    fps: Annotated[float, Meta(gt=0, le=240)] = 30.0
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 1
    pace: Literal["real", "fast"] = "real"
    noise: Annotated[float, Meta(ge=0, le=16)] = 2.0
    people: Annotated[float, Meta(ge=0, le=60)] = 4.0
    cars: Annotated[float, Meta(ge=0, le=60)] = 2.0
    empty: Duration = 5.0
    duration: Duration = float("inf")
    held: Annotated[int, Meta(ge=0, le=1000)] = 0
    start: Moment = ""


class File(Shape, frozen=True, tag_field="kind", tag="file"):
    """A video, an animated picture, a picture, a folder of pictures, or a recording of sound: what the model
    takes of it.

    ``fps`` 0: as the file says (pictures: one a second); else frames are that far apart whatever the file
    says. ``start`` labels the time of pace "fast" (RFC 3339).
    """

    path: Annotated[PathText, Meta(min_length=1)]
    pace: Literal["real", "fast"] = "real"
    loop: bool = False
    fps: Rate = 0.0
    start: Moment = ""


class V4l2(Shape, frozen=True, tag_field="kind", tag="v4l2"):
    """A camera of the kernel's own kind: USB cameras, capture sticks.

    ``width`` and ``height`` 0: the nearest size not below the model's. ``timeout``: so long without a frame
    and the camera is lost: it is closed and opened again.
    """

    device: Annotated[str, Meta(min_length=1)] = "/dev/video0"
    format: Literal["auto", "YUYV", "NV12", "MJPG", "GREY"] = "auto"
    width: AnySize = 0
    height: AnySize = 0
    timeout: Timeout = 5.0


class Camera(Shape, frozen=True, tag_field="kind", tag="camera"):
    """A camera of the Raspberry Pi's connector, through libcamera. ``controls`` are libcamera's, by name.

    ``timeout``: so long without a frame and the camera is lost: it is closed and opened again.
    """

    number: Annotated[int, Meta(ge=0, le=15)] = 0
    hflip: bool = False
    vflip: bool = False
    controls: dict[str, float | bool] = {}
    timeout: Timeout = 5.0


class Microphone(Shape, frozen=True, tag_field="kind", tag="microphone"):
    """Sound, through ALSA. ``device`` is ALSA's name; ``channel`` counts from 1, 0 mixes all of them.

    ``timeout``: so long without a sample and the microphone is lost.
    """

    device: Annotated[str, Meta(min_length=1, max_length=128)] = "default"
    channel: Annotated[int, Meta(ge=0, le=32)] = 0
    timeout: Timeout = 5.0


class Channel(Shape, frozen=True):
    """One number of a sensor: value = raw x ``scale`` + ``offset``, in ``unit``. ``path`` is for sysfs."""

    path: PathText = ""
    scale: float = 1.0
    offset: float = 0.0
    unit: Annotated[str, Meta(max_length=16)] = ""


Channels = Annotated[tuple[ChannelName, ...], Meta(max_length=32)]
#: Samples per second.
SampleRate = Annotated[float, Meta(ge=0, le=100_000)]


class Iio(Shape, frozen=True, tag_field="kind", tag="iio"):
    """A sensor of the kernel's industrial I/O: accelerometers, air, light. ``device`` is its name or
    "iio:deviceN". No ``channels``: all that it has. ``sample_rate`` 0: the device's own.
    """

    device: Annotated[str, Meta(min_length=1, max_length=64)]
    channels: Channels = ()
    mode: Literal["auto", "polled", "buffered"] = "auto"
    sample_rate: SampleRate = 0.0
    timeout: Timeout = 5.0


class Hwmon(Shape, frozen=True, tag_field="kind", tag="hwmon"):
    """A chip of the kernel's hardware monitoring, by its name; ``channels`` such as "temp1", "in0"."""

    device: Annotated[str, Meta(min_length=1, max_length=64)]
    channels: Channels = ()
    sample_rate: SampleRate = 1.0
    timeout: Timeout = 5.0


class OneWire(Shape, frozen=True, tag_field="kind", tag="onewire"):
    """Thermometers on a 1-wire bus, by their numbers ("28-0316a2795e5f"). No ``channels``: all there are."""

    channels: Channels = ()
    sample_rate: SampleRate = 0.2
    timeout: Timeout = 30.0


class Sysfs(Shape, frozen=True, tag_field="kind", tag="sysfs"):
    """Any files that hold a number each, by the name that the owner gives each."""

    channels: Annotated[dict[ChannelName, Channel], Meta(min_length=1, max_length=32)]
    sample_rate: SampleRate = 1.0
    timeout: Timeout = 5.0


class Serial(Shape, frozen=True, tag_field="kind", tag="serial"):
    """Lines of numbers on a serial line, such as an Arduino prints them; ``channels`` in their order."""

    device: Annotated[str, Meta(min_length=1, max_length=128)]
    channels: Annotated[dict[ChannelName, Channel], Meta(min_length=1, max_length=32)]
    baud: Annotated[int, Meta(ge=50, le=4_000_000)] = 9600
    sample_rate: SampleRate = 0.0
    timeout: Timeout = 10.0


class Feed(Shape, frozen=True, tag_field="kind", tag="feed"):
    """Numbers that any local program writes to a socket, one line each (see docs/sensors.md)."""

    channels: Annotated[dict[ChannelName, Channel], Meta(min_length=1, max_length=32)]
    sample_rate: SampleRate = 0.0
    timeout: Timeout = 60.0


Pictures = Synthetic | File | V4l2 | Camera
Sensor = Iio | Hwmon | OneWire | Sysfs | Serial | Feed
Source = Pictures | Microphone | Sensor


#: Why what a camera shows, or a microphone gives, is not to be believed (docs/sight.md).
Blindness = Literal["dark", "covered", "blurred", "moved", "silent"]
OF_PICTURES: Final[tuple[Blindness, ...]] = ("dark", "covered", "blurred", "moved")
OF_SOUND: Final[tuple[Blindness, ...]] = ("silent",)


def blindnesses(source: Source) -> tuple[Blindness, ...]:
    """Those that such a source can suffer from; a file may be pictures or sound, as its model takes it."""
    match source:
        case File():
            return OF_PICTURES + OF_SOUND
        case Microphone():
            return OF_SOUND
        case Synthetic() | V4l2() | Camera():
            return OF_PICTURES
    return ()


def recorded(source: Source) -> bool:
    """Whether a source has a clock of its own: a recording that is read as fast as it goes."""
    return ends(source) and source.pace == "fast"


def ends(source: Source) -> TypeGuard[File | Synthetic]:
    """Whether a source can be over: a recording or a scene. A device is there or it is not."""
    return isinstance(source, File | Synthetic)


class Line(Shape, frozen=True):
    """A line through the picture, from its first point to its last. Who crosses it from its left to its right
    side, looking along it, goes ``forward``; who comes back goes ``backward``.
    """

    points: Annotated[tuple[Point, ...], Meta(min_length=2, max_length=16)]
    forward: Name = "in"
    backward: Name = "out"


class Measure(Shape, frozen=True):
    """What the owner asked to know. No ``labels``: any of them as one; no ``zones``: the whole picture (for
    "flow": all of them).

    ``lines`` are for "crossings" (none: all of them) and "speed" (two, ``distance`` metres apart).
    ``least_dwell`` is how long somebody must be in a zone to count as a visit, and how long stand still to
    be in a queue.
    """

    kind: Literal[
        "occupancy", "presence", "activity", "level", "crossings", "visits", "dwell", "flow", "queue",
        "speed", "events", "area",
    ]  # fmt: skip
    labels: tuple[Label, ...] = ()
    zones: tuple[Name, ...] = ()
    lines: tuple[Name, ...] = ()
    min_score: Fraction | None = None
    least_dwell: Annotated[float, Meta(ge=0, le=86_400, extra={"duration": True})] | None = None
    distance: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    unit: Annotated[str, Meta(max_length=16)] = ""


class Pipeline(Shape, frozen=True):
    """One source through one model to its measures. ``rate`` is in frames per second, 0 for as fast as it
    goes.

    ``ladder`` names the models that may do the job when ``model`` is too dear, dearest first. ``prefer`` is
    what the governor gives up last, ``least_rate`` the least frames per second before it rather pauses;
    several pipelines share by ``weight``. ``blind_when`` names the states of a camera or a microphone in
    which it counts as blind, whatever its model finds; None: all that its source can be in.
    """

    source: Source
    model: Name = "activity"
    ladder: Annotated[tuple[Name, ...], Meta(max_length=7)] = ()
    prefer: Literal["accuracy", "rate"] = "accuracy"
    enabled: bool = True
    rate: Rate = 5.0
    least_rate: Rate = 0.0
    weight: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    blind_when: tuple[Blindness, ...] | None = None
    zones: dict[Name, Polygon] = {}
    lines: dict[Name, Line] = {}
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1, max_length=32)] = (Measure(kind="presence"),)

    @property
    def heeded(self) -> tuple[Blindness, ...]:
        """In which of its source's states it is blind."""
        return blindnesses(self.source) if self.blind_when is None else self.blind_when


class Config(Shape, frozen=True, kw_only=True):
    """One TOML file."""

    daemon: Daemon = Daemon()
    store: Store = Store()
    clock: Clock = Clock()
    governor: Governor = Governor()
    models: dict[Name, Model] = {}
    pipelines: Annotated[dict[Name, Pipeline], Meta(min_length=1, max_length=16)]
