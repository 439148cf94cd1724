"""What install.sh says before it does anything. What it does is tried by hardware-tests/lab/fresh.sh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def install(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(root / "install.sh"), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_job(root: Path) -> None:
    done = install(root, "--help")
    assert done.returncode == 0
    assert {"--demo", "--test", "--bench"} <= set(done.stdout.replace("|", " ").split())


def test_without_a_job_it_points_to_those_that_are_there(root: Path) -> None:
    done = install(root)
    assert done.returncode == 2
    assert "--demo" in done.stderr
    assert "--test" in done.stderr
    assert done.stdout == ""


def test_an_unknown_job_is_refused(root: Path) -> None:
    done = install(root, "--dmeo")
    assert done.returncode == 2
    assert done.stderr.startswith("install.sh: there is no --dmeo.\n")


def test_an_interpreter_that_is_not_there(root: Path) -> None:
    done = install(root, "--demo", PYTHON="/nowhere/python3")
    assert done.returncode == 1
    assert "PYTHON is /nowhere/python3" in done.stderr


def test_an_interpreter_that_is_too_old(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3.9\n")
    old.chmod(0o755)
    done = install(root, "--demo", PYTHON=str(old))
    assert done.returncode == 1
    assert f"{old} is Python 3.9; edged needs 3.11 or newer." in done.stderr
