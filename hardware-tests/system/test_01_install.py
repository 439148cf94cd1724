"""Step 1: a fresh system, and one command."""

from __future__ import annotations

import pytest
from box import CHECKOUT, CONFIG, CREDENTIALS, Box


def test_a_rehearsal_changes_nothing(box: Box) -> None:
    box.version(CHECKOUT)
    box.collect(CHECKOUT)
    box.before = box.listing()
    said = box.install(CHECKOUT, "--dry-run").out
    assert "would" in said, f"--dry-run does not say what it would do:\n{said}"
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
    for changed in (str(CONFIG), "/usr/local/lib/systemd/system/edged.service", str(CREDENTIALS)):
        assert changed in done.out, f"the list at the end lacks {changed}:\n{done.out}"


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
