"""What is built is what is in the checkout: without a model in it, a wheel would start and then fail."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked."""
    made = tmp_path_factory.mktemp("wheel")
    program = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    name = subprocess.check_output([sys.executable, "-c", program, str(made)], cwd=root, text=True).split()[
        -1
    ]
    unpacked = made / "unpacked"
    with zipfile.ZipFile(made / name) as archive:
        archive.extractall(unpacked)
    return unpacked


def files(folder: Path) -> set[str]:
    """Relative paths of everything that is not made by running it."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_all_of_edged(root: Path, wheel: Path) -> None:
    in_wheel = {name for name in files(wheel / "edged") if not name.startswith("share/")}
    assert in_wheel == files(root / "edged")


def test_the_wheel_holds_what_else_an_installation_needs(root: Path, wheel: Path) -> None:
    """Configs, units, manual, installer: what pyproject.toml lends a place below share, and nothing else."""
    hatch = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]
    meant = set()
    for source, place in hatch["build"]["targets"]["wheel"]["force-include"].items():
        assert Path(place).is_relative_to("edged/share")
        below = Path(place).relative_to("edged/share")
        meant |= {str(below / name) for name in files(root / source) or {"."}}
    assert {"edged.toml", "systemd/edged.service", "man/edged.1", "man/edged.service.8"} <= meant
    assert files(wheel / "edged/share") == meant


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    others = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert others == {"edged"}


def test_the_unpacked_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(wheel), "PYTHONSAFEPATH": "1"}
    where = "import edged, edged.config.shipped; print(edged.__file__)"
    found = subprocess.check_output([sys.executable, "-c", where], cwd=tmp_path, env=environment, text=True)
    assert Path(found.strip()).is_relative_to(wheel)
    subprocess.run(
        [sys.executable, "-m", "edged", "check", str(wheel / "edged/share/demo.toml")],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
