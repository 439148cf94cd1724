"""What a command takes of a process that may have been taken over: so much, and no longer than it waits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edged.enquiry import COMPLAINT, Said, asked

MOST = 1000


def said(code: str, patience: float = 60.0, question: bytes = b"") -> Said:
    return asked((sys.executable, "-I", "-c", code), question, patience, MOST, complaints=True)


def test_of_a_complaint_its_end_is_kept() -> None:
    found = said("import sys; sys.stderr.write('x' * 3_000_000 + '\\nwhy\\x1b[2J'); sys.exit(3)")
    assert (found.status, found.answer, found.last_line) == (3, b"", "why?[2J")
    assert len(found.complaint) <= COMPLAINT
    silent = asked((sys.executable, "-I", "-c", "import sys; sys.stderr.write('why')"), b"", 60.0, MOST)
    assert silent == Said(0, b"", b"")


def test_an_answer_that_is_too_long_is_none() -> None:
    assert said(f"print('x' * {MOST - 1})").answer == b"x" * (MOST - 1) + b"\n"
    assert said(f"print('x' * {MOST})").answer == b""
    assert said("while True: print('x' * 9999)").answer == b""


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(600)", "import os, time; os.close(1); time.sleep(600)"]
)
def test_nobody_waits_for_one_that_does_not_end(code: str) -> None:
    """Not for its answer, and not for its end when it has given one: it is killed."""
    with pytest.raises(subprocess.TimeoutExpired):
        said(code, 1.0, b"?" * 300_000)


def test_what_ended_it_has_a_name() -> None:
    assert said("import os; os.abort()").signal == "SIGABRT"
    assert (said("pass").signal, Said(-200, b"").signal) == ("", "signal 200")
