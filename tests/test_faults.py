"""A small share of the campaign of faults (``make test-faults``), and what its parts promise one by one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from emulation import EMULATED
from faults import flips, interposer, workload
from faults.disk import Disk, Record

from edged.errors import DamagedError, StoreError
from edged.store import Store, database, examination, quarantine, rotation, wal
from edged.store.database import PAGE, suspicion
from edged.store.keys import Keyring
from edged.store.salvage import salvage

HERE = Path(__file__).parent
COMMITS = 60

needs_interposer = pytest.mark.skipif(
    interposer.compiler() is None or EMULATED,
    reason="what stands before libc takes a C compiler, and no emulator",
)


def campaign(*words: str, state: Path | None = None) -> str:
    """Run it; what it printed."""
    more = ["--state", str(state)] if state else []
    done = subprocess.run(
        [sys.executable, "-m", "faults", *words, *more], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost: 0; falsely served: 0; otherwise failed: 0" in done.stdout
    return done.stdout


@needs_interposer
def test_killed_at_any_instant_it_loses_nothing() -> None:
    said = campaign("kills", "--kills", "40")
    counting = re.findall(r"^ +(\d+)  .*, counting$", said, re.MULTILINE)
    assert "kills: 40" in said and len(counting) == 2 and min(map(int, counting)) > 5, said


@needs_interposer
def test_a_power_cut_loses_nothing_that_was_synced() -> None:
    assert "cuts: 60" in campaign("cuts", "--cuts", "60")


@needs_interposer
def test_a_disk_that_fails_or_is_full_costs_nothing() -> None:
    said = campaign("errors", "--part", "101")
    for what in ("EIO on read", "EIO on write", "EIO on sync", "ENOSPC on write"):
        assert what in said


@needs_interposer
def test_damage_is_seen_and_never_told_as_a_number() -> None:
    assert "flips: 30" in campaign("flips", "--flips", "30")


@needs_interposer
def test_a_campaign_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    campaign("cuts", "--cuts", "3", state=state)
    assert json.loads(state.read_text())["done"] == {"cuts": 3}
    assert "cuts: 5" in campaign("cuts", "--cuts", "5", state=state)


# --- the disk without mercy


def record(kind: int, file: int = 3, flags: int = 0, offset: int = 0, data: bytes = b"") -> Record:
    return Record(kind, 1, file, flags, offset, data)


def test_what_was_not_synced_may_be_gone_and_what_was_synced_is_not() -> None:
    import random

    steps = [
        record(1, 4, os.O_DIRECTORY, data=b"/d"),
        record(1, 3, os.O_CREAT, data=b"/d/f"),
        record(2, 3, offset=0, data=b"a" * 1000),
        record(4, 3),
        record(4, 4),
        record(2, 3, offset=0, data=b"b" * 1000),
    ]
    found = set()
    for seed in range(60):
        dice = random.Random(seed)
        disk = Disk("/d", dice)
        for one in steps:
            disk.follow(one)
        content = disk.cut(dice, "any")["/d/f"]
        assert set(content) <= set(b"ab")
        assert len(content) == 1000
        found.add(content)
        assert disk.cut(dice, "none") == {"/d/f": b"a" * 1000}
    assert {b"a" * 1000, b"b" * 1000} < found, "either, or parts of both"


# --- the log


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(database, "QUIET", 0.0)
    return tmp_path / "state" / "edged.db"


def killed(path: Path) -> wal.Log:
    """A store of some commits, as a kill leaves it."""
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store:
        writer = workload.Writer(store)
        for number in range(COMMITS):
            writer.commit(number)
        left = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    for name, content in left.items():
        path.with_name(name).write_bytes(content)
    return wal.read(log_of(path), PAGE)


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def place(frame: wal.Frame, within: int = 500) -> int:
    return 32 + frame.number * (24 + PAGE) + within


def test_a_whole_log_and_one_that_was_cut_off_are_no_damage(path: Path) -> None:
    log = killed(path)
    assert log.whole
    assert log.taken() == len(log.frames)
    assert wal.dropped(log, path, PAGE) == 0
    with log_of(path).open("r+b") as file:
        file.truncate(place(log.frames[-3]))
    assert wal.dropped(wal.read(log_of(path), PAGE), path, PAGE) == 0


@pytest.mark.parametrize("within", [0, 4, 9, 17, 500, 24 + PAGE - 1], ids=str)
def test_damage_in_the_middle_of_the_log_is_no_power_cut(path: Path, within: int) -> None:
    """SQLite takes it for one and drops what is behind it."""
    log = killed(path)
    flip(log_of(path), place(log.frames[len(log.frames) // 2], within))
    for read_only in (True, False):
        with pytest.raises(DamagedError, match="commits in its write-ahead log cannot be read"):
            Store.open(path, workload.KEY, read_only=read_only)


@pytest.mark.parametrize("at", [1, 9, 17, 25])
def test_a_damaged_header_of_the_log_is_seen(path: Path, at: int) -> None:
    killed(path)
    flip(log_of(path), at)
    with pytest.raises(DamagedError, match="write-ahead log"):
        Store.open(path, workload.KEY, read_only=True)


def test_a_header_that_was_torn_when_all_was_in_the_file_is_no_damage(path: Path) -> None:
    log = killed(path)
    with Store.open(path, workload.KEY, keep=workload.KEEP):
        pass  # its close copies the log into the file
    lay = b"\0" * 32 + b"".join(
        wal.FRAME.pack(one.page, one.pages, *one.salts, *one.sums) + one.content for one in log.frames
    )
    log_of(path).write_bytes(lay)
    assert workload.judge(workload.look(path), COMMITS - 1, COMMITS - 1) == COMMITS - 1


def test_behind_a_damaged_frame_nothing_is_lost_but_its_page(path: Path, tmp_path: Path) -> None:
    log = killed(path)
    later = [one.page for one in log.frames[60:]]
    hit = next(one for one in log.frames[40:60] if one.page in later)
    flip(log_of(path), place(hit))
    assert wal.dropped(wal.read(log_of(path), PAGE), path, PAGE) > 2
    report = salvage(path, workload.KEY, tmp_path / "saved.db", lambda *_: None)
    found = workload.look(report.into)
    assert workload.judge(found, COMMITS - 1, COMMITS - 1) == COMMITS - 1


# --- the salt


def test_one_damaged_byte_of_the_salt_is_damage_and_no_wrong_key(path: Path) -> None:
    killed(path)
    Store.open(path, workload.KEY, keep=workload.KEEP).close()
    flip(path, 5)
    with pytest.raises(DamagedError, match="first page"):
        Store.open(path, workload.KEY)
    into = path.with_name("saved.db")
    salvage(path, workload.KEY, into, lambda *_: None)
    assert workload.judge(workload.look(into), COMMITS - 1, COMMITS - 1) == COMMITS - 1


# --- put aside


def begin(path: Path) -> quarantine.Begun:
    ring = Keyring("here", bytearray(workload.KEY))
    return quarantine.begun(path, ring, keep=workload.KEEP, zone=flips._UTC)


def test_a_damaged_store_is_put_aside_with_its_log_and_a_new_one_begun(path: Path) -> None:
    log = killed(path)
    flip(log_of(path), place(log.frames[5]))
    before = path.read_bytes(), log_of(path).read_bytes()
    begun = begin(path)
    assert begun.aside == path.with_name("edged.db.damaged-1")
    assert "write-ahead log" in begun.damage
    assert workload.Writer(begun.opened.store).commit(0)
    begun.opened.store.close()
    assert (begun.aside.read_bytes(), log_of(begun.aside).read_bytes()) == before
    assert workload.judge(workload.look(path), 0, 0) == 0
    assert quarantine.kept(path) == [begun.aside]
    assert begin(path).aside is None


def test_what_is_damaged_when_it_is_written_is_looked_at_by_the_next_start(path: Path) -> None:
    killed(path)
    Store.open(path, workload.KEY, keep=workload.KEEP).close()
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store:
        root = store._database.value("SELECT rootpage FROM sqlite_master WHERE name = 'event'")
    flip(path, (root - 1) * PAGE + 700)
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store, pytest.raises(DamagedError):
        workload.Writer(store).commit(COMMITS)
    assert suspicion(path).exists()
    begun = begin(path)
    begun.opened.store.close()
    assert begun.aside is not None
    assert not suspicion(path).exists()


def test_a_suspicion_that_comes_to_nothing_is_dropped(path: Path) -> None:
    killed(path)
    suspicion(path).touch()
    begun = begin(path)
    begun.opened.store.close()
    assert begun.aside is None
    assert not suspicion(path).exists()
    assert workload.judge(workload.look(path), COMMITS - 1, COMMITS - 1) == COMMITS - 1


def test_a_card_that_spoils_one_store_after_the_other_is_given_up(path: Path) -> None:
    for number in range(quarantine.MOST + 1):
        log = killed(path)
        flip(log_of(path), place(log.frames[5]))
        if number < quarantine.MOST:
            begin(path).opened.store.close()
            for one in (path, log_of(path)):
                one.unlink(missing_ok=True)
    with pytest.raises(DamagedError, match="3 damaged stores lie beside it already"):
        begin(path)
    assert path.exists()


def test_a_wrong_key_puts_nothing_aside(path: Path) -> None:
    """SQLite may copy the log into the file, page by page as they are; nothing else happens."""
    killed(path)
    with pytest.raises(StoreError, match="does not open"):
        quarantine.begun(path, Keyring("here", bytearray(32)), zone=flips._UTC)
    assert {one.name for one in path.parent.iterdir()} <= {"edged.db", "edged.db-wal"}
    assert workload.judge(workload.look(path), COMMITS - 1, COMMITS - 1) == COMMITS - 1


@pytest.mark.parametrize("stop", range(6))
def test_a_power_cut_while_it_is_put_aside_leaves_it_under_one_name_or_both(
    path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    log = killed(path)
    flip(log_of(path), place(log.frames[5]))
    whole = path.read_bytes(), log_of(path).read_bytes()
    count = 0

    class Cut(BaseException):
        pass

    def cutting(real):  # type: ignore[no-untyped-def]
        def step(*given, **named):  # type: ignore[no-untyped-def]
            nonlocal count
            if count == stop:
                raise Cut
            count += 1
            return real(*given, **named)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "sync_folder", cutting(quarantine.sync_folder))
        patch.setattr(quarantine, "_link", cutting(quarantine._link))
        patch.setattr(Path, "unlink", cutting(Path.unlink))
        with pytest.raises(Cut):
            quarantine.put_aside(path)
    begin(path).opened.store.close()
    aside = quarantine.kept(path)
    assert (aside[0].read_bytes(), log_of(aside[0]).read_bytes()) == whole


def test_the_end_of_a_long_text_is_never_told_as_zeros(path: Path) -> None:
    """SQLCipher gives a spoilt page as zeros, and an error only with the next page; here there is no next."""
    killed(path)
    with Store.open(path, workload.KEY, keep=workload.KEEP):
        pass
    stopped, rows, _ = flips._map(path, free=False)
    last = max(number for number in stopped["overflow page"] if ("event", workload.text(53)) in rows[number])
    flip(path, (last - 1) * PAGE + 100)
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store:
        with pytest.raises(DamagedError):
            store._database.rows("SELECT text FROM event WHERE id = 54")
        with pytest.raises(DamagedError):
            workload.Writer(store).commit(COMMITS)
    assert suspicion(path).exists()


# --- looked at and saved


def test_a_whole_store_is_whole_and_saved_entirely(path: Path, tmp_path: Path) -> None:
    killed(path)
    found = examination.examined(path, workload.KEY, lambda *_: None)
    assert found.whole
    assert found.rows["event"] == COMMITS
    report = salvage(path, workload.KEY, tmp_path / "saved.db", lambda *_: None)
    assert not any(one.lost for one in report.tables.values())
    assert workload.judge(workload.look(report.into), COMMITS - 1, COMMITS - 1) == COMMITS - 1
    with pytest.raises(StoreError, match="is there already"):
        salvage(path, workload.KEY, report.into, lambda *_: None)


def test_what_a_store_remembers_of_itself_can_be_made_again(path: Path, tmp_path: Path) -> None:
    """Its marks and its list of tables are gone; the daemon goes on with what was saved, and nothing is
    counted twice.
    """
    killed(path)
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store:
        meta = store._database.value("SELECT rootpage FROM sqlite_master WHERE name = 'meta'")
        before = workload.content(store._database.rows)
    for page in (1, meta):
        flip(path, (page - 1) * PAGE + 300)
    into = tmp_path / "saved.db"
    salvage(path, workload.KEY, into, lambda *_: None)
    found = workload.look(into)
    assert found == before
    with Store.open(into, workload.KEY, keep=workload.KEEP) as store:
        writer = workload.Writer(store)
        for number in range(COMMITS, COMMITS + 60):
            assert writer.commit(number)
    workload.judge(workload.look(into), COMMITS + 59, COMMITS + 59)


def test_names_are_found_where_neither_their_table_nor_its_index_leads_to_them(
    path: Path, tmp_path: Path
) -> None:
    killed(path)
    with Store.open(path, workload.KEY, keep=workload.KEEP) as store:
        before = workload.content(store._database.rows)
        sql = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'series'"
        roots = [root for (root,) in store._database.rows(sql)]
    stopped, *_ = flips._map(path, free=False)
    assert set(roots) <= {*stopped["inner page"], *stopped["index inner page"]}, "there are leaves below"
    for page in roots:
        flip(path, (page - 1) * PAGE + 300)
    into = tmp_path / "saved.db"
    salvage(path, workload.KEY, into, lambda *_: None)
    assert workload.look(into) == before


def test_a_rescue_that_is_cut_off_leaves_nothing(path: Path, tmp_path: Path) -> None:
    killed(path)

    def stop(what: str, done: int, of: int) -> None:
        if what == "copying" and done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        salvage(path, workload.KEY, tmp_path / "saved.db", stop)
    assert [one.name for one in tmp_path.iterdir()] == ["state"]
    assert rotation.opens(path, workload.KEY)


def test_the_interposer_knows_the_names_of_its_records() -> None:
    source = interposer.SOURCE.read_text()
    names = re.search(r"enum \{ OPEN = 1, ([A-Z, ]+) \}", source)
    assert names
    assert names[1] == "WRITE, TRUNCATE, SYNC, UNLINK, RENAME, LINK, MARK, UNSYNCED"
