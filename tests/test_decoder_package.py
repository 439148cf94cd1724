"""A decoder of somebody else's, as a package of its own: built, installed, held to the contract and run by a
locked worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import drafts
import pytest

from edged import wall
from edged.config.shape import Model, Pipeline, Synthetic
from edged.errors import RefusedError
from edged.worker.decode import Output, Plain, plugin
from edged.worker.decode.choice import chosen
from edged.worker.ladder import Ladder

PACKAGE = Path(__file__).parent / "decoder_package"
BUILD = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"

[clock]
trust = "always"

[store]
keep = {{ second = "1d" }}

[models.heat]
file = "heat.tflite"
decoder = "{decoder}"
mean = [0.0]
std = [255.0]
min_score = 0.1

[pipelines.hall]
model = "heat"
rate = 10.0

[pipelines.hall.source]
kind = "synthetic"
width = 96
height = 96
pace = "fast"
duration = "5s"
start = "2026-01-01T12:00:00Z"

[[pipelines.hall.measures]]
kind = "occupancy"
labels = ["blob"]
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has this one's packages, and the decoder's installed beside them."""
    pytest.importorskip("hatchling.build")
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("others")
    name = subprocess.check_output([sys.executable, "-c", BUILD, str(folder)], cwd=PACKAGE, text=True)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    made = folder / "venv/bin/python"
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.check_output([made, "-c", where], text=True).strip())
    lent = [one for one in sys.path if Path(one).is_dir() and "site-packages" in one]
    (site / "lent.pth").write_text("\n".join([*lent, str(PACKAGE.parents[1])]))
    wheel = folder / name.split()[-1]
    install = [sys.executable, "-m", "pip", "--python", str(made), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    return made


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [python, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A model whose output is its picture."""
    draft = drafts.Draft()
    given, heat = draft.tensor("picture", [1, 8, 8, 1]), draft.tensor("heat", [1, 8, 8, 1])
    draft.reshape(given, heat, [1, 8, 8, 1])
    (tmp_path / "heat.tflite").write_bytes(draft.packed([given], [heat]))
    (tmp_path / "edged.toml").write_text(CONFIG.format(decoder="blobs"))
    return tmp_path


def test_its_own_tests_hold_it_to_the_contract(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests"))
    assert done.returncode == 0, done.stdout
    assert "14 passed" in done.stdout


def test_a_locked_worker_counts_with_it(python: Path, home: Path) -> None:
    assert run(python, home, "-m", "edged", "keys", "init").returncode == 0
    done = run(python, home, "-m", "edged", "run", "edged.toml")
    assert done.returncode == 0, done.stderr
    told = run(python, home, "-m", "edged", "report", "--all", "--json")
    (series,) = json.loads(told.stdout)["series"]
    assert (series["measure"], series["label"]) == ("occupancy", "blob")
    assert series["rows"] and all(row["mean"] > 0 for row in series["rows"])


def test_one_that_nobody_installed_is_refused_with_those_that_are_there(python: Path, home: Path) -> None:
    (home / "edged.toml").write_text(CONFIG.format(decoder="blob"))
    assert run(python, home, "-m", "edged", "keys", "init").returncode == 0
    done = run(python, home, "-m", "edged", "run", "edged.toml")
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert 'there is no decoder "blob"' in done.stderr
    assert "did you mean 'blobs'?" in done.stderr and "installed beside them: blobs" in done.stderr


# --- others' mistakes

ROW = (Output(0, "row", "", (1, 4), "float32"),)


def asked(factory: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(plugin._brought, "theirs", factory)
    return chosen(ROW, Model(file="m.tflite", decoder="theirs"), (), ())


def test_a_factory_gets_outputs_labels_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []

    def factory(*given: Any) -> Any:
        got.append(given)
        return Plain(given[0])

    made = asked(factory, monkeypatch)
    assert (made.tensors, made.gives) == ((0,), Plain.gives)
    assert got == [(ROW, (), Model(file="m.tflite", decoder="theirs"))]


def test_what_fails_in_it_is_a_sentence_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def factory(*_: Any) -> Any:
        raise KeyError("what it computed with")

    with pytest.raises(
        RefusedError, match='the decoder "theirs" fails: a fault in theirs: KeyError'
    ) as caught:
        asked(factory, monkeypatch)
    assert "computed" not in caught.value.message
    with pytest.raises(RefusedError, match="no heat map"):
        asked(lambda *_: (_ for _ in ()).throw(RefusedError("no heat map", "x")), monkeypatch)


def test_what_is_no_decoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match='the decoder "theirs" keeps no rules: its tensors are None'):
        asked(lambda *_: 5, monkeypatch)


def test_a_locked_worker_s_other_rungs_have_theirs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is started anew opens one rung only before it is locked."""
    asked: list[str] = []
    monkeypatch.setattr(plugin, "_loaded", asked.append)
    models = (Model(file="builtin:activity"), Model(file=str(home / "heat.tflite"), decoder="theirs-too"))
    pipeline = Pipeline(source=Synthetic())
    Ladder(wall.Assignment(wall.PROTOCOL, "p", pipeline, models, (), examine=False)).hold()
    assert asked == ["theirs-too"]


def test_one_that_cannot_be_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def entry_points(group: str) -> Any:
        points = (("lost", "no_such_module:decoder"), ("text", "edged:__version__"))
        return [importlib.metadata.EntryPoint(name, value, group) for name, value in points]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    for name, said in (("lost", "cannot be imported: .*ModuleNotFoundError"), ("text", "is no function")):
        with pytest.raises(RefusedError, match=said) as caught:
            plugin.brought(name)
        assert caught.value.hint
