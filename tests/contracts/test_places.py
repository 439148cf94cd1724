"""What every place for a key promises: a file, a credential that systemd seals."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tracer

from edged.errors import KeyRefusedError
from edged.store import keys, sealed, secret
from edged.store.keys import KEY, NEXT
from edged.store.places import FilePlace, Place, SealedPlace


def _sealing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SealedPlace:
    """The real systemd-creds with the host key of a machine of our own."""
    if os.geteuid() != 0 or not shutil.which("systemd-creds"):
        pytest.skip("sealing takes root and systemd-creds")
    secret_of_host = folder / "machine" / "credential.secret"
    secret_of_host.parent.mkdir(mode=0o700)
    monkeypatch.setitem(sealed.ENVIRONMENT, "SYSTEMD_CREDENTIAL_SECRET", str(secret_of_host))
    monkeypatch.setattr(sealed, "FOLDER", folder / "etc" / "credentials")
    monkeypatch.setattr(sealed, "TPM", folder / "no TPM")
    return SealedPlace()


@pytest.fixture(params=["file", "sealed"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "sealed":
        return _sealing(tmp_path, monkeypatch)
    return FilePlace(tmp_path / "etc" / "key")


def held(place: Place) -> tuple[bytes, bytes | None]:
    with place.ring() as ring:
        return bytes(ring.key), None if ring.next is None else bytes(ring.next)


def test_nothing_is_there_at_first(place: Place) -> None:
    assert not place.exists()
    assert not place.exists(NEXT)
    with pytest.raises(KeyRefusedError):
        place.ring()


def test_a_key_that_is_made_can_be_read(place: Place) -> None:
    assert place.make()
    assert place.exists()
    key, following = held(place)
    assert len(key) == 32 and len(set(key)) > 8
    assert following is None


def test_a_key_that_is_brought_is_kept(place: Place) -> None:
    place.make(bytes(range(32)))
    assert held(place) == (bytes(range(32)), None)


def test_a_key_is_never_overwritten(place: Place) -> None:
    place.make()
    before = held(place)
    with pytest.raises(KeyRefusedError, match="is there already"):
        place.make()
    assert held(place) == before


def test_nor_is_the_next_one(place: Place) -> None:
    place.make()
    place.make_next()
    before = held(place)
    with pytest.raises(KeyRefusedError, match="is there already"):
        place.make_next()
    assert held(place) == before
    assert before[0] != before[1]


def test_the_next_key_becomes_the_key(place: Place) -> None:
    place.make()
    place.make_next()
    _, following = held(place)
    place.promote()
    assert held(place) == (following, None)
    assert not place.exists(NEXT)


def test_without_a_next_key_nothing_is_promoted(place: Place) -> None:
    place.make()
    before = held(place)
    place.promote()
    assert held(place) == before


def test_nobody_else_may_read_it(place: Place) -> None:
    place.make()
    place.make_next()
    for one in place.where.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) & 0o377 == 0 or stat.S_IMODE(one.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.where.parent.stat().st_mode) == 0o700


def test_nothing_but_keys_lies_in_its_folder(place: Place) -> None:
    """systemd loads every file of the folder of sealed keys, and fails to start for one that it cannot
    unseal.
    """
    place.make()
    place.make_next()
    assert len(list(place.where.parent.iterdir())) == 2
    place.promote()
    assert [one.name for one in place.where.parent.iterdir()] == ["key"]


def test_its_words_hold_nothing_of_it(place: Place) -> None:
    place.make()
    with place.ring() as ring:
        told = f"{ring} {ring!r} {vars(place)} {place.protected_by()}"
        digits = bytes(secret.digits(ring.key)).decode().strip()
        assert digits[:16] not in told
        assert repr(bytes(ring.key[:4]))[2:-1] not in told


def test_what_was_held_is_overwritten(place: Place) -> None:
    place.make()
    place.make_next()
    with place.ring() as ring:
        assert any(ring.key)
    assert ring.next is not None
    assert not any(ring.key) and not any(ring.next)


@pytest.mark.skipif(not tracer.usable(), reason="no process may be traced here")
@pytest.mark.parametrize("what", ["make", "make_next", "promote"])
def test_killed_before_every_change_it_is_what_was_or_what_is(place: Place, what: str) -> None:
    """And it can be done again."""
    steps: dict[str, Callable[[], object]] = {
        "make": place.make,
        "make_next": place.make_next,
        "promote": place.promote,
    }
    last = calls = 0
    while last == calls:
        last += 1
        shutil.rmtree(place.where.parent, ignore_errors=True)
        if what != "make":
            place.make(bytes(range(32)))
        if what == "promote":
            place.make_next()
        before = held(place) if place.exists() else None
        calls = tracer.traced(lambda: steps[what]() and None, lambda number, name, last=last: number == last)
        whole_and_one_of_both(place, what, before)
        again(place, what)
        assert len(list(place.where.parent.parent.glob(".*"))) <= 1
    assert calls >= 2, "the tracer did not see what it is for"


def whole_and_one_of_both(place: Place, what: str, before: tuple[bytes, bytes | None] | None) -> None:
    if not place.exists():
        assert before is None, "the key is gone"
        return
    key, following = held(place)
    if what == "promote":
        assert before is not None and key in before
        assert following in (before[1], None)
        assert not (key == before[0] and following is None), "the next key is gone before it was promoted"
    elif before is not None:
        assert key == before[0]


def again(place: Place, what: str) -> None:
    """The step once more, where it was not done."""
    if what == "make" and not place.exists():
        place.make()
    if what == "make_next" and not place.exists(NEXT):
        place.make_next()
    if what == "promote":
        place.promote()
        assert held(place)[1] is None
    assert held(place)[0]


# --- what only a sealed one promises


@pytest.fixture
def seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SealedPlace:
    return _sealing(tmp_path, monkeypatch)


def test_what_lies_there_is_not_the_key(seal: SealedPlace) -> None:
    seal.make(bytes(range(32)))
    seal.make_next()
    for one in seal.where.parent.iterdir():
        assert bytes(range(32)).hex().encode() not in one.read_bytes()
    assert seal.protected_by() == "host key"


def test_each_is_sealed_under_its_own_name(seal: SealedPlace) -> None:
    """systemd lends them as edged_key and edged_next, and unseals neither under another name."""
    seal.make()
    seal.make_next()
    for name, other in ((KEY, NEXT), (NEXT, KEY)):
        command = ["systemd-creds", "decrypt", f"--name=edged_{other}", seal.where.with_name(name), "-"]
        done = subprocess.run(command, env=sealed.ENVIRONMENT, capture_output=True, check=False)
        assert done.returncode != 0
        assert done.stdout == b""


def test_another_machine_cannot_unseal_it(
    seal: SealedPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal.make()
    other = tmp_path / "machine" / "another"
    monkeypatch.setitem(sealed.ENVIRONMENT, "SYSTEMD_CREDENTIAL_SECRET", str(other))
    with pytest.raises(KeyRefusedError, match="cannot be unsealed on this machine") as caught:
        seal.ring()
    assert "escrow copy" in caught.value.hint


def test_one_that_was_changed_is_refused(seal: SealedPlace) -> None:
    seal.make()
    content = bytearray(seal.where.read_bytes())
    content[100] ^= 3
    seal.where.write_bytes(content)
    with pytest.raises(KeyRefusedError, match="cannot be unsealed"):
        seal.ring()


def test_a_tpm_that_refuses_leaves_the_host_key_with_a_word(
    seal: SealedPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel knows a TPM, and it cannot be used: as when its library is not installed."""
    (tmp_path / "tpms" / "tpmrm0").mkdir(parents=True)
    monkeypatch.setattr(sealed, "TPM", tmp_path / "tpms")
    if any(Path("/sys/class").glob("tpmrm/*")):
        pytest.skip("this machine has a TPM")
    protection = seal.make(bytes(range(32)))
    assert protection.startswith("host key (not the TPM as well: ")
    assert held(seal)[0] == bytes(range(32))


def test_a_folder_that_is_not_roots_alone_is_refused(seal: SealedPlace) -> None:
    seal.where.parent.mkdir(parents=True)
    seal.where.parent.chmod(0o755)
    with pytest.raises(KeyRefusedError, match="is not root's alone"):
        seal.make()


def test_a_cut_leaves_nothing_where_systemd_would_load_it(seal: SealedPlace) -> None:
    seal.make()
    seal.make_next()
    (seal.where.parent.parent / ".sealed").write_text("what a cut left")
    seal.promote()
    assert not (seal.where.parent.parent / ".sealed").exists()
    assert keys.fingerprint(held(seal)[0])


def test_what_does_not_open_again_is_never_kept(
    seal: SealedPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd 252 seals with a TPM and no PCR, and says all is well; only unsealing it fails."""
    program = tmp_path / "bin" / "systemd-creds"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$*" in *tpm2*) echo Zm9yZ2VkCg==; cat >/dev/null ;; '
        f'*) exec {shutil.which("systemd-creds")} "$@" ;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(sealed, "SEARCHED", str(program.parent))
    (tmp_path / "tpms" / "tpmrm0").mkdir(parents=True)
    monkeypatch.setattr(sealed, "TPM", tmp_path / "tpms")
    assert seal.make(bytes(range(32))).startswith("host key (not the TPM as well: ")
    assert held(seal)[0] == bytes(range(32))
