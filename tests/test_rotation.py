"""A rotation of the key: cut off at any instant, the store opens with exactly one of the keys that are
left, and nothing of it is lost.

Three kinds of cut. *Killed anywhere*: a process is stopped by the kernel's tracer before every system call
that changes a file, and killed there. *Killed at random*: the same by the clock. *Power cut*: at each of
the tracer's stops the disk is copied as it is then, without what the file system holds back, and mounted
again.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tracer
from disks import Disk, disk, mounted  # noqa: F401 - a fixture

from edged.cli.keys import rotate
from edged.clock import Reading
from edged.errors import DamagedError, StoreError, WrongKeyError
from edged.nouns import Bucket, Coverage, Entry, Series
from edged.store import Store, database, keys, rotation
from edged.store.keys import KEY, NEXT, Keyring

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
NOON = 1_772_366_400
SERIES = {"door": (Series("door", "occupancy", "person", "", "count"),)}
UTC = datetime.UTC
RUNS = 200
ROOT = os.geteuid() == 0

needs_tracer = pytest.mark.skipif(not tracer.usable(), reason="no process may be traced here")


def ring(old: bytes = OLD, new: bytes | None = NEW) -> Keyring:
    return Keyring("here", bytearray(old), None if new is None else bytearray(new))


def fill(path: Path, minutes: int = 30, key: bytes = OLD) -> Store:
    """A store of so many minutes, in ten commits."""
    store = Store.open(path, key)
    buckets = [bucket(minute) for minute in range(minutes)]
    for part in range(10):
        some = buckets[part::10]
        store.write(some, SERIES, Reading(NOON + 60.0 * minutes + 2.0, 0.0, 0.0, True, "boot"))
    return store


def bucket(minute: int) -> Bucket:
    entry = Entry(60.0, 60.0 * minute, minute, minute, 60.0 * minute * minute)
    return Bucket("door", NOON + 60 * minute, 60, (entry,), Coverage(300, 300, 60.0))


def fill_and_die(path: str, minutes: str) -> None:
    """As after a kill: the WAL is there, and nobody has folded it into the file."""
    store = fill(Path(path), int(minutes))
    assert store.size()
    os._exit(9)


def filled(path: Path, minutes: int = 30, key: bytes = OLD, killed: bool = False) -> list[object]:
    """A store, and what is in it."""
    if killed:
        program = "import sys, test_rotation; test_rotation.fill_and_die(*sys.argv[1:])"
        command = [sys.executable, "-c", program, str(path), str(minutes)]
        assert subprocess.run(command, cwd=Path(__file__).parent, check=False).returncode == 9
        assert path.with_name("edged.db-wal").stat().st_size > 0
    else:
        fill(path, minutes, key).close()
    return content(path, key)


def calm(path: Path) -> None:
    """Long since written, so that readers need not wait."""
    for one in (path, path.with_name(path.name + "-wal")):
        if one.exists():
            os.utime(one, (NOON, NOON))


def content(path: Path, key: bytes) -> list[object]:
    """Everything that is in the store. Raises ``WrongKeyError``."""
    calm(path)
    with Store.open(path, key, read_only=True) as store:
        assert store.verify() == []
        database = store._database
        tables = [name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        marks = [database.value(f"PRAGMA {mark}") for mark in ("user_version", "application_id", "page_size")]
        return [marks, *((name, sorted(database.rows(f'SELECT * FROM "{name}"'))) for name in sorted(tables))]


def fits(path: Path, key: bytes) -> bool:
    calm(path)
    try:
        Store.open(path, key, read_only=True).close()
    except WrongKeyError:
        return False
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "edged.db"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes while a reader reads, so none has to wait until that is sure."""
    monkeypatch.setattr(database, "QUIET", 0.0)


@pytest.fixture
def memory(tmp_path: Path, alone: None) -> Iterator[Path]:
    """Who is only killed needs no disk, and nothing to wait for it."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="edged-test-") as folder:
        yield Path(folder)


# --- what it does


def test_everything_is_under_the_new_key_and_nothing_is_left_of_the_old(path: Path) -> None:
    before = filled(path)
    result = rotation.opened(path, ring(), zone=UTC)
    result.store.close()
    assert (result.which, result.rotated, result.failed) == (NEXT, True, "")
    assert not fits(path, OLD)
    assert content(path, NEW) == before
    assert [one.name for one in path.parent.iterdir()] == ["edged.db"]


def test_it_keeps_every_page_and_mark(path: Path) -> None:
    """Pages are copied, not rows: free ones too."""
    with fill(path, 600) as store, store._database.transaction():
        store._database.write("DELETE FROM minute WHERE key < (SELECT max(key) FROM minute)")
    calm(path)
    with Store.open(path, OLD, read_only=True) as store:
        before, size = store._database.summary(), path.stat().st_size
    assert before[4] > 0, "there should be free pages"
    rotation.rekey(path, OLD, NEW)
    calm(path)
    with Store.open(path, NEW, read_only=True) as store:
        assert store._database.summary() == before
    assert path.stat().st_size == size


def test_what_only_the_wal_holds_is_taken_along(path: Path) -> None:
    before = filled(path, killed=True)
    rotation.opened(path, ring(), zone=UTC).store.close()
    assert content(path, NEW) == before


def test_the_new_file_is_its_owners_alone(path: Path) -> None:
    filled(path)
    rotation.rekey(path, OLD, NEW)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not ROOT, reason="only root works for somebody else")
def test_root_leaves_it_to_its_owner(path: Path) -> None:
    filled(path)
    os.chown(path, 12345, 12346)
    rotation.rekey(path, OLD, NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


def test_what_is_done_is_not_done_again(path: Path) -> None:
    filled(path)
    rotation.opened(path, ring(), zone=UTC).store.close()
    inode = path.stat().st_ino
    again = rotation.opened(path, ring(), zone=UTC)
    again.store.close()
    assert (again.which, again.rotated) == (NEXT, False)
    assert path.stat().st_ino == inode


def test_a_store_that_is_not_there_yet_begins_under_the_next_key(path: Path) -> None:
    path.parent.mkdir()
    result = rotation.opened(path, ring(), zone=UTC)
    result.store.close()
    assert (result.which, result.rotated, result.failed) == (NEXT, False, "")
    assert fits(path, NEW)


def test_one_key_or_twice_the_same_is_no_rotation(path: Path) -> None:
    filled(path)
    for both in (ring(new=None), ring(new=OLD)):
        result = rotation.opened(path, both, zone=UTC)
        result.store.close()
        assert (result.which, result.rotated) == (KEY, False)


def test_neither_key_fits(path: Path) -> None:
    filled(path, key=bytes([7] * 32))
    before = path.read_bytes()
    with pytest.raises(WrongKeyError):
        rotation.opened(path, ring(), zone=UTC)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["edged.db"]


def test_a_torn_first_page_that_the_wal_mends(path: Path) -> None:
    """A power cut while the WAL was being copied into the file: only opening it finds the key."""
    before = filled(path, killed=True)
    with path.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert rotation.fitting(path, ring()) == KEY
    assert rotation.fitting(path, ring(NEW, OLD)) == NEXT
    result = rotation.opened(path, ring(), zone=UTC)
    result.store.close()
    assert result.rotated
    assert content(path, NEW) == before


def test_progress_is_told_up_to_the_end(path: Path) -> None:
    filled(path)
    told: list[tuple[str, int, int]] = []
    rotation.rekey(path, OLD, NEW, lambda *what: told.append(what))
    assert [what for what, _, _ in told] == ["folding", "writing", "checking", "checking"]
    assert all(0 <= done <= of for _, done, of in told)


def test_who_listens_may_break_it_off(path: Path) -> None:
    before = filled(path)

    def stop(what: str, done: int, of: int) -> None:
        if what == "writing":
            raise SystemExit(0)

    with pytest.raises(SystemExit):
        rotation.opened(path, ring(), zone=UTC, told=stop)
    assert [one.name for one in path.parent.iterdir()] == ["edged.db"]
    assert content(path, OLD) == before


# --- what cannot be done


def test_without_room_the_store_keeps_its_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(path)
    monkeypatch.setattr(rotation, "room", lambda _: (5_000_000, 2_000_000))
    result = rotation.opened(path, ring(), zone=UTC)
    result.store.close()
    assert result.which == KEY
    assert "needs 5 MB" in result.failed
    assert "2 MB free" in result.failed
    assert content(path, OLD) == before


def test_a_disk_that_fills_up_meanwhile(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    path = disk.folder / "edged.db"
    before = filled(path, 3000)
    monkeypatch.setattr(rotation, "room", lambda _: (0, 1))
    disk.leave(path.stat().st_size // 2)
    result = rotation.opened(path, ring(), zone=UTC)
    result.store.close()
    assert result.which == KEY
    assert "no room left" in result.failed
    assert not path.with_name("edged.db-next").exists()
    assert content(path, OLD) == before


def test_a_damaged_store_is_not_written_anew(path: Path) -> None:
    filled(path, 2000)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 2000)
        file.write(bytes(100))
    before = path.read_bytes()
    with pytest.raises(DamagedError):
        rotation.rekey(path, OLD, NEW)
    assert path.read_bytes() == before
    assert fits(path, OLD)


def test_a_store_in_use_is_left_alone(path: Path) -> None:
    with fill(path) as store:
        program = (
            "import sys, test_rotation as t; from pathlib import Path; "
            "t.rotation.rekey(Path(sys.argv[1]), t.OLD, t.NEW)"
        )
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        assert "in use by another edged" in done.stderr
        store.event("began", "still here", reading=Reading(NOON + 9000.0, 0.0, 0.0, True, "boot"))
        store.write([], SERIES, Reading(NOON + 9000.0, 0.0, 0.0, True, "boot"))
    assert fits(path, OLD)


def test_a_copy_that_is_not_whole_never_takes_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(path)
    copied = rotation.Database.copy_to

    def and_lose_something(self: rotation.Database, fresh: Path, key: bytes, told: rotation.Told) -> None:
        copied(self, fresh, key, lambda *_: None)
        program = "DELETE FROM minute WHERE key = (SELECT max(key) FROM minute)"
        with Store.open(fresh, key) as store, store._database.transaction():
            assert store._database.write(program) == 1

    monkeypatch.setattr(rotation.Database, "copy_to", and_lose_something)
    with pytest.raises(DamagedError, match="is not whole: it is not the same"):
        rotation.rekey(path, OLD, NEW)
    assert content(path, OLD) == before
    assert [one.name for one in path.parent.iterdir()] == ["edged.db"]


def test_a_store_that_was_exchanged_meanwhile_is_not_written(path: Path, tmp_path: Path) -> None:
    """Another edged has finished a rotation between our opening the file and our lock on it."""
    filled(path)
    filled(tmp_path / "other" / "edged.db", key=NEW)
    look = rotation.Database._look_into

    def and_exchange(self: rotation.Database) -> None:
        look(self)
        (tmp_path / "other" / "edged.db").rename(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation.Database, "_look_into", and_exchange)
        with pytest.raises(StoreError, match="in use by another edged"):
            Store.open(path, NEW)
    assert fits(path, NEW)


# --- cut off


class Box:
    """A key file, its store and a config, in one folder; and the whole command on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.key = folder / "state" / "edged.db", folder / "state" / "key"
        self.config = folder / "edged.toml"

    def fill(self, killed: bool = False) -> list[object]:
        self.config.write_text(
            '[daemon]\nstate_dir = "state"\nruntime_dir = "run"\n'
            '[pipelines.door]\nsource = { kind = "synthetic" }\n'
        )
        keys.create(self.key, OLD)
        return filled(self.store, 8, killed=killed)

    def rotate(self) -> None:
        """The command, in this process."""
        calm(self.store)
        rotate.command.main(["--config", str(self.config)], standalone_mode=False)

    def left(self) -> tuple[str, ...]:
        """What lies in the state folder."""
        return tuple(sorted(one.name for one in self.key.parent.iterdir()))

    def check(self, before: list[object]) -> None:
        """One of the keys that are left opens the store, the other does not, and nothing is lost; the
        daemon's way of opening goes on from there, and then the command.
        """
        with keys.from_file(self.key) as both:
            found = [bytes(one) for one in (both.key, both.next) if one and fits(self.store, bytes(one))]
            assert len(set(found)) == 1, f"{len(set(found))} keys fit; {self.left()}"
            assert content(self.store, found[0]) == before
            result = rotation.opened(self.store, both, zone=UTC)
            result.store.close()
            assert not result.failed
            assert content(self.store, bytes(both[result.which])) == before
        self.rotate()
        with keys.from_file(self.key) as both:
            assert both.next is None
            assert both.key != OLD
            assert content(self.store, bytes(both.key)) == before
        assert self.left() == ("edged.db", "key")


@needs_tracer
@pytest.mark.parametrize("killed_before", [False, True], ids=["folded", "with a WAL"])
def test_killed_before_every_change(memory: Path, killed_before: bool) -> None:
    first = Box(memory / "first")
    first.folder.mkdir()
    before = first.fill(killed_before)
    names: list[str] = []
    last = calls = 0
    while last == calls:  # until one run comes to its end before it is to be killed
        last += 1
        names.clear()
        box = Box(shutil.copytree(first.folder, memory / f"box {last}"))
        calls = tracer.traced(
            box.rotate, lambda number, name, last=last: bool(names.append(name)) or number == last
        )
        try:
            box.check(before)
        except BaseException as error:
            error.add_note(f"killed before call {last}: {names}")
            raise
        shutil.rmtree(box.folder)
    assert {"fsync", "pwrite64", "rename"} < set(names), "the tracer did not see what it is for"


def test_killed_at_random_instants(memory: Path) -> None:
    dice = random.Random(20260301)
    first = Box(memory / "first")
    first.folder.mkdir()
    before = first.fill(killed=True)
    took = max(killed_after(Box(shutil.copytree(first.folder, memory / f"t{n}")), 60.0) for n in range(3))
    left = []
    for run in range(RUNS):
        box = Box(memory / "box")
        shutil.copytree(first.folder, box.folder)
        killed_after(box, dice.uniform(0.0, took * 1.1))
        left.append(box.left())
        try:
            box.check(before)
        except BaseException as error:
            error.add_note(f"run {run}, in which it left {left[-1]}")
            raise
        shutil.rmtree(box.folder)
    assert len(set(left)) >= 4, f"the kills did not meet enough different moments: {set(left)}"


def killed_after(box: Box, seconds: float) -> float:
    """Rotate in a process of its own and kill it after a while; how long it took."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            box.rotate()
        finally:
            os._exit(0)
    ended = os.pidfd_open(child)
    try:
        import select

        if not select.select([ended], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(ended)
        os.waitpid(child, 0)
    return time.monotonic() - began


@needs_tracer
@pytest.mark.parametrize("names_first", [False, True], ids=["nothing written out", "names written out first"])
def test_power_cut_before_every_change(
    disk: Disk,  # noqa: F811
    tmp_path: Path,
    alone: None,
    names_first: bool,
) -> None:
    """``names_first``: the file system commits its journal at each stop, so that names are on the disk whose
    content is not. Disks that are the same as the one before are looked at once.
    """
    box = Box(disk.folder)
    before = box.fill(killed=True)
    os.sync()
    cuts: dict[str, tuple[Path, int, str]] = {}
    seen: list[str] = []

    def cut(number: int, name: str) -> bool:
        again = seen[-1:] == ["pwrite64"] == [name]  # page after page of one file
        seen.append(name)
        if again:
            return False
        if names_first:
            disk.write_names_out()
        copy = disk.as_after_a_cut(tmp_path / f"cut-{number}")
        digest = hashlib.file_digest(copy.open("rb"), "sha256").hexdigest()
        if digest in cuts:
            copy.unlink()
        else:
            cuts[digest] = (copy, number, name)
        return False

    tracer.traced(box.rotate, cut)
    cut(0, "the end")
    assert len(cuts) >= 8, "the disk should have changed more often"
    (tmp_path / "again").mkdir()
    for copy, number, name in cuts.values():
        with mounted(copy, tmp_path / "again") as folder:
            try:
                Box(folder).check(before)
            except BaseException as error:
                error.add_note(f"the power was cut before call {number} ({name})")
                raise
        copy.unlink()
