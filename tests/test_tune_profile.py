"""The profile's file: what goes in comes out, and what is none is told of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edged.errors import ConfigError, UnavailableError
from edged.governor import profile
from edged.governor.observer import Prior
from edged.governor.profile import Cost, Profile

MEASURED = Profile(
    edged="0.1.0",
    measured="2026-07-01T12:00:00Z",
    board="Raspberry Pi 4 Model B Rev 1.4",
    cores=4,
    costs=(Cost("big", "big.tflite", 1, 0.34, 0.31), Cost("big", "big.tflite", 4, 0.41, 0.12)),
    prior=Prior(slow=380.0, fast=4.0, slow_gain=31.0, fast_gain=5.5),
    idle=2.3,
    dynamic=4.5,
)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    assert profile.load(tmp_path) is None
    assert profile.save(tmp_path, MEASURED) == tmp_path / "profile.json"
    assert profile.load(tmp_path) == MEASURED
    assert profile.load(tmp_path, MEASURED.board) == MEASURED
    assert [one.name for one in tmp_path.iterdir()] == ["profile.json"]


def test_the_new_one_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    bare = Profile(edged="0.1.0", measured="2026-07-02T12:00:00Z", board="x", cores=1)
    profile.save(tmp_path, MEASURED)
    (tmp_path / ".profile.json.new").write_text("a cut left this")
    profile.save(tmp_path, bare)
    assert profile.load(tmp_path) == bare
    assert [one.name for one in tmp_path.iterdir()] == ["profile.json"]


def test_costs_are_those_of_the_model_and_of_its_file() -> None:
    assert set(MEASURED.times("big", "big.tflite")) == {1, 4}
    assert MEASURED.times("big", "another.tflite") == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "of format 2"),
        ({"cores": 0}, "cores"),
        ({"heat": 1}, "heat"),
        ({"costs": [{"model": "m", "file": "f", "threads": 1, "cost": 0.0, "latency": 1.0}]}, "cost"),
        ({"prior": {"slow": -1.0, "fast": 1.0, "slow_gain": 1.0, "fast_gain": 1.0}}, "out of range"),
        ({"idle": "2"}, "idle"),
    ],
)
def test_what_is_no_profile_is_told_of(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = profile.save(tmp_path, MEASURED)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=said) as error:
        profile.load(tmp_path)
    assert "edged tune" in error.value.hint


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"{}", b" " * (1 << 20) + b"{}"])
def test_neither_is_anything_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "profile.json").write_bytes(content)
    with pytest.raises(ConfigError, match="no profile"):
        profile.load(tmp_path)


def test_another_boards_profile_is_refused(tmp_path: Path) -> None:
    profile.save(tmp_path, MEASURED)
    with pytest.raises(ConfigError, match="Raspberry Pi 4"):
        profile.load(tmp_path, "Raspberry Pi 5 Model B")


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be written"):
        profile.save(tmp_path / "absent", MEASURED)
    (tmp_path / "profile.json").mkdir()
    with pytest.raises(UnavailableError, match="cannot be read"):
        profile.load(tmp_path)
