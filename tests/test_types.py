"""Strict types over the whole package: nothing is excused."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_strict() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "edged"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_of_ours_is_excused() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert config["strict"] is True
    for override in config.get("overrides", ()):
        names = override["module"] if isinstance(override["module"], list) else [override["module"]]
        assert not [name for name in names if name.split(".")[0] == "edged"]
    assert not [
        p for p in (ROOT / "edged").rglob("*.py") if re.search(r"^# mypy: ", p.read_text(), re.MULTILINE)
    ]
