"""Step 9: what the journal says about all of it."""

from __future__ import annotations

import re

import pytest
from box import UNITS, Box

#: All that the story has had by now.
PIPELINES = (
    "busy",
    "camera",
    "clip",
    "film",
    "meter",
    "photos",
    "prints",
    "still",
    "street",
    "voice",
    "yard",
)


def test_no_traceback_ever(box: Box) -> None:
    assert box.tracebacks() == []


def test_entries_have_fields(box: Box) -> None:
    entries = box.journal(*UNITS)
    events = [one for one in entries if "EDGED_EVENT" in one]
    names = {one["EDGED_EVENT"] for one in events}
    expected = {
        "began",
        "ready",
        "started",
        "stopped",
        "replaced",
        "reloaded",
        "reload-refused",
        "key-rotated",
    }
    assert expected <= names, f"never told: {sorted(expected - names)}"
    for one in events:
        assert re.fullmatch("[0-9a-f]{32}", one.get("MESSAGE_ID", "")), f"without a MESSAGE_ID: {one}"
        assert one["SYSLOG_IDENTIFIER"].startswith("edged")
        assert one["EDGED_EVENT"] in ("upgraded", "rolled-back") or one["EDGED_VERSION"]
    for one in events:
        if one["EDGED_EVENT"] in ("started", "replaced", "refused"):
            assert one["EDGED_PIPELINE"] in PIPELINES, one
    box.figure("journal: entries of edged, of them events", f"{len(entries)}, {len(events)}")


@pytest.mark.parametrize("name", ["ready", "replaced", "reload-refused", "rolled-back", "key-rotated"])
def test_journalctl_explains(box: Box, name: str) -> None:
    said = box.run(f"journalctl --quiet --no-pager --catalog -n 1 EDGED_EVENT={name}").out
    explained = [line for line in said.splitlines() if line.startswith(("░░", "--"))]
    assert any("Defined-By: edged" in line for line in explained), (
        f"journalctl -x does not explain it:\n{said}"
    )
    assert "@EDGED_" not in said, f"a field that the explanation names is not there:\n{said}"


def test_nothing_secret_and_nothing_raw(box: Box) -> None:
    """What the daemon and its helpers said, over the whole story: sentences."""
    for one in box.journal(*UNITS):
        own = {key: str(value) for key, value in one.items() if key == "MESSAGE" or key.startswith("EDGED_")}
        for key, value in own.items():
            assert len(value) <= 1000 and value.isprintable(), f"{key} is no sentence: {value[:200]!r}"
            assert not re.search(r"[0-9a-fA-F]{48}|[A-Za-z0-9+/]{64}", value), (
                f"{key} holds something encoded: {one}"
            )
    said = box.run("journalctl --quiet --no-pager -o export", limit=120).out.lower()
    assert not any(key in said for key in box.keys), "a key is in the journal"
