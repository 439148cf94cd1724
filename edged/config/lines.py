"""Where each key of a TOML document stands. tomllib gives values without lines; an error without its line is
half an error.

Read only when there is something to complain about, and only for documents that tomllib has accepted: so this
scanner need not judge, only find its way. A test holds it against tomllib on random documents.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

#: A place in a document: keys of tables, indices of arrays.
Path = tuple[str | int, ...]

_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_BLANK: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
#: Strings of four kinds (a multi-line one may end in up to five quotes), or whatever holds no delimiter.
_SCALAR: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[^\s,\]}#][^,\]}#\n]*",
    re.DOTALL,
)


def located(text: str) -> dict[Path, int]:
    """Line (from 1) of every key, table and array element of a valid TOML document; ``()`` stands for the
    document.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


def nearest(places: dict[Path, int], path: Path) -> int:
    """The line of ``path``, or of the innermost thing around it that is in the document."""
    while path not in places:
        path = path[:-1]
    return places[path]


class _Scanner:
    """One pass over the text, ``at`` being where it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1
        self._places: dict[Path, int] = {(): 1}
        self._lengths: dict[Path, int] = {}  # of the arrays of tables so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_GAP)
        return self._places

    def _header(self) -> Path:
        line, several = self._here(), self._text.startswith("[[", self._at)
        self._at += 2 if several else 1
        path = self._resolved(self._dotted())
        self._at += 2 if several else 1
        if several:
            self._note(path, line)
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
        self._note(path, line)
        return path

    def _resolved(self, keys: list[str]) -> Path:
        """``[a.b]`` means the last element of ``[[a]]``; the last key itself is not looked into."""
        path: Path = ()
        for key in keys:
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            path = (*path, key)
        return path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = (*table, *self._dotted())
        self._note(path, line)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline(path)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        index = 0
        self._step()
        while self._text[self._at] != "]":
            self._note((*path, index), self._here())
            self._value((*path, index))
            index += 1
            self._skip(_GAP)
            if self._text[self._at] == ",":
                self._step()
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._step()
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(_GAP)
            if self._text[self._at] == ",":
                self._step()
        self._at += 1

    def _step(self) -> None:
        """Past one delimiter and the gap after it."""
        self._at += 1
        self._skip(_GAP)

    def _dotted(self) -> list[str]:
        """A dotted key and the blanks around it."""
        keys = []
        while True:
            self._skip(_BLANK)
            keys.append(_plain(self._skip(_KEY)))
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found, f"tomllib accepted what the scanner cannot follow, at {self._at}"
        self._at = found.end()
        return found[0]

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _note(self, path: Path, line: int) -> None:
        """Also the tables that a dotted key or a header implies. The first mention counts."""
        for length in range(1, len(path) + 1):
            self._places.setdefault(path[:length], line)


def _plain(key: str) -> str:
    """A key without its quotes; what escapes mean is left to tomllib."""
    return next(iter(tomllib.loads(f"{key}=0")))
