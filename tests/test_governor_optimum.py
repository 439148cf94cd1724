"""The clairvoyant that the governor is measured against: it is right where its answer is known otherwise."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from benchmarks import governor, governor_campaign, governor_optimum
from benchmarks.governor_days import Fixed, Governed, lived, wanted
from edged.board.simulated import SPECS, SimulatedBoard
from edged.board.simulated.weather import steady, stepped

TARGET = 78.0


@pytest.mark.parametrize("name", ["pi4-bare", "zero2w", "pi5-bare"])
@pytest.mark.parametrize("prefer", ["accuracy", "rate"])
def test_in_steady_weather_it_is_the_load_that_just_keeps_the_target(name: str, prefer) -> None:
    """But for the first minutes, in which a cold board may do more."""
    spec, air = SPECS[name], 38.0
    want = wanted(spec, prefer)
    room = TARGET - air - spec.rise - spec.slow[0] * spec.idle
    load = min(1.0, room / (spec.dynamic * (spec.slow[0] + spec.fast[0])))
    settled = governor_optimum.optimum(spec, steady(air), want, TARGET).course[200:-30]
    expected = governor_optimum.hull(spec, want, np.array([load]), 1.0)[0]
    assert settled[:, 4].mean() == pytest.approx(expected, rel=2e-3)
    assert settled[:, 2].max() <= TARGET + 1e-6


def test_it_saves_the_cold_for_what_is_worth_more() -> None:
    """It knows of the heat that is to come; what it keeps under is the target, always."""
    spec = SPECS["pi4-bare"]
    want = wanted(spec, "rate")
    course = governor_optimum.optimum(spec, stepped(25.0, 43_200.0, warmer=15.0), want, TARGET).course
    assert course[:, 2].max() <= TARGET + 1e-6
    before, after = course[600:700, 4].mean(), course[1000:1100, 4].mean()
    assert after < before


def test_about_the_soft_limit_any_mixture_counts() -> None:
    """A 3B+ that hovers at 60 °C is worth no less than one that stays below it, or one that is above."""
    spec = SPECS["pi3b+"]
    want, loads = wanted(spec, "rate"), np.linspace(0.0, 1.0, 41)
    board = governor_optimum.Board(spec, want, TARGET, loads, 60.0)
    free = msgspec.structs.replace(spec, cap=None)
    full = governor_optimum.Board(free, want, TARGET, loads, 60.0)
    slow = np.array([40.0, 57.0, 61.0])
    worth, most = board.tables(slow)[0], full.tables(slow)[0]
    capped = governor_optimum.hull(spec, want, loads, spec.cap[1])
    assert worth[0] == pytest.approx(most[0])
    assert (worth[1] >= capped - 1e-12).all()
    assert (worth[1] <= most[1] + 1e-12).all()
    assert worth[2] == pytest.approx(capped)


def test_nobody_beats_it_who_keeps_the_target() -> None:
    spec, sky = SPECS["zero2w"], governor.WEATHER["desert"]
    want = wanted(spec, "accuracy")
    hours = 3 * 3600
    ours = lived(SimulatedBoard(spec, sky), Governed(spec, want, TARGET), want, TARGET, seconds=hours)
    best = governor_optimum.optimum(spec, sky, want, TARGET).course
    assert ours.utility <= best[: hours // 60, 4].mean() * 1.01
    assert ours.over == 0


def test_the_days_are_of_all_that_is_promised() -> None:
    air = [sky(60.0 * minute).air for sky in governor.WEATHER.values() for minute in range(1440)]
    assert (min(air), max(air)) == pytest.approx((10.0, 45.0), abs=0.01)
    assert any(sky(14 * 3600.0).sun > 0.0 for sky in governor.WEATHER.values())


def test_a_day_is_told_in_means() -> None:
    spec = SPECS["pi4-bare"]
    want = wanted(spec, "rate")
    day = lived(SimulatedBoard(spec, steady(20.0)), Fixed(0, 1.0), want, 40.0, seconds=1200)
    assert len(day.course) == 4
    assert day.course[0][0] == 150.0
    assert day.utility == pytest.approx(sum(row[4] for row in day.course) / 4)
    assert day.hottest == max(row[2] for row in day.course)
    assert day.over > 0
    assert day.excused == 0


def test_what_is_beyond_any_governor_is_excused_and_counted() -> None:
    spec = SPECS["pi4-bare"]
    want = wanted(spec, "rate")
    board, idle = (SimulatedBoard(spec, steady(60.0)) for _ in range(2))
    day = lived(board, Governed(spec, want, TARGET), want, TARGET, seconds=600, idle=idle)
    assert (day.over, day.excused) == (0, 600)


def test_a_campaign_goes_on_where_it_was(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(governor_campaign, "KEPT", tmp_path / "kept")
    jobs = [governor_campaign.Job(divmod_told, (one, 7), ()) for one in (20, 30)]
    assert governor_campaign.done(jobs, cores=1) == [[2, 6], [4, 2]]
    first = capsys.readouterr().err
    assert governor_campaign.done([*jobs, jobs[0]._replace(given=(50, 7))], cores=1)[2] == [7, 1]
    assert "100 %" in first
    assert "3 days and hours, 2 of them kept" in capsys.readouterr().err
    assert len(list((tmp_path / "kept").iterdir())) == 3


def divmod_told(number: int, by: int) -> tuple[int, int]:
    return divmod(number, by)
