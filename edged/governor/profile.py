"""What `edged tune` measured of this board: the state directory's ``profile.json``.

The governor reads it when it starts: with it the first hour is as good as the second day, without it
everything in it is learnt while the board works. So a profile that cannot be read is told of, and nothing
waits for it. docs/tune.md has the file key by key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edged.board.host import Host
from edged.errors import ConfigError, UnavailableError
from edged.governor.observer import Prior

NAME: Final = "profile.json"
FORMAT: Final = 1
MODE: Final = 0o644  # there is nothing in it to hide
LARGEST: Final = 1 << 20  # bytes; a profile has a few thousand
AGAIN: Final = "edged tune measures it again; without a profile edged learns the same while it works"

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Watts = Annotated[float, Meta(ge=0, le=1000)]


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one frame takes with ``threads`` threads at full clock. ``model`` is its name in the config and
    ``file`` what it was then: another file by that name has other costs.

    ``cost`` is core-seconds of the whole worker's process a frame, everything beside the model included;
    ``latency`` seconds to prepare a frame and to make numbers of it.
    """

    model: str
    file: str
    threads: Annotated[int, Meta(ge=1, le=64)]
    cost: Seconds
    latency: Seconds


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One board in one case. ``prior`` is None where no thermometer told, ``idle`` and ``dynamic`` (watts at
    rest, and what all cores at full clock add) where no meter did. ``measured`` is RFC 3339, UTC.

    ``board`` is the device tree's or BIOS's name, "simulated:NAME" for one that is not there.
    """

    format: Annotated[int, Meta(ge=1)] = FORMAT
    edged: str
    measured: str
    board: str
    cores: Annotated[int, Meta(ge=1, le=1024)]
    costs: tuple[Cost, ...] = ()
    prior: Prior | None = None
    idle: Watts | None = None
    dynamic: Watts | None = None

    def times(self, model: str, file: str) -> dict[int, Cost]:
        """A model's costs by number of threads; none for one that was not measured, or another file."""
        return {one.threads: one for one in self.costs if (one.model, one.file) == (model, file)}


def here() -> str:
    """The name of the board under us, by which it knows its profile."""
    host = Host()
    return host.model() or host.system() or "unknown"


def load(state_dir: Path | str, board: str = "") -> Profile | None:
    """The state directory's profile; None where there is none.

    Raises ``UnavailableError`` when it cannot be read, ``ConfigError`` when it is none, of a later format,
    or not ``board``'s ("" is any): a card is moved to another board, and that one has other costs.
    """
    path = Path(state_dir) / NAME
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}", AGAIN) from None
    profile = _decoded(path, content)
    if board and profile.board != board:
        raise ConfigError(f'{path}: it was measured on "{profile.board}", this is "{board}"', AGAIN)
    return profile


def save(state_dir: Path | str, profile: Profile) -> Path:
    """Put it in the place of the one before, whole or not at all; where it is now.

    Raises ``UnavailableError`` when the directory cannot be written.
    """
    from edged.store import files

    path = Path(state_dir) / NAME
    content = msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n"
    try:
        files.replace(path, content, MODE, path.with_name(f".{NAME}.new"))
    except OSError as error:
        raise UnavailableError(
            f"{path}: cannot be written: {error.strerror}", "sudo edged tune may write it"
        ) from None
    return path


def _decoded(path: Path, content: bytes) -> Profile:
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: more than {LARGEST} bytes: it is no profile", AGAIN)
    try:
        found = msgspec.json.decode(content, type=dict[str, object]).get("format")
        if isinstance(found, int) and found > FORMAT:
            raise ConfigError(
                f"{path}: it is of format {found}, this edged reads {FORMAT}",
                "a newer edged wrote it. " + AGAIN,
            )
        profile = msgspec.json.decode(content, type=Profile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: it is no profile: {error}", AGAIN) from None
    prior = profile.prior
    if prior is not None and not all(0.0 < one < 1e5 for one in msgspec.structs.astuple(prior)):
        raise ConfigError(f"{path}: it is no profile: a time constant or gain is out of range", AGAIN)
    return profile
