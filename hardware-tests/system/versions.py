"""Other versions of edged, made from this checkout: a newer one, and three that must not stay.

Each is a copy of what git knows of the checkout (and of what it would be asked to add), with another version
number and at most one thing broken.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

#: Put before the daemon's main(): it comes up and never says that it is ready.
NEVER_READY = """
def main(*_: object) -> int:
    import time

    time.sleep(3600)
    return 0
"""
#: It is ready, counts, and dies after ten seconds, for ever.
DIES_AFTER_10_S = """
def _die() -> None:
    import os
    import signal
    import time

    time.sleep(10)
    os.kill(os.getpid(), signal.SIGSEGV)


import threading

threading.Thread(target=_die, daemon=True).start()
"""
#: It dies as soon as it has brought the store to its own, newer schema.
DIES_WITH_NEWER_SCHEMA = DIES_AFTER_10_S.replace("time.sleep(10)", "time.sleep(4)")


def copy(folder: Path) -> Path:
    """The checkout as a user would clone it."""
    for name in _files():
        source, target = CHECKOUT / name, folder / name
        if source.is_file() or source.is_symlink():  # a file that was removed is still listed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder


def _files() -> list[str]:
    """What git has, and would be asked to add; without git, everything but what is hidden or made."""
    if (CHECKOUT / ".git").exists() and shutil.which("git"):
        # Root may look into a checkout that is somebody else's.
        command = "git -c safe.directory=* ls-files -z --cached --others --exclude-standard"
        listed = subprocess.run(command.split(), cwd=CHECKOUT, capture_output=True, check=True).stdout
        return [name for name in listed.decode().split("\0") if name]
    found = (path.relative_to(CHECKOUT) for path in CHECKOUT.rglob("*"))
    return [str(one) for one in found if one.parts[0][0] != "." and "__pycache__" not in one.parts]


def make(folder: Path, version: str = "", broken: str = "", newer_schema: bool = False) -> Path:
    """A copy that calls itself ``version`` ("": as the checkout does); ``broken`` is code that is put at
    the end of the daemon's module.
    """
    copy(folder)
    if version:
        _replace(folder / "pyproject.toml", r'^version = ".*"$', f'version = "{version}"')
        _replace(folder / "edged/__init__.py", r'^__version__(.*)= ".*"$', rf'__version__\1= "{version}"')
    if broken:
        service = folder / "edged/service.py"
        text, main = service.read_text(), '\nif __name__ == "__main__":'
        assert main in text, "edged/service.py has changed: tell versions.py where to break it"
        service.write_text(text.replace(main, f"\n{broken}\n{main}"))
    if newer_schema:
        # A table nobody asks for: what matters is that the version before cannot open the file any more.
        schema = folder / "edged/store/schema.py"
        schema.write_text(
            schema.read_text() + '\nMIGRATIONS = (*MIGRATIONS, ("CREATE TABLE newer (one INTEGER)",))\n'
            "VERSION = len(MIGRATIONS)\n"
        )
    return folder


def collect(folder: Path, wheels: Path) -> None:
    """Beside a copy, what `install.sh --offline` takes for it: the wheels of others (``wheels``) and its
    own.
    """
    offline = offline_of(folder)
    offline.mkdir()
    for wheel in wheels.iterdir():
        os.link(wheel, offline / wheel.name)
    shutil.copy2(folder / "constraints.txt", offline)
    # hatchling itself, as pip would run it: without the environment that pip would fetch for that.
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", offline],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def offline_of(folder: Path) -> Path:
    """Where ``collect`` puts it."""
    return folder.with_name(f"{folder.name}, wheels")


def version_of(folder: Path) -> str:
    """What a copy calls itself."""
    found = re.search(r'^version = "(.*)"$', (folder / "pyproject.toml").read_text(), re.MULTILINE)
    assert found
    return found[1]


def change_default_config(folder: Path) -> None:
    """A default that the owner of an older one has never seen."""
    path = folder / "config/edged.toml"
    path.write_text(f"{path.read_text()}\n# A new default.\n")


def _replace(path: Path, pattern: str, by: str) -> None:
    text, times = re.subn(pattern, by, path.read_text(), count=1, flags=re.MULTILINE)
    assert times == 1, f"{path.name} has no {pattern}"
    path.write_text(text)
