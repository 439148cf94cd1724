"""Frames per second and CPU per frame of the whole system, over a bare ``invoke()`` loop with the same
model, in turns.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.bare import Endless
from benchmarks.system import PRESENCE, SSD, TINY, TWENTY, held, require, running
from benchmarks.turns import Comparison, compared


def measure() -> dict[str, float]:
    """``efficiency.*``: frames per second over bare ones. ``overhead_ms.*``: CPU of all processes per frame
    beyond ``invoke()``'s.
    """
    require(SSD, TINY)
    figures: dict[str, float] = {}
    for name, model, size, pipeline in (
        ("ssd", SSD, (640, 480), TWENTY),
        ("tiny", TINY, (640, 480), PRESENCE),
        ("native", SSD, (300, 300), TWENTY),
    ):
        result = beside_bare(model, size, pipeline)
        figures[f"efficiency.{name}"] = result.fps_ratio
        figures[f"overhead_ms.{name}"] = result.cpu_ms_beyond
        figures[f"invoke_ms.{name}"] = result.cpu_ms_second
    return figures


def beside_bare(model: Path, size: tuple[int, int], pipeline: str) -> Comparison:
    """The whole system as fast as it goes, in turns with a bare loop."""
    bare = Endless(model)
    try:
        with running(model, 0.0, held(*size), pipeline) as system:
            return compared(system, bare)
    finally:
        bare.end()


if __name__ == "__main__":
    print(measure())
