"""The key's file: made once, read by its owner only, never told."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edged.errors import KeyRefusedError
from edged.store import keys

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give files away")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "key"
    keys.create(path)
    return path


def test_a_new_key_is_for_its_owner_alone(key_file: Path) -> None:
    found = key_file.stat()
    assert stat.S_IMODE(found.st_mode) == 0o400
    assert found.st_uid == os.geteuid()
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert len(key_file.read_bytes()) == 65
    assert keys.load(key_file) == bytes.fromhex(key_file.read_text())


def test_keys_differ(tmp_path: Path) -> None:
    for name in "ab":
        keys.create(tmp_path / name / "key")
    assert keys.load(tmp_path / "a" / "key") != keys.load(tmp_path / "b" / "key")


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        (tmp_path / "d").mkdir()
        (tmp_path / "d").chmod(0o700)
        keys.create(tmp_path / "d" / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "d" / "key").stat().st_mode) == 0o400


def test_a_key_is_never_overwritten(key_file: Path) -> None:
    before = key_file.read_bytes()
    with pytest.raises(KeyRefusedError, match="is there already"):
        keys.create(key_file)
    assert key_file.read_bytes() == before


def test_not_even_through_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyRefusedError, match="is there already"):
        keys.create(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyRefusedError, match="cannot be made"):
        keys.create(tmp_path / "file" / "key")


def test_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyRefusedError, match="there is no key file") as caught:
        keys.load(tmp_path / "key")
    assert "edged keys init" in caught.value.hint


@pytest.mark.parametrize("mode", [0o600, 0o440, 0o404, 0o500, 0o000, 0o777])
def test_any_other_mode_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    expected = "cannot be read" if not (mode & 0o400 or ROOT) else f"has mode {mode:04o}, not 0400"
    with pytest.raises(KeyRefusedError, match=expected):
        keys.load(key_file)


@needs_root
def test_another_owner_is_refused(key_file: Path) -> None:
    os.chown(key_file, 12345, 12345)
    with pytest.raises(KeyRefusedError, match=f"belongs to user 12345, not to user {os.geteuid()}"):
        keys.load(key_file)


@needs_root
def test_root_may_use_the_daemons_key_where_it_lies(key_file: Path) -> None:
    for path in (key_file, key_file.parent):
        os.chown(path, 12345, 12345)
    assert len(keys.load(key_file)) == 32


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"ab" * 31,
        b"ab" * 33,
        b"zz" * 32,
        b"\xff" * 64,
        b" " * 64,
        b"ab" * 32 + b"\n\n",
        b"ab" * 31 + b"a\n",
    ],
)
def test_what_is_no_key_is_refused_without_telling_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o400)
    with pytest.raises(KeyRefusedError, match="holds no key") as caught:
        keys.load(path)
    told = caught.value.message + caught.value.hint
    assert "abab" not in told
    assert "zzzz" not in told


def test_a_link_a_folder_and_a_pipe_are_refused(key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key_file)
    os.mkfifo(tmp_path / "pipe", 0o400)
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(KeyRefusedError):
            keys.load(tmp_path / name)


def test_a_folder_that_others_may_write_is_refused(key_file: Path) -> None:
    key_file.parent.chmod(0o770)
    with pytest.raises(KeyRefusedError, match="could exchange the key"):
        keys.load(key_file)
