"""The same everywhere: what one architecture makes, held against what another has made of the same things.

``arm.sh`` runs this twice: emulated, with what this machine has made as the other's, and natively the other
way round. ``EDGED_ARCHITECTURES`` names the folder in which each leaves its own by its name.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import architectures
import numpy as np
import pytest

from edged import rounding
from edged.store.schema import SCALES

#: The bundled model computes in floats, which kernels add up in different orders. Measured: 7e-7.
TOLERANCE = 4e-6
#: Real models are quantised, and the runtime's kernels for Arm round a layer's sums to bytes by another
#: formula than
#: those for x86: a byte may come out one higher, and the next layers add to that. Measured, in steps of
#: 1/256: scores of
#: the classifiers 2, of the detector 4. Tolerated: twice that.
STEP = 1 / 256
CLASSIFIER, DETECTOR = 4 * STEP, 8 * STEP
#: Detections that nobody would count may differ more: what is compared has this score on either side.
CERTAIN = 0.45
OVERLAP = 0.9
LEVELS = {"second", "minute", "hour", "day"}

EXCHANGE = Path(os.environ.get("EDGED_ARCHITECTURES", "/nonexistent"))
pytestmark = pytest.mark.skipif(
    not EXCHANGE.is_dir(), reason="two architectures are compared by make test-arm"
)


@pytest.fixture(scope="module")
def own() -> Path:
    """What this architecture makes."""
    folder = EXCHANGE / platform.machine()
    if not folder.is_dir():
        architectures.make(folder)
    return folder


@pytest.fixture(scope="module")
def other() -> Path:
    """What the other one made."""
    (folder,) = (
        one for one in EXCHANGE.iterdir() if one.name in {"x86_64", "aarch64"} - {platform.machine()}
    )
    return folder


def arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    if not (folder / name).exists():
        pytest.skip(f"the folder of real models and media was not there ({architectures.SHARED})")
    with np.load(folder / name) as file:
        return dict(file)


@pytest.fixture
def copy(other: Path, tmp_path: Path) -> Path:
    """The other's store, as it would be on a card that was put into this machine."""
    shutil.copytree(other, tmp_path / "box", ignore=shutil.ignore_patterns("run"))
    return tmp_path / "box"


def test_the_scripted_scene_is_drawn_the_same_to_the_byte(own: Path, other: Path) -> None:
    mine, theirs = arrays(own, "frames.npz")["frames"], arrays(other, "frames.npz")["frames"]
    assert mine.shape == theirs.shape and len(np.unique(mine.reshape(len(mine), -1), axis=0)) == len(mine)
    assert np.array_equal(mine, theirs)


def test_the_bundled_model_sees_the_same(own: Path, other: Path) -> None:
    mine, theirs = arrays(own, "activity.npz"), arrays(other, "activity.npz")
    assert mine["movement"].max() > 0.5 and mine["presence"].max() > 0.5  # something was there to be seen
    for name, values in mine.items():
        worst = float(np.abs(values - theirs[name]).max())
        print(f"{name}: at most {worst:.1e} apart")
        assert worst <= TOLERANCE, name


def test_the_whole_of_it_stores_the_same_numbers(own: Path, other: Path) -> None:
    """Every bucket of every length, as stored: whole numbers, of thousandths and millionths.

    Times, extremes, coverage: exactly. A sum and a sum of squares may differ by what the wall rounds: a
    machine that is slower than the recording tells of a second in several ticks, and each is rounded.
    """
    mine, theirs = architectures.rows(own), architectures.rows(other)
    assert len(mine["second"]) > 100 and mine["minute"] and mine["day"]
    assert mine.keys() == theirs.keys()
    for table, some in mine.items():
        assert len(some) == len(theirs[table])
        for one, two in zip(some, theirs[table], strict=True):
            if table in LEVELS:
                alike(one, two, scales(mine["series"]))
            else:
                assert one == two


def scales(series: list[tuple[Any, ...]]) -> dict[int, int]:
    """By a series' number, what its stored numbers were multiplied by; of coverage, 0."""
    found = {}
    for number, _, measure, *others in series:
        units = [SCALES[one] for one in others if one in SCALES]
        found[number] = 0 if measure == "coverage" or not units else units[0]
    return found


def alike(one: tuple[float, ...], two: tuple[float, ...], scale: dict[int, int]) -> None:
    """Two rows: (key, milliseconds, sum, least, most, sum of squares).

    A tick's sum is one of ``PLACES`` steps between what it can be at least and at most, the nearest: half a
    step off, for either. Where a second is told in several ticks, up to a 64th of it moves from one to the
    next at each cut. Measured: 1.75 steps. Squares have ``SQUARE_PLACES`` steps, between bounds that move
    with the sum.
    """
    assert [one[at] for at in (0, 1, 3, 4)] == [two[at] for at in (0, 1, 3, 4)]
    times = scale[int(one[0]) & 0xFFFF]
    if not times:
        assert one == two
        return
    seconds, low, high = one[1] / 1000, one[3] / times, one[4] / times
    step = 2 * (high - low) * seconds / rounding.PLACES
    square = (high - low) ** 2 / 4 * seconds / rounding.SQUARE_PLACES + (abs(low) + abs(high)) * step
    assert abs(one[2] - two[2]) <= step * times + 1
    assert abs(one[5] - two[5]) <= square * times + 1


def test_the_other_s_store_is_read_here(copy: Path, other: Path) -> None:
    said = architectures.edged(copy, "report", "--all", "--every", "1s", "--json")
    assert json.loads(said) == architectures.report(other)


def test_the_other_s_store_goes_on_here(copy: Path, other: Path) -> None:
    architectures.recording(copy, architectures.LATER)
    before, after = architectures.rows(other), architectures.rows(copy)
    assert set(before["second"]) < set(after["second"])
    assert len(after["second"]) >= 2 * len(before["second"]) - 10
    assert len(after["day"]) == len(before["day"])  # the same days, their sums gone on


def test_the_other_s_store_is_noise_without_its_key(copy: Path) -> None:
    key = copy / "state" / "key"
    key.chmod(0o600)
    key.write_text("0" * 64 + "\n")
    key.chmod(0o400)
    command = [sys.executable, "-m", "edged", "report", "--all"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 5 and "Traceback" not in done.stderr


def test_the_commands_answer(tmp_path: Path) -> None:
    """Those that the recordings did not need."""
    edged = architectures.edged
    assert json.loads(edged(tmp_path, "version", "--json"))["machine"] == platform.machine()
    assert "good" in edged(tmp_path, "check", str(architectures.ROOT / "config" / "edged.toml"))
    edged(tmp_path, "keys", "init", str(tmp_path / "key"))
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o400
    assert json.loads(edged(tmp_path, "models", "show", "builtin:activity", "--json"))["runs"]
    assert "plain SQLite says: file is not a database" in edged(tmp_path, "demo", "--seconds", "5")


def test_a_real_model_is_shown(tmp_path: Path, own: Path) -> None:
    arrays(own, "real.npz")
    model = str(architectures.SHARED / "models" / architectures.CLASSIFIERS[1])
    found = json.loads(architectures.edged(tmp_path, "models", "show", model, "--json"))
    assert (found["runs"], found["decoder"], len(found["labels"])) == (True, "classifier", 1001)


def test_real_pictures_are_decoded_the_same(own: Path, other: Path) -> None:
    mine, theirs = arrays(own, "real.npz"), arrays(other, "real.npz")
    for name in ("clip", "still"):
        apart = np.abs(mine[name].astype(int) - theirs[name])
        print(f"{name}: {(apart > 0).mean():.2%} of the bytes differ, by at most {apart.max()}")
        assert apart.max() == 0


def test_a_real_detector_sees_the_same(own: Path, other: Path) -> None:
    mine, theirs = arrays(own, "real.npz"), arrays(other, "real.npz")
    seen = set()
    for number in range(architectures.LOOKS):
        here, there = certain(mine, number), certain(theirs, number)
        assert len(here) == len(there)
        for label, score, box in here:
            same = max((one for one in there if one[0] == label), key=lambda one: overlap(one[2], box))
            assert overlap(same[2], box) >= OVERLAP and abs(same[1] - score) <= DETECTOR
            seen.add(label)
    assert 0 in seen  # a person


def certain(found: dict[str, np.ndarray], number: int) -> list[tuple[int, float, np.ndarray]]:
    """The detections of one look that count: (class, score, box)."""
    every = zip(*(found[f"{name}{number}"] for name in ("classes", "scores", "boxes")), strict=True)
    return [(int(label), float(score), box) for label, score, box in every if score >= CERTAIN]


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """What two boxes (top, left, bottom, right) share, of what they cover together."""
    shared = np.maximum(0, np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])).prod()
    return float(shared / ((one[2:] - one[:2]).prod() + (two[2:] - two[:2]).prod() - shared))


@pytest.mark.parametrize("name", architectures.CLASSIFIERS)
def test_a_real_classifier_gives_the_same_scores(own: Path, other: Path, name: str) -> None:
    mine, theirs = arrays(own, "real.npz")[name], arrays(other, "real.npz")[name]
    assert mine.max() > 0.9 and mine.argmax() == theirs.argmax()
    assert np.abs(mine - theirs).max() <= CLASSIFIER


@pytest.mark.skipif("QEMU_CPU" not in os.environ, reason="the processor is chosen by an emulator only")
@pytest.mark.parametrize("processor", ["cortex-a76", "max"])
def test_newer_processors_see_the_same(own: Path, processor: str, tmp_path: Path) -> None:
    """A Pi 5's (dot products of bytes), and one with everything there is: other kernels, the same grids."""
    program = f"import architectures as a, numpy; numpy.savez({str(tmp_path / 'a.npz')!r}, **a.grids())"
    environment = {**os.environ, "QEMU_CPU": processor, "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    for name, values in arrays(own, "activity.npz").items():
        assert np.abs(values - arrays(tmp_path, "a.npz")[name]).max() <= TOLERANCE
