"""arm-wheels.py VERSION GLIBC FOLDER: the aarch64 wheels of edged and its tests into FOLDER, by pip, from
outside.

pip knows how to choose wheels for another machine, but judges the markers in a list of requirements
(``python_version < '3.12'``) by the Python that it runs in: they are judged here instead, for the Python
that is meant.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
#: What only looks at text, the same on every machine; it runs natively.
NATIVE = {"mypy", "ruff", "hatchling"}


def meant(lines: Iterable[str], version: str) -> Iterator[str]:
    """The requirements that hold for that Python on aarch64, without their markers."""
    there = {"python_version": version, "python_full_version": f"{version}.0", "platform_machine": "aarch64"}
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(there):
            one.marker = None
            yield str(one)


def main(version: str, glibc: str, folder: str) -> None:
    """Install. Raises ``CalledProcessError`` when a wheel is not there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = [one for one in meant(wanted, version) if Requirement(one).name not in NATIVE]
    # A wheel may ask for any C library that is not newer than the system's: every tag down to the oldest.
    tags = [f"manylinux_2_{minor}_aarch64" for minor in range(int(glibc), 16, -1)]
    platforms = [f"--platform={tag}" for tag in (*tags, "manylinux2014_aarch64", "linux_aarch64")]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(meant((ROOT / "constraints.txt").read_text().splitlines(), version)))
        constraints.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
        ]
        command += ["--implementation=cp", f"--python-version={version}", *platforms, "--only-binary=:all:"]
        command += [f"--target={folder}", f"--constraint={constraints.name}", *names]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
