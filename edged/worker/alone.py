"""A process that looks into foreign models for whoever asks (``edged models show``, ``edged doctor``, a
reload) and says what it found: locked before the first byte of them is read.

No daemon is asked by the kernel here: a forbidden call ends the process, and whoever asked can tell that it
did.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from edged import wall
from edged.config.shape import Model, Pipeline, Synthetic
from edged.errors import EdgedError
from edged.worker import sandbox
from edged.worker.decode.choice import held
from edged.worker.runtime import interpreter, kind_of
from edged.worker.runtime.plan import resolved
from edged.worker.shelf import shelf

OURS = "builtin:activity"


def narrow(model: Model) -> tuple[str, ...]:
    """As a worker before its lock, for a model whose library opens an accelerator: what the kernel lacks.
    Raises ``OSError``.
    """
    pipeline = Pipeline(source=Synthetic())
    return sandbox.narrow(wall.Assignment(wall.PROTOCOL, "", pipeline, (model,), ()))


def lock(model: Model, answers: int = 1, *others: Model) -> tuple[str, ...]:
    """From now on this process can read the models' files and say something on the descriptor ``answers``;
    nothing else, but for what the kernel lacks, which is returned: see ``sandbox.Locked``. The runtime
    has had its first look at the machine on a model of ours.

    Raises ``RefusedError`` when the sandbox does not hold, ``OSError`` when the kernel has what it takes
    and refuses it.
    """
    for one in (model, *others):
        with suppress(EdgedError):
            engine = interpreter.engine(kind_of(one), str(resolved(OURS)))
            engine.allocate_tensors()
            engine.invoke()
        with suppress(EdgedError):
            shelf.hold(resolved(one.file))
        with suppress(EdgedError):
            held(one)
        if one.labels_file:
            shelf.hold(Path(one.labels_file))
    return sandbox.shut(answers).lacking
