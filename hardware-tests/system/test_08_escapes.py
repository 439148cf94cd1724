"""Step 8: what a worker that was taken over would try, inside the real unit."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from box import CHECKOUT, PYTHON, Box

TESTS = Path(__file__).resolve().parents[2] / "tests"
#: Within the unit's sandbox the service's own folders alone can be written to; /opt can be read.
PLACE, HARMED, OUT = "/opt/edged/escapes", "/var/lib/edged/escapes", "/run/edged-escapes"
SUCCEEDED, REFUSED, KILLED, OLD_GATE = 70, 100, -9, -31
#: Python will not import once it is locked.
IMPORTS = 72
#: They are stopped by a limit on what they take.
LEAST = 30

#: The unit as it is installed, with another program.
UNIT = rf"""
left_out='^(Type|NotifyAccess|ExecStart|ExecReload|Watchdog|Restart|Wants|TimeoutStart)'
systemctl cat edged.service | grep -Ev "$left_out" >/run/systemd/system/edged-escapes.service
cat >>/run/systemd/system/edged-escapes.service <<U
[Service]
Type=oneshot
TimeoutStartSec=10min
ExecStart={PYTHON} -I -B {PLACE}/escape/runner.py --locked {HARMED} MACHINE
StandardOutput=append:{OUT}/locked
StandardError=inherit
U
mkdir -p {OUT}
systemctl daemon-reload
systemctl start edged-escapes.service
"""


@pytest.fixture
def place(box: Box) -> Iterator[str]:
    """The attempts where the unit can read them; the compiled object's path, "" without a compiler here."""
    machine = compiled(box.machine.share)
    source = f"'{box.machine.inside}/{CHECKOUT}/tests'"
    box.run(
        f"systemctl stop edged; rm -rf {PLACE}; mkdir -p {PLACE};"
        f"cp -r {source}/escape {source}/stage.py {PLACE}/;"
        + (f"cp '{box.machine.inside}/machine.so' {PLACE}/;" if machine else "")
        + f"chmod -R a+rX {PLACE}; install -d -o edged -g edged {HARMED}"
    )
    yield f"{PLACE}/machine.so" if machine else '""'
    box.run(
        f"rm -rf {PLACE} {HARMED} {OUT} /run/systemd/system/edged-escapes.service; systemctl daemon-reload;"
        "systemctl reset-failed; systemctl start edged"
    )


def compiled(folder: Path) -> bool:
    """The attempts' machine code, made here for a machine of the same kind: it needs no library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    command = [compiler, "-shared", "-fPIC", "-O1", "-nostdlib", "-o", folder / "machine.so"]
    return subprocess.run([*command, TESTS / "escape" / "machine.c"], check=False).returncode == 0


def test_a_worker_that_was_taken_over_gets_nowhere_inside_the_unit(box: Box, place: str) -> None:
    runner = f"{PYTHON} -I -B {PLACE}/escape/runner.py"
    free = json.loads(box.run(f"cd {PLACE}; {runner} --free $(mktemp -d) {place}", limit=600).out)
    said = box.run(UNIT.replace("MACHINE", place), limit=600, check=False).said
    text = box.read(f"{OUT}/locked")
    assert text.startswith("{"), said + text
    locked = json.loads(text)
    assert set(locked) == set(free)
    succeeded = {name for name, (status, _) in locked.items() if status == SUCCEEDED}
    assert succeeded == set()
    # The unit's own filter answers some before ours is asked; ours names the rest.
    unclear = {
        name: (status, named)
        for name, (status, named) in locked.items()
        if not (status > REFUSED or status == OLD_GATE or (status == KILLED and named))
    }
    assert unclear == {}
    shown = [name for name in locked if free[name][0] == SUCCEEDED]
    named = [name for name, (_, call) in locked.items() if call]
    box.figure("escapes tried inside the unit", f"{len(locked)}, {len(shown)} shown", "none succeeds")
    box.figure("escapes that the daemon named", str(len(named)))
    assert len(shown) >= LEAST and named
