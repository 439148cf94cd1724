"""Linters are tests: style, format and the shell scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def scripts() -> list[str]:
    """Every shell script of the checkout, relative to its root."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.sh")]
    return [".ci/run", *sorted(str(path) for path in found if not path.parts[0].startswith((".", "build")))]


def run(*command: str) -> None:
    """Run a linter in the project's root; what it finds is the failure's message."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("command", [("check",), ("format", "--check", "--diff")], ids=["check", "format"])
def test_ruff(command: tuple[str, ...]) -> None:
    run(sys.executable, "-m", "ruff", *command, ".")


def test_shell_scripts() -> None:
    assert shutil.which("shellcheck"), "shellcheck is missing: ./install.sh --test installs Debian's"
    assert "install.sh" in scripts()
    # SC2016 sees a slip in every single-quoted $; here they are programs for another shell.
    run("shellcheck", "--exclude=SC2016", *scripts())


@pytest.mark.parametrize("script", ["install.sh", ".ci/run"])
def test_what_people_call_is_executable(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
