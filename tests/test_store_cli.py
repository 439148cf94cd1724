"""``edged store`` as it is typed, and what the daemon does with a damaged store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import command
import pytest
from faults import workload

from edged.errors import StoreError
from edged.store import Store, keys
from edged.store.database import PAGE

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
[store]
commit_every = "1s"
[store.keep]
second = "1h"
[pipelines.street]
source = { kind = "synthetic", fps = 5.0 }
"""
COMMITS = 60
ROOT = os.geteuid() == 0

Edged = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def edged(home: Path) -> Edged:
    def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = command.edged(*words, cwd=home, NO_COLOR="1")
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def store(home: Path) -> Path:
    """A store of some commits that was stopped."""
    keys.create(home / "state" / "key", workload.KEY)
    path = home / "state" / "edged.db"
    with Store.open(path, workload.KEY, keep=workload.KEEP) as opened:
        writer = workload.Writer(opened)
        for number in range(COMMITS):
            assert writer.commit(number)
    return path


def damage(path: Path, table: str) -> None:
    """Spoil the page that a table begins with."""
    with Store.open(path, workload.KEY, keep=workload.KEEP) as opened:
        root = opened._database.value("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    content = bytearray(path.read_bytes())
    content[(root - 1) * PAGE + 600] ^= 8
    path.write_bytes(content)


def test_a_whole_store_is_told_so(edged: Edged, store: Path) -> None:
    before = store.read_bytes()
    assert "every page verifies and every table is whole" in edged("store", "check").stdout
    facts = json.loads(edged("store", "check", "--json").stdout)
    assert facts["whole"]
    assert facts["rows"]["event"] == COMMITS
    assert store.read_bytes() == before


def test_damage_is_told_and_what_is_whole_is_saved(edged: Edged, store: Path) -> None:
    damage(store, "minute")
    before = store.read_bytes()
    said = edged("store", "check", status=5).stdout
    assert "1 damaged: page" in said
    assert "edged store salvage" in said
    assert json.loads(edged("store", "check", "--json", status=5).stdout)["damaged_pages"]
    facts = json.loads(edged("store", "salvage", "--json").stdout)
    assert facts["tables"]["event"] == {"saved": COMMITS, "lost_about": 0, "lost_between": []}
    saved = Path(facts["saved_in"])
    assert saved == store.with_name("edged.db.salvaged")
    assert store.read_bytes() == before
    assert workload.judge(workload.look(saved), COMMITS - 1, COMMITS - 1) == COMMITS - 1
    assert "every page verifies" in edged("store", "check", str(saved)).stdout
    assert "is there already" in edged("store", "salvage", status=5).stderr
    table = edged("store", "salvage", "-o", "state/other.db").stdout
    assert "lost, about" in table
    assert "1 of " in table


def test_what_is_not_there_or_not_ours_is_refused_with_a_next_step(
    edged: Edged, store: Path, home: Path
) -> None:
    for verb in ("check", "salvage"):
        assert "there is no store nowhere" in edged("store", verb, "nowhere", status=5).stderr
        assert "is no file" in edged("store", verb, "state", status=5).stderr
        (home / "noise").write_bytes(os.urandom(5 * PAGE))
        assert "the key fits no page of noise" in edged("store", verb, "noise", status=5).stderr
    (home / "state" / "key").unlink()
    assert "there is no key file" in edged("store", "check", status=5).stderr


def test_a_store_in_use_is_left_to_the_daemon(edged: Edged, store: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from faults import workload; "
        "w = workload.Writer.opened(Path(sys.argv[1])); print('open', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(store)], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        for verb in ("check", "salvage"):
            said = edged("store", verb, status=5).stderr
            assert "is in use: the daemon writes it" in said
            assert "sudo systemctl stop edged" in said
    finally:
        holder.kill()
        holder.communicate()
    assert "every page verifies" in edged("store", "check").stdout


@pytest.mark.skipif(not ROOT, reason="only root works for somebody else")
def test_root_saves_for_the_stores_owner(edged: Edged, store: Path, home: Path) -> None:
    for one in (home, home / "state", *(home / "state").iterdir()):
        os.chown(one, 12345, 12346)
    for one in (home, *home.parents):  # pytest's own folders are root's alone
        if one.stat().st_mode & 0o007 == 0 and one.is_relative_to("/tmp"):
            one.chmod(one.stat().st_mode | 0o011)
    edged("store", "check")
    saved = Path(json.loads(edged("store", "salvage", "--json").stdout)["saved_in"])
    assert (saved.stat().st_uid, saved.stat().st_gid) == (12345, 12346)
    assert saved.stat().st_mode & 0o777 == 0o600


def test_a_rotation_waits_for_a_damaged_store_under_the_old_key(edged: Edged, store: Path) -> None:
    store.with_name("edged.db.damaged-1").write_bytes(store.read_bytes())
    assert "is a damaged store under the old key" in edged("keys", "rotate", status=5).stderr
    store.with_name("edged.db.damaged-1").unlink()
    edged("keys", "rotate")


def test_the_daemon_puts_a_damaged_store_aside_and_counts_on(edged: Edged, store: Path, home: Path) -> None:
    """Its event table cannot be written: the first life ends over it, the second begins a new store."""
    damage(store, "event")
    assert run(home, lambda: False) == 5
    assert store.with_name("edged.db-suspect").exists()
    aside = store.with_name("edged.db.damaged-1")
    assert run(home, lambda: aside.exists() and rows(store) > 0) == 0
    with Store.open(store, workload.KEY, read_only=True) as opened:
        assert any(one.kind == "store-put-aside" and str(aside) in one.text for one in opened.events())
    facts = json.loads(edged("store", "salvage", str(aside), "--json").stdout)
    assert facts["tables"]["minute"]["lost_about"] == 0


def rows(store: Path) -> int:
    """Seconds in the store that the daemon is writing."""
    try:
        with Store.open(store, workload.KEY, read_only=True) as opened:
            return opened.facts().rows["second"]
    except StoreError:  # it is being made
        return 0


def run(home: Path, enough: Callable[[], bool]) -> int:
    """Run the daemon until it ends, or until there is enough; its exit status."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "edged.toml"],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 90.0
    while process.poll() is None:
        assert time.monotonic() < deadline, "it neither ends nor counts"
        time.sleep(0.2)
        if enough():
            process.send_signal(signal.SIGTERM)
            break
    return process.wait(60)
