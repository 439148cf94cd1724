"""What a worker can see while it opens its task: the system, its program, its devices and the files that
the task names. Not the store, not the key, not the control socket's folder, no home but what is named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from edged.config import shape
from edged.wall import Assignment

#: Where programs and what they need to know of the machine are. libcamera asks udev.
SYSTEM: Final = (
    *("/usr", "/lib", "/lib64", "/bin", "/opt", "/etc", "/proc", "/sys", "/nix/store", "/gnu/store"),
    "/run/udev",
)
_PROGRAM: Final = (str(Path(__file__).parents[3]),)
DEVICES: Final = ("/dev",)


def readable(task: Assignment) -> Iterator[str]:
    """Paths that may be read with all beneath them."""
    yield from SYSTEM
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, *filter(None, sys.path), *_PROGRAM}
    for model in task.models:
        yield from _of_model(model)
    if isinstance(task.pipeline.source, shape.File):
        yield from _of_recording(Path(task.pipeline.source.path))
    if isinstance(task.pipeline.source, shape.Sysfs):
        yield from (one.path for one in task.pipeline.source.channels.values() if one.path)


def _of_recording(path: Path) -> Iterator[str]:
    """The file or the folder, and where links in it lead to."""
    yield str(path)
    with suppress(OSError):
        yield from (str(one.resolve()) for one in path.iterdir() if one.is_symlink())


def _of_model(model: shape.Model) -> Iterator[str]:
    for path in (model.file, model.edgetpu_file, model.labels_file, model.delegate_library):
        if path.startswith("/"):
            yield path
