"""A small share of the soak (``make test-soak``): half a simulated hour, with a reload and two deaths."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak


def test_half_an_hour_of_trouble_loses_no_row_and_leaks_nothing(tmp_path: Path) -> None:
    wanted = soak.parsed(["--hours", "0.5", "--segment", "0.25", "--crashes", "2"])
    one = soak.Soak(tmp_path, wanted)
    one.run()
    assert soak.verdict(one, wanted.growth) == []
    assert one.deaths >= 1 and one.said().count("reloaded: ") == 1 and "Traceback" not in one.said()


def held(*sizes: int, who: str = "daemon", threads: int = 1) -> list[soak.Sample]:
    return [soak.Sample(who, hour / 10, soak.Held(size, size, 9, threads)) for hour, size in enumerate(sizes)]


def test_a_slope_is_told_from_a_jump() -> None:
    assert soak.slope(held(*range(1000, 2000, 10)), "daemon") == pytest.approx(100.0)
    assert soak.slope(held(*[1000] * 50, *[5000] * 3, *[1000] * 47), "daemon") == 0.0
    assert soak.slope([], "daemon") == 0.0
