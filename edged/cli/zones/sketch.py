"""Asks for the outline: the daemon to let go of a camera, a process left of the wall to look.

Nothing but the sketch comes to this process, and it lives as long as the command.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from edged.enquiry import asked
from edged.errors import ControlError, EdgedError, RefusedError, UnavailableError
from edged.vocabulary import plain

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.control_client import Client

COMMAND: Final = (sys.executable, "-I", "-m", "edged.worker.outline")
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
PATIENCE: Final = 60.0  # seconds beyond the look itself: a slow board starts slowly
#: Where install.sh or a package puts the unit.
UNITS: Final = tuple(
    Path(one) / "edged.service"
    for one in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
)
LETTING_GO: Final = 10.0  # seconds that a worker has to end
#: What a kernel may lack and a sketch is made all the same.
LACKS: Final = ("landlock", "early-landlock")
SIDE: Final = 160  # cells
#: The share of cells that may be edges. What looks keeps to both; here that is not believed.
MOST: Final = 0.1
LONGEST: Final = 8192  # bytes of an answer: cells in hexadecimal, or two sentences
WORDS: Final = 400  # characters of each sentence, as of a worker's


class Answer(msgspec.Struct, frozen=True):
    """What the process that looks may say."""

    columns: int = 0
    rows: int = 0
    bits: str = ""
    refused: str = ""
    hint: str = ""
    exit_code: int = 0
    lacking: tuple[str, ...] = ()


class Outline(msgspec.Struct, frozen=True):
    """``bits``: rows of ``columns`` cells, eight to a byte, the first one highest."""

    columns: int
    rows: int
    bits: bytes

    def at(self, x: int, y: int) -> bool:
        """Whether an edge runs through the cell."""
        place = y * self.columns + x
        return bool(self.bits[place >> 3] >> (7 - (place & 7)) & 1)


def looked(config: Config, named: Path | None, pipeline: str, seconds: float) -> Outline:
    """The outline of what a pipeline sees now. Raises ``EdgedError``."""
    from edged.cli.contact import connected
    from edged.control_client import NotRunning

    question = _question(config, pipeline, seconds)
    try:
        client = connected(named)
    except NotRunning:
        _note(pipeline)
        return _sketched(question, seconds, pipeline, _account(None))
    with client:
        account = _account(client.ask("status").get("pid"))
        with _lent(client, pipeline, seconds):
            return _sketched(question, seconds, pipeline, account)


def _note(pipeline: str) -> None:
    """No daemon notes that somebody looks, so the journal has to; nobody looks unnoted where there is a
    service. Raises ``UnavailableError``.

    Where no service is installed a pipeline is somebody's own, in the foreground of their own terminal: there
    is nobody else whom a note could tell, and they are told that there is none.
    """
    from edged.journal import entered

    if entered("outlined", f"{pipeline}: its owner looks at the outline of what it sees"):
        return
    if installed():
        raise UnavailableError(
            f"{pipeline}: that somebody looks could be noted nowhere: no daemon runs, no journald listens",
            "start it: systemctl start edged; or have journald run, and python3-systemd installed",
        )
    click.echo(
        f"{pipeline}: no service is installed and no journald listens, so this is noted nowhere", err=True
    )


def installed() -> bool:
    """Whether edged is a service here: it has a unit, or a user."""
    return any(one.exists() for one in UNITS) or _of_service() is not None


def _question(config: Config, name: str, seconds: float) -> bytes:
    from edged.changes import tasks

    enabled = msgspec.structs.replace(config.pipelines[name], enabled=True)
    task = tasks(msgspec.structs.replace(config, pipelines={name: enabled}))[name]
    return msgspec.msgpack.encode(
        {"name": name, "pipeline": task.pipeline, "models": task.models, "seconds": seconds}
    )


@contextmanager
def _lent(client: Client, pipeline: str, seconds: float) -> Iterator[None]:
    """The source is ours for a while. A daemon that goes away meanwhile has nothing to take back."""
    wait = client.ask("outline", pipeline=pipeline, seconds=min(120.0, seconds + PATIENCE))["wait"]
    try:
        if wait:
            click.echo(f"{pipeline} lends its camera for some seconds; that time is blind", err=True)
            _wait(client, pipeline)
        yield
    finally:
        with suppress(ControlError):
            client.ask("outline", pipeline=pipeline, seconds=0)


def _wait(client: Client, pipeline: str) -> None:
    """For its worker to end."""
    deadline = time.monotonic() + LETTING_GO
    while time.monotonic() < deadline:
        found = client.ask("status")["pipelines"]
        if not any(one["name"] == pipeline and one["pid"] for one in found):
            return
        time.sleep(0.1)
    raise UnavailableError(f"{pipeline} does not let go of its source", "edged status says how it stands")


def _account(pid: int | None) -> dict[str, Any]:
    """As whom to look: as root nobody opens a stranger's video. The daemon's user, else the service's; with
    its groups, which own the devices.
    """
    if os.geteuid() != 0:
        return {}
    found = _of_process(pid) if pid else _of_service()
    if found is None or not found[0]:
        return {}
    uid, gid, groups = found
    return {"user": uid, "group": gid, "extra_groups": groups}


def _of_process(pid: int) -> tuple[int, int, list[int]] | None:
    """proc(5): the effective user and group, and the groups."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    facts = {name: rest.split() for name, _, rest in (one.partition(":") for one in lines)}
    return int(facts["Uid"][1]), int(facts["Gid"][1]), [int(one) for one in facts["Groups"]]


def _of_service() -> tuple[int, int, list[int]] | None:
    import pwd

    try:
        known = pwd.getpwnam("edged")
    except KeyError:
        return None
    return known.pw_uid, known.pw_gid, os.getgrouplist(known.pw_name, known.pw_gid)


def _sketched(question: bytes, seconds: float, pipeline: str, account: dict[str, Any]) -> Outline:
    try:
        said = asked(COMMAND, question, seconds + PATIENCE, LONGEST, env=ENVIRONMENT, cwd="/", **account)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{pipeline}: its source gives nothing to look at", "is it free?") from None
    except OSError as error:
        raise UnavailableError(
            f"nobody can be started to look: {error.strerror}", "is there memory left? edged doctor memory"
        ) from None
    if said.signal:
        raise RefusedError(
            f"{pipeline}: looking at its source ended the process ({said.signal})", "try it again"
        )
    return _read(said.answer, pipeline)


def _read(said: bytes, pipeline: str) -> Outline:
    """What came out of it, held against what an outline may be."""
    try:
        found = msgspec.json.decode(said, type=Answer)
        if not found.refused:
            _say_lacking(found.lacking)
            return _outline(found)
    except ValueError:  # and what msgspec raises is one
        raise RefusedError(f"{pipeline}: looking at its source failed", "edged check, edged doctor") from None
    raise _refusal(found, pipeline)


def _say_lacking(lacking: Iterable[str]) -> None:
    """Who looked was less locked up than elsewhere. In words of ours alone."""
    if lacks := [one for one in LACKS if one in lacking]:
        click.echo(f"who looks is less locked up here: this kernel has no {' and '.join(lacks)}", err=True)


def _outline(found: Answer) -> Outline:
    """Raises ``ValueError`` for what is none: it tells no more than docs/security.md says."""
    if not (1 <= found.columns <= SIDE and 1 <= found.rows <= SIDE):
        raise ValueError("no outline is of that size")
    cells, bits = found.columns * found.rows, bytes.fromhex(found.bits)
    whole = int.from_bytes(bits)
    if len(bits) != -(-cells // 8) or whole & ((1 << -cells % 8) - 1):
        raise ValueError("there are more or fewer cells than rows and columns")
    if whole.bit_count() > int(cells * MOST):
        raise ValueError("there are more edges than an outline has")
    return Outline(found.columns, found.rows, bits)


def _refusal(found: Answer, pipeline: str) -> EdgedError:
    kinds = {3: RefusedError, 4: UnavailableError}
    refused, hint = (plain(one[:WORDS]) for one in (found.refused, found.hint))
    message = refused if pipeline in refused else f"{pipeline}: {refused}"
    return kinds.get(found.exit_code, EdgedError)(message, hint)
