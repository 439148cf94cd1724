"""Step 8: what systemd thinks of the unit, and what the unit's sandbox stops."""

from __future__ import annotations

import re

import pytest
from box import CHECKOUT, Box

EXPOSURE = 1.1


def test_the_unit_is_hardly_exposed(box: Box) -> None:
    said = box.run("systemd-analyze security --no-pager edged.service", check=False).said
    found = re.search(r"Overall exposure level for edged.service: ([0-9.]+)", said)
    assert found, said
    box.figure("exposure", found[1], f"<= {EXPOSURE}")
    assert float(found[1]) <= EXPOSURE, said


def test_systemd_finds_nothing_wrong_with_the_units(box: Box) -> None:
    """Their manual pages are looked for too."""
    done = box.run("systemd-analyze verify /usr/local/lib/systemd/system/edged*.service", check=False)
    assert (done.status, done.said) == (0, "")
    reloads = box.show("Type")["Type"]
    newer = int(box.run("systemctl --version").out.split()[1]) >= 253
    assert reloads == ("notify-reload" if newer else "notify")


def test_the_sandbox_stops_what_it_should_and_lets_through_what_it_must(box: Box) -> None:
    """lab/unit.sh tries it from inside a copy of the unit, and then without the sandbox, to prove the
    attempts.
    """
    box.run("systemctl stop edged")
    try:
        script = f"{box.machine.inside}/{CHECKOUT}/hardware-tests/lab/unit.sh"
        done = box.run(f"sh '{script}'", limit=120, check=False)
    finally:
        box.run("systemctl start edged")
    failed = [line for line in done.out.splitlines() if line.startswith("FAILED")]
    assert failed == [] and done.status == 0, f"left with {done.status}:\n{done.said}"
    box.figure("things tried in the sandbox", str(len(re.findall("^ok ", done.out, re.MULTILINE))))


@pytest.mark.parametrize("whose", ["daemon", "workers"])
def test_the_processes_that_run_have_no_rights(box: Box, whose: str) -> None:
    box.at_work()
    status = box.counting()
    for process in [status["pid"]] if whose == "daemon" else [one["pid"] for one in status["pipelines"]]:
        facts = dict(
            line.partition(":\t")[::2]
            for line in box.read(f"/proc/{process}/status").splitlines()
            if ":\t" in line
        )
        assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
        for which in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            assert int(facts[which], 16) == 0, f"{which} is {facts[which]}"
        limits = box.read(f"/proc/{process}/limits")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), limits
        edged = box.run("id -u edged").out.strip()
        assert facts["Uid"].split() == [edged] * 4


def test_nothing_has_dumped_core(box: Box) -> None:
    """After the whole story: a version that died of a segmentation fault was in it."""
    said = box.run(
        f"find / -xdev \\( -path /proc -o -path /sys -o -path '{box.machine.inside}' -o -path /usr \\) -prune"
        f" -o -type f -newermt @{box.began}"
        r" \( -name core -o -name 'core.[0-9]*' -o -path '*/coredump/*' \) -print"
    ).out
    assert said == "", f"there are core dumps: {said}"
