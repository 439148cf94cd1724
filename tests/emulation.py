"""Where an emulator runs our programs (``hardware-tests/lab/arm.sh``), and what cannot be tested there.

An emulator of programs, not of machines: the kernel is this machine's, and what it tells of a process is told
of the emulator. A test that asks the kernel says so with ``native``, and why.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import pytest

EMULATED: Final = os.environ.get("EDGED_LAB") == "arm"


def native(why: str) -> pytest.MarkDecorator:
    """Marks a test that cannot run under emulation, because of ``why``."""
    return pytest.mark.skipif(EMULATED, reason=f"under emulation {why}")


_TEXT: Final = "it would only be slow: text is the same on every architecture"
#: Whole files, where their own text is not the place to say so.
FILES: Final = {
    "test_lint.py": "there are no linters; text is the same on every architecture",
    "test_types.py": "there is no type checker; text is the same on every architecture",
    "test_package.py": "nothing is built; the wheel is the same on every architecture",
    "test_docs.py": _TEXT,
    "test_layers.py": _TEXT,
    "test_install.py": "install.sh and what it calls are not there",
    "test_worker_faults.py": "the emulator itself crashes and hangs, and misses deadlines",
    "test_mutants.py": "what crashes on a mutant would be the emulator, and hundreds would take an hour",
    "test_soak.py": "it would take hours",
    "test_box.py": "it would take an hour: minutes of real time, against deadlines that an emulator misses",
}


def skip_files(items: Iterable[pytest.Item]) -> None:
    """Skip what is in ``FILES``, under emulation."""
    for one in items if EMULATED else ():
        if one.path.name in FILES:
            one.add_marker(pytest.mark.skip(reason=f"under emulation {FILES[one.path.name]}"))
