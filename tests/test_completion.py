"""Completion: what the program offers, quickly, and what the shells make of it where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from emulation import native

from edged.cli import VERBS
from edged.cli.completion import SCRIPTS

CONFIG = """
[pipelines.hall]
source = { kind = "v4l2" }
measures = [{ kind = "occupancy", labels = ["person", "traffic light"], zones = ["door"] }, { kind = "flow" }]
zones = { door = [[0, 0], [1, 0], [1, 1]], till = [[0, 0], [1, 0], [1, 1]] }
lines = { gate = { points = [[0, 0], [1, 1]], backward = "north" } }
[pipelines.yard]
source = { kind = "v4l2" }
[pipelines.tank]
model = "none"
source = { kind = "feed", channels = { level = {}, "water.warmth" = {} } }
"""
BROKEN = [
    "",
    "pipelines = 3",
    "[pipelines]\nhall = 3",
    "[pipelines.hall]\nmeasures = 3\nzones = 3",
    "[pipelines.hall]\nmeasures = [3, { kind = 4, labels = 5 }]",
    "[pipelines.hall]\nmeasures = [{ kind = 'flow', zones = 4 }, { kind = 'flow' }]\nlines = 3\nzones = 4",
    "no toml",
]
#: What no answer needs: each costs a board tenths of a second for every Tab.
HEAVY = {"numpy", "rich", "msgspec", "av", "sqlcipher3", "asyncio", "ai_edge_litert", "cryptography"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(CONFIG)
    (tmp_path / "model.tflite").touch()
    return tmp_path


def asked(home: Path, line: str) -> list[str]:
    """What is offered at the end of ``line``, as lines of kind and value; stderr must stay empty."""
    words = line.split(" ")
    environment = {"_EDGED_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "edged"],
        cwd=home,
        env={**os.environ, "EDGED_CONFIG": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("edged rep", ["plain,report"]),
        ("edged keys r", ["plain,rotate", "plain,restore"]),
        ("edged report --pip", ["plain,--pipeline"]),
        ("edged report --pipeline ", ["plain,hall", "plain,tank", "plain,yard"]),
        ("edged report --pipeline y", ["plain,yard"]),
        ("edged report --measure ", ["plain,flow", "plain,occupancy", "plain,presence"]),
        ("edged report --pipeline yard --measure ", ["plain,presence"]),
        ("edged report --label ", ["plain,person", "plain,traffic light"]),
        (
            "edged report --zone ",
            [
                "plain,door",
                "plain,door>till",
                "plain,gate",
                "plain,gate:in",
                "plain,gate:north",
                "plain,till",
                "plain,till>door",
            ],
        ),
        ("edged report --zone gate:", ["plain,gate:in", "plain,gate:north"]),
        ("edged report --zone till\\>", ["plain,till>door"]),
        ("edged report --config none.toml --zone ", []),
        ("edged report --config ", ["file,"]),
        ("edged check edg", ["file,edg"]),
        ("edged models get yam", ["plain,yamnet"]),
        ("edged models show b", ["plain,builtin:activity"]),
        ("edged models show mod", ["file,mod"]),
        ("edged models get yamnet --to ", ["dir,"]),
        ("edged completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("edged feed ", ["plain,tank"]),
        ("edged feed ya", []),
        ("edged feed tank ", ["plain,level=", "plain,water.warmth="]),
        ("edged feed tank level=3.2 ", ["plain,water.warmth="]),
        ("edged feed tank w", ["plain,water.warmth="]),
        ("edged feed hall ", []),
    ],
)
def test_what_is_offered(home: Path, line: str, offered: list[str]) -> None:
    assert [one for one in asked(home, line) if one] == offered


def test_every_command_is_offered(home: Path) -> None:
    assert asked(home, "edged ") == [f"plain,{verb}" for verb in VERBS]


@pytest.mark.parametrize("config", BROKEN)
@pytest.mark.parametrize("option", ["pipeline", "measure", "label", "zone"])
def test_a_config_that_is_none_offers_nothing_and_complains_not(home: Path, config: str, option: str) -> None:
    (home / "edged.toml").write_text(config)
    offered = asked(home, f"edged report --{option} ")
    assert set(offered) <= {"", "plain,hall", "plain,presence", "plain,flow"}


@pytest.mark.parametrize(
    "line", ["edged ", "edged keys ", "edged report --zone ", "edged models get ", "edged feed tank "]
)
def test_an_answer_imports_nothing_heavy(home: Path, line: str) -> None:
    program = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from edged.cli import main; main()"
    )
    cword = str(line.count(" "))
    environment = {"_EDGED_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": cword}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "edged.cli" in loaded
    assert loaded & HEAVY == set()


# --- in the shells themselves


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``edged`` is this one."""
    (tmp_path / "bin").mkdir()
    edged = tmp_path / "bin" / "edged"
    edged.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edged "$@"\n')
    edged.chmod(0o755)
    where = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    path = f"{edged.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": where, "EDGED_CONFIG": "", "HOME": str(tmp_path)}


def said(shell: str, script: str, home: Path, environment: dict[str, str], *more: str) -> str:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    command = [shell, *more, "-c", script]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@native("it would only be slow: a shell is the same on every architecture")
@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_one(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    (tmp_path / "script").write_text(SCRIPTS[shell])
    done = subprocess.run(
        [shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@native("it would only be slow: a shell is the same on every architecture")
def test_bash_gets_a_name_with_a_space_in_one_word(home: Path, program: dict[str, str]) -> None:
    words = (
        'COMP_WORDS=(edged report --label ""); COMP_CWORD=3; _edged edged; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert said("bash", SCRIPTS["bash"] + words, home, program) == "person\ntraffic\\ light\n"


@native("it would only be slow: a shell is the same on every architecture")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ga", ["gate", "gate:in", "gate:north"]),
        ("gate :", ["in", "north"]),
        ("gate : n", ["north"]),
        ("door", ["door", "door\\>till"]),
    ],
)
def test_bash_gets_what_is_left_after_a_colon(
    home: Path, program: dict[str, str], typed: str, offered: list[str]
) -> None:
    """To bash ``gate:n`` is three words, as ``COMP_WORDS`` has them here."""
    words = (
        f"COMP_WORDS=(edged report --zone {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        'COMP_WORDBREAKS=" :>"; _edged edged; printf "%s\n" "${COMPREPLY[@]}"'
    )
    assert said("bash", SCRIPTS["bash"] + words, home, program).split() == offered


@native("it would only be slow: a shell is the same on every architecture")
def test_fish_gets_names_and_what_they_are(home: Path, program: dict[str, str]) -> None:
    asks = 'complete -C "edged rep"; complete -C "edged report --label "; complete -C "edged models show mod"'
    found = said("fish", SCRIPTS["fish"] + asks, home, program, "--no-config")
    assert found.split("\n")[:-1] == [f"report\t{VERBS['report']}", "person", "traffic light", "model.tflite"]


@native("it would only be slow: a shell is the same on every architecture")
def test_zsh_gets_names_and_what_they_are(home: Path, program: dict[str, str]) -> None:
    """Its own functions for completion run only while a line is edited, so what they are given is looked
    at.
    """
    stand_ins = "compdef() { }; _describe() { print -l -- $told }; compadd() { print -l -- $plain }\n"
    asks = "words=(edged rep); CURRENT=2; _edged; words=(edged report --label ''); CURRENT=4; _edged"
    found = said("zsh", stand_ins + SCRIPTS["zsh"] + asks, home, program, "-f")
    assert found.split("\n")[:-1] == [f"report:{VERBS['report']}", "person", "traffic light"]


@native("it would only be slow: a shell is the same on every architecture")
def test_bash_and_zsh_leave_no_space_behind_what_is_only_begun(home: Path, program: dict[str, str]) -> None:
    stand_in = "compopt() { echo $*; }\n"
    words = 'COMP_WORDS=(edged feed tank ""); COMP_CWORD=3; _edged edged; echo "${COMPREPLY[@]}"'
    found = said("bash", SCRIPTS["bash"] + stand_in + words, home, program)
    assert found.split("\n")[-2] == "level= water.warmth=" and "-o nospace" in found
    stand_ins = 'compdef() { }; compadd() { print -l -- "$@" $begun }\n'
    asks = "words=(edged feed tank ''); CURRENT=4; _edged"
    found = said("zsh", stand_ins + SCRIPTS["zsh"] + asks, home, program, "-f")
    assert found.split("\n")[:-1] == ["-U", "-V", "edged", "-S", "", "-a", "begun", "level=", "water.warmth="]
