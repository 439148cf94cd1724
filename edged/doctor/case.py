"""What every check starts from: the config, the daemon's own word, the unit, and who is asking for whom."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from edged.board.host import Host
from edged.config.problem import Problem
from edged.config.shape import Config, Model, Pipeline
from edged.doctor import service
from edged.doctor.service import Process, Unit
from edged.errors import ConfigError, ControlError, EdgedError

INSTALLED = Path("/opt/edged")
INSTALLED_CONFIG = Path("/etc/edged/edged.toml")
PATIENCE = 3.0  # seconds that the daemon may take to answer


class Account(msgspec.Struct, frozen=True):
    """A user with all of its groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def may(self, about: os.stat_result, want: int) -> bool:
        """Whether the mode lets the account do ``want`` (4 read, 2 write, 1 search); lists of access are
        not looked at.
        """
        if self.uid == 0:
            return True
        shift = 0
        if about.st_uid == self.uid:
            shift = 6
        elif about.st_gid in (self.gid, *self.groups):
            shift = 3
        return about.st_mode >> shift & want == want


class Case:
    """One patient. Nothing here raises for what it cannot find; each check says what that means for it."""

    def __init__(
        self, config_path: Path | None = None, *, quick: bool = False, host: Host | None = None
    ) -> None:
        self.host = host or Host()
        self.quick = quick
        self.config_path = config_path
        self.config_error: EdgedError | None = None
        self.problems: tuple[Problem, ...] = ()
        self.config = self._config()
        self.unit: Unit = service.unit(self.host.root)
        self.status_error: ControlError | None = None
        self.status: dict[str, Any] | None = self._status()

    # --- the config

    def _config(self) -> Config:
        """The config as far as it can be believed, else one of defaults and without a pipeline."""
        from edged.config.loading import examined

        if self.config_path is not None:
            try:
                config, self.problems = examined(self.config_path)
            except EdgedError as error:
                self.config_error = error
                if isinstance(error, ConfigError):
                    self.problems = tuple(one for one in error.problems if isinstance(one, Problem))
                config = None
            if config is not None:
                return config
        return _defaults()

    def pipelines(self) -> dict[str, Pipeline]:
        """Those that are to run."""
        return {name: one for name, one in self.config.pipelines.items() if one.enabled}

    def models(self) -> dict[str, Model]:
        """Those that a pipeline runs or may step down to, by name."""
        wanted = dict.fromkeys(name for one in self.pipelines().values() for name in ladder(one))
        return {name: self.config.models.get(name, Model(file=f"builtin:{name}")) for name in wanted}

    def wants_tpu(self) -> bool:
        """Whether a model is to run on an Edge TPU."""
        return any(one.edgetpu_file and one.delegate != "cpu" for one in self.models().values())

    # --- the daemon

    def _status(self) -> dict[str, Any] | None:
        from edged.control_client import Client

        try:
            with Client(self.config.daemon.runtime_dir, PATIENCE) as client:
                return client.ask("status")
        except ControlError as error:
            self.status_error = error
        return None

    @cached_property
    def daemon(self) -> Process | None:
        """The running daemon's process, by its own word or systemd's."""
        pid = int((self.status or {}).get("pid") or self.unit.pid)
        return service.process(self.host.proc, pid) if pid else None

    @cached_property
    def workers(self) -> list[Process]:
        """The running daemon's workers."""
        return service.children(self.host.proc, self.daemon.pid) if self.daemon else []

    def pipeline_status(self, name: str) -> dict[str, Any]:
        """What the daemon says of a pipeline; empty when it says nothing."""
        pipelines: Sequence[dict[str, Any]] = (self.status or {}).get("pipelines", ())
        return next((one for one in pipelines if one["name"] == name), {})

    # --- who

    @cached_property
    def caller(self) -> Account:
        """Who asks."""
        return Account(_user_name(os.geteuid()), os.geteuid(), os.getegid(), tuple(os.getgroups()))

    @cached_property
    def account(self) -> Account:
        """As whom edged runs, or would: the daemon's own, the unit's, the owner of the state, the caller."""
        if self.daemon:
            return Account(_user_name(self.daemon.uid), self.daemon.uid, self.daemon.gid, self.daemon.groups)
        if self.unit.installed and (known := _known(self.unit["User"])):
            return _with_groups(known, self.unit["SupplementaryGroups"].split())
        state = self.host.place(self.config.daemon.state_dir)
        if state.is_dir() and state.stat().st_uid != os.geteuid():
            return _with_groups(pwd.getpwuid(state.stat().st_uid), []) if _there(state) else self.caller
        return self.caller

    @property
    def may_be_account(self) -> bool:
        """Whether the caller can try things as the service would: it is the service's user, or root."""
        return self.caller.uid in (0, self.account.uid)

    def account_may(self, path: Path, want: int) -> bool:
        """Whether the service's user may do ``want`` to ``path`` by the modes of it and of every folder
        above.
        """
        try:
            above = all(self.account.may(one.stat(), os.X_OK) for one in path.absolute().parents)
            return above and self.account.may(path.stat(), want)
        except OSError:
            return False

    @property
    def silent(self) -> bool:
        """A daemon that seems to run, and that does not answer or not this caller."""
        from edged.control_client import NotRunning

        return self.status is None and not isinstance(self.status_error, NotRunning)

    @property
    def socket(self) -> Path:
        """Where the daemon is asked."""
        return self.host.place(self.config.daemon.runtime_dir) / "control.sock"

    @property
    def shut_out(self) -> bool:
        """The daemon is there, and not for this caller to ask."""
        try:
            return not self.caller.may(self.socket.stat(), os.W_OK)
        except PermissionError:
            return True
        except OSError:
            return False

    # --- what to type

    @property
    def reload(self) -> str:
        """Brings a changed config into force."""
        return "sudo systemctl reload edged" if self.unit.installed else "edged reload"

    @property
    def restart(self) -> str:
        """Starts the daemon anew."""
        return "sudo systemctl restart edged" if self.unit.installed else "stop edged run and start it again"

    @property
    def log(self) -> str:
        """Where the daemon says why."""
        return "journalctl -u edged -e" if self.unit.installed else "what edged run prints tells why"

    @property
    def interpreter(self) -> str:
        """The Python that the service's workers run."""
        import sys

        current = self.host.place(INSTALLED / "current/bin/python")
        return str(current) if self.unit.installed and current.exists() else sys.executable

    @property
    def again(self) -> str:
        """Shows what this caller cannot see."""
        named = self.config_path if self.config_path != INSTALLED_CONFIG else None
        return "sudo edged doctor" + (f" --config {named}" if named else "")


def ladder(pipeline: Pipeline) -> tuple[str, ...]:
    """The names of a pipeline's models, dearest first."""
    return pipeline.model, *pipeline.ladder


def _defaults() -> Config:
    """The places that an installed edged uses, and nothing to run."""
    from edged.config.shape import Daemon, Store

    state = Daemon().state_dir
    return Config(pipelines={}, store=Store(file=f"{state}/edged.db", key_file=f"{state}/key"))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _there(state: Path) -> bool:
    return _user_name(state.stat().st_uid) != str(state.stat().st_uid)


def _known(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def _with_groups(known: pwd.struct_passwd, further: list[str]) -> Account:
    groups = set(os.getgrouplist(known.pw_name, known.pw_gid))
    for one in further:
        try:
            groups.add(grp.getgrnam(one).gr_gid)
        except KeyError:
            continue  # systemd would not start the unit either; the check of the daemon says so
    return Account(known.pw_name, known.pw_uid, known.pw_gid, tuple(sorted(groups)))
