"""Step 5: the power goes while it commits. Each time at another moment, onto a file system that keeps only
what it had.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from box import Box

CUTS = 5


@pytest.fixture(scope="module")
def chance() -> random.Random:
    """EDGED_SEED repeats a run's moments."""
    seed = os.environ.get("EDGED_SEED") or str(time.time_ns())
    print(f"EDGED_SEED={seed}")
    return random.Random(seed)


@pytest.mark.parametrize("number", range(1, CUTS + 1))
def test_nothing_that_was_committed_is_gone(box: Box, chance: random.Random, number: int) -> None:
    box.can_be_cut()
    box.at_work()
    since = box.counting()["uptime_s"]
    began = box.now() - min(since, 60)
    time.sleep(chance.uniform(0, 2.0))
    committed = box.numbers("street", began, box.now())
    assert committed, "nothing was committed before the cut: it proves nothing"
    box.cut()
    at = time.monotonic()
    box.machine.boot()
    box.counting()
    box.figure("power back to counting", f"{time.monotonic() - at:.1f} s")
    box.still_has("street", committed)
    assert box.verify() == [], "the store is damaged"
    assert box.where_is(box.key()) == [], "the key lies about in the clear"
    if number == CUTS:
        box.figure("power cuts, store whole each time", str(CUTS))
