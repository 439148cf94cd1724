"""The doctor's frame: a check that crashes or hangs is itself a finding, and what people and programs are
told.
"""

from __future__ import annotations

import ast
import ctypes
import faulthandler
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.cli import doctor
from edged.doctor import isolation
from edged.doctor.finding import VERDICTS, Finding, Progress
from edged.doctor.register import CHECKS, NAMES
from edged.errors import UnavailableError

ROOT = Path(__file__).resolve().parents[1]
GOOD = Finding("ok", "all is well", facts={"number": 1.5})


def run(check: object, limit: float = 20.0) -> list[Finding]:
    found, seconds = isolation.run("trial", check, limit)  # type: ignore[arg-type]
    assert seconds >= 0
    return found


def test_what_a_check_finds_comes_back_whole() -> None:
    warned = Finding("warning", "hot", "hall", "cool it", ("a", "b"), {"list": [1, None]}, minor=True)
    assert run(lambda: [GOOD, warned]) == [GOOD, warned]


def test_it_runs_in_another_process() -> None:
    (found,) = run(lambda: [Finding("ok", str(os.getpid()))])
    assert int(found.found) != os.getpid()


def test_a_check_that_raises_has_failed_and_tells_no_secret() -> None:
    def check() -> Iterator[Finding]:
        yield GOOD
        raise ValueError("the key is 0123")

    first, second = run(check)
    assert first == GOOD
    assert second.verdict == "failed"
    assert "ValueError" in second.found
    assert "test_doctor.py" in second.found
    assert "0123" not in str(second)


def test_an_error_of_ours_keeps_its_words() -> None:
    def check() -> Iterator[Finding]:
        raise UnavailableError("the device is gone", "plug it in")
        yield

    (found,) = run(check)
    assert (found.verdict, found.found, found.fix) == ("failed", "the device is gone", "plug it in")


def test_a_check_that_crashes_has_failed_and_what_it_found_is_kept() -> None:
    def check() -> Iterator[Finding]:
        yield GOOD
        faulthandler.disable()  # pytest's own
        ctypes.string_at(0)

    first, second = run(check)
    assert first == GOOD
    assert second.verdict == "failed"
    assert "SIGSEGV" in second.found


def test_a_check_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"

    def check() -> Iterator[Finding]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "1000"])
        noted.write_text(str(child.pid))
        yield GOOD
        time.sleep(1000)

    first, second = run(check, 1.5)
    assert first == GOOD
    assert second.verdict == "failed"
    assert "not done within 1.5 s" in second.found
    assert ended(int(noted.read_text()))


def ended(pid: int) -> bool:
    """Gone, or dead and only waiting to be reaped by whoever has inherited it."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_check_that_exits_behind_our_back() -> None:
    def check() -> Iterator[Finding]:
        yield from ()
        os._exit(7)

    (found,) = run(check)
    assert "status 7" in found.found


def test_a_check_that_says_nothing_has_failed() -> None:
    (found,) = run(lambda: [])
    assert found.verdict == "failed"


def test_what_a_check_prints_disturbs_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    def check() -> list[Finding]:
        os.write(1, b"chatter")
        os.write(2, b"more chatter")
        return [GOOD]

    assert run(check) == [GOOD]
    assert capfd.readouterr() == ("", "")


def test_much_is_no_trouble() -> None:
    many = [Finding("note", "x" * 1000, str(number)) for number in range(2000)]
    assert run(lambda: many) == many


def test_progress_and_what_was_read_are_told(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(1 << 20))
    seen: list[tuple[str, int]] = []

    def check() -> Iterator[Finding | Progress]:
        yield Progress("reads", 1 << 20)
        file.read_bytes()
        time.sleep(0.5)
        yield GOOD

    found, _ = isolation.run("trial", check, 20.0, lambda _, at, read: seen.append((at.text, read)))
    assert found == [GOOD]
    assert any(text == "reads" and read >= 1 << 20 for text, read in seen)


def test_every_check_has_a_file_and_every_file_is_a_check() -> None:
    files = {one.stem for one in (ROOT / "edged/doctor/checks").glob("*.py")} - {"__init__"}
    assert files == set(NAMES)
    assert len(NAMES) == len(CHECKS)


def test_the_page_names_every_check_and_verdict() -> None:
    page = (ROOT / "docs/doctor.md").read_text()
    assert set(re.findall(r"^## ([a-z]+)$", page, re.MULTILINE)) == set(NAMES)
    assert all(f"`{one}`" in page for one in VERDICTS)


def facts(node: ast.AST, given: bool = False) -> Iterator[str]:
    """The keys of what a check's code calls facts: what programs rely on."""
    match node:
        case ast.Dict(keys=keys) if given:
            yield from (one.value for one in keys if isinstance(one, ast.Constant))
        case ast.Assign(targets=[ast.Name("facts")]) | ast.AnnAssign(target=ast.Name("facts")):
            given = True
        case ast.AugAssign(target=ast.Name("facts")) | ast.keyword(arg="facts"):
            given = True
        case ast.FunctionDef(name="_facts"):
            given = True
        case ast.Subscript(value=ast.Name("facts"), slice=ast.Constant(value=key), ctx=ast.Store()):
            yield key
    for child in ast.iter_child_nodes(node):
        yield from facts(child, given)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_every_fact(name: str) -> None:
    keys = set(facts(ast.parse((ROOT / f"edged/doctor/checks/{name}.py").read_text())))
    page = (ROOT / "docs/doctor.md").read_text()
    section = re.split(r"^## ", page.partition(f"\n## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    assert keys
    assert sorted(one for one in keys if f"`{one}`" not in section) == []


# --- what people see


def test_one_line_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    (line,) = doctor.shown("clock", GOOD).splitlines()
    assert line.split() == ["ok", "clock", "all", "is", "well"] or "\x1b" in line


def test_what_is_wrong_has_its_details_and_its_fix_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = plain(doctor.shown("card", Finding("failed", "worn " * 30, "sd", "buy one", ("a detail",))))
    lines = text.splitlines()
    assert lines[0].startswith("  failed       card         sd: worn")
    assert max(map(len, lines)) <= 80
    assert lines[-2].strip() == "a detail"
    assert lines[-1].strip() == "-> buy one"


def test_nothing_that_is_printed_commands_the_terminal() -> None:
    shown = plain(
        doctor.shown("source", Finding("note", "a \x1b[2J name\nwith \x07 bells", details=("\x1b]0;x",)))
    )
    assert "\x1b" not in shown
    assert "\x07" not in shown


def plain(text: str) -> str:
    """Without the colours that are ours."""
    return re.sub(r"\x1b\[\d*(;\d+)*m", "", text)


def test_the_last_line_counts() -> None:
    text = plain(doctor.summary([GOOD, GOOD, Finding("failed", "no")], 1.25))
    assert text == "Something failed: 2 ok, 1 failed; in 1.2 s"


# --- the command


def asked(*arguments: str, folder: Path, **further: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "doctor", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(ROOT), **further},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[pipelines.scene]
source = { kind = "synthetic" }
"""


def test_all_of_it_on_this_machine(tmp_path: Path) -> None:
    """Whatever this machine is: every check says something, and none is ended or has a fault."""
    (tmp_path / "edged.toml").write_text(CONFIG)
    done = asked("--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert {one["check"] for one in told["findings"]} == set(NAMES)
    assert [one for one in told["findings"] if "the check" in one["found"] or "fault" in one["found"]] == []
    assert done.returncode == (0 if told["good"] else 1)
    assert told["counts"].keys() == {one.replace(" ", "_") for one in VERDICTS}
    assert all(one["fix"] for one in told["findings"] if one["verdict"] in ("warning", "failed"))


def test_some_of_it_for_people(tmp_path: Path) -> None:
    (tmp_path / "edged.toml").write_text(CONFIG)
    done = asked("config", "memory", folder=tmp_path)
    assert done.returncode == 0
    assert "edged.toml is right: 1 pipeline" in done.stdout
    assert "\nService\n" in done.stdout
    assert "\nBoard\n" in done.stdout
    assert "Seeing" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Nothing failed: ")


def test_a_failure_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "edged.toml").write_text(CONFIG + "colour = 1\n")
    done = asked("config", folder=tmp_path)
    assert done.returncode == 1
    assert "failed       config" in done.stdout
    assert "colour" in done.stdout
    assert "-> edged check edged.toml" in done.stdout


def test_an_unknown_name_is_a_slip_and_says_which_there_are(tmp_path: Path) -> None:
    done = asked("temprature", folder=tmp_path)
    assert done.returncode == 2
    assert "temperature" in done.stderr


def test_without_any_config(tmp_path: Path) -> None:
    done = asked("--json", "config", "source", "model", folder=tmp_path, HOME=str(tmp_path), EDGED_CONFIG="")
    told = json.loads(done.stdout)
    if Path("/etc/edged/edged.toml").exists():
        pytest.skip("edged is installed here, so there is a config")
    assert told["config"] is None
    assert {one["verdict"] for one in told["findings"]} == {"note"}
