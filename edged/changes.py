"""What a new config changes: pure, but for a look at the models' files.

A pipeline is changed when it or its model is written otherwise, or when its model's file is another one by
now. A file is told by its stamps, not by its content: daemons that hash models at each start pay for it at
each start, and what ``edged models get`` or a copy puts there has new stamps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from edged.config.shape import Config, File, Model, Pipeline
from edged.units import NO_MODEL

BUILTIN: Final = Model(file="builtin:activity")
#: Models that are there without being defined, beside that one.
PREDEFINED: Final = {"none": Model(file=NO_MODEL)}
#: What is opened, made or decided once, at the start.
FIXED: Final = (
    ("daemon", "state_dir"),
    ("daemon", "runtime_dir"),
    ("store", "file"),
    ("store", "key_file"),
    ("clock", "trust"),
    ("clock", "timezone"),
    ("governor", "board"),
)

TABLES: Final = ("daemon", "store", "clock", "governor")

#: Of each file: device, inode, bytes, time of its last change in ns; None for one that is not there.
Stamps = tuple[tuple[int, int, int, int] | None, ...]


class Task(NamedTuple):
    """What one pipeline is to do."""

    pipeline: Pipeline
    models: tuple[Model, ...]


def tasks(config: Config) -> dict[str, Task]:
    """What is to be done, by the names of the enabled pipelines, in the config's order."""
    return {
        name: Task(one, tuple(_model(config, rung) for rung in (one.model, *one.ladder)))
        for name, one in config.pipelines.items()
        if one.enabled
    }


def _model(config: Config, name: str) -> Model:
    return config.models.get(name) or PREDEFINED.get(name, BUILTIN)


def stamps(pipeline: Pipeline, *models: Model) -> Stamps:
    """The three files of each model as they are now, then the recording that is read."""
    recording = pipeline.source.path if isinstance(pipeline.source, File) else ""
    files = [file for one in models for file in (one.file, one.edgetpu_file, one.labels_file)]
    return tuple(map(_stamp, (*files, recording)))


def renewed(old: Stamps, new: Stamps, refused: bool) -> bool:
    """Whether files are others by now. A recording may grow while it is read; only to a pipeline that was
    ``refused`` does another one matter.
    """
    return old != new if refused else old[:-1] != new[:-1]


def _stamp(path: str) -> tuple[int, int, int, int] | None:
    if not path or path.startswith("builtin:"):
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Changes(msgspec.Struct, frozen=True):
    """What differs: names of pipelines, and keys as ``store.commit_every``. ``waiting`` are keys that are
    not in force before a restart.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is in force that was not before."""
        return bool(self.added or self.removed or self.changed or self.keys)

    def __str__(self) -> str:
        """``changed gate; added yard, hall; store.keep.minute``"""
        parts = (
            ("changed", self.changed),
            ("added", self.added),
            ("removed", self.removed),
            ("set", self.keys),
        )
        return "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names) or "nothing"


def changes(old: Config, new: Config, renewed: frozenset[str] = frozenset()) -> Changes:
    """From the config in force to ``new``. ``renewed`` are the pipelines whose files are others by now."""
    before, after = tasks(old), tasks(new)
    different = tuple(differing(old, new))
    fixed = frozenset(".".join(one) for one in FIXED)
    return Changes(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            name for name in after if name in before and (after[name] != before[name] or name in renewed)
        ),
        keys=tuple(key for key in different if key not in fixed),
        waiting=tuple(key for key in different if key in fixed),
    )


def differing(old: Config, new: Config) -> Iterator[str]:
    """Keys outside of models and pipelines whose values differ, as ``store.keep.minute``."""
    for table in TABLES:
        yield from _differing(getattr(old, table), getattr(new, table), table)


def _differing(old: msgspec.Struct, new: msgspec.Struct, path: str) -> Iterator[str]:
    for key in old.__struct_fields__:
        mine, its = getattr(old, key), getattr(new, key)
        if isinstance(mine, msgspec.Struct):
            yield from _differing(mine, its, f"{path}.{key}")
        elif mine != its:
            yield f"{path}.{key}"


def in_force(old: Config, new: Config) -> Config:
    """``new`` without what waits for a restart."""
    fixed: Mapping[str, dict[str, object]] = {
        table: {key: getattr(getattr(old, table), key) for which, key in FIXED if which == table}
        for table in TABLES
    }
    tables = {
        table: msgspec.structs.replace(getattr(new, table), **values) for table, values in fixed.items()
    }
    return msgspec.structs.replace(new, **tables)
