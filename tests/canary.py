"""The daemon over sources that carry markers, crashed, reloaded, out of disk and aborted, with every byte
that any of its processes writes traced; and what is searched afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import strace
from disks import Disk, mounted
from looker import Looker
from searcher import Hit, Searcher, of_file, of_folder, of_memory, swaps

from edged import feeds
from edged.control_client import ask
from edged.errors import ControlError
from edged.store import keys

#: Where a process may leave something behind it, beside its own folders.
ELSEWHERE: Final = tuple(
    Path(one)
    for one in (
        *("/tmp", "/var/tmp", "/run", "/dev/shm", "/dev/mqueue", "/var/crash", "/var/log", "/var/lib/edged"),
        *("/var/lib/systemd/coredump", "/var/lib/apport", "/var/spool/abrt"),
    )
)
CONFIG: Final = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
[store]
commit_every = 1
[store.keep]
second = "5y"
[governor]
enabled = false
"""


class Played(NamedTuple):
    """A pipeline: its part of the config, with RATE for its ``rate``, and how many frames a second of its
    source makes.
    """

    name: str
    part: str
    fps: float
    rate: float = 0.0


class Canary:
    """The daemon on a disk of its own, if there may be one, with everything that it writes traced."""

    def __init__(
        self, place: Path, searcher: Searcher, sources: Path, played: Sequence[Played], disk: Disk | None
    ) -> None:
        self.began = time.time() - 1
        self.left_out = place.parent, sources  # what tests have planted is theirs
        self.outside, self.searcher, self.disk = place / "outside", searcher, disk
        self.played = {one.name: one for one in played}
        self.run, self.beside = "", ""  # which one it is; what else the config has
        self.edged = (sys.executable, "-m", "edged")
        self.box = (disk.folder if disk else place) / "box"
        for one in (self.outside, self.box):
            one.mkdir()
        #: What was written by whom, and which of their calls must hold nothing.
        self.logs = dict[Path, Callable[[str], bool]]()
        self.hits: list[Hit] = []
        self.counted = dict[str, int]()  # of daemons before this one
        self.why_not_traced = strace.why_not()
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, **rates: float) -> None:
        """All at their own rates but those that are named: so a reload changes these."""
        parts = [one.part.replace("RATE", str(rates.get(one.name, one.rate))) for one in self.played.values()]
        (self.box / "edged.toml").write_text("".join((CONFIG, *parts, self.beside)))

    def traced(self, *command: str, which: Callable[[str], bool] = bool) -> list[str]:
        """``edged`` with what it writes in a log of its own, where that can be traced; ``which`` of its calls
        may say nothing.
        """
        log = self.outside / f"trace-{len(self.logs)}"
        self.logs[log] = which
        before = [] if self.why_not_traced else strace.command(log)
        return [*before, *self.edged, *command]

    def start(self) -> None:
        # A shell that starts us in the background has us, and whom we start, ignore it.
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        command = self.traced("run", "--init-key", "edged.toml")
        with (self.outside / "journal").open("ab") as journal:
            self.process = subprocess.Popen(
                ["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", *command], cwd=self.box, stderr=journal
            )
        self.until(lambda: all(one["analysed"] > 5 for one in self.pipelines()))

    def status(self) -> dict[str, Any]:
        with suppress(ControlError, ConnectionError):
            return ask(self.box / "run", "status")
        return {"pipelines": [], "store": {}}

    def pipelines(self) -> list[dict[str, Any]]:
        return self.status()["pipelines"] or [{"analysed": -1, "state": "", "name": "", "pid": None}]

    def workers(self) -> dict[str, int]:
        return {one["name"]: one["pid"] for one in self.pipelines()}

    def until(self, condition: Callable[[], object], patience: float = 120.0) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert self.process is not None and self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, f"not within {patience} s: {self.status()}\n{self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        return (self.outside / "journal").read_text(errors="replace")[-3000:]

    def daemon(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.child(self.process.pid)

    def child(self, pid: int) -> int:
        """The process itself; with a tracer, the tracer's child."""
        if self.why_not_traced:
            return pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def look(self, what: str, pieces: Iterable[bytes]) -> list[Hit]:
        found = self.searcher.hits(what, pieces)
        self.hits += found
        return found

    def look_into_daemon(self) -> None:
        with suppress(PermissionError):
            self.look("the daemon's memory", of_memory(self.daemon()))

    def crash(self, name: str, how: signal.Signals) -> None:
        """A worker, and wait for the next."""
        before = next(one for one in self.pipelines() if one["name"] == name)
        os.kill(before["pid"], how)
        self.until(lambda: self._is_back(name, before["restarts"]))
        assert list(self.box.glob("core*")) == [], f"a worker left its memory in a core file ({how.name})"

    def _is_back(self, name: str, restarts: int) -> bool:
        return any(
            one["name"] == name and one["restarts"] > restarts and one["state"] == "running"
            for one in self.pipelines()
        )

    def reload(self, **rates: float) -> None:
        """With other rates."""
        self.configure(**rates)
        ask(self.box / "run", "reload")
        self.until(lambda: all(one["state"] == "running" for one in self.pipelines()))

    def fill_the_disk(self) -> None:
        if self.disk is None:
            return
        self.disk.leave(0)
        self.until(lambda: "store-behind" in self.said())
        (self.disk.folder / "ballast").unlink()

    def abort(self) -> None:
        """The daemon, with its workers left to notice."""
        assert self.process is not None
        for one in self.pipelines():
            self.counted[one["name"]] = self.seen(one)
        os.kill(self.daemon(), signal.SIGABRT)
        self.process.wait(30)
        assert list(self.box.glob("core*")) == [], "the daemon left its memory, with the key, in a core file"

    def stop(self) -> None:
        assert self.process is not None
        for one in self.pipelines():
            self.counted[one["name"]] = self.seen(one)
        os.kill(self.daemon(), signal.SIGTERM)
        assert self.process.wait(60) == 0, self.said()

    def play(self, seconds: float) -> None:
        """Until every source has shown so many of its seconds."""
        self.until(lambda: all(map(self._has_played(seconds), self.pipelines())), 60 + seconds)

    def _has_played(self, seconds: float) -> Callable[[dict[str, Any]], bool]:
        return lambda one: (
            one["name"] in self.played and self.seen(one) >= seconds * self.played[one["name"]].fps
        )

    def seen(self, one: dict[str, Any]) -> int:
        """Frames, of all daemons."""
        return int(self.counted.get(one["name"], 0) + one["analysed"])

    def look_at_outline(self, pipeline: str) -> None:
        """As its owner does, on a terminal; what that shows, and the command's memory meanwhile."""
        command = self.traced("zones", pipeline, "--config", "edged.toml")
        with Looker(command, self.box) as looker:
            looker.wait_for_prompt()
            assert any(one > "\u2800" for one in looker.shown.decode()), "no outline was drawn"
            self.look("the memory of edged zones", of_memory(self.child(looker.pid)))
            assert looker.done() == 0, looker.shown.decode()
        self.look("the terminal of edged zones", [looker.shown])

    def feed(self, pipeline: str, lines: Sequence[str]) -> None:
        """By ``edged feed``: what it is given belongs on that pipeline's socket, and nowhere else."""
        to_it = strace.sent_to(feeds.path(self.box / "run", pipeline))
        words = ("feed", pipeline, "--config", "edged.toml", "-")
        command = self.traced(*words, which=lambda call: not to_it(call))
        given = "".join(f"{one}\n" for one in lines).encode()
        done = subprocess.run(command, cwd=self.box, input=given, capture_output=True, check=True)
        self.look("the output of edged feed", [done.stdout, done.stderr])
        if not self.why_not_traced:
            seen = strace.written(list(self.logs)[-1], to_it)
            assert self.searcher.hits("", seen), "the searcher finds nothing in what is fed, where it is"

    def search(self) -> None:
        """All places, once all processes have ended."""
        self.look("the state folder, decrypted", self._clear())
        for path, pieces in of_folder(self.box, 0.0):
            self.look(str(path), pieces)
        self.look("the journal", of_file(self.outside / "journal"))
        self.search_elsewhere()
        for device in swaps() if os.geteuid() == 0 else []:
            self.look(f"swap {device}", of_file(device))
        if self.disk is not None:
            os.sync()
            self.look("the disk itself", of_file(self.disk.image))
        self.search_traces()

    def search_elsewhere(self, folders: Iterable[Path] = ELSEWHERE) -> None:
        """Where anybody may leave something."""
        for folder in folders:
            for path, pieces in of_folder(folder, self.began, self.left_out):
                self.look(str(path), pieces)

    def search_traces(self) -> None:
        """What was written, wherever it went."""
        for log, which in () if self.why_not_traced else self.logs.items():
            self.look(f"written ({log.name})", strace.written(log, which))

    def past_the_tracer(self) -> list[str]:
        """Calls by which something could have been written unseen."""
        logs = () if self.why_not_traced else self.logs
        return [line for log in logs for line in (*strace.past(log), *strace.unread(log))]

    def account(self) -> str:
        """What was played and searched."""
        frames = ", ".join(f"{name} {count}" for name, count in self.counted.items())
        searched = f"{self.searcher.looked / 1e6:.0f} MB searched, {len(self.hits)} hits"
        found = "".join(f"\n  {one.place}: {one.sample}" for one in sorted(set(self.hits)))
        return f"{self.run}: frames: {frames}; {searched}{found}"

    def _clear(self) -> Iterator[bytes]:
        key = keys.load(self.box / "state" / "key")
        yield from in_the_clear(self.box / "state" / "edged.db", key, self.outside / "clear")

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(OSError, IndexError):
                os.kill(self.daemon(), signal.SIGKILL)
            self.process.kill()
            self.process.wait()


@contextmanager
def housed(place: Path) -> Iterator[Disk | None]:
    """A disk of its own, where one may be made."""
    if os.geteuid() != 0 or not shutil.which("mke2fs"):
        yield None
        return
    disk = Disk(place)
    disk.format()
    with mounted(disk.image, disk.folder):
        yield disk


def in_the_clear(path: Path, key: bytearray, copy: Path) -> Iterator[bytes]:
    """A store's contents, decrypted."""
    from edged.store.database import Database

    database = Database(path, key, as_it_is=True)
    try:
        database._connection.execute("ATTACH DATABASE ? AS clear KEY ''", (str(copy),))
        database._connection.execute("SELECT sqlcipher_export('clear')").fetchall()
    finally:
        database.close()
    yield from of_file(copy)
    copy.unlink()
