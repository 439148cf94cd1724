"""arm-wheels.py VERSION GLIBC FOLDER: the aarch64 wheels of edged and its tests into FOLDER, by pip, from
outside.

pip knows how to choose wheels for another machine, but judges the markers in a list of requirements
(``python_version < '3.12'``) by the Python that it runs in: they are judged here instead, for the Python
that is meant.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
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


def main(version: str, glibc: str, folder: str) -> int:
    """Fetch and unpack; pip's exit status. What pip itself would install must fit the Python that it runs
    in.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = [one for one in meant(wanted, version) if Requirement(one).name not in NATIVE]
    with tempfile.TemporaryDirectory() as work:
        constraints = Path(work) / "constraints.txt"
        every = (ROOT / "constraints.txt").read_text().splitlines()
        constraints.write_text("\n".join(meant(every, version)))
        options = ["--quiet", "--disable-pip-version-check", f"--dest={work}", f"--constraint={constraints}"]
        command = [sys.executable, "-m", "pip", "download", *options, *machine(version, int(glibc)), *names]
        status = subprocess.run(command, check=False).returncode
        for wheel in Path(work).glob("*.whl"):
            unpack(wheel, Path(folder))
    return status


def machine(version: str, glibc: int) -> list[str]:
    """pip's options for that Python and a system with the C library 2.``glibc``: a wheel may ask for any
    that is not newer.
    """
    tags = [f"manylinux_2_{minor}_aarch64" for minor in range(glibc, 16, -1)]
    tags += ["manylinux2014_aarch64", "linux_aarch64"]
    return [
        *(f"--platform={tag}" for tag in tags),
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={version}",
    ]


def unpack(wheel: Path, folder: Path) -> None:
    """A wheel is an archive of what goes into the folder, but for what its ``.data`` says belongs
    elsewhere.
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for data in folder.glob("*.data"):
        for kind in ("purelib", "platlib"):
            if (data / kind).is_dir():
                shutil.copytree(data / kind, folder, dirs_exist_ok=True)
        shutil.rmtree(data)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
