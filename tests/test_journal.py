"""What the daemon says: to whom, how, how much of it, and that nothing gets into it that is not one line.

What real journald makes of it is the lab's matter (hardware-tests/system).
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import __version__, journal
from edged.events import KINDS
from edged.journal import BURST, LONGEST, REFILL, Journal

MINUTE = 60.0
#: A program that says one line and one event.
SPEAKS = """
from edged.journal import Journal
one = Journal("info")
one.say("debug", "nobody wants to know")
one.say("warning", "it is\\nso")
one.event("replaced", "no progress", "door", reason="no progress", wait_s=0.5, restarts=1)
print("counts on")
"""


def speak(stderr: int, **environment: str) -> None:
    env = {"PATH": os.environ["PATH"], **environment}
    command = [sys.executable, "-c", SPEAKS]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, env=env, check=False)
    assert done.stdout == b"counts on\n"


def journal_stream(path: Path) -> str:
    return f"{path.stat().st_dev}:{path.stat().st_ino}"


def without_library(folder: Path) -> dict[str, str]:
    """An environment in which python3-systemd cannot be imported, whatever is installed."""
    (folder / "systemd").mkdir()
    (folder / "systemd" / "__init__.py").write_text("")
    return {"PYTHONPATH": str(folder)}


def test_plain_lines_where_no_journald_reads(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        speak(log.fileno())
    assert (tmp_path / "log").read_text() == ("edged: it is so\nedged: door: replaced: no progress\n")


def test_priorities_in_front_where_journald_reads_but_its_library_is_absent(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        speak(log.fileno(), JOURNAL_STREAM=journal_stream(tmp_path / "log"), **without_library(tmp_path))
    assert (tmp_path / "log").read_text() == "<4>it is so\n<4>door: replaced: no progress\n"


def test_an_inherited_variable_does_not_make_a_file_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        speak(log.fileno(), JOURNAL_STREAM=journal_stream(tmp_path))
    assert "<4>" not in (tmp_path / "log").read_text()


def test_on_a_terminal_the_line_that_edged_run_keeps_is_cleared_first() -> None:
    ours, theirs = pty.openpty()
    speak(theirs)
    os.close(theirs)
    assert os.read(ours, 4096).startswith(b"\x1b[Kedged: it is so\r\n")
    os.close(ours)


def test_nothing_happens_when_nobody_can_hear(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    with full.open("w") as nowhere:
        speak(nowhere.fileno())


def test_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Journal().event("no-such-kind", "it is so")


def test_what_is_less_grave_than_the_level_is_not_said_but_kept(capsys: pytest.CaptureFixture[str]) -> None:
    one = Journal("error")
    assert one.event("replaced", "no progress", "door") == "no progress"
    assert capsys.readouterr().err == ""
    assert one.event("refused", "no such file", "door") == "no such file"
    assert capsys.readouterr().err == "edged: door: refused: no such file\n"


# --- what gets in

ANYTHING = st.text(max_size=2 * LONGEST) | st.sampled_from(
    ["x\nPRIORITY=0\n", "a\r\n_UID=0", "\x1b]0;title\x07", "\u2028\u202e", "\udcff", "<0>x", ""]
)


@given(ANYTHING, ANYTHING, st.dictionaries(st.sampled_from(["reason", "wait_s"]), ANYTHING | st.floats()))
def test_a_field_stays_one_field_of_one_printable_line(
    text: str, pipeline: str, fields: dict[str, object]
) -> None:
    kind = KINDS["replaced"]
    entry = list(journal._entry(4, journal._headed(pipeline, text), pipeline, kind, fields))
    names = [one.partition("=")[0] for one in entry]
    expected = {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "EDGED_VERSION", "MESSAGE_ID", "EDGED_EVENT"}
    assert len(names) == len(set(names))
    assert set(names) - {"EDGED_PIPELINE"} == expected | {f"EDGED_{one.upper()}" for one in fields}
    for one in entry:
        value = one.partition("=")[2]
        assert value.isprintable() and len(value) <= LONGEST
        value.encode()  # a lone surrogate would raise


@given(ANYTHING, ANYTHING)
def test_a_line_stays_one_printable_line(text: str, pipeline: str) -> None:
    stream = io.StringIO()
    before, sys.stderr = sys.stderr, stream
    try:
        Journal().event("refused", text, pipeline, reason=text)
    finally:
        sys.stderr = before
    line = stream.getvalue()
    assert line.endswith("\n") and line[:-1].isprintable() and len(line) <= LONGEST + len("edged: \n")


def test_an_entry_carries_what_its_document_says() -> None:
    fields = {"reason": "no progress for 5 s", "wait_s": 0.5, "restarts": 3}
    entry = journal._entry(4, "door: replaced: it", "door", KINDS["replaced"], fields)
    assert dict(one.split("=", 1) for one in entry) == {
        "MESSAGE": "door: replaced: it",
        "MESSAGE_ID": KINDS["replaced"].message_id,
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "edged",
        "EDGED_EVENT": "replaced",
        "EDGED_PIPELINE": "door",
        "EDGED_VERSION": __version__,
        "EDGED_REASON": "no progress for 5 s",
        "EDGED_WAIT_S": "0.5",
        "EDGED_RESTARTS": "3",
    }


# --- how much of it


class Day:
    """A journal whose clock is told, and what it said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.journal = Journal("error", clock=lambda: self.now)
        self.said: list[str] = []

    def happen(self, pipeline: str = "door", text: str = "no progress") -> None:
        text = self.journal.event("replaced", text, pipeline)
        self.said += [text] * bool(text)

    def settle(self, everything: bool = False) -> None:
        self.said += [one.text for one in self.journal.settle(everything)]

    @property
    def told(self) -> int:
        """How many events the said lines stand for."""
        more = [re.search(r"and (\d+) more", one) for one in self.said]
        return len(self.said) + sum(int(one[1]) for one in more if one)


def test_a_pipeline_that_flaps_all_day_is_counted_instead_of_said() -> None:
    day = Day()
    for _ in range(24 * 60):
        day.now += MINUTE
        day.happen()
        day.settle()
    day.settle(everything=True)
    assert day.told == 24 * 60
    assert len(day.said) <= BURST + 24 * 3600 / REFILL + 1
    assert day.said[BURST + 1] == "no progress (and 9 more like it in the last 9 min)"


def test_what_was_held_back_is_told_in_the_silence_after_it_with_the_last_words() -> None:
    day = Day()
    for number in range(BURST + 3):
        day.happen(text=f"reason {number}")
    day.settle()
    assert len(day.said) == BURST
    day.now += REFILL
    day.settle()
    assert day.said[BURST:] == [f"reason {BURST + 2} (and 2 more like it in the last 10 min)"]
    day.settle(everything=True)
    assert day.told == BURST + 3


def test_one_pipeline_does_not_silence_another_and_nothing_is_remembered_for_ever() -> None:
    day = Day()
    for _ in range(100):
        day.happen("door")
    day.happen("yard")
    assert len(day.said) == BURST + 1
    day.now += REFILL
    day.settle()
    day.now += REFILL * BURST
    day.settle()
    assert not day.journal._rations


@given(st.lists(st.tuples(st.floats(0, 3 * REFILL), st.sampled_from(["event", "settle"])), max_size=60))
def test_whatever_the_rhythm_nothing_is_left_untold_and_the_ration_is_kept(
    rhythm: list[tuple[float, str]],
) -> None:
    day, happened = Day(), 0
    for wait, what in rhythm:
        day.now += wait
        if what == "event":
            happened += 1
            day.happen()
        else:
            day.settle()
        assert len(day.said) <= BURST + day.now / REFILL + 1e-6
    day.settle(everything=True)
    assert day.told == happened
