"""Step 6: newer versions; good ones, bad ones, and a power cut in between."""

from __future__ import annotations

import random
import time

import pytest
import versions
from box import CONFIG, Box, told

NEWER, LATEST = "0.98.0", "0.99.0"
BAD = {
    "never ready": {"version": "0.98.1", "broken": versions.NEVER_READY},
    "dies after 10 s": {"version": "0.98.2", "broken": versions.DIES_AFTER_10_S},
    "newer schema, then dies": {
        "version": "0.98.3",
        "broken": versions.DIES_WITH_NEWER_SCHEMA,
        "newer_schema": True,
    },
}


def test_an_upgrade_keeps_data_and_config(box: Box) -> None:
    box.at_work()
    committed, config = box.some_numbers("street"), box.read(str(CONFIG))
    box.version("a newer one", NEWER)
    versions.change_default_config(box.machine.share / "a newer one")
    box.collect("a newer one")
    done = box.install("a newer one")
    box.figure("upgrade, judged healthy", f"{done.took:.0f} s")
    assert box.counting()["version"] == NEWER
    box.still_has("street", committed)
    assert box.read(str(CONFIG)) == config, "the owner's config was changed"
    assert "A new default." in box.read(f"{CONFIG}.new"), "the new default is not beside the owner's config"
    told(done.out, f"{CONFIG}.new")
    assert box.trial() == "", "the trial is not over"
    box.run(f"rm {CONFIG}.new")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_version_is_taken_back_by_itself(box: Box, name: str) -> None:
    box.at_work()
    before = box.counting()["version"]
    committed = box.some_numbers("street")
    box.version(name, **BAD[name])
    box.collect(name)
    done = box.install(name, check=False)
    box.figure(f"taken back: {name}", f"{done.took:.0f} s")
    assert done.status != 0, f"install.sh calls it good:\n{done.said}"
    told(done.said, str(BAD[name]["version"]), before)
    assert box.counting()["version"] == before
    box.still_has("street", committed)
    assert box.trial() == ""
    (event,) = box.events("rolled-back", "-n 1")
    told(f"{event['MESSAGE']} {event.get('EDGED_NEW')}", str(BAD[name]["version"]))


def test_a_power_cut_while_a_version_is_installed(box: Box) -> None:
    box.can_be_cut()
    box.at_work()
    before, committed = box.counting()["version"], box.some_numbers("street")
    box.version("the latest", LATEST)
    box.collect("the latest")
    box.machine.begin(box.install_command("the latest"))
    box.until_run(
        "a version is being made",
        "find /opt/edged/versions/*/lib -name numpy -newer /opt/edged/current | grep -q .",
    )
    time.sleep(random.uniform(0, 3))
    box.cut()
    box.machine.boot()
    assert box.counting()["version"] == before, "half a version is at work"
    box.still_has("street", committed)


def test_a_power_cut_while_a_version_is_on_trial(box: Box) -> None:
    box.can_be_cut()
    box.at_work()
    before, committed = box.counting()["version"], box.some_numbers("street")
    box.machine.begin(box.install_command("the latest"))
    box.until_run("a version is on trial", "test -e /opt/edged/trial", 200)
    time.sleep(random.uniform(0, 5))
    box.cut()
    box.machine.boot()
    box.until_run("the trial is over", "test ! -e /opt/edged/trial", 120)
    assert box.counting()["version"] in (before, LATEST)
    box.still_has("street", committed)
    done = box.install("the latest")
    assert box.counting()["version"] == LATEST, (
        f"the upgrade cannot be finished after a power cut:\n{done.said}"
    )
