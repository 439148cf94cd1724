"""Zones are polygons that somebody typed or clicked: whether one makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

Point = tuple[float, float]

SMALLEST: Final = 1e-4  # of the picture: a square of a hundredth of its sides


def flaw(corners: Sequence[Point]) -> str:
    """What is wrong with a polygon in picture fractions, "" when nothing is."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    for index, (start, end) in enumerate(edges):
        if start == end:
            return f"corner {index + 1} and the next are the same ({_point(start)}); the end joins by itself"
    for (first, a), (second, b) in combinations(enumerate(edges), 2):
        neighbours = second - first in (1, len(edges) - 1)
        if _folds_back(a, b, second - first == 1) if neighbours else _touch(a, b):
            return f"sides {first + 1} and {second + 1} cross or touch"
    if area(corners) < SMALLEST:
        return f"it covers {area(corners):.2g} of the picture"
    return ""


def area(corners: Sequence[Point]) -> float:
    """The area by the shoelace formula, as a fraction of the picture."""
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 when a, b, c turn one way, below when the other, 0 when they are in line (to a millionth of a
    picture).
    """
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return cross if abs(cross) > 1e-12 else 0.0


def _touch(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = one, other
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return True
    return any((_on(a, b, c), _on(a, b, d), _on(c, d, a), _on(c, d, b)))


def _on(a: Point, b: Point, c: Point) -> bool:
    """Whether c is on the side from a to b."""
    if _turn(a, b, c):
        return False
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _folds_back(one: tuple[Point, Point], other: tuple[Point, Point], in_order: bool) -> bool:
    """Neighbouring sides share one corner; beyond it they may not run along each other."""
    (a, b), (_, c) = (one, other) if in_order else (other, one)
    if _turn(a, b, c):
        return False
    return (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]) > 0


def _point(point: Point) -> str:
    return f"{point[0]:g}, {point[1]:g}"
