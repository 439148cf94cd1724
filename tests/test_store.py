"""The store as a file: encrypted or refused, whole after every cut, and every second in every table once."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.clock import Reading, zone
from edged.config.shape import Keep
from edged.errors import (
    DamagedError,
    NewerSchemaError,
    NotEncryptedError,
    StoreError,
    WrongKeyError,
)
from edged.nouns import Bucket, Coverage, Entry, Series
from edged.store import Store, ledger, schema
from edged.store.database import PAGE

KEY = bytes(range(32))
NOON = 1_772_366_400  # 2026-03-01 12:00 UTC
SERIES = {
    "door": (
        Series("door", "occupancy", "person", "", "count"),
        Series("door", "presence", "person", "porch", "share"),
        Series("door", "level", "loudness", "", "dB"),
    )
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "edged.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, KEY) as opened:
        yield opened


def reading(now: float, good: bool = True, boot: str = "boot-a", booted: float = 0.0) -> Reading:
    return Reading(now - booted, 0.0, booted, good, boot)


def bucket(start: int, value: float = 2.0, seconds: float = 60.0, width: int = 60, boot: str = "") -> Bucket:
    entries = tuple(
        Entry(seconds, one * seconds, one - 1, one + 1, one * one * seconds)
        for one in (value, 0.5, -31.25 * value)
    )
    return Bucket("door", start, width, entries, Coverage(5 * seconds, round(5 * seconds), seconds), boot)


def write(store: Store, *buckets: Bucket, now: float | None = None) -> None:
    store.write(buckets, SERIES, reading(now or max((one.start + 62.0 for one in buckets), default=NOON)))


def rows(store: Store, table: str) -> list[tuple[float, ...]]:
    """(start, series, ms, sum, min, max, sumsq) of the numbers' series, not of the coverage's."""
    return store._database.rows(
        f"SELECT key >> 16, key & 65535, ms, sum, min, max, sumsq FROM {table} WHERE ms > 0 ORDER BY key"
    )


def seconds(store: Store, table: str) -> dict[int, float]:
    found = store._database.rows(f"SELECT key >> 16, ms FROM {table} WHERE key & 65535 = 0 ORDER BY key")
    return {start: ms / 1000 for start, ms in found}


# --- encrypted or refused


def test_the_file_is_for_its_owner_alone(store: Store, path: Path) -> None:
    write(store, bucket(NOON))
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_on_the_disk_can_be_read(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.event("began", "nobody may read this", reading=reading(NOON))
        write(store, *(bucket(NOON + 60 * one) for one in range(100)))
        seen = b"".join(file.read_bytes() for file in path.parent.iterdir())
    seen += path.read_bytes()
    for word in (b"person", b"porch", b"nobody", b"CREATE", b"SQLite format 3", KEY, KEY.hex().encode()):
        assert word not in seen
    # Ciphertext does not compress; a plain database of the same rows shrinks to a quarter.
    packed = subprocess.run(
        ["gzip", "-c"], input=path.read_bytes(), stdout=subprocess.PIPE, check=True
    ).stdout
    assert len(packed) > 0.99 * path.stat().st_size


def test_an_independent_implementation_opens_it_with_the_key_and_not_without(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON), bucket(NOON + 60))

    def opened(key: bytes) -> list[tuple[object, ...]]:
        other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        other.pragma("cipher", "sqlcipher")
        other.pragma("legacy", 4)
        other.pragma("legacy_page_size", PAGE)
        other.pragma("key", f"x'{key.hex()}'")
        return list(other.execute("SELECT key >> 16, ms, sum FROM minute WHERE key & 65535 = 0"))

    assert opened(KEY) == [(NOON, 60000, 120000.0), (NOON + 60, 60000, 120000.0)]
    with pytest.raises(apsw.NotADBError):
        opened(bytes(32))


def test_plain_sqlite_refuses_it(path: Path) -> None:
    Store.open(path, KEY).close()
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        sqlite3.connect(path).execute("SELECT * FROM minute")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_plain_file_is_refused_and_left_as_it_is(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "plain.db"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE t (a)")
    plain.close()
    before = path.read_bytes()
    with pytest.raises(NotEncryptedError, match="plain SQLite database"):
        Store.open(path, KEY, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_wrong_key_is_refused_and_the_file_left_as_it_is(path: Path, read_only: bool) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    before = path.read_bytes()
    with pytest.raises(WrongKeyError, match="the key does not open") as caught:
        Store.open(path, bytes(32), read_only=read_only)
    assert path.read_bytes() == before
    assert bytes(32).hex() not in caught.value.message + caught.value.hint


def damage(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE + PAGE // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_first_page_is_not_blamed_on_the_key(path: Path, read_only: bool) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    damage(path, 1)
    with pytest.raises(DamagedError, match="first page"):
        Store.open(path, KEY, read_only=read_only)
    with pytest.raises(WrongKeyError):
        Store.open(path, bytes(32), read_only=read_only)


def test_a_damaged_page_is_found_when_it_is_read(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, *(bucket(NOON + 60 * one) for one in range(600)))
    pages = path.stat().st_size // PAGE
    damage(path, pages - 20)
    with Store.open(path, KEY, read_only=True) as store:
        assert store.verify() == [f"HMAC verification failed for page {pages - 20}"]
        with pytest.raises(DamagedError, match="a page of it does not verify"):
            list(store.report(0, 2e9, 60))


def test_a_file_that_was_cut_off_is_damaged(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, *(bucket(NOON + 60 * one) for one in range(600)))
    os.truncate(path, 20 * PAGE)
    with pytest.raises(DamagedError), Store.open(path, KEY, read_only=True) as store:
        list(store.report(0, 2e9, 60))


def test_noise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(random.Random(1).randbytes(50 * PAGE + 77))
    with pytest.raises(StoreError):
        Store.open(path, KEY)


def test_a_newer_schema_is_refused(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store._database.write(f"PRAGMA user_version = {schema.VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(
            NewerSchemaError, match=f"its schema is {schema.VERSION + 1}, ours {schema.VERSION}"
        ):
            Store.open(path, KEY, read_only=read_only)


def test_another_programs_encrypted_file_is_refused(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store._database.write("PRAGMA application_id = 7")
    with pytest.raises(StoreError, match="another program's"):
        Store.open(path, KEY)


def test_a_second_daemon_is_refused(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match="in use by another edged"):
        Store.open(path, KEY)
    write(store, bucket(NOON))


def test_a_second_daemon_is_refused_in_a_process_of_its_own(store: Store, path: Path) -> None:
    """SQLite knows what its own process holds; between processes there are only the kernel's locks."""
    program = (
        "import sys; from pathlib import Path; from edged.store import Store; "
        "Store.open(Path(sys.argv[1]), bytes(range(32)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert "in use by another edged" in done.stderr
    write(store, bucket(NOON))


def test_there_is_nothing_to_read_before_anything_was_written(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(path, KEY, read_only=True)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be"):
        Store.open(tmp_path / "file" / "edged.db", KEY)
    with pytest.raises(StoreError, match="cannot be"):
        Store.open(tmp_path, KEY)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """A power cut right after the file was made leaves one."""
    path.parent.mkdir()
    path.touch()
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    with Store.open(path, KEY, read_only=True) as store:
        assert store.span() is not None


def test_a_migration_that_fails_leaves_the_version_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    broken = (*schema.MIGRATIONS, ("CREATE TABLE later (a)", "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    monkeypatch.setattr(schema, "VERSION", len(broken))
    with pytest.raises(StoreError, match="nowhere"):
        Store.open(path, KEY)
    monkeypatch.undo()
    with Store.open(path, KEY) as store:
        assert store.facts().schema == schema.VERSION
        assert store._database.rows("SELECT 1 FROM sqlite_master WHERE name = 'later'") == []
        assert seconds(store, "minute") == {NOON: 60.0}


def test_an_older_schema_is_brought_up_to_date_by_the_daemon_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(path, KEY).close()
    newer = (*schema.MIGRATIONS, ("CREATE TABLE later (a)",))
    monkeypatch.setattr(schema, "MIGRATIONS", newer)
    monkeypatch.setattr(schema, "VERSION", len(newer))
    with pytest.raises(StoreError, match="older edged"):
        Store.open(path, KEY, read_only=True)
    Store.open(path, KEY).close()
    with Store.open(path, KEY, read_only=True) as store:
        assert store.facts().schema == len(newer)


# --- writing


def test_what_is_written_is_what_was_counted(store: Store) -> None:
    write(store, bucket(NOON, value=3.0))
    assert rows(store, "minute") == [
        (NOON, 0, 60000, 180000.0, 2000.0, 4000.0, 540000.0),
        (NOON, 1, 60000, 30000.0, -500.0, 1500.0, 15000.0),
        (NOON, 2, 60000, -5625.0, -94.75, -92.75, 527343.75),
    ]


def test_a_restart_within_a_minute_continues_the_bucket(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON, value=1.0, seconds=20.5))
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON, value=4.0, seconds=30.25))
        assert rows(store, "minute")[0] == (NOON, 0, 50750, 141500.0, 0.0, 5000.0, 504500.0)
        (found,) = store.coverage(NOON, NOON + 60)
        assert found.coverage == Coverage(expected=253.75, analysed=253, observed=50.75)


def test_a_series_that_saw_nothing_has_no_row(store: Store) -> None:
    seen = bucket(NOON)
    blind = Bucket("door", NOON + 60, 60, (), Coverage(blind=60.0))
    partly = Bucket("door", NOON + 120, 60, (Entry(), *seen.entries[1:]), Coverage(observed=60.0))
    write(store, seen, blind, partly)
    assert list(seconds(store, "minute")) == [NOON]
    assert len(rows(store, "minute")) == 5
    (found,) = store.coverage(NOON, NOON + 180)
    assert (found.coverage.blind, found.coverage.observed) == (60.0, 120.0)


def test_wrong_entries_are_refused_whole(store: Store) -> None:
    wrong = Bucket("door", NOON + 60, 60, (Entry(1.0),), Coverage())
    with pytest.raises(ValueError, match="1 entries for 3 series"):
        write(store, bucket(NOON), wrong)
    assert seconds(store, "minute") == {}
    write(store, bucket(NOON))
    assert seconds(store, "minute") == {NOON: 60.0}


def test_a_full_disk_writes_nothing_and_the_same_can_be_written_later(store: Store) -> None:
    write(store, bucket(NOON))
    store.event("low", "disk", reading=reading(NOON))
    store._database.write(f"PRAGMA max_page_count = {store._database.value('PRAGMA page_count') + 1}")
    more = [bucket(NOON + 60 * one) for one in range(1, 200)]
    with pytest.raises(StoreError, match="no room left"):
        write(store, *more)
    assert seconds(store, "minute") == {NOON: 60.0}
    store._database.write("PRAGMA max_page_count = 1000000")
    write(store, *more)
    assert len(seconds(store, "minute")) == 200
    assert [one.kind for one in store.events()] == ["low"]


def test_a_new_series_of_a_failed_commit_is_made_again(store: Store) -> None:
    new = {"yard": (Series("yard", "occupancy", "cat", "", "count"),)}
    wanted = Bucket("yard", NOON, 60, (Entry(60.0, 60.0, 1.0, 1.0, 60.0),), Coverage(observed=60.0))
    broken = Bucket("yard", NOON, 60, (Entry(), Entry()), Coverage())
    with pytest.raises(ValueError, match="2 entries"):
        store.write([wanted, broken], new, reading(NOON))
    store.write([wanted], new, reading(NOON))
    (row,) = store.report(NOON, NOON + 60, 60)
    assert (row.series.label, row.mean) == ("cat", 1.0)


WRITER = """
import sys
sys.path.insert(0, {root!r})
from tests.test_store import *
store = Store.open(Path({path!r}), KEY)
for number in range({first}, 100000):
    write(store, bucket(NOON + 60 * number))
    print(number, flush=True)
    time.sleep({pause})
"""


def writer(path: Path, root: Path, first: int = 0, pause: float = 0.0) -> subprocess.Popen[str]:
    code = WRITER.format(root=str(root), path=str(path), first=first, pause=pause)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_killed_daemon_loses_nothing_that_was_committed(path: Path, root: Path) -> None:
    told = -1
    for turn in range(3):
        process = writer(path, root, told + 1)
        assert process.stdout is not None
        for line in process.stdout:
            told = int(line)
            if told >= 90 * (turn + 1):
                process.send_signal(signal.SIGKILL)
                break
        rest = process.stdout.read().split()
        told = max([told, *map(int, rest)])
        process.wait()
        process.stdout.close()
        with Store.open(path, KEY) as store:
            kept = seconds(store, "minute")
            assert all(value == 60.0 for value in kept.values())
            assert told <= max(kept) // 60 - NOON // 60 <= told + 1
            assert sum(seconds(store, "hour").values()) == sum(kept.values()) - 60.0 * (len(kept) % 60 or 60)
            assert store.verify() == []
            told = len(kept) - 1


def test_a_power_cut_leaves_some_commit_whole(path: Path, tmp_path: Path) -> None:
    """The last write to the card may be cut at any byte, or be torn: then the commits before it are what
    there is.
    """
    wal = path.with_name("edged.db-wal")
    with Store.open(path, KEY) as store:
        sizes = []
        for number in range(70):
            write(store, bucket(NOON + 60 * number))
            sizes.append(wal.stat().st_size)
        file, log = path.read_bytes(), wal.read_bytes()
    chance = random.Random(3)
    copy = tmp_path / "copy"
    for _ in range(25):
        cut = chance.randrange(sizes[0], sizes[-1])
        torn = log[:cut] + chance.randbytes(chance.randrange(3) * 700)
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / "edged.db").write_bytes(file)
        (copy / "edged.db-wal").write_bytes(torn)
        with Store.open(copy / "edged.db", KEY) as store:
            assert store.verify() == []
            assert len(seconds(store, "minute")) == sum(size <= cut for size in sizes)


def test_readers_see_whole_commits_while_the_daemon_writes(path: Path, root: Path) -> None:
    process = writer(path, root, pause=0.12)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "0\n"
        seen = []
        with Store.open(path, KEY, read_only=True) as store:
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                found = list(store.report(NOON, NOON + 10**6, math.inf))
                assert len(found) == 3
                assert {one.seconds for one in found} == {found[0].coverage.observed}
                assert found[0].seconds % 60 == 0
                seen.append(found[0].seconds)
        assert seen == sorted(seen)
        assert len(set(seen)) > 2, "and they see what is new"
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_a_reader_reads_what_a_killed_daemon_left(path: Path, root: Path) -> None:
    process = writer(path, root)
    assert process.stdout is not None
    told = next(number for line in process.stdout if (number := int(line)) > 70)
    process.kill()
    process.communicate()
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    assert before["edged.db-wal"]
    with Store.open(path, KEY, read_only=True) as store:
        (row, *_) = store.report(0, 2e9, math.inf)
        assert row.seconds >= 60.0 * (told + 1)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_may_look_and_leaves_nothing_that_the_daemons_user_cannot_write(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    for one in (path, path.parent):
        os.chown(one, 12345, 12345)
    with Store.open(path, KEY, read_only=True) as store:
        assert len(store.latest()) == 3
    assert {one.stat().st_uid for one in path.parent.iterdir()} == {12345}
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}


def test_a_reader_changes_nothing(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    before = path.read_bytes()
    with Store.open(path, KEY, read_only=True) as store:
        list(store.report(0, 2e9, 60))
        with pytest.raises(StoreError):
            write(store, bucket(NOON))
    assert path.read_bytes() == before
    assert {one.name for one in path.parent.iterdir() if one.stat().st_size} == {"edged.db"}


# --- rolling up


def after_a_cut(path: Path) -> dict[int, float]:
    """Seconds counted in what is on the disk under the store's names, as a power cut leaves it."""
    folder = path.parent.parent / "after"
    shutil.copytree(path.parent, folder)
    with Store.open(folder / path.name, KEY) as store:
        return seconds(store, "minute")


def test_a_reader_leaves_the_writers_wal_its_name(path: Path) -> None:
    """Of a writer that has not written yet: its WAL is empty, and SQLite tidies away an empty one."""
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
    with Store.open(path, KEY) as store:
        with Store.open(path, KEY, read_only=True) as reader:
            assert reader.verify() == []
        write(store, bucket(NOON + 60))
        assert set(after_a_cut(path)) == {NOON, NOON + 60}


def test_a_wal_that_somebody_removed_costs_no_commit(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
        path.with_name(f"{path.name}-wal").unlink()
        write(store, bucket(NOON + 60))
        assert set(after_a_cut(path)) == {NOON, NOON + 60}


def hours(store: Store) -> dict[int, float]:
    return {(start - NOON) // 3600: value for start, value in seconds(store, "hour").items()}


def test_an_hour_is_made_when_the_next_begins(store: Store) -> None:
    for minute in range(60):
        write(store, bucket(NOON + 60 * minute, value=minute % 7))
    assert hours(store) == {}
    write(store, bucket(NOON + 3600))
    assert hours(store) == {0: 3600.0}
    total = sum(minute % 7 for minute in range(60))
    squares = sum((minute % 7) ** 2 for minute in range(60))
    assert rows(store, "hour")[0] == (NOON, 0, 3600000, total * 6e4, -1000.0, 7000.0, squares * 6e4)


@given(order=st.permutations(range(0, 60 * 60, 25)), commits=st.integers(1, 40), again=st.integers(0, 2**30))
@settings(max_examples=25, deadline=None)
def test_every_table_holds_every_second_once_in_whatever_order_it_comes(
    order: list[int], commits: int, again: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("order") / "edged.db"
    minutes = [NOON + 60 * one for one in order]
    size = -(-len(minutes) // commits)
    with Store.open(path, KEY, zone=zone("Asia/Kolkata")) as store:
        for first in range(0, len(minutes), size):
            write(
                store, *(bucket(one, seconds=10.0) for one in minutes[first : first + size]), now=NOON + 10**6
            )
        late = minutes[again % len(minutes)]
        write(
            store,
            bucket(late, value=9.0, seconds=7.0),
            bucket(NOON + 90 * 3600, seconds=1.0),
            now=NOON + 10**6,
        )
        whole = 10.0 * len(minutes) + 7.0
        assert sum(seconds(store, "minute").values()) == whole + 1.0
        assert sum(seconds(store, "hour").values()) == whole
        assert sum(seconds(store, "day").values()) == whole
        for table in ("minute", "hour", "day"):
            sums = store._database.rows(
                f"SELECT key & 65535, sum(sum), max(max), sum(sumsq) FROM {table} "
                f"WHERE key < {(NOON + 90 * 3600) << 16} GROUP BY 1 ORDER BY 1"
            )
            assert sums[0] == (0, (whole - 7.0) * 2000 + 63000, 10000.0, (whole - 7.0) * 4000 + 7 * 81000)


def test_late_buckets_reach_the_day_even_when_the_minutes_are_gone(path: Path) -> None:
    keep = Keep(minute=86400.0, hour=10 * 86400.0)
    with Store.open(path, KEY, keep=keep) as store:
        for hour in range(24 * 20):
            write(store, bucket(NOON + 3600 * hour))
        before = seconds(store, "day")
        write(store, bucket(NOON + 60, seconds=30.0), now=NOON + 20 * 86400)
        after = seconds(store, "day")
        day = NOON - NOON % 86400
        assert after == {**before, day: before[day] + 30.0}
        assert min(seconds(store, "minute")) > NOON + 60, "and make no minute that is too old to be kept"


def test_a_year_with_a_leap_day_in_a_zone_with_summer_time(path: Path) -> None:
    begin, berlin = 1_830_294_000, zone("Europe/Berlin")  # 2028-01-01 00:00 there
    ever = Keep(minute=math.inf, hour=math.inf)
    with Store.open(path, KEY, keep=ever, zone=berlin) as store:
        hours = range(366 * 24 + 1)
        for first in range(0, len(hours), 17):
            write(store, *(bucket(begin + 3600 * one, seconds=30.0) for one in hours[first : first + 17]))
        days = seconds(store, "day")
    assert len(days) == 366
    assert sorted(set(days.values())) == [23 * 30.0, 24 * 30.0, 25 * 30.0]
    assert sum(days.values()) == 366 * 24 * 30.0
    with Store.open(path, KEY, zone=berlin, read_only=True) as store:
        months = {one.start: one.seconds for one in store.report(begin, begin + 366 * 86400, 86400)}
        assert months == days


@pytest.mark.parametrize("after", ["America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("minutes", [60, 7])
def test_every_second_is_told_once_through_a_change_of_zone(path: Path, after: str, minutes: int) -> None:
    with Store.open(path, KEY, zone=zone("Europe/Berlin")) as store:
        for hour in range(0, 24 * 6, 3):
            write(store, *(bucket(NOON + 3600 * hour + 60 * one) for one in range(0, 180, minutes)))
    with Store.open(path, KEY, zone=zone(after)) as store:
        for hour in range(24 * 6, 24 * 9, 3):
            total = sum(seconds(store, "minute").values())
            for step in (600, 3600, 86400, math.inf):
                told = [one for one in store.report(0, 2e9, step) if one.series.measure == "occupancy"]
                assert sum(one.seconds for one in told) == total, (hour, step)
            write(store, *(bucket(NOON + 3600 * hour + 60 * one) for one in range(0, 180, minutes)))


def test_another_zone_has_other_days(path: Path) -> None:
    with Store.open(path, KEY, zone=zone("Europe/Berlin")) as store:
        for hour in range(24 * 6):
            write(store, bucket(NOON + 3600 * hour))
        total = sum(seconds(store, "hour").values())
    with Store.open(path, KEY, zone=zone("America/New_York")) as store:
        for hour in range(24 * 6, 24 * 9):
            write(store, bucket(NOON + 3600 * hour))
        days = seconds(store, "day")
        assert len([one for one in days if one % 86400 == 5 * 3600]) >= 6, "midnight in New York"
        assert list(days.values())[1:-1].count(24 * 60.0) >= 5
        ends = store._ledger._memory.mark(schema.DAY)
        assert sum(days.values()) == sum(value for at, value in seconds(store, "minute").items() if at < ends)
        assert total + 72 * 60.0 == sum(seconds(store, "hour").values())


# --- resolutions


def test_seconds_are_kept_when_asked_for_and_rolled_up(path: Path) -> None:
    keep = Keep(second=3600.0)
    with Store.open(path, KEY, keep=keep) as store:
        for minute in range(180):
            write(
                store,
                *(bucket(NOON + 60 * minute + one, seconds=1.0, width=1) for one in range(60)),
                now=NOON + 60 * minute + 60,
            )
        assert set(seconds(store, "minute").values()) == {60.0}
        assert len(seconds(store, "minute")) == 179
        assert hours(store) == {0: 3600.0, 1: 3600.0}
        kept = len(seconds(store, "second"))
        assert 3600 <= kept <= 2 * 3600, "an hour of them, and at most one more until it is dropped"


def test_seconds_no_longer_wanted_are_rolled_up_first(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(second=86400.0)) as store:
        write(store, *(bucket(NOON + one, seconds=1.0, width=1) for one in range(90)))
    with Store.open(path, KEY) as store:
        assert seconds(store, "minute") == {NOON: 60.0, NOON + 60: 30.0}
        write(store, bucket(NOON + 60, seconds=20.0))
        assert seconds(store, "minute") == {NOON: 60.0, NOON + 60: 50.0}
        write(store, bucket(NOON + 7200))
        assert seconds(store, "second") == {}
        assert hours(store) == {0: 110.0}


def test_what_was_counted_before_seconds_were_wanted_is_told_at_once(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
        store.keep(Keep(second=math.inf))
        write(store, now=NOON + 62.0)
        assert [(row.start, row.seconds) for row in store.report(0, NOON + 60, 60.0)] == [(NOON, 60.0)] * 3


def test_seconds_newly_wanted(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON, seconds=60.0), bucket(NOON + 60, seconds=10.0))
    with Store.open(path, KEY, keep=Keep(second=86400.0)) as store:
        write(store, *(bucket(NOON + 70 + one, seconds=1.0, width=1) for one in range(120)))
        write(store, bucket(NOON + 7200, seconds=1.0, width=1), now=NOON + 7200)
        assert hours(store) == {0: 190.0}
        (row, *_) = store.report(NOON, NOON + 3600, 3600)
        assert row.seconds == 190.0


def test_what_is_not_kept_is_only_in_between(path: Path) -> None:
    keep = Keep(minute=0.0, hour=0.0, day=math.inf)
    with Store.open(path, KEY, keep=keep) as store:
        for minute in range(0, 60 * 24 * 3, 10):
            write(store, bucket(NOON + 60 * minute))
        assert min(seconds(store, "minute")) >= NOON + 3600 * (24 * 3 - 2)
        assert len(hours(store)) <= 24
        assert seconds(store, "day")[NOON + 43200] == 144 * 60.0
        (row, *_) = store.report(0, 2e9, math.inf)
        assert row.seconds == 60.0 * 6 * 24 * 3


def test_a_day_that_is_not_kept_is_not_made(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(hour=0.0, day=0.0)) as store:
        for hour in range(60):
            write(store, bucket(NOON + 3600 * hour))
        assert seconds(store, "hour") == seconds(store, "day") == {}
        assert len(seconds(store, "minute")) == 60


def test_each_resolution_is_kept_for_its_time(path: Path) -> None:
    keep = Keep(minute=2 * 86400.0, hour=10 * 86400.0, day=30 * 86400.0)
    with Store.open(path, KEY, keep=keep) as store:
        for hour in range(0, 24 * 40, 2):
            write(store, *(bucket(NOON + 3600 * one) for one in range(hour, hour + 2)))
        now = NOON + 3600 * (24 * 40 - 1)
        for table, kept, width in (("minute", 2, 60), ("hour", 10, 3600), ("day", 30, 86400)):
            oldest = min(seconds(store, table))
            assert now - kept * 86400 - width - 3600 * 12 <= oldest - width <= now + 3600 - kept * 86400
        (row, *_) = store.report(0, 2e9, math.inf)
        assert 30 * 24 * 60 <= row.seconds <= 32 * 24 * 60


def test_the_file_does_not_grow_once_what_is_new_takes_the_place_of_what_is_dropped(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(minute=86400.0, hour=0.0, day=0.0)) as store:
        sizes = []
        for start in range(NOON, NOON + 5 * 86400, 3600):
            write(store, *(bucket(one) for one in range(start, start + 3600, 60)))
            sizes.append(store._database.value("PRAGMA page_count"))
    assert sizes[-1] <= sizes[24 * 2] * 1.1
    assert sizes[24 * 2] > 1.5 * sizes[12]


def test_nothing_is_dropped_while_the_time_is_not_known(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(minute=86400.0)) as store:
        write(store, bucket(NOON))
        store.write([], SERIES, reading(NOON + 10**8, good=False))
        assert seconds(store, "minute") == {NOON: 60.0}


def test_a_clock_that_is_trusted_and_wrong_does_not_drop_all_at_once(path: Path) -> None:
    with Store.open(path, KEY, keep=Keep(hour=0.0, day=0.0)) as store:
        write(store, *(bucket(NOON + 60 * one) for one in range(0, 60 * 24 * 20)))
        far = NOON + 54 * 365 * 86400
        store.write([], SERIES, reading(float(far)))
        assert len(seconds(store, "minute")) == 60 * 24 * 20, "nothing newer came: nothing is old yet"
        store.write([bucket(far)], SERIES, reading(far + 60.0))
        assert len(seconds(store, "minute")) == 60 * 24 * 20 - ledger.DROPPED_AT_ONCE // 60 + 1


# --- what waits for its time


def test_buckets_wait_for_the_time_and_get_it(store: Store) -> None:
    """Booted at 12:00:20; the third minute of the boot is when the time becomes known."""
    booted = NOON + 20.0
    store.event("began", "before anybody knew when", reading=reading(booted + 3, good=False, booted=booted))
    store.write(
        [bucket(60 * one, value=one + 1, boot="boot-a") for one in (0, 1)],
        SERIES,
        reading(booted + 125, good=False, booted=booted),
    )
    assert seconds(store, "minute") == {}
    assert [(one.boot, one.first, one.last, one.buckets) for one in store.facts().undated] == [
        ("boot-a", 0, 120, 2)
    ]
    assert sum(store.undated_pieces()) == 2
    assert store.events()[0].at is None
    store.write([], SERIES, reading(booted + 126, booted=booted))
    assert seconds(store, "minute") == {NOON: 40.0, NOON + 60: 60.0, NOON + 120: 20.0}
    assert [one[3] for one in rows(store, "minute") if one[1] == 0] == [40000.0, 100000.0, 40000.0]
    assert store.facts().undated == ()
    assert store.events()[0].at == booted + 3
    (found,) = store.coverage(0, 2e9)
    assert found.coverage == Coverage(expected=600.0, analysed=600, observed=120.0)


def test_they_wait_through_a_restart_of_the_daemon(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.write([bucket(0, seconds=30.0, boot="boot-a")], SERIES, reading(30, good=False))
    with Store.open(path, KEY) as store:
        store.write([bucket(0, seconds=20.0, boot="boot-a")], SERIES, reading(60, good=False))
        store.write([], SERIES, reading(NOON + 70, booted=float(NOON)))
        assert seconds(store, "minute") == {NOON: 50.0}


def test_a_boot_that_never_knew_the_time_is_told_of_and_never_guessed(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.write([bucket(60, boot="boot-a")], SERIES, reading(130, good=False))
        store.write([bucket(NOON)], SERIES, reading(NOON + 62, boot="boot-b", booted=NOON - 500.0))
        assert seconds(store, "minute") == {NOON: 60.0}
        assert [one.boot for one in store.facts().undated] == ["boot-a"]
        later = NOON + ledger.UNDATED_KEPT + 7200
        store.write([bucket(int(later))], SERIES, reading(later, boot="boot-b", booted=NOON - 500.0))
        assert store.facts().undated == ()


def test_very_many_that_wait_are_dated_over_some_commits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "CHUNK", 50)
    monkeypatch.setattr(ledger, "DATED_AT_ONCE", 200)
    store.write([bucket(60 * one, boot="boot-a") for one in range(130)], SERIES, reading(9999, good=False))
    booted = NOON + 12.5
    for turn in range(20):
        store.write([bucket(NOON + 8400 + 60 * turn)], SERIES, reading(NOON + 8500, booted=booted))
        if not store.facts().undated:
            break
    assert 2 < turn < 19
    assert sum(value for at, value in seconds(store, "minute").items() if at < NOON + 8400) == pytest.approx(
        7800.0
    )
    assert store.span() == (NOON, NOON + 8400 + 60 * turn)
    assert sum(hours(store).values()) == sum(
        v for at, v in seconds(store, "minute").items() if at < NOON + 7200
    )


def test_the_oldest_of_too_many_that_wait_are_dropped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_UNDATED", 60)
    store.write([bucket(60 * one, boot="boot-a") for one in range(30)], SERIES, reading(9999, good=False))
    store.write([], SERIES, reading(NOON + 10, boot="boot-b", booted=float(NOON)))
    (left,) = store.facts().undated
    assert (left.buckets, left.last) == (10, 1800)


def test_the_right_time_of_this_boot_is_remembered(path: Path) -> None:
    with Store.open(path, KEY) as store:
        assert store.known_clock("boot-a") is None
        store.write([], SERIES, reading(NOON, booted=1234.5))
    with Store.open(path, KEY) as store:
        assert store.known_clock("boot-a") == ("boot-a", 1234.5)
        assert store.known_clock("boot-b") is None
        store.write([], SERIES, reading(NOON, boot="boot-b", booted=99.0))
        assert store.known_clock("boot-b") == ("boot-b", 99.0)
        assert store._database.value("SELECT count(*) FROM boot") == 1


def test_a_commit_of_nothing_new_writes_nothing(path: Path) -> None:
    with Store.open(path, KEY) as store:
        write(store, bucket(NOON))
        wal = path.with_name("edged.db-wal")
        before = wal.stat()
        for second in range(50):
            store.write([], SERIES, reading(NOON + 62.0 + second))
        assert wal.stat().st_size == before.st_size


def test_events_are_few(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "EVENTS_KEPT", 5)
    for number in range(9):
        store.event("tick", str(number), pipeline="door", reading=reading(NOON + number))
    assert store.events() == []
    write(store, bucket(NOON))
    write(store, bucket(NOON + 7200))
    assert [one.text for one in store.events()] == ["8", "7", "6", "5", "4"]
    assert store.events(most=1)[0].at == NOON + 8
    assert [one.text for one in store.events(NOON + 5, NOON + 7)] == ["6", "5"]
