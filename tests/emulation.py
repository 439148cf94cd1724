"""Where an emulator runs our programs (``hardware-tests/lab/arm.sh``), and what cannot be tested there.

An emulator of programs, not of machines: the kernel is this machine's, and what it tells of a process is told
of the emulator. A test that asks the kernel says so with ``native``, and why.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

EMULATED: Final = os.environ.get("EDGED_LAB") == "arm"


def native(why: str) -> pytest.MarkDecorator:
    """Marks a test that cannot run under emulation, because of ``why``."""
    return pytest.mark.skipif(EMULATED, reason=f"under emulation {why}")
