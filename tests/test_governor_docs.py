"""docs/governor.md says what the code does: its constants, its boards, its pictures."""

from __future__ import annotations

import importlib
import re
from fractions import Fraction
from pathlib import Path

import pytest

from edged.board.simulated import FEATURES, SKIES, SPECS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/governor.md").read_text()
ROW = re.compile(r"^\| `(\w+)\.([A-Z_]+)` \| ([^|]+) \|", re.MULTILINE)
#: Plain numbers of the code that say no limit of behaviour: what they mean is in their module.
ELSEWHERE = {"DEFAULT_LIMIT", "COOL", "MOST_WATTS", "LEARNT", "PLAUSIBLE", "LIMITS"}


def value(text: str) -> tuple[float, ...]:
    parts = (part.split("/") for part in text.strip().split(", "))
    return tuple(float(Fraction(part[0]) / Fraction(part[1] if part[1:] else "1")) for part in parts)


@pytest.mark.parametrize(("module", "name", "told"), ROW.findall(PAGE))
def test_each_constant_is_the_codes(module: str, name: str, told: str) -> None:
    is_ = getattr(importlib.import_module(f"edged.governor.{module}"), name)
    assert value(told) == pytest.approx(is_ if isinstance(is_, tuple) else (is_,))


@pytest.mark.parametrize("module", ["heat", "policy", "supply", "steering"])
def test_no_constant_is_left_out(module: str) -> None:
    source = (ROOT / f"edged/governor/{module}.py").read_text()
    numbers = set(re.findall(r"^([A-Z_]+): Final = [(\d]", source, re.MULTILINE))
    assert numbers
    told = {name for where, name, _ in ROW.findall(PAGE) if where == module}
    assert numbers - ELSEWHERE - told == set()


def test_every_board_weather_and_feature_is_named() -> None:
    for name in (*SPECS, *SKIES, *FEATURES):
        assert f"`{name}`" in PAGE or f"simulated:{name}" in PAGE, name


def test_pictures_are_small() -> None:
    pictures = re.findall(r"\]\((governor-\w+\.png)\)", PAGE)
    assert pictures
    for name in pictures:
        assert (ROOT / "docs" / name).stat().st_size < 300_000
