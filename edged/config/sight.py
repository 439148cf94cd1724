"""What does not go together about being blind. Rules as in ``consistency``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edged.config import shape
from edged.config.lines import Path
from edged.config.problem import Problem, listed, shown
from edged.config.sound import looks


def contradictions(
    pipeline: shape.Pipeline, path: Path, models: Mapping[str, shape.Model]
) -> Iterator[Problem]:
    """All of one pipeline: a microphone is never out of focus, and what is never so would be looked for in
    vain.
    """
    possible: tuple[str, ...] = shape.blindnesses(pipeline.source)
    if isinstance(pipeline.source, shape.File) and looks(pipeline.model, models):
        possible = shape.OF_PICTURES
    kind = shown(type(pipeline.source).__name__.lower())
    for at, state in enumerate(pipeline.blind_when or ()):
        if state not in possible:
            found = f"{shown(state)}, which a source of kind {kind} cannot be"
            allowed = listed(possible, "none: such a source is blind when it gives no number")
            yield Problem((*path, "blind_when", at), found, allowed)
