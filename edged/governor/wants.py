"""From a pipeline's config to what the ladder weighs: its ways (a model with so many threads), what they
cost, what its owner asked for.

A recording that is read as fast as it goes can wait, so it is never thinned and keeps its first model: what
is held back of it is its speed. It works and pauses by turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edged.config.shape import Model, Pipeline, recorded
from edged.governor.costs import Book, Way
from edged.governor.ladder import SATURATION, Rung, Want

#: Of the quality of the model above it, where the owner names none.
STEP: Final = 0.85
#: What is tried of a model's threads, as far as it may have them.
THREADS: Final = (1, 2, 3, 4, 6, 8, 12, 16)


def ways(pipeline: Pipeline, models: Sequence[Model], cores: int) -> dict[Way, bool]:
    """All ways to do the job, and whether it is the built-in model."""
    if recorded(pipeline.source):
        return {Way(0, models[0].threads): _builtin(models[0])}
    return {
        Way(place, threads): _builtin(model)
        for place, model in enumerate(models)
        for threads in _threads(model, cores)
    }


def _threads(model: Model, cores: int) -> list[int]:
    most = max(1, min(model.threads, cores))
    return [1] if _builtin(model) else [one for one in THREADS if one < most] + [most]


def _builtin(model: Model) -> bool:
    return model.file.startswith("builtin:")


def qualities(models: Sequence[Model]) -> list[float]:
    """The owner's where all are named, else by their places."""
    named = [one.quality for one in models]
    return named if all(named) else [STEP**place for place in range(len(models))]


def want(
    pipeline: Pipeline, models: Sequence[Model], book: Book, plan: Sequence[Way], fps: float = 0.0
) -> Want:
    """What is asked for. ``plan`` are the ways that may be used, ``fps`` what the source has, 0: unknown."""
    quality = qualities(models)
    top = max(quality)
    rungs = []
    for way in plan:
        cost = book.cost(way)
        rungs.append(Rung(str(way.place), way.threads, cost.work, cost.latency, quality[way.place] / top))
    fastest = min(rung.latency for rung in rungs if rung.model == rungs[0].model)
    most = SATURATION / fastest
    asked = min(filter(None, (pipeline.rate, fps)), default=most)
    rate = most if recorded(pipeline.source) else asked
    least = min(pipeline.least_rate, rate) if not recorded(pipeline.source) else 0.0
    return Want(
        rungs=tuple(rungs), rate=rate, least_rate=least, prefer=pipeline.prefer, weight=pipeline.weight
    )
