"""docs/security.md promises nothing that no test shows, and its numbers are those of the code."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from edged import covert, lender
from edged.config.loading import load
from edged.config.shape import Measure
from edged.series import series_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/security.md").read_text()
SHOWN = re.findall(r"\[`([\w]+\.py)::(test_\w+)`\]\(([^)]+)\)", PAGE)
ATTACKERS = (
    "A thief with the SD card",
    "A thief with the running box",
    "A hostile model file",
    "A hostile video",
    "A hostile local user",
    "A compromised worker",
    "The network",
)


def test_the_attackers_come_first() -> None:
    places = [PAGE.index(f"\n### {one}") for one in ATTACKERS]
    assert places == sorted(places) and places[-1] < PAGE.index("\n## Before the lock")


@pytest.mark.parametrize(("file", "name", "path"), sorted(set(SHOWN)))
def test_what_is_promised_is_shown(file: str, name: str, path: str) -> None:
    target = (ROOT / "docs" / path).resolve()
    assert target.name == file and target.is_file()
    assert re.search(rf"^ *def {name}\(", target.read_text(), re.MULTILINE), f"{path} has no {name}"


def test_each_guarantee_has_its_test() -> None:
    rows = [one for one in PAGE.splitlines() if one.startswith("| ") and "| shown by |" not in one]
    promises = [one for one in rows if one.count("|") == 3]
    assert len(promises) > 20
    for row in promises:
        assert re.search(r"::test_|\]\(#", row), f"nothing shows: {row}"


def test_what_lies_can_carry_is_what_the_code_counts() -> None:
    table = PAGE.partition("<!-- covert -->\n")[2].partition("<!-- /covert -->")[0]
    assert table == covert.table()
    assert f"come on top: {covert.sentence()}." in PAGE
    assert f"may be lost {covert.sentence_of_cameras()}" in PAGE
    assert f"see nothing, and why, {covert.sentence_of_sight()}." in PAGE
    assert f"could bring one {covert.sentence_of_stamp()}," in PAGE
    assert lender.REFILL == 300.0


def test_every_kind_of_measure_is_in_the_table() -> None:
    table = PAGE.partition("<!-- covert -->\n")[2].partition("<!-- /covert -->")[0]
    for kind in get_args(get_type_hints(Measure)["kind"]):
        for many in ("one", "20"):
            assert re.search(rf"^\| {many} series of [\w, ]*\b{kind}\b", table, re.MULTILINE), kind


def test_what_lies_can_carry_of_sound_is_what_the_code_counts() -> None:
    page = " ".join((ROOT / "docs/sound.md").read_text().split())
    assert f"`python -m edged.covert`: {covert.sentence_of_sound()}" in page
    assert f"{covert.sentence_of_more_sound()}:" in page
    narrowest = re.search(r"(\d+) to \d+ bit/s by the narrowest vocoders", page)
    nine = ["share"] * 5 + ["an event"] * 4
    assert narrowest and covert.wall_capacity(nine, 0.0) < int(narrowest[1]) / 2


def test_the_example_of_bird_song_has_the_series_that_are_counted_for_it() -> None:
    (name, pipeline), *_ = load(ROOT / "config/birdsong.toml").pipelines.items()
    kinds = Counter(one.measure for one in series_of(name, pipeline))
    assert (kinds, pipeline.rate) == ({"presence": 5, "events": 4}, 0.0)


def test_more_series_carry_more_and_no_rounding_far_more() -> None:
    one, many = covert.wall_capacity(["count"], 5.0), covert.wall_capacity(["count"] * 20, 5.0)
    assert one < many < 20 * one
    assert covert.unrounded(["count"] * 20) > 10 * many
    assert covert.kept_capacity(["count"] * 20, 5.0) < many / 10
