"""From a file to a config that can be believed, or to every reason why not, with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edged.config import consistency, shape
from edged.config.loading import examined, load
from edged.config.polygon import flaw
from edged.errors import ConfigError

PIPELINE = """
[pipelines.yard]
model = "{model}"
source = {{ kind = "synthetic" }}
zones = {{ door = [[0, 0], [0.5, 0], [0.5, 1]] }}
"""


def told(tmp_path: Path, text: str) -> list[str]:
    """Every problem of a config with this text: "line key: found; allowed (hint)"."""
    file = tmp_path / "edged.toml"
    file.write_text(text)
    _, problems = examined(file)
    assert all(one.file == str(file) and one.line for one in problems)
    return [str(one).removeprefix(f"{file}:") for one in problems]


def only(tmp_path: Path, text: str) -> str:
    (one,) = told(tmp_path, text)
    return one


def test_a_small_config(tmp_path: Path) -> None:
    file = tmp_path / "edged.toml"
    file.write_text(
        "[store]\nfile = 'numbers.db'\n[models.m]\nfile = 'models/m.tflite'\n"
        "[pipelines.a]\nmodel = 'm'\nsource = { kind = 'file', path = '/v/a.mp4', pace = 'fast', "
        "start = 2026-03-01T08:00:00+01:00 }\n"
    )
    config = load(file)
    assert config.store.file == str(tmp_path / "numbers.db")
    assert config.store.key_file == "/var/lib/edged/key"
    assert config.models["m"].file == str(tmp_path / "models/m.tflite")
    source = config.pipelines["a"].source
    assert source == shape.File(path="/v/a.mp4", pace="fast", start="2026-03-01T08:00:00+01:00")
    assert config.pipelines["a"].measures == (shape.Measure(kind="presence"),)


def test_nothing_that_is_named_need_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading config does no other I/O: one open, no stat of what it names."""
    file = tmp_path / "edged.toml"
    file.write_text(
        '[daemon]\nstate_dir = "s"\n[models.m]\nfile = "m"\nlabels_file = "l"\n'
        '[pipelines.a]\nmodel = "m"\nsource = { kind = "v4l2", device = "/dev/no" }\n'
    )
    seen: list[str] = []
    monkeypatch.setattr(os, "stat", lambda path, *_, **__: seen.append(path))
    monkeypatch.setattr(os, "listdir", seen.append)
    load(file)
    assert seen == []


def test_all_problems_come_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        """\
[daemon]
log_level = "loud"

[pipelines.hall]
rate = 1_000
sorce = { kind = "v4l2" }
model = "peeple"

[[pipelines.yard.measures]]
kind = "presence"

[[pipelines.yard.measures]]
kind = "presence"
zones = [
  "door",
]

[pipelines.yard.source]
kind = "v4l2"

[models.people]
file = "x"
""",
    )
    keys = [one.split(": ")[0] for one in found]
    assert keys == [
        "2",
        "4",
        "5",
        "6",
        "7",
        "15",
    ]
    assert 'daemon.log_level: found "loud"; allowed: "debug", "info", "warning" or "error"' in found[0]
    assert "pipelines.hall.source: found no such key; allowed: required here: a table" in found[1]
    assert 'did you mean "source"?' in found[3]
    assert 'did you mean "people"?' in found[4]
    assert 'pipelines.yard.measures[1].zones[0]: found "door", which is not defined' in found[5]


def test_load_raises_with_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "edged.toml"
    file.write_text("[pipelines.a]\nrate = -1\nmodel = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 3
    assert f"{file}:2: pipelines.a.rate: found -1; allowed: a number from 0 to 240" in caught.value.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[a\nb = 1\n", ":1:3: "),
        ("a = 1\nb = = 2\n", ":2:5: "),
        ("a = 1\na = 2\n", ":2:6: "),
        ("a = 1\nb = '''x\n", ":3: "),
        ("a = 2026-13-01\n", ":1:9: "),
        ("a = 1\n\x00", ":2:1: "),
        ("a = " + "[" * 5000, ":1: "),
    ],
)
def test_what_is_not_toml(tmp_path: Path, text: str, place: str) -> None:
    one = only(tmp_path, text)
    assert f":{one}".startswith(place)
    assert "not TOML" in one or "arrays within arrays" in one


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "edged.toml"
    file.write_bytes(b"# fine\n\xff = 1\n")
    with pytest.raises(ConfigError, match=r":2: found the byte 0xff; allowed: text in UTF-8"):
        load(file)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "edged.toml"
    file.write_bytes(b"\xef\xbb\xbf[pipelines.a]\r\nsource = { kind = 'v4l2' }\r\n")
    assert load(file).pipelines["a"].rate == 5.0


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read: ") as caught:
        load(tmp_path / name)
    assert "--config" in caught.value.hint


def test_a_file_without_end() -> None:
    with pytest.raises(ConfigError, match="more than 1024 KiB are no config"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("keep", "key", "found"),
    [
        ("second = 0\nminute = 0\nhour = 0\nday = 0", "store.keep", "nothing is kept"),
        ("minute = '90m'", "store.keep.minute", "1.5h, while each hour is made of the minutes kept"),
        ("second = '1m'", "store.keep.second", "1m, while each minute is made of the seconds kept"),
        ("hour = 0\nminute = '1d'", "store.keep.minute", "1d, while each day is made of the minutes kept"),
        ("minute = 30\nhour = 0\nday = 0", "store.keep.minute", "30s, gone before it is written once"),
        ("minute = 0\nhour = '1d'", "store.keep.hour", "1d, while each day is made of the hours kept"),
    ],
)
def test_what_cannot_be_kept(tmp_path: Path, keep: str, key: str, found: str) -> None:
    text = f"[store.keep]\n{keep}\n" + PIPELINE.format(model="activity")
    assert f"{key}: found {found}" in only(tmp_path, text)


@pytest.mark.parametrize(
    "keep", ["minute = 0", "minute = '2h'", "second = '1h'", "hour = 0\nday = 0", "day = 0"]
)
def test_what_can_be_kept(tmp_path: Path, keep: str) -> None:
    assert told(tmp_path, f"[store.keep]\n{keep}\n" + PIPELINE.format(model="activity")) == []


def test_time_zones(tmp_path: Path) -> None:
    rest = PIPELINE.format(model="activity")
    assert told(tmp_path, f"[clock]\ntimezone = 'Europe/Berlin'\n{rest}") == []
    assert 'did you mean "Europe/Berlin"?' in only(tmp_path, f"[clock]\ntimezone = 'europe/berlin'\n{rest}")
    for bad in ("../../etc/passwd", "Europe", "/etc/localtime", "x\\u0000"):
        assert "2: clock.timezone" in only(tmp_path, f'[clock]\ntimezone = "{bad}"\n{rest}')


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "file = 'builtin:presence'",
            'file: found "builtin:presence"; allowed: a path, or "builtin:activity"',
        ),
        (
            "file = 'builtin:activity'\ndelegate = 'edgetpu'",
            'delegate: found "edgetpu"; allowed: "auto" or "cpu"',
        ),
        ("file = 'builtin:activity'\ndecoder = 'detector'", 'decoder: found "detector"'),
        ("file = 'x'\ndelegate = 'cpu'\nedgetpu_file = 'y'", "edgetpu_file: found"),
        (
            "file = 'x'\ndelegate = 'cpu'\ndelegate_library = 'y'",
            'delegate_library: found "y"; allowed: only with',
        ),
        ("file = 'x'\nlabels = ['a']\nlabels_file = 'y'", "labels_file: found a second list of labels"),
        ("file = 'x'\nlabels = ['a', 'b', 'a']", 'labels[2]: found "a" a second time'),
        ("file = 'x'\nmean = [1, 2, 3]\nstd = [1]", "std: found 1 numbers beside 3 of mean"),
        ("file = 'x'\nmean = [1]\nstd = [0]", "std: found 0 or less"),
        ("file = '~/x'", 'file: found "~/x"; allowed: a path, absolute or from the config file'),
        ("file = 'a\\u0000b'".replace("'", '"'), "file: found"),
    ],
)
def test_models_that_contradict_themselves(tmp_path: Path, keys: str, expected: str) -> None:
    text = f"[models.m]\n{keys}\n" + PIPELINE.format(model="activity")
    assert f"models.m.{expected}" in only(tmp_path, text)


def measures(*each: str, model: str = "m", defined: str = 'labels = ["cat", "dog"]') -> str:
    several = "".join(f"[[pipelines.yard.measures]]\n{one}\n" for one in each)
    return f'[models.m]\nfile = "m"\n{defined}\n' + PIPELINE.format(model=model) + several


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            measures("kind = 'presence'\nzones = ['door']", "kind = 'presence'\nzones = ['door']"),
            '[1]: found presence in "door" a second time',
        ),
        (
            measures("kind = 'presence'\nlabels = ['cat', 'dog']", "kind = 'presence'\nlabels = ['dog']"),
            '[1]: found presence of "dog" a second time',
        ),
        (measures("kind = 'presence'\nzones = ['door', 'door']"), '[0].zones[1]: found "door" a second time'),
        (measures("kind = 'presence'\nzones = ['dor']"), 'did you mean "door"?'),
        (measures("kind = 'presence'\nlabels = ['cot']"), 'did you mean "cat"?'),
        (
            measures("kind = 'occupancy'", model="activity"),
            '[0].kind: found "occupancy"; allowed: "presence" or',
        ),
        (measures("kind = 'presence'\nlabels = ['cat']", model="activity"), "recognises nothing and nobody"),
        (
            measures("kind = 'level'\nzones = ['door']", defined='decoder = "values"'),
            "judges the whole picture",
        ),
    ],
)
def test_measures_that_lead_nowhere(tmp_path: Path, text: str, expected: str) -> None:
    one = only(tmp_path, text)
    assert "pipelines.yard.measures" in one
    assert expected in one


def test_the_same_measure_elsewhere_is_another(tmp_path: Path) -> None:
    text = measures(
        "kind = 'presence'", "kind = 'presence'\nzones = ['door']", "kind = 'occupancy'\nlabels = ['cat']"
    )
    assert told(tmp_path, text) == []


def test_too_many_series(tmp_path: Path) -> None:
    labels = [f"l{number}" for number in range(300)]
    text = measures(f"kind = 'presence'\nlabels = {labels}", defined=f"labels = {labels}")
    assert "300 series" in only(tmp_path, text)


def test_an_error_in_a_model_or_zone_is_told_once(tmp_path: Path) -> None:
    """Whoever names it is not told that it does not exist."""
    text = measures("kind = 'presence'\nzones = ['door']", defined="threads = 99")
    assert "models.m.threads" in only(tmp_path, text)
    text = measures("kind = 'presence'\nzones = ['door']").replace("[0.5, 1]]", "[0.5, 7]]")
    assert "zones.door[2][1]: found 7" in only(tmp_path, text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('kind = "synthetic", start = "2026-03-01T08:00:00Z"', 'start: found "2026-03-01T08:00:00+00:00"'),
        (
            'kind = "file", path = "x", pace = "fast", start = "2026-03-01"',
            'start: found "2026-03-01"; allowed: a date',
        ),
        (
            'kind = "file", path = "x", pace = "fast", start = 2026-03-01T08:00:00',
            "start: found the date or time",
        ),
        (
            'kind = "file", path = "x", pace = "fast", start = "now"',
            'start: found "now"; allowed: a date and time',
        ),
        ('kind = "file", path = ""', 'path: found ""'),
        ('kind = "v4l2", width = 640', "height: found 0 beside the other"),
    ],
)
def test_sources_that_contradict_themselves(tmp_path: Path, source: str, expected: str) -> None:
    assert f"pipelines.a.source.{expected}" in only(tmp_path, f"[pipelines.a]\nsource = {{ {source} }}\n")


def test_a_camera_in_two_pipelines(tmp_path: Path) -> None:
    text = "".join(f"[pipelines.{name}]\nsource = {{ kind = 'v4l2' }}\n" for name in ("a", "b"))
    assert "b.source.device: found /dev/video0, which a has already" in only(tmp_path, text)
    assert told(tmp_path, f"{text}enabled = false\n") == []


SQUARE = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        (SQUARE, ""),
        (SQUARE[::-1], ""),
        ([(0, 0), (1, 0), (1, 1), (0, 1)], ""),
        ([(0, 0), (1, 0), (0.5, 0.1), (1, 1), (0, 1)], ""),
        ([(0, 0), (0.5, 0), (1, 0), (1, 1)], ""),
        ([*SQUARE, SQUARE[0]], "corner 5 and the next are the same"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "sides 1 and 3 cross or touch"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0)], "sides 1 and 3 cross or touch"),
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], "sides 1 and 2 cross or touch"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "sides 1 and 3 cross or touch"),
        ([(0.1, 0.1), (0.101, 0.1), (0.101, 0.101)], "it covers 5e-07 of the picture"),
        ([(0, 0), (0.5, 0), (0.5, 0.5), (0.5, 0), (1, 0), (1, 1)], "sides"),
    ],
)
def test_polygons(corners: list[tuple[float, float]], expected: str) -> None:
    for turn in range(len(corners)):
        turned = corners[turn:] + corners[:turn]
        assert bool(flaw(turned)) == bool(expected), turned
    assert flaw(corners).startswith(expected)


LINES = """
[pipelines.yard.lines]
gate = { points = [[0.5, 1.0], [0.5, 0.0]] }
kerb = { points = [[0.6, 1.0], [0.6, 0.0]], forward = "east", backward = "west" }
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (measures("kind = 'crossings'") + "", 'measures[0].kind: found "crossings", but no line'),
        (measures("kind = 'crossings'\nlines = ['gat']") + LINES, 'did you mean "gate"?'),
        (measures("kind = 'crossings'\nlines = ['gate', 'gate']") + LINES, 'lines[1]: found "gate" a second'),
        (
            measures("kind = 'crossings'\nzones = ['door']") + LINES,
            'zones: found zones for "crossings"; allowed: l',
        ),
        (
            measures("kind = 'visits'\nlines = ['gate']") + LINES,
            'lines: found an array of 1 for "visits"; allow',
        ),
        (
            measures("kind = 'presence'\nleast_dwell = '2s'"),
            'least_dwell: found 2 for "presence"; allowed: only',
        ),
        (measures("kind = 'flow'"), "zones: found fewer than two; allowed: two zones or more"),
        (
            measures("kind = 'speed'\ndistance = 5\nlines = ['gate']") + LINES,
            "lines: found one line; allowed: two",
        ),
        (
            measures("kind = 'speed'\nlines = ['gate', 'kerb']") + LINES,
            "distance: found nothing; allowed: the metr",
        ),
        (
            measures("kind = 'speed'\nlines = ['gate', 'kerb']\ndistance = 5\nunit = 'kmh'") + LINES,
            'did you mean "km/h"?',
        ),
        (
            measures("kind = 'visits'\ndistance = 5"),
            'distance: found 5 for "visits"; allowed: only for "speed"',
        ),
        (
            measures("kind = 'queue'\nunit = 'm'"),
            'unit: found "m" for "queue"; allowed: only for "level" or "spe',
        ),
    ],
)
def test_measures_of_lines_and_zones(tmp_path: Path, text: str, expected: str) -> None:
    one = only(tmp_path, text)
    assert "pipelines.yard.measures" in one
    assert expected in one


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("points = [[0.5, 1.0]]", "points: found 1 elements; allowed: 2 to 16"),
        (
            "points = [[0.5, 1.0], [0.5, 1.0], [0.1, 0.1]]",
            "points: found points 1 and 2 are the same (0.5, 1)",
        ),
        ("points = [[0.5, 0.5], [0.501, 0.5]]", "points: found a line that is hardly one"),
        ("points = [[0.0, 0.0], [0.004, 1.0]]", "points: found a line along the picture's edge"),
        ("points = [[0.2, 1.0], [0.5, 0.998], [0.9, 1.0]]", "points: found a line along the picture's edge"),
        ("points = [[0, 0], [1, 1]]\nforward = 'out'", 'backward: found "out", as the other way'),
        ("points = [[0, 0], [1, 1]]\nforward = 'a:b'", "forward: found"),
    ],
)
def test_lines_that_make_no_sense(tmp_path: Path, keys: str, expected: str) -> None:
    text = measures("kind = 'crossings'") + f"[pipelines.yard.lines.gate]\n{keys}\n"
    assert f"pipelines.yard.lines.gate.{expected}" in only(tmp_path, text)


@pytest.mark.parametrize("wrong", ["0", "nan", "1e9", "'5 m'"])
def test_a_value_that_is_wrong_is_not_missing_as_well(tmp_path: Path, wrong: str) -> None:
    text = measures(f"kind = 'speed'\nlines = ['gate', 'kerb']\ndistance = {wrong}") + LINES
    assert "distance: found" in only(tmp_path, text)
    two = measures("kind = 'speed'\nlines = ['gate', 3]\ndistance = 5") + LINES
    assert "lines[1]: found 3;" in only(tmp_path, two)


@pytest.mark.parametrize("wrong", ["'forever'", "'5y'", "86401"])
def test_nobody_stays_so_long(tmp_path: Path, wrong: str) -> None:
    """Who is never counted is not asked for; the words name no duration that is refused."""
    one = only(tmp_path, measures(f"kind = 'visits'\nleast_dwell = {wrong}") + LINES)
    assert "least_dwell: found" in one
    assert 'to 86400 s: seconds, or text such as "250ms", "60s", "5m" or "2h"' in one
    assert told(tmp_path, measures("kind = 'visits'\nleast_dwell = '1d'") + LINES) == []


@pytest.mark.parametrize(
    "places", ["zones.door = [[10, 20], [200, 20], [200, 100]]", "lines.way = { points = [[3, 0], [40, 2]] }"]
)
def test_pixels_are_one_mistake_and_the_cure_is_told(tmp_path: Path, places: str) -> None:
    text = f"[pipelines.a]\nsource = {{ kind = 'v4l2' }}\n{places}\n"
    one = only(tmp_path, text)
    assert "allowed: a number from 0 to 1 (fractions of the picture, not pixels: " in one
    slip = "[pipelines.a]\nsource = { kind = 'v4l2' }\nzones.a = [[0, 1.2], [1, 0], [1.5, 1]]\n"
    assert len(told(tmp_path, slip)) == 2
    assert not any("pixels" in one for one in told(tmp_path, slip))


def test_a_line_and_a_zone_have_two_names(tmp_path: Path) -> None:
    text = measures("kind = 'crossings'") + LINES.replace("gate =", "door =")
    assert 'yard.lines.door: found "door", which is a zone\'s name, too' in only(tmp_path, text)


def test_numbers_without_a_measure_have_no_presence(tmp_path: Path) -> None:
    """What nobody wrote is not what is wrong."""
    text = "[pipelines.f]\nmodel = 'none'\nsource = { kind = 'feed', channels = { x = {}, y = {} } }\n"
    expected = (
        'pipelines.f.measures: found no such key, which means "presence"; allowed: here required, of kind'
    )
    assert f'{expected} "level"' in only(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("models.m]\nfile = 'm'\ndecoder = ''", '"auto", "detector", '),
        ("governor]\nboard = ''", '"auto", or a board'),
    ],
)
def test_words_that_are_allowed_are_told(tmp_path: Path, key: str, allowed: str) -> None:
    one = only(tmp_path, f"[{key}\n" + PIPELINE.format(model="activity"))
    assert f'found ""; allowed: {allowed}' in one


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("target = 20", "governor.target: found 20; allowed: "),
        (
            "battery_reserve = 0.6\nbattery_comfort = 0.6",
            "battery_comfort: found 0.6 beside a reserve of 0.6",
        ),
        ("quiet = ['22:00-22:00']", 'quiet[0]: found "22:00-22:00", of no length'),
        ("quiet = ['22:00-06:00', '22:00-06:00']", 'quiet[1]: found "22:00-06:00" a second time'),
        (
            "enabled = false\nquiet = ['22:00-06:00']",
            "governor.quiet: found hours beside enabled = false; allowed: ",
        ),
        ("board = 'simulated:no-such'", 'governor.board: found "simulated:no-such"'),
    ],
)
def test_a_governor_that_cannot_be(tmp_path: Path, keys: str, expected: str) -> None:
    assert expected in only(tmp_path, f"[governor]\n{keys}\n" + PIPELINE.format(model="activity"))


def test_a_zone_whose_sides_cross_is_none(tmp_path: Path) -> None:
    zone = "zones = { z = [[0, 0], [1, 1], [1, 0], [0, 1]] }"
    text = "[pipelines.f]\nmodel = 'activity'\nsource = { kind = 'synthetic' }\n" + zone
    assert "zones.z: found " in (one := only(tmp_path, text)) and "a polygon whose sides meet only" in one


def test_every_decoder_of_our_own_is_named() -> None:
    choice = pytest.importorskip("edged.worker.decode.choice")
    described = next(one.description for one in shape.Decoder.__metadata__)
    assert all(f'"{name}"' in described for name in ("auto", *choice.OWN))


def test_a_relative_path_of_a_channel_is_from_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "edged.toml"
    source = "source = { kind = 'sysfs', channels = { x = { path = 'x' } } }\n"
    file.write_text(f"[pipelines.a]\nmodel = 'none'\n{source}measures = [{{ kind = 'level' }}]\n")
    assert load(file).pipelines["a"].source.channels["x"].path == str(tmp_path / "x")


def test_a_crossing_is_asked_for_once(tmp_path: Path) -> None:
    text = measures("kind = 'crossings'", "kind = 'crossings'\nlines = ['gate']") + LINES
    first, second = told(tmp_path, text)
    assert 'measures[1]: found crossings in "gate:in" a second time' in first
    assert 'measures[1]: found crossings in "gate:out" a second time' in second


def test_all_that_can_be_asked_of_a_detector(tmp_path: Path) -> None:
    text = measures(
        "kind = 'crossings'\nlabels = ['cat', 'dog']",
        "kind = 'visits'\nleast_dwell = '2s'\nzones = ['door']",
        "kind = 'dwell'",
        "kind = 'queue'\nleast_dwell = '10s'",
        "kind = 'speed'\nlines = ['gate', 'kerb']\ndistance = 12.5\nunit = 'mph'",
        defined='decoder = "detector"\nlabels = ["cat", "dog"]',
    )
    assert told(tmp_path, text + LINES) == []


def test_kinds_are_the_worker_s() -> None:
    measure = pytest.importorskip("edged.worker.measure")
    observation = pytest.importorskip("edged.worker.observation")
    gives = {
        "detector": observation.Detections,
        "activity": observation.Grid,
        "classifier": observation.Classes,
        "values": observation.Values,
        "segmentation": observation.Areas,
    }
    assert dict(consistency.KINDS) == {name: measure.KINDS[kind] for name, kind in gives.items()}
    assert pytest.importorskip("edged.worker.decode.pose").POSES == consistency.POSES


LADDER = """
[models.dear]
file = "a.tflite"
{dear}
[models.cheap]
file = "b.tflite"
{cheap}
[pipelines.yard]
model = "dear"
{keys}
source = {{ kind = "v4l2" }}
[[pipelines.yard.measures]]
{measure}
"""


def with_ladder(
    keys: str, dear: str = "", cheap: str = "", measure: str = "kind = 'presence'\nlabels = ['cat']"
) -> str:
    return LADDER.format(keys=keys, dear=dear, cheap=cheap, measure=measure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (with_ladder("ladder = ['cheep']"), 'yard.ladder[0]: found "cheep", which is not defined'),
        (with_ladder("ladder = ['dear']"), 'yard.ladder[0]: found "dear", which is the pipeline\'s model'),
        (with_ladder("ladder = ['cheap', 'cheap']"), 'yard.ladder[1]: found "cheap" a second time'),
        (
            with_ladder("ladder = ['cheap']", cheap="labels = ['dog']"),
            'yard.ladder[0]: found "cheap", which cannot give presence: its labels "cat", which the model',
        ),
        (
            with_ladder("ladder = ['cheap']", cheap="decoder = 'values'"),
            'yard.ladder[0]: found "cheap", which cannot give presence: its kind "presence"',
        ),
        (
            with_ladder("ladder = ['activity']"),
            'yard.ladder[0]: found "activity", which cannot give presence',
        ),
        (with_ladder("rate = 5.0\nleast_rate = 6.0"), "yard.least_rate: found 6, above the rate of 5"),
        (
            with_ladder("ladder = ['cheap']", dear="quality = 22.4"),
            "yard.ladder: found a quality for dear, none for cheap",
        ),
        (with_ladder("weight = 0"), "yard.weight: found 0"),
        (with_ladder("prefer = 'speed'"), 'yard.prefer: found "speed"; allowed: "accuracy" or "rate"'),
    ],
)
def test_ladders_that_lead_nowhere(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in only(tmp_path, text)


def test_a_ladder(tmp_path: Path) -> None:
    text = with_ladder(
        "ladder = ['cheap', 'activity']\nrate = 0\nleast_rate = 9", measure="kind = 'presence'"
    )
    assert told(tmp_path, text) == []
