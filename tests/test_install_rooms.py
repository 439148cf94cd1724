"""The rooms of install.sh, on a real file system of their own: /opt and /usr/local are empty there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edged import events
from edged.journal import PRIORITIES

ROOMS = ("words", "files", "machine", "packages", "environments", "jobs", "versions", "service")
ROOMS += ("switch", "settings", "system", "uninstall", "collect")

MOUNTS = """
mount -t tmpfs -o size=4m tmpfs /opt && mount -t tmpfs tmpfs /usr/local && mount -t tmpfs tmpfs /etc/opt &&
exec bash -c "$1" bash "$2"
"""
PROLOGUE = """
set -euo pipefail
CHECKOUT=$1
job=install offline='' yes=0 work=''
for room in {rooms}; do . "$CHECKOUT/install/$room.sh"; done
mkdir -p "$HOME_OF_EDGED"
"""


def in_rooms(root: Path, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run bash that has sourced every room, where nothing of this machine can be harmed."""
    namespace = ["unshare", "--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
    probe = subprocess.run(
        [*namespace, "mount", "-t", "tmpfs", "tmpfs", "/opt"], capture_output=True, check=False
    )
    if probe.returncode != 0:
        pytest.skip(f"no namespace of mounts can be had here: {probe.stderr.decode().strip()}")
    text = PROLOGUE.format(rooms=" ".join(ROOMS)) + program
    return subprocess.run(
        [*namespace, "sh", "-c", MOUNTS, "sh", text, str(root)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def said(root: Path, program: str) -> list[str]:
    """What a program that must succeed prints."""
    done = in_rooms(root, program)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_rooms_are_one_program_without_a_loose_end(root: Path) -> None:
    """Each by itself, shellcheck cannot see a variable that another sets; here it sees them all."""
    assert {f"{room}.sh" for room in ROOMS} | {"trial.sh"} == {
        one.name for one in (root / "install").glob("*.sh")
    }
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not here")
    parts = [(root / "install" / f"{room}.sh").read_text() for room in ROOMS] + [
        (root / "install.sh").read_text()
    ]
    text = re.sub(r"^#(!| shellcheck (shell|disable=SC1090)).*$", "#", "\n".join(parts), flags=re.MULTILINE)
    checked = ["shellcheck", "--shell=bash", "--exclude=SC2016,SC1090", "-"]
    done = subprocess.run(checked, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_install_sh_names_every_room(root: Path) -> None:
    named = re.search(r"^for room in (.*); do$", (root / "install.sh").read_text(), re.MULTILINE)
    assert named
    assert set(named[1].split()) == set(ROOMS)


# --- jobs


def test_as_many_tests_at_once_as_there_is_room_for(root: Path) -> None:
    machines = {(1, 8): 1, (2, 8): 4, (4, 16): 8, (4, 3): 4, (4, 2): 2, (2, 1): 1}
    program = "".join(
        f"nproc() {{ echo {cores}; }}; awk() {{ echo {gigabytes}000000; }}; room\n"
        for cores, gigabytes in machines
    )
    assert said(root, program) == [str(wanted) for wanted in machines.values()]


# --- files


def test_a_file_is_whole_or_not_there(root: Path) -> None:
    lines = said(
        root,
        """
        echo old | put /opt/file 640
        # The file system has 4 MB: what does not fit leaves the old one, and nothing beside it that counts.
        head -c 8000000 /dev/zero | put /opt/file 600 2>/dev/null || echo refused
        cat /opt/file; stat -c %a /opt/file
        """,
    )
    assert lines == ["refused", "old", "640"]


def test_a_link_is_never_away(root: Path) -> None:
    lines = said(
        root,
        """
        mkdir /opt/a /opt/b; point /opt/link a
        (while :; do readlink /opt/link || echo away; done | sort -u >/opt/seen) & reader=$!
        for i in $(seq 50); do point /opt/link b; point /opt/link a; done
        pkill -P $reader || true; wait $reader || true
        readlink /opt/link; ls /opt
        """,
    )
    assert "away" not in lines
    assert lines[0] == "a"
    assert not [one for one in lines if "part" in one]


TREES = """
grow_one() { mkdir -p "$(dirname "$(tree_of $1)$2")"; echo "$3" >"$(tree_of $1)$2"; }
grow_one 1 /usr/local/lib/x/kept same; grow_one 1 /usr/local/lib/x/changed old
grow_one 1 /usr/local/share/gone old
grow_one 2 /usr/local/lib/x/kept same; grow_one 2 /usr/local/lib/x/changed new
grow_one 2 /usr/local/share/y/new new
mkdir -p "$(tree_of 2)/usr/local/bin"; ln -s /opt/edged/current/bin/edged "$(tree_of 2)/usr/local/bin/edged"
show() {
    (cd /usr/local; find . -type f -printf '%P ' -exec cat {} \\; -o -type l -printf '%P -> %l\\n') | sort
}
"""


def test_a_version_s_files_replace_those_of_the_one_before(root: Path) -> None:
    lines = said(root, f"{TREES}\ndeploy 1; show; echo; deploy 2; withdraw 1 2; show; outdated 2")
    first, second = " ".join(lines).split("  ")
    assert first == "lib/x/changed old lib/x/kept same share/gone old"
    assert (
        second
        == "bin/edged -> /opt/edged/current/bin/edged lib/x/changed new lib/x/kept same share/y/new new"
    )


def test_back_and_forth_is_as_if_nothing_had_been(root: Path) -> None:
    lines = said(root, f"{TREES}\ndeploy 1; show; deploy 2; withdraw 1 2; echo; deploy 1; withdraw 2 1; show")
    first, second = " ".join(lines).split("  ")
    assert first == second


def test_only_what_differs_is_written(root: Path) -> None:
    program = "deploy 1; touch -d @1 /usr/local/lib/x/kept; deploy 2; stat -c %Y /usr/local/lib/x/kept"
    assert said(root, f"{TREES}\n{program}") == ["1"]


# --- the list of what was changed


def test_the_list_grows_over_runs_and_loses_what_was_removed(root: Path) -> None:
    lines = said(
        root,
        """
        changed folder /opt/edged; changed file "/usr/local/a b"; changed version /opt/edged/versions/1
        write_manifest
        changed version /opt/edged/versions/2; changed removed /opt/edged/versions/1
        changed file "/usr/local/a b"
        write_manifest
        cat /opt/edged/manifest; ls /opt/edged
        """,
    )
    assert lines == ["folder /opt/edged", "file /usr/local/a b", "version /opt/edged/versions/2", "manifest"]


def test_a_run_that_was_cut_off_has_not_lost_its_list(root: Path) -> None:
    lines = said(
        root,
        """
        (changed user edged; kill -KILL $BASHPID) || true
        changed file /x; write_manifest; cat /opt/edged/manifest
        """,
    )
    assert lines == ["user edged", "file /x"]


# --- versions


def test_the_one_at_work_and_the_one_before_stay(root: Path) -> None:
    lines = said(
        root,
        """
        for one in 1 2 3 unfinished; do mkdir -p $VERSIONS/$one; done
        point $CURRENT versions/3; point $HOME_OF_EDGED/before versions/2
        dry=1; prune; ls $VERSIONS | tr '\\n' ' '; dry=''; prune; ls $VERSIONS | tr '\\n' ' '
        """,
    )
    assert lines[:2] == [
        "      would remove /opt/edged/versions/1",
        "      would remove /opt/edged/versions/unfinished",
    ]
    assert lines[2] == "1 2 3 unfinished 2 3 "


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of edged that needs what nobody has."""
    folder = tmp_path / "a stick"
    folder.mkdir()
    file = folder / "edged-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(
            "edged-9.8.7.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: edged\nVersion: 9.8.7\nRequires-Dist: no-such-thing>=3\n",
        )
        made.writestr(
            "edged-9.8.7.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr("edged-9.8.7.dist-info/RECORD", "")
    return file


def test_an_id_tells_versions_apart(root: Path, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("one==1\n")
    program = f"""
    systemd_version() {{ echo ${{SYSTEMD:-252}}; }}
    wheel='{wheel}' constraints='{tmp_path}/constraints.txt'
    identify; identify; SYSTEMD=257 identify; echo 'one==2' >"$constraints"; identify
    """
    same, again, other_systemd, other_constraints = said(root, program)
    assert re.fullmatch(r"9\.8\.7-[0-9a-f]{12}", same)
    assert again == same
    assert len({same, other_systemd, other_constraints}) == 3


@pytest.mark.parametrize("constraint", ["", "no-such-thing==3.1"])
def test_a_wheel_that_is_missing_is_named(root: Path, wheel: Path, tmp_path: Path, constraint: str) -> None:
    """pip says it in two ways, of which one looks like a conflict."""
    (tmp_path / "constraints.txt").write_text(constraint)
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no /usr/bin/python3, which the service's environment is made with")
    program = f"""
    mount -t tmpfs -o size=200m tmpfs /opt
    systemd_version() {{ echo 252; }}
    check_room() {{ :; }}
    offline='{wheel.parent}' wheel='{wheel}' constraints='{tmp_path}/constraints.txt'
    pip_from=(--no-index --find-links '{wheel.parent}')
    id=$(identify); make_version
    """
    done = in_rooms(root, program)
    assert done.returncode == 1, done.stdout + done.stderr
    wanted = "no-such-thing==3.1" if constraint else "no-such-thing>=3"
    assert f"install.sh: {wheel.parent} lacks a wheel of {wanted} for Python " in done.stderr
    assert "./install.sh --collect DIR --arch " in done.stderr


def test_units_for_newer_systemds_are_left_out(root: Path, tmp_path: Path) -> None:
    drop_ins = tmp_path / "edged.service.d"
    drop_ins.mkdir()
    for name in ("253-a.conf", "254-b.conf", "258-c.conf", "with-edgetpu.conf"):
        (drop_ins / name).touch()
    program = f"""
    systemd_version() {{ echo 254; }}
    has_edgetpu() {{ return 1; }}
    grow_drop_ins '{tmp_path}' /opt/units; ls /opt/units/edged.service.d
    """
    assert said(root, program) == ["253-a.conf", "254-b.conf"]
    with_library = program.replace("return 1", "return 0")
    assert said(root, with_library) == ["253-a.conf", "254-b.conf", "with-edgetpu.conf"]


def test_every_drop_in_says_from_which_systemd_on_it_is_meant(root: Path) -> None:
    for one in (root / "systemd").glob("*.d/*.conf"):
        if one.parent.name.endswith(".service.d"):
            assert re.match(r"2\d\d-|with-edgetpu\.", one.name), f"{one} would never be installed"


# --- the switch


def test_what_is_written_of_a_trial_is_read_again(root: Path) -> None:
    program = """
    read_trial || echo none
    write_trial before=1 after=2 phase=begin "ran=a b" "store=/a folder/edged.db" "reason=x=y: z"
    trial=(); read_trial
    for key in before ran store reason tries; do printf '%s\\n' "${trial[$key]}"; done
    """
    assert said(root, program) == ["none", "1", "a b", "/a folder/edged.db", "x=y: z", "0"]


def test_the_journal_is_told_as_the_table_of_events_has_it(root: Path) -> None:
    told = re.findall(r"tell_journal ([a-z-]+) ([0-9a-f]{32}) (\d)", (root / "install/switch.sh").read_text())
    assert {name for name, _, _ in told} == {"upgraded", "rolled-back"}
    for name, message_id, priority in told:
        kind = events.KINDS[name]
        assert kind.message_id == message_id
        assert PRIORITIES[kind.priority] == int(priority)


# --- collecting


def test_markers_are_answered_for_the_board(root: Path) -> None:
    program = """
import runpy, sys
from pip._vendor.packaging.markers import Marker
here = runpy.run_path(sys.argv[1])["answer"]("3.13", "aarch64")
print([Marker(one).evaluate(here) for one in
    ("python_version < '3.12'", "python_full_version >= '3.13'", "platform_machine == 'aarch64'")])
"""
    script = str(root / "install/foreign_pip.py")
    done = subprocess.run(
        [sys.executable, "-c", program, script], capture_output=True, text=True, check=False
    )
    if "No module named 'pip'" in done.stderr:
        pytest.skip("there is no pip here")
    assert done.stdout == "[False, True, True]\n", done.stderr
