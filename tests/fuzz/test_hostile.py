"""A share of the hostile workers' campaign; ``make test-wall`` plays all of it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from emulation import EMULATED

from edged import rounding
from edged.inspector import check_entry
from edged.nouns import Entry
from fuzz import campaign, hostile


@pytest.mark.skipif(EMULATED, reason="an emulator has no seccomp, and is too slow")
def test_a_share_of_the_campaign() -> None:
    """Every kind of life once."""
    totals: Counter[str] = Counter()
    played = campaign.play(hostile.IN_TURN, {"lives": len(hostile.DEEDS)}, totals)
    assert set(played.by_end) == set(hostile.DEEDS)
    assert totals["refused"] >= len(hostile.BROKEN) and totals["honest ticks"] >= 2


def test_every_kind_of_life_is_lived_some_time() -> None:
    lives = [hostile.life(1, number, recorded=False) for number in range(5000)]
    assert {one.end for one in lives} == set(hostile.DEEDS)


@pytest.mark.parametrize("unit", ["share", "fraction", "count", ""])
def test_both_know_the_same_rounding(unit: str) -> None:
    """The liar's entries, written down a second time, are those that the daemon's rules let pass."""
    chance = random.Random(unit)
    for _ in range(2000):
        scale, most = {"share": (1, 1), "fraction": (64, 64), "count": (1, 64)}.get(unit, (1, 255))
        low, high = sorted(chance.randint(0, most) / scale for _ in range(2))
        seconds, places = chance.randint(1, 64) / 64, (chance.randint(0, 16), chance.randint(0, 4))
        entry = Entry(*hostile.entry(low, high, seconds, unit, *places))
        check_entry(entry, seconds, unit)
        assert rounding.rounded(entry, unit, seconds) == entry
