"""Rows of the scripted scene, for people (Markdown, as docs/accuracy.md has it) and as JSON."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.accuracy.scenes import Row

HEAD: Final = (
    "| scene | pace | not found | crossings | counted | error | of single runs | missed | false"
    " | visits' error | dwell off | MOTA | IDF1 |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def line(row: Row) -> str:
    """One line of Markdown."""
    made = row.crossings
    cells = (
        row.density,
        row.pace,
        f"{row.missed:.0%}",
        str(made.true),
        str(made.counted),
        f"{made.error:.1%}",
        f"{made.error_of_runs:.1%}",
        f"{made.missed / made.true:.1%}",
        f"{made.false / made.true:.1%}",
        f"{row.visits.error:.1%}",
        f"{row.dwell:.2f} s",
        f"{row.mota:.2f}",
        f"{row.idf1:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def plain(row: Row) -> dict[str, Any]:
    """As JSON."""
    made = row._asdict()
    return {key: one._asdict() if hasattr(one, "_asdict") else one for key, one in made.items()}
