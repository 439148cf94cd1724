"""A small share of the campaign (``make test-mutants``): mutants of the bundled model and of recordings made
on the spot. Each is refused or run, and whatever its worker does, its keeper lives on, unchanged.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import flatbuffer_sites
import mutation
import own_seeds
import pytest

HERE = Path(__file__).resolve().parent
#: What may become of a mutant. A library that crashes on one is contained; anything else is a fault of ours.
HARMLESS = {"ran", "refused", "unavailable", "crashed", "stalled"}


def test_a_model_s_numbers_are_found_where_they_are() -> None:
    data = own_seeds.ACTIVITY.read_bytes()
    found = flatbuffer_sites.sites(data)
    kinds = Counter(one.kind for one in found)
    assert set(mutation.WEIGHTS) == set(kinds) and len(set(found)) == len(found) > 10_000
    assert all(one.at >= 0 and one.at + one.size <= len(data) for one in found)
    (version,) = (one for one in found if one.path == "Model.0" and one.kind == "scalar")
    assert int.from_bytes(data[version.at : version.at + 4], "little") == 3


def test_a_mutant_is_told_by_its_seed_and_number() -> None:
    data = own_seeds.ACTIVITY.read_bytes()
    for made in (mutation.Models(data, "a"), mutation.Media(data, "a")):
        mutants = [made.mutant(number) for number in range(100)]
        assert mutants == [made.mutant(number) for number in range(100)]
        assert len({one for one, _ in mutants}) > 90 and sum(one == data for one, _ in mutants) < 5
    assert mutation.Models(data, "b").mutant(1) != mutation.Models(data, "a").mutant(1)


def test_mutants_are_refused_or_run_and_nobody_else_is_hurt(tmp_path: Path) -> None:
    """In a process of its own: it imports what no daemon does, and forks."""
    pytest.importorskip("ai_edge_litert.interpreter", reason="the mutants' interpreter is LiteRT's")
    command = [sys.executable, "-m", "mutant_campaign", "--models", "90", "--media", "45"]
    paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "EDGED_SHARED": str(tmp_path)}
    out = tmp_path / "mutants.jsonl"
    done = subprocess.run(
        [*command, "--out", str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "135 mutants, seed 1:" in done.stdout and len(out.read_text().splitlines()) == 135
    again = subprocess.run(
        [*command, "--out", str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert "135 mutants, 135 tried before" in again.stdout and again.returncode == 0
