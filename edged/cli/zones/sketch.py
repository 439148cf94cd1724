"""Asks for the outline: the daemon to let go of a camera, a process left of the wall to look.

Nothing but the sketch comes to this process, and it lives as long as the command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from edged.errors import ControlError, EdgedError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from edged.config.shape import Config
    from edged.control_client import Client

COMMAND: Final = (sys.executable, "-I", "-m", "edged.worker.outline")
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
PATIENCE: Final = 60.0  # seconds beyond the look itself: a slow board starts slowly
LETTING_GO: Final = 10.0  # seconds that a worker has to end
MOST: Final = 160 * 160  # cells
#: What a kernel may lack and a sketch is made all the same.
LACKS: Final = ("landlock", "early-landlock")


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
    from edged.journal import entered

    question = _question(config, pipeline, seconds)
    try:
        client = connected(named)
    except NotRunning:
        entered("outlined", f"{pipeline}: its owner looks at the outline of what it sees")
        return _sketched(question, seconds, pipeline, _account(None))
    with client:
        account = _account(client.ask("status").get("pid"))
        with _lent(client, pipeline, seconds):
            return _sketched(question, seconds, pipeline, account)


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
        done = subprocess.run(
            COMMAND,
            input=question,
            capture_output=True,
            timeout=seconds + PATIENCE,
            check=False,
            env=ENVIRONMENT,
            cwd="/",
            **account,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{pipeline}: its source gives nothing to look at", "is it free?") from None
    except OSError as error:
        raise UnavailableError(
            f"nobody can be started to look: {error.strerror}", "is there memory left? edged doctor memory"
        ) from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise RefusedError(f"{pipeline}: looking at its source ended the process ({name})", "try it again")
    return _read(done.stdout, pipeline)


def _read(said: bytes, pipeline: str) -> Outline:
    """What came out of it, held against what an outline may be."""
    try:
        found = msgspec.json.decode(said, type=dict[str, Any])
        if found["refused"]:
            raise _refusal(found, pipeline)
        _say_lacking(found.get("lacking", ()))
        outline = Outline(found["columns"], found["rows"], bytes.fromhex(found["bits"]))
        cells = outline.columns * outline.rows
        if min(outline.columns, outline.rows) < 1 or cells > MOST or len(outline.bits) != -(-cells // 8):
            raise ValueError("no outline")
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, EdgedError):
            raise
        raise RefusedError(f"{pipeline}: looking at its source failed", "edged check, edged doctor") from None
    return outline


def _say_lacking(lacking: Iterable[object]) -> None:
    """Who looked was less locked up than elsewhere. In words of ours alone."""
    if lacks := [one for one in LACKS if one in lacking]:
        click.echo(f"who looks is less locked up here: this kernel has no {' and '.join(lacks)}", err=True)


def _refusal(found: dict[str, Any], pipeline: str) -> EdgedError:
    kinds = {3: RefusedError, 4: UnavailableError}
    message = found["refused"] if pipeline in found["refused"] else f"{pipeline}: {found['refused']}"
    return kinds.get(found["exit_code"], EdgedError)(message, found["hint"])
