"""Who goes with whom: the pairs of rows and columns with the largest sum of gains."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]

#: Beyond it nothing costs more or less: what is infinite would never be paid off.
DEAREST: Final = 1e9


def assigned(gain: NDArray[np.float64]) -> list[Pair]:
    """The pairs (row, column) with the largest sum of ``gain`` [n, m], each row and column once at most; a
    pair whose gain is not above 0 is never taken.

    Where no two columns want the same row most, each gets what it wants, and no sum is larger. Else things
    that are apart do not compete: each cluster of competitors is solved by itself.
    """
    if not gain.size:
        return []
    wanted, most = gain.argmax(axis=0).tolist(), gain.max(axis=0).tolist()
    first = [(row, column) for column, row in enumerate(wanted) if most[column] > 0.0]
    if len({row for row, _ in first}) == len(first):
        return first
    rows, columns = (one.tolist() for one in np.nonzero(gain > 0.0))
    pairs: list[Pair] = []
    worth = gain.tolist()
    for members in _clusters(rows, columns):
        pairs += members if len(members) == 1 else _solved(members, worth)
    return pairs


def _clusters(rows: list[int], columns: list[int]) -> list[list[Pair]]:
    """The possible pairs, by connected component."""
    by_row: dict[int, list[Pair]] = {}
    by_column: dict[int, list[Pair]] = {}
    for pair in zip(rows, columns, strict=True):
        by_row.setdefault(pair[0], []).append(pair)
        by_column.setdefault(pair[1], []).append(pair)
    found = []
    while by_row:
        members, front = [], by_row.pop(next(iter(by_row)))
        while front:
            members += front
            reached = [one for _, column in front for one in by_column.pop(column, [])]
            front = [one for row, _ in reached for one in by_row.pop(row, [])]
        found.append(members)
    return found


def _solved(members: list[Pair], gain: list[list[float]]) -> list[Pair]:
    rows, columns = sorted({one for one, _ in members}), sorted({one for _, one in members})
    if len(rows) == 1 or len(columns) == 1:
        return [max(members, key=lambda pair: gain[pair[0]][pair[1]])]
    flipped = len(rows) > len(columns)
    if flipped:
        costs = [[min(0.0, -gain[row][column]) for row in rows] for column in columns]
    else:
        costs = [[min(0.0, -gain[row][column]) for column in columns] for row in rows]
    chosen = cheapest(costs)
    pairs = [(rows[b], columns[a]) if flipped else (rows[a], columns[b]) for a, b in enumerate(chosen)]
    return [(row, column) for row, column in pairs if gain[row][column] > 0.0]


def cheapest(costs: list[list[float]]) -> list[int]:
    """The column of each row so that the sum of ``costs`` is least; there are no fewer columns than rows.

    Shortest augmenting paths with potentials (Jonker and Volgenant, Computing 38, 1987), O(rows^2 columns).
    It ends whatever the costs are: what is no number is as dear as can be. Raises ``ValueError`` where there
    are fewer columns than rows.
    """
    width = len(costs[0])
    if width < len(costs):
        raise ValueError(f"{len(costs)} rows cannot have a column each of {width}")
    costs = [[max(-DEAREST, min(DEAREST, cost)) for cost in row] for row in costs]
    of_row, of_column = [0.0] * (len(costs) + 1), [0.0] * (width + 1)
    owner = [0] * (width + 1)  # rows and columns count from 1: 0 is none
    for row in range(1, len(costs) + 1):
        owner[0] = row
        before = _path(costs, of_row, of_column, owner)
        column = before.pop()
        while column:
            owner[column] = owner[before[column]]
            column = before[column]
    chosen = [0] * len(costs)
    for column in range(1, width + 1):
        if owner[column]:
            chosen[owner[column] - 1] = column - 1
    return chosen


def _path(
    costs: list[list[float]], of_row: list[float], of_column: list[float], owner: list[int]
) -> list[int]:
    """The column before each on the cheapest path to a free column, and that column at the end. Potentials
    are moved on the way.
    """
    width = len(of_column)
    least, before, done = [math.inf] * width, [0] * width, [False] * width
    here = 0
    while owner[here]:
        done[here] = True
        row, there, step = owner[here], 0, math.inf
        for column in range(1, width):
            if not done[column]:
                cost = costs[row - 1][column - 1] - of_row[row] - of_column[column]
                if cost < least[column]:
                    least[column], before[column] = cost, here
                if least[column] < step:
                    there, step = column, least[column]
        for column in range(width):
            if done[column]:
                of_row[owner[column]] += step
                of_column[column] -= step
            else:
                least[column] -= step
        here = there
    return [*before, here]
