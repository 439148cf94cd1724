"""An outline with zones and lines on it, as lines of text: braille, eight dots a character (Unicode 28xx).

In front and above stand fractions, as the config wants them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import click

from edged.cli.zones.plan import Plan
from edged.cli.zones.sketch import Outline
from edged.config.shape import Line, Point

#: Which bit of a braille character is the dot at (column, row).
DOTS: Final = ((0, 3), (1, 4), (2, 5), (6, 7))
MARGIN: Final = 5  # characters in front
WIDEST: Final = 80  # characters of the picture
COLOURS: Final = ("green", "cyan", "magenta", "yellow", "blue", "red")
#: Words for the eight ways, clockwise from the right; y grows downwards.
WAYS: Final = (
    "to the right", "down to the right", "down", "down to the left",
    "to the left", "up to the left", "up", "up to the right",
)  # fmt: skip

Cell = tuple[int, int]


class Canvas:
    """Dots of the outline, and dots of what is drawn with their colours."""

    def __init__(self, outline: Outline, width: int) -> None:
        self.columns = max(8, min(WIDEST, width - MARGIN - 1))
        self.wide = self.columns * 2
        self.high = max(4, round(self.wide * outline.rows / outline.columns))
        self.lines = -(-self.high // 4)
        self.dots = set(_dots(outline, self.wide, self.high))
        self.drawn: dict[Cell, str] = {}
        self.words: dict[Cell, tuple[str, str]] = {}

    def place(self, point: Point) -> Cell:
        """The dot of a fraction."""
        x, y = point
        return min(int(x * self.wide), self.wide - 1), min(int(y * self.high), self.high - 1)

    def stroke(self, a: Point, b: Point, colour: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = self.place(a), self.place(b)
        steps = max(abs(x2 - x1), abs(y2 - y1), 1)
        for step in range(steps + 1):
            x, y = x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps
            self.drawn[round(x), round(y)] = colour

    def write(self, point: Point, text: str, colour: str) -> None:
        """A name, its middle there."""
        x, y = self.place(point)
        first = max(0, min(self.columns - len(text), x // 2 - len(text) // 2))
        for number, letter in enumerate(text[: self.columns]):
            self.words[first + number, y // 4] = letter, colour

    def row(self, line: int) -> str:
        """One line of text."""
        return "".join(self._character(column, line) for column in range(self.columns))

    def _character(self, column: int, line: int) -> str:
        if (word := self.words.get((column, line))) is not None:
            return click.style(word[0], fg=word[1], bold=True)
        bits, colour = 0, ""
        for dy, row in enumerate(DOTS):
            for dx, bit in enumerate(row):
                cell = column * 2 + dx, line * 4 + dy
                bits |= (cell in self.dots or cell in self.drawn) << bit
                colour = self.drawn.get(cell, colour)
        if not bits:
            return self._empty(column, line)
        return click.style(chr(0x2800 + bits), fg=colour) if colour else chr(0x2800 + bits)

    def _empty(self, column: int, line: int) -> str:
        """A faint point where two tenths cross."""
        on = column in _tenths(self.columns) and line in _tenths(self.lines)
        return click.style("·", dim=True) if on else " "


def _tenths(size: int) -> frozenset[int]:
    return frozenset(int(size * tenth / 10) for tenth in range(1, 10))


def _dots(outline: Outline, wide: int, high: int) -> Iterator[Cell]:
    """The cells with an edge, in another size: no edge is lost by being made smaller."""
    for y in range(max(high, outline.rows)):
        for x in range(max(wide, outline.columns)):
            from_x, from_y = _scaled(x, wide, outline.columns), _scaled(y, high, outline.rows)
            if outline.at(from_x, from_y):
                yield _scaled(x, outline.columns, wide), _scaled(y, outline.rows, high)


def _scaled(place: int, mine: int, its: int) -> int:
    """Where a place of the finer of two sizes is: itself in the finer one, what it lies in in the other."""
    return place if its >= mine else place * its // mine


def picture(outline: Outline, plan: Plan, width: int) -> Iterator[str]:
    """The lines of text, for a terminal so many characters wide."""
    canvas = Canvas(outline, width)
    for number, (name, corners) in enumerate(plan.zones.items()):
        colour = COLOURS[number % len(COLOURS)]
        for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
            canvas.stroke(a, b, colour)
        middle = tuple(sum(axis) / len(corners) for axis in zip(*corners, strict=True))
        canvas.write((middle[0], middle[1]), name, colour)
    for number, (name, line) in enumerate(plan.lines.items(), len(plan.zones)):
        colour = COLOURS[number % len(COLOURS)]
        for a, b in zip(line.points, line.points[1:], strict=False):
            canvas.stroke(a, b, colour)
        canvas.write(line.points[0], name, colour)
    yield " " * MARGIN + _ruler(canvas.columns)
    marks = {int(canvas.lines * tenth / 10): f"{tenth / 10:.1f}" for tenth in range(10)}
    for line_number in range(canvas.lines):
        yield f"{marks.get(line_number, ''):>{MARGIN - 1}} {canvas.row(line_number)}"


def _ruler(columns: int) -> str:
    line = [" "] * (columns + 3)
    for tenth in range(10):
        at = int(columns * tenth / 10)
        line[at : at + 3] = f"{tenth / 10:.1f}"
    return "".join(line).rstrip()


def legend(plan: Plan) -> Iterator[str]:
    """Which way over a line is which."""
    for number, (name, line) in enumerate(plan.lines.items(), len(plan.zones)):
        mark = click.style(name, fg=COLOURS[number % len(COLOURS)], bold=True)
        yield f"{' ' * MARGIN}{mark}: {line.forward} is {way(line)}, {line.backward} is back"


def way(line: Line) -> str:
    """In words: from the left of the line to its right, looking from its first point to its last."""
    (x1, y1), (x2, y2) = line.points[0], line.points[-1]
    turn = math.atan2(x2 - x1, -(y2 - y1))  # of the line's direction, turned a quarter to the right
    return WAYS[round(turn / (math.pi / 4)) % 8]
