"""Points, polygons and lines, in fractions of the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Polygon

Point = tuple[float, float]
#: A side of a zone that is so near to the picture's edge is that edge: nobody can be seen beyond it.
BORDER: Final = 0.005
#: Just inside the picture, for the even-odd rule.
LAST: Final = 1.0 - 1e-9


def inside(x: float, y: float, polygon: Polygon) -> bool:
    """Whether (x, y) is in the polygon: the even-odd rule, by counting the edges that a ray to the right
    crosses.
    """
    odd = False
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
        x1, y1 = x2, y2
    return odd


def cells_inside(polygon: Polygon, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool [GH, GW]: the cells whose centre is in the polygon; a zone smaller than a cell gets the cell
    that its middle is in.
    """
    rows, columns = shape
    mask = np.array(
        [
            [inside((column + 0.5) / columns, (row + 0.5) / rows, polygon) for column in range(columns)]
            for row in range(rows)
        ]
    )
    if not mask.any():
        x, y = (sum(axis) / len(polygon) for axis in zip(*polygon, strict=True))
        mask[min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)] = True
    return mask


class Masks:
    """The cells of each zone, of a grid whose size is the model's. Made when they are first asked for."""

    def __init__(self, zones: Mapping[str, Polygon]) -> None:
        self._zones = zones
        self._made: dict[str, NDArray[np.bool_]] = {}

    def of(self, zone: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """bool [GH, GW], as ``cells_inside`` makes it."""
        if zone not in self._made:
            self._made[zone] = cells_inside(self._zones[zone], shape)
        return self._made[zone]


def held(point: Point) -> Point:
    """The point, or the nearest one of the picture: who is cut off by its edge stands in view."""
    x, y = point
    return min(max(x, 0.0), LAST), min(max(y, 0.0), LAST)


def distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the stretch between two others."""
    (x, y), (ax, ay), (bx, by) = point, start, end
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    share = min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / length)) if length else 0.0
    return math.hypot(x - ax - share * dx, y - ay - share * dy)


def side(point: Point, start: Point, end: Point) -> float:
    """Above 0 right of the line from ``start`` to ``end``, looking along it (y grows downwards), below 0
    left of it.
    """
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


class Rope:
    """A line of one or more stretches that can be crossed."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._stretches = list(pairwise(points))

    def distance(self, point: Point) -> float:
        """From the point to the nearest of the line."""
        return min(distance(point, a, b) for a, b in self._stretches)

    def crossed(self, start: Point, end: Point) -> Iterator[tuple[int, float]]:
        """Where the straight way from ``start`` to ``end`` crosses it: 1 from left to right or -1, and the
        share of the way.

        A point on the line counts as right of it, here and at the next way's beginning: each crossing is met
        once, also one that happens just at a frame.
        """
        for a, b in self._stretches:
            before, after = side(start, a, b), side(end, a, b)
            if (before >= 0.0) != (after >= 0.0) and (side(a, start, end) >= 0.0) != (
                side(b, start, end) >= 0.0
            ):
                yield (1 if after >= 0.0 else -1), before / (before - after)


class Yard:
    """A zone's polygon, and how deep a point is in it."""

    def __init__(self, polygon: Polygon) -> None:
        self.polygon = polygon
        self._sides = [
            (a, b) for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True) if not _on_border(a, b)
        ]
        #: No margin may be wider: nobody would ever be well inside of a narrow zone.
        self.most_margin = 0.5 * self._widest()

    def depth(self, point: Point) -> float:
        """How far a point of the picture is from the zone's boundary: above 0 inside, below 0 outside. The
        picture's own edge is no boundary.
        """
        x, y = held(point)
        if not self._sides:
            return math.inf
        least = min(distance((x, y), a, b) for a, b in self._sides)
        return least if inside(x, y, self.polygon) else -least

    def _widest(self) -> float:
        """The largest depth of a grid of points: about the radius of the largest circle inside."""
        xs, ys = zip(*self.polygon, strict=True)
        grid = [(column + 0.5) / 16 for column in range(16)]
        points = [
            (min(xs) + u * (max(xs) - min(xs)), min(ys) + v * (max(ys) - min(ys))) for u in grid for v in grid
        ]
        return max(0.0, *(self.depth(one) for one in points))


def _on_border(a: Point, b: Point) -> bool:
    return any(max(a[axis], b[axis]) <= BORDER or min(a[axis], b[axis]) >= 1.0 - BORDER for axis in (0, 1))
