"""Text as troff's man macros take it. Pure: strings in, lines out.

Every character that troff would take for one of its own is written by its name, so a page may hold any text;
in what people copy (commands, options, keys) a hyphen is the ASCII one.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

#: What troff changes on its way to a terminal, by the name that leaves it as it is.
_PLAIN: Final = str.maketrans(
    {
        "\\": r"\e",
        "'": r"\(aq",
        "`": r"\(ga",
        "^": r"\(ha",
        "~": r"\(ti",
        '"': r"\(dq",
        "\N{NO-BREAK SPACE}": r"\~",
    }
)
_CODE: Final = re.compile(r"`([^`]+)`")
#: Words of prose that are names all the same: options, files, variables, and the pages of a manual.
_NAME: Final = re.compile(
    r"(?<![\w/])(--?[a-z][a-z-]*|\$[A-Z_]+|/(?:etc|var|run|dev|opt|usr)/[\w./@-]*\w|[\w.]+\([158]\))"
)
WIDTH: Final = 100


def plain(text: str) -> str:
    """Prose: hyphens may be typeset as such."""
    named = (one if ord(one) < 128 else f"\\[u{ord(one):04X}]" for one in text.translate(_PLAIN))
    return "".join(named)


def literal(text: str) -> str:
    """What may be copied: every hyphen is the one of the keyboard."""
    return plain(text).replace("-", r"\-")


def prose(text: str) -> str:
    """A sentence in which `code` and obvious names are bold."""
    parts = []
    for number, part in enumerate(_CODE.split(text)):
        if number % 2:
            parts.append(rf"\fB{literal(part)}\fR")
        else:
            parts += _names(part)
    return "".join(parts)


def _names(text: str) -> Iterator[str]:
    for number, part in enumerate(_NAME.split(text)):
        yield rf"\fB{literal(part)}\fR" if number % 2 else plain(part)


def lines(text: str) -> Iterator[str]:
    """Prose as input lines of a readable length, none of which troff takes for a request."""
    for line in textwrap.wrap(prose(text), WIDTH, break_long_words=False, break_on_hyphens=False):
        yield guarded(line)


def guarded(line: str) -> str:
    """A line that is text, whatever it begins with."""
    return rf"\&{line}" if line.startswith((".", "'")) else line


def paragraphs(text: str, first: str = ".PP") -> Iterator[str]:
    """Paragraphs, parted by empty lines; ``first`` begins the first one (nothing, if it is empty)."""
    for number, one in enumerate(re.split(r"\n\s*\n", text.strip())):
        macro = first if number == 0 else ".PP"
        yield from filter(None, [macro])
        yield from lines(" ".join(one.split()))


def head(name: str, number: int, version: str) -> Iterator[str]:
    """A page's first lines. Ragged and unhyphenated, as what may be copied must not be torn apart."""
    yield f'.TH {name} {number} "" "edged {version}" "edged\\(aqs manual"'
    yield from (".ad l", ".nh")


def section(title: str) -> str:
    """A chapter's heading."""
    return f".SH {literal(title)}"


def item(tags: Iterable[str], text: str) -> Iterator[str]:
    """What is explained (already in troff's words, one a line), and below it, indented, what it is."""
    for number, tag in enumerate(tags):
        yield ".TP" if number == 0 else ".TQ"
        yield guarded(tag)
    # An item's later paragraphs must stay indented.
    for number, one in enumerate(re.split(r"\n\s*\n", text.strip())):
        yield from [".IP"] if number else []
        yield from lines(" ".join(one.split()))


def example(text: str) -> Iterator[str]:
    """Lines to be shown as they are."""
    yield from (".PP", ".RS 4", ".nf")
    yield from (guarded(literal(line)) if line else "" for line in text.strip("\n").split("\n"))
    yield from (".fi", ".RE")


def bold(text: str) -> str:
    """A name."""
    return rf"\fB{literal(text)}\fR"


def slanted(text: str) -> str:
    """What is to be replaced."""
    return rf"\fI{literal(text)}\fR"
