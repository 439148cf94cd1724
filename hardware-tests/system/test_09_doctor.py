"""Step 9, before the journal is read: what the doctor says of a box that is well, and of one that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from box import Box

MINE = "/etc/systemd/system/edged.service.d/mine.conf"


@pytest.fixture(autouse=True)
def at_work(box: Box) -> None:
    box.at_work()


def doctor(box: Box, *arguments: str, user: str = "", groups: str = "") -> list[dict[str, Any]]:
    """Its findings."""
    done = box.edged(f"doctor --json {' '.join(arguments)}", user=user, groups=groups, check=False)
    told = json.loads(done.out)
    assert done.status == (0 if told["good"] else 1), done.said
    findings: list[dict[str, Any]] = told["findings"]
    return findings


def those(findings: list[dict[str, Any]], *verdicts: str) -> list[str]:
    return [f"{one['check']}: {one['found']}" for one in findings if one["verdict"] in verdicts]


def test_nothing_fails_on_a_box_that_is_well(box: Box) -> None:
    done = box.edged("doctor --json")
    told = json.loads(done.out)
    assert those(told["findings"], "failed") == []
    checks = {one["check"]: one for one in reversed(told["findings"])}
    for name in ("daemon", "config", "control", "hardening", "source", "model", "key", "store"):
        assert checks[name]["verdict"] == "ok", checks[name]
    assert told["service_user"]["name"] == "edged"
    box.figure("edged doctor, all of it", f"{told['seconds']} s")


@pytest.mark.parametrize(
    ("user", "groups"), [("nobody", "edged"), ("nobody", "")], ids=["member", "stranger"]
)
def test_what_others_cannot_see_is_said_and_is_no_failure(box: Box, user: str, groups: str) -> None:
    findings = doctor(box, user=user, groups=groups)
    assert those(findings, "failed") == []
    hidden = {one["check"] for one in findings if one["verdict"] == "cannot tell"}
    assert {"key", "store"} <= hidden
    assert ("control" in hidden) is not bool(groups)
    assert all(one["fix"] for one in findings if one["verdict"] == "cannot tell")


def test_a_drop_in_that_weakens_it_is_named(box: Box) -> None:
    box.run("mkdir -p /etc/systemd/system/edged.service.d")
    box.write(MINE, "[Service]\nCapabilityBoundingSet=CAP_SYS_TIME\nSystemCallFilter=\nRestartSec=3s\n")
    try:
        box.run("systemctl daemon-reload && systemctl restart edged")
        findings = {one["subject"]: one for one in doctor(box, "hardening")}
        assert findings[None]["verdict"] == "failed"
        (said,) = findings["unit"]["details"]
        assert said == f"{MINE}: CapabilityBoundingSet=CAP_SYS_TIME, SystemCallFilter="
        assert findings["exposure"]["verdict"] == "warning"
    finally:
        box.run(f"rm -f {MINE}; rmdir $(dirname {MINE}); systemctl daemon-reload; systemctl restart edged")


def test_a_changed_config_is_not_in_force(box: Box) -> None:
    box.run("touch -d '+1 minute' /etc/edged/edged.toml")
    try:
        findings = {one["subject"]: one for one in doctor(box, "config")}
        assert (findings["in force"]["verdict"], findings["in force"]["fix"]) == (
            "warning",
            "sudo systemctl reload edged",
        )
    finally:
        box.run("touch /etc/edged/edged.toml; systemctl restart edged")


def test_a_service_that_is_stopped(box: Box) -> None:
    box.run("systemctl stop edged")
    findings = doctor(box, "daemon", "control", "hardening", "key", "store")
    assert findings[0]["verdict"] == "warning"
    assert findings[0]["fix"] == "sudo systemctl start edged"
    assert those(findings, "failed") == []
