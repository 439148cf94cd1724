"""A small share of the soak (``make test-soak``): a simulated hour, with a reload and two deaths."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak


def test_an_hour_of_trouble_loses_no_row_and_leaks_nothing(tmp_path: Path) -> None:
    wanted = soak.parsed(["--hours", "1", "--segment", "0.5", "--crashes", "2"])
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


def test_what_is_opened_beside_the_work_is_no_growth() -> None:
    """Seen late and not early, as it happens where the machine is busy; what leaks is seen all the same."""
    flat = held(*[1000] * 40)
    opening = [soak.Sample("daemon", 2.5 + one / 10, soak.Held(9000, 9000, 9, 2)) for one in range(14)]
    mixed = sorted([*flat, *opening], key=lambda one: one.hour)
    assert soak.slope(mixed, "daemon") == 0.0
    leaks = [one._replace(held=one.held._replace(own=one.held.own + int(one.hour * 500))) for one in mixed]
    assert soak.slope(leaks, "daemon") == pytest.approx(500.0, rel=0.01)


def test_a_step_between_two_looks_is_not_taken_for_the_whole_time() -> None:
    its = [soak.Sample("daemon", hour, soak.Held(size, size, 9, 2)) for hour, size in (
        (0.1, 1000), (0.2, 1000), (0.3, 1000), (0.31, 1500), (0.4, 1500), (0.5, 1500)
    )]  # fmt: skip
    assert 0 < soak.slope(its, "daemon") * 0.5 < 1500
