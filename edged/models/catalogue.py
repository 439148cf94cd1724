"""The catalogue of public models: what there is, and how one gets here.

A model is used only when its bytes have the SHA-256 that the catalogue gives. It grows as NAME.part beside
its place, goes on where a broken transfer stopped, and gets its name when it is whole: a file that has the
name is right.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Literal

import msgspec

from edged.errors import ConfigError, EdgedError, RefusedError, UnavailableError

FILE: Final = Path(__file__).with_name("catalogue.toml")
TIMEOUT: Final = 30.0  # seconds without a byte
ATTEMPTS: Final = 4
CHUNK: Final = 64 * 1024  # bytes
OTHER: Final = "it is another file than the catalogue's, or was changed: do not use that source"
AGAIN: Final = "run the same command again: it goes on where this one stopped"

Progress = Callable[[int, int], None]  #: (bytes here, bytes in all)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. ``size`` in bytes; ``edgetpu`` names the entry of its twin for a Coral."""

    file: str
    task: Literal["detector", "classifier", "values", "pose", "segmentation"]
    summary: str
    input: str
    labels: str
    size: int
    sha256: str
    licence: str
    url: str
    edgetpu: str = ""


def catalogue(file: Path = FILE) -> dict[str, Entry]:
    """Every entry by its name, in the file's order. Raises ``RefusedError`` for one that is not whole."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), dict[str, Entry])
    except (OSError, ValueError, RecursionError, msgspec.ValidationError) as error:
        why = " ".join(str(error).split())[:200]
        damage = f"{file}: the catalogue of models is damaged: {why}"
        raise RefusedError(damage, "install edged again") from None


def entry(name: str) -> Entry:
    """The entry of that name. Raises ``ConfigError`` with the names there are."""
    every = catalogue()
    if name not in every:
        raise ConfigError(f"the catalogue has no model {name!r}", f"it has {', '.join(every)}")
    return every[name]


def home() -> Path:
    """Where models go unless one says otherwise: the daemon's folder if it is ours to write, else the user's
    own data.
    """
    service = Path("/var/lib/edged")
    if service.is_dir() and os.access(service, os.W_OK):
        return service / "models"
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local/share") / "edged" / "models"


def get(
    wanted: Entry, to: Path, source: Path | None = None, progress: Progress = lambda here, total: None
) -> tuple[Path, bool]:
    """Bring a model into the folder ``to``: (where it is, whether it had to be brought).

    ``source`` is a folder to copy from instead of the network. Raises ``RefusedError`` for bytes that are not
    the model's, ``UnavailableError`` when network, folder or disk do not allow it now.
    """
    target = to / wanted.file
    if target.is_file() and digest(target) == wanted.sha256:
        return target, False
    with _told(target), _part(target) as part:
        if source is None:
            from edged.models.download import download

            download(wanted, part, progress)
        else:
            _copy(wanted, source, part, progress)
        _check(wanted, part)
        os.fchmod(part.fileno(), 0o644)
        os.fsync(part.fileno())
        Path(part.name).replace(target)
    return target, True


def digest(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def _part(target: Path) -> Iterator[IO[bytes]]:
    """The growing file, open for reading and appending, and ours alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(target.name + ".part").open("a+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                f"{part.name} is being written by another command", "wait until it is done"
            ) from None
        yield part


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Turn what the disk refuses into a sentence."""
    try:
        yield
    except EdgedError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError(f"{target.parent}: the disk is full", f"make room; then {AGAIN}") from None
        raise UnavailableError(
            f"{target.parent}: cannot be written: {error.strerror or error}", "name a folder of yours by --to"
        ) from None


def _copy(wanted: Entry, source: Path, part: IO[bytes], progress: Progress) -> None:
    part.truncate(0)
    try:
        with (source / wanted.file).open("rb") as given:
            shutil.copyfileobj(given, part)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        _discard(part)
        raise UnavailableError(
            f"{source} has no file {wanted.file}", "name the folder that has it by --from"
        ) from None
    progress(part.tell(), wanted.size)


def _check(wanted: Entry, part: IO[bytes]) -> None:
    part.flush()
    size = os.fstat(part.fileno()).st_size
    found = digest(Path(part.name))
    if found == wanted.sha256:
        return
    _discard(part)
    if size != wanted.size:
        raise RefusedError(f"{wanted.file}: {size} bytes came, not {wanted.size}: thrown away", OTHER)
    raise RefusedError(
        f"{wanted.file}: what came has the SHA-256 {found}, not {wanted.sha256}: thrown away", OTHER
    )


def _discard(part: IO[bytes]) -> None:
    with suppress(FileNotFoundError):
        Path(part.name).unlink()
