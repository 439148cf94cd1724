"""A small share of the soak (``make test-soak``): a simulated hour, with a reload and two deaths."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(("opening", "leaks"), [(0.9, False), (0.0, True), (0.9, True)])
def test_a_thread_that_stays_is_told_from_those_that_open_models(opening: float, leaks: bool) -> None:
    """On a busy machine a model is being opened at most of the looks, and at more of them towards the end."""
    chance, samples = random.Random(1), list[soak.Sample]()
    for number in range(200):
        more = int(chance.random() < opening * number / 200) + int(leaks and number > 110)
        whole = soak.Held(1000, 1000, 9, 2 + more)
        samples += [soak.Sample(who, number / 10, whole) for who in ("daemon", "day", "yard")]
    one = SimpleNamespace(samples=samples, seconds=20 * soak.HOUR)
    wrong = soak._wrong_processes(one, 1e9)
    assert wrong == [f"{who}: 3 threads, 2 before" for who in ("daemon", "day", "yard")] * leaks


def test_a_step_between_two_looks_is_not_taken_for_the_whole_time() -> None:
    its = [soak.Sample("daemon", hour, soak.Held(size, size, 9, 2)) for hour, size in (
        (0.1, 1000), (0.2, 1000), (0.3, 1000), (0.31, 1500), (0.4, 1500), (0.5, 1500)
    )]  # fmt: skip
    assert 0 < soak.slope(its, "daemon") * 0.5 < 1500
