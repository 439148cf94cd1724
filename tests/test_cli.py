"""The command line as people and scripts meet it: what is printed where, and with which exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command import edged

from edged import __version__
from edged.cli import VERBS, contact, words
from edged.cli import status as status_lines
from edged.cli.run import summary
from edged.control import Control, Verb
from edged.errors import ConfigError
from edged.reactor import Reactor

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[pipelines.street]
source = { kind = "synthetic" }
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a config in it."""
    (tmp_path / "edged.toml").write_text(CONFIG)
    return tmp_path


def series(measure: str, now: float | None, unit: str = "share", zone: str = "") -> dict[str, Any]:
    return {
        "measure": measure,
        "label": "",
        "zone": zone,
        "unit": unit,
        "now": now,
        "min": now,
        "max": now,
        "today": None,
    }


def pipeline(**facts: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "name": "street",
        "state": "running",
        "why": "",
        "pid": 3,
        "source": "synthetic",
        "model": "activity",
        "runtime": "litert",
        "delegate": "cpu",
        "cpu_because": "",
        "rate": 5.0,
        "fps": 4.9,
        "expected_fps": 5.0,
        "analysed": 10,
        "dropped": 0,
        "dropped_total": 0,
        "infer_ms": 1.2,
        "prepare_ms": 0.1,
        "last_tick_age_s": 0.4,
        "restarts": 0,
        "settled": True,
        "cpu": 0.12,
        "memory": 58_000_000,
        "made": {"observed_s": 100.0, "throttled_s": 0.0, "paused_s": 0.0, "blind_s": 0.0, "models": []},
        "course": None,
        "wall_bytes": 100,
        "series": [series("presence", 0.25, zone="door"), series("activity", 0.031, "fraction")],
    }
    return usual | facts


def board(**facts: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "name": "auto",
        "governed": True,
        "celsius": 51.23,
        "target": 78.0,
        "blind": "",
        "budget": 1.0,
        "because": "",
        "clock": 1.0,
        "case": None,
        "busy": 0.35,
        "own": 0.06,
        "memory": 301_000_000,
        "pressure": 0.0,
        "memory_pressure": None,
        "io_pressure": 0.004,
        "under_voltage": False,
        "watts": None,
        "battery": None,
        "draining": None,
    }
    return usual | facts


def status(**facts: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "version": __version__,
        "pid": 1,
        "uptime_s": 7500.0,
        "memory": 20_000_000,
        "ready": True,
        "config": {
            "file": "/x/edged.toml",
            "loaded_age_s": 120.0,
            "reloads": 0,
            "waits_for_restart": [],
            "refused": "",
        },
        "board": board(),
        "clock": {"good": True, "why": "the kernel says so"},
        "store": {"file": "/x/edged.db", "bytes": 123_456, "last_commit_age_s": 5.0, "pending_buckets": 2},
        "pipelines": [pipeline()],
    }
    return usual | facts


COURSE = {
    "rung": 0,
    "of": 1,
    "model": "activity",
    "threads": 1,
    "rate": 6.0,
    "share": 0.6,
    "recorded": False,
    "because": "71.8 °C",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "6 fps allowed: 71.8 °C"),
        ({"rung": 1, "of": 2, "share": 1.0}, "rung 2 of 2 (activity), 6 fps allowed: 71.8 °C"),
        ({"recorded": True}, "60 % of its speed: 71.8 °C"),
        ({"share": 0.0}, ""),
        ({"share": 1.0}, ""),
    ],
)
def test_status_says_what_a_pipeline_may_do(changes: dict[str, Any], said: str) -> None:
    assert status_lines.course({**COURSE, **changes}) == said


def test_numbers_of_status_are_no_powers_of_ten() -> None:
    """A detector takes 168 ms on a Raspberry Pi 4, and YAMNet's windows are 2.05128 a second."""
    one = pipeline(prepare_ms=6.84, infer_ms=168.4, fps=2.03, expected_fps=2.05128)
    assert list(status_lines.paces(one))[:2] == ["2.03 of 2.05 fps", "6.8 + 168 ms a frame"]
    assert "budget 100 %" in list(status_lines.board(board(budget=0.996)))
    assert words.size(999.6) == "1 kB" and words.size(1.2e12) == "1200 GB"


def test_status_says_of_a_board_what_is_known() -> None:
    hot = board(
        target=70.0, budget=0.42, clock=0.667, under_voltage=True, watts=3.21, battery=0.31, draining=True
    )
    assert ", ".join(status_lines.board(hot)) == (
        "51.2 °C (target 70), budget 42 %, clock 67 %, under-voltage, 3.2 W, battery 31 % and draining"
    )
    held = status(board=board(because="71.8 °C"), pipelines=[pipeline(course=COURSE)])
    assert "held back: 71.8 °C" in "\n".join(status_lines.lines(held))
    assert "held back" not in "\n".join(status_lines.lines(status(board=board(because="71.8 °C"))))


@pytest.fixture
def daemon(home: Path) -> Iterator[Callable[..., None]]:
    """The daemon's real socket, in a thread of its own, with answers that a test chooses."""
    answers: dict[str, Callable[[dict[str, Any]], object]] = {"status": lambda _: status()}
    reactor = Reactor()
    verbs = {name: Verb(lambda request, name=name: answers[name](request)) for name in ("status", "report")}
    control = Control(reactor, home / "run", verbs)  # type: ignore[arg-type]
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            reactor.turn(0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    yield lambda **handlers: answers.update(handlers)
    ended.set()
    thread.join()
    control.close()
    reactor.close()


# --- errors


def test_an_error_is_a_sentence_a_hint_and_a_code(home: Path) -> None:
    done = edged("status", cwd=home)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr == (
        f"edged: no daemon is running here ({home}/run/control.sock)\n"
        "  start it: edged run FILE, or systemctl start edged; --config FILE means another one\n"
    )


def test_a_bug_is_told_in_one_sentence(home: Path) -> None:
    (home / "sitecustomize.py").write_text("import edged.cli.words\ndel edged.cli.words.value\n")
    broken = {"PYTHONPATH": str(home)}
    done = edged("status", cwd=home, **broken)
    assert done.returncode == 1
    assert done.stderr.startswith("edged: a fault in this command: ImportError at status.py:")
    assert "Traceback" not in done.stderr
    assert "Traceback" in edged("--debug", "status", cwd=home, **broken).stderr
    assert "Traceback" in edged("status", cwd=home, **broken, EDGED_DEBUG="1").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["statsu"], 'there is no command "statsu"; did you mean `edged status`?'),
        (["status", "--jsn"], "--jsn"),
        (["report", "--last", "soon"], '"soon" is no duration'),
        (["report", "--last", "forever"], '"forever" is no duration'),
        (["report", "--last", "1h", "--all"], "give one of them"),
        (["report", "--from", "yesterday"], '"yesterday" is no date'),
        (["completion", "tcsh"], "'tcsh'"),
        (["demo", "--seconds", "1"], "5<=x<=3600"),
        (["top"], "this needs a terminal"),
    ],
)
def test_a_wrong_command_line_is_told_and_helped(home: Path, arguments: list[str], message: str) -> None:
    done = edged(*arguments, cwd=home)
    assert done.returncode == 2
    assert message in done.stderr
    assert "--help" in done.stderr


def test_no_config_anywhere(tmp_path: Path) -> None:
    done = edged("status", cwd=tmp_path, EDGED_CONFIG="")
    if Path("/etc/edged/edged.toml").is_file():
        pytest.skip("this machine has an /etc/edged/edged.toml")
    assert done.returncode == 2
    assert "there is no config: neither edged.toml nor /etc/edged/edged.toml" in done.stderr


def test_the_config_that_is_meant(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    for arguments, environment in (
        (["-c", str(home / "edged.toml")], {}),
        ([], {"EDGED_CONFIG": str(home / "edged.toml")}),
    ):
        done = edged("status", *arguments, cwd=elsewhere, **environment)
        assert f"{home}/run/control.sock" in done.stderr


def test_whoever_has_read_enough_is_not_complained_to() -> None:
    done = subprocess.run(
        f"set -o pipefail; {shlex.quote(sys.executable)} -m edged schema | head -n 1",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""
    assert done.returncode in (0, 141)


# --- help


MODELS = ("models list", "models get", "models show")


@pytest.mark.parametrize("verb", [*VERBS, "keys init", "store check", "store salvage", *MODELS])
def test_every_command_has_help_with_examples(verb: str) -> None:
    done = edged(*verb.split(), "--help")
    assert done.returncode == 0
    assert "Usage: edged " in done.stdout
    if verb not in ("keys", "models", "store"):  # groups: their commands have them
        assert f"edged {verb}" in done.stdout.split("Examples:")[1]


def test_help_lists_every_command() -> None:
    done = edged("--help")
    for verb, text in VERBS.items():
        assert f"  {verb} " in done.stdout
        assert text in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str) -> None:
    script = edged("completion", shell)
    assert script.returncode == 0
    assert "_EDGED_COMPLETE" in script.stdout
    asked = {"_EDGED_COMPLETE": f"{shell}_complete", "COMP_WORDS": "edged sta"}
    asked["COMP_CWORD"] = "sta" if shell == "fish" else "1"
    found = subprocess.run(
        [sys.executable, "-c", "from edged.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **asked},
    )
    assert "status" in found.stdout


def test_a_quick_answer_imports_little(home: Path, daemon: Callable[..., None]) -> None:
    """What makes `edged status` quick: nothing heavy is even looked at."""
    code = (
        "import sys, edged.cli\n"
        "try: edged.cli.main(sys.argv[1:])\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)"
    )
    for arguments in (["version"], ["status"], ["status", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=home
        )
        loaded = set(re.findall(r"'([\w.]+)'", done.stderr))
        heavy = {"numpy", "rich", "sqlcipher3", "asyncio", "av", "edged.daemon", "edged.store", "matplotlib"}
        assert loaded & heavy == set(), arguments


# --- check, schema, version


def test_check_tells_everything(home: Path) -> None:
    (home / "edged.toml").write_text("[daemn]\n[pipelines.a]\nrate = -1\nsource = { kind = 'v4l2' }\n")
    done = edged("check", cwd=home)
    assert done.returncode == 2
    assert done.stderr == ""
    assert done.stdout == (
        "edged.toml:1  daemn\n"
        "    found    an unknown key\n"
        '    allowed  "daemon", "store", "clock", "governor", "models" or "pipelines"\n'
        '    hint     did you mean "daemon"?\n'
        "edged.toml:3  pipelines.a.rate\n"
        "    found    -1\n"
        "    allowed  a number from 0 to 240\n"
        "2 problems\n"
    )
    facts = json.loads(edged("check", "--json", str(home / "edged.toml")).stdout)
    assert (facts["good"], facts["governor"], facts["pipelines"]) == (False, None, [])
    assert [(one["line"], one["key"]) for one in facts["problems"]] == [(1, "daemn"), (3, "pipelines.a.rate")]


def test_check_is_content(home: Path) -> None:
    done = edged("check", "edged.toml", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "edged.toml: good\n"
        "  street    synthetic -> activity -> presence\n"
        "  governor  stays 2 °C below where the board throttles\n"
    )
    told = json.loads(edged("check", "--json", cwd=home).stdout)
    assert told.items() >= {"file": "edged.toml", "good": True, "problems": []}.items()
    assert told["governor"].items() >= {"enabled": True, "board": "auto", "target": None, "quiet": []}.items()
    (street,) = told["pipelines"]
    assert (street["name"], street["ladder"], street["measures"]) == ("street", ["activity"], ["presence"])


LADDER = """
model = "big"
ladder = ["small"]
prefer = "rate"
least_rate = 2
[models.big]
file = "big.tflite"
[models.small]
file = "small.tflite"
[governor]
target = 70
quiet = ["22:00-06:00"]
watt_hours = 40
"""


def test_check_tells_the_ladder_and_what_the_governor_keeps_to(home: Path) -> None:
    (home / "edged.toml").write_text(CONFIG + LADDER)
    assert edged("check", cwd=home).stdout == (
        "edged.toml: good\n"
        "  street    synthetic -> big -> presence\n"
        "            ladder big -> small, 5 fps, at least 2; kept: the rate\n"
        "  governor  stays under 70 °C; quiet 22:00-06:00; 40 Wh a day\n"
    )
    told = json.loads(edged("check", "--json", cwd=home).stdout)
    assert (told["governor"]["target"], told["governor"]["watt_hours"]) == (70.0, 40.0)
    (street,) = told["pipelines"]
    assert (street["ladder"], street["prefer"], street["least_rate"]) == (["big", "small"], "rate", 2.0)


def test_check_says_when_nothing_is_governed_or_the_board_is_not_there(home: Path) -> None:
    (home / "edged.toml").write_text(CONFIG + '[governor]\nenabled = false\nboard = "simulated:zero2w"\n')
    said = "governor on the board simulated:zero2w, which is not there; switched off: heat and weak power"
    assert said in " ".join(edged("check", cwd=home).stdout.split())


@pytest.mark.parametrize("content", [b"a = \xff", b"a = = 1", b"[a"])
def test_check_of_what_is_no_toml(home: Path, content: bytes) -> None:
    (home / "edged.toml").write_bytes(content)
    done = edged("check", "--json", cwd=home)
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["line"] == 1


def test_check_of_no_file(home: Path) -> None:
    done = edged("check", "other.toml", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "other.toml: the config cannot be read: No such file or directory" in done.stderr


def test_other_commands_refuse_a_wrong_config_with_every_problem(home: Path) -> None:
    (home / "edged.toml").write_text(CONFIG + "rate = -1\nmodel = 'x'\n")
    for verb in ("run", "status", "report", "top --once", "reload"):
        done = edged(*verb.split(), cwd=home)
        assert done.returncode == 2
        assert "edged.toml has 2 problems:" in done.stderr
        assert "edged.toml:7: pipelines.street.rate: found -1" in done.stderr


def test_a_config_cannot_write_to_the_terminal(home: Path) -> None:
    (home / "edged.toml").write_text(CONFIG + 'model = "\\u001b[31m\\u0007"\n"\\u001b[2J" = 1\n')
    done = edged("check", cwd=home)
    assert done.returncode == 2
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_schema_is_a_schema() -> None:
    schema = json.loads(edged("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "edged.toml"


def test_version() -> None:
    assert edged("version").stdout == edged("--version").stdout == f"edged {__version__}\n"
    facts = json.loads(edged("version", "--json").stdout)
    assert facts["edged"] == __version__
    assert facts["parts"]["sqlcipher3"]


# --- keys


def test_keys_init(home: Path) -> None:
    done = edged("keys", "init", cwd=home)
    key = home / "state" / "key"
    assert done.returncode == 0, done.stderr
    assert key.stat().st_mode & 0o777 == 0o400
    assert key.read_text().strip() not in done.stdout + done.stderr
    again = edged("keys", "init", str(key), cwd=home)
    assert again.returncode == 5
    assert "not overwritten" in again.stderr


def test_run_makes_no_key_unless_asked(home: Path) -> None:
    done = edged("run", cwd=home)
    assert done.returncode == 5
    assert "there is no key file" in done.stderr
    assert "edged keys init --config edged.toml makes one, and so does edged run --init-key" in done.stderr
    assert not (home / "state").exists() or not list((home / "state").iterdir())


# --- status


def test_status_for_people(home: Path, daemon: Callable[..., None]) -> None:
    done = edged("status", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"edged {__version__}  pid 1, up 2 h 5 min, ready\n"
        "  config /x/edged.toml, in force since 2 min\n"
        "  clock  right (the kernel says so)\n"
        "  board  51.2 °C (target 78)\n"
        "  load   CPU 35 %, edged 6 %, 301 MB of memory free, edged 78 MB\n"
        "  store  /x/edged.db: 123 kB, written 5 s ago, 2 buckets waiting\n"
        "\n"
        "street  running  synthetic -> activity on cpu (litert)\n"
        "  4.9 of 5 fps  0.1 + 1.2 ms a frame  CPU 12 %  58 MB\n"
        "  presence in door    25.0 %\n"
        "  activity             3.1 %\n"
    )


def test_status_says_how_what_was_counted_was_made(home: Path, daemon: Callable[..., None]) -> None:
    """By rung, slower, paused, blind, as reports say it."""
    models = [
        {"rung": 0, "model": "big", "observed_s": 70.0},
        {"rung": 1, "model": "small", "observed_s": 30.0},
    ]
    made = {"observed_s": 100.0, "throttled_s": 50.0, "paused_s": 12.0, "blind_s": 5.0, "models": models}
    daemon(status=lambda _: status(pipelines=[pipeline(made=made)]))
    said = "since it began: 30 s on small, 20 s slower, 12 s paused, 5 s blind"
    assert f"  {said}" in edged("status", cwd=home).stdout.splitlines()
    assert said in edged("top", "--once", cwd=home, COLUMNS="100").stdout


def test_status_for_programs(home: Path, daemon: Callable[..., None]) -> None:
    assert json.loads(edged("status", "--json", cwd=home).stdout) == status()


def test_status_of_a_pipeline_in_trouble(home: Path, daemon: Callable[..., None]) -> None:
    troubled = pipeline(
        state="backoff",
        why="the camera is gone",
        fps=None,
        infer_ms=None,
        delegate="",
        cpu=None,
        memory=None,
        restarts=3,
        series=[series("presence", None)],
        cpu_because="no Edge TPU is there",
    )
    store = {"file": "/x", "bytes": 0, "last_commit_age_s": None, "pending_buckets": 0}
    daemon(status=lambda _: status(pipelines=[troubled], store=store, clock={"good": False, "why": ""}))
    lines = edged("status", cwd=home).stdout.splitlines()
    assert "  clock  not known to be right yet" in lines
    assert "  store  /x: 0 B, not written yet, 0 buckets waiting" in lines
    assert "street  backoff  synthetic -> activity" in lines
    assert "  the camera is gone" in lines
    assert "  3 restarts" in lines
    assert "  on the CPU: no Edge TPU is there" in lines
    assert "  presence         -" in lines


def test_a_refusal_of_the_daemon_is_told_in_its_words(home: Path, daemon: Callable[..., None]) -> None:
    from edged.errors import ControlError

    def refuse(_: object) -> object:
        raise ControlError("not now", "later")

    daemon(status=refuse)
    done = edged("status", cwd=home)
    assert (done.returncode, done.stderr) == (6, "edged: not now\n  later\n")


EMPTY = {
    "from": "2026-03-01T08:00:00+01:00",
    "to": "2026-03-01T09:00:00+01:00",
    "every_s": 60,
    "timezone": "Europe/Berlin",
    "holds": None,
    "undated": 0,
    "series": [],
    "coverage": [],
}


@pytest.mark.parametrize("wrong", ["[pipelines.street]\nrat = 5\n", "no toml at all\n"])
def test_a_report_needs_no_good_config_while_the_daemon_runs(
    home: Path, daemon: Callable[..., None], wrong: str
) -> None:
    """It goes on with the config that it has; what was counted can be asked for, in its own time zone."""
    asked: list[dict[str, Any]] = []
    daemon(report=lambda request: asked.append(request) or EMPTY)
    (home / "edged.toml").write_text(f'[daemon]\nruntime_dir = "run"\n{wrong}')
    done = edged("report", "--from", "2026-03-01T08:00", "--json", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == EMPTY
    # 08:00 in Berlin
    assert asked[-1]["start"] == 1772348400.0


def test_a_report_before_anything_was_counted_asks_for_no_key(home: Path) -> None:
    done = edged("report", cwd=home)
    assert done.returncode == 5
    assert "nothing was counted here yet: there is no store" in done.stderr
    assert "key" not in done.stderr and "edged run makes it" in done.stderr


def test_a_report_without_a_daemon_tells_what_is_wrong_with_the_config(home: Path) -> None:
    (home / "edged.toml").write_text('[daemon]\nruntime_dir = "run"\n[pipelines.street]\nrat = 5\n')
    done = edged("report", "--from", "2026-03-01T08:00", cwd=home)
    assert done.returncode == 2
    assert "rat: found an unknown key" in done.stderr


def test_a_config_that_is_not_there_asks_nobody_elses_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon that listens where all do by default is another file's."""
    monkeypatch.setattr(contact, "Client", lambda *_: pytest.fail("a daemon was asked"))
    with pytest.raises(ConfigError, match="cannot be read"):
        contact.connected(tmp_path / "none.toml")


def test_colour_only_on_a_terminal_and_only_if_wanted(home: Path, daemon: Callable[..., None]) -> None:
    assert "\x1b" not in edged("status", cwd=home).stdout
    assert "\x1b[32m" in Terminal(["status"], home).rest()
    assert "\x1b" not in Terminal(["status"], home, NO_COLOR="1").rest()
    assert "\x1b" not in Terminal(["status"], home, TERM="dumb").rest()
    assert "\x1b[31m" in Terminal(["statsu"], home).rest()
    assert "\x1b" not in Terminal(["statsu"], home, NO_COLOR="1").rest()


# --- top


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, arguments: list[str], cwd: Path, **environment: str) -> None:
        self.end, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self.resize(30, 100)
        unset = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen(
            # A session of its own, whose terminal this is, as after a login: Ctrl-C and resizing signal.
            ["setsid", "--ctty", sys.executable, "-m", "edged", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**unset, "TERM": "xterm-256color", **environment},
        )
        self.theirs = theirs
        self.seen = ""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def read(self, patience: float) -> bool:
        ready, _, _ = select.select([self.end], [], [], patience)
        if ready:
            self.seen += os.read(self.end, 65536).decode(errors="replace")
        return bool(ready)

    def until(self, text: str) -> None:
        """Until the program has printed ``text``; what came before is then forgotten."""
        deadline = time.monotonic() + 30
        while text not in self.seen:
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{text!r} does not come: {self.seen[-2000:]}")
            self.read(0.2)
        self.seen = self.seen.partition(text)[2]

    def rest(self) -> str:
        """All that it prints to its end."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            self.read(0.05)
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"it does not end: {self.seen[-2000:]}")
        while self.read(0.0):
            pass
        return self.seen


def test_top_shows_what_is_and_leaves_the_terminal_as_it_was(home: Path, daemon: Callable[..., None]) -> None:
    terminal = Terminal(["top"], home)
    terminal.until("\x1b[?1049h")  # the other screen
    terminal.until("presence in door")
    terminal.until("25.0 %")
    terminal.until("q quits")
    daemon(status=lambda _: status(pipelines=[pipeline(series=[series("presence", 0.75)])]))
    terminal.until("75.0 %")
    os.write(terminal.end, b"q")
    assert "\x1b[?1049l" in terminal.rest()
    assert terminal.process.returncode == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_top_follows_the_window_and_the_daemon(home: Path, daemon: Callable[..., None]) -> None:
    many = [pipeline(name=f"p{number}") for number in range(9)]
    daemon(status=lambda _: status(pipelines=many))
    terminal = Terminal(["top"], home)
    terminal.until("lines below do not fit")
    terminal.resize(80, 100)
    terminal.until("p8")

    def gone(_: object) -> object:
        from edged.errors import ControlError

        raise ControlError("the store is busy")

    daemon(status=gone)
    terminal.until("the store is busy; trying again")
    daemon(status=lambda _: status())
    terminal.until("up 2 h 5 min")
    os.kill(terminal.process.pid, signal.SIGTERM)
    terminal.rest()
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@pytest.mark.parametrize("key", [b"\x03", b"\x1b", b"Q"])
def test_other_ways_to_leave_top(home: Path, daemon: Callable[..., None], key: bytes) -> None:
    terminal = Terminal(["top"], home)
    terminal.until("q quits")
    os.write(terminal.end, key)
    terminal.rest()
    assert terminal.process.returncode in (0, 130)
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_top_once_needs_no_terminal(home: Path, daemon: Callable[..., None]) -> None:
    done = edged("top", "--once", cwd=home, COLUMNS="100")
    assert done.returncode == 0
    assert re.search(r"presence in door +25.0 % ▂", done.stdout)
    assert "\x1b" not in done.stdout


def test_top_without_a_daemon(home: Path) -> None:
    terminal = Terminal(["top"], home)
    assert "no daemon is running here" in terminal.rest()
    assert terminal.process.returncode == 6


# --- words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.9, "1 min"),
        (60, "1 min"),
        (115, "2 min"),
        (3569, "59 min"),
        (3570, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (86_369, "23 h 59 min"),
        (86_370, "1 d 0 h"),
        (1_051_200, "12 d 4 h"),
    ],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert words.age(seconds) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (None, "share", "-"),
        (0.254, "share", "25.4 %"),
        (1.0, "fraction", "100.0 %"),
        (2.345, "count", "2.35"),
        (12345.6, "lux", "12346 lux"),
        (21.5, "°C", "21.50 °C"),
        (101.325, "kPa", "101.3 kPa"),
        (0.00417, "m/s²", "0.0042 m/s²"),
        (0.00417, "count", "0.00"),
        (120.4, "s", "120 s"),
        (-0.0004, "count", "0.00"),
        (-0.0, "°C", "0.00 °C"),
    ],
)
def test_values(number: float | None, unit: str, text: str) -> None:
    assert words.value(number, unit) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (123_456, "123 kB"), (2.5e10, "25 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert words.size(count) == text


def test_the_progress_line() -> None:
    assert summary(pipeline()) == "street: 4.9 fps  presence in door 25.0 %  activity 3.1 %"
    assert summary(pipeline(state="backoff", why="no camera")) == "street: backoff no camera"
    assert summary(pipeline(fps=None, series=[])) == "street: no frame yet  "


def test_status_tells_what_happened_today_and_who_sees_nothing() -> None:
    counted = {**series("crossings", None, "crossings", "gate:north"), "label": "bicycle", "today": 34}
    facts = status(pipelines=[pipeline(series=[counted], sight="dark")])
    text = "\n".join(status_lines.lines(facts))
    assert re.search(r"crossings bicycle gate:north +34  today", text)
    assert "it is too dark (dark): the time is blind, nothing is counted" in text
    older = {
        key: value for key, value in pipeline(series=[series("presence", 1.0)]).items() if key != "sight"
    }
    del older["series"][0]["today"]
    assert "100.0 %" in "\n".join(status_lines.lines(status(pipelines=[older])))
