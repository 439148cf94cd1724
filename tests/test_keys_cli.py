"""``edged keys`` as it is typed: made, looked at, rotated, saved and brought back, with a key file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import command
import pyrage
import pytest

from edged.store import Store, keys

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
NEVER = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ROOT = os.geteuid() == 0

Edged = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def edged(home: Path) -> Edged:
    def run(*words: str, given: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
        done = command.edged(*words, cwd=home, given=given, NO_COLOR="1")
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def digits(home: Path, edged: Edged) -> str:
    """A key, as it is written down."""
    edged("keys", "init")
    return (home / "state" / "key").read_text().strip()


@pytest.fixture
def store(home: Path, digits: str) -> Path:
    """A store under it."""
    path = home / "state" / "edged.db"
    Store.open(path, bytes.fromhex(digits)).close()
    return path


@pytest.fixture
def identity(home: Path) -> str:
    """A recipient; the identity is in id.txt as age-keygen writes it."""
    made = pyrage.x25519.Identity.generate()
    (home / "id.txt").write_text(f"# created: today\n# public key: {made.to_public()}\n{made}\n")
    return str(made.to_public())


@pytest.fixture
def daemon(home: Path, edged: Edged) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "edged", "run", "edged.toml"]
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        deadline = time.monotonic() + 60.0
        while not (home / "run" / "control.sock").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        return process

    yield start
    for one in running:
        one.terminate()
        one.wait(30)


def told(done: subprocess.CompletedProcess[str], digits: str) -> bool:
    """Whether anything of a key was said: six digits in a row are too many."""
    said = done.stdout + done.stderr
    return any(digits[at : at + 12] in said for at in range(52))


# --- init


def test_if_absent_is_content_with_what_is_there(edged: Edged, home: Path) -> None:
    assert "a new key" in edged("keys", "init", "--if-absent").stdout
    before = (home / "state" / "key").read_bytes()
    assert "there is a key already; nothing was changed" in edged("keys", "init", "--if-absent").stdout
    assert (home / "state" / "key").read_bytes() == before
    assert "is not overwritten" in edged("keys", "init", status=5).stderr


def test_a_file_and_a_credential_are_two_things(edged: Edged) -> None:
    assert "not both" in edged("keys", "init", "--credential", "key", status=2).stderr


@pytest.mark.skipif(not ROOT, reason="only root makes files for others")
def test_root_makes_the_key_of_the_folders_owner(edged: Edged, home: Path) -> None:
    (home / "state").mkdir(mode=0o700)
    os.chown(home / "state", 12345, 12346)
    edged("keys", "init")
    found = (home / "state" / "key").stat()
    assert (found.st_uid, found.st_gid) == (12345, 12346)


# --- status


def test_status_tells_where_and_nothing_of_it(edged: Edged, digits: str, store: Path) -> None:
    done = edged("keys", "status")
    assert "only its owner and root can read it" in done.stdout
    assert "opens with this key" in done.stdout
    assert "none under way" in done.stdout
    facts = json.loads(edged("keys", "status", "--json").stdout)
    assert facts["kind"] == "file"
    assert facts["store_under"] == "key"
    assert facts["rotation"] == ""
    assert facts["fingerprint"] == keys.fingerprint(bytes.fromhex(digits))
    assert not told(done, digits)


def test_status_of_the_wrong_key(edged: Edged, home: Path, store: Path) -> None:
    (home / "state" / "key").unlink()
    edged("keys", "init")
    assert "the key does not open" in edged("keys", "status").stdout


# --- rotate


def test_rotate(edged: Edged, home: Path, digits: str, store: Path) -> None:
    done = edged("keys", "rotate")
    assert "new key" in done.stdout
    new = (home / "state" / "key").read_text().strip()
    assert new != digits
    assert sorted(one.name for one in store.parent.iterdir()) == ["edged.db", "key"]
    Store.open(store, bytes.fromhex(new), read_only=True).close()
    assert not told(done, digits) and not told(done, new)
    facts = json.loads(edged("keys", "status", "--json").stdout)
    assert (facts["store_under"], facts["rotation"]) == ("key", "")


def test_rotate_before_there_is_a_store(edged: Edged, home: Path, digits: str) -> None:
    assert "there is no store yet" in edged("keys", "rotate").stdout
    assert (home / "state" / "key").read_text().strip() != digits


def test_a_key_that_does_not_open_the_store_is_not_rotated(edged: Edged, home: Path, store: Path) -> None:
    (home / "state" / "key").unlink()
    edged("keys", "init")
    before = store.read_bytes()
    assert "does not open" in edged("keys", "rotate", status=5).stderr
    assert store.read_bytes() == before
    assert not (home / "state" / "key.next").exists()


def test_a_daemon_that_is_no_service_must_be_stopped_first(
    edged: Edged, home: Path, digits: str, daemon: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = daemon()
    refused = edged("keys", "rotate", status=6)
    assert f"a daemon uses the store (process {process.pid})" in refused.stderr
    assert json.loads(edged("keys", "status", "--json").stdout)["rotation"] == "begun"
    process.terminate()
    process.wait(30)
    assert "going on with the rotation that was begun" in edged("keys", "rotate").stderr
    assert (home / "state" / "key").read_text().strip() != digits


def test_a_daemon_finishes_what_was_begun(
    edged: Edged, home: Path, digits: str, store: Path, daemon: Callable[[], subprocess.Popen[bytes]]
) -> None:
    keys.create(home / "state" / "key.next")
    process = daemon()
    status = json.loads(edged("status", "--json").stdout)
    assert status["store"]["key"] == "next"
    facts = json.loads(edged("keys", "status", "--json").stdout)
    assert (facts["store_under"], facts["rotation"]) == ("next", "written")
    following = (home / "state" / "key.next").read_text()
    assert "new key" in edged("keys", "rotate").stdout  # and the daemon goes on meanwhile
    assert (home / "state" / "key").read_text() == following
    process.terminate()
    process.wait(30)
    kinds = [one["kind"] for one in json.loads(edged("report", "--all", "--json").stdout).get("events", [])]
    assert not kinds or "key-rotated" in kinds
    with Store.open(store, bytes.fromhex(following), read_only=True) as opened:
        assert "key-rotated" in [one.kind for one in opened.events()]


def test_a_rotation_that_only_has_to_be_tidied_up(edged: Edged, home: Path, digits: str, store: Path) -> None:
    keys.create(home / "state" / "key.next", bytes.fromhex(digits))
    assert json.loads(edged("keys", "status", "--json").stdout)["rotation"] == "tidying"
    assert "finished now" in edged("keys", "rotate").stdout
    assert (home / "state" / "key").read_text().strip() == digits
    assert not (home / "state" / "key.next").exists()


@pytest.mark.skipif(not ROOT, reason="only root works for others")
def test_root_rotates_for_the_stores_owner(edged: Edged, home: Path, store: Path) -> None:
    """In a child that is that user: root opens no file by name in somebody else's folder."""
    home.chmod(0o755)
    for one in home.parents:
        if one.name.startswith(("pytest-", "popen-")):
            one.chmod(0o755)
    for one in (store.parent, *store.parent.iterdir()):
        os.chown(one, 12345, 12345)
    edged("keys", "rotate")
    assert {one.stat().st_uid for one in store.parent.iterdir()} == {12345}


@pytest.mark.skipif(not ROOT, reason="only root works for others")
def test_an_owner_who_cannot_reach_the_store_is_told_of(edged: Edged, home: Path, store: Path) -> None:
    home.chmod(0o700)
    for one in (store.parent, *store.parent.iterdir()):
        os.chown(one, 12345, 12345)
    said = edged("keys", "rotate", status=5).stderr
    assert "as user 12345" in said and str(store) in said and "fault" not in said
    assert "owners and modes" in said


# --- export and restore


def test_an_escrow_copy_brings_the_key_back(
    edged: Edged, home: Path, digits: str, store: Path, identity: str
) -> None:
    done = edged("keys", "export", "--to-recipient", identity, "-o", "copy.age")
    assert (home / "copy.age").stat().st_mode & 0o777 == 0o600
    assert (home / "copy.age").read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert not told(done, digits)
    checked = edged("keys", "restore", "--check", "copy.age", "--identity", "id.txt")
    assert "opens with it" in checked.stdout
    (home / "state" / "key").unlink()
    restored = edged("keys", "restore", "copy.age", "--identity", "id.txt")
    assert (home / "state" / "key").read_text().strip() == digits
    assert not told(restored, digits) and not told(checked, digits)


def test_each_of_several_recipients_opens_it(edged: Edged, home: Path, digits: str, identity: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "ssh"], check=True)
    public = (home / "ssh.pub").read_text()
    copy = edged("keys", "export", "--to-recipient", identity, "--to-recipient", public).stdout
    (home / "copy.age").write_text(copy)
    for one in ("id.txt", "ssh"):
        edged("keys", "restore", "--check", "copy.age", "--identity", one)
    (home / "other.txt").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    refused = edged("keys", "restore", "--check", "copy.age", "--identity", "other.txt", status=5)
    assert "cannot be opened with other.txt" in refused.stderr


def test_digits_on_standard_input(edged: Edged, home: Path, digits: str, store: Path) -> None:
    """As `age -d` pipes them in: the identity stays where it is."""
    (home / "state" / "key").unlink()
    edged("keys", "restore", given=f"{digits}\n")
    assert (home / "state" / "key").read_text().strip() == digits


def test_restore_overwrites_nothing(edged: Edged, home: Path, digits: str) -> None:
    refused = edged("keys", "restore", given="ab" * 32, status=5)
    assert "is there already and is not overwritten" in refused.stderr
    assert "abab" not in refused.stderr
    assert (home / "state" / "key").read_text().strip() == digits


def test_a_key_of_another_board_is_refused(edged: Edged, home: Path, digits: str, store: Path) -> None:
    (home / "state" / "key").unlink()
    refused = edged("keys", "restore", given="ab" * 32, status=5)
    assert "this key does not open" in refused.stderr
    assert not (home / "state" / "key").exists()
    assert "does not open" in edged("keys", "restore", "--check", given="ab" * 32, status=5).stdout


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "standard input holds no key: 0 bytes"),
        ("abc", "standard input holds no key: 3 bytes"),
        ("ab" * 31 + "zz", "standard input holds no key: 64 bytes"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA", "is an encrypted escrow copy"),
    ],
)
def test_what_is_no_key(edged: Edged, given: str, says: str) -> None:
    refused = edged("keys", "restore", given=given, status=5)
    assert says in refused.stderr
    assert not given or given[:20] not in refused.stderr or given.startswith("-----")


def test_a_copy_that_was_changed(edged: Edged, home: Path, digits: str, identity: str) -> None:
    copy = edged("keys", "export", "--to-recipient", identity).stdout.splitlines()
    copy[-3] = copy[-3][:10] + ("A" if copy[-3][10] != "A" else "B") + copy[-3][11:]
    (home / "copy.age").write_text("\n".join(copy) + "\n")
    refused = edged("keys", "restore", "--check", "copy.age", "--identity", "id.txt", status=5)
    assert "or it was changed" in refused.stderr


def test_what_is_no_recipient(edged: Edged, home: Path, digits: str, identity: str) -> None:
    assert "is no recipient" in edged("keys", "export", "--to-recipient", "age1x", status=2).stderr
    private = (home / "id.txt").read_text().splitlines()[-1]
    refused = edged("keys", "export", "--to-recipient", private, status=2)
    assert private[20:40] not in refused.stderr, "an identity was repeated"
    assert "--to-recipient" in edged("keys", "export", status=2).stderr


def test_what_is_no_identity(edged: Edged, home: Path, digits: str, identity: str) -> None:
    edged("keys", "export", "--to-recipient", identity, "-o", "copy.age")
    (home / "id.txt").write_text("AGE-SECRET-KEY-1NOT\n")
    refused = edged("keys", "restore", "--check", "copy.age", "--identity", "id.txt", status=5)
    assert "id.txt holds no identity" in refused.stderr
    assert "NOT" not in refused.stderr.replace("cannot", "")


def test_an_export_overwrites_nothing(edged: Edged, home: Path, digits: str, identity: str) -> None:
    (home / "copy.age").write_text("something")
    assert (
        "cannot be made"
        in edged("keys", "export", "--to-recipient", identity, "-o", "copy.age", status=5).stderr
    )
    assert (home / "copy.age").read_text() == "something"


def test_while_a_rotation_is_under_way_the_key_of_the_store_is_saved(
    edged: Edged, home: Path, digits: str, store: Path, identity: str
) -> None:
    keys.create(home / "state" / "key.next")
    edged("keys", "export", "--to-recipient", identity, "-o", "copy.age")
    assert "opens with it" in edged("keys", "restore", "--check", "copy.age", "--identity", "id.txt").stdout


@pytest.mark.skipif(not shutil.which("age"), reason="age itself is not installed here")
def test_age_itself_opens_it(edged: Edged, home: Path, digits: str, identity: str) -> None:
    edged("keys", "export", "--to-recipient", identity, "-o", "copy.age")
    done = subprocess.run(
        ["age", "-d", "-i", "id.txt", "copy.age"], cwd=home, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digits


@pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")
def test_only_its_owner_and_root_can_save_it(home: Path, edged: Edged, digits: str) -> None:
    """Somebody else finds no key to save, whatever the config says."""
    stranger: dict[str, Any] = {"user": 12345, "group": 12345, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", "import edged, pyrage"], check=True, **stranger)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("this Python is root's alone")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "edged",
            "keys",
            "export",
            "--config",
            home / "edged.toml",
            "--to-recipient",
            NEVER,
        ],
        cwd="/",
        **stranger,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode != 0
    assert "BEGIN AGE" not in done.stdout


def test_a_daemon_that_cannot_finish_it_says_why_and_counts(
    edged: Edged, home: Path, digits: str, store: Path, daemon: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """The name of the second file is taken by something that cannot be removed: as bad as a full disk."""
    keys.create(home / "state" / "key.next")
    (home / "state" / "edged.db-next").mkdir()
    daemon()
    facts = json.loads(edged("status", "--json").stdout)["store"]
    assert facts["key"] == "key"
    assert "edged.db-next is there already" in facts["rotation"]
    assert json.loads(edged("keys", "status", "--json").stdout)["rotation"] == "begun"
