"""The canary: pictures that carry a marker go through the real daemon, workers and store; nothing of them
may be found anywhere afterwards, in whatever form.

Workers are crashed so that they would leave a core, the config is reloaded, the disk is filled up, the
daemon is aborted and started again, and every byte that any of the processes writes is traced. ``make
test-canary`` plays an hour of each source (EDGED_CANARY is how many seconds); ``make test`` some seconds.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import strace
from disks import Disk, mounted
from emulation import EMULATED
from marker import Marker, any_of
from searcher import Hit, Searcher, of_file, of_folder, of_memory, swaps

from edged.control_client import ask
from edged.errors import ControlError
from edged.store import keys

SECONDS: Final = float(os.environ.get("EDGED_CANARY", "8"))
FPS: Final = 5.0
#: The short one keeps to the clock, and leaves the processor to others.
PACE: Final = "fast" if SECONDS >= 600 else "real"
#: Where a process may leave something behind it, beside its own folders.
ELSEWHERE: Final = tuple(
    Path(one)
    for one in (
        *("/tmp", "/var/tmp", "/run", "/dev/shm", "/dev/mqueue", "/var/crash", "/var/log", "/var/lib/edged"),
        *("/var/lib/systemd/coredump", "/var/lib/apport", "/var/spool/abrt"),
    )
)
#: Whose workers are crashed, one after the other.
CRASHED: Final = ("photos", "film") if SECONDS < 600 else ("photos", "floats", "prints", "film") * 3
FATAL: Final = (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS, signal.SIGQUIT)

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
PIPELINE: Final = """
[pipelines.{name}]
model = "{model}"
rate = {rate}
measures = [{{ kind = "{measure}" }}]
source = {{ kind = "file", path = "{path}", pace = "{pace}", loop = true, fps = 5.0 }}
"""


@pytest.fixture(scope="module")
def marker(tmp_path_factory: pytest.TempPathFactory) -> Marker:
    pytest.importorskip("flatbuffers", reason="models for tests are written with flatbuffers")
    if EMULATED:
        pytest.skip("an emulator's memory is not the program's")
    return Marker(tmp_path_factory.mktemp("marker") / "sources")


@pytest.fixture(scope="module")
def searcher(marker: Marker) -> Searcher:
    return Searcher(marker.samples())


# --- the searcher finds what there is to find


class Places:
    """Every kind of place that is searched, with something planted in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, data: bytes) -> Iterator[bytes]:
        (self.folder / "left").write_bytes(secrets.token_bytes(4097) + data + secrets.token_bytes(99))
        return of_file(self.folder / "left")

    def name(self, data: bytes) -> Iterator[bytes]:
        path = self.folder / data.hex()
        path.touch()
        yield from (piece for _, pieces in of_folder(self.folder, 0.0) for piece in pieces)
        path.unlink()

    def memory(self, data: bytes) -> Iterator[bytes]:
        """Of a process of which nothing but its standard input was told."""
        program = "import os, signal; held = os.read(0, 4096); os.close(1); signal.pause()"
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(data)
            process.stdin.close()
            process.stdout.read()
            yield from of_memory(process.pid)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def trace(self, data: bytes) -> Iterator[bytes]:
        """Of a grandchild's write that leads nowhere."""
        if why := strace.why_not():
            pytest.skip(why)
        log, given = self.folder / "log", self.folder / "given"
        given.write_bytes(data)
        command = [*strace.command(log), "sh", "-c", f"cat {given} >/dev/null; true"]
        subprocess.run(command, check=True)
        return strace.written(log)

    def store(self, data: bytes) -> Iterator[bytes]:
        """In an encrypted store, where only who has the key can see it."""
        from edged.store.database import Database

        path, key = self.folder / f"{secrets.token_hex(8)}.db", bytearray(secrets.token_bytes(32))
        database = Database(path, key)
        with database.transaction():
            database.write("CREATE TABLE planted (what BLOB)")
            database.write("INSERT INTO planted VALUES (?)", (data,))
        database.close()
        return in_the_clear(path, key, self.folder / "clear")


@pytest.mark.parametrize("place", ["file", "name", "memory", "trace", "store"])
def test_the_searcher_finds_a_marker_in_every_form_in_every_place(
    place: str, marker: Marker, searcher: Searcher, tmp_path: Path
) -> None:
    forms = dict(reversed(list(marker.samples())))  # the first of each name
    if place != "file":  # where each takes a process: what is text is in files alone
        forms = {name: data for name, data in forms.items() if ", in " not in name}
    planted, unseen = getattr(Places(tmp_path), place), []
    for name, data in forms.items():
        if not searcher.hits(place, planted(data[:100] if place == "name" else any_of(data))):
            unseen.append(name)
    assert forms and unseen == []


def test_the_searcher_finds_nothing_where_nothing_is(searcher: Searcher) -> None:
    assert searcher.hits("noise", [secrets.token_bytes(8 << 20)]) == []
    assert searcher.hits("this process's libraries", of_file(Path(sys.executable).resolve())) == []
    numbers = " ".join(f"{one}, {one + 1}" for one in range(100_000)).encode()
    assert searcher.hits("numbers", [numbers, bytes(1 << 20), numbers.hex().encode()]) == []


# --- the run


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


class Canary:
    """The daemon on a disk of its own, if there may be one, with everything that it writes traced."""

    def __init__(self, place: Path, marker: Marker, searcher: Searcher, disk: Disk | None) -> None:
        self.began = time.time() - 1
        self.tests = place.parent  # what tests have planted is theirs
        self.outside, self.marker, self.searcher, self.disk = place / "outside", marker, searcher, disk
        self.box = (disk.folder if disk else place) / "box"
        for one in (self.outside, self.box):
            one.mkdir()
        self.logs: list[Path] = []
        self.hits: list[Hit] = []
        self.counted = dict[str, int]()  # of daemons before this one
        self.why_not_traced = strace.why_not()
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, rate: float) -> None:
        """``rate`` is of one of the pipelines: a reload changes it alone."""
        folder = self.marker.folder
        models = [
            f'[models.{name}]\nfile = "{folder / (name + ".tflite")}"\n'
            for name in ("uint8", "int8", "float32")
        ]
        models[-1] += "mean = [127.5]\nstd = [127.5]\n"
        sources = [
            ("photos", "activity", "presence", self.marker.photos),
            ("floats", "float32", "level", self.marker.photos),
            ("prints", "uint8", "level", self.marker.prints),
            ("film", "int8", "level", self.marker.film),
        ]
        pipelines = [
            PIPELINE.format(
                name=name,
                model=model,
                measure=measure,
                path=path,
                pace=PACE,
                rate=rate if name == "film" else FPS,
            )
            for name, model, measure, path in sources
        ]
        (self.box / "edged.toml").write_text("".join((CONFIG, *models, *pipelines)))

    def start(self) -> None:
        log = self.outside / f"trace-{len(self.logs)}"
        traced = [] if self.why_not_traced else strace.command(log)
        command = [*traced, sys.executable, "-m", "edged", "run", "--init-key", "edged.toml"]
        with (self.outside / "journal").open("ab") as journal:
            self.process = subprocess.Popen(
                ["sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", *command], cwd=self.box, stderr=journal
            )
        self.logs.append(log)
        self.until(lambda: all(one["analysed"] > 5 for one in self.pipelines()))

    def status(self) -> dict[str, Any]:
        with suppress(ControlError, ConnectionError):
            return ask(self.box / "run", "status")
        return {"pipelines": [], "store": {}}

    def pipelines(self) -> list[dict[str, Any]]:
        return self.status()["pipelines"] or [{"analysed": -1, "state": "", "name": "", "pid": None}]

    def until(self, condition: Callable[[], object], patience: float = 120.0) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert self.process is not None and self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, f"not within {patience} s: {self.status()}\n{self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        return (self.outside / "journal").read_text(errors="replace")[-3000:]

    def daemon(self) -> int:
        """Its process; with a tracer, the tracer's child."""
        assert self.process is not None
        if self.why_not_traced:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def look(self, what: str, pieces: Iterator[bytes]) -> list[Hit]:
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
            self.counted[one["name"]] = self.counted.get(one["name"], 0) + one["analysed"]
        os.kill(self.daemon(), signal.SIGABRT)
        self.process.wait(30)
        assert list(self.box.glob("core*")) == [], "the daemon left its memory, with the key, in a core file"

    def stop(self) -> None:
        assert self.process is not None
        os.kill(self.daemon(), signal.SIGTERM)
        assert self.process.wait(60) == 0, self.said()

    def play(self, seconds: float) -> None:
        """Until every source has shown so many seconds of its pictures."""
        wanted = seconds * FPS
        self.until(lambda: all(self._seen(one) >= wanted for one in self.pipelines()), 60 + seconds)

    def _seen(self, one: dict[str, Any]) -> int:
        return int(self.counted.get(one["name"], 0) + one["analysed"])

    def search(self) -> None:
        """All places, once all processes have ended."""
        self.look("the state folder, decrypted", self._clear())
        for path, pieces in of_folder(self.box, 0.0):
            self.look(str(path), pieces)
        self.look("the journal", of_file(self.outside / "journal"))
        for folder in ELSEWHERE:
            for path, pieces in of_folder(folder, self.began, (self.tests, self.marker.folder)):
                self.look(str(path), pieces)
        for device in swaps() if os.geteuid() == 0 else []:
            self.look(f"swap {device}", of_file(device))
        if self.disk is not None:
            os.sync()
            self.look("the disk itself", of_file(self.disk.image))
        for log in () if self.why_not_traced else self.logs:
            self.look(f"written ({log.name})", strace.written(log))

    def _clear(self) -> Iterator[bytes]:
        key = keys.load(self.box / "state" / "key")
        yield from in_the_clear(self.box / "state" / "edged.db", key, self.outside / "clear")

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(OSError, IndexError):
                os.kill(self.daemon(), signal.SIGKILL)
            self.process.kill()
            self.process.wait()


@pytest.fixture
def canary(tmp_path: Path, marker: Marker, searcher: Searcher) -> Iterator[Canary]:
    disk = None
    if os.geteuid() == 0 and shutil.which("mke2fs"):
        disk = Disk(tmp_path)
        disk.format()
    if disk is None:
        one = Canary(tmp_path, marker, searcher, None)
        yield one
        one.end()
        return
    with mounted(disk.image, disk.folder):
        one = Canary(tmp_path, marker, searcher, disk)
        yield one
        one.end()


def test_nothing_of_a_picture_is_left_anywhere(canary: Canary) -> None:
    canary.configure(FPS)
    canary.start()
    workers = {one["name"]: one["pid"] for one in canary.pipelines()}
    if os.geteuid() == 0:  # a worker's memory is root's alone to read
        for name, pid in workers.items():
            seen = any(canary.searcher.names(piece) for piece in of_memory(pid))
            assert seen, f"the searcher finds no picture in the worker of {name}, where they are"
    for turn, name in enumerate(CRASHED):
        canary.play(SECONDS * (turn + 1) / (2 * len(CRASHED)))
        canary.crash(name, FATAL[turn % len(FATAL)])
        canary.look_into_daemon()
    canary.fill_the_disk()
    canary.configure(FPS - 1)
    ask(canary.box / "run", "reload")
    canary.until(lambda: all(one["state"] == "running" for one in canary.pipelines()))
    canary.look_into_daemon()
    canary.abort()
    canary.start()
    canary.play(SECONDS)
    canary.look_into_daemon()
    canary.stop()
    canary.search()
    assert canary.hits == []
    if not canary.why_not_traced:
        assert [line for log in canary.logs for line in strace.past(log)] == []
        assert [line for log in canary.logs for line in strace.unread(log)] == []
