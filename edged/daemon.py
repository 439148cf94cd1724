"""The composition root: picks and builds every part, owns lifetimes and signals. Start-up reads as a list,
from the top of ``run``.

Workers are exec'd first, before the key is read, so that no copy of it can be in them. Everything is undone
in reverse by one ``ExitStack``: workers tell their last second, the last buckets are committed, the key's
holder is closed.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from edged import __version__, facts, recess, wall
from edged.changes import tasks
from edged.clock import Clock, boot_id, zone
from edged.config.loading import load
from edged.config.shape import Config
from edged.control import Control, Later, Verb
from edged.errors import ControlError, RefusedError
from edged.exchange import Nothing
from edged.governor.governor import Governor
from edged.health import Outlook, summary
from edged.herald import Herald
from edged.journal import Journal
from edged.notify import Notifier
from edged.reactor import Reactor
from edged.reload import Reloader
from edged.roster import Roster
from edged.store import Store, keys, quarantine
from edged.supervise import Keeper
from edged.tally import Tally

Status = dict[str, Any]
SETTLED_EVERY: Final = 60.0  # seconds


def run(
    path: Path, notifier: Notifier | None = None, on_status: Callable[[Status], None] | None = None
) -> int:
    """Run with the config at ``path`` until a signal or until every recording has ended. ``on_status`` is
    called once a second. With a manager to be told by ``notifier`` it also stays when nothing can be counted:
    a reload may mend that.

    Returns 0. Raises ``EdgedError`` for what the owner must mend before it can start, and ``RefusedError``
    when nothing is left to do because every pipeline was refused.
    """
    with ExitStack() as stack:
        reactor = Reactor()
        stack.callback(reactor.close)
        daemon = Daemon(reactor, path, notifier or Notifier())
        daemon.leave_no_core()
        daemon.heed_signals()
        daemon.read_config()
        daemon.start_workers(stack)
        daemon.open_store(stack)
        daemon.govern(stack)
        daemon.answer(stack)
        daemon.tell(on_status)
        reactor.run()
        daemon.stop()
    return daemon.conclusion()


class Daemon:
    """All parts together, and what happens between them."""

    def __init__(self, reactor: Reactor, path: Path, notifier: Notifier) -> None:
        self._reactor, self._path = reactor, path
        self._managed = notifier.listened_to
        self._began = time.monotonic()
        self._on_terminal = sys.stderr.isatty()
        self._journal = Journal()
        self._herald = Herald(reactor, notifier, self._journal, self._outlook, self._celsius)
        self._roster = Roster(reactor, self)
        self._told: dict[str, tuple[str, str]] = {}
        self._told_to_stop = self._ending = self._open = self._reload_wanted = self._was_ready = False
        self._config: Config
        self._tally: Tally
        self._governor: Governor
        self._reloader: Reloader
        self._store: Store

    # --- start-up, in order

    def leave_no_core(self) -> None:
        """A core file would hold the key; a worker's, before it is locked, what it saw: it inherits both. A
        program that the kernel pipes cores to is not held by the limit, and gets no memory to keep.
        """
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")

    def heed_signals(self) -> None:
        """From the first moment on, so that none of them ends the daemon half way."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._reactor.on_signal(number, self._end)
        self._reactor.on_signal(signal.SIGHUP, self._hang_up)

    def read_config(self) -> None:
        """Once here; ``reload`` reads it again."""
        config = self._config = load(self._path)
        self._journal.heed(config.daemon.log_level)
        self._roster.runtime_dir = Path(config.daemon.runtime_dir)
        self._tally = Tally(self._reactor, self._note, config.store.keep, config.store.commit_every)
        self._governor = Governor(self._reactor, self._roster, self._note, config)
        parts = (self._roster, self._tally, self._herald, self._journal, self._governor)
        self._reloader = Reloader(self._reactor, self._path, config, parts, self._note)

    def start_workers(self, stack: ExitStack) -> None:
        """Exec one worker per pipeline. They are busy with their devices and models while the store is
        opened. Where there are quiet hours, they wait for the governor to tell whether it is such an hour.
        """
        stack.callback(self._roster.finish)
        stack.callback(self._reloader.close)
        self._roster.assign(tasks(self._config), ())
        if self._config.governor.quiet:
            for keeper in self._roster:
                keeper.direct(wall.Directive(keeper.pipeline.rate, paused=True))
        self._herald.opening(f"{len(self._roster)} workers start; the store is opened")

    def open_store(self, stack: ExitStack) -> None:
        """Read the key, open the store, forget the key. Commits and closes it at the end."""
        wanted = self._config.store
        self._zone = zone(self._config.clock.timezone)
        with keys.ring(self._config) as ring:
            begun = quarantine.begun(
                Path(wanted.file), ring, keep=wanted.keep, zone=self._zone, told=self._rekeying
            )
        opened = begun.opened
        keys.forget_credentials()
        self._store, self._key_is, self._key_kept = opened.store, opened.which, opened.failed
        stack.callback(self._store.close)
        clock = Clock(self._config.clock.trust, self._store.known_clock(boot_id()))
        self._tally.open(self._store, clock, self._roster, self._zone)
        self._open = True
        self._note("began", f"edged {__version__}")
        if begun.aside:
            text = f"{begun.damage}; it lies at {begun.aside} now, and a new store was begun"
            self._note("store-put-aside", text, reason=begun.damage, file=begun.aside)
        if opened.rotated:
            self._note("key-rotated", "the store is under the new key")
        if opened.failed:
            self._note("key-rotation-failed", opened.failed, reason=opened.failed)
        stack.callback(self._tally.close)
        stack.callback(self._settle, everything=True)
        # Workers tell their last second before the last commit: ``finish`` of start_workers comes later in
        # reverse.
        stack.callback(self._roster.finish)

    def _rekeying(self, what: str, done: int, of: int) -> None:
        """A rotation that was begun is finished before anything is kept. ``of`` pages of 1 KiB."""
        if what == "folding":
            self._note("key-rotation-begun", "the store is written anew under the next key")
        if what == "verifying":
            self._herald.opening("the store may be damaged: each page of it is looked at", 60.0 + of / 200)
            return
        # The slowest board encrypts and checks far more than 200 pages in a second.
        self._herald.opening(f"the store gets a new key: {what}, {done * 100 // of} %", 60.0 + of / 200)
        self._reactor.heed_signals()
        if self._told_to_stop:
            raise SystemExit(0)  # the next start begins it anew; the store is whole under its old key

    def govern(self, stack: ExitStack) -> None:
        """Keep the board cool and its supply at ease from now on."""
        self._governor.begin(lambda: self._tally.reading, self._zone)
        stack.callback(self._governor.close)

    def answer(self, stack: ExitStack) -> None:
        """Open the local socket."""
        verbs = {
            "status": Verb(lambda _: self.status(), takes=Nothing),
            "report": Verb(self._report),
            "reload": Verb(lambda _: self._reload(), changes=True, takes=Nothing),
            "outline": Verb(lambda asked: recess.grant(self._roster, asked, self._note), changes=True),
        }
        control = Control(self._reactor, Path(self._config.daemon.runtime_dir), verbs, self._note)
        stack.callback(control.close)

    def tell(self, on_status: Callable[[Status], None] | None) -> None:
        """The manager from now on, and whoever watches once a second."""
        self._herald.begin()
        self._reactor.every(SETTLED_EVERY, self._settle)
        if self._reload_wanted and not self._ending:
            self._reload()
        self._judge()
        if on_status is not None:
            self._reactor.every(1.0, lambda: on_status(self.status()))

    # --- what the owner wants

    def _end(self) -> None:
        self._told_to_stop = self._ending = True
        self._reactor.stop()

    def _hang_up(self) -> None:
        """SIGHUP means reload; but when a terminal closes it means that nobody watches any more."""
        if self._on_terminal and not sys.stderr.isatty():
            self._end()
        elif self._open and not self._ending:
            self._reload()
        else:
            self._reload_wanted = True

    def _reload(self) -> Later:
        if self._ending:
            raise ControlError("the daemon is stopping", "start it again: it reads its config then")
        later = Later()

        def told(answer: dict[str, Any]) -> None:
            self._judge()
            later.be(answer)

        self._reloader.reload(told)
        return later

    def stop(self) -> None:
        """Say that the end has begun; ``ExitStack`` makes it."""
        self._ending = True
        self._reloader.close()
        self._tally.stop()
        self._herald.stopping("stopping: workers tell their last second")

    # --- what workers tell

    def came(self, keeper: Keeper) -> None:
        """A pipeline is about to start."""
        self._tally.came(keeper)

    def left(self, keeper: Keeper) -> None:
        """A pipeline is no more, or another comes under its name."""
        successor = next((one for one in self._roster if one.name == keeper.name), None)
        self._tally.left(keeper, successor)
        self._told.pop(keeper.name, None)

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Count it."""
        self._tally.count(keeper, tick)
        analysed = self._tally.covered[keeper.name].analysed
        self._journal.say("debug", f"tick {tick.number}: {analysed} frames by now", keeper.name)
        self._governor.ticked(keeper, tick)

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        """Note it, and judge what that means for the whole.

        A camera that stays unplugged is news once, not once a minute for years.
        """
        told, self._told[keeper.name] = self._told.get(keeper.name), (event, keeper.why)
        if event == "replaced" and told == (event, keeper.why):
            self._journal.say("debug", f"{event}: {text}", keeper.name)
        else:
            self._note(event, text, keeper.name, **fields)
        self._judge()

    def _judge(self) -> None:
        """Tell the manager how things are, and stop when nothing is left to wait for."""
        if self._herald.changed() and not self._was_ready:
            self._was_ready = True
            self._note("ready", summary(self._outlook()))
        if len(self._roster) and all(one.done for one in self._roster) and not self._may_be_mended():
            self._reactor.stop()

    def _may_be_mended(self) -> bool:
        """Whether a reload can make something of what was refused: not where nobody would ask for one."""
        return self._managed and any(one.state == "refused" for one in self._roster)

    def _note(self, event: str, text: str, pipeline: str = "", **fields: object) -> None:
        said = self._journal.event(event, text, pipeline, **fields)
        if said and self._open:
            self._store.event(event, said, pipeline=pipeline, reading=self._tally.reading)

    def _settle(self, everything: bool = False) -> None:
        """Tell and keep what was held back because it came too often."""
        for event, said, pipeline in self._journal.settle(everything):
            self._store.event(event, said, pipeline=pipeline, reading=self._tally.reading)

    def conclusion(self) -> int:
        """The exit status. Raises ``RefusedError`` when every pipeline was refused: then nobody counted
        anything.
        """
        refused = [f"{one.name}: {one.why}" for one in self._roster if one.state == "refused"]
        if refused and len(refused) == len(self._roster) and not self._told_to_stop:
            raise RefusedError("; ".join(refused), "mend that and start it again")
        return 0

    # --- what is told

    def _celsius(self) -> float | None:
        return self._governor.celsius

    def _outlook(self) -> Outlook:
        conditions = tuple(
            facts.condition(one, self._governor.share(one), self._governor.reason(one))
            for one in self._roster
        )
        behind = ("the store cannot be written",) if self._tally.behind else ()
        clock = () if self._tally.reading.good else ("the time is not known to be right",)
        leaving = tuple(facts.condition(one) for one in self._roster.leaving)
        remarks = (*behind, *clock, *self._governor.remarks, *self._reloader.remarks)
        return Outlook(conditions, self._tally.due, self._tally.frames, remarks, leaving)

    def status(self) -> Status:
        """Facts about now, for ``edged status`` and ``top``."""
        now = time.monotonic()
        reading, config = self._tally.look_at_clock(), self._reloader.config
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(now - self._began, 1),
            "memory": facts.resident(os.getpid()),
            "ready": self._herald.ready,
            "config": self._reloader.facts,
            "clock": {"good": reading.good, "why": reading.because},
            "board": self._governor.facts,
            "store": {
                "file": config.store.file,
                "bytes": self._store.size(),
                "key": self._key_is,
                "rotation": self._key_kept,
                "last_commit_age_s": round(now - self._tally.written, 1) if self._tally.written else None,
                "pending_buckets": self._tally.pending,
            },
            "pipelines": [
                facts.pipeline(
                    one,
                    self._tally.covered.get(one.name),
                    now,
                    self._governor.course(one),
                    self._tally.today,
                    self._tally.sight(one.name),
                    self._tally.dropped.get(one.name, 0),
                )
                for one in self._roster
            ],
        }

    def _report(self, request: dict[str, Any]) -> object:
        from edged import report

        return report.told(self._store, request, self._zone)
