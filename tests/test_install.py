"""What install.sh says before it does anything. What it does is tried by hardware-tests/."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest


def install(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(str(root / "install.sh"), *arguments, **environment)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_job(root: Path) -> None:
    done = install(root, "--help")
    assert done.returncode == 0
    words = set(re.findall(r"--[a-z-]+", done.stdout))
    jobs = {"--demo", "--test", "--bench", "--uninstall", "--purge", "--collect"}
    assert jobs | {"--dry-run", "--offline", "--yes", "--arch", "--python"} <= words
    assert "Examples:" in done.stdout


def test_every_option_of_the_help_is_understood(root: Path) -> None:
    program = (root / "install.sh").read_text()
    for option in set(re.findall(r"--[a-z-]+", install(root, "--help").stdout)):
        assert re.search(rf"{option}( \||\))", program), f"the help names {option}"


def test_an_unknown_option_is_refused(root: Path) -> None:
    done = install(root, "--dmeo")
    assert done.returncode == 2
    assert done.stderr == "install.sh: there is no --dmeo.\n  ./install.sh --help says what there is.\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--uninstall", "--purge"), "--uninstall and --purge do not go together."),
        (("--collect", "x", "--uninstall"), "--collect and --uninstall do not go together."),
        (("--uninstall", "--offline", "x"), "--offline and --uninstall do not go together."),
        (("--collect", "x", "--dry-run"), "--dry-run and --collect do not go together."),
        (("--yes",), "--yes is for --purge."),
        (("--uninstall", "--yes"), "--yes is for --purge."),
        (("--arch", "aarch64"), "--arch and --python are for --collect."),
        (("--offline",), "--offline needs a value."),
        (("--offline", "--dry-run"), "--offline needs a value."),
        (("--collect", "x", "--arch", "armv7l"), "--arch is aarch64 or x86_64, not armv7l."),
        (
            ("--collect", "x", "--python", "3.12"),
            "--python is 3.11 (Debian 12) or 3.13 (Debian 13), not 3.12.",
        ),
        (("--dry-run", "--demo"), "--demo comes first, and further arguments go to it."),
    ],
)
def test_what_does_not_go_together(root: Path, arguments: tuple[str, ...], message: str) -> None:
    done = install(root, *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"install.sh: {message}"
    assert done.stdout == ""


def test_a_folder_that_is_not_there(root: Path) -> None:
    done = install(root, "--offline", "/nowhere")
    assert done.returncode == 1
    assert done.stderr == "install.sh: --offline /nowhere: there is no such folder.\n"


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


# --- what a machine must be


def on_a_machine(*set_up: str, run_as: str = "") -> list[str]:
    """A command's beginning that makes this machine look otherwise, for that command alone."""
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    probe = run("unshare", *who, "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run")
    if probe.returncode != 0:
        pytest.skip(f"no namespace of mounts can be had here: {probe.stderr.strip()}")
    steps = " && ".join([*set_up, f'exec {run_as} "$@"'])
    return ["unshare", *who, "--mount", "sh", "-c", steps, "sh"]


def debian(tmp_path: Path, **words: str) -> str:
    """Make os-release say something else."""
    file = tmp_path / "os-release"
    file.write_text("".join(f'{key}="{value}"\n' for key, value in words.items()))
    return f"mount --bind {file} {Path('/etc/os-release').resolve()}"


BOOKWORM = {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}
BOOTED = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system"


@pytest.mark.parametrize(
    "words",
    [
        {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "24.04", "PRETTY_NAME": "Ubuntu 24.04"},
        {"ID": "debian", "VERSION_ID": "11", "PRETTY_NAME": "Debian GNU/Linux 11 (bullseye)"},
        {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux forky/sid"},
    ],
)
def test_another_system_is_named(root: Path, tmp_path: Path, words: dict[str, str]) -> None:
    done = run(*on_a_machine(debian(tmp_path, **words)), str(root / "install.sh"))
    assert done.returncode == 1
    assert f"this system is {words['PRETTY_NAME']}" in done.stderr
    assert done.stdout == ""


def test_another_processor_is_named(root: Path) -> None:
    if platform.machine() != "x86_64" or not shutil.which("setarch"):
        pytest.skip("only x86_64 can be made to look like an i686 here")
    done = run("setarch", "i686", str(root / "install.sh"))
    assert done.returncode == 1
    assert "this machine is i686; edged runs on 64-bit Arm (aarch64) and x86 (x86_64)." in done.stderr


def test_a_machine_without_systemd_is_told_what_was_found(root: Path, tmp_path: Path) -> None:
    machine = on_a_machine(debian(tmp_path, **BOOKWORM), "mount -t tmpfs tmpfs /run")
    done = run(*machine, str(root / "install.sh"))
    assert done.returncode == 1
    first = Path("/proc/1/comm").read_text().strip()
    assert f"this system was not booted with systemd (process 1 is {first})" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--uninstall",), ("--dry-run",)])
def test_whoever_is_not_root_is_told_what_to_type(
    root: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    if not shutil.which("systemctl"):
        pytest.skip("there is no systemctl here")
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    machine = on_a_machine(debian(tmp_path, **BOOKWORM), BOOTED, run_as=nobody)
    done = run(*machine, str(root / "install.sh"), *arguments)
    assert done.returncode == 1
    # As it is to be typed: the checkout's path may hold a space.
    told = " ".join(["run: sudo", str(root / "install.sh").replace(" ", "\\ "), *arguments])
    assert told in done.stderr
