"""Step 10: uninstall, install again, purge."""

from __future__ import annotations

import pytest
from box import CHECKOUT, CONFIG, STORE, SYSTEMS_OWN, Box, told


def test_uninstalling_keeps_the_data(box: Box) -> None:
    box.at_work()
    box.committed = box.some_numbers("street")
    done = box.run(f"'{box.machine.inside}/{CHECKOUT}/install.sh' --uninstall")
    assert box.run("systemctl cat edged.service", check=False).status != 0, "the unit is still there"
    assert box.run("command -v edged", check=False).status != 0, "the command is still there"
    assert box.run("pgrep -u edged", check=False).out == "", "a process of edged's is still there"
    box.run(f"test -s {STORE} && test -s {CONFIG} && test -s /etc/edged/credentials/key")
    told(done.out, str(STORE.parent), what="it does not say what stays:")


def test_installing_again_finds_the_data(box: Box) -> None:
    done = box.install(CHECKOUT)
    box.figure("install again, data there", f"{done.took:.0f} s")
    box.counting()
    box.still_has("street", box.committed)


def test_purging_asks_first(box: Box) -> None:
    done = box.run(f"'{box.machine.inside}/{CHECKOUT}/install.sh' --purge", check=False)
    assert done.status != 0, "nobody was there to say yes"
    box.run(f"test -s {STORE} && test -s /etc/edged/credentials/key")


def test_purging_leaves_nothing(box: Box) -> None:
    box.purge()
    left = [line for line in box.changes() if not line.split(" ", 2)[1].startswith(SYSTEMS_OWN)]
    assert left == [], "purging left or changed something"
    for database in ("passwd", "group"):
        assert box.run(f"getent {database} edged", check=False).status != 0, f"edged is still in {database}"
    assert box.run("systemctl list-unit-files 'edged*' --no-legend", check=False).out == ""


def test_no_traceback_to_the_end(box: Box) -> None:
    assert box.tracebacks() == []


def test_the_system_is_well(box: Box) -> None:
    failed = box.run("systemctl --failed --no-legend --plain", check=False).out
    assert failed == "", f"units that failed are left: {failed}"


@pytest.fixture(autouse=True, scope="module")
def last(box: Box) -> None:
    """Counted before anything is removed."""
    used = box.run("du -sm /opt/edged /var/lib/edged | cut -f1").out.split()
    box.figure("on the disk: /opt/edged, /var/lib/edged", " MB, ".join(used) + " MB")
