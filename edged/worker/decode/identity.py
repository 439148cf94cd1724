"""Embeddings: vectors by which one face, voice or walk is told from another. edged refuses them.

What they are for is to recognise somebody again, and no measure of edged's is made of one: their numbers
mean nothing one by one. So a model that gives one is a mistake at best. docs/models.md says how they are
told from other outputs; this is no lock, since a model can be made to look like another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.decode import Output

#: What makers call them, in metadata or in a tensor's own name.
WORDS: Final = re.compile(
    r"embed|feature.?vector|face.?(print|id|net)|descriptor|voice.?print|speaker.?(id|vector)|[dx].vector",
    re.IGNORECASE,
)
#: How long such vectors are: FaceNet 128, ArcFace 512, ImageNet's features up to 2048.
SHORTEST, LONGEST = 64, 2048
#: Operators whose output has the length 1, see ``runtime.plan.maker``.
NORMALISED: Final = "L2_NORMALIZATION"
#: Scores of classes, whoever has names for them.
SCORES: Final = ("SOFTMAX", "LOGISTIC")


def check(outputs: Sequence[Output], model: Model, labels: int) -> None:
    """Raises ``RefusedError`` when one of ``outputs`` is an embedding: always when its name or its last
    operator says so; for its shape alone unless the owner says what it is.
    """
    for one in outputs:
        if why := _why(one, model, labels):
            hint = "edged counts, and recognises nobody: take a detector, a classifier or a model of poses"
            if len(outputs) > 1:
                hint += "; or name the other outputs in `outputs` of the model"
            elif why.startswith("it is a row"):
                hint += '; if it is none, say what it is: labels or labels_file, or decoder = "values"'
            raise RefusedError(f"{model.file}: its output {one.name} looks like an embedding: {why}", hint)


def _why(output: Output, model: Model, labels: int) -> str:
    if not _vector(output):
        return ""
    if found := WORDS.search(output.role) or WORDS.search(output.name):
        return f'it is called "{found[0]}"'
    if output.maker == NORMALISED:
        return "its numbers are scaled to a vector of length 1"
    shaped = SHORTEST <= output.size <= LONGEST and output.maker not in SCORES
    if shaped and model.decoder == "auto" and labels != output.size:
        return f"it is a row of {output.size} numbers that nothing names"
    return ""


def _vector(output: Output) -> bool:
    """One row of numbers: a box's edges or a count are none."""
    return output.size >= 8 and output.size == max((*output.shape, 1))
