"""The walk over the shape against msgspec, and what it adds: every problem, in words."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config import duration
from edged.config.shape import Camera, Config, Keep, Pipeline, Synthetic
from edged.config.validation import (
    Walk,
    choices_of,
    described,
    extras,
    fields,
    is_struct,
    required,
    split,
    structs_of,
)

FOLDER = PurePosixPath("/etc/edged")
JUNK = st.sampled_from(
    [
        True,
        0,
        -1,
        1,
        3,
        17,
        500,
        10**400,
        0.5,
        -0.25,
        5000.0,
        "",
        "x",
        "auto",
        "Hall!",
        "x" * 80,
        [],
        [1],
        ["a", "a"],
        {},
        {"kind": "file"},
        {"kind": 3},
        [[0, 0], [1, 0], [1, 1]],
        [[0, 0], [1, 0], [1]],
        [[0, 0], [1, 0], [2, 1]],
        {"a": 1},
    ]
)


def valid(hint: Any) -> st.SearchStrategy[Any]:
    """Good values of a leaf."""
    base, metas = split(hint)
    if choices := choices_of(base):
        return st.sampled_from(choices)
    if base is str:
        return st.sampled_from(
            ["", "a", "door", "builtin:activity"] if not extras(metas).get("moment") else [""]
        )
    return st.sampled_from([0, 1, 0.5, 2, 16, True, False])


@st.composite
def values(draw: st.DrawFn, hint: Any) -> Any:
    """Mostly what the type wants, sometimes anything else."""
    base, metas = split(hint)
    if draw(st.integers(0, 12)) == 0:
        junk = draw(JUNK)
        # Durations, dates and paths may be written in more ways than msgspec knows: tested by themselves.
        return 1 if isinstance(junk, str) and extras(metas) else junk
    if options := structs_of(base):
        tag = draw(st.sampled_from(sorted(options)))
        return draw(tables(options[tag])) | {"kind": tag}
    if is_struct(base):
        return draw(tables(base))
    if get_origin(base) is dict:
        keys = st.sampled_from(["a", "hall", "Hall"])
        return draw(st.dictionaries(keys, values(get_args(base)[1]), max_size=2))
    if get_origin(base) is tuple:
        return draw(arrays(get_args(base)))
    return draw(valid(hint))


def arrays(args: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    if args[-1] is Ellipsis:
        return st.lists(values(args[0]), max_size=4)
    return st.tuples(*map(values, args)).map(list)


@st.composite
def tables(draw: st.DrawFn, struct: type[msgspec.Struct]) -> dict[str, Any]:
    table = {}
    for key, hint in fields(struct).items():
        if draw(st.booleans()) or (key in required(struct) and draw(st.integers(0, 9))):
            table[key] = draw(values(hint))
    if draw(st.integers(0, 20)) == 0:
        table["unknown"] = 1
    return table


@given(tables(Config))
def test_it_refuses_what_msgspec_refuses_and_nothing_else(document: dict[str, Any]) -> None:
    walk = Walk(FOLDER)
    result = walk.struct(document, Config)
    try:
        expected = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        assert walk.problems, error
        return
    assert walk.problems == []
    assert isinstance(result, Config)
    assert without_paths(result) == without_paths(expected)


def without_paths(config: Config) -> str:
    return str(config).replace(f"{FOLDER}/", "")


def problems(document: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    walk = Walk(FOLDER)
    walk.struct(document, Config)
    assert len({one.path for one in walk.problems}) == len(walk.problems)
    return {one.key: (one.found, one.allowed, one.hint) for one in walk.problems}


def scene(**keys: object) -> dict[str, Any]:
    return {"pipelines": {"a": {"source": {"kind": "synthetic", **keys}}}}


def test_every_wrong_key_is_told_at_once() -> None:
    found = problems(
        {
            "pipelines": {
                "A": {"source": {"kind": "synthetic", "fps": 0, "pase": "fast"}, "rate": "5"},
                "b": {"source": {"kind": "cam"}, "measures": [{"kind": "presence"}, {"labels": [""]}]},
                "c": {"rate": True},
            },
            "daemon": 3,
        }
    )
    assert found.keys() == {
        "daemon",
        "pipelines.A",
        "pipelines.A.rate",
        "pipelines.A.source.fps",
        "pipelines.A.source.pase",
        "pipelines.b.measures[1].kind",
        "pipelines.b.measures[1].labels[0]",
        "pipelines.b.source.kind",
        "pipelines.c.rate",
        "pipelines.c.source",
    }
    assert found["pipelines.A.source.fps"][:2] == ("0", "a number above 0 to 240")
    assert found["pipelines.A.source.pase"][2] == 'did you mean "pace"?'
    assert found["pipelines.b.source.kind"] == (
        '"cam"',
        '"synthetic", "file", "v4l2", "camera", "microphone", "iio", "hwmon", "onewire", "sysfs", "serial" '
        'or "feed"',
        'did you mean "camera"?',
    )
    assert found["pipelines.A.rate"] == ('"5"', "a number from 0 to 240", "")
    assert found["pipelines.c.source"][0] == "no such key"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none(value: float) -> None:
    assert "pipelines.a.source.fps" in problems(scene(fps=value))
    assert "pipelines.a.source.noise" in problems(scene(noise=value))


def test_only_a_duration_may_be_without_end() -> None:
    assert problems(scene(duration=math.inf)) == {}
    assert problems(scene(duration="forever")) == {}
    assert "pipelines.a.source.duration" in problems(scene(duration=math.nan))
    assert "store.commit_every" in problems(scene() | {"store": {"commit_every": "forever"}})


@given(st.floats(0, 1e9) | st.sampled_from([0.0, 60.0, 3600.0, 86400.0 * 90, 31_557_600.0 * 5, math.inf]))
def test_a_duration_reads_as_it_is_written(value: float) -> None:
    assert math.isclose(duration.seconds(duration.text(value)), value, rel_tol=1e-12, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("60s", 60),
        ("5m", 300),
        ("2h", 7200),
        ("90d", 7_776_000),
        ("1.5h", 5400),
        ("5y", 157_788_000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration.seconds(text) == seconds
    walk = Walk(FOLDER)
    kept = walk.struct({"minute": text}, Keep)
    assert isinstance(kept, Keep)
    assert kept.minute == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "m", "-5m", "5mo", "1e3s", "5m ", "Forever", "\u0665m", "1.h"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration.seconds(text)
    assert "store.keep.minute" in problems(scene() | {"store": {"keep": {"minute": text}}})


def test_words_of_every_leaf_say_what_is_allowed() -> None:
    assert described(fields(Synthetic)["pace"]) == '"real" or "fast"'
    assert described(fields(Synthetic)["seed"]) == "a whole number from 0 to 4294967295"
    assert described(fields(Pipeline)["enabled"]) == "true or false"
    assert described(fields(Keep)["day"]).startswith("a duration of 0 s or more: seconds, or text such as")
    assert described(fields(Camera)["controls"]) == "a table"
    assert described(fields(Pipeline)["model"]).startswith("a name of 1 to 32")
