"""``edged keys rotate``"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edged.cli.deputy import as_owner
from edged.cli.keys import common
from edged.cli.options import command as make
from edged.cli.options import config_option
from edged.cli.words import size
from edged.errors import ControlError, StoreError

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.store.places import Place

PATIENCE: Final = 30.0  # seconds from the service's READY to its first answer
STEP: Final = 0.2  # seconds between two looks


@make(
    "rotate",
    ("sudo edged keys rotate", "of the installed service: restarts it, and waits"),
    ("sudo edged keys rotate --no-restart", "begin only; a restart of yours goes on, then this again"),
    ("edged keys rotate --config edged.toml", "with a key file; no daemon may run"),
)
@config_option
@click.option("--no-restart", is_flag=True, help="Do not restart the service; say how to go on.")
def command(config_path: Path | None, no_restart: bool) -> None:
    """Give the store a new key: everything is written anew under it, then the old one is forgotten.

    Takes as much room again as the store, for as long as it lasts; counting pauses until then. It may be
    cut off at any moment, by Ctrl-C or a power cut: nothing is lost, and the same command goes on with it.
    Escrow copies of the old key do not open the store any more: make new ones.
    """
    from edged.store import places

    config, service = common.found_config(config_path)
    place = places.in_force(config)
    if tidied(place):
        click.echo("a rotation that was cut off is finished now; run this again for another one")
        return
    begin(config, place)
    if not written(config, place) and not write(config, place, service, no_restart):
        return
    fingerprint = finish(config, place)
    what = "the store is under its" if Path(config.store.file).exists() else "there is no store yet; it has a"
    click.echo(f"{what} new key (fingerprint {fingerprint}); the old one is gone")
    click.echo("escrow copies of the old key open nothing new: edged keys export --to-recipient age1...")


def tidied(place: Place) -> bool:
    """Finish what was cut off in the very last step."""
    from edged.store.keys import NEXT

    if not place.exists(NEXT):
        return False
    with place.ring() as ring:
        if ring.rotating:
            return False
    place.promote()
    return True


def begin(config: Config, place: Place) -> None:
    """Make the next key, once it is known that there is room. Goes on with one that is there."""
    from edged.store import rotation
    from edged.store.keys import NEXT

    path = Path(config.store.file)
    refuse_damaged(path)
    if place.exists(NEXT):
        click.echo("going on with the rotation that was begun", err=True)
        return
    with place.ring() as ring:
        if path.exists() and path.stat().st_size:
            rotation.reading(path, ring).close()  # a key that does not open the store is not to be rotated
            rotation.refuse_small_disk(path)
    place.make_next()


def refuse_damaged(path: Path) -> None:
    """The old key goes at the end, and with it whatever lies aside under it. Raises ``StoreError``."""
    from edged.store import quarantine

    if aside := quarantine.kept(path):
        raise StoreError(
            f"{aside[0]} is a damaged store under the old key, which would be gone",
            f"save what is whole (edged store salvage {aside[0]}) and move it away, then rotate",
        )


def written(config: Config, place: Place) -> bool:
    """Whether the store is under the next key, or there is none yet."""
    from edged.store import rotation
    from edged.store.keys import NEXT

    with place.ring() as ring:
        return rotation.fitting(Path(config.store.file), ring) == NEXT


def write(config: Config, place: Place, service: bool, no_restart: bool) -> bool:
    """Have the store written anew: by the service, or here. False when the owner is to restart it first."""
    running = common.daemon_status(config)
    if running is None and not (
        service and common.unit_property("ActiveState") in ("activating", "active", "reloading")
    ):
        write_here(config, place)
        return True
    pid = str(running["pid"]) if running else common.unit_property("MainPID")
    if pid != common.unit_property("MainPID"):
        raise ControlError(
            f"a daemon uses the store (process {pid}), and it is not the service",
            "stop it, then run this again: the rotation is begun and goes on from here",
        )
    if no_restart:
        click.echo("the next key is made; the store is written anew when the service starts the next time")
        click.echo("  go on with: sudo systemctl restart edged && sudo edged keys rotate")
        return False
    restart(config, Path(config.store.file))
    if not written(config, place):
        status = common.daemon_status(config) or {}
        why = status.get("store", {}).get("rotation", "") or "journalctl -u edged tells why"
        raise StoreError(
            f"the service kept the old key: {why}", "mend that and run this again; nothing was lost"
        )
    return True


def restart(config: Config, path: Path) -> None:
    """Restart the service, which writes the store anew before it is ready, and wait for its word."""
    click.echo("restarting edged.service, which writes the store anew", err=True)
    with subprocess.Popen(
        ["systemctl", "restart", common.UNIT], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        with shown(path) as line:
            while process.poll() is None:
                line()
                time.sleep(STEP)
        said = process.stderr.read() if process.stderr else ""
    if process.returncode != 0:
        raise ControlError(
            f"the service did not come up: {' '.join(said.split()) or process.returncode}",
            "journalctl -u edged tells why; nothing is lost, and this command goes on with the rotation",
        )
    deadline = time.monotonic() + PATIENCE
    while common.daemon_status(config) is None:
        if time.monotonic() > deadline:
            raise ControlError("the service does not answer", "edged status; then run this again")
        time.sleep(STEP)


@contextmanager
def shown(path: Path) -> Iterator[Any]:
    """A line of progress on a terminal, by the size of the file that is written."""
    fresh, total = path.with_name(path.name + "-next"), max(1, path.stat().st_size if path.exists() else 1)

    def line() -> None:
        if sys.stderr.isatty():
            try:
                done = fresh.stat().st_size
            except OSError:
                return
            sys.stderr.write(f"\r\x1b[K  {min(100, done * 100 // total):3d} % of {size(total)} written")
            sys.stderr.flush()

    try:
        yield line
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def write_here(config: Config, place: Place) -> None:
    """Write the store anew, as its owner."""
    from edged.store import rotation

    path = Path(config.store.file)
    owner = path.stat()

    def work() -> None:
        _, _, failed = rotation.settled(path, ring, told)
        if failed:
            raise StoreError(failed, "nothing was changed; mend that and run this again")

    with place.ring() as ring, shown(path) as line:

        def told(what: str, done: int, of: int) -> None:
            line()

        as_owner(owner.st_uid, owner.st_gid, work, "the rotation")


def finish(config: Config, place: Place) -> str:
    """The next key becomes the key: only once it was seen to open the store, and that is on the disk for
    good.

    The new key's fingerprint.
    """
    from edged.store import keys, rotation
    from edged.store.keys import NEXT

    path = Path(config.store.file)
    refuse_damaged(path)
    with place.ring() as ring:
        if path.exists() and path.stat().st_size:
            rotation.reading(path, ring).close()
            rotation.sync(path)
        fingerprint = keys.fingerprint(ring[NEXT])
    place.promote()
    return fingerprint
