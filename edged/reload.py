"""Reading the config again: only what differs is touched, and a config that is wrong changes nothing. Nor
does one that asks of a model what that does not give: a process is asked beforehand (``fitting``).

Said once: the journal hears of a reload that changed something and of a config that is wrong, not of the
same thing again. Who asks is always told everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edged.changes import Changes, Task, changes, in_force, tasks
from edged.config.loading import load, misfit
from edged.config.problem import Problem
from edged.config.shape import Config
from edged.errors import ConfigError, EdgedError, fault
from edged.fitting import Fitting
from edged.governor.governor import Governor
from edged.herald import Herald
from edged.journal import Journal
from edged.reactor import Reactor
from edged.roster import Roster
from edged.tally import Note, Tally
from edged.units import NO_MODEL

Answer = dict[str, Any]
Told = Callable[[Answer], None]


class Pending(NamedTuple):
    """A reload that waits for what the models say."""

    new: Config
    what: Changes
    told: list[Told]
    fitting: Fitting


class Reloader:
    """Keeps the config that is in force: ``config``."""

    def __init__(
        self,
        reactor: Reactor,
        path: Path,
        config: Config,
        parts: tuple[Roster, Tally, Herald, Journal, Governor],
        note: Note,
    ) -> None:
        self._reactor, self._path, self.config = reactor, path.absolute(), config
        self._roster, self._tally, self._herald, self._journal, self._governor = parts
        self._note = note
        self._loaded = self._read = time.monotonic()
        self._number = 0
        self._last = Changes()
        self._waiting: tuple[str, ...] = ()
        self._refused: EdgedError | None = None
        self._pending: Pending | None = None

    def reload(self, told: Told) -> None:
        """Read the config, put in force what can be, and call ``told`` with what that was: at once, or when
        the models of pipelines that are new or different have been looked at. Raises nothing.

        New workers may need moments more (``ready`` in the status). Another reload meanwhile begins anew, and
        both are told what comes of that; one that finds the same is the same.
        """
        asking = [*(self._pending.told if self._pending else ()), told]
        try:
            new = load(self._path)
            what = changes(self.config, new, self._roster.renewed)
            unknown = dict(self._unknown(new, what))
        except Exception as error:
            self.close()
            self._conclude(asking, self._refuse(_whole(error)))
            return
        if self._pending and (self._pending.new, self._pending.what) == (new, what):
            self._pending.told.append(told)
            return
        self.close()
        if unknown:
            self._pending = Pending(new, what, asking, Fitting(self._reactor, unknown, self._fitted))
        else:
            self._conclude(asking, self._put_in_force(new))

    def close(self) -> None:
        """What is pending is not put in force. May be called twice."""
        if self._pending is not None:
            self._pending.fitting.close()
            self._pending = None

    def _unknown(self, new: Config, what: Changes) -> Iterator[tuple[str, Task]]:
        """The pipelines of which nobody knows whether their models give what is asked for. A worker that runs
        knows it of its own.
        """
        before = tasks(self.config)
        files = self._roster.renewed
        known = {one.name for one in self._roster if one.state in ("running", "lost")} - files
        for name, task in tasks(new).items():
            if name not in (*what.added, *what.changed) or task.models[0].file == NO_MODEL:
                continue
            if name in known and _asks(before[name]) == _asks(task):
                continue
            yield name, task

    def _fitted(self, problems: list[Problem]) -> None:
        """The models have been looked at."""
        if (pending := self._pending) is None:
            return
        self._pending = None
        try:
            answer = (
                self._refuse(misfit(self._path, problems)) if problems else self._put_in_force(pending.new)
            )
        except EdgedError as error:
            answer = self._refuse(error)
        self._conclude(pending.told, answer)

    def _put_in_force(self, new: Config) -> Answer:
        """What may have changed meanwhile is looked at once more."""
        try:
            what = changes(self.config, new, self._roster.renewed)
            self._keep(new, what)
        except Exception as error:
            return self._refuse(_whole(error))
        self._herald.reloading()
        self._apply(new, what)
        return self._answer(what)

    def _conclude(self, asking: list[Told], answer: Answer) -> None:
        for told in asking:
            told(answer)

    @property
    def facts(self) -> Answer:
        """For ``edged status``."""
        return {
            "file": str(self._path),
            "loaded_age_s": round(time.monotonic() - self._loaded, 1),
            "read_age_s": round(time.monotonic() - self._read, 1),
            "reloads": self._number,
            "waits_for_restart": list(self._waiting),
            "refused": _first(self._refused) if self._refused else "",
        }

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong with the config's file, for the status line."""
        return (f"the new config is refused ({_first(self._refused)})",) if self._refused else ()

    def _keep(self, new: Config, what: Changes) -> None:
        """First what may fail: then nothing was changed."""
        if any(key.startswith("store.keep.") for key in what.keys):
            self._tally.keep(new.store.keep)

    def _apply(self, new: Config, what: Changes) -> None:
        self._journal.heed(new.daemon.log_level)
        if "store.commit_every" in what.keys:
            self._tally.commit_every(new.store.commit_every)
        self._roster.assign(tasks(new), what.changed)
        self.config = in_force(self.config, new)
        self._governor.heed(self.config.governor)
        self._tell(what)
        self._waiting, self._refused, self._read = what.waiting, None, time.monotonic()
        if what:
            self._loaded, self._last, self._number = time.monotonic(), what, self._number + 1

    def _tell(self, what: Changes) -> None:
        if what:
            self._note("reloaded", f"{self._path}: {what}", changes=str(what))
        elif self._refused:
            self._journal.say("info", f"{self._path} is as it was before it was refused; nothing has changed")
        if what.waiting and what.waiting != self._waiting:
            keys = ", ".join(what.waiting)
            self._note("needs-restart", f"not in force before a restart: {keys}", keys=keys)

    def _answer(self, what: Changes) -> Answer:
        return {
            "accepted": True,
            "file": str(self._path),
            "changes": msgspec.to_builtins(what),
            "last": {"changes": msgspec.to_builtins(self._last), "age_s": time.monotonic() - self._loaded},
            "number": self._number,
        }

    def _refuse(self, error: EdgedError) -> Answer:
        self._herald.reloading()
        said = str(self._refused) if self._refused else ""
        self._refused, self._last = error, Changes()
        problems = _problems(error)
        if said != str(error):
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            text = f"{_first(error)}{more}; the config that was read before stays in force"
            self._note("reload-refused", text, reason=_first(error))
            for one in problems[1:]:
                self._journal.say("error", f"reload-refused: {one}")
        return {
            "accepted": False,
            "file": str(self._path),
            "error": error.message,
            "hint": error.hint,
            "problems": problems,
        }


def _asks(task: Task) -> tuple[object, ...]:
    """What decides whether a model gives what is asked for."""
    return task.models, task.pipeline.measures


def _whole(error: Exception) -> EdgedError:
    """Whatever is in that file, it must not end a daemon that counts."""
    return error if isinstance(error, EdgedError) else fault(error, "reading the config again")


def _problems(error: EdgedError) -> list[str]:
    """Each with file and line, if it is the config's text that is wrong."""
    found = error.problems if isinstance(error, ConfigError) else ()
    return [str(one) for one in found if isinstance(one, Problem)] or [error.message]


def _first(error: EdgedError) -> str:
    return _problems(error)[0]
