"""Configs and catalogues of every kind: what is none is refused with a sentence, and nothing else happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import targets

ROOT = Path(__file__).resolve().parents[2]
#: The references, line by line; each key of the config is there, most behind a "#".
LINES = {
    path.name: path.read_text().splitlines()
    for path in (ROOT / "config/edged.toml", ROOT / "edged/models/catalogue.toml")
}
KEY = re.compile(r"#?([a-z_0-9]+) *= *")
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Values at which parsers, clocks, paths and terminals break.
ODD = st.sampled_from(
    [
        *(
            '""',
            '"x"',
            '"/"',
            '"../../etc/shadow"',
            '"/proc/self/mem"',
            '"\\u0000"',
            '"\\u001b[2J"',
            '"' + "x" * 5000 + '"',
        ),
        *(
            "0",
            "-1",
            "1e308",
            "-1e308",
            "inf",
            "-inf",
            "nan",
            "0x7fffffffffffffff",
            "-9223372036854775808",
            "1_000",
        ),
        *(
            "true",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[1, 'x', {}]",
            "{ a = { b = { c = 1 } } }",
            "2026-01-01T00:00:00Z",
            "12:00:00",
        ),
        *(
            '"1h"',
            '"-1h"',
            '"1e99y"',
            '"99999999999y"',
            '"nan s"',
            '"Europe/Berlin"',
            '"../UTC"',
            '"\\ud83d\\ude00"'.replace("\\ud83d\\ude00", "😀"),
        ),
        *("[" * 200 + "]" * 200, "[" * 3000, "'''", '"', "= =", "\x00", "9" * 5000),
    ]
)


@OFTEN
@given(
    st.binary(max_size=400) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_text_is_a_config_or_is_refused(content: bytes) -> None:
    targets.config(content)
    targets.models(content)


@st.composite
def turned(draw: st.DrawFn, name: str) -> bytes:
    """The reference with some of its lines given another value, another place, or none."""
    lines = list(LINES[name])
    keys = [place for place, line in enumerate(lines) if KEY.match(line)]
    for place in draw(st.lists(st.sampled_from(keys), max_size=3)):
        lines[place] = f"{KEY.match(lines[place])[1]} = {draw(ODD)}"  # type: ignore[index]
    for place in draw(st.lists(st.sampled_from(keys), max_size=4)):
        lines[place] = lines[place].removeprefix("#")
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "key", "cut"])):
            case "drop":
                lines[place] = ""
            case "double":
                lines.insert(place, lines[place])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "key":
                lines[place] = draw(st.sampled_from(["x", "rate", "''", "a.b.c", "__class__"])) + " = 1"
            case "cut":
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@OFTEN
@given(turned("edged.toml"))
def test_a_reference_with_turned_lines_is_a_config_or_is_refused(content: bytes) -> None:
    targets.config(content)


@OFTEN
@given(turned("catalogue.toml"))
def test_a_catalogue_with_turned_lines_is_one_or_is_refused(content: bytes) -> None:
    targets.models(content)


WORDS = st.sampled_from(
    ["pipelines", "hall", "source", "kind", "synthetic", "file", "measures", "zones", "rate", "model"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | WORDS | st.text(max_size=8),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), some, max_size=4),
    max_leaves=12,
)


def toml(value: Any) -> str:
    """A value of TOML on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return (
                '"' + "".join(f"\\U{ord(one):08X}" for one in value if not 0xD800 <= ord(one) < 0xE000) + '"'
            )
        case dict():
            return "{ " + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return str(value)


@OFTEN
@given(
    st.dictionaries(
        WORDS | st.sampled_from(["daemon", "store", "clock", "models", "governor"]), VALUES, max_size=5
    )
)
def test_a_tree_of_any_values_is_a_config_or_is_refused(tree: dict[str, Any]) -> None:
    targets.config("\n".join(f"{toml(key)} = {toml(value)}" for key, value in tree.items()).encode())


@pytest.mark.parametrize("name", ["edged.toml", "catalogue.toml"])
def test_the_references_themselves(name: str) -> None:
    """What the fuzzers start from is whole: otherwise they would only ever see one refusal."""
    folder = {"edged.toml": "config", "catalogue.toml": "edged/models"}[name]
    content = (ROOT / folder / name).read_bytes()
    assert targets.config(content) if name == "edged.toml" else targets.models(content)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    """Python's own parser gives up on it with another error than on other nonsense."""
    assert not targets.config(b"[daemon]\nstate_dir = " + b"9" * 5000)
    assert not targets.models(b"a = " + b"9" * 5000)
