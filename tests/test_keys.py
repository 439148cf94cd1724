"""The key's file: made once, read by its owner only, never told."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.config.shape import Config, Daemon, Pipeline, Store, Synthetic
from edged.errors import KeyRefusedError
from edged.store import keys, secret

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


# --- where it comes from


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A state folder without a key."""
    return configured(tmp_path / "state")


def configured(state: Path, key_file: Path | None = None) -> Config:
    return Config(
        daemon=Daemon(state_dir=str(state)),
        store=Store(file=str(state / "edged.db"), key_file=str(key_file or state / "key")),
        pipelines={"a": Pipeline(source=Synthetic())},
    )


@pytest.fixture
def lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemd 252 lends a service."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def lend(folder: Path, name: str, key: bytes, mode: int = 0o400) -> None:
    path = folder / f"edged_{name}"
    path.write_bytes(key.hex().encode() + b"\n")
    path.chmod(mode)


def test_the_order_of_places(config: Config, lent: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "key"
    keys.create(Path(config.store.key_file), bytes([1] * 32))
    keys.create(elsewhere, bytes([3] * 32))
    assert keys.ring(config).key == bytes([1] * 32)
    lend(lent, "key", bytes([2] * 32))
    assert keys.ring(config).key == bytes([2] * 32)
    assert keys.ring(configured(tmp_path / "state", elsewhere)).key == bytes([3] * 32)


def test_another_services_credentials_are_not_ours(config: Config, lent: Path) -> None:
    (lent / "password").write_text("another's")
    keys.create(Path(config.store.key_file), bytes([1] * 32))
    assert keys.ring(config).key == bytes([1] * 32)


def test_both_keys_of_a_rotation_come_from_one_place(config: Config, lent: Path) -> None:
    keys.create(Path(config.store.key_file), bytes([1] * 32))
    keys.create(keys.next_of(Path(config.store.key_file)), bytes([4] * 32))
    with keys.ring(config) as ring:
        assert (ring.key, ring.next, ring.rotating) == (bytes([1] * 32), bytes([4] * 32), True)
    lend(lent, "key", bytes([2] * 32))
    with keys.ring(config) as ring:
        assert (ring.key, ring.next, ring.rotating) == (bytes([2] * 32), None, False)
    lend(lent, "next", bytes([5] * 32))
    with keys.ring(config) as ring:
        assert (ring.key, ring.next) == (bytes([2] * 32), bytes([5] * 32))


def test_a_ring_is_overwritten_and_says_nothing(config: Config) -> None:
    keys.create(Path(config.store.key_file), bytes([0xAB] * 32))
    with keys.ring(config) as ring:
        assert "ab" * 4 not in repr(ring) and "\\xab" not in repr(ring)
    assert not any(ring.key)


def test_what_names_the_credentials_is_forgotten(lent: Path) -> None:
    lend(lent, "key", bytes(32))
    assert keys.credentials_directory() == lent
    keys.forget_credentials()
    assert keys.credentials_directory() is None
    assert "CREDENTIALS_DIRECTORY" not in os.environ


@pytest.mark.parametrize("mode", [0o400, 0o440])  # of 252, and of 257 with its access list
def test_the_modes_that_systemd_gives(config: Config, lent: Path, mode: int) -> None:
    lend(lent, "key", bytes([2] * 32), mode)
    assert keys.ring(config).key == bytes([2] * 32)


@pytest.mark.parametrize("mode", [0o404, 0o444, 0o600, 0o640, 0o460])
def test_modes_that_it_does_not_give(config: Config, lent: Path, mode: int) -> None:
    lend(lent, "key", bytes([2] * 32), mode)
    with pytest.raises(KeyRefusedError, match="others may read or change"):
        keys.ring(config)


def test_a_folder_of_credentials_that_others_may_read(config: Config, lent: Path) -> None:
    lend(lent, "key", bytes([2] * 32))
    lent.chmod(0o755)
    with pytest.raises(KeyRefusedError, match="others may read or change"):
        keys.ring(config)


@needs_root
def test_a_credential_of_somebody_elses(config: Config, lent: Path) -> None:
    lend(lent, "key", bytes([2] * 32))
    os.chown(lent / "edged_key", 12345, 12345)
    with pytest.raises(KeyRefusedError, match="is not what systemd puts there"):
        keys.ring(config)


def test_no_key_anywhere(config: Config) -> None:
    with pytest.raises(KeyRefusedError, match="there is no key file"):
        keys.ring(config)
    assert not keys.exists(config)


# --- as digits


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_digits_and_back(key: bytes) -> None:
    text = secret.digits(key)
    assert bytes(text) == key.hex().encode() + b"\n"
    assert secret.parsed(text) == key
    assert secret.parsed(bytearray(key.hex().upper().encode())) == key


@given(st.binary(max_size=80))
def test_what_are_no_digits(text: bytes) -> None:
    try:
        expected = bytes.fromhex(text.decode("ascii").removesuffix("\n"))
    except ValueError:
        expected = b""
    whole = len(expected) == 32 and len(text) in (64, 65)
    assert secret.parsed(bytearray(text)) == (expected if whole else None)


def test_fresh_keys_are_random() -> None:
    found = [bytes(secret.fresh()) for _ in range(64)]
    assert len(set(found)) == 64
    ones = sum(one.bit_count() for key in found for one in key)
    assert 0.45 < ones / (64 * 256) < 0.55


def test_a_fingerprint_is_eight_digits_of_a_digest_that_nobody_else_makes() -> None:
    key = bytes(range(32))
    assert keys.fingerprint(key) == keys.fingerprint(bytearray(key))
    assert len(keys.fingerprint(key)) == 8
    assert keys.fingerprint(key) != keys.fingerprint(bytes(32))
    assert keys.fingerprint(key) != hashlib.blake2b(key, digest_size=4).hexdigest()
    assert keys.fingerprint(key) not in key.hex()


def test_what_is_read_leaves_no_copy_of_its_own(tmp_path: Path) -> None:
    """The kernel writes into memory that is ours to overwrite: no bytes, no str of it is ever made."""
    made: list[object] = []
    keys.create(tmp_path / "key", bytes([0xAB] * 32))

    def look(frame: object, event: str, argument: object) -> None:
        if event in ("return", "c_return") and isinstance(argument, bytes | str):
            made.append(argument)

    sys.setprofile(look)
    try:
        key = keys.load(tmp_path / "key")
    finally:
        sys.setprofile(None)
    assert isinstance(key, bytearray)
    assert [one for one in made if b"\xab\xab" in (one if isinstance(one, bytes) else one.encode())] == []
    assert [one for one in made if "abab" in (one if isinstance(one, str) else one.hex())] == []
