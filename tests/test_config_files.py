"""The shipped files against the code: edged.toml has every key and default, the schema says the same as the
check.
"""

from __future__ import annotations

import copy
import json
import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, get_args, get_origin

import jsonschema
import msgspec
import pytest

from edged.config import descriptions, shape
from edged.config.loading import judged, load
from edged.config.schema import schema
from edged.config.shipped import folder
from edged.config.validation import Walk, fields, is_struct, required, split, structs_of

STRUCTS = [
    one
    for one in vars(shape).values()
    if is_struct(one) and issubclass(one, shape.Shape) and one is not shape.Shape
]
#: A commented line of TOML, against a line of prose.
KEY = re.compile(r"#(?=\[{1,2}[a-z.]+\]|[a-z0-9_]+ = )")
DEFAULT = re.compile(r"Default: (.+?)(?: \(.*\))?$")


@pytest.fixture(scope="module")
def reference() -> str:
    """edged.toml with every commented key made live."""
    lines = (folder() / "edged.toml").read_text().split("\n")
    return "\n".join(KEY.sub("", line) for line in lines)


def tables(value: Any, hint: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Every table with known keys, as (path, struct, table)."""
    base, _ = split(hint)
    if options := structs_of(base):
        base = options[value["kind"]]
    if is_struct(base):
        yield path, base, value
        for key, one in value.items():
            if key in fields(base):
                yield from tables(one, fields(base)[key], (*path, key))
    elif get_origin(base) is dict:
        for key, one in value.items():
            yield from tables(one, get_args(base)[1], (*path, key))
    elif get_origin(base) is tuple:
        for index, one in enumerate(value):
            yield from tables(one, get_args(base)[0], (*path, index))


def test_the_reference_is_a_config(reference: str) -> None:
    config, problems = judged(tomllib.loads(reference), PurePosixPath("/etc/edged"))
    assert [str(one) for one in problems] == []
    assert config is not None


def test_the_reference_has_every_key(reference: str) -> None:
    document = tomllib.loads(reference)
    shown: dict[Any, set[str]] = {one: set() for one in STRUCTS}
    for _, struct, table in tables(document, shape.Config):
        shown[struct] |= table.keys()
    tags = {one: {"kind"} if one.__struct_config__.tag else set() for one in STRUCTS}
    assert shown == {one: set(fields(one)) | tags[one] for one in STRUCTS}


def test_the_reference_tells_every_default(reference: str) -> None:
    """A key's value there is its default, or the comment above it says what is."""
    document = tomllib.loads(reference)
    told = set()
    for path, struct, table in tables(document, shape.Config):
        for key in fields(struct):
            if key in table and says(reference, path, struct, key, table[key]):
                told.add((struct, key))
    holders = {(shape.Config, key) for key in fields(shape.Config)}
    holders |= {(shape.Store, "keep"), (shape.Pipeline, "source")}
    assert told | holders == {(struct, key) for struct in STRUCTS for key in fields(struct)}


def says(reference: str, path: tuple[Any, ...], struct: Any, key: str, value: Any) -> bool:
    walk = Walk(PurePosixPath("/"))
    made = walk.struct({**needed(struct), key: value}, struct)
    if key not in required(struct) and not walk.problems and getattr(made, key) == default(struct, key):
        return True
    comment = comment_above(reference, path, key)
    if key in required(struct):
        return "equired" in comment
    stated = DEFAULT.search(comment)
    if stated and stated[1] in ("the model's", "none", "all of its source's"):
        return default(struct, key) is None
    if not stated:
        return False
    given = tomllib.loads(f"v = {stated[1]}")["v"]
    return msgspec.to_builtins(
        Walk(PurePosixPath("/"))._value(given, fields(struct)[key], ())
    ) == msgspec.to_builtins(default(struct, key))


def needed(struct: Any) -> dict[str, Any]:
    some = {"file": "x", "path": "x", "kind": "presence", "source": {"kind": "v4l2"}, "pipelines": {}}
    some |= {"device": "x", "channels": {"a": {}}, "points": [[0, 0], [1, 1]]}
    return {key: some[key] for key in required(struct)}


def default(struct: Any, key: str) -> Any:
    field = next(one for one in msgspec.structs.fields(struct) if one.name == key)
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def comment_above(reference: str, path: tuple[Any, ...], key: str) -> str:
    """The lines of prose right above the key of that table, as one."""
    from edged.config.lines import located

    lines = reference.split("\n")
    at = located(reference)[*path, key] - 1
    if "[" in lines[at - 1] and lines[at - 1].startswith("["):
        at -= 1
    prose: list[str] = []
    while at and lines[at - 1].startswith("# "):
        at -= 1
        prose.insert(0, lines[at][2:])
    return " ".join(prose)


def test_the_shipped_configs_are_good() -> None:
    shipped = sorted(folder().glob("*.toml"))
    assert {"demo.toml", "edged.toml"} <= {path.name for path in shipped}
    assert all(load(path).pipelines for path in shipped)


def test_the_reference_promises_no_path_that_must_be_absolute(reference: str) -> None:
    """Relative ones begin at its folder, all of them."""
    assert "# Relative paths begin at this file's folder." in reference
    assert "# Absolute." not in reference


def test_every_key_is_described_and_no_other() -> None:
    keys = {f"{one.__name__}.{key}" for one in STRUCTS for key in fields(one)}
    keys |= {f"{one.__name__}.kind" for one in STRUCTS if one.__struct_config__.tag}
    assert descriptions.KEYS.keys() == keys
    assert descriptions.TABLES.keys() == {one.__name__ for one in STRUCTS}


def test_the_committed_schema_is_the_code_s() -> None:
    assert json.loads((folder() / "edged.schema.json").read_text()) == schema()


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_takes_the_shipped_configs(
    validator: jsonschema.Draft202012Validator, reference: str
) -> None:
    for text in (reference, *(path.read_text() for path in folder().glob("*.toml"))):
        assert [one.message for one in validator.iter_errors(tomllib.loads(text))] == []


def test_the_schema_s_defaults_are_the_code_s(validator: jsonschema.Draft202012Validator) -> None:
    definitions = {**schema()["$defs"], "Config": schema()}
    for struct in STRUCTS:
        for key in set(fields(struct)) - set(required(struct)):
            stated = definitions[struct.__name__]["properties"][key].get("default")
            if stated is None:
                assert default(struct, key) is None or is_struct(split(fields(struct)[key])[0])
                continue
            made = Walk(PurePosixPath("/"))._value(stated, fields(struct)[key], ())
            assert same(made, default(struct, key)), (struct, key)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and math.isinf(one):
        return one == other
    return bool(msgspec.to_builtins(one) == msgspec.to_builtins(other))


BAD = [
    ("store.commit_every", 0.5),
    ("store.commit_every", "soon"),
    ("store.keep.week", 1),
    ("daemon.log_level", "loud"),
    ("clock.timezone", 1),
    ("models.people", {}),
    ("models.People", {"file": "x"}),
    ("models.people.threads", 0),
    ("models.people.labels", [""]),
    ("pipelines", {}),
    ("pipelines.camera.source.kind", "webcam"),
    ("pipelines.camera.source.fps", 5),
    ("pipelines.camera.rate", 1000),
    ("pipelines.camera.rate", True),
    ("pipelines.camera.zones.door", [[0, 0], [1, 1]]),
    ("pipelines.camera.zones.door", [[0, 0], [1, 1], [0, 2]]),
    ("pipelines.camera.measures", []),
    ("pipelines.camera.measures", [{"kind": "visit"}]),
    ("pipelines.camera.colour", "blue"),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_the_schema_and_the_check_refuse_the_same(
    validator: jsonschema.Draft202012Validator, reference: str, key: str, value: object
) -> None:
    document = copy.deepcopy(tomllib.loads(reference))
    *parents, last = key.split(".")
    table = document
    for parent in parents:
        table = table[parent]
    table[last] = value
    assert list(validator.iter_errors(document))
    _, problems = judged(document, PurePosixPath("/etc"))
    assert any(one.key.startswith(key) for one in problems), problems


def test_shipped_configs_name_the_schema(root: Path) -> None:
    for path in (root / "config").glob("*.toml"):
        assert path.read_text().startswith("#:schema ./edged.schema.json\n"), path
