"""Step 1: a fresh system, and one command."""

from __future__ import annotations

import pytest
from box import CHECKOUT, CONFIG, CREDENTIALS, SYSTEMS_OWN, Box, told


def test_a_rehearsal_changes_nothing(box: Box) -> None:
    box.version(CHECKOUT)
    box.collect(CHECKOUT)
    box.before = box.listing()
    said = box.install(CHECKOUT, "--dry-run").out
    told(said, "would")
    assert box.changes() == [], "--dry-run changed something"


@pytest.mark.essential
def test_one_command_installs_it(box: Box) -> None:
    done = box.install(CHECKOUT)
    box.figure("install from this checkout", f"{done.took:.0f} s", "<= 300 s")
    assert box.run("readlink /opt/edged/current").out.startswith("versions/"), (
        "/opt/edged/current is no version"
    )
    assert box.show("ActiveState")["ActiveState"] == "active", (
        f"it is installed and does not run:\n{done.said}"
    )
    assert box.run("systemctl is-enabled edged.service").out.strip() == "enabled"
    box.install_said = done.out


def test_the_list_at_the_end_names_all_that_was_changed(box: Box) -> None:
    _, found, end = box.install_said.partition("Changed:\n")
    assert found, "there is no list at the end"
    listed = [line.split(maxsplit=1)[1] for line in end.split("\n\n")[0].splitlines()]
    new = [line.split(" ")[1] for line in box.changes() if line.startswith("new ")]
    # An enabled unit is a link of systemd's.
    listed += [
        f"/etc/systemd/system/multi-user.target.wants/{one}" for one in listed if one.endswith(".service")
    ]
    within = ("/opt/edged/", "/var/lib/edged/", *SYSTEMS_OWN)
    missing = [path for path in new if path not in listed and not path.startswith(within)]
    assert missing == [], "\n".join(["these are new and not in the list at the end:", *missing])


def test_its_files_belong_to_whom_they_should(box: Box) -> None:
    said = box.run(
        f"stat -c '%U:%G %a %n' {CONFIG} {CREDENTIALS} {CREDENTIALS}/key /var/lib/edged /run/edged"
    ).out
    assert said.splitlines() == [
        f"root:edged 640 {CONFIG}",
        f"root:root 700 {CREDENTIALS}",
        f"root:root 600 {CREDENTIALS}/key",
        "edged:edged 700 /var/lib/edged",
        "edged:edged 750 /run/edged",
    ]


def test_installing_again_changes_nothing(box: Box) -> None:
    before, process = box.listing(), box.show("MainPID")["MainPID"]
    done = box.install(CHECKOUT)
    box.figure("install the same again", f"{done.took:.0f} s")
    assert box.changes(before) == [], "the second run changed something"
    assert box.show("MainPID")["MainPID"] == process, "the second run restarted the daemon"


def test_the_key_is_nowhere_in_the_clear(box: Box) -> None:
    assert box.where_is(box.key()) == []


def test_the_manual_and_the_completions_are_there(box: Box) -> None:
    for page in ("edged", "edged.toml", "edged.service"):
        box.run(f"man --where {page}")
    for file in (
        "/usr/local/share/bash-completion/completions/edged",
        "/usr/local/share/zsh/site-functions/_edged",
        "/etc/fish/completions/edged.fish",
    ):
        box.run(f"test -s {file}")
    box.run("bash -n /usr/local/share/bash-completion/completions/edged")
