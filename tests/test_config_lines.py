"""The locator against tomllib, on random documents written in every way that TOML has."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator

from hypothesis import given, reject
from hypothesis import strategies as st

from edged.config.lines import Path, located, nearest

GAPS = st.sampled_from(["", " ", "\t ", "\n", "\n\n  ", " # [x]\n", "\r\n", ' # "\n # }\n'])
BLANKS = st.sampled_from(["", " ", "\t"])
TAILS = st.sampled_from(["", " ", " # note = 'x'", ' # """', " # ]]"])
ENDINGS = st.sampled_from(["\n", "\n\n", "\r\n", "\n# a = 1\n", "\n \n"])
#: Texts that look like everything else. Not ending in a backslash or a quote: they are put into every kind of
#: string.
TRICKS = st.sampled_from(["", "a", "]", "}, {", "# no", "[t]", "k = 1", "=", ",,", "x.y", "é…😀"])


class Writer:
    """Writes one document; every scalar holds a number of its own, which says where it must be found."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0
        self.names = 0

    def name(self) -> str:
        self.names += 1
        plain = f"k{self.names}"
        return self.draw(
            st.sampled_from(
                [
                    plain,
                    f"{self.names}",
                    f'"{plain} {{"',
                    f"'{plain}.[#\"'",
                    f'"\\u00e9{plain}"',
                    f'"\\"{plain}"',
                ]
            )
        )

    def dotted(self) -> str:
        between = self.draw(st.sampled_from([".", " . ", "\t."]))
        return between.join(self.name() for _ in range(self.draw(st.integers(1, 3))))

    def scalar(self) -> str:
        self.count += 1
        mark, trick = f"@{self.count}@", self.draw(TRICKS)
        return self.draw(
            st.sampled_from(
                [
                    json.dumps(mark + trick + '"', ensure_ascii=False),
                    f"'{mark}{trick}\\'",
                    f'"""{mark}{trick}\n"" \\" \\\\\n{trick}"""',
                    f'"""{mark}""{trick}"""""',
                    f"'''{mark}{trick}\n''\\\n'''''",
                    f"'''{mark}'''",
                ]
            )
        )

    def value(self, depth: int) -> str:
        kind = self.draw(
            st.sampled_from(["scalar", "scalar", "plain", "array", "inline"] if depth else ["scalar"])
        )
        if kind == "plain":
            return self.draw(
                st.sampled_from(
                    ["1", "-0x1f".removeprefix("-"), "1e5", "true", "inf", "1979-05-27 07:32:00Z"]
                )
            )
        if kind == "array":
            return self.array(depth - 1)
        return self.inline(depth - 1) if kind == "inline" else self.scalar()

    def array(self, depth: int) -> str:
        parts = [
            self.draw(GAPS) + self.value(depth) + self.draw(GAPS) for _ in range(self.draw(st.integers(0, 3)))
        ]
        last = self.draw(st.sampled_from(["", ","])) if parts else ""
        return "[" + ",".join(parts) + last + self.draw(GAPS) + "]"

    def inline(self, depth: int) -> str:
        pairs = [
            self.draw(BLANKS)
            + self.dotted()
            + self.draw(BLANKS)
            + "="
            + self.draw(BLANKS)
            + self.value(depth)
            for _ in range(self.draw(st.integers(0, 3)))
        ]
        return "{" + ",".join(pairs) + self.draw(BLANKS) + "}"

    def pairs(self) -> str:
        return "".join(
            f"{self.draw(BLANKS)}{self.dotted()} ={self.draw(BLANKS)}{self.value(3)}"
            f"{self.draw(TAILS)}{self.draw(ENDINGS)}"
            for _ in range(self.draw(st.integers(0, 3)))
        )

    def document(self) -> str:
        text = self.draw(GAPS) + self.pairs()
        headers: list[tuple[str, bool]] = []
        for _ in range(self.draw(st.integers(0, 5))):
            text += self.header(headers) + self.draw(TAILS) + self.draw(ENDINGS) + self.pairs()
        return text.removesuffix("\n") if self.draw(st.booleans()) else text

    def header(self, headers: list[tuple[str, bool]]) -> str:
        """A new table, one within an earlier one, or one more element of an earlier array of tables."""
        old = self.draw(st.sampled_from(headers)) if headers and self.draw(st.booleans()) else None
        if old and old[1] and self.draw(st.booleans()):
            return f"[[{old[0]}]]"
        several = self.draw(st.booleans())
        name = f"{old[0]}.{self.name()}" if old else self.dotted()
        headers.append((name, several))
        return f"[[ {name}]]" if several else f"[{name} ]"


@st.composite
def documents(draw: st.DrawFn) -> str:
    return Writer(draw).document()


def walk(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    yield path, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from walk(child, (*path, key))


@given(documents())
def test_every_key_is_found_on_its_line(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        reject()  # some gaps are not allowed where they fell: one document in seven
    places, lines = located(text), text.replace("\r\n", "\n").split("\n")
    values = dict(walk(document))
    assert places.keys() == values.keys()
    for path, value in values.items():
        if isinstance(value, str):
            assert f"@{value.split('@')[1]}@" in lines[places[path] - 1]


def test_a_table_is_where_it_is_first_mentioned() -> None:
    places = located("[a.b]\nx = 1\n[a]\ny = 2\n[[c]]\n[[c]]\n")
    assert places == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "b", "x"): 2,
        ("a", "y"): 4,
        ("c",): 5,
        ("c", 0): 5,
        ("c", 1): 6,
    }


def test_what_is_not_there_is_where_it_should_be() -> None:
    places = located("a = 1\n[t]\nb = [1,\n 2]\n")
    assert nearest(places, ("t", "missing", "deeper")) == 2
    assert nearest(places, ("t", "b", 1, "x")) == 4
    assert nearest(places, ("missing",)) == 1
