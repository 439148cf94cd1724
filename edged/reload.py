"""Reading the config again: only what differs is touched, and a config that is wrong changes nothing.

Said once: the journal hears of a reload that changed something and of a config that is wrong, not of the
same thing again. Who asks is always told everything.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from edged.changes import Changes, changes, in_force, tasks
from edged.config.loading import load
from edged.config.problem import Problem
from edged.config.shape import Config
from edged.errors import ConfigError, EdgedError, fault
from edged.governor.governor import Governor
from edged.herald import Herald
from edged.journal import Journal
from edged.roster import Roster
from edged.tally import Note, Tally

Answer = dict[str, Any]


class Reloader:
    """Keeps the config that is in force: ``config``."""

    def __init__(
        self, path: Path, config: Config, parts: tuple[Roster, Tally, Herald, Journal, Governor], note: Note
    ) -> None:
        self._path, self.config = path.absolute(), config
        self._roster, self._tally, self._herald, self._journal, self._governor = parts
        self._note = note
        self._loaded = self._read = time.monotonic()
        self._number = 0
        self._last = Changes()
        self._waiting: tuple[str, ...] = ()
        self._refused: EdgedError | None = None

    def reload(self) -> Answer:
        """Read the config, put in force what can be, and say what that was. Raises nothing.

        The answer comes at once; new workers may need moments more (``ready`` in the status).
        """
        self._herald.reloading()
        try:
            new = load(self._path)
            what = changes(self.config, new, self._roster.renewed)
            self._keep(new, what)
        except EdgedError as error:
            return self._refuse(error)
        except Exception as error:
            # Whatever is in that file, it must not end a daemon that counts.
            return self._refuse(fault(error, "reading the config again"))
        self._apply(new, what)
        return self._answer(what)

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


def _problems(error: EdgedError) -> list[str]:
    """Each with file and line, if it is the config's text that is wrong."""
    found = error.problems if isinstance(error, ConfigError) else ()
    return [str(one) for one in found if isinstance(one, Problem)] or [error.message]


def _first(error: EdgedError) -> str:
    return _problems(error)[0]
