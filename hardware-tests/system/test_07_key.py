"""Step 7: another key."""

from __future__ import annotations

import random
import time

import pytest
from box import CREDENTIALS, Box


def rotated(box: Box, old: str, committed: dict[str, float]) -> None:
    """The store has another key than ``old``, and everything."""
    box.counting()
    new = box.key()
    assert new != old, "the key is the same"
    box.still_has("street", committed)
    assert box.opens(new), "the new key does not open the store"
    assert not box.opens(old), "the old key still opens the store"
    assert box.run(f"ls {CREDENTIALS}").out.split() == ["key"], "the next key was left behind"
    assert box.verify() == []


def test_the_store_gets_another_key(box: Box) -> None:
    box.at_work()
    old, committed = box.key(), box.some_numbers("street")
    done = box.edged("keys rotate")
    box.figure("edged keys rotate", f"{done.took:.1f} s")
    rotated(box, old, committed)
    assert box.where_is(old) == [] and box.where_is(box.key()) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_power_cut_in_the_middle_loses_nothing(box: Box, number: int) -> None:
    box.can_be_cut()
    box.at_work()
    old, committed = box.key(), box.some_numbers("street")
    box.machine.begin("edged keys rotate")
    # It takes about a second, most of it until the next key is there.
    time.sleep(random.uniform(0.3, 2.0))
    box.cut()
    box.machine.boot()
    box.counting()
    box.still_has("street", committed)
    assert box.verify() == []
    if box.key() == old:
        box.edged("keys rotate")
    rotated(box, old, committed)
