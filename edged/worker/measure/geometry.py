"""Points, polygons and lines, in fractions of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Polygon


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
