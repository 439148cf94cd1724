"""What does not go together about sound. Rules as in ``consistency``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from edged.config import shape
from edged.config.lines import Path
from edged.config.problem import Problem, shown

#: The model that is there without being defined, and decoders of models that look.
ACTIVITY: Final = "activity"
BUILTIN: Final = "builtin:activity"
LOOKING: Final = ("detector", "activity", "segmentation", "poses")


def contradictions(
    pipeline: shape.Pipeline, path: Path, models: Mapping[str, shape.Model]
) -> Iterator[Problem]:
    """All of one pipeline: a microphone has no picture to look at, and none to draw on."""
    if not isinstance(pipeline.source, shape.Microphone):
        return
    for at, name in enumerate((pipeline.model, *pipeline.ladder)):
        place: Path = (*path, "ladder", at - 1) if at else (*path, "model")
        if why := looks(name, models):
            yield Problem(
                place,
                f"{shown(name)}, {why}; a microphone has no pictures",
                "a model of sound, such as YAMNet (docs/sound.md)",
            )
    for key in ("zones", "lines"):
        if getattr(pipeline, key):
            yield Problem((*path, key), "places in a picture", "none: a microphone has no pictures")


def looks(name: str, models: Mapping[str, shape.Model]) -> str:
    """Why a model cannot hear, "" where that cannot be told from the config."""
    model = models.get(name)
    if name == ACTIVITY if model is None else model.file == BUILTIN:
        return "which looks at pictures"
    if model is not None and model.decoder in LOOKING:
        return f'whose decoder is "{model.decoder}"'
    return ""
