"""The table of events: whole, followed by all that tells one, and what systemd's catalogue is made of."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged import events
from edged.events import KINDS, Kind
from edged.journal import PRIORITIES

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "systemd" / "edged.catalog"
#: Functions whose first text is a kind: what they are called -> its place among their arguments.
TELLERS = {"event": 0, "_note": 0, "note": 0, "tell": 0, "_tell": 0, "changed": 1}
COMMON = {"pipeline", "reading"}


def calls() -> Iterator[tuple[str, str, set[str] | None]]:
    """(where, kind, fields) of each event that is told in edged; None when the fields are not written out."""
    for path in sorted((ROOT / "edged").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place = TELLERS.get(node.func.attr)
                if place is not None and len(node.args) > place:
                    yield from _told(path, node, node.args[place])


def _told(path: Path, node: ast.Call, kind: ast.expr) -> Iterator[tuple[str, str, set[str] | None]]:
    named = {one.arg for one in node.keywords if one.arg}
    fields = None if any(one.arg is None for one in node.keywords) else named - COMMON
    for name in _texts(kind):
        yield f"{path.relative_to(ROOT)}:{node.lineno}", name, fields


def _texts(node: ast.expr) -> Iterator[str]:
    """The text or texts that an argument can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def test_every_event_that_is_told_is_in_the_table_with_the_fields_it_carries() -> None:
    told = list(calls())
    assert {"began", "replaced", "started", "clock-lost", "buckets-lost"} <= {kind for _, kind, _ in told}
    assert [(where, kind) for where, kind, _ in told if kind not in KINDS] == []
    wrong = [
        (where, kind, fields)
        for where, kind, fields in told
        if fields is not None and fields != set(KINDS[kind].fields)
    ]
    assert wrong == []


def test_names_and_ids_are_unique_and_well_formed() -> None:
    table = list(KINDS.values())
    assert len(table) == len(events._TABLE)
    assert len({one.message_id for one in table}) == len(table)
    assert all(re.fullmatch("[0-9a-f]{32}", one.message_id) for one in table)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", one.name) for one in table)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_what_it_is_and_what_to_do(kind: Kind) -> None:
    assert kind.priority in PRIORITIES and kind.because
    # journalctl shows the subject beside the entry: one line.
    assert kind.subject and len(kind.subject) <= 70 and "\n" not in kind.subject
    assert kind.explanation.endswith(".") and kind.remedy.endswith(".")
    grave = kind.priority in ("warning", "error")
    assert not (grave and kind.remedy.startswith("Nothing needs to be done")), "grave, and nothing to do?"
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", one) for one in kind.fields)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_explanation_holds_only_fields_that_its_entries_have(kind: Kind) -> None:
    held = set(re.findall("@([A-Z_]+)@", f"{kind.subject} {kind.explanation} {kind.remedy}"))
    assert held <= {f"EDGED_{one.upper()}" for one in kind.fields} | {"EDGED_PIPELINE"}


def test_the_shipped_catalogue_is_the_tables() -> None:
    assert CATALOGUE.read_text() == events.catalogue(), "python -m edged.events > systemd/edged.catalog"


def test_the_documents_table_is_the_tables() -> None:
    assert events.table() in (ROOT / "docs" / "events.md").read_text(), "python -m edged.events table"


def test_systemd_reads_the_catalogue(tmp_path: Path) -> None:
    """Another root, so that this machine's own catalogue stays as it is."""
    if shutil.which("journalctl") is None:
        pytest.skip("systemd's journalctl is not installed here")
    folder = tmp_path / "usr" / "lib" / "systemd" / "catalog"
    folder.mkdir(parents=True)
    shutil.copy(CATALOGUE, folder)
    (tmp_path / "var" / "lib" / "systemd" / "catalog").mkdir(parents=True)
    rooted = ["journalctl", f"--root={tmp_path}"]
    done = subprocess.run([*rooted, "--update-catalog"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    listed = subprocess.run([*rooted, "--list-catalog"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == {one.message_id for one in KINDS.values()}
